# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls from pods: a Job with its Secret, in a namespace that is there or one of its own, removed afterwards."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..errors import Failure
from ..kube.apply.owned_objects import TYPES
from ..kube.client import Kube
from ..kube.discovery import ResourceType
from ..kube.manifests import Object
from ..kube.readiness.evidence import PODS, explain_pods
from ..kube.readiness.reasons import time_of
from ..task import Task
from ..waiting import Deadline, poll
from . import trial_calls
from .trial_plan import Source

NAMESPACES = ResourceType("v1", "Namespace", "namespaces", False)
TRIAL_LABEL = "mcpops.io/gateway-trial"
"""On all that is made for trials, with the gateway: what a broken run has left is found by it."""
CALLS_EACH = 250
BYTES_EACH = 600 * 1024
"""How many calls one Job makes: its Secret holds a mebibyte, of which the authorities and the program take some."""
LEFT_BEHIND = timedelta(hours=1)
_JOBS, _SECRETS = TYPES["Job"], TYPES["Secret"]
_KEPT_SECONDS = 300
_USER = 65532
_MOUNT = "/trial"
_NEVER = "mcpops.io/never"
_RUNS = "its pod has not ended yet"
_TO_END = 10.0
"""For a pod whose calls are over: until the API server knows that it has ended."""


class PodsFailed(Exception):
    """Why nothing could be called from a place."""


@dataclass(frozen=True)
class PodOptions:
    """What the pods of trials are."""

    owner: str
    image: str
    timeout: float
    wait_timeout: float
    ca_pem: str
    resources: Mapping[str, Any]


def new_name() -> str:
    return f"mcpops-gateway-trial-{secrets.token_hex(4)}"


@contextlib.contextmanager
def foreign_namespace(kube: Kube, options: PodOptions, name: str) -> Iterator[None]:
    """A namespace that nothing is declared for, and that is gone afterwards."""
    _remove_left_behind(kube, options.owner)
    labels = {**_labels(options), "pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    kube.request("POST", NAMESPACES.path(None), body=body, action=f"make namespace {name}")
    try:
        yield
    finally:
        _delete(kube, NAMESPACES, None, name)


def _remove_left_behind(kube: Kube, owner: str) -> None:
    """A run that was ended in the middle could remove nothing. One that is going on is younger."""
    for item in kube.list_objects(NAMESPACES, label_selector=f"{TRIAL_LABEL}={owner}"):
        made = time_of(item["metadata"].get("creationTimestamp"))
        if kube.now is not None and made is not None and kube.now - made > LEFT_BEHIND:
            _delete(kube, NAMESPACES, None, item["metadata"]["name"])


def calls_from(
    kube: Kube, task: Task, source: Source, calls: Sequence[Mapping[str, Any]], options: PodOptions
) -> list[dict[str, Any]]:
    """What came of each; PodsFailed where no pod ran."""
    found: list[dict[str, Any]] = []
    for some in portions(calls):
        found += _one_job(kube, task, source, some, options)
    return found


def portions(calls: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """As many calls as fit into one Secret: tokens may be long, and each call has one."""
    some: list[Mapping[str, Any]] = []
    held = 0
    for call in calls:
        size = len(json.dumps(call))
        if some and (len(some) == CALLS_EACH or held + size > BYTES_EACH):
            yield some
            some, held = [], 0
        some.append(call)
        held += size
    if some:
        yield some


def longest_seconds(calls: Sequence[Mapping[str, Any]], timeout: float) -> float:
    """How long these calls can take if nobody answers any: to connect, to agree on TLS, to answer, to end."""
    each = [(call.get("attempts") or 1) * (4 * timeout + trial_calls.PAUSE_SECONDS) for call in calls]
    return sum(each) / trial_calls.AT_ONCE + max(each, default=0.0)


def _one_job(
    kube: Kube, task: Task, source: Source, calls: Sequence[Mapping[str, Any]], options: PodOptions
) -> list[dict[str, Any]]:
    name, place = new_name(), source.namespace
    seconds = longest_seconds(calls, options.timeout)
    try:
        try:
            made = kube.request(
                "POST", _JOBS.path(place), body=job(name, source, options, seconds), action=f"make Job {place}/{name}"
            ).json()
            # with its owner the Secret goes even where this process is ended before it removes both
            body = secret(name, place, calls, options, str(made["metadata"]["uid"]))
            kube.request("POST", _SECRETS.path(place), body=body, action=f"make Secret {place}/{name}")
            return _results(kube, task, place, name, options.wait_timeout, seconds)
        finally:
            _delete(kube, _JOBS, place, name)
            _delete(kube, _SECRETS, place, name)
    except Failure as failure:
        raise PodsFailed(failure.message()) from failure


def _delete(kube: Kube, resource: ResourceType, place: str | None, name: str) -> None:
    kube.request(
        "DELETE",
        resource.path(place, name),
        body={"propagationPolicy": "Background"},
        accept_status=(404,),
        action=f"remove {resource.kind} {name}",
    )


def _results(kube: Kube, task: Task, place: str, name: str, to_start: float, to_call: float) -> list[dict[str, Any]]:
    """The lines of the pod's log, once its Job has ended. A pod that runs has as long as its calls can take."""

    def look() -> tuple[list[Object], str]:
        pods = kube.list_objects(PODS, place, label_selector=f"batch.kubernetes.io/job-name={name}")
        phases = {(pod.get("status") or {}).get("phase") for pod in pods}
        if phases & {"Succeeded", "Failed"}:
            return pods, ""
        if "Running" in phases:
            # it is not ready by design
            return pods, _RUNS
        reasons = explain_pods(pods)
        if any(one.terminal for one in reasons):
            return pods, ""
        return pods, str(reasons[0]) if reasons else "its pod has not started yet" if pods else "it has made no pod yet"

    def waited(seconds: float, *enough: str) -> tuple[list[Object], str]:
        def missing(found: tuple[list[Object], str]) -> str | None:
            return None if found[1] in ("", *enough) else f"Job {place}/{name}: {found[1]}"

        return poll(look, missing, Deadline(seconds), task.progress)

    pods, lacking = waited(to_start, _RUNS)
    if lacking == _RUNS:
        pods, lacking = waited(to_call + _TO_END)
    done = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Succeeded"]
    if not done:
        raise PodsFailed(_why(kube, place, name, pods, lacking))
    path = PODS.path(place, done[0]["metadata"]["name"], "log")
    text = kube.request("GET", path, action=f"read the log of Pod {done[0]['metadata']['name']}").body.decode()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def _why(kube: Kube, place: str, name: str, pods: Sequence[Object], lacking: str) -> str:
    if reasons := explain_pods(pods):
        return f"Job {place}/{name}: {reasons[0]}"
    if not pods:
        # what the Job's controller was refused is in the Job's events
        events = kube.request(
            "GET",
            f"/api/v1/namespaces/{place}/events",
            query={"fieldSelector": f"involvedObject.name={name}"},
            check=False,
        )
        rows = (events.json().get("items") or []) if events.status == 200 else []
        said = [str(row.get("message")) for row in rows if row.get("type") == "Warning"]
        return f"Job {place}/{name}: {said[-1] if said else lacking}"
    return f"Job {place}/{name}: {lacking or 'its pod has failed'}"


def _labels(options: PodOptions) -> dict[str, str]:
    return {TRIAL_LABEL: options.owner}


def job(name: str, source: Source, options: PodOptions, seconds: float) -> Object:
    """One pod that calls once, with the labels of a caller, and is behind no Service of theirs."""
    container = {
        "name": "calls",
        "image": options.image,
        "command": ["python3", f"{_MOUNT}/calls.py", f"{_MOUNT}/calls.json"],
        "env": [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        "resources": dict(options.resources),
        "volumeMounts": [{"name": "calls", "mountPath": _MOUNT, "readOnly": True}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        # never ready: one with the labels of others gets none of their requests
        "readinessGates": [{"conditionType": _NEVER}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "calls", "secret": {"secretName": name, "defaultMode": 0o440}}],
    }
    labels = {**source.labels, **_labels(options)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": source.namespace, "labels": _labels(options)},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": math.ceil(options.wait_timeout + seconds + _TO_END),
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def secret(name: str, place: str, calls: Sequence[Mapping[str, Any]], options: PodOptions, owner: str) -> Object:
    """What is called and with which tokens: in a file, since arguments and logs are read by others."""
    given = {"timeout": options.timeout, "ca": options.ca_pem, "calls": list(calls)}
    content = {"calls.py": program(), "calls.json": json.dumps(given)}
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": owner}
    metadata = {"name": name, "namespace": place, "labels": _labels(options), "ownerReferences": [reference]}
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in content.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}


def program() -> str:
    """The text of what makes the calls here as well, from wherever this is run: a directory, or a module's archive."""
    loader = trial_calls.__loader__
    text = loader.get_source(trial_calls.__name__)  # type: ignore[union-attr]
    if not text:
        raise PodsFailed("the program of the calls cannot be read")
    return str(text)
