# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules of a CronJob are taken and refused as Kubernetes' parser does (robfig/cron v3, ParseStandard)."""

from __future__ import annotations

import random

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.mesh.backup_spec import wrong_schedule

TAKEN = (
    "17 2 * * *",
    "*/15 * * * *",
    "0 2 * * 1-5",
    "0,30 1-3 1 */2 0",
    "0 2 * JAN-Mar sun,Wed",
    "0 2 ? * MON",
    "  0   2 \t * * * ",
    "5/10 * * * *",
    "0-30/5,59 0 31 dec SAT",
    "*/100 * * * *",
    "1, 2 * * *",
    "+5 * * * *",
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
    "@every 1h30m",
    "@every 90s",
    "@every 1.5h",
)
# (schedule, word of the message)
REFUSED = (
    ("", "0 fields"),
    ("17 2 * *", "4 fields"),
    ("0 0 2 * * *", "6 fields"),
    ("daily", "1 fields"),
    ("60 * * * *", "minute"),
    ("* 24 * * *", "hour"),
    ("* * 0 * *", "day of the month"),
    ("* * 32 * *", "day of the month"),
    ("* * * 0 *", "month"),
    ("* * * 13 *", "month"),
    ("* * * * 7", "day of the week"),
    ("* * * * FUNDAY", "day of the week"),
    ("* * * MONDAY *", "month"),
    ("JAN * * * *", "minute"),
    ("5-1 * * * *", "ends before"),
    ("* * * * FRI-MON", "ends before"),
    ("1-2-3 * * * *", "not a range"),
    ("*/0 * * * *", "step"),
    ("*/x * * * *", "step"),
    ("*/ * * * *", "step"),
    ("1/2/3 * * * *", "more than one step"),
    ("-5 * * * *", "minute"),
    (", * * * *", "says nothing"),
    ("٣ * * * *", "minute"),
    ("@Daily", "@daily"),
    ("@reboot", "@daily"),
    ("@every", "@every"),
    ("@every 5", "@every"),
    ("@every h", "@every"),
    (" @daily", "1 fields"),
    ("TZ=UTC 0 2 * * *", "time zone"),
    ("CRON_TZ=Europe/Berlin 0 2 * * *", "time zone"),
)
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@pytest.mark.parametrize("schedule", TAKEN)
def test_what_kubernetes_takes(schedule: str) -> None:
    assert wrong_schedule(schedule) == ""


@pytest.mark.parametrize(("schedule", "word"), REFUSED)
def test_what_kubernetes_refuses(schedule: str, word: str) -> None:
    assert word in wrong_schedule(schedule)


@pytest.mark.parametrize("seed", range(100))
def test_each_field_has_bounds_of_its_own(seed: int) -> None:
    chosen = random.Random(seed)
    position = chosen.randrange(5)
    least, most = BOUNDS[position]
    low, high, step = chosen.randint(0, 70), chosen.randint(0, 70), chosen.randint(0, 3)
    fields = ["*"] * 5
    fields[position] = f"{low}-{high}/{step}"
    right = least <= low <= high <= most and step > 0
    assert (wrong_schedule(" ".join(fields)) == "") is right
