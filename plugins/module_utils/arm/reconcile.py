# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read, plan, apply, and again after a lost race.

The order of every operation on an ARM resource, long-running operations and the look at the result included.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

from ..errors import NotReady, Reason, Refused, ServiceError
from ..http_terms import Response, retry_after
from ..plan import ABSENT, Change, Plan, join
from ..task import Task
from . import errors
from .client import BACKOFF, Arm, Body, LostRace, PlanAgain, Reading
from .compare import did_you_mean
from .names import DeclaredResource

_ENDED_WELL = ("succeeded", "completed", "ready")
_ENDED_BADLY = ("failed", "canceled", "cancelled")
# an operation's own resource, or a resource just created, may be unknown to a replica for some seconds
_UNKNOWN_FOR_SECONDS = 30.0


def provisioning_state(body: Body | None) -> str:
    """Empty for a resource that has no such state, which is then as good as Succeeded."""
    return str(_properties(body).get("provisioningState") or "")


def _properties(body: Body | None) -> Body:
    properties = (body or {}).get("properties")
    return properties if isinstance(properties, dict) else {}


def in_progress(body: Body | None) -> bool:
    """Whether an operation is under way on the resource, or on one of the node pools that are inline in it."""
    return bool(busy_states(body))


def busy_states(body: Body | None) -> str:
    """What is under way, for people: `Updating`, or `node pool work Upgrading`."""
    state = provisioning_state(body)
    if is_busy_state(state):
        return state
    # a pool has operations of its own, of which its cluster's state tells nothing
    pools = _properties(body).get("agentPoolProfiles") or ()
    busy = [pool for pool in pools if is_busy_state(str(pool.get("provisioningState") or ""))]
    return ", ".join(f"node pool {pool.get('name')} {pool['provisioningState']}" for pool in busy)


def is_busy_state(state: str) -> bool:
    return bool(state) and state.lower() not in _ENDED_WELL and not is_failed_state(state)


def is_failed_state(state: str) -> bool:
    return state.lower() in _ENDED_BADLY


def has_failed(body: Body | None) -> bool:
    return is_failed_state(provisioning_state(body))


def await_operation(arm: Arm, response: Response, subject: str, action: str) -> None:
    """Wait for the operation that `response` started; returns when it succeeded, at once when there is none."""
    monitor = response.headers.get("azure-asyncoperation", "")
    url = monitor or (response.headers.get("location", "") if response.status == 202 else "")
    status = "InProgress" if monitor else "in progress"
    for attempt in count() if url else ():
        _pause(arm, response, attempt, subject, action, status)
        response = arm.call("GET", url, f"Following the operation of {subject}")
        if monitor and response.status == 404 and arm.deadline.elapsed < _UNKNOWN_FOR_SECONDS:
            continue
        if response.status >= 400:
            raise arm.failure(action, response)
        body = response.json_or_none()
        if monitor:
            status = str(body.get("status") or "") if isinstance(body, dict) else ""
        else:
            # a location says by its status that the operation is over, and may lead on until then
            status = "succeeded" if response.status in (200, 201, 204) else status
            url = response.headers.get("location") or url
        if status.lower() in _ENDED_WELL:
            return
        if is_failed_state(status):
            raise arm.advised(errors.operation_failure(action, status, body))


def await_idle(arm: Arm, reading: Reading, resource_id: str, api_version: str, subject: str) -> Reading:
    """Wait until no operation is in progress on the resource: ours of a killed run, or somebody else's."""
    attempt = 0
    while in_progress(reading.body):
        _pause(arm, None, attempt, subject, f"Waiting for {subject}", busy_states(reading.body))
        attempt += 1
        reading = arm.read(resource_id, f"Reading {subject}", api_version)
    return reading


def read_idle(arm: Arm, spec: DeclaredResource, may_wait: bool) -> Reading:
    """The resource when nothing is in progress on it: the work of an earlier run that was killed is picked up here."""
    reading = arm.read(spec.id, f"Reading {spec.subject}", spec.api_version)
    return await_idle(arm, reading, spec.id, spec.api_version, spec.subject) if may_wait else reading


def delete_resource(arm: Arm, spec: DeclaredResource, may_wait: bool) -> None:
    action = f"Deleting {spec.subject}"
    response = arm.write("DELETE", spec.id, action, spec.api_version)
    if may_wait:
        await_operation(arm, response, spec.subject, action)


def read_written(arm: Arm, resource_id: str, api_version: str, subject: str) -> Body:
    """The resource after it was written: it is there, even if a replica does not know it yet."""
    attempt = 0
    while True:
        reading = arm.read(resource_id, f"Reading {subject}", api_version)
        if reading.body is not None:
            return reading.body
        _pause(arm, None, attempt, subject, f"Reading {subject}", "not found yet")
        attempt += 1


def await_finished(arm: Arm, resource_id: str, api_version: str, subject: str, action: str, pool: str = "") -> Body:
    """The resource once nothing is in progress on it, also where the service gave no operation to follow. `pool` names
    the inline node pool that the operation was about, where it was about one."""
    written = Reading(read_written(arm, resource_id, api_version, subject))
    body = await_idle(arm, written, resource_id, api_version, subject).body or {}
    concerned = _properties(body)
    if pool:
        pools = concerned.get("agentPoolProfiles") or ()
        concerned = next((item for item in pools if str(item.get("name")).lower() == pool.lower()), {})
    state = str(concerned.get("provisioningState") or "")
    if is_failed_state(state):
        status = concerned.get("status") or {}
        error = status.get("provisioningError") if isinstance(status, dict) else None
        raise arm.advised(errors.operation_failure(action, state, {"error": error}))
    return body


def _pause(arm: Arm, response: Response | None, attempt: int, subject: str, action: str, status: str) -> None:
    seconds = (retry_after(response.headers) if response is not None else None) or BACKOFF.after(attempt)
    arm.progress(f"{subject}: {status} ({arm.deadline.elapsed:.0f} s)")
    if not arm.deadline.pause(seconds):
        hint = "Run again to go on waiting (nothing is started twice), or raise wait_timeout"
        reason = Reason(subject, "Timeout", f"{action} has not ended, it is {status or 'in progress'}", hint)
        raise NotReady(subject, [reason], waited=arm.deadline.elapsed)


_ADVICE = "It will be changed again on every run: correct the name, or declare what Azure answers."


def not_kept_note(
    subject: str,
    sent: Iterable[Change],
    left: Iterable[Change],
    declared: Mapping[str, Any],
    answered: Mapping[str, Any],
) -> str:
    """One sentence for the changes in `left` that were already in `sent`, empty when there are none.

    `left` is what a second look would change again, `answered` the resource as it is then.
    """
    sent_paths = {change.path for change in sent}
    unknown = dict(_unknown(declared, answered, ""))
    parts = [_part(change, unknown) for change in left if _was_sent(change.path, sent_paths)]
    if not parts:
        return ""
    shown = "; ".join(dict.fromkeys(parts))
    return f"{subject}: Azure answered without an error and did not keep everything that was sent: {shown}. {_ADVICE}"


def _was_sent(path: str, sent: set[str]) -> bool:
    return any(path == other or (other and path.startswith((f"{other}.", f"{other}["))) for other in sent)


def _part(change: Change, unknown: Mapping[str, str]) -> str:
    for path, hint in unknown.items():
        if change.path == path or change.path.startswith((f"{path}.", f"{path}[")):
            return f"{path} is not answered{hint}"
    if change.secret or change.before is ABSENT or change.after is ABSENT:
        return f"{change.path} is {'not answered' if change.before is ABSENT else 'answered otherwise'}"
    return f"{change.path}: sent {_text(change.after)}, answered {_text(change.before)}"


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _unknown(declared: Any, answered: Any, path: str) -> Iterator[tuple[str, str]]:
    """The first declared name on each way down that is not answered, with what it may have been meant for."""
    if not isinstance(declared, Mapping) or not isinstance(answered, Mapping):
        return
    for key, value in declared.items():
        place = join(path, str(key))
        if value is not None and key not in answered:
            yield place, did_you_mean(str(key), [name for name in answered if name not in declared])
        else:
            yield from _unknown(value, answered.get(key), place)


def warn_not_kept(task: Task, spec: DeclaredResource, outcome: Outcome, plan_of: Callable[[Body], Plan]) -> None:
    """Look once more after a change that was waited for, and say what Azure did not keep of it."""
    if outcome.plan.changed and task.params["wait"] and not task.check_mode and outcome.after is not None:
        left = plan_of(outcome.after).changes
        note = not_kept_note(spec.subject, outcome.plan.changes, left, spec.declared, outcome.after)
        warn_once(task, [note] if note else [], set())


def warn_once(task: Task, texts: Iterable[str], warned: set[str]) -> None:
    """Each text once, however often everything is read again."""
    for text in texts:
        if text not in warned:
            warned.add(text)
            task.warn(text)


_RACES = 5
SomePlan = TypeVar("SomePlan", bound=Plan)


@dataclass(frozen=True)
class Outcome:
    """The plan, and the resource before and after it (in check mode both are as it stands)."""

    plan: Plan
    before: Body | None
    after: Body | None

    def headline(self, check_mode: bool) -> str:
        """One line for `msg`: a creation or deletion is told as such, a change by what changes."""
        would = "would be " if check_mode else ""
        if self.plan.changed and self.before is None:
            return f"{self.plan.subject}: {would}created"
        if any(change.path == "" and change.after is ABSENT for change in self.plan.changes):
            return f"{self.plan.subject}: {would}deleted"
        return self.plan.summary()


class _Account:
    """What the rounds of one task have changed and said together."""

    def __init__(self) -> None:
        self._done: dict[str, Change] = {}
        self._notes: dict[str, None] = {}
        self._is_new = False
        self._tried: Plan | None = None

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            earlier = self._done.get(change.path)
            self._done[change.path] = change if earlier is None else replace(change, before=earlier.before)

    def tried(self, plan: Plan) -> None:
        self._tried = plan
        self._notes.update(dict.fromkeys(plan.notes))

    def took_effect(self, plan: Plan) -> None:
        """A write whose answer was lost: what the new plan no longer has was done by it."""
        if self._tried is not None:
            left = {change.path for change in plan.changes}
            self.add(change for change in self._tried.changes if change.path not in left)
            self._is_new = self._is_new or self._tried.is_new

    def whole(self, plan: Plan) -> Plan:
        """`plan` with what earlier rounds did."""
        changes = {**self._done, **{change.path: change for change in plan.changes if change.path not in self._done}}
        notes = dict.fromkeys([*self._notes, *plan.notes])
        return replace(plan, changes=tuple(changes.values()), notes=tuple(notes), is_new=plan.is_new or self._is_new)


def converge_resource(
    arm: Arm,
    subject: str,
    read: Callable[[], Reading],
    plan_of: Callable[[Reading], SomePlan],
    apply: Callable[[SomePlan, Reading], Body | None],
) -> Outcome:
    """Converge, and say how it was and is.

    `apply` makes one request. Where something had to be waited for before it could, or more is to be done after it, it
    raises PlanAgain, and everything is read and planned again: meanwhile others may have changed what was planned.
    """
    account = _Account()
    first: Reading | None = None
    races = 0
    while races < _RACES:
        reading = read()
        first = first or reading
        plan = plan_of(reading)
        if arm.write_uncertain:
            account.took_effect(plan)
        whole = account.whole(plan)
        if reading.missing and arm.check_mode and plan.changes:
            whole = whole.with_notes(f"{subject} depends on {reading.missing}, which does not exist yet")
        if arm.check_mode and in_progress(reading.body):
            state = busy_states(reading.body)
            whole = whole.with_notes(
                f"an operation is in progress on {subject} ({state}), a run would wait for it first"
            )
        if plan.refused:
            raise Refused(subject, plan.refused)
        if not plan.changes or arm.check_mode:
            return Outcome(whole, first.body, reading.body)
        try:
            return Outcome(whole, first.body, apply(plan, reading))
        except LostRace:
            races += 1
            account.tried(plan)
            arm.progress(f"{subject}: changed meanwhile by another client, planning again")
        except PlanAgain as again:
            account.tried(plan)
            account.add(again.done)
            races = 0 if again.done else races
    raise ServiceError(
        f"Changing {subject}",
        f"somebody else changed it each of the {_RACES} times between reading and writing",
        code="EtagMismatch",
        hint="Find out who (the activity log names them) and run again when they are done.",
    )
