# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of real servers and of things that are none, byte by byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import legacy, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered, refusal

ANSWERS = Path(__file__).parent / "answers"
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream; charset=utf-8"}
HTML = {"content-type": "text/html; charset=utf-8"}


def recorded(name: str) -> bytes:
    return (ANSWERS / name).read_bytes()


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_the_answer_is_found_in_a_stream_however_it_is_cut(size: int, ends: bytes) -> None:
    body = recorded("initialize.sse").replace(b"\n", ends)
    result = protocol.read_answer(Reply(200, SSE, cut(body, size)), 1)
    assert result["serverInfo"] == {"name": "echo-mcp", "version": "1.0.0"}
    assert legacy.negotiated(result) == "2025-06-18"


@pytest.mark.parametrize("size", [1, 2, 100_000])
def test_a_byte_order_mark_before_a_stream_is_no_part_of_it(size: int) -> None:
    first = b'data: {"jsonrpc":"2.0","id":1,"result":{"n":"\xef\xbb\xbf"}}\n\n'
    result = protocol.read_answer(Reply(200, SSE, cut(b"\xef\xbb\xbf" + first, size)), 1)
    assert result == {"n": "\ufeff"}
    # only the first: a second one makes a field that nobody knows
    with pytest.raises(Unanswered):
        protocol.read_answer(Reply(200, SSE, cut(b"\xef\xbb\xbf" * 2 + first, size)), 1)


def test_reading_a_stream_stops_at_the_answer_even_if_the_stream_stays_open() -> None:
    def endless():  # type: ignore[no-untyped-def]
        yield recorded("initialize.sse")
        raise AssertionError("read on after the answer")

    assert protocol.read_answer(Reply(200, SSE, endless()), 1)["protocolVersion"] == "2025-06-18"


def test_a_json_answer_and_a_batch_are_understood() -> None:
    message = {"jsonrpc": "2.0", "id": 4, "result": {"tools": [{"name": "echo"}]}}
    other = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}
    for body in (message, [other, message]):
        result = protocol.read_answer(Reply(200, JSON, [json.dumps(body).encode()]), 4)
        assert result == {"tools": [{"name": "echo"}]}


def test_text_of_an_answer_leaves_pictures_out() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image", "data": "AA=="}, {"type": "text", "text": "b"}]
    assert protocol.answer_text({"content": content}) == "a\nb"


UNAUTHORIZED = b'{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","code":401}'
RPC_ERROR = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool"}}'
NO_ENDPOINTS = recorded("proxy-no-endpoints.json")
REFUSED = recorded("proxy-refused.json")
FORBIDDEN = recorded("proxy-forbidden.json")
NO_SERVICE = recorded("proxy-no-service.json")

# what came → (code, words of the message, words of the hint, does waiting not help?)
VERDICTS = {
    "plain text": (
        200,
        {"content-type": "text/plain"},
        b"Hello\n",
        "NotMcp",
        "text/plain, not MCP: Hello",
        "port",
        True,
    ),
    "a web page": (200, HTML, b"<html>Sign in</html>", "NotMcp", "text/html", "web page", True),
    "other json": (200, JSON, b'{"status":"ok"}', "NotMcp", "not JSON-RPC 2.0", "path", True),
    "broken json": (200, JSON, b"{", "NotMcp", "not JSON", "path", True),
    "accepted and silent": (202, {}, b"", "NotMcp", "answered nothing (HTTP 202)", "", True),
    "stream without answer": (200, SSE, b": ping\n\n", "NoAnswer", "without a reply", "stream", False),
    "json-rpc error": (200, JSON, RPC_ERROR, "InvalidParams", "Unknown tool (-32602)", "arguments", True),
    "wrong path": (404, {"content-type": "text/plain"}, b"Not Found", "PathNotFound", "HTTP 404", "/mcp", True),
    "older transport": (405, {}, b"Method Not Allowed", "MethodNotAllowed", "no POST", "/sse", True),
    "accept dropped": (406, JSON, b"{}", "NotAcceptable", "HTTP 406", "Accept", True),
    "content type changed": (415, {}, b"", "UnsupportedMediaType", "HTTP 415", "Content-Type", True),
    "bound to localhost": (421, {}, b"Invalid Host header", "Misdirected", "Invalid Host", "0.0.0.0", True),
    "redirect": (307, {"location": "https://x/mcp"}, b"", "Redirect", "to https://x/mcp", "slash", True),
    "login wanted": (401, {}, b"", "Unauthorized", "HTTP 401", "headers", True),
    "the API server wants another login": (
        401,
        JSON,
        UNAUTHORIZED,
        "ApiUnauthorized",
        "API server",
        "kubeconfig",
        True,
    ),
    "too busy": (429, {}, b"", "Busy", "slow down", "", False),
    "crashed inside": (500, {}, b"<html>Oops</html>", "ServerError", "it failed (HTTP 500)", "log", False),
    "no ready pods": (503, JSON, NO_ENDPOINTS, "NoEndpoints", "no ready pods", "describe pods", False),
    "nothing listens": (503, JSON, REFUSED, "ConnectionRefused", "nothing listens", "spec.deployment.port", False),
    "no right to proxy": (403, JSON, FORBIDDEN, "ProxyForbidden", "may not reach", "services/proxy", True),
    "no service": (404, JSON, NO_SERVICE, "NoService", "no Service", "KMCP", False),
    "proxy, as text": (502, {}, b"error trying to reach service: EOF", "NotHttp", "closed the connection", "", False),
}


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "message", "hint", "terminal"), VERDICTS.values(), ids=VERDICTS
)
def test_what_came_instead_of_an_answer_is_named(
    status: int, headers: dict[str, str], body: bytes, code: str, message: str, hint: str, terminal: bool
) -> None:
    with pytest.raises(Unanswered) as caught:
        protocol.read_answer(Reply(status, headers, [body], through_api_server=True), 1)
    verdict = caught.value
    assert (verdict.code, verdict.terminal) == (code, terminal)
    assert message in verdict.reason
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, UNAUTHORIZED, "Unauthorized"),
        (403, FORBIDDEN, "Forbidden"),
        (404, NO_SERVICE, "PathNotFound"),
        (503, NO_ENDPOINTS, "Unavailable"),
        (502, b"error trying to reach service: EOF", "BadGateway"),
    ],
)
@pytest.mark.parametrize("read", [lambda reply: protocol.read_answer(reply, 1), protocol.read_acknowledgement])
def test_a_server_that_is_asked_itself_cannot_speak_as_the_api_server(
    read: Callable[[Reply], object], status: int, body: bytes, code: str
) -> None:
    with pytest.raises(Unanswered) as caught:
        read(Reply(status, JSON, [body]))
    assert (caught.value.code, caught.value.status) == (code, status)


def test_ten_megabytes_are_not_read_to_their_end() -> None:
    read = 0

    def chunks():  # type: ignore[no-untyped-def]
        nonlocal read
        for _chunk in range(160):
            read += 65536
            yield b"x" * 65536

    with pytest.raises(Unanswered) as caught:
        protocol.read_answer(Reply(200, JSON, chunks()), 1)
    assert caught.value.code == "Oversize"
    assert "1024 KiB" in caught.value.reason
    assert read <= protocol.MAX_ANSWER_BYTES + 65536


def test_an_unknown_version_names_what_both_sides_speak() -> None:
    with pytest.raises(Unanswered) as caught:
        legacy.negotiated({"protocolVersion": "2031-01-01"})
    assert caught.value.code == "ProtocolVersion"
    assert "2031-01-01" in caught.value.reason
    assert "2025-06-18" in caught.value.reason


def test_foreign_text_cannot_write_to_the_terminal() -> None:
    with pytest.raises(Unanswered) as caught:
        protocol.read_answer(Reply(200, {"content-type": "text/plain"}, [b"\x1b[2Jgone\nline two" + b"y" * 5000]), 1)
    assert "\x1b" not in caught.value.reason
    assert len(caught.value.reason) < 300


# where a redirect leads → what is shown of it
LOCATIONS = {
    "https://u:p@ss@x.example/mcp/?code=secret": "https://x.example/mcp/",
    "https://x.example/cb#access_token=secret": "https://x.example/cb",
    "//secret@x.example/mcp": "//x.example/mcp",
    "/cb#token=secret?x": "/cb",
    "/@scope/mcp": "/@scope/mcp",
    "https://x.example/@scope/mcp": "https://x.example/@scope/mcp",
}


@pytest.mark.parametrize(("location", "shown"), LOCATIONS.items())
def test_a_redirect_shows_no_secrets_of_its_address(location: str, shown: str) -> None:
    assert refusal(307, {"location": location}, b"").reason == f"it redirects elsewhere to {shown} (HTTP 307)"
