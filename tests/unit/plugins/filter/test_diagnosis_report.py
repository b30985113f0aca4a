# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.filter.diagnosis_report import diagnosis_report

FINDING: dict[str, Any] = {
    "id": "CrashLoop/mcp/Deployment/echo/main",
    "code": "CrashLoop",
    "severity": "error",
    "object": {"api_version": "apps/v1", "kind": "Deployment", "name": "echo", "namespace": "mcp"},
    "summary": "container main: is in CrashLoopBackOff (5 restarts, last: exit code 3)",
    "advice": "Its last log lines say why.",
    "evidence": [{"source": "event", "text": "Back-off"}, {"source": "log", "text": "starting\ncannot open it"}],
    "pods": [f"echo-{number}" for number in range(7)],
    "caused_by": ["NodeNotReady/Node/node-1"],
}


def test_a_report_reads_from_the_whole_to_the_detail() -> None:
    found = {"msg": "1 error in 20 objects", "findings": [FINDING], "unread": ["Node may not be listed"]}
    assert diagnosis_report(found, "dev-eus2") == [
        "dev-eus2: 1 error in 20 objects",
        "",
        "ERROR CrashLoop: Deployment mcp/echo",
        "  container main: is in CrashLoopBackOff (5 restarts, last: exit code 3)",
        "  pods: echo-0, echo-1, echo-2, echo-3, echo-4 and 2 more",
        "  event: Back-off",
        "  log: starting",
        "    cannot open it",
        "  follows from: NodeNotReady/Node/node-1",
        "  do: Its last log lines say why.",
        "",
        "not looked at:",
        "  Node may not be listed",
    ]


def test_nothing_wrong_is_one_line() -> None:
    assert diagnosis_report({"msg": "no findings in 20 objects", "findings": [], "unread": []}) == [
        "no findings in 20 objects"
    ]


def test_long_lines_fold_between_words_and_names_stay_whole() -> None:
    name = "registry.example.com/" + "very-long-" * 12 + "name:1"
    lines = diagnosis_report({"msg": "x", "findings": [{**FINDING, "summary": f"image {name} cannot be pulled " * 2}]})
    assert sum(name in line for line in lines) == 2
    assert all(len(line) <= 100 or name in line for line in lines)
