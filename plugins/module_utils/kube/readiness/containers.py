# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness of pods and their containers: what keeps one from being ready, and for how long it must have been."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ...errors import Reason
from .. import fields
from .reasons import (
    Object,
    condition_of,
    controller_of,
    is_condition_true,
    make_reason,
    subject_of,
    time_of,
)

CRASHES_THAT_ARE_A_LOOP = 3

# what registries and the kubelet say when trying again is no use
_IMAGE_IS_WRONG = re.compile(
    r"not found|manifest unknown|denied|unauthorized|authorization failed|invalid reference|no match for platform"
    r"|does not exist|forbidden|x509:",
    re.IGNORECASE,
)
# of Azure, in every cloud: a role that was assigned there takes effect within 10 minutes
# (learn.microsoft.com/azure/role-based-access-control/troubleshooting)
_SLOW_REGISTRY = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.azurecr\.(io|cn|us)/", re.IGNORECASE)
# and where a registry has another name (Azure Stack, one's own domain): its token service is on its own host, at the
# path of Azure's (github.com/Azure/acr/blob/main/docs/AAD-OAuth.md)
_AZURE_TOKENS = "https://{host}/oauth2/token"
_NOT_ALLOWED = re.compile(r"denied|unauthorized|authorization failed|forbidden", re.IGNORECASE)
_PULLS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_CONFIGURATION = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_STARTS = frozenset({"RunContainerError", "StartError", "PostStartHookError"})
_KEY_MISSING = re.compile(r"couldn't find key|non-existent (config|secret) key|references non-existent")
_OBJECT_MISSING = re.compile(r"\b(secret|configmap|serviceaccount|persistentvolumeclaim)s? .*not found", re.IGNORECASE)


def judge_pod(item: Object) -> list[Reason]:
    """Ready when it says so or has done its work; a pod of its own that failed stays failed."""
    status = item.get("status") or {}
    ready = condition_of(item, "Ready")
    if status.get("phase") == "Running" and ready is not None and ready.get("status") == "True":
        return []
    return pod_reasons(item)


def pod_reasons(item: Object) -> list[Reason]:
    """Why this pod is not ready. The subject names the pod and, where it is one, the container."""
    status = item.get("status") or {}
    where = subject_of({**item, "kind": "Pod"})
    if status.get("phase") == "Succeeded":
        return []
    scheduled = condition_of(item, "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "False":
        message = str(scheduled.get("message") or scheduled.get("reason"))
        if scheduled.get("reason") == "SchedulingGated":
            return [make_reason(where, "Starting", "waits until its scheduling gates are removed")]
        if _OBJECT_MISSING.search(message):
            return [make_reason(where, "MissingObject", message)]
        return [make_reason(where, "Unschedulable", f"cannot be scheduled: {message}")]
    found = [one for container in _containers(item) if (one := _container(where, *container)) is not None]
    # a controller makes another pod in the place of one that failed
    for_good = status.get("phase") == "Failed" and controller_of(item) is None
    if found:
        return [replace(one, terminal=one.terminal or for_good) for one in found]
    if status.get("phase") == "Failed":
        reported = status.get("message") or status.get("reason") or "a container ended with an error"
        return [make_reason(where, "PodFailed", f"has failed: {reported}", terminal=for_good)]
    ready = condition_of(item, "Ready") or {}
    if ready.get("status") == "True":
        return []
    return [make_reason(where, "Starting", str(ready.get("message") or f"is {status.get('phase', 'Pending')}"))]


def container_end(ended: Mapping[str, Any]) -> str:
    """How a container ended: its exit code, the signal behind it, or that it was out of memory."""
    if ended.get("reason") == "OOMKilled":
        return "OOMKilled: its memory limit is too low"
    code = ended.get("exitCode", "?")
    signal = f", signal {int(code) - 128}" if isinstance(code, int) and code > 128 else ""
    return f"exit code {code}{signal}"


def reference_code(message: str) -> str | None:
    """MissingKey or MissingObject when a message of the kubelet is about a reference to what does not exist."""
    if _KEY_MISSING.search(message):
        return "MissingKey"
    return "MissingObject" if _OBJECT_MISSING.search(message) else None


def _containers(item: Object) -> list[tuple[Object, str]]:
    """The states of all containers with their images, init containers first."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    images = {
        one["name"]: str(one.get("image")) for key in ("initContainers", "containers") for one in spec.get(key) or []
    }
    states = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return [(state, images.get(state["name"], "")) for state in states]


def _container(where: str, container: Object, image: str) -> Reason | None:
    ref = f"{where} container {container['name']}"
    state = container.get("state") or {}
    waiting = state.get("waiting")
    if waiting:
        return _waiting(ref, container, image, str(waiting.get("reason", "")), str(waiting.get("message", "")))
    crashes = int(container.get("restartCount", 0))
    ended = state.get("terminated")
    if ended and ended.get("exitCode") != 0:
        if crashes:
            return _crash_loop(ref, crashes, ended)
        if ended.get("reason") in _STARTS:
            return make_reason(ref, "CannotStart", str(ended.get("message") or container_end(ended)), terminal=True)
        code = "OutOfMemory" if ended.get("reason") == "OOMKilled" else "Crashed"
        return make_reason(ref, code, f"ended with {container_end(ended)}")
    if state.get("running") and not container.get("ready", True) and container.get("started") is not None:
        reported = "runs, and does not pass its probes" + (f" (restarted {crashes} times)" if crashes else "")
        return make_reason(ref, "NotPassingProbes", reported)
    return None


def _waiting(ref: str, container: Object, image: str, code: str, message: str) -> Reason | None:
    if code in _PULLS:
        wrong = code in ("InvalidImageName", "ErrImageNeverPull") or bool(_IMAGE_IS_WRONG.search(message))
        reported = f"image {image} cannot be pulled: {_registry_answer(message)}"
        tokens = _AZURE_TOKENS.format(host=image.partition("/")[0])
        if (_SLOW_REGISTRY.match(image) or tokens in message) and _NOT_ALLOWED.search(message):
            return make_reason(ref, "ImagePull", f"{reported} (a new role takes effect within 10 minutes)")
        return make_reason(ref, "ImagePull", reported, terminal=wrong)
    if code in _CONFIGURATION:
        known = reference_code(message) or "ConfigError"
        return make_reason(ref, known, message or "its container cannot be created", terminal=True)
    if code in _STARTS:
        return make_reason(ref, "CannotStart", message or "its container cannot be started", terminal=True)
    if code == "CrashLoopBackOff":
        ended = (container.get("lastState") or {}).get("terminated") or {}
        return _crash_loop(ref, int(container.get("restartCount", 0)), ended)
    if code in ("ContainerCreating", "PodInitializing", ""):
        return None
    return make_reason(ref, "Starting", message or code)


def _crash_loop(ref: str, crashes: int, ended: Mapping[str, Any]) -> Reason:
    terminal = crashes >= CRASHES_THAT_ARE_A_LOOP
    if ended.get("reason") in _STARTS:
        reported = f"cannot be started ({crashes} attempts): {ended.get('message') or container_end(ended)}"
        return make_reason(ref, "CannotStart", reported, terminal=terminal)
    code = "OutOfMemory" if ended.get("reason") == "OOMKilled" else "CrashLoop"
    reported = f"is in CrashLoopBackOff ({crashes} restarts, last: {container_end(ended)})"
    return make_reason(ref, code, reported, terminal=terminal)


def _registry_answer(message: str) -> str:
    """The last part of the kubelet's nested message: what the registry said."""
    parts = re.split(r": (?=[A-Za-z0-9])", message)
    return ": ".join(parts[-2:]) if len(parts) > 2 else message or "the registry gave no reason"


PROBED_SECONDS = 2.0
"""How long a container whose readiness probe has passed must have been ready."""
UNPROBED_SECONDS = 6.0
"""The same without such a probe: that it runs is all that is known.

Of these, one is lost because the API writes whole seconds, and two are what a kubelet takes to notice and report an
end: it looks once a second. That leaves 3 s, which the documentation promises.
"""
CRASHED_SECONDS = 10.0
"""The same once it has crashed: restarts are 10 s apart and more."""
LONGEST_SECONDS = 60.0
"""Nothing is waited for longer: a program that crashes after a minute needs a probe to be seen."""
USUAL_DELAY_SECONDS = 1.0
"""What a kubelet takes to notice a start."""


def settling_reasons(pods: Iterable[Object], now: datetime | None) -> list[Reason]:
    """Why these pods of a workload that says it is ready are not believed yet.

    `now` is the API server's time at which, or before which, the pods were read; every answer of one has it.
    """
    if now is None:
        return []
    found: list[Reason] = []
    for item in pods:
        status, metadata = item.get("status") or {}, item.get("metadata") or {}
        if metadata.get("deletionTimestamp") or status.get("phase") in ("Succeeded", "Failed"):
            continue
        if not is_condition_true(item, "Ready"):
            where = subject_of({**item, "kind": "Pod"})
            found += pod_reasons(item) or [make_reason(where, "Starting", "is not ready, whatever its workload counts")]
            continue
        since = _reported(item)
        for container, spec in _running(item):
            needed = _needed(item, container, spec)
            age = (now - (since or time_of(container["state"]["running"]["startedAt"]))).total_seconds()
            if age < needed:
                found.append(_too_short(item, container, age, needed))
    return found


def of_workload(item: Object, pods: Iterable[Object]) -> list[Object]:
    """Those of the selected pods that the workload made; a selector may choose those of a Job as well."""
    return [pod for pod in pods if _made_by(item, controller_of(pod))]


def _made_by(item: Object, reference: Object | None) -> bool:
    if reference is None:
        # one that is about to be adopted
        return True
    name = str(item["metadata"]["name"])
    if item["kind"] == "Deployment":
        return reference.get("kind") == "ReplicaSet" and str(reference.get("name")).rpartition("-")[0] == name
    return reference.get("kind") == item["kind"] and reference.get("name") == name


def _running(item: Object) -> list[tuple[Object, Object]]:
    """The running containers and their specifications: the main ones, and init containers that stay as sidecars."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    main = {one["name"]: one for one in spec.get("containers") or []}
    sidecars = {one["name"]: one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"}
    states = [
        *((state, main.get(state["name"], {})) for state in status.get("containerStatuses") or []),
        *((s, sidecars[s["name"]]) for s in status.get("initContainerStatuses") or [] if s["name"] in sidecars),
    ]
    return [(state, own) for state, own in states if ((state.get("state") or {}).get("running") or {}).get("startedAt")]


def _reported(item: Object) -> datetime | None:
    """When the API server was last given a report about the pod's containers; None where nothing tells."""
    times = [
        time_of(entry.time)
        for entry in fields.entries(item)
        if entry.time and fields.part_of(entry.fields, "status", "containerStatuses") is not None
    ]
    return max(times, default=None)


def _needed(item: Object, container: Object, spec: Object) -> float:
    """For how many seconds the container must have been known to run."""
    probed = spec.get("readinessProbe") is not None
    if not int(container.get("restartCount", 0)):
        return PROBED_SECONDS if probed else min(LONGEST_SECONDS, UNPROBED_SECONDS + _delay(item, container))
    last = (container.get("lastState") or {}).get("terminated") or {}
    lived = _seconds(last.get("startedAt"), last.get("finishedAt"))
    return min(
        LONGEST_SECONDS, max(CRASHED_SECONDS, lived + UNPROBED_SECONDS) + (0 if probed else _delay(item, container))
    )


def _delay(item: Object, container: Object) -> float:
    """Twice what this kubelet took longer than usual to notice the start."""
    ready = (condition_of(item, "Ready") or {}).get("lastTransitionTime")
    return 2 * max(0.0, _seconds(container["state"]["running"]["startedAt"], ready) - USUAL_DELAY_SECONDS)


def _seconds(start: Any, end: Any) -> float:
    return max(0.0, (time_of(str(end)) - time_of(str(start))).total_seconds()) if start and end else 0.0


def _too_short(item: Object, container: Object, age: float, needed: float) -> Reason:
    crashes = int(container.get("restartCount", 0))
    reported = f"runs for {max(age, 0):.0f} s only, and is believed after {needed:.0f} s"
    if crashes:
        ended = (container.get("lastState") or {}).get("terminated") or {}
        reported += f"; it has ended {crashes} times before, last with {container_end(ended)}"
    where = f"{subject_of({**item, 'kind': 'Pod'})} container {container['name']}"
    return make_reason(where, "Crashing" if crashes else "Starting", reported)
