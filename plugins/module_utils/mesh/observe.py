# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a diagnosis asks of a mesh in addition: its registries, and the logs of those that end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import ServiceError
from ..kube.apply.requests import FORBIDDEN, map_concurrently
from ..kube.client import Kube
from ..kube.diagnosis.snapshot import Snapshot
from ..kube.readiness.evidence import last_log_lines
from ..kube.readiness.reasons import Object
from ..task import Task
from . import registry_observe
from .diagnosis import Facts, Key, key_of, pods_of, registries
from .domain import NAME
from .registry_observe import Answer, Registry, database_complaint

LOG_LINES = 20


def observe(task: Task, kube: Kube, snapshot: Snapshot) -> Snapshot:
    """The snapshot with what registries say of themselves: in their logs, and with `probe` by `/agents`."""
    found = registries(snapshot)
    unread = dict(snapshot.unread)
    looping = [(one, pod) for one in found for pod in pods_of(snapshot, one) if _restarts(pod)][:LOG_LINES]
    logs = map_concurrently(lambda pair: _log(kube, pair[1]), looping)
    complaints = {key_of(one): said for (one, _pod), log in zip(looping, logs) if (said := database_complaint(log))}
    answers: dict[Key, Answer] = {}
    if task.params.get("probe"):
        given = map_concurrently(lambda one: _ask(kube, snapshot, one), found)
        answers = {key_of(one): answer for one, answer in zip(found, given) if answer is not None}
        if len(answers) < len(found):
            unread["answers of mesh registries"] = "may not be asked through the API server's proxy"
    return replace(snapshot, facts={**snapshot.facts, NAME: Facts(answers, complaints)}, unread=unread)


def _statuses(pod: Object) -> Sequence[Object]:
    found: Sequence[Object] = (pod.get("status") or {}).get("containerStatuses") or ()
    return found


def _restarts(pod: Object) -> bool:
    return any(int(one.get("restartCount", 0)) and not one.get("ready") for one in _statuses(pod))


def _runs(pod: Object) -> bool:
    return any("running" in (one.get("state") or {}) for one in _statuses(pod))


def _log(kube: Kube, pod: Object) -> str:
    metadata = pod["metadata"]
    container = next((str(one["name"]) for one in _statuses(pod) if int(one.get("restartCount", 0))), "")
    return "\n".join(
        last_log_lines(kube, str(metadata["namespace"]), str(metadata["name"]), container, None, LOG_LINES)
    )


def _ask(kube: Kube, snapshot: Snapshot, registry: Registry) -> Answer | None:
    """What it says; where its Service leads to no ready pod, what one says that runs. None where that is forbidden."""
    try:
        answer = registry_observe.ask_registry(kube, registry)
        if answer.silence is None or answer.silence.code != "RegistryNotReady":
            return answer
        for pod in pods_of(snapshot, registry):
            if _runs(pod):
                inside = registry_observe.ask_registry(kube, replace(registry, pod=str(pod["metadata"]["name"])))
                if inside.silence is None or inside.silence.code == "RegistryDatabaseDown":
                    return Answer(silence=inside.silence) if inside.silence else answer
        return answer
    except ServiceError as refused:
        if refused.status not in (401, FORBIDDEN):
            raise
        return None
