# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read, plan, apply, and again when somebody was faster: the order of every operation on an ARM resource."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm, Body, LostRace, Reading
from ansible_collections.mcpops.platform.plugins.module_utils.arm.waiting import in_progress, provisioning_state
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Refused, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Plan

_RACES = 5


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


def carry_out(
    arm: Arm,
    subject: str,
    read: Callable[[], Reading],
    plan_of: Callable[[Reading], Plan],
    apply: Callable[[Plan, Reading], Body | None],
) -> Outcome:
    """Converge, and say how it was and is."""
    lost: Outcome | None = None
    for _attempt in range(_RACES):
        reading = read()
        plan = plan_of(reading)
        if reading.missing and arm.check_mode and plan.changes:
            plan = plan.with_notes(f"{subject} depends on {reading.missing}, which does not exist yet")
        if arm.check_mode and in_progress(reading.body):
            state = provisioning_state(reading.body)
            plan = plan.with_notes(f"an operation is in progress on {subject} ({state}), a run would wait for it first")
        if plan.refused:
            raise Refused(subject, plan.refused)
        if not plan.changes and lost is not None and arm.write_uncertain:
            # our own write took effect although its answer was lost
            return Outcome(lost.plan, lost.before, reading.body)
        if not plan.changes or arm.check_mode:
            return Outcome(plan, reading.body, reading.body)
        try:
            return Outcome(plan, reading.body, apply(plan, reading))
        except LostRace:
            arm.progress(f"{subject}: changed by somebody else in between, planning again")
            lost = Outcome(plan, reading.body, None)
    raise ServiceError(
        f"Changing {subject}",
        f"somebody else changed it each of the {_RACES} times between reading and writing",
        code="EtagMismatch",
        hint="Find out who (the activity log names them) and run again when they are done.",
    )
