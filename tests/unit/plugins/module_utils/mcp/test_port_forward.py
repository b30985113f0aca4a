# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of the cluster whose headers the API server's proxy would keep: asked over a forwarded port."""

from __future__ import annotations

import contextlib
import socket
import threading
from base64 import b64encode
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from support import mcp_played as played
from support.mcp_played import Asked, accepting, as_json, over_http, result, text
from support.port_forwarding import TOKEN, api_server
from unit.plugins.module_utils.mcp.test_observe import failed, probed

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.http_terms import proxy_login
from ansible_collections.mcpops.platform.plugins.module_utils.kube import transport as websocket
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import cluster_access
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.cluster_access import Replica
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import targets_from
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

BEARER = {"Authorization": "Bearer of-the-server"}
ECHO: dict[str, Any] = {"name": "echo", "namespace": "mcp"}
LONG = "ü" * 20_000


def port(url: str) -> int:
    return int(urlsplit(url).port or 0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wants_token(asked: Asked) -> Reply:
    """Of both eras, and for who has the token; its tool says how it was reached."""
    if asked.headers.get("Authorization") != BEARER["Authorization"]:
        return text(401, "no token")
    if asked.method == "tools/call":
        stated = {"host": asked.headers["Host"], "sent": len(asked.params["arguments"]["text"])}
        return as_json(result(asked, content=[{"type": "text", "text": LONG}], structuredContent=stated))
    return played.speaks_modern(asked) if asked.modern else played.speaks_legacy(asked, session="")


def test_a_server_that_wants_a_token_gets_it() -> None:
    seen: list[Asked] = []
    call = {
        "tool": "echo",
        "arguments": {"text": "x" * 40_000},
        "expect_equals": LONG,
        "expect_json": [{"path": ".host", "value": "echo.mcp:3000"}, {"path": ".sent", "value": 40_000}],
    }
    with over_http(wants_token, seen) as url, api_server({"echo-1": port(url), "echo-2": port(url)}) as connection:
        [row] = probed(**ECHO, **connection, headers=BEARER, **call)["servers"]
    assert row["reachable"] and row["eras"] == ["modern", "legacy"]
    assert (row["replicas"]["ready"], row["replicas"]["answered"]) == (2, 2)
    assert not any(TOKEN in str(asked.headers) for asked in seen)


@pytest.mark.parametrize("path", ["/mcp/süd", "/mcp?region=süd", "/東京?a=%20b"])
def test_a_path_that_is_not_ascii_is_encoded(path: str) -> None:
    lines: list[str] = []

    def serve(sock: socket.socket) -> None:
        with sock:
            lines.append(sock.recv(65536).split(b"\r\n")[0].decode("ascii"))

    with accepting(serve) as url, api_server({"echo-1": port(url)}) as connection:
        failed(**ECHO, **connection, via="port_forward", path=path)
    assert lines[0] == f"POST {quote(path, safe='/?=%')} HTTP/1.1"


def test_a_proxy_gets_the_login_of_its_address_and_its_refusal_is_named() -> None:
    asked: list[bytes] = []

    def proxy(sock: socket.socket) -> None:
        with sock:
            asked.append(sock.recv(65536))
            sock.sendall(b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n")

    with accepting(proxy) as url:
        address = url.removesuffix("/mcp").replace("://", "://us%C3%A9r:p%40s%E2%82%ACs@")
        access = Access(server="http://api.example:6443", proxy=address, origin="test")
        assert proxy_login(address) == {"Proxy-Authorization": f"Basic {b64encode('usér:p@s€s'.encode()).decode()}"}
        transport: Any = SimpleNamespace(access=access, identity={}, ssl_context=None, renew=lambda: False)
        kube: Any = SimpleNamespace(transport=transport)
        send = cluster_access.port_forward_opener(
            kube, False, "mcp", "echo.mcp:3000", "/mcp", lambda: Replica("echo-1", 3000), {}
        )
        with pytest.raises(Unanswered) as caught:
            send("POST", {}, b"{}", 5.0)
    assert caught.value.code == "ProxyUnauthorized"
    first, *headers = asked[0].decode().split("\r\n")
    assert first == "CONNECT api.example:6443 HTTP/1.1"
    assert f"Proxy-Authorization: {proxy_login(address)['Proxy-Authorization']}" in headers


def test_a_way_through_a_proxy_leads_to_the_pod() -> None:
    def proxy(sock: socket.socket) -> None:
        head = sock.recv(65536)
        host, _colon, number = head.split(b" ")[1].decode().rpartition(":")
        there = socket.create_connection((host, int(number)))
        sock.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        threading.Thread(target=passed_on, args=(there, sock), daemon=True).start()
        passed_on(sock, there)

    with (
        over_http(wants_token) as url,
        accepting(proxy) as between,
        api_server({"echo-1": port(url)}) as connection,
    ):
        access = Access(server=connection["host"], proxy=between.removesuffix("/mcp"), origin="test")
        identity = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
        transport: Any = SimpleNamespace(access=access, identity=identity, ssl_context=None)
        kube: Any = SimpleNamespace(transport=transport)
        send = cluster_access.port_forward_opener(
            kube, False, "mcp", "echo.mcp:3000", "/mcp", lambda: Replica("echo-1", 3000), BEARER
        )
        answer = send("POST", {"MCP-Protocol-Version": played.MODERN}, b'{"id": 1, "method": "server/discover"}', 5.0)
        assert answer.status == 200 and b"supportedVersions" in answer.read1(65536)
        answer.close()


def passed_on(here: socket.socket, there: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := here.recv(65536):
            there.sendall(piece)


def test_the_token_is_refused_by_the_server_itself() -> None:
    with over_http(wants_token) as url, api_server({"echo-1": port(url)}) as connection:
        (reason,) = failed(**ECHO, **connection, headers={"Authorization": "Bearer expired"}).reasons
    assert reason.code == "Unauthorized" and "may be expired" in reason.hint


# what is in the way → (pods, whether it is forbidden, what else is said of the connection, code)
IN_THE_WAY: dict[str, tuple[dict[str, int], bool, dict[str, Any], str]] = {
    "no pod": ({}, False, {}, "NoEndpoints"),
    "nothing listens": ({"echo-1": 0}, False, {}, "ConnectionRefused"),
    "no right": ({"echo-1": 0}, True, {}, "ProxyForbidden"),
}


@pytest.mark.parametrize(("pods", "forbidden", "other", "code"), IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_is_in_the_way_is_named(pods: dict[str, int], forbidden: bool, other: dict[str, Any], code: str) -> None:
    pods = {pod: free_port() for pod in pods}
    with api_server(pods, forbidden) as connection:
        (reason,) = failed(**ECHO, **{**connection, **other}, headers=BEARER).reasons
    assert reason.code == code
    if forbidden:
        assert "pods/portforward" in reason.hint


@pytest.mark.parametrize(("status", "body"), [(406, b"Not Acceptable"), (401, b""), (502, b"<html>")])
def test_a_refusal_of_the_api_server_is_not_one_of_the_mcp_server(status: int, body: bytes) -> None:
    verdict = cluster_access.not_forwarded(websocket.NotUpgraded(status, {"content-type": "text/plain"}, body))
    assert verdict.code == "ProxyError" and f"HTTP {status}" in verdict.reason


def test_the_way_follows_from_the_headers() -> None:
    ways = [
        targets_from({**ECHO, "headers": headers})[0].via
        for headers in ({}, {"X-Key": "a"}, {"authorization": "a"}, {"Host": "a"}, {"Impersonate-User": "a"})
    ]
    assert ways == ["proxy", "proxy", "port_forward", "port_forward", "port_forward"]
    with pytest.raises(InvalidInput) as caught:
        targets_from({**ECHO, "via": "proxy", "headers": BEARER})
    assert "port_forward" in caught.value.message() and "of-the-server" not in caught.value.message()
