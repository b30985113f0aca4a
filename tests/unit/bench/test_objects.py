# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from bench.objects import against


def test_one_slow_moment_of_either_side_decides_nothing() -> None:
    # each of ours against the floor of its own moment: two disturbed pairs of five change no verdict
    row = against("changed", [1.1, 1.1, 4.4, 1.1, 1.1], [1.0, 1.0, 1.0, 0.5, 1.0], 1.3)
    assert (row.met, row.found) == (True, "1.10 x (1100 ms against 1000 ms; 1.10 to 4.40 x)")
    # a machine that was slow for both in the same pair is no difference
    assert against("changed", [1.0, 1.0, 9.0, 9.0, 9.0], [1.0, 1.0, 9.0, 9.0, 9.0], 1.3).met


def test_a_budget_that_is_missed_each_time_is_missed() -> None:
    assert against("changed", [1.4] * 5, [1.0] * 5, 1.3).met is False
    assert against("changed", [1.4] * 5, [1.0] * 5, None).met is None
