# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a workload's pods are not ready: what its containers, their logs, the scheduler and the kubelet say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType

PODS = ResourceType("v1", "Pod", "pods", True)
EVENTS = ResourceType("v1", "Event", "events", True)
CRASHES_THAT_ARE_A_LOOP = 3
LOG_LINES = 8
LOG_LINE_LENGTH = 300

# what registries and the kubelet say when trying again is no use
_IMAGE_IS_WRONG = re.compile(
    r"not found|manifest unknown|denied|unauthorized|authorization failed|invalid reference|no match for platform"
    r"|does not exist|forbidden|x509:",
    re.IGNORECASE,
)


def explain_workload(
    kube: Kube,
    namespace: str,
    selector: str | Mapping[str, Any],
    *,
    logs: bool = True,
    template_hash: str | None = None,
) -> list[Reason]:
    """Why the pods that `selector` (labels, or a label selector's text) finds are not ready; empty when all are.

    `logs` false leaves out what costs further requests: the last log lines and events.
    `template_hash` looks at the pods of one revision of a Deployment only.
    """
    chosen = selector if isinstance(selector, str) else selector_text(selector)
    if template_hash:
        chosen = f"{chosen},pod-template-hash={template_hash}"
    pods = kube.list_objects(PODS, namespace, label_selector=chosen)
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    found: dict[tuple[str, str], Reason] = {}
    for pod in living:
        for reason in pod_reasons(pod):
            # ten replicas with one fault are one reason
            found.setdefault((reason.code, _without_pod(reason, pod)), reason)
    explained = list(found.values())
    return [_with_evidence(kube, namespace, reason, living) for reason in explained] if logs else explained


def selector_text(selector: Mapping[str, Any]) -> str:
    """A LabelSelector (or plain labels) as the text of a query."""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{key}={value}" for key, value in selector.items())
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for row in selector.get("matchExpressions") or []:
        values = f"({','.join(row.get('values') or [])})"
        operator = row.get("operator")
        parts.append(
            {
                "In": f"{row['key']} in {values}",
                "NotIn": f"{row['key']} notin {values}",
                "Exists": row["key"],
                "DoesNotExist": f"!{row['key']}",
            }[operator]
        )
    return ",".join(parts)


def pod_reasons(pod: Object) -> list[Reason]:
    """Why this pod is not ready; pure. The subject names the pod and, where it is one, the container."""
    status = pod.get("status") or {}
    where = f"Pod {pod['metadata'].get('namespace')}/{pod['metadata'].get('name')}"
    if status.get("phase") == "Succeeded":
        return []
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return [_unschedulable(where, str(condition.get("message") or condition.get("reason")))]
    found: list[Reason] = []
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    images = {
        container["name"]: str(container.get("image"))
        for key in ("initContainers", "containers")
        for container in (pod.get("spec") or {}).get(key) or []
    }
    for container in containers:
        reason = _container_reason(where, container, images.get(container["name"], ""))
        if reason is not None:
            found.append(reason)
    if found:
        return found
    if status.get("phase") == "Failed":
        told = status.get("message") or status.get("reason") or "a container ended with an error"
        return [Reason(where, "PodFailed", f"has failed: {told}", terminal=True)]
    ready: Object = next((c for c in status.get("conditions") or [] if c.get("type") == "Ready"), {})
    if ready.get("status") == "True":
        return []
    return [Reason(where, "Starting", str(ready.get("message") or f"is {status.get('phase', 'Pending')}"))]


def _container_reason(where: str, container: Mapping[str, Any], image: str) -> Reason | None:
    subject = f"{where} container {container['name']}"
    state = container.get("state") or {}
    waiting = state.get("waiting")
    if waiting:
        return _waiting(subject, container, image, str(waiting.get("reason", "")), str(waiting.get("message", "")))
    ended = state.get("terminated")
    if ended and ended.get("exitCode") != 0:
        crashes = int(container.get("restartCount", 0))
        if crashes:
            return _crash_loop(subject, crashes, ended)
        return Reason(subject, "Crashed", f"ended with {_exit(ended)}")
    if state.get("running") and not container.get("ready", True) and container.get("started") is not None:
        restarts = int(container.get("restartCount", 0))
        told = "runs, and does not pass its probes" + (f" (restarted {restarts} times)" if restarts else "")
        return Reason(subject, "NotPassingProbes", told, "Look at the probe's path and port, and at the log.")
    return None


def _waiting(subject: str, container: Mapping[str, Any], image: str, code: str, message: str) -> Reason | None:
    if code in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"):
        wrong = code in ("InvalidImageName", "ErrImageNeverPull") or bool(_IMAGE_IS_WRONG.search(message))
        hint = "Check the image's name and tag, and that the cluster may pull from its registry."
        return Reason(subject, "ImagePull", f"image {image} cannot be pulled: {_registry_answer(message)}", hint, wrong)
    if code in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        hint = "Create what it refers to, or correct the reference." if code == "CreateContainerConfigError" else ""
        return Reason(subject, code, message or "its container cannot be created", hint, terminal=True)
    if code == "CrashLoopBackOff":
        ended = (container.get("lastState") or {}).get("terminated") or {}
        return _crash_loop(subject, int(container.get("restartCount", 0)), ended)
    if code in ("ContainerCreating", "PodInitializing", ""):
        return None
    return Reason(subject, code, message or code)


def _crash_loop(subject: str, crashes: int, ended: Mapping[str, Any]) -> Reason:
    told = f"crashes again and again ({crashes} restarts), last with {_exit(ended)}"
    return Reason(subject, "CrashLoop", told, terminal=crashes >= CRASHES_THAT_ARE_A_LOOP)


def _unschedulable(where: str, message: str) -> Reason:
    hint = "Ask for less, add nodes, or change node selectors and tolerations; an autoscaler may still add a node."
    return Reason(where, "Unschedulable", f"fits on no node: {message}", hint)


def _registry_answer(message: str) -> str:
    """The last part of the kubelet's nested message: what the registry said."""
    parts = re.split(r": (?=[A-Za-z0-9])", message)
    return ": ".join(parts[-2:]) if len(parts) > 2 else message or "no answer told"


def _exit(ended: Mapping[str, Any]) -> str:
    if ended.get("reason") == "OOMKilled":
        return "OOMKilled: its memory limit is too low"
    code = ended.get("exitCode", "?")
    signal = f", signal {int(code) - 128}" if isinstance(code, int) and code > 128 else ""
    return f"exit code {code}{signal}"


def _without_pod(reason: Reason, pod: Object) -> str:
    return str(reason).replace(str(pod["metadata"].get("name")), "")


def _with_evidence(kube: Kube, namespace: str, reason: Reason, pods: Sequence[Object]) -> Reason:
    """A reason with what only a further request tells."""
    match = re.fullmatch(r"Pod [^/]+/(\S+)(?: container (\S+))?", reason.subject)
    if match is None:
        return reason
    pod, container = match.groups()
    if reason.code in ("CrashLoop", "Crashed") and container:
        lines = last_log_lines(kube, namespace, pod, container)
        if lines:
            return _replaced(
                reason, f"{reason.message}. Its last log lines:\n" + "\n".join(f"    {line}" for line in lines)
            )
    if reason.code in ("NotPassingProbes", "Starting"):
        told = _warning(kube, namespace, pod)
        if told:
            return _replaced(reason, f"{reason.message}: {told}")
    return reason


def last_log_lines(kube: Kube, namespace: str, pod: str, container: str) -> list[str]:
    """The end of a container's log; of its previous life when nothing is known of this one."""
    for previous in ("false", "true"):
        query = {"container": container, "tailLines": LOG_LINES, "previous": previous, "limitBytes": 20000}
        try:
            response = kube.request(
                "GET", PODS.path(namespace, pod, "log"), query=query, action=f"read the log of {pod}"
            )
        except ServiceError:
            continue
        text = response.body.decode(errors="replace")
        # what the kubelet answers, with status 200, when the container's log is already removed
        lost = text.startswith("unable to retrieve container logs")
        lines = [] if lost else [line[:LOG_LINE_LENGTH] for line in text.splitlines() if line.strip()]
        if lines:
            return lines[-LOG_LINES:]
    return []


def _warning(kube: Kube, namespace: str, pod: str) -> str:
    """The last warning event of a pod."""
    chosen = f"involvedObject.kind=Pod,involvedObject.name={pod},type=Warning"
    try:
        events = kube.list_objects(EVENTS, namespace, field_selector=chosen)
    except ServiceError:
        return ""
    events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return str(events[-1].get("message", "")).strip() if events else ""


def _replaced(reason: Reason, message: str) -> Reason:
    return Reason(reason.subject, reason.code, message, reason.hint, reason.terminal)
