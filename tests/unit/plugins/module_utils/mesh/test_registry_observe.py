# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry that ends at its start says of its database: gone in a moment, or wrong for good."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_observe import (
    Registry,
    ask_registry,
    awaits_database,
    database_complaint,
    is_awaited,
)

START = """\
2026-11-30 16:56:18 INFO     Starting MCP Mesh Registry Service | Log Level: INFO | Debug Mode: disabled
2026-11-30 16:56:18 INFO     Initializing database: postgres://mcpmesh:********@db:5432/mcpmesh?sslmode=disable
2026-11-30 16:56:18 ERROR    Failed to initialize database: failed to ping database: {}
"""
AWAITED = (
    "dial tcp 10.0.0.7:5432: connect: connection refused",
    "dial tcp: lookup db.mesh on 10.96.0.10:53: no such host",
    "dial tcp 10.0.0.7:5432: i/o timeout",
    "pq: the database system is starting up",
    "read tcp 10.0.0.1:4->10.0.0.7:5432: read: connection reset by peer",
)
WRONG = (
    'pq: password authentication failed for user "mcpmesh"',
    'pq: database "mesh" does not exist',
    "pq: SSL is not enabled on the server",
    'pq: no pg_hba.conf entry for host "10.0.0.1", user "m", database "m", no encryption',
)


@pytest.mark.parametrize("stated", AWAITED)
def test_a_database_that_starts_is_awaited(stated: str) -> None:
    complaint = database_complaint(START.format(stated))
    assert complaint.endswith(stated)
    assert is_awaited(complaint)
    assert awaits_database([looping(START.format(stated))])


@pytest.mark.parametrize("stated", WRONG)
def test_what_is_wrong_for_good_is_told_at_once(stated: str) -> None:
    complaint = database_complaint(START.format(stated))
    assert complaint.endswith(stated)
    assert not is_awaited(complaint)
    assert not awaits_database([looping(START.format(stated))])


def looping(log: str, code: str = "CrashLoop") -> Reason:
    return Reason("Pod mesh/registry-0 container registry", code, f"is in CrashLoopBackOff:\n{log}", "", True)


def test_only_the_database_is_awaited() -> None:
    starting = looping(START.format(AWAITED[0]))
    assert not awaits_database([])
    assert not awaits_database([looping("panic: no such host in the table of hosts")])
    assert not awaits_database([looping(START.format(AWAITED[0]), "ImagePull")])
    assert not awaits_database([starting, looping("", "ImagePull")])
    assert not awaits_database([starting, looping(START.format(WRONG[0]))])
    # what is only on its way says nothing against it
    assert awaits_database([starting, Reason("Pod mesh/registry-1", "Starting", "pulls its image")])
    assert database_complaint("INFO  all is well") == ""


class Late:
    """An API server that passes a question on to a registry which says nothing."""

    def __init__(self, stated: str) -> None:
        self.stated = stated

    def request(self, *_args: Any, **_options: Any) -> Any:
        raise ServiceError("ask", f"cluster unreachable: https://10.0.0.1 {self.stated}", code="Unreachable")


def test_a_registry_that_does_not_answer_in_time_is_no_lost_cluster() -> None:
    late: Any = Late("did not answer in time (address from /k)")
    answer = ask_registry(late, Registry("mesh"))
    assert answer.silence is not None
    assert (answer.silence.code, answer.agents) == ("RegistryNotReady", ())
    lost: Any = Late("refuses connections")
    with pytest.raises(ServiceError):
        ask_registry(lost, Registry("mesh"))


def test_a_pod_is_asked_beside_its_service() -> None:
    assert Registry("mesh").agents_path.endswith("/services/http:mcp-mesh-registry:8000/proxy/agents")
    assert Registry("mesh", pod="r-0").agents_path.endswith("/pods/http:r-0:8000/proxy/agents")
    # 3.7.1 answers 400 for any path that does not begin with /mcp/
    assert "/proxy/proxy/10.0.0.1:8080/mcp/" in Registry("mesh").way_to("http://10.0.0.1:8080")
