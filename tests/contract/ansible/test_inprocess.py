# SPDX-License-Identifier: GPL-3.0-or-later
"""Both adapters, under real ansible-playbook runs: users must not be able to tell them apart."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.playbook import LOCAL_HOST, Run, run_tasks

COLLECTIONS = Path(__file__).parent / "fixtures" / "collections"
OTHER_HOST = {"ansible_connection": "test.adapters.namespace", "ansible_python_interpreter": sys.executable}
# The module form costs a process of its own; what is compared in one run (below) shows it at every gate.
BOTH = [pytest.param(LOCAL_HOST, id="in process"), pytest.param(OTHER_HOST, id="module", marks=pytest.mark.slow)]
SECRET = "canary-in-an-option"
LEARNED = "canary-learned-at-run-time"


def observe(args: dict[str, Any], *, task: dict[str, Any] | None = None, **options: Any) -> Run:
    return run_tasks([{"test.adapters.observe": args, **(task or {})}], collections=[COLLECTIONS], **options)


def test_a_local_connection_runs_in_the_controller() -> None:
    result = observe({"text": "x"}).ok().last
    assert result["in_controller"] and result["host"] == socket.gethostname()


def test_another_connection_runs_the_module_there() -> None:
    result = observe({"text": "x"}, hosts={"other": OTHER_HOST}).ok().last
    assert not result["in_controller"] and result["host"] == "another-host"


def test_delegation_to_another_connection_runs_the_module_there() -> None:
    result = observe(
        {"text": "x"}, task={"delegate_to": "other"}, hosts={"local": LOCAL_HOST, "other": OTHER_HOST}
    ).ok()
    assert {entry["result"]["host"] for entry in result.results} == {"another-host"}


CASES: dict[str, dict[str, Any]] = {
    "plain": {"text": "x"},
    "converted number": {"number": "7", "text": "x"},
    "nested mapping": {"mapping": {"8080": {"a": None, "b": [1, "2", True]}}},
    "dates": {"mapping": {"at": "{{ '2026-01-31 10:20' | to_datetime('%Y-%m-%d %H:%M') }}"}},
    "failure": {"fail": True},
    "wrong options": {"number": "seven", "txet": "x", "mapping": ["x"]},
    "failure half way": {"half": True},
    "secret option": {"password": SECRET},
}


@pytest.fixture(scope="module", params=[False, True], ids=["apply", "check"])
def reports(request: pytest.FixtureRequest) -> Run:
    """All cases in one run, in process on the host `here` and as a module on the host `there`."""
    return run_tasks(
        [{"name": name, "test.adapters.observe": args, "ignore_errors": True} for name, args in CASES.items()],
        hosts={"here": LOCAL_HOST, "there": OTHER_HOST},
        check=request.param,
        collections=[COLLECTIONS],
    ).ok()


@pytest.mark.parametrize("case", CASES)
def test_both_adapters_report_the_same(case: str, reports: Run) -> None:
    here, there = reports.of("here", case), reports.of("there", case)
    assert here.get("in_controller", True) and not there.get("in_controller", False)
    own = {
        "pid",
        "threads",
        "run_directory",
        "host",
        "in_controller",
        "warnings",
        "invocation",
        "exception",
        "ansible_facts",
        "echoed",
    }
    assert {key: here[key] for key in here if key not in own and not key.startswith("_")} == {
        key: there[key] for key in there if key not in own and not key.startswith("_")
    }


def test_dates_are_the_text_that_ansible_gives_a_module(reports: Run) -> None:
    assert reports.of("here", "dates")["params"]["mapping"] == {"at": "2026-01-31T10:20:00"}
    assert "mapping.at: YAML reads an unquoted date or time as such" in " ".join(reports.output.split())


@pytest.mark.parametrize("where", ["here", "there"])
def test_a_failure_half_way_has_changed_something(reports: Run, where: str) -> None:
    result = reports.of(where, "failure half way")
    assert (result["changed"], result["done"]) == (True, ["apply the first part"])


def test_every_problem_of_the_arguments_is_named_at_once() -> None:
    run = observe({"number": "seven", "unheard_of": 1, "mapping": "x"})
    assert run.returncode != 0
    for word in ("number", "unknown option 'unheard_of'", "mapping"):
        assert word in run.last["msg"]


def test_options_arrive_as_plain_types() -> None:
    types = observe({"text": "{{ 'a' ~ 'b' }}", "mapping": {"k": "{{ 1 }}"}}).ok().last["types"]
    assert types["text"] == "str" and types["mapping"] == "dict"


@pytest.mark.parametrize("level", ["play", "task"])
@pytest.mark.parametrize("host", BOTH)
def test_environment_is_seen_and_gone_afterwards(level: str, host: dict[str, Any]) -> None:
    environment = {"environment": {"OBSERVED": "{{ inventory_hostname }}-value"}}
    run = run_tasks(
        [
            {"test.adapters.observe": {"text": "x"}, **(environment if level == "task" else {})},
            {"test.adapters.observe": {"text": "x"}, "environment": {"OBSERVED": ""} if level == "play" else {}},
        ],
        play=environment if level == "play" else {},
        hosts={"h": host},
        collections=[COLLECTIONS],
    ).ok()
    assert [entry["result"]["variable"] for entry in run.results] == ["h-value", ""]


@pytest.mark.parametrize("group", ["group/test.adapters.observers", "test.adapters.observe"])
def test_module_defaults_apply(group: str) -> None:
    run = observe({}, play={"module_defaults": {group: {"text": "from the defaults"}}}).ok()
    assert run.last["params"]["text"] == "from the defaults"


def test_async_runs_as_a_module_and_is_polled() -> None:
    result = observe({"text": "x"}, task={"async": 30, "poll": 1}).ok().last
    assert not result["in_controller"] and result["changed"]


@pytest.mark.parametrize("host", BOTH)
@pytest.mark.parametrize("fail", [False, True])
def test_secrets_appear_nowhere(host: dict[str, Any], fail: bool) -> None:
    run = observe({"password": SECRET, "learned": LEARNED[::-1], "fail": fail}, hosts={"h": host}, verbosity=4)
    assert (run.returncode != 0) == fail
    assert SECRET not in run.output and SECRET not in str(run.results)
    if not fail:
        assert run.last["echoed"][0] != SECRET and run.last["echoed"][1] != LEARNED


def test_check_mode_reaches_the_operation() -> None:
    assert observe({"text": "x"}, check=True).ok().last["check_mode"] is True


@pytest.mark.parametrize(
    ("lease", "check", "kept"),
    [(True, False, True), (True, True, False), (False, False, False)],
    ids=["a-run-with-a-lease", "check-mode", "a-run-without"],
)
def test_every_task_keeps_the_leases_of_its_run(lease: bool, check: bool, kept: bool) -> None:
    """Whatever its module: the adapter does it, no client of a cluster."""
    place = "{{ first.run_directory }}/mcpops"
    taken = {"server": "https://c", "lease": {}, "connection": {}, "heard": time.time()}
    file = {"dest": f"{place}/lease-1.json", "content": json.dumps(taken)}
    take: list[dict[str, Any]] = [
        {"test.adapters.observe": {"text": "x"}, "register": "first"},
        {"ansible.builtin.file": {"path": place, "state": "directory", "mode": "0700"}, "check_mode": False},
        {"ansible.builtin.copy": file, "check_mode": False},
    ]
    observed = {"test.adapters.observe": {"text": "x"}}
    run = run_tasks([*(take if lease else []), observed], collections=[COLLECTIONS], check=check).ok()
    assert ("mcpops lease renewal" in run.last["threads"]) is kept


@pytest.mark.parametrize("diff", [False, True])
def test_diff_is_returned_only_when_asked_for(diff: bool) -> None:
    assert ("diff" in observe({"text": "x"}, diff=diff).ok().last) is diff


def test_the_controller_process_keeps_its_own_environment() -> None:
    assert "OBSERVED" not in os.environ
