# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verification leaves for programs: states, versions, what answers, and no text of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.filter.site_summary import site_summary
from ansible_collections.mcpops.platform.plugins.module_utils import domains

ANSWER = "the balance of account 4711 is 12"
NODE = {"status": {"nodeInfo": {"kubeletVersion": "v1.35.4"}}}
READS = [{"item": read, "objects": [NODE] if read["kind"] == "Node" else []} for read in domains.reads()]
SERVER = {
    "name": "echo",
    "namespace": "mcp",
    "reachable": True,
    "eras": ["modern", "legacy"],
    "server_info": {"name": "echo", "version": "1.2.3"},
    "tools": [{"name": "echo", "description": ANSWER}],
    "answer": ANSWER,
    "structured": {"text": ANSWER},
    "duration_ms": 41,
}
SILENT = {"name": "time", "namespace": "mcp", "reachable": False, "error": {"code": "no_service", "message": ANSWER}}


def host(name: str, *servers: dict[str, Any], read: bool = True) -> dict[str, Any]:
    known: dict[str, Any] = {"site_verify_read": {"results": READS}} if read else {}
    return {"inventory_hostname": name, "mcp_servers_verified": {"servers": list(servers)}, **known}


def test_what_a_verification_found_out_without_what_was_answered() -> None:
    found = site_summary([host("one", SERVER)])
    assert (found["verified"], found["check_mode"]) == (True, False)
    one = found["clusters"]["one"]
    assert (one["state"], one["kubernetes"], one["nodes"]) == ("verified", "1.35.4", "1")
    assert one["mcp_servers"]["mcp/echo"] == {
        "answers": True,
        "code": "",
        "version": "1.2.3",
        "transport": "http",
        "eras": ["modern", "legacy"],
        "milliseconds": 41,
        "tools": ["echo"],
    }
    assert "4711" not in str(found)


# host, whether it failed → its state
STATES: dict[str, tuple[dict[str, Any], bool, str]] = {
    "it was read to the end": (host("x", SERVER), False, "verified"),
    "a server is silent": (host("x", SERVER, SILENT, read=False), True, "failed"),
    "it failed after it was read": (host("x", SERVER), True, "failed"),
    "it failed before its servers": ({"inventory_hostname": "x"}, True, "failed"),
    "nobody has come to it": ({"inventory_hostname": "x"}, False, "not begun"),
}


@pytest.mark.parametrize(("one", "failed", "state"), STATES.values(), ids=STATES)
def test_the_state_of_a_cluster_and_of_the_whole(one: dict[str, Any], failed: bool, state: str) -> None:
    found = site_summary([host("fine"), one], check_mode=True, failed=["x"] if failed else [])
    assert found["clusters"]["x"]["state"] == state
    assert found["verified"] is (state == "verified") and found["check_mode"]
    assert "4711" not in str(found)


def test_a_server_that_does_not_answer_has_its_code() -> None:
    (server,) = site_summary([host("x", SILENT)])["clusters"]["x"]["mcp_servers"].values()
    assert (server["answers"], server["code"]) == (False, "no_service")
