# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of a real API server that misbehaves where it is told to: everything else passes unchanged.

It speaks TLS with a certificate of its own and reaches the API server with the credentials of a kubeconfig, so that a
client needs nothing but `proxy.kubeconfig()`.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "content-encoding", "host"})


@dataclass
class Fault:
    """What happens to the next `times` requests whose method and target match.

    `status` with `body` (a Status object's message, reason) and `headers` answers in the API server's place. `reset`
    breaks the connection: `before` the request is passed on, `after` the API server has dealt with it, or in the
    `middle` of its answer.
    """

    method: str = ".*"
    target: str = ".*"
    times: int = 1
    status: int | None = None
    message: str = "injected"
    reason: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: str = ""
    seen: int = 0

    def takes(self, method: str, target: str) -> bool:
        return self.seen < self.times and bool(re.fullmatch(self.method, method) and re.search(self.target, target))


class FaultProxy:
    """The running proxy; `faults` may be added at any time."""

    def __init__(self, kubeconfig: Path, scratch: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._scratch = scratch
        self._server = str(cluster["server"])
        self._upstream = urllib3.PoolManager(maxsize=32, ssl_context=self._client_context(cluster, user))
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._authority = self._write_certificate()
        self._http: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    def inject(self, **fault: Any) -> Fault:
        made = Fault(**fault)
        with self._lock:
            self.faults.append(made)
        return made

    def kubeconfig(self) -> Path:
        """A kubeconfig whose API server is this proxy."""
        cluster = {
            "server": f"https://127.0.0.1:{self.port}",
            "certificate-authority-data": base64.b64encode(self._authority).decode(),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "clusters": [{"name": "proxy", "cluster": cluster}],
            "users": [{"name": "proxy", "user": {"token": "not-looked-at"}}],
        }
        path = self._scratch / "proxy-kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config), encoding="utf-8")
        return path

    def start(self) -> None:
        """Listen, on the same port as before."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self), bind_and_activate=False)
        server.daemon_threads = True
        server.request_queue_size = 64
        server.server_bind()
        server.server_activate()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._scratch / "proxy.pem")
        # the handshake belongs to the thread of the connection, not to the one that accepts
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(server.server_address[1])
        self._http = server
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    @contextmanager
    def down(self, seconds: float) -> Iterator[None]:
        """Nobody listens for a while, as while an API server restarts; it comes back by itself."""
        self.stop()
        timer = threading.Timer(seconds, self.start)
        timer.start()
        try:
            yield
        finally:
            timer.join()

    def fault_for(self, method: str, target: str) -> Fault | None:
        with self._lock:
            self.requests.append((method, target))
            for fault in self.faults:
                if fault.takes(method, target):
                    fault.seen += 1
                    return fault
        return None

    def pass_on(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Any:
        sent = {name: value for name, value in headers.items() if name.lower() not in (*_HOP_BY_HOP, "authorization")}
        return self._upstream.request(
            method, self._server + target, headers=sent, body=body or None, retries=False, redirect=False, timeout=60
        )

    def _client_context(self, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
        def decoded(text: str) -> str:
            return base64.b64decode(text).decode()

        context = ssl.create_default_context(cadata=decoded(cluster["certificate-authority-data"]))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        path = self._scratch / "client.pem"
        path.touch(mode=0o600)
        pair = decoded(user["client-certificate-data"]) + "\n" + decoded(user["client-key-data"])
        path.write_text(pair, encoding="ascii")
        context.load_cert_chain(path)
        return context

    def _write_certificate(self) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fault proxy")])
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self._scratch / "proxy.pem"
        path.touch(mode=0o600)
        path.write_bytes(pem + private)
        return pem


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = proxy.fault_for(self.command, self.path)
            if fault is not None and fault.reset == "before":
                return self._break()
            if fault is not None and fault.status is not None:
                return self._send(fault.status, {"Content-Type": "application/json", **fault.headers}, _status(fault))
            response = proxy.pass_on(self.command, self.path, dict(self.headers), body)
            if fault is not None and fault.reset == "after":
                return self._break()
            headers = {name: value for name, value in response.headers.items() if name.lower() not in _HOP_BY_HOP}
            cut = len(response.data) // 2 if fault is not None and fault.reset == "middle" else None
            return self._send(response.status, headers, response.data, cut)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def _send(self, status: int, headers: Mapping[str, str], content: bytes, cut: int | None = None) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if cut is None else content[:cut])
            if cut is not None:
                self.wfile.flush()
                self._break()

        def _break(self) -> None:
            # closed with linger 0 a connection ends by a reset instead of in good order
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.socket.close(self.connection)
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

    return Handler


def _status(fault: Fault) -> bytes:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": fault.message,
        "reason": fault.reason,
        "code": fault.status,
    }
    return json.dumps(body).encode()
