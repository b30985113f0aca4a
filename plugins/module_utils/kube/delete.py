# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting objects, and waiting until they are gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.mcpops.platform.plugins.module_utils.errors import (
    Failure,
    InvalidInput,
    NotReady,
    Problem,
    Reason,
    ServiceError,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube import job_record
from ansible_collections.mcpops.platform.plugins.module_utils.kube.aggregation import is_down
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.declared_secrets import protect_live
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import removal
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import is_mistaken, not_installed
from ansible_collections.mcpops.platform.plugins.module_utils.kube.explained import refusing_webhook
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import (
    Identity,
    Object,
    identity,
    normalise,
    phase,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome, ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import at_once, read_live
from ansible_collections.mcpops.platform.plugins.module_utils.kube.targets import placed, unknown_kind
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.platform import namespace_hint
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Backoff, Deadline, poll

POLLING = Backoff(first=0.2, longest=2.0)
Doomed = tuple[str, Identity, "str | None"]
"""(path, object, uid of the life that is to end)"""


@dataclass(frozen=True)
class DeleteOptions:
    """How objects are deleted. `propagation` is Kubernetes' propagationPolicy; `quiet`: nobody has named them."""

    subject: str = "objects"
    namespace: str | None = None
    propagation: str = "Background"
    wait: bool = True
    wait_timeout: float = 120.0
    quiet: bool = False


def delete_objects(kube: Kube, task: Task, items: Iterable[Object], options: DeleteOptions) -> BundleOutcome:
    """Delete those objects that exist, custom resources first, and wait until they are gone.

    Of the declarations only apiVersion, kind, name and namespace matter. In check mode: what would be deleted.
    A kind that is not installed has no objects, which is told; one that is written wrongly is refused.
    """
    targets, unknown, silent = _targets(kube, items, options)
    read = read_live(kube, targets)
    live = read.found
    existing = [target for target in targets if target.who in live]
    done = {
        outcome.who: outcome for outcome in delete_existing(kube, task, existing, live, options, dry=task.check_mode)
    }
    done.update({who: _not_reached(who, failure) for who, failure in {**silent, **read.unread}.items()})
    every = (*unknown, *silent, *(target.who for target in targets))
    nothing = {who: ObjectOutcome(who, Plan(str(who))) for who in every}
    if not task.check_mode:
        job_record.forget(
            kube,
            task,
            [target.who for target in targets if done.get(target.who) is None or done[target.who].failure is None],
        )
    told = dict.fromkeys(f"{not_installed(who.api_version, who.kind)}." for who in unknown)
    return BundleOutcome(tuple(done.get(who, outcome) for who, outcome in nothing.items()), tuple(told))


def delete_existing(
    kube: Kube,
    task: Task,
    targets: Sequence[Target],
    live: Mapping[Identity, Object],
    options: DeleteOptions,
    *,
    dry: bool,
) -> list[ObjectOutcome]:
    """Delete objects that are known to exist, custom resources first; with `dry`, ask whether that would be allowed.

    A phase with a failure, or with something still there, is the last one: what is left may be needed by it.
    """
    protect_live(task, [live[target.who] for target in targets], [target.who for target in targets])
    outcomes: dict[Identity, ObjectOutcome] = {}
    for turn in sorted({phase(target.who) for target in targets}, reverse=True):
        group = [target for target in targets if phase(target.who) == turn]
        stuck = next((one.who for one in outcomes.values() if one.failure is not None), None)
        if stuck is not None:
            outcomes.update({target.who: _left(target.who, live[target.who], stuck) for target in group})
            continue
        for outcome in at_once(lambda target: _delete(kube, target, live[target.who], options, dry), group):
            outcomes[outcome.who] = outcome
        if options.wait and not dry:
            _wait(kube, task, group, live, outcomes, options)
    return [outcomes[target.who] for target in targets]


def request_deletion(
    kube: Kube, target: Target, live: Object, propagation: str, *, dry: bool, quiet: bool = False
) -> None:
    """Ask for the end of this life of the object; one that is gone already, or lives anew, is no error."""
    body = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": propagation,
        "preconditions": {"uid": live["metadata"]["uid"]},
        **({"dryRun": ["All"]} if dry else {}),
    }
    query = {"dryRun": "All"} if dry else None
    # 404: gone; 409: the uid is another one
    accepted = (404, 409)
    action = f"delete {target.who}"
    kube.request("DELETE", target.path, query=query, body=body, accept_status=accepted, quiet=quiet, action=action)


def wait_until_gone(kube: Kube, task: Task, doomed: Sequence[Doomed], timeout: float, *, quiet: bool = False) -> None:
    """Wait until every object is gone or lives anew under another uid (None: any object counts as the old one)."""
    deadline = Deadline(timeout)
    remaining = list(doomed)

    def look() -> list[tuple[Identity, Object]]:
        answers = at_once(lambda one: kube.get(one[0], quiet=quiet), remaining)
        left = [(one, live) for one, live in zip(remaining, answers) if live is not None and _same_life(one, live)]
        remaining[:] = [one for one, _live in left]
        return [(who, live) for (_path, who, _uid), live in left]

    def missing(left: list[tuple[Identity, Object]]) -> str | None:
        return f"waiting until {len(left)} deleted objects are gone: {left[0][0]}" if left else None

    left = poll(look, missing, deadline, task.progress, POLLING)
    if left:
        stuck = [reason for who, live in left for reason in _why_still_there(who, live)]
        raise NotReady("deletion", stuck, waited=deadline.elapsed)


def _targets(
    kube: Kube, items: Iterable[Object], options: DeleteOptions
) -> tuple[list[Target], list[Identity], dict[Identity, ServiceError]]:
    """(where they live, those of kinds that are not installed, those whose API does not answer)"""
    found: list[Target] = []
    unknown: list[Identity] = []
    silent: dict[Identity, ServiceError] = {}
    wrong: list[Problem] = []
    declared = list(map(normalise, items))
    for item in declared:
        try:
            resource = kube.resource_type(str(item["apiVersion"]), str(item["kind"]))
        except ServiceError as failure:
            if not is_down(failure):
                raise
            silent[identity(item)] = failure
            continue
        if resource is None:
            if is_mistaken(kube.kinds(), str(item["apiVersion"]), str(item["kind"])):
                wrong.append(unknown_kind(kube, item))
            else:
                unknown.append(identity(item))
            continue
        target = placed(item, resource, options.namespace)
        if isinstance(target, Problem):
            wrong.append(target)
        else:
            found.append(target)
    if wrong:
        raise InvalidInput(options.subject, wrong)
    return found, unknown, silent


def _not_reached(who: Identity, failure: ServiceError) -> ObjectOutcome:
    """Nobody knows whether it is there."""
    own = ServiceError(
        f"delete {who}", failure.reason, code=failure.code, status=failure.status, hint=failure.hint, body=failure.body
    )
    return ObjectOutcome(who, Plan(str(who)), failure=own)


def _delete(kube: Kube, target: Target, live: Object, options: DeleteOptions, dry: bool) -> ObjectOutcome:
    who = target.who
    if live["metadata"].get("deletionTimestamp"):
        # somebody asked before; only the waiting is ours
        return ObjectOutcome(who, Plan(str(who)), live)
    plan = Plan(str(who), removal(live))
    try:
        request_deletion(kube, target, live, options.propagation, dry=dry, quiet=options.quiet)
    except ServiceError as failure:
        webhook = refusing_webhook(failure) if dry else None
        if webhook is None:
            return ObjectOutcome(who, plan, live, failure)
        plan = plan.with_notes(f"{who}: would be deleted; the admission webhook {webhook} refuses dry runs")
    return ObjectOutcome(who, plan)


def _left(who: Identity, live: Object, stuck: Identity) -> ObjectOutcome:
    failure = ServiceError(f"delete {who}", f"it was not deleted, because {stuck} has to go first and did not")
    return ObjectOutcome(who, Plan(str(who)), live, failure)


def _wait(
    kube: Kube,
    task: Task,
    group: Sequence[Target],
    live: Mapping[Identity, Object],
    outcomes: dict[Identity, ObjectOutcome],
    options: DeleteOptions,
) -> None:
    doomed = [
        (target.path, target.who, str(live[target.who]["metadata"]["uid"]))
        for target in group
        if outcomes[target.who].failure is None
    ]
    try:
        wait_until_gone(kube, task, doomed, options.wait_timeout, quiet=options.quiet)
    except NotReady as failure:
        # those that went are no failures
        for one in (who for _path, who, _uid in doomed):
            own = [reason for reason in failure.reasons if reason.subject == str(one)]
            if own:
                stuck = NotReady(f"deletion of {one}", own, waited=failure.waited)
                outcomes[one] = ObjectOutcome(one, outcomes[one].plan, live[one], stuck)
    except Failure as failure:
        first = doomed[0][1]
        outcomes[first] = ObjectOutcome(first, outcomes[first].plan, live[first], failure)


def _same_life(doomed: Doomed, live: Object) -> bool:
    return doomed[2] is None or live["metadata"].get("uid") == doomed[2]


def _why_still_there(who: Identity, live: Object) -> list[Reason]:
    metadata = live.get("metadata") or {}
    finalizers = metadata.get("finalizers") or (live.get("spec") or {}).get("finalizers") or []
    conditions = [
        str(condition.get("message"))
        for condition in (live.get("status") or {}).get("conditions") or []
        if condition.get("status") == "True" and condition.get("message")
    ]
    stuck = namespace_hint(live)
    if finalizers:
        waiting = f"is being deleted and waits for its finalizers {', '.join(map(str, finalizers))}"
        told = f"{waiting}: {'; '.join(conditions)}" if conditions else waiting
        return [Reason(str(who), "Finalizers", told, stuck or "The controllers that set them must run to let it go.")]
    return [Reason(str(who), "Deleting", "is still there; its pods or dependents have not ended")]
