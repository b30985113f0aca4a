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
from bench.peer.contestants import Contestant, Others, Outcome, empty, our_modules, ours
from bench.site import Site

# How many times the time of ours kubernetes.core has to take, both beyond an empty playbook.
LEAST_OF_MODULES = 8.0
LEAST_OF_SITE = 3.0
# What a run takes beyond an empty one is no less than this: on a busy machine an empty one may take longer.
LEAST_SECONDS = 0.01


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(max(self.wall - other.wall, LEAST_SECONDS), max(self.cpu - other.cpu, LEAST_SECONDS))


Costs = list[Cost]


def no_op_costs(contestants: list[Contestant]) -> list[Costs]:
    """The same number of runs of each, in turns, so that what else the machine does meets all alike."""
    found: list[Costs] = [[] for _ in contestants]
    for _ in range(RUNS):
        for taken, ref in zip(found, contestants):
            done: Outcome = ref.run()
            assert done.returncode == 0 and not done.changed, done.output
            taken.append(Cost(done.wall, done.cpu))
    return found


def beyond(runs: Costs, start: Costs) -> Costs:
    """What each run takes beyond the empty playbook of its turn."""
    return [run - empty for run, empty in zip(runs, start)]


def factor(slow: Costs, fast: Costs) -> float:
    """The median of the ratios of a turn: one slow moment of either side decides nothing."""
    return median(one.wall / other.wall for one, other in zip(slow, fast))


def time_rows(start: Costs, peer_start: Costs, site: Costs, modules: Costs, peer: Costs, runbook: Costs) -> list[Row]:
    whole, by_task, theirs = beyond(site, start), beyond(modules, start), beyond(peer, peer_start)
    named = (
        ("an empty playbook, our ansible-core", start),
        ("an empty playbook, the peer's", peer_start),
        ("beyond it: site.yml, its Kubernetes part", whole),
        ("beyond it: our modules, task by task as the peer", by_task),
        ("beyond it: kubernetes.core", theirs),
        ("runbook, which verifies nothing", runbook),
    )
    return [
        *(Row(f"no-op: {name}", _shown(costs)) for name, costs in named),
        _gated("kubernetes.core against our modules", factor(theirs, by_task), LEAST_OF_MODULES),
        _gated("kubernetes.core against site.yml", factor(theirs, whole), LEAST_OF_SITE),
        _at_most_one("our modules against the runbook, with their start", factor(modules, runbook)),
        Row("site.yml against the runbook, with its start", f"{factor(site, runbook):.1f} x"),
    ]


def _shown(costs: Costs) -> str:
    return f"{median(one.wall for one in costs):.2f} s, cpu {median(one.cpu for one in costs):.2f} s"


def _gated(what: str, found: float, least: float) -> Row:
    return Row(what, f"{found:.1f} x", f">= {least:g} x", found >= least)


def _at_most_one(what: str, found: float) -> Row:
    return Row(what, f"{found:.1f} x", "<= 1 x", found <= 1)


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
            mine, theirs, runbook = contestants
            timed = [empty(mine), empty(theirs), mine, our_modules(site, Path(scratch)), theirs, runbook]
            for ref in timed:
                done = ref.run()
                assert done.returncode == 0, done.output
                print(f"first run, {ref.name}: {done.wall:.1f} s", flush=True)
            times = [] if chosen.drift else time_rows(*no_op_costs(timed))
            if times:
                print(table(times), end="\n\n", flush=True)
            found = drift.rows(contestants, drifts)
        finally:
            others.close()
    if found:
        print(drift_table(["ours", "kubernetes.core", "runbook"], found))
    missed = [what for what, (first, *_) in found if (first.shown, first.repaired) != ("yes", "yes")]
    missed += [row.what for row in times if row.met is False]
    if missed:
        print(f"\nmissed: {'; '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
