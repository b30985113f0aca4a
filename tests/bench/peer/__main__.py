# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m bench.peer`: times and drift, ours beside kubernetes.core and a runbook. The local cloud must be up."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.measure import RUNS, Row, table
from bench.peer import drift, environment
from bench.peer.contestants import Contestant, Others, Outcome, ours
from bench.site import Site

LEAST_FACTOR = 5.0


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float


def no_op_costs(contestants: list[Contestant]) -> list[Cost]:
    """Medians; in turns, so that what else the machine does meets all alike."""
    found: list[list[Outcome]] = [[] for _ in contestants]
    for _ in range(RUNS):
        for taken, who in zip(found, contestants):
            done = who.run()
            assert done.returncode == 0, done.output
            taken.append(done)
    return [Cost(median(one.wall for one in taken), median(one.cpu for one in taken)) for taken in found]


def time_rows(mine: Cost, peer: Cost, runbook: Cost) -> list[Row]:
    named = (("ours", mine), ("kubernetes.core", peer), ("runbook, which verifies nothing", runbook))
    factor = peer.wall / mine.wall
    return [
        *(Row(f"Kubernetes part, no-op: {name}", f"{cost.wall:.2f} s, cpu {cost.cpu:.2f} s") for name, cost in named),
        Row(
            "kubernetes.core against ours, wall", f"{factor:.1f} x", f">= {LEAST_FACTOR:.0f} x", factor >= LEAST_FACTOR
        ),
        Row("kubernetes.core against ours, cpu", f"{peer.cpu / mine.cpu:.1f} x"),
        Row("ours against the runbook, wall", f"{mine.wall / runbook.wall:.1f} x", "<= 1 x", mine.wall <= runbook.wall),
    ]


def drift_table(names: list[str], found: list[tuple[str, list[drift.Seen]]]) -> str:
    head = ["drift", *(f"{name}: {what}" for name in names for what in ("shown", "repaired"))]
    lines = [head, ["---"] * len(head)]
    lines += [[what, *(cell for one in seen for cell in (one.shown, one.repaired))] for what, seen in found]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.peer", description=__doc__)
    parser.add_argument("--drift", default="", metavar="REGEX", help="only these rows of the drift table, no times")
    chosen = parser.parse_args().drift
    drifts = [one for one in drift.DRIFTS if re.search(chosen, one.what)]
    site = Site.converged()
    with tempfile.TemporaryDirectory(prefix="mcpops-peer-") as scratch:
        others = Others(site, Path(scratch))
        print(environment.versions(others.programs), flush=True)
        try:
            shared = others.shared()
            contestants = [ours(site), others.peer(shared), others.runbook(shared)]
            for who in contestants:
                done = who.run()
                assert done.returncode == 0, done.output
                print(f"first run, {who.name}: {done.wall:.1f} s", flush=True)
            times = [] if chosen else time_rows(*no_op_costs(contestants))
            print(table(times), end="\n\n", flush=True)
            found = drift.rows(contestants, drifts)
        finally:
            others.close()
    print(drift_table(["ours", "kubernetes.core", "runbook"], found))
    missed = [what for what, (mine, *_) in found if (mine.shown, mine.repaired) != ("yes", "yes")]
    missed += [row.what for row in times if row.met is False]
    if missed:
        print(f"\nmissed: {'; '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
