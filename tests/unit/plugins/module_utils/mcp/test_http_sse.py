# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of the first transport, whose answers all come over one stream."""

from __future__ import annotations

from typing import Any

import pytest
from support import mcp_played as played
from support.mcp_played import Asked, over_http
from support.port_forwarding import Handler, api_server
from unit.plugins.module_utils.mcp.test_observe import failed
from unit.plugins.module_utils.mcp.test_port_forward import port

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import cluster_access, http_client
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

# what a stream names; {here} is its own origin, {there} another one that listens
ELSEWHERE = (
    "http://elsewhere.example/messages",
    "//elsewhere.example/m",
    "{here}//{there}/steal",
    "{here}/\\{there}/steal",
    "{here}/%2F{there}/steal",
    "{here}/../../../api/v1/secrets",
    "{here}/m/%2e%2e/%252E./x",
    "http://[::1/m",
)


@pytest.mark.parametrize("reference", ELSEWHERE)
def test_requests_do_not_go_to_another_origin(reference: str) -> None:
    stolen: list[Asked] = []
    seen: list[Asked] = []
    with over_http(played.speaks_legacy, stolen) as other:

        def server(asked: Asked) -> Reply:
            if asked.http == "GET":
                named = reference.format(here=f"http://{asked.headers['Host']}", there=f"127.0.0.1:{port(other)}")
                return Reply(
                    200, {"content-type": "text/event-stream"}, [f"event: endpoint\ndata: {named}\n\n".encode()]
                )
            return played.text(405, "Method Not Allowed")

        with over_http(server, seen) as url:
            failure = failed(url=url, headers={"Authorization": "Bearer of-the-user"})
    assert not stolen
    assert [asked.http for asked in seen] == ["POST", "POST", "GET"]
    assert failure.reasons[0].code == "ForeignAddress"


@pytest.mark.parametrize(
    "path", ["//elsewhere.example/m", "/../m", "https://elsewhere.example/m", "@elsewhere.example"]
)
def test_no_path_of_an_exchange_leads_to_another_server(path: str) -> None:
    opened: list[str] = []

    def opener(address: str) -> Any:
        opened.append(address)

    exchange = http_client.url_exchange("https://a.example/sse?x=1", opener, 1.0)
    with pytest.raises(Unanswered):
        exchange.at(path)
    exchange.at("/m?s=1")
    assert opened == ["https://a.example/sse?x=1", "https://a.example/m?s=1"]


# what answers for the stream, after a POST that was refused → what is said of it
STREAMS = {
    "login": (played.text(401, "no token"), "Unauthorized"),
    "forbidden": (played.text(403, "not you"), "Forbidden"),
    "flood": (Reply(200, {"content-type": "text/event-stream"}, [b"x" * 65536] * 80), "Oversize"),
    "no stream": (played.text(404, "Not Found"), "MethodNotAllowed"),
    "another answer": (played.text(200, "hello"), "MethodNotAllowed"),
}


@pytest.mark.parametrize(("stream", "code"), STREAMS.values(), ids=STREAMS)
def test_what_a_stream_says_beyond_its_absence_is_reported(stream: Reply, code: str) -> None:
    def server(asked: Asked) -> Reply:
        return stream if asked.http == "GET" else played.text(405, "Method Not Allowed")

    with over_http(server) as url:
        assert failed(url=url).reasons[0].code == code


class Api(Handler):
    """An API server that passes requests on to a Service whose stream names an address of the API server's own."""

    reference: str
    asked: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append(self.path)
        self.plain(405, "Method Not Allowed")

    def do_GET(self) -> None:
        if "/proxy" not in self.path:
            super().do_GET()
            return
        content = f"event: endpoint\ndata: {self.reference}\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())


@pytest.mark.parametrize("dots", ["..", "%2e%2E", ".%2e", "%252e%252e"])
def test_requests_through_the_api_server_stay_in_the_proxy(dots: str) -> None:
    asked: list[str] = []
    up = "/".join([dots] * 7)
    named = f"http://echo.mcp:3000/{up}/api/v1/namespaces/bank/services/vault:80/proxy/delete"
    with api_server({"echo-1": 1}, kind=type("Named", (Api,), {"reference": named, "asked": asked})) as connection:
        failure = failed(name="echo", namespace="mcp", **connection)
    assert asked and all(path == "/api/v1/namespaces/mcp/services/echo:3000/proxy/mcp" for path in asked)
    assert failure.reasons[0].code == "ForeignAddress"


# what comes behind the proxy's path, or stands for a pod in it
OUT_OF_THE_PROXY = {
    "dots": ("echo-1", "/../../../secrets"),
    "encoded dots": ("echo-1", "/%2e%2e/x"),
    "encoded slash": ("echo-1", "/a%2f..%2f../x"),
    "no slash": ("echo-1", "x"),
    "pod": ("../../../bank/pods/vault", "/mcp"),
}


@pytest.mark.parametrize(("pod", "path"), OUT_OF_THE_PROXY.values(), ids=OUT_OF_THE_PROXY)
def test_no_path_leaves_the_proxy(pod: str, path: str) -> None:
    replica = cluster_access.Replica(pod, 3000)
    kube: Any = None
    with pytest.raises(Unanswered):
        cluster_access.service_proxy_opener(kube, lambda of: replica.path("mcp", of), path, {})
    own = cluster_access.Replica("echo-1", 3000)
    assert cluster_access.service_proxy_opener(kube, lambda of: own.path("mcp", of), "/messages/?s=/../", {})


# where the stream is, what it names → where requests go; None: to another origin
PLACES = {
    ("https://a.example/sse", "/messages/?session_id=1"): "/messages/?session_id=1",
    ("https://a.example/x/sse", "messages?s=1"): "/x/messages?s=1",
    ("https://a.example/sse", "https://a.example/m"): "/m",
    ("https://a.example/sse", "http://a.example/m"): None,
    ("https://a.example/sse", "https://a.example:8443/m"): None,
    ("https://a.example/x/sse", "../m"): "/m",
    ("https://a.example/sse", "/grüße?s=ü"): "/gr%C3%BC%C3%9Fe?s=%C3%BC",
}


@pytest.mark.parametrize(("place", "path"), PLACES.items(), ids=lambda item: str(item))
def test_the_address_of_requests_is_relative_to_the_stream(place: tuple[str, str], path: str | None) -> None:
    if path is not None:
        assert http_client.endpoint_path(*place) == path
        return
    with pytest.raises(Unanswered) as caught:
        http_client.endpoint_path(*place)
    assert "another origin" in caught.value.reason


def test_a_stream_without_an_address_is_not_one() -> None:
    def server(asked: Asked) -> Reply:
        if asked.http == "GET":
            return Reply(200, {"content-type": "text/event-stream"}, [b"data: hello\n\n"])
        return played.text(404, "Not Found")

    with over_http(server) as url:
        assert failed(url=url).reasons[0].code == "PathNotFound"
