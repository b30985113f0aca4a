# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until objects are ready: by deadline, ended early by terminal reasons, with the reasons in the error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...errors import NotReady, Reason, ServiceError
from ...secrets import redact
from ...task import Task
from ...text import listed
from ...waiting import Deadline, now, poll
from ..apply import finished_jobs
from ..apply.finished_jobs import last_seen_job
from ..apply.requests import Target, map_concurrently, read_live, target_of
from ..client import Kube
from ..manifests import Object, ObjectRef
from .cluster import latest_warning
from .evidence import WITH_PODS, RelatedObjects, explain_pods, with_evidence
from .judge import Judges, has_verdict, readiness_reasons
from .reasons import make_reason, reason_code, subject_of

TERMINAL_SECONDS = 4.0
"""How long a terminal reason must stand: a Secret or an image may be a moment behind its pod."""
EXPLAINED = 10
"""How many objects that are not ready are asked for logs and events; of the others, what is known is reported."""
REPORTED = 30
"""How many reasons an error lists."""

Unmet = Callable[[Object], "list[Reason]"]
"""What is missing from an object that is ready by its kind's verdict."""

# what the object itself says; its pods would not say it better, or do not exist
_OWN_WORDS = frozenset(
    {"PodsRefused", "QuotaExceeded", "WebhookDown", "Missing", "Suspended", "Deleting", "MissingObject"}
)
# what the object says and its pods explain
_BOTH = frozenset({"JobFailed", "Paused", "ProgressDeadlineExceeded"})


def wait_ready(
    kube: Kube,
    task: Task,
    items: Sequence[Object],
    timeout: float,
    condition: Unmet | None = None,
    judges: Judges | None = None,
) -> list[Object]:
    """Wait until every object is ready and return them as they stand; NotReady with reasons otherwise.

    `items` need apiVersion, kind, name and namespace. Kinds without a verdict are ready by existing; `condition`
    says what else is missing from an object, in addition to the verdict of its kind, which `judges` give.
    """
    targets = _targets(kube, items)
    deadline = Deadline(timeout)
    looks = _Looks(kube, targets, condition, judges)

    def missing(look: _Look) -> str | None:
        if look.final or not look.waiting:
            return None
        first = next(reason for target in look.waiting for reason in look.found[target.ref])
        return f"waiting for {len(look.waiting)} of {len(targets)}: {first.finding}"

    last = poll(looks.look, missing, deadline, task.progress)
    if not last.waiting:
        return [looks.ready[target.ref] for target in targets]
    waited = deadline.elapsed
    reported = explained_reasons(
        kube, [last.live.get(target.ref, target.declared) for target in last.waiting], last.found, last.related
    )
    raise NotReady(_named(last.waiting, len(targets)), reported, waited=waited)


@dataclass(frozen=True)
class _Look:
    """What one look at those that were not ready has shown; `final`: it will not change any more."""

    waiting: Sequence[Target]
    live: Mapping[ObjectRef, Object]
    found: dict[ObjectRef, list[Reason]]
    related: RelatedObjects
    final: bool


class _Looks:
    """Looks at what is not ready yet, and keeps what is."""

    def __init__(self, kube: Kube, targets: Sequence[Target], condition: Unmet | None, judges: Judges | None) -> None:
        self._kube = kube
        self._judges = judges
        self._condition = condition
        self._waiting = list(targets)
        self._latest = {target.ref: target.declared for target in targets}
        self._terminal_since = _TerminalSince()
        self.ready: dict[ObjectRef, Object] = {}

    def look(self) -> _Look:
        before = self._kube.now
        # what vanished is not there: an earlier sight of it says nothing
        read = read_live(self._kube, self._waiting)
        live, unread = read.found, read.unread
        self._latest.update(live)
        answering = [target for target in self._waiting if target.ref not in unread]
        live.update(_cleaned_up(self._kube, answering, live, self._latest))
        related = RelatedObjects(
            self._kube, [(target.ref.kind, target.ref.namespace) for target in self._waiting], before
        )
        verdicts = map_concurrently(lambda target: self._verdict(target, live.get(target.ref), related), answering)
        found = {target.ref: reasons for target, reasons in zip(answering, verdicts)}
        # an API whose server is being rolled out answers again
        found.update({ref: [Reason(str(ref), one.code, one.reason, one.hint)] for ref, one in unread.items()})
        self.ready.update({target.ref: live[target.ref] for target in self._waiting if not found[target.ref]})
        self._waiting = [target for target in self._waiting if found[target.ref]]
        return _Look(self._waiting, live, found, related, self._terminal_since.final(found))

    def _verdict(self, target: Target, live: Object | None, related: RelatedObjects) -> list[Reason]:
        if live is None:
            gone = "does not exist (any more): something has deleted it"
            hint = None
            if finished_jobs.is_job(target.ref) and finished_jobs.cleans_itself_up(target.declared):
                gone = "was removed by its ttlSecondsAfterFinished before its result could be read"
                hint = "Give it some seconds more, or this identity the right to watch Jobs."
            return [make_reason(str(target.ref), "Missing", gone, hint=hint, terminal=True)]
        found = readiness_reasons(live, self._judges)
        found = related.judge(live, found) if has_verdict(live, self._judges) else found
        return found or (self._condition(live) if self._condition else [])


def _cleaned_up(
    kube: Kube, waiting: Sequence[Target], live: Mapping[ObjectRef, Object], latest: Mapping[ObjectRef, Object]
) -> dict[ObjectRef, Object]:
    """Jobs that went, or go, by their ttlSecondsAfterFinished, as they stood at their end; `latest` are earlier sights.

    One whose end nobody can tell any more is not among them.
    """
    found: dict[ObjectRef, Object] = {}
    for target in waiting:
        existing = live.get(target.ref)
        if not finished_jobs.is_job(target.ref) or not finished_jobs.cleans_itself_up(latest[target.ref]):
            continue
        existing = existing or last_seen_job(kube, target, latest[target.ref])
        if existing is not None and finished_jobs.has_ended(existing):
            # that it is being deleted says no more than that it has ended
            metadata = {key: value for key, value in existing["metadata"].items() if key != "deletionTimestamp"}
            kind = {"apiVersion": target.ref.api_version, "kind": target.ref.kind}
            found[target.ref] = {**existing, **kind, "metadata": metadata}
    return found


class _TerminalSince:
    """Since when each object has shown each terminal reason without a break."""

    def __init__(self) -> None:
        self._since: dict[tuple[ObjectRef, str], float] = {}

    def final(self, found: dict[ObjectRef, list[Reason]]) -> bool:
        """Whether a reason has stood long enough, or is of a kind that does not change any more."""
        shown = {(ref, one.code): one for ref, reported in found.items() for one in reported if one.terminal}
        at = now()
        self._since = {key: self._since.get(key, at) for key in shown}
        return any(
            reason_code(one.code).is_final or at - self._since[key] >= TERMINAL_SECONDS for key, one in shown.items()
        )


def explained_reasons(
    kube: Kube, items: Sequence[Object], found: dict[ObjectRef, list[Reason]], related: RelatedObjects
) -> list[Reason]:
    """The reasons of these objects, those about workloads with what their pods, logs and events tell."""
    known = {str(ref): reported for ref, reported in found.items()}
    pairs = [(item, known.get(subject_of(item), [])) for item in items]
    deep = map_concurrently(lambda pair: _explained(kube, *pair, related), pairs[:EXPLAINED])
    reported = [reason for one in [*deep, *(own for _item, own in pairs[EXPLAINED:])] for reason in one]
    left = len(reported) - REPORTED
    more = [Reason("", "More", f"and {left} more reasons of other objects")] if left > 0 else []
    return reported[:REPORTED] + more


def _explained(kube: Kube, item: Object, own: list[Reason], related: RelatedObjects) -> list[Reason]:
    kind, namespace = item.get("kind"), str((item.get("metadata") or {}).get("namespace"))
    if any(reason.code in _OWN_WORDS and reason.subject == subject_of(item) for reason in own):
        return own
    try:
        if kind in WITH_PODS or kind in ("Pod", "Service"):
            pods = [item] if kind == "Pod" else related.pods_of(item) or []
            reported = with_evidence(kube, namespace, _of_pods(own, pods), pods)
            both = kind == "Service" or any(reason.code in _BOTH for reason in own)
            return list(dict.fromkeys([*(own if both else ()), *reported])) or own
        if kind in ("PersistentVolumeClaim", "Ingress", "Service"):
            stated = redact(latest_warning(item, related.warnings(namespace)))
            return [replace(one, message=f"{one.message}: {stated}") if stated else one for one in own]
    except ServiceError as refused:
        # an explanation that fails must not hide what was found
        return [*own, Reason("", "NotExplained", refused.message())]
    return own


def _of_pods(own: list[Reason], pods: Sequence[Object]) -> list[Reason]:
    """What the pods say, or, when all of them seem well, what was said of one of them (that it runs a moment only)."""
    blockers = [reason for reason in own if reason.subject.startswith("Pod ") and reason.code != "Starting"]
    reported = explain_pods(pods)
    better = {reason.subject for reason in blockers}
    return [*blockers, *(one for one in reported if one.subject not in better)]


def _targets(kube: Kube, items: Sequence[Object]) -> list[Target]:
    typed = ((item, kube.resource_type(str(item["apiVersion"]), str(item["kind"]))) for item in items)
    return [target_of(resource, item) for item, resource in typed if resource is not None]


def _named(waiting: Sequence[Target], total: int) -> str:
    names = listed([target.ref for target in waiting], 3)
    return names + (f" ({len(waiting)} of {total} objects)" if total > 1 else "")
