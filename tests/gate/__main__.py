# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m gate [--down] [STAGE ...]`: runs the gate, or some of its stages; `long` names all lanes."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from importlib import metadata

from gate import report, stages
from gate.runner import Gate


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="gate", description=__doc__)
    parser.add_argument("stage", nargs="*", default=list(stages.GATE), help=", ".join(s.name for s in stages.STAGES))
    parser.add_argument("--down", action="store_true", help="stop the local cloud at the end, however it ends")
    arguments = parser.parse_args(argv)
    skip = {area.strip() for area in os.environ.get("MCPOPS_SKIP", "").split(",") if area.strip()}
    unknown = skip - {stage.name for stage in stages.STAGES}
    if unknown:
        parser.error(f"MCPOPS_SKIP names {', '.join(sorted(unknown))}, which is no stage")
    named = [one for name in arguments.stage for one in (stages.LONG if name == "long" else (name,))]
    wanted = tuple(name for name in named if name not in skip)
    chosen = stages.select(wanted)
    skipped = [stage for stage in stages.STAGES if stage.name in skip and stage.name in named]

    print(
        f"gate: ansible-core {metadata.version('ansible-core')} on Python {platform.python_version()}; "
        "other supported core versions are not run here. Logs are in build/gate",
        flush=True,
    )
    if skipped:
        names = ", ".join(stage.name for stage in skipped)
        print(f"gate: *** NOT RUNNING {names}: MCPOPS_SKIP names it. This run does not prove a change. ***", flush=True)
    started = time.monotonic()
    gate = Gate(os.environ, skip, deadline_seconds=60 * float(os.environ.get("MCPOPS_DEADLINE_MINUTES", "60")))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, gate.interrupt)
    down = arguments.down and any(stage.supporting or stage.lane for stage in chosen)
    outcomes = gate.run([*chosen, *skipped], down=down)
    print(report.summary(outcomes, time.monotonic() - started), flush=True)
    return 0 if all(outcome.ok for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
