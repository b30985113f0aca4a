# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m conformance`: every client scenario of the frozen sets, judged; exit code 0 if all are green or listed."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gate import npm
from gate.checkout import CHECKOUT

from conformance import judging, listed, report, suite, turns
from conformance.judging import Run
from conformance.suite import Suite

REVISIONS = ("2025-11-25", "2026-07-28")
EVIDENCE = CHECKOUT / "build" / "conformance"
# Most of it a client waits for its turn: on a busy machine the last one comes late. A client that hangs ends by itself.
CLIENT_SECONDS = 240
SUITE_SECONDS = 300
# A network with nothing in it but this machine's loopback, which takes root or a kernel that lets users have it.
ALONE = ("unshare", "--net", "--map-root-user")
LOOPBACK = (*ALONE, "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


def isolation() -> tuple[str, ...]:
    """What runs the suite where only this machine can be reached; nothing, said aloud, if that is refused."""
    done = subprocess.run([*LOOPBACK, "true"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return LOOPBACK
    print(f"conformance: runs with this machine's network, because a network of its own was refused: {done.stderr}")
    return ()


def runs(installed: Suite, evidence: Path, waiting: str) -> list[Run]:
    shutil.rmtree(evidence, ignore_errors=True)
    evidence.mkdir(parents=True)
    environment = {
        **os.environ,
        turns.DIRECTORY: waiting,
        "PYTHONPATH": os.pathsep.join(str(CHECKOUT / name) for name in ("collections", "tests")),
        # Of the network that the scenarios run in there is nothing to reach by a proxy.
        "NO_PROXY": "*",
    }
    client = shlex.join((sys.executable, "-m", "conformance.turns"))
    prefix = isolation()

    def run(revision: str) -> list[Run]:
        output = evidence / revision
        problem = installed.run(
            revision,
            client,
            output,
            prefix=prefix,
            environment=environment,
            client_seconds=CLIENT_SECONDS,
            seconds=SUITE_SECONDS,
        )
        return suite.results(revision, installed.scenarios(revision), output, problem)

    with ThreadPoolExecutor(len(REVISIONS)) as pool:
        return [found for one in pool.map(run, REVISIONS) for found in one]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("--junit", type=Path, default=EVIDENCE / "junit.xml", help="where the JUnit report goes")
    options = parser.parse_args(arguments)
    try:
        exceptions = listed.load()
        modules = npm.installed()
        with tempfile.TemporaryDirectory(prefix="mcpops-conformance-") as waiting:
            found = judging.verdicts(runs(Suite(npm.node(modules), modules), EVIDENCE, waiting), exceptions)
    except (npm.NpmError, listed.ListError, suite.SuiteError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(report.table(found))
    report.write_junit(found, options.junit)
    return 0 if judging.succeeded(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
