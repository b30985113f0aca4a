# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of the SDK and of other processes over a forwarded port, and the transport of 2024."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import mcp_sdk as servers
from support.port_forwarding import api_server
from unit.plugins.module_utils.mcp.test_observe import failed, probed
from unit.plugins.module_utils.mcp.test_port_forward import BEARER, ECHO, port


@pytest.fixture(scope="module")
def old() -> Iterator[str]:
    with servers.serving(servers.over_http_sse()) as url:
        yield url.replace("/mcp", "/sse")


def test_a_server_of_the_sdk_answers(old: str) -> None:
    call = {"tool": "say", "arguments": {"text": "grüß dich"}, "expect_equals": "grüß dich"}
    [row] = probed(url=old, **call)["servers"]
    assert (row["era"], row["transport"], row["server_info"]["name"]) == ("legacy", "http_sse", "old")
    assert [tool["name"] for tool in row["tools"]] == ["say"]
    [again] = probed(url=old, era="legacy")["servers"]
    assert again["eras"] == ["legacy"]


def test_it_answers_over_a_forwarded_port(old: str) -> None:
    with api_server({"old-1": port(old)}) as connection:
        options = {"name": "old", "namespace": "mcp", "path": "/sse", "via": "port_forward"}
        [row] = probed(**options, **connection)["servers"]
    assert row["transport"] == "http_sse"


def test_the_era_is_told_from_the_transport(old: str) -> None:
    assert failed(url=old, era="modern").reasons[0].code == "EraMismatch"


@pytest.mark.parametrize("json_response", [True, False], ids=["json", "stream"])
def test_a_server_of_the_sdk_is_asked_in_the_same_way(json_response: bool) -> None:
    app = servers.echo(stateless=False, json_response=json_response)
    with servers.serving(app) as url, api_server({"echo-1": port(url)}) as connection:
        call = {"tool": "say", "arguments": {"text": "grüß dich"}, "expect": "grüß"}
        [row] = probed(**ECHO, **connection, via="port_forward", **call)["servers"]
    assert row["era"] == "legacy" and row["replicas"] == {"ready": 1, "answered": 1}


def test_a_pod_that_is_silent_ends_with_the_time() -> None:
    with servers.misbehaving("hang") as url, api_server({"echo-1": port(url)}) as connection:
        (reason,) = failed(**ECHO, **connection, headers=BEARER, timeout=1.0).reasons
    assert reason.code == "Timeout"


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    with servers.misbehaving("huge") as url, api_server({"echo-1": port(url)}) as connection:
        (reason,) = failed(**ECHO, **connection, headers=BEARER).reasons
    assert reason.code == "Oversize"
