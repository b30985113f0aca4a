# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a workload's pods, and the last words of those that do not run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.selectors import selector_text
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.events import last_words, start_hindered
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.pods import pod_reasons
from ansible_collections.mcpops.platform.plugins.module_utils.kube.vocabulary import without_log
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import redact, variable_values

PODS = ResourceType("v1", "Pod", "pods", True)
EVENTS = ResourceType("v1", "Event", "events", True)
LOG_LINES = 8
LOG_LINE_LENGTH = 300

_HAS_ENDED = frozenset({"CrashLoop", "Crashed", "Crashing", "OutOfMemory"})
_CONTAINER = re.compile(r"Pod [^/]+/(\S+)(?: container (\S+))?")


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
    found = explain_pods(pods)
    return with_evidence(kube, namespace, found, pods) if logs else found


def explain_pods(pods: Sequence[Object]) -> list[Reason]:
    """Why these pods are not ready; ten replicas with one fault are one reason, pods on their way out none."""
    found: dict[tuple[str, str], Reason] = {}
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
        for reason in pod_reasons(pod):
            found.setdefault((reason.code, str(reason).replace(str(pod["metadata"].get("name")), "")), reason)
    return list(found.values())


def with_evidence(kube: Kube, namespace: str, reasons: Sequence[Reason], pods: Sequence[Object]) -> list[Reason]:
    """The same reasons with what only further requests tell: last log lines, and what events say."""
    return [_with_evidence(kube, namespace, reason, pods) for reason in reasons]


def last_log_lines(
    kube: Kube,
    namespace: str,
    pod: str,
    container: str,
    values: Mapping[str, str] | None = None,
    count: int = LOG_LINES,
) -> list[str]:
    """The end of a container's log, redacted; of its previous life when nothing is known of this one."""
    for previous in ("false", "true"):
        query = {"container": container, "tailLines": count, "previous": previous, "limitBytes": 20000}
        try:
            response = kube.request(
                "GET", PODS.path(namespace, pod, "log"), query=query, action=f"read the log of {pod}"
            )
        except ServiceError:
            continue
        text = response.body.decode(errors="replace")
        # what the kubelet answers, with status 200, when the container's log is already removed
        lost = text.startswith("unable to retrieve container logs")
        lines = [] if lost else [line[:LOG_LINE_LENGTH] for line in redact(text, values).splitlines() if line.strip()]
        if lines:
            return lines[-count:]
    return []


def warnings_in(kube: Kube, namespace: str | None, kind: str | None = None, name: str | None = None) -> list[Object]:
    """The Warning events of a namespace, or of one object in it."""
    chosen = f"involvedObject.kind={kind},involvedObject.name={name},type=Warning" if name else "type=Warning"
    return kube.list_objects(EVENTS, namespace, field_selector=chosen)


def with_log(reason: Reason, lines: Sequence[str]) -> Reason:
    """A reason with the last lines of a log, or without the advice to read them where there are none."""
    if not lines:
        return replace(reason, hint=without_log(reason.code, reason.hint))
    told = f"{reason.message}. Its last log lines:\n" + "\n".join(f"    {line}" for line in lines)
    return replace(reason, message=told)


def _with_evidence(kube: Kube, namespace: str, reason: Reason, pods: Sequence[Object]) -> Reason:
    match = _CONTAINER.fullmatch(reason.subject)
    if match is None:
        return reason
    name, container = match.groups()
    own = [pod for pod in pods if pod["metadata"].get("name") == name]
    if reason.code in _HAS_ENDED and container:
        return with_log(reason, last_log_lines(kube, namespace, name, container, variable_values(own)))
    if reason.code not in ("NotPassingProbes", "Starting") or not own:
        return reason
    try:
        events = warnings_in(kube, namespace, "Pod", name)
    except ServiceError:
        return reason
    hindered = start_hindered(own[0], events) if reason.code == "Starting" else []
    if hindered:
        return hindered[0]
    said = redact(last_words({**own[0], "kind": "Pod"}, events), variable_values(own))
    return replace(reason, message=f"{reason.message}: {said}") if said else reason
