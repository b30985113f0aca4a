# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A WebSocket to the API server (RFC 6455), as far as channels of the kubelet need it: binary messages both ways.

Written with the standard library: the HTTP pool of the transport cannot give a connection away. Credentials, trust and
proxy are the transport's own.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import os
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.mcpops.platform.plugins.module_utils.deadlines import watch
from ansible_collections.mcpops.platform.plugins.module_utils.http import proxy_login
from ansible_collections.mcpops.platform.plugins.module_utils.intent import guard
from ansible_collections.mcpops.platform.plugins.module_utils.kube.transport import (
    CONNECT_SECONDS,
    Transport,
    proxy_for,
)

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MOST_BYTES = 4 * 1024 * 1024
"""The largest message that is taken; the kubelet sends 32 KiB."""


@dataclass
class NotUpgraded(Exception):
    """The API server answered something else; `body` is the beginning of what it said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class WebSocket:
    """An open one. Reads and writes end with TimeoutError after the time it was opened with."""

    def __init__(self, sock: Any, reader: Any) -> None:
        self._socket = sock
        self._reader = reader

    def send(self, message: bytes) -> None:
        self._frame(_BINARY, message)

    def receive(self) -> bytes:
        """The next message; ConnectionError at the end."""
        message = b""
        while True:
            final, kind, content = self._read()
            if kind == _CLOSE:
                raise ConnectionError("the connection was closed")
            if kind == _PING:
                self._frame(_PONG, content)
            elif kind in (_BINARY, _TEXT, _CONTINUED):
                message += content
                if len(message) > MOST_BYTES:
                    raise ConnectionError("a message is too large")
                if final:
                    return message

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._frame(_CLOSE, struct.pack(">H", 1000))
        self._reader.close()
        self._socket.close()

    def _frame(self, kind: int, content: bytes) -> None:
        size = len(content)
        if size < 126:
            head = struct.pack(">BB", 0x80 | kind, 0x80 | size)
        elif size < 65536:
            head = struct.pack(">BBH", 0x80 | kind, 0x80 | 126, size)
        else:
            head = struct.pack(">BBQ", 0x80 | kind, 0x80 | 127, size)
        mask = os.urandom(4)
        self._socket.sendall(head + mask + _masked(content, mask))

    def _read(self) -> tuple[bool, int, bytes]:
        first, second = self._exactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._exactly(8))
        if size > MOST_BYTES:
            raise ConnectionError("a message is too large")
        mask = self._exactly(4) if second & 0x80 else b""
        content = self._exactly(size)
        return bool(first & 0x80), first & 0x0F, _masked(content, mask) if mask else content

    def _exactly(self, size: int) -> bytes:
        found = self._reader.read(size)
        if len(found) < size:
            raise ConnectionError("the connection ended")
        return bytes(found)


def connect(transport: Transport, check_mode: bool, target: str, protocol: str, timeout: float) -> WebSocket:
    """A WebSocket at path and query of the API server; NotUpgraded with its answer where it refuses."""
    url = transport.access.server + target
    guard(check_mode, "kubernetes", "GET", url)
    parts = urlsplit(url)
    sock = _connected(transport, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), timeout)
    try:
        key = base64.b64encode(os.urandom(16)).decode()
        headers = [
            ("Host", parts.netloc),
            # the routes of upgrades have no representation, and "Accept: application/json" is refused with 406
            *((name, value) for name, value in transport.identity.items() if name.lower() != "accept"),
            ("Accept", "*/*"),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Protocol", protocol),
        ]
        place = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"GET {place} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        sock.sendall("\r\n".join(lines).encode("latin-1"))
        reader = sock.makefile("rb")
        _upgraded(reader, key)
        return WebSocket(sock, reader)
    except BaseException:
        sock.close()
        raise


def _connected(transport: Transport, host: str, port: int, timeout: float) -> Any:
    proxy = proxy_for(transport.access, os.environ) or ""
    between = urlsplit(proxy)
    if between.scheme not in ("http", ""):
        raise ConnectionError(f"port forwarding does not pass a proxy of the kind {between.scheme}")
    first = (between.hostname or "", between.port or 80) if proxy else (host, port)
    sock: Any = socket.create_connection(first, min(CONNECT_SECONDS, timeout))
    try:
        # from the first byte on: the answer of a proxy may drip as well
        watch(sock)
        if proxy:
            _tunnel(sock, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", proxy_login(proxy))
        if transport.ssl_context is not None:
            sock = transport.ssl_context.wrap_socket(sock, server_hostname=transport.access.tls_server_name or host)
        sock.settimeout(timeout)
    except BaseException:
        sock.close()
        raise
    return sock


def _tunnel(sock: Any, place: str, login: Mapping[str, str]) -> None:
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}", *(f"{name}: {value}" for name, value in login.items())]
    sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
    with http.client.HTTPResponse(sock, method="CONNECT") as answer:
        answer.begin()
        if answer.status != 200:
            raise ConnectionError(f"Tunnel connection failed: {answer.status} {answer.reason}")


def _upgraded(reader: Any, key: str) -> None:
    line = reader.readline(8192).decode("latin-1").split(None, 2)
    if len(line) < 2 or not (line[1].isascii() and line[1].isdigit()):
        raise ConnectionError("the answer is not HTTP")
    headers = {name.lower(): value for name, value in http.client.parse_headers(reader).items()}
    wanted = base64.b64encode(hashlib.sha1((key + _MAGIC).encode()).digest()).decode()
    if int(line[1]) != 101 or headers.get("sec-websocket-accept") != wanted:
        size = headers.get("content-length", "")
        known = size.isascii() and size.isdigit()
        raise NotUpgraded(int(line[1]), headers, reader.read(min(int(size[:6]), 65536)) if known else b"")


def _masked(content: bytes, mask: bytes) -> bytes:
    """RFC 6455, 5.3; as one large number, because a loop over bytes takes a second for a megabyte."""
    size = len(content)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(content, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
