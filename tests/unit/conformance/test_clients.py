# SPDX-License-Identifier: GPL-3.0-or-later
"""How the suite's clients run: in workers that have the collection's client loaded, as many at a time as workers."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest
from conformance import client
from conformance.suite import END
from gate.checkout import CHECKOUT

# The product's client is not what is looked at here. Each address stands for what may happen to one.
POOL = """\
import os, sys, time
from conformance import clients, driver

def converse(url, scenario, context):
    if url == "hang":
        time.sleep(60)
    if url == "crash":
        raise ValueError("it broke")
    if url == "vanish":
        os.kill(os.getppid(), 9)
        os._exit(0)
    return f"{scenario} at {url} with {context}"

driver.converse, driver.OWN_SECONDS, clients.SUITE_SECONDS = converse, 1, 5
os.sched_getaffinity = lambda _process: {0}
sys.exit(clients.main(sys.argv[1:]))
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in the suite's place; `client URL` in it is what the suite starts."""
    started = shlex.join((sys.executable, "-I", "-S", str(client.__file__)))
    return subprocess.run(
        [sys.executable, "-c", POOL, "sh", "-c", f"client() {{ {started} $1; }}\n{script}"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(CHECKOUT / name) for name in ("collections", "tests")),
            "MCP_CONFORMANCE_SCENARIO": "tools_call",
            "MCP_CONFORMANCE_CONTEXT": '{"toolCalls": []}',
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_what_a_client_says_and_how_it_ends_reaches_the_suite() -> None:
    done = run("client http://localhost:1/mcp; exit $?")
    said = f"{END}tools_call at http://localhost:1/mcp with {{'toolCalls': []}}\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


@pytest.mark.parametrize(
    ("address", "complaint"),
    [("crash", "ValueError: it broke"), ("hang", "TimeoutError: it was not done within 1 s")],
)
def test_what_befalls_one_client_says_why_and_is_no_others_trouble(address: str, complaint: str) -> None:
    done = run(f"client {address} & first=$!; sleep 0.2; client next; wait $first; echo ended with $?")
    assert done.stdout.splitlines()[1:] == ["ended with 1"]
    assert done.stdout.startswith(f"{END}tools_call at next")
    assert done.stderr.splitlines()[-1] == complaint


def test_a_client_whose_worker_is_gone_fails() -> None:
    assert run("client vanish; echo ended with $?").stdout == "ended with 1\n"


def test_a_suite_that_hangs_is_ended() -> None:
    done = run("exec sleep 60")
    assert (done.returncode, done.stdout) == (1, "the suite did not end within 5 s\n")
