# SPDX-License-Identifier: GPL-3.0-or-later
"""The way through the API server: whose a 401 is, and an API server that is between two lives."""

from __future__ import annotations

import io
import time
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import cluster_access, mcp_probe, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.http_client import HttpExchange
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import targets_from
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

STATUS = b'{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","code":401}'
GOOD = (200, b'{"jsonrpc":"2.0","id":1,"result":{}}')
OF_THE_SERVER = {
    "OAuth": b'{"error":"invalid_token"}',
    "JSON-RPC": b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Unauthorized"}}',
    "text": b"Unauthorized",
    "nothing": b"",
    "another Status": STATUS.replace(b'"message":"Unauthorized"', b'"message":"no tenant"'),
    "more than a Status": b"x" * 10_000,
}


class Cluster:
    """Answers one request after the other, and has a plugin for credentials."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)
        self.sent = self.renewed = 0
        self.transport = self
        self.server, self.access = "https://api", SimpleNamespace(origin="kubeconfig")

    def send(self, *_where: str, **_what: Any) -> urllib3.HTTPResponse:
        status, body = self.answers[self.sent]
        self.sent += 1
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        return urllib3.HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)

    def renew(self) -> bool:
        self.renewed += 1
        return True


def asked(cluster: Any) -> dict[str, Any]:
    opener = cluster_access.service_proxy_opener(cluster, "/proxy{}".format, "/mcp", {})
    exchange = HttpExchange(opener, 5.0, through_api_server=True)
    with exchange("POST", {}, protocol.request(1, "tools/call", {})) as reply:
        return protocol.read_answer(reply, 1)


@pytest.mark.parametrize("body", OF_THE_SERVER.values(), ids=OF_THE_SERVER)
def test_a_server_that_wants_a_login_is_asked_once(body: bytes) -> None:
    cluster = Cluster((401, body), GOOD)
    with pytest.raises(Unanswered) as caught:
        asked(cluster)
    assert (cluster.sent, cluster.renewed) == (1, 0)
    assert caught.value.code in ("Unauthorized", "ProxyError")


def test_what_a_server_says_of_its_login_is_read_to_its_end() -> None:
    body = b"the token of tenant 7 has expired" + b" " * 9000 + b"."
    with pytest.raises(Unanswered) as caught:
        asked(Cluster((401, body)))
    assert "the token of tenant 7 has expired" in caught.value.reason
    begun = cluster_access.StartedResponse(Cluster((401, body)).send(), 5.0)
    assert b"".join(iter(lambda: begun.read1(1000), b"")) == body and begun.status == 401


@pytest.mark.parametrize(
    ("address", "through"),
    [
        ({"name": "echo", "namespace": "mcp"}, True),
        ({"name": "echo", "namespace": "mcp", "via": "port_forward"}, False),
        ({"url": "https://mcp.example.com/mcp"}, False),
    ],
)
def test_only_proxies_of_the_api_server_are_ways_through_it(address: dict[str, str], through: bool) -> None:
    nobody: Any = Cluster()
    [target] = targets_from(address)
    reach = mcp_probe._connections(FakeTask({}), nobody)(target)  # type: ignore[arg-type]
    ways: list[Any] = [reach.server(5.0)]
    if reach.pod is not None:
        ways.append(reach.pod(cluster_access.Replica("echo-1", 3000), 5.0))
    for way in ways:
        assert all(found.through_api_server == through for found in (way, way.at("/sse"), way.lasting()))


def test_an_api_server_that_refuses_the_login_is_asked_again_with_a_fresh_one() -> None:
    cluster = Cluster((401, STATUS), GOOD)
    assert asked(cluster) == {}
    assert (cluster.sent, cluster.renewed) == (2, 1)


def test_an_api_server_that_refuses_the_fresh_login_too_is_named() -> None:
    cluster = Cluster((401, STATUS), (401, STATUS), GOOD)
    with pytest.raises(Unanswered) as caught:
        asked(cluster)
    assert caught.value.code == "ApiUnauthorized" and cluster.sent == 2


class Restarting(Cluster):
    """Breaks the connection of a call; `comes_back` is whether it answers when it is asked for itself."""

    def __init__(self, failure: Exception, comes_back: bool) -> None:
        super().__init__(GOOD)
        self.failure, self.comes_back, self.asked_for = failure, comes_back, []

    def send(self, *_where: str, **_what: Any) -> urllib3.HTTPResponse:
        self.sent += 1
        raise self.failure

    def request(self, method: str, path: str, **_options: Any) -> None:
        self.asked_for.append((method, path))
        if not self.comes_back:
            raise ServiceError("ask the MCP server", "cluster unreachable: https://api refuses connections")


TLS_ENDED = urllib3.exceptions.SSLError("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol")
BROKEN = {
    "TLS ends": TLS_ENDED,
    "no answer": urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset by peer")),
    "refused": urllib3.exceptions.NewConnectionError(SimpleNamespace(), "Connection refused"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("failure", BROKEN.values(), ids=BROKEN)
def test_an_api_server_that_comes_back_does_not_end_the_wait(failure: Exception) -> None:
    cluster = Restarting(failure, comes_back=True)
    with pytest.raises(Unanswered) as caught:
        asked(cluster)
    assert (caught.value.code, caught.value.terminal, cluster.sent) == ("CutOff", False, 1)
    assert "does not speak TLS" not in caught.value.reason
    assert cluster.asked_for == [("GET", "/version")]


@pytest.mark.parametrize("failure", BROKEN.values(), ids=BROKEN)
def test_an_api_server_that_stays_away_does(failure: Exception) -> None:
    with pytest.raises(ServiceError, match="refuses connections"):
        asked(Restarting(failure, comes_back=False))


def test_a_certificate_that_is_not_trusted_is_asked_once() -> None:
    cluster = Restarting(urllib3.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), comes_back=True)
    with pytest.raises(ServiceError, match="not trusted"):
        asked(cluster)
    assert cluster.asked_for == []


def test_a_call_that_is_broken_off_by_its_own_deadline_has_timed_out() -> None:
    """The watchdog shuts its connection down, which looks like an API server that hangs up."""

    class Late(Restarting):
        def send(self, *_where: str, **_what: Any) -> urllib3.HTTPResponse:
            time.sleep(0.2)
            return super().send()

    cluster = Late(BROKEN["no answer"], comes_back=True)
    opener = cluster_access.service_proxy_opener(cluster, "/proxy{}".format, "/mcp", {})  # type: ignore[arg-type]
    with pytest.raises(Unanswered) as caught, HttpExchange(opener, 0.1, through_api_server=True)("POST", {}, b"{}"):
        raise AssertionError("nothing answers")
    assert (caught.value.code, cluster.asked_for) == ("Timeout", [])
