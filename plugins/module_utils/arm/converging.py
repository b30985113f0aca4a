# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read, plan, apply, and again when somebody was faster: the order of every operation on an ARM resource."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm, Body, LostRace, Reading
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Refused, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan

_RACES = 5


def carry_out(
    arm: Arm,
    subject: str,
    read: Callable[[], Reading],
    plan_of: Callable[[Reading], Plan],
    apply: Callable[[Plan, Reading], Body | None],
) -> tuple[Plan, Body | None]:
    """The plan, and the resource as it stands afterwards (in check mode: before)."""
    lost: Plan | None = None
    for _attempt in range(_RACES):
        reading = read()
        plan = plan_of(reading)
        if reading.missing and arm.check_mode and plan.changes:
            plan = plan.with_notes(f"{subject} depends on {reading.missing}, which does not exist yet")
        if plan.refused:
            raise Refused(subject, plan.refused)
        if not plan.changes and lost is not None and arm.write_uncertain:
            # our own write took effect although its answer was lost
            return lost, reading.body
        if not plan.changes or arm.check_mode:
            return plan, reading.body
        try:
            return plan, apply(plan, reading)
        except LostRace:
            arm.progress(f"{subject}: changed by somebody else in between, planning again")
            lost = plan
    raise ServiceError(
        f"Changing {subject}",
        f"somebody else changed it each of the {_RACES} times between reading and writing",
        code="EtagMismatch",
        hint="Find out who (the activity log names them) and run again when they are done.",
    )
