# SPDX-License-Identifier: GPL-3.0-or-later
"""Which servers of a bundle go because the list has them no more."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Refused, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import mcp_server
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import BUNDLE_LABEL, declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube


def member(name: str, *, manager: str = "mcpops", bundle: str = "tools", **metadata: Any) -> dict[str, Any]:
    owned: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{BUNDLE_LABEL}": {}}}}
    return {
        "metadata": {
            "name": name,
            "namespace": "mcp",
            "labels": {BUNDLE_LABEL: bundle},
            "managedFields": [{"manager": manager, "operation": "Apply", "fieldsV1": owned}],
            **metadata,
        }
    }


MEMBERS = {
    "made by us": (member("a"), True),
    "made by somebody else": (member("a", manager="kubectl"), False),
    "of another bundle": (member("a", bundle="others"), False),
    "copied with its labels": (member("a", managedFields=[]), False),
    "on its way out": (member("a", deletionTimestamp="2026-01-01T00:00:00Z"), False),
}


@pytest.mark.parametrize(("live", "ours"), MEMBERS.values(), ids=MEMBERS)
def test_only_what_we_have_labelled_can_go(live: dict[str, Any], ours: bool) -> None:
    assert mcp_server.is_member(live, "tools") is ours


class Cluster:
    """MCPServers, and whether this identity may list those of all namespaces."""

    def __init__(self, *names: str, may_list_all: bool = True) -> None:
        self.items = [member(name) for name in names]
        self.may_list_all = may_list_all
        self.asked: list[str | None] = []

    def list_objects(self, resource: Any, namespace: str | None = None, *, label_selector: str) -> list[Any]:
        assert (resource.kind, label_selector) == ("MCPServer", "mcpops.io/mcp-bundle=tools")
        self.asked.append(namespace)
        if namespace is None and not self.may_list_all:
            raise ServiceError("list", "forbidden", status=403)
        return [one for one in self.items if namespace in (None, one["metadata"]["namespace"])]


def leaving(cluster: Cluster, *names: str, percent: int = 50) -> list[str]:
    declared = declared_from({"servers": [{"name": name} for name in names], "namespace": "mcp", "bundle": "tools"})
    params = {"bundle": "tools", "namespace": "mcp", "prune_max_percent": percent}
    return [server.label for server in mcp_server.undeclared_servers(cast(Kube, cluster), params, declared)]


def test_what_is_listed_no_more_goes() -> None:
    assert leaving(Cluster("a", "b", "c"), "a", "c", "new") == ["MCPServer mcp/b"]


def test_without_the_right_to_list_all_the_declared_namespaces_are_looked_at() -> None:
    cluster = Cluster("a", "b", may_list_all=False)
    assert leaving(cluster, "a") == ["MCPServer mcp/b"]
    assert cluster.asked == [None, "mcp"]


# members, declared, percent → words of the refusal
GUARDS: dict[str, tuple[list[str], list[str], int, str]] = {
    "empty list": (["a", "b"], [], 100, "The list of servers is empty, and pruning would remove mcp/a, mcp/b"),
    "most of them": (["a", "b", "c"], ["a"], 50, "Pruning mcp/b, mcp/c is more than 50 percent"),
    "none is allowed": (["a", "b"], ["a"], 0, "Pruning mcp/b is more than 0 percent"),
    "many": ([*"abcdefgh"], ["x"], 50, "mcp/a, mcp/b, mcp/c, mcp/d, mcp/e and 3 more"),
}


@pytest.mark.parametrize(("members", "declared", "percent", "words"), GUARDS.values(), ids=GUARDS)
def test_a_list_that_came_out_short_removes_nothing(
    members: list[str], declared: list[str], percent: int, words: str
) -> None:
    with pytest.raises(Refused, match="Nothing was changed") as refused:
        leaving(Cluster(*members), *declared, percent=percent)
    assert words in refused.value.message()


def test_a_bundle_without_servers_may_have_an_empty_list() -> None:
    assert leaving(Cluster()) == []


def test_all_may_go_where_that_is_said() -> None:
    assert leaving(Cluster("a", "b"), "c", percent=100) == ["MCPServer mcp/a", "MCPServer mcp/b"]


@pytest.mark.parametrize(
    ("existing", "refused"),
    [(None, False), ("tools", False), ("others", True)],
)
def test_a_server_of_another_bundle_is_not_taken(existing: str | None, refused: bool) -> None:
    [server] = declared_from({"servers": [{"name": "a", "namespace": "mcp"}], "bundle": "tools"})
    live = member("a", labels={BUNDLE_LABEL: existing} if existing else {})
    found = mcp_server.other_bundle(server, live)
    assert (found is not None) is refused
    if found is not None:
        assert (found.before, found.after) == ("others", "tools")
        assert "kubectl label mcpservers.kagent.dev -n mcp a mcpops.io/mcp-bundle-" in found.remedy
