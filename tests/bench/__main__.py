# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m bench`: every measurement in one run; the exit status says whether the gated budgets are met."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import adapters, fleet, objects, preflight, probes, servers, site
from bench.measure import Row, table


def main() -> int:
    converged = site.Site.converged()
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="mcpops-bench-") as scratch:
        for measure in (
            lambda: site.rows(converged),
            adapters.rows,
            probes.rows,
            lambda: preflight.rows(converged, Path(scratch)),
            lambda: fleet.rows(converged, Path(scratch)),
            lambda: objects.rows(converged, Path(scratch)),
            lambda: servers.rows(converged, Path(scratch)),
        ):
            # shown as it comes: the whole takes minutes
            rows = measure()
            print(table(rows), end="\n\n", flush=True)
            found += rows
    missed = [row.what for row in found if row.met is False]
    if missed:
        print(f"\nover budget: {'; '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
