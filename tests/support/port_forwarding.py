# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that knows one Service and forwards ports to its pods, as the kubelet does over a WebSocket.

It speaks the subprotocol v4.channel.k8s.io of pods/portforward: channel 0 data, channel 1 errors, each beginning with
the number of the port. Against a real one: tests/integration/mcp_probe.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TOKEN = "of-the-cluster"
PIECE = 3000
# what containerd says before the reason
SANDBOX = f'failed to execute portforward in network namespace "/var/run/netns/cni-{"0" * 160}"'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pods: Mapping[str, int]
    forbidden: bool

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.status(401, "Unauthorized")
        elif path.path.endswith("/endpointslices"):
            self.as_json(200, {"items": [endpoint_slice(self.pods)]})
        elif path.path.endswith("/portforward") and self.headers.get("Accept") != "*/*":
            # as its router does with the routes of upgrades
            self.plain(406, "406: Not Acceptable\n\nAvailable representations: ")
        elif path.path.endswith("/portforward"):
            self.forward(path.path.split("/")[-2], int(parse_qs(path.query)["ports"][0]))
        else:
            self.status(404, "the server could not find the requested resource")

    def forward(self, pod: str, port: int) -> None:
        if self.forbidden:
            stated = f'pods "{pod}" is forbidden: User "u" cannot create resource "pods/portforward" in API group ""'
            self.status(403, stated)
            return
        assert self.headers["Sec-WebSocket-Protocol"] == "v4.channel.k8s.io"
        accept = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + MAGIC).encode()).digest()
        self.send_response(101)
        for name, value in (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", base64.b64encode(accept).decode()),
            ("Sec-WebSocket-Protocol", "v4.channel.k8s.io"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        number = struct.pack("<H", port)
        for channel in (0, 1):
            self.frame(bytes([channel]) + number)
        try:
            pod_side = socket.create_connection(("127.0.0.1", self.pods[pod]), 5)
        except OSError as exc:
            self.frame(b"\x01" + f"error forwarding port {port} to pod {pod}, uid : {SANDBOX}: {exc}".encode())
            self.frame(struct.pack(">H", 1000), kind=0x8)
            return
        threading.Thread(target=self.answers, args=(pod_side,), daemon=True).start()
        while (message := self.message()) is not None:
            if message[:1] == b"\x00":
                pod_side.sendall(message[1:])
        pod_side.close()

    def answers(self, pod_side: socket.socket) -> None:
        """In small pieces, some of them in two frames, with a ping in between."""
        try:
            while piece := pod_side.recv(PIECE):
                self.frame(b"p", kind=0x9)
                half = len(piece) // 2
                self.frame(b"\x00" + piece[:half], final=False)
                self.frame(piece[half:], kind=0x0)
            self.frame(struct.pack(">H", 1000), kind=0x8)
        except OSError:
            pass

    def frame(self, content: bytes, kind: int = 0x2, final: bool = True) -> None:
        size = len(content)
        head = struct.pack(">BB", (0x80 if final else 0) | kind, size if size < 126 else 126)
        self.wfile.write(head + (struct.pack(">H", size) if size >= 126 else b"") + content)

    def message(self) -> bytes | None:
        """The next message with data, None at the end. A client must mask what it sends."""
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 0x0F == 0x8:
                return None
            assert head[1] & 0x80
            size = head[1] & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", self.rfile.read(2))
            mask = self.rfile.read(4)
            content = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.rfile.read(size)))
            if head[0] & 0x0F != 0xA:
                return content

    def status(self, code: int, message: str) -> None:
        self.as_json(
            code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
        )

    def plain(self, code: int, message: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(message)))
        self.end_headers()
        self.wfile.write(message.encode())

    def as_json(self, code: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


def endpoint_slice(pods: Mapping[str, int]) -> dict[str, Any]:
    endpoints = [{"targetRef": {"kind": "Pod", "name": pod}, "conditions": {"ready": True}} for pod in pods]
    return {"endpoints": endpoints, "ports": [{"name": "http", "port": 3000}]}


@contextmanager
def api_server(
    pods: Mapping[str, int], forbidden: bool = False, kind: type[Handler] = Handler
) -> Iterator[dict[str, Any]]:
    """`pods` are names and the ports of this machine that stand for theirs; yields the options of a connection."""
    handler = type("Handling", (kind,), {"pods": pods, "forbidden": forbidden})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield {"host": f"http://127.0.0.1:{server.server_address[1]}", "api_key": TOKEN}
    finally:
        server.shutdown()
        server.server_close()
