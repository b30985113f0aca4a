# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import subprocess
import sys

import pytest
from support.playbook import CHECKOUT

from ansible_collections.mcpops.platform.plugins.module_utils import errors
from ansible_collections.mcpops.platform.plugins.module_utils.errors import (
    LIBRARIES,
    CheckModeViolation,
    Failure,
    InvalidInput,
    MissingLibrary,
    NotReady,
    Problem,
    Reason,
    Refused,
    ServiceError,
    pip_install,
)
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Refusal

ONE_OF_EACH: dict[str, tuple[Failure, str]] = {
    "one problem": (
        InvalidInput("aks_cluster demo", [Problem("node_pools[0].count", "is 0; a system pool needs at least 1")]),
        "aks_cluster demo: node_pools[0].count: is 0; a system pool needs at least 1. Nothing was changed.",
    ),
    "two problems": (
        InvalidInput("aks_cluster demo", [Problem("name", "is empty"), Problem("location", "is empty")]),
        "aks_cluster demo: 2 problems, nothing was changed:\n  1. name: is empty\n  2. location: is empty",
    ),
    "refused": (
        Refused("cluster demo", [Refusal("dns_prefix", "a", "b", "Create another cluster")]),
        'cluster demo: dns_prefix: cannot be changed from "a" to "b". Create another cluster. Nothing was changed.',
    ),
    "two refused": (
        Refused("cluster demo", [Refusal("a", ABSENT, 1, "Do this."), Refusal("b", 1, ABSENT, "Do that.")]),
        "cluster demo: 2 changes refused, nothing was changed:\n"
        "  1. a: cannot be changed from nothing to 1. Do this.\n  2. b: cannot be changed from 1 to nothing. Do that.",
    ),
    "service error": (
        ServiceError("Creating the cluster", "Not enough quota.", code="QuotaExceeded", hint="Ask for more"),
        "Creating the cluster: Not enough quota (QuotaExceeded). Ask for more.",
    ),
    "service error without a code": (
        ServiceError("Reading the node", "it is gone", status=404),
        "Reading the node: it is gone (HTTP 404).",
    ),
    "service error with lines of its own": (
        ServiceError("Comparing", "2 problems:\n  1. a\n  2. b", code="InvalidInventory"),
        "Comparing: 2 problems (InvalidInventory):\n  1. a\n  2. b",
    ),
    "service error with lines and advice": (
        ServiceError("Running x", "it ended before its end:\nlast line", code="ExitStatus4", hint="Run x"),
        "Running x: it ended before its end (ExitStatus4):\nlast line\nRun x.",
    ),
    "one problem with a bracket at its end": (
        InvalidInput("k8s_objects", [Problem("prune_max_percent", "200 is not a percentage (0 to 100)")]),
        "k8s_objects: prune_max_percent: 200 is not a percentage (0 to 100). Nothing was changed.",
    ),
    "not ready": (
        NotReady("Deployment mcp/echo", [Reason("pod echo-1", "ImagePullBackOff", "image not found")], waited=12.4),
        "Deployment mcp/echo: not ready after 12 s: pod echo-1: image not found.",
    ),
    "not ready, with log lines and advice": (
        NotReady("MCPServer mcp/a", [Reason("Pod mcp/a-1", "Crashing", "ends. Its log:\n    FATAL: x", "Look at it")]),
        "MCPServer mcp/a: not ready: Pod mcp/a-1: ends. Its log:\n    FATAL: x\nLook at it.",
    ),
    "two not ready, one with log lines and advice": (
        NotReady("2 probes", [Reason("a", "Crashing", "ends:\n    FATAL: x", "Look at it"), Reason("b", "X", "waits")]),
        "2 probes: not ready:\n  1. a: ends:\n         FATAL: x\n     Look at it.\n  2. b: waits.",
    ),
    "a probe that nobody waited for": (
        NotReady("MCP server a", [Reason("", "refused", "nothing listens")], probe=True),
        "MCP server a: failed: nothing listens.",
    ),
    "a probe that was answered wrongly in the end": (
        NotReady("MCP server a", [Reason("", "not_mcp", "it answered text", terminal=True)], waited=7.0, probe=True),
        "MCP server a: failed: it answered text.",
    ),
    "a probe that was waited for": (
        NotReady("MCP server a", [Reason("", "refused", "nothing listens")], waited=60.2, probe=True),
        "MCP server a: not ready after 60 s: nothing listens.",
    ),
    "never ready": (
        NotReady(
            "MCP servers",
            [
                Reason("echo", "CrashLoop", "exits with 1", "Read its log", terminal=True),
                Reason("other", "Pending", "no node fits"),
            ],
        ),
        "MCP servers: not ready and will not become ready by waiting:\n"
        "  1. echo: exits with 1. Read its log.\n  2. other: no node fits.",
    ),
    "one of two that stand alone never ready": (
        NotReady(
            "2 of 3 MCP probes",
            [
                Reason("echo", "NotMcp", "it answered text", terminal=True),
                Reason("other", "Timeout", "it did not answer"),
            ],
            waited=5.0,
            apart=True,
        ),
        "2 of 3 MCP probes: not ready after 5 s; of these, echo will not become ready by waiting:\n"
        "  1. echo: it answered text.\n  2. other: it did not answer.",
    ),
    "many that stand alone never ready": (
        NotReady(
            "9 of 9 MCP probes",
            [*(Reason(f"s{n}", "NotMcp", "no", terminal=True) for n in range(8)), Reason("other", "Timeout", "no")],
            apart=True,
        ),
        "9 of 9 MCP probes: not ready; of these, s0, s1, s2, s3, s4 and 3 more will not become ready by waiting:\n"
        + "".join(f"  {n + 1}. s{n}: no.\n" for n in range(8))
        + "  9. other: no.",
    ),
    "all that stand alone never ready": (
        NotReady("2 of 2 MCP probes", [Reason(n, "NotMcp", "no", terminal=True) for n in ("a", "b")], apart=True),
        "2 of 2 MCP probes: not ready and will not become ready by waiting:\n  1. a: no.\n  2. b: no.",
    ),
    "what was asked for itself": (
        NotReady("MCP server mcp/echo", [Reason("", "Timeout", "it did not answer within 2 s", "Raise timeout")]),
        "MCP server mcp/echo: not ready: it did not answer within 2 s. Raise timeout.",
    ),
    "check mode": (
        CheckModeViolation("arm", "PUT", "/subscriptions/x"),
        "arm PUT /subscriptions/x: refused in check mode, because it would change something. "
        "This is a defect of the collection: please report the task that did this.",
    ),
}


@pytest.mark.parametrize(("failure", "message"), ONE_OF_EACH.values(), ids=ONE_OF_EACH.keys())
def test_messages(failure: Failure, message: str) -> None:
    assert failure.message() == str(failure) == message
    result = failure.to_result()
    assert result["failed"] is True and result["msg"] == message and result["error"]["kind"] == failure.kind


def test_a_missing_library_names_the_interpreter_and_both_ways_out() -> None:
    message = MissingLibrary(["urllib3", "PyYAML"], "No module named 'urllib3'").message()
    assert re.search(r"python[\d.]* cannot use urllib3 and PyYAML", message)
    assert f"({sys.executable} -m pip install 'urllib3>=2.2,<3' 'PyYAML>=6,<7')" in message
    assert "ansible_python_interpreter" in message


@pytest.mark.parametrize("python", ["/usr/bin/python3", "/opt/our tools/bin/python"])
@pytest.mark.parametrize("names", [*([name] for name in LIBRARIES), list(LIBRARIES)])
def test_a_printed_command_means_the_same_in_a_shell(
    names: list[str], python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell that reads it would start that interpreter with each requirement as an argument, and write no file."""
    monkeypatch.setattr(sys, "executable", python)
    done = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {pip_install(*names)}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [python, "-m", "pip", "install", *(name + LIBRARIES[name] for name in names)]


def test_what_a_message_installs_is_what_the_collection_requires() -> None:
    lines = (CHECKOUT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = {re.split(r"[<>=]", line)[0]: line for line in lines if line and not line.startswith("#")}
    told = {name: name + versions for name, versions in LIBRARIES.items()}
    # a proxy that few have, and that no other part needs
    assert told.pop("PySocks")
    assert told == required


def test_nobody_else_writes_a_command_for_pip() -> None:
    others = [
        str(path)
        for path in (CHECKOUT / "plugins").rglob("*.py")
        if re.search(r"pip3? install|\"pip\"", path.read_text(encoding="utf-8")) and path.name != "errors.py"
    ]
    assert others == []


def test_every_failure_of_the_taxonomy_is_rendered_here() -> None:
    def below(kind: type[Failure]) -> set[type[Failure]]:
        return {kind, *(leaf for sub in kind.__subclasses__() for leaf in below(sub))}

    defined = {kind for kind in below(Failure) if kind.__module__ == errors.__name__} - {Failure}
    assert defined == {type(failure) for failure, _ in ONE_OF_EACH.values()} | {MissingLibrary}


def test_a_partial_result_comes_with_the_failure() -> None:
    result = NotReady("x", [Reason("", "a", "b")], values={"changed": True, "id": "/x"}).to_result()
    assert result["changed"] is True and result["id"] == "/x"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (["apply a", "apply b", "apply a"], ["apply a", "apply b"]),
        ([f"apply c{number}" for number in range(25)], [*(f"apply c{number}" for number in range(20)), "and 5 more"]),
    ],
    ids=["each once", "not thousands"],
)
def test_what_was_written_before_a_failure_counts_as_changed(written: list[str], shown: list[str]) -> None:
    result = NotReady("x", [Reason("", "a", "b")], values={"changed": False}).to_result(written)
    assert (result["changed"], result["done"]) == (True, shown)
    assert "done" not in ServiceError("a", "b").to_result()


def test_details_keep_what_the_message_leaves_out() -> None:
    failure = ServiceError("a", "b", code="C", status=409, correlation_id="id-1", body={"raw": True})
    assert failure.to_result()["error"] == {
        "kind": "service_error",
        "code": "C",
        "status": 409,
        "correlation_id": "id-1",
        "body": {"raw": True},
    }
