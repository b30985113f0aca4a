# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting objects, and waiting until they are gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ...errors import Failure, NotReady, Problem, Reason, ServiceError, refuse
from ...plan import Plan
from ...task import Task
from ...waiting import Backoff, Deadline, poll
from ..client import Kube
from ..diff import refusing_webhook, removal_changes
from ..discovery import is_mistaken, not_installed
from ..manifests import Object, ObjectRef, apply_phase, normalise, object_ref, protect_live_secrets
from ..readiness.cluster import namespace_hint
from . import finished_jobs
from .options import BundleOutcome, ObjectOutcome, not_reached
from .requests import Target, map_concurrently, placed, read_live, unknown_kind, unless_down

POLLING = Backoff(first=0.2, longest=2.0)
ObjectToDelete = tuple[str, ObjectRef, "str | None"]
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
    A kind that is not installed has no objects, which is reported; one that is written wrongly is refused.
    """
    targets, unknown, silent = _targets(kube, items, options)
    read = read_live(kube, targets)
    live = read.found
    existing = [target for target in targets if target.ref in live]
    done = {
        outcome.ref: outcome for outcome in delete_existing(kube, task, existing, live, options, dry=task.check_mode)
    }
    done.update({ref: not_reached(ref, failure, "delete") for ref, failure in {**silent, **read.unread}.items()})
    every = (*unknown, *silent, *(target.ref for target in targets))
    nothing = {ref: ObjectOutcome(ref, Plan(str(ref))) for ref in every}
    if not task.check_mode:
        finished_jobs.forget_jobs(
            kube,
            task,
            [target.ref for target in targets if done.get(target.ref) is None or done[target.ref].failure is None],
        )
    reported = dict.fromkeys(f"{not_installed(ref.api_version, ref.kind)}." for ref in unknown)
    return BundleOutcome(tuple(done.get(ref, outcome) for ref, outcome in nothing.items()), tuple(reported))


def delete_existing(
    kube: Kube,
    task: Task,
    targets: Sequence[Target],
    live: Mapping[ObjectRef, Object],
    options: DeleteOptions,
    *,
    dry: bool,
) -> list[ObjectOutcome]:
    """Delete objects that are known to exist, custom resources first; with `dry`, ask whether that would be allowed.

    A phase with a failure, or with something still there, is the last one: what is left may be needed by it.
    """
    protect_live_secrets(task, [live[target.ref] for target in targets], [target.ref for target in targets])
    outcomes: dict[ObjectRef, ObjectOutcome] = {}
    for turn in sorted({apply_phase(target.ref) for target in targets}, reverse=True):
        group = [target for target in targets if apply_phase(target.ref) == turn]
        stuck = next((one.ref for one in outcomes.values() if one.failure is not None), None)
        if stuck is not None:
            outcomes.update({target.ref: _remaining(target.ref, live[target.ref], stuck) for target in group})
            continue
        for outcome in map_concurrently(lambda target: _delete(kube, target, live[target.ref], options, dry), group):
            outcomes[outcome.ref] = outcome
        if options.wait and not dry:
            _wait(kube, task, group, live, outcomes, options)
    return [outcomes[target.ref] for target in targets]


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
    action = f"delete {target.ref}"
    kube.request("DELETE", target.path, query=query, body=body, accept_status=accepted, quiet=quiet, action=action)


def wait_until_gone(
    kube: Kube, task: Task, to_remove: Sequence[ObjectToDelete], timeout: float, *, quiet: bool = False
) -> None:
    """Wait until every object is gone or lives anew under another uid (None: any object counts as the old one)."""
    deadline = Deadline(timeout)
    remaining = list(to_remove)

    def look() -> list[tuple[ObjectRef, Object]]:
        answers = map_concurrently(lambda one: kube.get(one[0], quiet=quiet), remaining)
        left = [
            (one, live)
            for one, live in zip(remaining, answers)
            if live is not None and one[2] in (None, live["metadata"].get("uid"))
        ]
        remaining[:] = [one for one, _live in left]
        return [(ref, live) for (_path, ref, _uid), live in left]

    def missing(left: list[tuple[ObjectRef, Object]]) -> str | None:
        return f"waiting until {len(left)} deleted objects are gone: {left[0][0]}" if left else None

    left = poll(look, missing, deadline, task.progress, POLLING)
    if left:
        stuck = [reason for ref, live in left for reason in _why_still_there(ref, live)]
        raise NotReady("deletion", stuck, waited=deadline.elapsed)


def _targets(
    kube: Kube, items: Iterable[Object], options: DeleteOptions
) -> tuple[list[Target], list[ObjectRef], dict[ObjectRef, ServiceError]]:
    """(where they live, those of kinds that are not installed, those whose API does not answer)"""
    found: list[Target] = []
    unknown: list[ObjectRef] = []
    silent: dict[ObjectRef, ServiceError] = {}
    wrong: list[Problem] = []
    for item in map(normalise, items):
        kind = str(item["apiVersion"]), str(item["kind"])
        resource = unless_down(partial(kube.resource_type, *kind))
        if isinstance(resource, ServiceError):
            silent[object_ref(item)] = resource
            continue
        if resource is None and not is_mistaken(kube.kinds(), *kind):
            unknown.append(object_ref(item))
            continue
        target = unknown_kind(kube, item) if resource is None else placed(item, resource, options.namespace)
        if isinstance(target, Problem):
            wrong.append(target)
        else:
            found.append(target)
    refuse(options.subject, wrong)
    return found, unknown, silent


def _delete(kube: Kube, target: Target, live: Object, options: DeleteOptions, dry: bool) -> ObjectOutcome:
    ref = target.ref
    if live["metadata"].get("deletionTimestamp"):
        # somebody asked before; only the waiting is ours
        return ObjectOutcome(ref, Plan(str(ref)), live)
    plan = Plan(str(ref), removal_changes(live))
    try:
        request_deletion(kube, target, live, options.propagation, dry=dry, quiet=options.quiet)
    except ServiceError as failure:
        webhook = refusing_webhook(failure) if dry else None
        if webhook is None:
            return ObjectOutcome(ref, plan, live, failure)
        plan = plan.with_notes(f"{ref}: would be deleted; the admission webhook {webhook} refuses dry runs")
    return ObjectOutcome(ref, plan)


def _remaining(ref: ObjectRef, live: Object, stuck: ObjectRef) -> ObjectOutcome:
    failure = ServiceError(f"delete {ref}", f"it was not deleted, because {stuck} has to go first and did not")
    return ObjectOutcome(ref, Plan(str(ref)), live, failure)


def _wait(
    kube: Kube,
    task: Task,
    group: Sequence[Target],
    live: Mapping[ObjectRef, Object],
    outcomes: dict[ObjectRef, ObjectOutcome],
    options: DeleteOptions,
) -> None:
    to_remove = [
        (target.path, target.ref, str(live[target.ref]["metadata"]["uid"]))
        for target in group
        if outcomes[target.ref].failure is None
    ]
    try:
        wait_until_gone(kube, task, to_remove, options.wait_timeout, quiet=options.quiet)
    except NotReady as failure:
        # those that went are no failures
        for one in (ref for _path, ref, _uid in to_remove):
            own = [reason for reason in failure.reasons if reason.subject == str(one)]
            if own:
                stuck = NotReady(f"deletion of {one}", own, waited=failure.waited)
                outcomes[one] = ObjectOutcome(one, outcomes[one].plan, live[one], stuck)
    except Failure as failure:
        first = to_remove[0][1]
        outcomes[first] = ObjectOutcome(first, outcomes[first].plan, live[first], failure)


def _why_still_there(ref: ObjectRef, live: Object) -> list[Reason]:
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
        reported = f"{waiting}: {'; '.join(conditions)}" if conditions else waiting
        return [
            Reason(str(ref), "Finalizers", reported, stuck or "The controllers that set them must run to let it go.")
        ]
    return [Reason(str(ref), "Deleting", "is still there; its pods or dependents have not ended")]
