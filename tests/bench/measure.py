# SPDX-License-Identifier: GPL-3.0-or-later
"""Timing whole processes and blocks, and laying out what was found."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

RUNS = 5


@dataclass(frozen=True)
class Row:
    """One finding. `budget` and `met` are empty for what is only reported."""

    what: str
    found: str
    budget: str = ""
    met: bool | None = None


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def processor_seconds(action: Callable[[], object]) -> float:
    """What the processes that it starts and waits for take of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def counted_requests() -> Iterator[list[str]]:
    """The methods of what this process asks API servers meanwhile, without repetitions after a failure."""
    # only who counts has the collection in its path
    from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube

    asked: list[str] = []
    request = Kube.request

    def counted(self: Kube, method: str, *arguments: Any, **options: Any) -> Any:
        asked.append(method)
        return request(self, method, *arguments, **options)

    with mock.patch.object(Kube, "request", counted):
        yield asked


def median_seconds(action: Callable[[], object], runs: int = RUNS, warm_up: int = 1) -> float:
    for _ in range(warm_up):
        action()
    return statistics.median(seconds(action) for _ in range(runs))


def table(rows: Sequence[Row]) -> str:
    cells = [("what", "found", "budget", "met"), *((row.what, row.found, row.budget, _verdict(row)) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells)


def _verdict(row: Row) -> str:
    return "" if row.met is None else "yes" if row.met else "NO"
