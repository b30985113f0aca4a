# SPDX-License-Identifier: GPL-3.0-or-later
"""Many servers: what failed is named, what did not is told as well."""

from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import (
    Failure,
    NotReady,
    Reason,
    Refused,
    ServiceError,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import readiness
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.readiness import Converged
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan, Refusal
from ansible_collections.mcpops.platform.plugins.module_utils.site import drift_report

SERVERS = declared_from({"servers": [{"name": name, "namespace": "mcp", "image": "a:1"} for name in ("a", "b", "c")]})
NEW = (Change("", ABSENT, {}),)
REFUSED = Refused("MCPServer mcp/a", [Refusal.because("Service/a", "exists and belongs to no MCPServer", "Delete it")])
DENIED = ServiceError("apply MCPServer mcp/b", "denied by policy", code="Forbidden", status=403)


def converged(**failures: Failure) -> Converged:
    done = Converged(SERVERS)
    for server in SERVERS:
        if server.name in failures:
            done.failures[server.key] = failures[server.name]
        else:
            done.plans[server.key] = Plan(server.label, NEW)
    return done


def test_every_failure_is_named_and_what_was_done_is_told() -> None:
    with pytest.raises(ServiceError) as failed:
        readiness.servers_result(converged(a=REFUSED, b=DENIED))
    message = failed.value.message()
    assert message.startswith("converge MCP servers: 2 of 3 MCP servers failed, the others were dealt with")
    assert "1. MCPServer mcp/a: Service/a: exists and belongs to" in message
    assert "2. apply MCPServer mcp/b: denied by policy (Forbidden)." in message
    assert "Nothing was changed" not in message
    result = failed.value.to_result()
    assert result["changed"]
    assert [(row["name"], row["changed"], "error" in row) for row in result["servers"]] == [
        ("a", False, True),
        ("b", False, True),
        ("c", True, False),
    ]


def test_a_refused_server_beside_others_is_not_told_as_if_nothing_had_been_changed() -> None:
    with pytest.raises(ServiceError) as failed:
        readiness.servers_result(converged(a=REFUSED))
    assert "1 of 3 MCP servers failed, the others were dealt with" in failed.value.message()
    assert "Nothing was changed" not in failed.value.message()


@pytest.mark.parametrize("failures", [{"a": REFUSED}, {"a": REFUSED, "b": DENIED}, {"b": DENIED}])
def test_what_differs_of_the_others_is_shown_beside_the_failure(failures: dict[str, Failure]) -> None:
    with pytest.raises(Failure) as failed:
        readiness.servers_result(converged(**failures))
    shown = failed.value.to_result(diff_mode=True)["diff"]
    assert [one["after_header"] for one in shown] == [f"MCPServer mcp/{name}" for name in "abc" if name not in failures]
    assert "diff" not in failed.value.to_result()
    row = {**failed.value.to_result(diff_mode=True), "host": "h", "module": "mcpops.platform.mcp_server", "task": "t"}
    [host] = drift_report.hosts_of([row], ["h"], {}, ["h"])
    assert [item.object for item in host.differences] == [one["after_header"] for one in shown]
    assert host.state == drift_report.FAILED and host.message


def test_a_single_failure_speaks_for_itself() -> None:
    with pytest.raises(ServiceError) as failed:
        readiness.servers_result(converged(b=DENIED))
    assert failed.value is DENIED
    assert failed.value.to_result()["changed"]


def test_servers_that_do_not_run_are_told_in_one_piece() -> None:
    reason = Reason("Pod mcp/a-1 container mcp-server", "Crashing", "is in CrashLoopBackOff")
    done = converged(a=NotReady("MCPServer mcp/a", [reason]), b=NotReady("MCPServer mcp/b", [reason]))
    done.waiting = NotReady("2 MCP servers (MCPServer mcp/a, MCPServer mcp/b)", [reason])
    with pytest.raises(NotReady) as failed:
        readiness.servers_result(done)
    assert failed.value is done.waiting
    assert len([row for row in failed.value.values["servers"] if "error" in row]) == 2


def test_a_server_that_does_not_run_beside_one_that_was_refused() -> None:
    waiting = NotReady("MCPServer mcp/b", [Reason("Pod", "Crashing", "is in CrashLoopBackOff")])
    done = converged(a=REFUSED, b=waiting)
    done.waiting = waiting
    with pytest.raises(ServiceError, match="2 of 3 MCP servers failed"):
        readiness.servers_result(done)


def test_the_summary_names_what_changed() -> None:
    done = converged()
    done.policies[SERVERS[0].key] = Plan("NetworkPolicy mcp/a-callers", NEW)
    done.pruned = [{"name": "old", "namespace": "mcp", "changed": True, "pruned": True}]
    done.pruning = [Plan("MCPServer mcp/old", (Change("", {}, ABSENT),))]
    found = readiness.servers_result(done)
    assert found.changed
    assert [row["name"] for row in found.values["servers"]] == ["a", "b", "c", "old"]
    assert "NetworkPolicy mcp/a-callers" in found.msg
    assert "MCPServer mcp/old" in found.msg


@pytest.mark.parametrize(
    ("number", "words"), [(1, "MCPServer mcp/a: runs as declared"), (3, "3 MCP servers as declared")]
)
def test_nothing_changed(number: int, words: str) -> None:
    done = Converged(SERVERS[:number])
    done.plans.update({server.key: Plan(server.label) for server in SERVERS[:number]})
    found = readiness.servers_result(done)
    assert (found.changed, found.msg) == (False, words)


def test_a_policy_that_changed_is_a_change_of_its_server() -> None:
    done = Converged(SERVERS[:1])
    done.plans[SERVERS[0].key] = Plan("MCPServer mcp/a")
    done.policies[SERVERS[0].key] = Plan("NetworkPolicy mcp/a-callers", NEW)
    found = readiness.servers_result(done)
    assert found.changed
    assert found.values["servers"][0]["changed"]
