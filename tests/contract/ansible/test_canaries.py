# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets given to an action in any way, run in any way: nothing shows them. On each supported core (make matrix)."""

from __future__ import annotations

import base64
import sys
from typing import Any

import pytest
from support.canaries import Left, hosts, watched
from support.ssh_server import ssh_server

OPTION, NAMED, OBJECT, LEARNED = (f"canary-{name}-4d7e" for name in ("option", "named", "object", "learned"))
CANARIES = (OPTION, NAMED, OBJECT, LEARNED)
MAPPING = {
    "dbPwd": NAMED,
    "url": f"https://joe:{NAMED}@example.com/",
    "objects": [
        {
            "kind": "List",
            "items": [
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": "x"},
                    "data": {"some": base64.b64encode(OBJECT.encode()).decode()},
                }
            ],
        }
    ],
}
GIVEN: dict[str, Any] = {"password": OPTION, "mapping": MAPPING, "learned": LEARNED[::-1]}
CASES: dict[str, dict[str, Any]] = {
    "succeeds": GIVEN,
    "fails": {**GIVEN, "fail": True},
    "has a defect": {**GIVEN, "text": "defect"},
    "is given what it does not know": {**GIVEN, "number": "seven", "unheard_of": 1},
}
TASKS = [
    {
        "name": name,
        "test.adapters.observe": args,
        "async": "{{ seconds | default(0) }}",
        "poll": 1,
        "ignore_errors": True,
    }
    for name, args in CASES.items()
]
ADAPTERS = ("in-process", "connection", "become", "async", "ssh")


@pytest.fixture(
    scope="module", params=["default", *(pytest.param(name, marks=pytest.mark.slow) for name in ("minimal", "runner"))]
)
def left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """One run with a host for each adapter, shown by this callback."""
    directory = tmp_path_factory.mktemp("left")
    with ssh_server(tmp_path_factory.mktemp("keys")) as ssh:
        # the variables are a file: what a playbook spells out itself is shown by whoever shows the playbook
        on = {name: {**host, "given": CASES} for name, host in hosts(sys.executable, ssh).items()}
        tasks = [{**task, "test.adapters.observe": f"{{{{ given['{task['name']}'] }}}}"} for task in TASKS]
        return watched(tasks, directory, play={}, on=on, callback=request.param)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_task_ran_on_every_adapter(adapter: str, left: Left) -> None:
    ended = {one["task"]: one["status"] for one in left.run.results if one["host"] == adapter}
    assert list(ended.values()) == ["ok", "failed", "failed", "failed"], left.run.output
    assert left.run.of(adapter, "succeeds")["in_controller"] is (adapter == "in-process")


def test_nothing_shows_a_secret(left: Left) -> None:
    assert left.leaks(CANARIES) == []


def test_no_result_repeats_the_options(left: Left) -> None:
    repeated = [one["task"] for one in left.run.results if (one["result"].get("invocation") or {}).get("module_args")]
    assert repeated == []
