# SPDX-License-Identifier: GPL-3.0-or-later
"""How the suite's clients run: forks that have the collection's client loaded, a few at a time, when all have come."""

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
        os.kill(os.getpid(), 9)
    return f"{scenario} at {url} with {context}"

driver.converse, clients.AT_ONCE = converse, 1
driver.OWN_SECONDS, clients.QUIET_SECONDS, clients.SUITE_SECONDS = map(int, sys.argv[1:4])
sys.exit(clients.main(sys.argv[4:]))
"""


def run(
    script: str, expected: int = 1, *, own: int = 30, quiet: int = 30, suite: int = 60
) -> subprocess.CompletedProcess[str]:
    """Runs a script in the suite's place; `client URL` in it is what the suite starts."""
    started = shlex.join((sys.executable, "-I", "-S", str(client.__file__)))
    return subprocess.run(
        [
            sys.executable,
            "-c",
            POOL,
            *map(str, (own, quiet, suite, expected)),
            "sh",
            "-c",
            f"client() {{ {started} $1; }}\n{script}",
        ],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(CHECKOUT / name) for name in ("collections", "tests")),
            "MCP_CONFORMANCE_SCENARIO": "tools_call",
            "MCP_CONFORMANCE_CONTEXT": '{"toolCalls": []}',
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_what_a_client_says_and_how_it_ends_reaches_the_suite() -> None:
    done = run("client http://localhost:1/mcp; exit $?")
    stated = f"{END}tools_call at http://localhost:1/mcp with {{'toolCalls': []}}\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, stated, "")


@pytest.mark.parametrize(
    ("address", "complaint"),
    [("crash", "ValueError: it broke"), ("hang", "TimeoutError: it was not done within 2 s")],
)
def test_what_befalls_one_client_says_why_and_is_no_others_trouble(address: str, complaint: str) -> None:
    done = run(
        f"client {address} & first=$!; sleep 0.2; client next; wait $first; echo ended with $?", expected=2, own=2
    )
    assert done.stdout.splitlines()[1:] == ["ended with 1"]
    assert done.stdout.startswith(f"{END}tools_call at next")
    assert done.stderr.splitlines()[-1] == complaint


def test_a_client_that_is_killed_fails() -> None:
    assert run("client vanish; echo ended with $?").stdout == "ended with 247\n"


def test_nobody_begins_before_all_have_come() -> None:
    done = run("client early & sleep 0.5; echo still waiting; client late; wait", expected=2)
    assert done.stdout.splitlines()[0] == "still waiting"
    assert [" at early " in line or " at late " in line for line in done.stdout.splitlines()[1:]] == [True, True]


def test_those_that_came_are_not_kept_for_one_that_never_does() -> None:
    assert run("client alone", expected=2, quiet=1).stdout.startswith(f"{END}tools_call at alone")


def test_a_suite_that_hangs_is_ended() -> None:
    done = run("exec sleep 60", suite=1)
    assert (done.returncode != 0, done.stdout) == (True, "the suite did not end within 1 s\n")
