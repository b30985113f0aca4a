# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task costs: a no-op action, an operation in process, the same operation as a module."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from support.playbook import CHECKOUT, LOCAL_HOST, run_tasks

from bench.measure import Row, processor_seconds

FIXTURES = CHECKOUT / "tests/contract/ansible/fixtures/collections"
MODULE_HOST = {"ansible_connection": "test.adapters.namespace", "ansible_python_interpreter": sys.executable}
# Two lengths of the same play: what a run costs once, loading above all, is no part of what a task costs. So many that
# what differs from run to run (60 ms here) is little for each.
FEW, MANY = 5, 45
# A module takes a second.
FEW_MODULES = 3
ROUNDS = 5

NOTHING = {"test.adapters.nothing": {}}
OBSERVE = {"test.adapters.observe": {"text": "x"}}


def _processor(task: dict[str, Any], count: int, host: dict[str, Any] = LOCAL_HOST) -> float:
    """The processor seconds of a run: others' work on the same machine is not in them."""
    return processor_seconds(
        lambda: run_tasks([task] * count, hosts={"h": host}, collections=[FIXTURES], diff=False).ok()
    )


def rows() -> list[Row]:
    """Every play in turns, and of each the cheapest run."""
    plays: dict[str, Callable[[], float]] = {
        "nothing, few": lambda: _processor(NOTHING, FEW),
        "nothing, many": lambda: _processor(NOTHING, MANY),
        "ours, few": lambda: _processor(OBSERVE, FEW),
        "ours, many": lambda: _processor(OBSERVE, MANY),
        "modules, none": lambda: _processor(NOTHING, 1, MODULE_HOST),
        "modules, few": lambda: _processor(OBSERVE, FEW_MODULES, MODULE_HOST),
    }
    rounds = [{name: play() for name, play in plays.items()} for _ in range(ROUNDS)]
    least = {name: min(each[name] for each in rounds) for name in plays}

    nothing = (least["nothing, many"] - least["nothing, few"]) / (MANY - FEW)
    in_process = (least["ours, many"] - least["ours, few"]) / (MANY - FEW)
    as_module = (least["modules, few"] - least["modules, none"]) / FEW_MODULES
    above = (in_process - nothing) * 1000
    return [
        Row("in-process task above a no-op action, processor", f"{above:.1f} ms", "<= 10 ms", above <= 10),
        Row("the same operation as a module, against in process", f"{as_module / in_process:.0f} x"),
    ]
