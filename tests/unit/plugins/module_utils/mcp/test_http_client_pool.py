# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are not read to their end do not use up the connections to the API server."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

from ansible_collections.mcpops.platform.plugins.module_utils.kube import sdk
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import http_client


class Streams(BaseHTTPRequestHandler):
    """A stream of events that goes on after the answer."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"6\r\ndata: \r\n")

    def log_message(self, *_arguments: Any) -> None: ...


def test_many_streams_that_are_left_early_pass_a_pool_of_two() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Streams)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    pool = urllib3.HTTPConnectionPool("127.0.0.1", server.server_port, maxsize=2, block=True)
    try:
        for _number in range(6):
            answer = pool.urlopen("POST", "/", body=b"{}", preload_content=False, pool_timeout=2, retries=False)
            assert answer.read(1)
            http_client._release(answer)
    finally:
        pool.close()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("attributes", "found"), [({"read1": None}, ""), ({}, "urllib3 is 2.0.7, and 2.2 is the oldest")]
)
def test_a_library_that_cannot_read_an_answer_as_it_comes_is_named(attributes: dict[str, Any], found: str) -> None:
    library = SimpleNamespace(HTTPResponse=type("HTTPResponse", (), attributes), __version__="2.0.7")
    assert sdk.too_old(library).startswith(found) and bool(sdk.too_old(library)) == bool(found)
    assert sdk.MISSING == {}
