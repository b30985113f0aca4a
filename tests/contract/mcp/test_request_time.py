# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of one request ends, whatever a server sends to keep it going."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from support import mcp_played as played
from support.mcp_exchange import exchange_to
from support.mcp_played import Asked, Played, accepting, as_events, as_json, over_http, result
from support.port_forwarding import api_server
from unit.plugins.module_utils.mcp.test_observe import failed
from unit.plugins.module_utils.mcp.test_port_forward import port

from ansible_collections.mcpops.platform.plugins.module_utils.kube import transport as websocket
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import conversation
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.cluster_access import Replica
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.observe import ProbeSettings, Reach, observe
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import targets_from
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Watchdog

SECONDS = 0.6
PAUSE = 0.1
# what comes at once → what comes for ever, a piece every PAUSE
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
DRIPS: dict[str, tuple[bytes, bytes]] = {
    "status line": (b"", b"H"),
    "header": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "provisional answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "size of a chunk": (CHUNKED, b"0"),
    "trailers": (CHUNKED + b"0\r\n", b"X-A: b\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b" "),
}


# A client that ends with its time is gone after six; the server counts, so that a busy machine delays both.
MOST_PIECES = 30


@contextmanager
def dripping(first: bytes, rest: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server and what it has sent so far."""
    over = threading.Event()
    sent: list[bytes] = []

    def drip(taken: socket.socket) -> None:
        with taken, contextlib.suppress(OSError):
            taken.recv(65536)
            for piece in itertools.chain([first], itertools.repeat(rest)):
                taken.sendall(piece)
                sent.append(piece)
                if over.wait(PAUSE):
                    return

    with accepting(drip) as url:
        yield url, sent
        over.set()


PROXY_HEADERS = (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n")


def test_a_proxy_that_drips_before_the_connection_stands_ends_with_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with dripping(*PROXY_HEADERS) as (url, sent):
        monkeypatch.setenv("https_proxy", url)
        asking = exchange_to("https://mcp.example.com/mcp", timeout=SECONDS)
        with pytest.raises(Unanswered) as caught, asking("POST", {}, b"{}"):
            pass
        assert caught.value.code == "Timeout" and len(sent) < MOST_PIECES


def test_so_does_one_before_a_forwarded_port() -> None:
    with dripping(*PROXY_HEADERS) as (url, sent), api_server({"echo-1": 1}) as connection:
        access = Access(server=connection["host"], proxy=url.removesuffix("/mcp"), origin="test")
        transport: Any = SimpleNamespace(access=access, identity={}, ssl_context=None)
        deadline = Watchdog(SECONDS)
        with deadline.watching(), pytest.raises((OSError, http.client.HTTPException)):
            websocket.connect_websocket(transport, False, "/portforward", "p", 30.0)
        deadline.end()
        assert len(sent) < MOST_PIECES


def test_a_server_that_wants_its_client_to_wait_gets_no_time_beyond_that_of_the_conversation() -> None:
    def server(asked: Asked) -> Reply:
        if asked.method == "tools/list":
            return Reply(200, {"content-type": "text/event-stream"}, [b"id: 1\nretry: 9000\ndata:\n\n"])
        return played.speaks_legacy(asked)

    started = time.monotonic()
    with over_http(server) as url:
        (reason,) = failed(url=url, era="legacy", timeout=0.2).reasons
    assert reason.code == "Timeout" and time.monotonic() - started < 5


def timers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


@pytest.mark.parametrize(("first", "rest"), DRIPS.values(), ids=DRIPS)
def test_what_only_drips_ends_with_the_time_of_the_request(first: bytes, rest: bytes) -> None:
    with dripping(first, rest) as (url, sent):
        asking = exchange_to(url, timeout=SECONDS)
        with pytest.raises(Unanswered) as caught, asking("POST", {}, b"{}") as reply:
            b"".join(reply.chunks)
        assert caught.value.code == "Timeout"
        assert len(sent) < MOST_PIECES
    for timer in timers():
        timer.join(1)
    assert not timers()


@pytest.mark.parametrize("name", ["header", "trailers"])
def test_it_ends_over_a_forwarded_port_as_well(name: str) -> None:
    with dripping(*DRIPS[name]) as (url, sent), api_server({"echo-1": port(url)}) as connection:
        options = {"name": "echo", "namespace": "mcp", "via": "port_forward", "era": "modern", "timeout": SECONDS}
        (reason,) = failed(**options, **connection).reasons
        assert reason.code == "Timeout" and len(sent) < 2 * MOST_PIECES


def test_a_connection_is_used_again_after_the_time_of_its_request() -> None:
    """The deadline of a request that was answered must not strike the next one."""
    taken: list[int] = []

    def serve(sock: socket.socket) -> None:
        taken.append(1)
        with sock, contextlib.suppress(OSError):
            while sock.recv(65536):
                time.sleep(0.3)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with accepting(serve) as url:
        asking = exchange_to(url, timeout=0.5)
        for _request in range(4):
            with asking("POST", {}, b"{}") as reply:
                assert b"".join(reply.chunks) == b"{}"
    assert len(taken) == 1


def asks_back(times: int) -> Callable[[Asked], Reply]:
    """Asks that often before it answers a call, and takes no reply in time."""

    def server(asked: Asked) -> Reply:
        if asked.method == "tools/call":
            pings = [{"jsonrpc": "2.0", "id": f"p{number}", "method": "ping"} for number in range(times)]
            return as_events(*pings, result(asked, content=[]))
        if "method" not in asked.message and asked.http == "POST":
            return Reply(202, {})
        return played.speaks_legacy(asked)

    return server


def replies(asked: list[Asked]) -> int:
    return sum(1 for one in asked if one.http == "POST" and "method" not in one.message)


def test_twenty_requests_of_a_server_are_answered_and_no_more() -> None:
    wire = Played(asks_back(20))
    with conversation.open_conversation(wire, era="legacy") as found:
        assert found.call("echo", {})["content"] == []
    assert replies(wire.asked) == 20
    wire = Played(asks_back(500))
    with conversation.open_conversation(wire, era="legacy") as found, pytest.raises(Unanswered) as caught:
        found.call("echo", {})
    assert (caught.value.code, caught.value.terminal) == ("EndlessRequests", True)
    assert replies(wire.asked) == 20


def test_replies_get_no_time_beyond_that_of_the_request() -> None:
    answering = asks_back(10)

    def slow_to_take(asked: Asked) -> Reply:
        if asked.http == "POST" and "method" not in asked.message:
            time.sleep(3 * SECONDS)
        return answering(asked)

    with over_http(slow_to_take) as url:
        exchange = exchange_to(url, timeout=SECONDS)
        with conversation.open_conversation(exchange, era="legacy") as found:
            started = time.monotonic()
            assert found.call("echo", {})["content"] == []
            # ten replies with a time of their own would take ten times that of the request
            assert time.monotonic() - started < 5 * SECONDS


def test_many_slow_pages_end_with_the_time_of_the_conversation() -> None:
    def server(asked: Asked) -> Reply:
        if asked.method == "tools/list":
            time.sleep(0.15)
            return as_json(result(asked, tools=[], nextCursor=str(time.monotonic())))
        return played.speaks_legacy(asked)

    started = time.monotonic()
    seen: list[Asked] = []
    with over_http(server, seen) as url:
        (reason,) = failed(url=url, era="legacy", timeout=0.5).reasons
    # its pages never end
    assert time.monotonic() - started < 20
    assert reason.code == "Timeout" and "not over within 5 s (slow: tools/list" in reason.message
    assert seen[-1].http == "DELETE"


AskReplicas = Callable[[Callable[[Asked], Reply], ProbeSettings], dict[str, Any]]


@pytest.fixture
def ask_replicas() -> AskReplicas:
    """What is found out of twenty replicas that all answer as one server does."""

    def ask(server: Callable[[Asked], Reply], settings: ProbeSettings) -> dict[str, Any]:
        (target,) = targets_from({"name": "echo", "namespace": "mcp", "era": "legacy"})
        row: dict[str, Any] = {}
        with over_http(server) as url:
            reach = Reach(
                server=lambda timeout: exchange_to(url, timeout=timeout),
                pods=lambda: [Replica(f"echo-{number}", 3000) for number in range(20)],
                pod=lambda _replica, timeout: exchange_to(url, timeout=timeout),
            )
            observe(target, reach, settings, "", row)
        return row

    return ask


def test_many_slow_replicas_end_with_it_and_are_not_called_silent(ask_replicas: AskReplicas) -> None:
    def slow(asked: Asked) -> Reply:
        time.sleep(0.15)
        return played.speaks_legacy(asked, session="")

    started = time.monotonic()
    with pytest.raises(Unanswered) as caught:
        ask_replicas(slow, ProbeSettings(0.5))
    assert time.monotonic() - started < 9
    assert caught.value.code == "Timeout" and "its 20 replicas" in caught.value.reason


def test_replicas_are_asked_at_the_same_time_yet_not_all_of_them(ask_replicas: AskReplicas) -> None:
    most, now = 0, 0
    counting = threading.Lock()

    def slow(asked: Asked) -> Reply:
        nonlocal most, now
        with counting:
            now += 1
            most = max(most, now)
        time.sleep(0.1)
        with counting:
            now -= 1
        return played.speaks_legacy(asked, session="")

    row = ask_replicas(slow, ProbeSettings(5.0, replicas_at_once=6))
    assert row["replicas"]["answered"] == 20 and 4 <= most <= 6
