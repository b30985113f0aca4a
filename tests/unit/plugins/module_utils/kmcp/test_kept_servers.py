# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm.release_record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import cluster_state

SERVERS = ["mcp/echo", "tools/box"]
BOTH = ["mcp/echo", "tools/box"]


def watching(*namespaces: str) -> Mapping[str, Any]:
    return {"rbac": {"namespaces": list(namespaces)}}


def controller(values: Mapping[str, Any], status: str = "deployed") -> Release:
    return Release("kmcp", "kmcp-system", 1, status, "", "kmcp", "0.3.0", "0.3.0", values, "", None, "")


LET_GO: Mapping[str, tuple[Release | None, Mapping[str, Any], list[str]]] = {
    "nothing installed": (None, watching("default"), []),
    "from all to some": (controller({}), watching("default", "tools"), ["mcp/echo"]),
    "from all to others": (controller({}), watching("default"), BOTH),
    "from some to fewer": (controller(watching("mcp", "tools")), watching("tools"), ["mcp/echo"]),
    "never watched": (controller(watching("tools")), watching("default", "tools"), []),
    "from some to all": (controller(watching("tools")), {}, []),
    "as before": (controller(watching("mcp", "tools")), watching("tools", "mcp"), []),
    "failed upgrade": (controller({}, "failed"), watching("mcp"), ["tools/box"]),
    "uninstalled with its history kept": (controller({}, "uninstalled"), watching("default"), []),
}


@pytest.mark.parametrize("case", LET_GO)
def test_who_is_let_go(case: str) -> None:
    release, values, expected = LET_GO[case]
    assert cluster_state.orphaned_servers(release, values, "0.3.0", SERVERS) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [("deployed", BOTH), ("failed", BOTH), ("uninstalling", BOTH), ("uninstalled", [])],
)
def test_whom_a_release_keeps(status: str, expected: list[str]) -> None:
    assert cluster_state.servers_of_controller(controller({}, status), SERVERS) == expected


def test_many_servers_are_counted() -> None:
    assert cluster_state.servers_text([f"a/{number}" for number in range(12)]).endswith("a/9 and 2 more")
    assert cluster_state.servers_text(["a/b"]) == "1 MCPServer: a/b"


def test_the_way_out_names_the_namespaces() -> None:
    refusal = cluster_state.narrowing_refusal("kmcp-system/kmcp", SERVERS, ["default", "kmcp-system"])
    assert "watch_namespaces: mcp, tools" in refusal.remedy
    assert refusal.sentence.startswith("would watch default, kmcp-system only, and is the controller of ")
