# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts on pods: what their containers, the scheduler and the kubelet say. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import (
    Object,
    condition,
    owner,
    subject,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.vocabulary import reason

CRASHES_THAT_ARE_A_LOOP = 3

# what registries and the kubelet say when trying again is no use
_IMAGE_IS_WRONG = re.compile(
    r"not found|manifest unknown|denied|unauthorized|authorization failed|invalid reference|no match for platform"
    r"|does not exist|forbidden|x509:",
    re.IGNORECASE,
)
_PULLS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_CONFIGURATION = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_STARTS = frozenset({"RunContainerError", "StartError", "PostStartHookError"})
_KEY_MISSING = re.compile(r"couldn't find key|non-existent (config|secret) key|references non-existent")
_OBJECT_MISSING = re.compile(r"\b(secret|configmap|serviceaccount|persistentvolumeclaim)s? .*not found", re.IGNORECASE)


def pod(item: Object) -> list[Reason]:
    """Ready when it says so or has done its work; a pod of its own that failed stays failed."""
    status = item.get("status") or {}
    ready = condition(item, "Ready")
    if status.get("phase") == "Running" and ready is not None and ready.get("status") == "True":
        return []
    return pod_reasons(item)


def pod_reasons(item: Object) -> list[Reason]:
    """Why this pod is not ready. The subject names the pod and, where it is one, the container."""
    status = item.get("status") or {}
    where = subject({**item, "kind": "Pod"})
    if status.get("phase") == "Succeeded":
        return []
    scheduled = condition(item, "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "False":
        message = str(scheduled.get("message") or scheduled.get("reason"))
        if scheduled.get("reason") == "SchedulingGated":
            return [reason(where, "Starting", "waits until its scheduling gates are removed")]
        if _OBJECT_MISSING.search(message):
            return [reason(where, "MissingObject", message)]
        return [reason(where, "Unschedulable", f"cannot be scheduled: {message}")]
    found = [one for container in _containers(item) if (one := _container(where, *container)) is not None]
    # a controller makes another pod in the place of one that failed
    for_good = status.get("phase") == "Failed" and owner(item) is None
    if found:
        return [replace(one, terminal=one.terminal or for_good) for one in found]
    if status.get("phase") == "Failed":
        told = status.get("message") or status.get("reason") or "a container ended with an error"
        return [reason(where, "PodFailed", f"has failed: {told}", terminal=for_good)]
    ready = condition(item, "Ready") or {}
    if ready.get("status") == "True":
        return []
    return [reason(where, "Starting", str(ready.get("message") or f"is {status.get('phase', 'Pending')}"))]


def ending(ended: Mapping[str, Any]) -> str:
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
    who = f"{where} container {container['name']}"
    state = container.get("state") or {}
    waiting = state.get("waiting")
    if waiting:
        return _waiting(who, container, image, str(waiting.get("reason", "")), str(waiting.get("message", "")))
    crashes = int(container.get("restartCount", 0))
    ended = state.get("terminated")
    if ended and ended.get("exitCode") != 0:
        if crashes:
            return _crash_loop(who, crashes, ended)
        if ended.get("reason") in _STARTS:
            return reason(who, "CannotStart", str(ended.get("message") or ending(ended)), terminal=True)
        code = "OutOfMemory" if ended.get("reason") == "OOMKilled" else "Crashed"
        return reason(who, code, f"ended with {ending(ended)}")
    if state.get("running") and not container.get("ready", True) and container.get("started") is not None:
        told = "runs, and does not pass its probes" + (f" (restarted {crashes} times)" if crashes else "")
        return reason(who, "NotPassingProbes", told)
    return None


def _waiting(who: str, container: Object, image: str, code: str, message: str) -> Reason | None:
    if code in _PULLS:
        wrong = code in ("InvalidImageName", "ErrImageNeverPull") or bool(_IMAGE_IS_WRONG.search(message))
        answer = _registry_answer(message)
        return reason(who, "ImagePull", f"image {image} cannot be pulled: {answer}", terminal=wrong)
    if code in _CONFIGURATION:
        known = reference_code(message) or "ConfigError"
        return reason(who, known, message or "its container cannot be created", terminal=True)
    if code in _STARTS:
        return reason(who, "CannotStart", message or "its container cannot be started", terminal=True)
    if code == "CrashLoopBackOff":
        ended = (container.get("lastState") or {}).get("terminated") or {}
        return _crash_loop(who, int(container.get("restartCount", 0)), ended)
    if code in ("ContainerCreating", "PodInitializing", ""):
        return None
    return reason(who, "Starting", message or code)


def _crash_loop(who: str, crashes: int, ended: Mapping[str, Any]) -> Reason:
    terminal = crashes >= CRASHES_THAT_ARE_A_LOOP
    if ended.get("reason") in _STARTS:
        told = f"cannot be started ({crashes} attempts): {ended.get('message') or ending(ended)}"
        return reason(who, "CannotStart", told, terminal=terminal)
    code = "OutOfMemory" if ended.get("reason") == "OOMKilled" else "CrashLoop"
    told = f"is in CrashLoopBackOff ({crashes} restarts, last: {ending(ended)})"
    return reason(who, code, told, terminal=terminal)


def _registry_answer(message: str) -> str:
    """The last part of the kubelet's nested message: what the registry said."""
    parts = re.split(r": (?=[A-Za-z0-9])", message)
    return ": ".join(parts[-2:]) if len(parts) > 2 else message or "the registry gave no reason"
