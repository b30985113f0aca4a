# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m conformance`: every client scenario of the frozen sets, judged; exit code 0 if all are green or listed."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gate import npm
from gate.checkout import CHECKOUT

from conformance import judging, listed, report, suite
from conformance.judging import Run
from conformance.suite import Suite

REVISIONS = ("2025-11-25", "2026-07-28")
EVIDENCE = CHECKOUT / "build" / "conformance"
CLIENT = Path(__file__).with_name("client.py")
# A network with nothing in it but this machine's loopback, which takes root or a kernel that lets users have it.
LOOPBACK = ("unshare", "--net", "--map-root-user", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


def isolation() -> tuple[str, ...]:
    """What runs the suite where only this machine can be reached; nothing, said aloud, if that is refused."""
    done = subprocess.run([*LOOPBACK, "true"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return LOOPBACK
    print(f"conformance: runs with this machine's network, because a network of its own was refused: {done.stderr}")
    return ()


def runs(installed: Suite, evidence: Path) -> list[Run]:
    shutil.rmtree(evidence, ignore_errors=True)
    evidence.mkdir(parents=True)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(CHECKOUT / name) for name in ("collections", "tests")),
        # Of the network that the scenarios run in there is nothing to reach by a proxy.
        "NO_PROXY": "*",
    }
    client = shlex.join((sys.executable, "-I", "-S", str(CLIENT)))
    prefix = (*isolation(), sys.executable, "-m", "conformance.clients")

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
    print(report.table(found))
    report.write_junit(found, options.junit)
    return 0 if judging.succeeded(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
