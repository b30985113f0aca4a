# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until objects are ready: by deadline, early on what will not heal, with the reasons in the error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady, Reason, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import finished_jobs, vocabulary
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target, target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.job_record import last_seen
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.pods import explain_pods, with_evidence
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import (
    JUDGES,
    Judge,
    has_verdict,
    reasons,
    subject,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import at_once, read_live
from ansible_collections.mcpops.platform.plugins.module_utils.kube.surroundings import WITH_PODS, Surroundings
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.events import last_words
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import redact
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task
from ansible_collections.mcpops.platform.plugins.module_utils.text import listed
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Deadline, now, poll

TERMINAL_SECONDS = 4.0
"""How long a terminal reason must stand: a Secret or an image may be a moment behind its pod."""
EXPLAINED = 10
"""How many objects that are not ready are asked for logs and events; of the others, what is known is told."""
TOLD = 30
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
    judges: Mapping[tuple[str, str], Judge] = JUDGES,
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
        first = next(reason for target in look.waiting for reason in look.found[target.who])
        return f"waiting for {len(look.waiting)} of {len(targets)}: {first.finding}"

    last = poll(looks.look, missing, deadline, task.progress)
    if not last.waiting:
        return [looks.ready[target.who] for target in targets]
    waited = deadline.elapsed
    told = explain(
        kube, [last.live.get(target.who, target.declared) for target in last.waiting], last.found, last.around
    )
    raise NotReady(_named(last.waiting, len(targets)), told, waited=waited)


@dataclass(frozen=True)
class _Look:
    """What one look at those that were not ready has shown; `final`: it will not change any more."""

    waiting: Sequence[Target]
    live: Mapping[Identity, Object]
    found: dict[Identity, list[Reason]]
    around: Surroundings
    final: bool


class _Looks:
    """Looks at what is not ready yet, and keeps what is."""

    def __init__(
        self, kube: Kube, targets: Sequence[Target], condition: Unmet | None, judges: Mapping[tuple[str, str], Judge]
    ) -> None:
        self._kube = kube
        self._judges = judges
        self._condition = condition
        self._waiting = list(targets)
        self._latest = {target.who: target.declared for target in targets}
        self._standing_reasons = _Standing()
        self.ready: dict[Identity, Object] = {}

    def look(self) -> _Look:
        before = self._kube.now
        # what vanished is not there: an earlier sight of it says nothing
        read = read_live(self._kube, self._waiting)
        live, unread = read.found, read.unread
        self._latest.update(live)
        answering = [target for target in self._waiting if target.who not in unread]
        live.update(_cleaned_up(self._kube, answering, live, self._latest))
        around = Surroundings(self._kube, [(target.who.kind, target.who.namespace) for target in self._waiting], before)
        found = _verdicts(answering, live, self._condition, around, self._judges)
        # an API whose server is being rolled out answers again
        found.update({who: [_silent(who, failure)] for who, failure in unread.items()})
        self.ready.update({target.who: live[target.who] for target in self._waiting if not found[target.who]})
        self._waiting = [target for target in self._waiting if found[target.who]]
        return _Look(self._waiting, live, found, around, self._standing_reasons.final(found))


def _cleaned_up(
    kube: Kube, waiting: Sequence[Target], live: Mapping[Identity, Object], latest: Mapping[Identity, Object]
) -> dict[Identity, Object]:
    """Jobs that went, or go, by their ttlSecondsAfterFinished, as they stood at their end; `latest` are earlier sights.

    One whose end nobody can tell any more is not among them.
    """
    found: dict[Identity, Object] = {}
    for target in waiting:
        standing = live.get(target.who)
        if not finished_jobs.is_job(target.who) or not finished_jobs.cleans_itself_up(latest[target.who]):
            continue
        standing = standing or last_seen(kube, target, latest[target.who])
        if standing is not None and finished_jobs.has_ended(standing):
            # that it is being deleted says no more than that it has ended
            metadata = {key: value for key, value in standing["metadata"].items() if key != "deletionTimestamp"}
            found[target.who] = {**standing, **_type_of(target), "metadata": metadata}
    return found


def _type_of(target: Target) -> Object:
    return {"apiVersion": target.who.api_version, "kind": target.who.kind}


def _silent(who: Identity, failure: ServiceError) -> Reason:
    return Reason(str(who), failure.code, failure.reason, failure.hint)


class _Standing:
    """Since when each object has shown each terminal reason without a break."""

    def __init__(self) -> None:
        self._since: dict[tuple[Identity, str], float] = {}

    def final(self, found: dict[Identity, list[Reason]]) -> bool:
        """Whether a reason has stood long enough, or is of a kind that does not change any more."""
        shown = {(who, one.code): one for who, told in found.items() for one in told if one.terminal}
        at = now()
        self._since = {key: self._since.get(key, at) for key in shown}
        return any(
            vocabulary.meaning(one.code).at_once or at - self._since[key] >= TERMINAL_SECONDS
            for key, one in shown.items()
        )


def explain(
    kube: Kube, items: Sequence[Object], found: dict[Identity, list[Reason]], around: Surroundings
) -> list[Reason]:
    """The reasons of these objects, those about workloads with what their pods, logs and events tell."""
    known = {str(who): told for who, told in found.items()}
    pairs = [(item, known.get(subject(item), [])) for item in items]
    deep = at_once(lambda pair: _explained(kube, *pair, around), pairs[:EXPLAINED])
    told = [reason for one in deep for reason in one] + [reason for _item, own in pairs[EXPLAINED:] for reason in own]
    left = len(told) - TOLD
    return told if left <= 0 else [*told[:TOLD], Reason("", "More", f"and {left} more reasons of other objects")]


def _explained(kube: Kube, item: Object, own: list[Reason], around: Surroundings) -> list[Reason]:
    kind, namespace = item.get("kind"), str((item.get("metadata") or {}).get("namespace"))
    if any(reason.code in _OWN_WORDS and reason.subject == subject(item) for reason in own):
        return own
    try:
        if kind in WITH_PODS or kind in ("Pod", "Service"):
            pods = [item] if kind == "Pod" else around.pods_of(item) or []
            told = with_evidence(kube, namespace, _of_pods(own, pods), pods)
            both = kind == "Service" or any(reason.code in _BOTH for reason in own)
            return _unique([*(reason for reason in own if both), *told]) or own
        if kind in ("PersistentVolumeClaim", "Ingress", "Service"):
            said = redact(last_words(item, around.warnings(namespace)))
            return [replace(one, message=f"{one.message}: {said}") if said else one for one in own]
    except ServiceError as refused:
        # an explanation that fails must not hide what was found
        return [*own, Reason("", "NotExplained", refused.message())]
    return own


def _of_pods(own: list[Reason], pods: Sequence[Object]) -> list[Reason]:
    """What the pods say, or, when all of them seem well, what was said of one of them (that it runs a moment only)."""
    hindered = [reason for reason in own if reason.subject.startswith("Pod ") and reason.code != "Starting"]
    told = explain_pods(pods)
    better = {reason.subject for reason in hindered}
    return [*hindered, *(one for one in told if one.subject not in better)]


def _unique(told: Iterable[Reason]) -> list[Reason]:
    return list(dict.fromkeys(told))


def _verdicts(
    waiting: Sequence[Target],
    live: dict[Identity, Object],
    condition: Unmet | None,
    around: Surroundings,
    judges: Mapping[tuple[str, str], Judge],
) -> dict[Identity, list[Reason]]:
    verdicts = at_once(lambda target: _verdict(target, live.get(target.who), condition, around, judges), list(waiting))
    return {target.who: found for target, found in zip(waiting, verdicts)}


def _verdict(
    target: Target,
    live: Object | None,
    condition: Unmet | None,
    around: Surroundings,
    judges: Mapping[tuple[str, str], Judge],
) -> list[Reason]:
    if live is None:
        gone = "does not exist (any more): something has deleted it"
        hint = None
        if finished_jobs.is_job(target.who) and finished_jobs.cleans_itself_up(target.declared):
            gone = "was removed by its ttlSecondsAfterFinished before its result could be read"
            hint = "Give it some seconds more, or this identity the right to watch Jobs."
        return [vocabulary.reason(str(target.who), "Missing", gone, hint=hint, terminal=True)]
    found = reasons(live, judges)
    found = around.judge(live, found) if has_verdict(live) else found
    return found or (condition(live) if condition else [])


def _targets(kube: Kube, items: Sequence[Object]) -> list[Target]:
    found = []
    for item in items:
        resource = kube.resource_type(str(item["apiVersion"]), str(item["kind"]))
        if resource is not None:
            found.append(target_of(resource, item))
    return found


def _named(waiting: Sequence[Target], total: int) -> str:
    names = listed([target.who for target in waiting], 3)
    return names + (f" ({len(waiting)} of {total} objects)" if total > 1 else "")
