# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m conformance`: every client scenario of the frozen sets, judged; exit code 0 if all are green or listed."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gate import npm
from gate.checkout import CHECKOUT

from conformance import isolation, judging, listed, report, suite
from conformance.judging import Run
from conformance.suite import Suite

REVISIONS = ("2025-11-25", "2026-07-28")
EVIDENCE = CHECKOUT / "build" / "conformance"
CLIENT = Path(__file__).with_name("client.py")


def runs(installed: Suite, evidence: Path) -> list[Run]:
    shutil.rmtree(evidence, ignore_errors=True)
    evidence.mkdir(parents=True)
    environment = {
        **installed.environment,
        "PYTHONPATH": os.pathsep.join(str(CHECKOUT / name) for name in ("collections", "tests")),
        # Of the network that the scenarios run in there is nothing to reach by a proxy.
        "NO_PROXY": "*",
    }
    client = shlex.join((sys.executable, "-I", "-S", str(CLIENT)))
    prefix = (*isolation.prefix(), sys.executable, "-m", "conformance.clients")

    def run(revision: str) -> list[Run]:
        output, scenarios = evidence / revision, installed.scenarios(revision)
        installed.run(revision, client, output, prefix=(*prefix, str(len(scenarios))), environment=environment)
        return suite.results(revision, scenarios, output)

    with ThreadPoolExecutor(len(REVISIONS)) as pool:
        return [found for one in pool.map(run, REVISIONS) for found in one]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("--junit", type=Path, default=EVIDENCE / "junit.xml", help="where the JUnit report goes")
    options = parser.parse_args(arguments)
    try:
        exceptions = listed.load()
        modules = npm.installed()
        found = judging.verdicts(runs(Suite(npm.node(modules), modules), EVIDENCE), exceptions)
    except (npm.NpmError, listed.ListError, suite.SuiteError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(report.table(found, "the client"))
    report.write_junit(found, options.junit)
    return 0 if judging.succeeded(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
