# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read, plan, apply, and again when somebody was faster: the order of every operation on an ARM resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import (
    Arm,
    Body,
    LostRace,
    PlanAgain,
    Reading,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.waiting import busy_states, in_progress
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Refused, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan

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


def carry_out(
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
