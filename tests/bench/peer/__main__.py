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
from bench.peer.contestants import Contestant, Others, Outcome, our_modules, ours
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
            assert done.returncode == 0 and not done.changed, done.output
            taken.append(done)
    return [Cost(median(one.wall for one in taken), median(one.cpu for one in taken)) for taken in found]


def time_rows(site: Cost, modules: Cost, peer: Cost, runbook: Cost) -> list[Row]:
    named = (
        ("site.yml, its Kubernetes part", site),
        ("our modules, task by task as the peer", modules),
        ("kubernetes.core", peer),
        ("runbook, which verifies nothing", runbook),
    )
    like_for_like = peer.wall / modules.wall
    return [
        *(Row(f"no-op: {name}", f"{cost.wall:.2f} s, cpu {cost.cpu:.2f} s") for name, cost in named),
        Row("kubernetes.core against our modules", f"{like_for_like:.1f} x", ">= 5 x", like_for_like >= LEAST_FACTOR),
        Row("our modules against the runbook", *_at_most_one(modules.wall / runbook.wall)),
        Row("kubernetes.core against site.yml", f"{peer.wall / site.wall:.1f} x"),
        Row("site.yml against the runbook", f"{site.wall / runbook.wall:.1f} x"),
    ]


def _at_most_one(ratio: float) -> tuple[str, str, bool]:
    return f"{ratio:.1f} x", "<= 1 x", ratio <= 1


def drift_table(names: list[str], found: list[tuple[str, list[drift.Seen]]]) -> str:
    head = ["drift", *(f"{name}: {what}" for name in names for what in ("shown", "repaired"))]
    lines = [head, ["---"] * len(head)]
    lines += [[what, *(cell for one in seen for cell in (one.shown, one.repaired))] for what, seen in found]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.peer", description=__doc__)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--times", action="store_true", help="no drift")
    only.add_argument("--drift", metavar="REGEX", help="no times, and only these rows of the drift table")
    chosen = parser.parse_args()
    drifts = [one for one in drift.DRIFTS if not chosen.times and re.search(chosen.drift or "", one.what)]
    site = Site.converged()
    with tempfile.TemporaryDirectory(prefix="mcpops-peer-") as scratch:
        others = Others(site, Path(scratch))
        print(environment.versions(others.programs), flush=True)
        try:
            contestants = [ours(site), others.peer(), others.runbook()]
            timed = [contestants[0], our_modules(site, Path(scratch)), *contestants[1:]]
            for who in timed:
                done = who.run()
                assert done.returncode == 0, done.output
                print(f"first run, {who.name}: {done.wall:.1f} s", flush=True)
            times = [] if chosen.drift else time_rows(*no_op_costs(timed))
            if times:
                print(table(times), end="\n\n", flush=True)
            found = drift.rows(contestants, drifts)
        finally:
            others.close()
    if found:
        print(drift_table(["ours", "kubernetes.core", "runbook"], found))
    missed = [what for what, (mine, *_) in found if (mine.shown, mine.repaired) != ("yes", "yes")]
    missed += [row.what for row in times if row.met is False]
    if missed:
        print(f"\nmissed: {'; '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
