# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of the first transport, whose answers all come over one stream."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import mcp_played as played
from support.mcp_played import Asked, over_http
from support.port_forwarding import api_server
from unit.plugins.module_utils.mcp import servers
from unit.plugins.module_utils.mcp.test_observe import failed, probed
from unit.plugins.module_utils.mcp.test_port_forward import port

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import http_sse
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered


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
    assert failed(url=old, era="modern").reasons[0].code == "era_mismatch"


@pytest.mark.parametrize("reference", ["http://elsewhere.example/messages", "//elsewhere.example/m"])
def test_requests_do_not_go_to_another_origin(reference: str) -> None:
    def server(asked: Asked) -> Reply:
        if asked.http == "GET":
            return Reply(
                200, {"content-type": "text/event-stream"}, [f"event: endpoint\ndata: {reference}\n\n".encode()]
            )
        return played.text(405, "Method Not Allowed")

    seen: list[Asked] = []
    with over_http(server, seen) as url:
        (reason,) = failed(url=url, headers={"Authorization": "Bearer x"}).reasons
    assert reason.code == "method_not_allowed"
    assert [asked.http for asked in seen] == ["POST", "POST", "GET"]


# where the stream is, what it names → where requests go; None: to another origin
PLACES = {
    ("https://a.example/sse", "/messages/?session_id=1"): "/messages/?session_id=1",
    ("https://a.example/x/sse", "messages?s=1"): "/x/messages?s=1",
    ("https://a.example/sse", "https://a.example/m"): "/m",
    ("https://a.example/sse", "http://a.example/m"): None,
    ("https://a.example/sse", "https://a.example:8443/m"): None,
}


@pytest.mark.parametrize(("place", "path"), PLACES.items(), ids=lambda item: str(item))
def test_the_address_of_requests_is_relative_to_the_stream(place: tuple[str, str], path: str | None) -> None:
    if path is not None:
        assert http_sse.resolved(*place) == path
        return
    with pytest.raises(Unanswered) as caught:
        http_sse.resolved(*place)
    assert "another origin" in caught.value.reason


def test_a_stream_without_an_address_is_not_one() -> None:
    def server(asked: Asked) -> Reply:
        if asked.http == "GET":
            return Reply(200, {"content-type": "text/event-stream"}, [b"data: hello\n\n"])
        return played.text(404, "Not Found")

    with over_http(server) as url:
        assert failed(url=url).reasons[0].code == "path_not_found"
