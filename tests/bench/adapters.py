# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task costs: a no-op action, an operation in process, the same operation as a module."""

from __future__ import annotations

import sys
from typing import Any

from support.playbook import CHECKOUT, LOCAL_HOST, run_tasks

from bench.measure import Row, median_seconds

FIXTURES = CHECKOUT / "tests/unit/plugins/plugin_utils/fixtures/collections"
MODULE_HOST = {"ansible_connection": "test.adapters.namespace", "ansible_python_interpreter": sys.executable}
TASKS = 30


def _play(task: dict[str, Any], count: int, host: dict[str, Any]) -> float:
    return median_seconds(
        lambda: run_tasks([task] * count, hosts={"h": host}, collections=[FIXTURES], diff=False).ok(), runs=3, warm_up=1
    )


def rows() -> list[Row]:
    nothing = {"test.adapters.nothing": {}}
    observe = {"test.adapters.observe": {"text": "x"}}
    floor = _play(nothing, TASKS, LOCAL_HOST)
    in_process = _play(observe, TASKS, LOCAL_HOST)
    as_module = _play(observe, TASKS, MODULE_HOST)
    above_floor = (in_process - floor) / TASKS * 1000
    return [
        Row("in-process task above a no-op action", f"{above_floor:.1f} ms", "<= 10 ms", above_floor <= 10),
        Row("the same operation as a module, against in process", f"{as_module / in_process:.1f} x"),
    ]
