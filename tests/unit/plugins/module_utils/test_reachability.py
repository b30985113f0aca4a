# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for a declared address, and what is said of services that do not answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.reachability import (
    address_of,
    address_problems,
    unreachable,
)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://charts.example.com/stable", "https://charts.example.com/stable"),
        ("oci://ghcr.io/kagent-dev/kmcp/helm", "https://ghcr.io/v2/"),
        ("oci://localhost:5000/charts", "https://localhost:5000/v2/"),
        ("ghcr.io/a/b:1.2", "https://ghcr.io/v2/"),
        ("localhost:5000/a", "https://localhost:5000/v2/"),
        ("registry:5000/a@sha256:" + "a" * 64, "https://registry:5000/v2/"),
        ("mcp/echo:1", "https://registry-1.docker.io/v2/"),
        ("nginx", "https://registry-1.docker.io/v2/"),
        ("docker.io/library/nginx:1", "https://registry-1.docker.io/v2/"),
        ("oci://docker.io/bitnamicharts/redis", "https://registry-1.docker.io/v2/"),
        ("./charts/own", ""),
        ("/charts/own", ""),
        ("not an address", ""),
    ],
)
def test_what_is_asked(text: str, url: str) -> None:
    assert address_of(text) == url
    assert bool(list(address_problems("o", [text]))) is not url


@pytest.mark.parametrize("text", ["https://", "oci:///charts", "two words"])
def test_what_names_nothing_is_refused(text: str) -> None:
    (found,) = address_problems("endpoints", [text, text])
    assert found.path == "endpoints" and repr(text) in found.message


class Refusing(BaseHTTPRequestHandler):
    """An answer that says no."""

    def do_HEAD(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def served() -> Iterator[tuple[str, list[str]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", server.asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silent() -> Iterator[str]:
    """A service that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_refusal_is_an_answer_and_each_is_asked_once() -> None:
    with served() as (url, asked):
        assert unreachable([f"{url}/v2/", f"{url}/v2/", f"{url}/x"], environ={}) == {}
        assert sorted(asked) == ["/v2/", "/x"]


def test_all_that_do_not_answer_are_told_with_their_reason() -> None:
    refused = closed()
    with silent() as url, served() as (fine, _asked):
        found = unreachable(
            [url, refused, fine, "http://nowhere.invalid/"],
            seconds=0.5,
            environ={},
        )
    assert found == {
        url: "does not answer within 0.5 s",
        refused: "refuses connections",
        "http://nowhere.invalid/": "has a name that does not resolve",
    }


def test_a_proxy_of_the_environment_is_asked_and_named_without_its_login() -> None:
    proxy = closed()
    environ = {"http_proxy": proxy.replace("//", "//me:secret@"), "no_proxy": "127.0.0.1"}
    with served() as (url, asked):
        found = unreachable(["http://service.example/", url], environ=environ)
        assert asked == ["/"]
    (reason,) = found.values()
    assert reason == f"refuses connections through the proxy {proxy}"
    assert "secret" not in reason
