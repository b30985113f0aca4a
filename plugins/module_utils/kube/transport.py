# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to one API server.

A keep-alive pool with TLS, proxy and credentials (exec plugins included), WebSockets, and the check-mode guard at its
end.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import http.client
import json
import math
import os
import re
import socket
import ssl
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import InvalidInput, Problem, ServiceError
from ..http_terms import basic_auth, bypasses, connection_pool, environment_proxy, proxy_login, tls_context
from ..intent import guard
from ..run_cache import RunCache, write_private
from ..secrets import redact
from ..task import OverdueCommand, Task, run_within
from ..waiting import now, watch_socket
from .kubeconfig import Access
from .sdk import require, urllib3
from .syntax import json_text

WITHOUT_EXPIRY_SECONDS = 600.0
EXPIRY_MARGIN_SECONDS = 60.0
# some wait for a person at a browser
LOGIN_SECONDS = 300
_SAID_LENGTH = 300


def plugin_credential(task: Task, access: Access) -> Mapping[str, Any]:
    """The `status` of the plugin's ExecCredential, from the run's cache while it is valid."""
    status: Mapping[str, Any] = RunCache(task.run_directory).get_or_make(_key(access), lambda: _ask(task, access))
    for name in ("token", "clientKeyData"):
        task.secret(str(status.get(name) or ""))
    return status


def forget_credential(task: Task, access: Access) -> None:
    """The API server refused the cached credential: ask the plugin again."""
    RunCache(task.run_directory).forget(_key(access))


def _key(access: Access) -> tuple[str, ...]:
    identity = json.dumps([access.server, access.exec_spec], sort_keys=True, default=str)
    return ("kubernetes-exec", hashlib.sha256(identity.encode()).hexdigest())


def _ask(task: Task, access: Access) -> tuple[Mapping[str, Any], float]:
    spec, command = access.exec_spec or {}, access.exec_command
    action = f"credential plugin {os.path.basename(command)} of {access.origin}"
    environment = {str(item["name"]): str(item["value"]) for item in spec.get("env") or []}
    environment["KUBERNETES_EXEC_INFO"] = json_text(_exec_info(access))
    try:
        argv = [command, *map(str, spec.get("args") or [])]
        output = run_within(task, LOGIN_SECONDS, argv, env=environment, shown=True)
    except OverdueCommand as exc:
        hint = "It may wait for somebody to log in: run it by hand once, or have it use a login of its own."
        last = redact((exc.said.strip().splitlines() or [""])[-1])[:_SAID_LENGTH]
        raise ServiceError(
            action, f"{exc}; it last wrote: {last}" if last else str(exc), code="Timeout", hint=hint
        ) from exc
    except OSError as exc:
        hint = str(spec.get("installHint") or f"Install {os.path.basename(command)} and put it into PATH.")
        raise ServiceError(action, f"cannot be started: {exc.strerror}", hint=hint) from exc
    if output.returncode != 0:
        raise ServiceError(
            action,
            _reason(output.stderr),
            code=f"ExitStatus{output.returncode}",
            hint="Run the command by hand with the same environment; a login may have expired.",
        )
    try:
        status: Mapping[str, Any] = json.loads(output.stdout)["status"]
    except (ValueError, KeyError, TypeError) as exc:
        raise ServiceError(
            action, "its output is not an ExecCredential with a status", hint="Update the plugin."
        ) from exc
    if not status.get("token") and not (status.get("clientCertificateData") and status.get("clientKeyData")):
        raise ServiceError(action, "it returned neither a token nor a client certificate with its key")
    return status, _good_for(status)


def _reason(said: str) -> str:
    """Entra's sentence, which kubelogin repeats amid the answer it came in; otherwise the last line."""
    entra = re.search(r"AADSTS\d+: [^\"\r\n]*", said)
    if entra:
        return entra[0].partition(" Trace ID:")[0].strip()
    return (said.strip().splitlines() or ["it wrote nothing"])[-1]


def _exec_info(access: Access) -> dict[str, Any]:
    spec = access.exec_spec or {}
    info: dict[str, Any] = {
        "apiVersion": spec.get("apiVersion", "client.authentication.k8s.io/v1"),
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }
    if spec.get("provideClusterInfo"):
        info["spec"]["cluster"] = {key: value for key, value in access.exec_cluster.items() if key != "extensions"}
        for extension in access.exec_cluster.get("extensions") or []:
            if extension.get("name") == "client.authentication.k8s.io/exec":
                info["spec"]["cluster"]["config"] = extension.get("extension")
    return info


def _good_for(status: Mapping[str, Any]) -> float:
    expires = status.get("expirationTimestamp")
    if not expires:
        return WITHOUT_EXPIRY_SECONDS
    moment = datetime.datetime.fromisoformat(str(expires).replace("Z", "+00:00"))
    return max(0.0, moment.timestamp() - datetime.datetime.now().timestamp() - EXPIRY_MARGIN_SECONDS)


POOL_SIZE = 16
CONNECT_SECONDS = 10.0


class Transport:
    """Sends one request as it is told to; retries and meaning are the client's business."""

    def __init__(self, task: Task, access: Access) -> None:
        require()
        self.access = access
        self._task = task
        self._credential: Mapping[str, Any] = plugin_credential(task, access) if access.exec_spec else {}
        self.ssl_context = ssl_context(access, self._credential)
        self._pool = _pool(access, self.ssl_context)
        self._headers = self._identity()
        self.quickest = math.inf
        """Seconds of the quickest answer so far."""

    def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
        preload: bool = True,
    ) -> Any:
        """One request; `target` is path and query. Returns urllib3's response, raises urllib3's exceptions."""
        sent = self._headers.copy()
        for name, value in headers.items():
            sent[name] = value
        url = self.access.server + target
        guard(self._task.check_mode, "kubernetes", method, url)
        started = now()
        response = self._pool.request(
            method,
            url,
            body=body,
            headers=sent,
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, timeout), read=timeout),
            # a redirect or a silent second attempt would pass the guard by
            redirect=False,
            retries=False,
            preload_content=preload,
        )
        self.quickest = min(self.quickest, now() - started)
        return response

    def renew(self) -> bool:
        """After a 401: a fresh credential from the plugin or the file that it came from, if there is one."""
        if not self.access.exec_spec:
            return self._read_token_again()
        forget_credential(self._task, self.access)
        self._credential = plugin_credential(self._task, self.access)
        if self._credential.get("clientCertificateData"):
            self.ssl_context = ssl_context(self.access, self._credential)
            self._pool = _pool(self.access, self.ssl_context)
        self._headers = self._identity()
        return True

    def _read_token_again(self) -> bool:
        file = self.access.token_file
        try:
            fresh = file.read_text(encoding="utf-8").strip() if file is not None else ""
        except (OSError, UnicodeDecodeError):
            return False
        if not fresh or fresh == self.access.token:
            return False
        self._task.secret(fresh)
        self.access = replace(self.access, token=fresh)
        self._headers = self._identity()
        return True

    @property
    def identity(self) -> Any:
        """The headers that say who asks, for connections that are not of the pool."""
        return self._headers

    def close(self) -> None:
        self._pool.clear()

    def _identity(self) -> Any:
        access = self.access
        headers = urllib3.HTTPHeaderDict({"User-Agent": "mcpops.platform", "Accept": "application/json"})
        token = self._credential.get("token") or access.token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        elif access.username:
            headers["Authorization"] = basic_auth(f"{access.username}:{access.password or ''}".encode())
        if access.impersonate_user:
            headers["Impersonate-User"] = access.impersonate_user
        for group in access.impersonate_groups:
            headers.add("Impersonate-Group", group)
        return headers


def ssl_context(access: Access, credential: Mapping[str, Any]) -> ssl.SSLContext | None:
    """TLS as the kubeconfig asks for it; None for a plain HTTP server."""
    if not access.server.startswith("https://"):
        return None
    try:
        context = tls_context(ca_pem=access.ca_pem, verify=access.verify)
    except ssl.SSLError as exc:
        raise _invalid("certificate-authority", "holds no valid PEM certificate") from exc
    certificate = credential.get("clientCertificateData") or access.client_cert_pem
    key = credential.get("clientKeyData") or access.client_key_pem
    if certificate:
        _load_client_certificate(context, str(certificate), str(key or ""))
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """OpenSSL reads files only: they live in a private directory for the moment of loading."""
    with tempfile.TemporaryDirectory(prefix="mcpops-") as directory:
        path = Path(directory) / "client.pem"
        write_private(path, f"{certificate.rstrip()}\n{key}")
        try:
            context.load_cert_chain(path)
        except ssl.SSLError as exc:
            raise _invalid("client-certificate", "certificate and key do not match or are not PEM") from exc


def _pool(access: Access, context: ssl.SSLContext | None) -> Any:
    tls: dict[str, Any] = {"ssl_context": context} if context is not None else {}
    if context is not None and access.tls_server_name:
        tls |= {"server_hostname": access.tls_server_name, "assert_hostname": access.tls_server_name}
    if context is not None and not access.verify:
        tls["assert_hostname"] = False
    sizes: dict[str, Any] = {"num_pools": 2, "maxsize": POOL_SIZE, "block": True}
    proxy = proxy_for(access, os.environ)
    if proxy and proxy.startswith("socks5://"):
        # as kubectl and helm do, it resolves the name: that of a private cluster is known in its network only
        proxy = proxy.replace("socks5://", "socks5h://", 1)
    return connection_pool("Kubernetes connection", proxy, {**sizes, **tls})


def proxy_for(access: Access, environ: Mapping[str, str]) -> str | None:
    """The proxy for this server: option or kubeconfig, else the environment unless NO_PROXY excepts it."""
    if access.proxy:
        return None if bypasses(access.server, access.no_proxy or "") else access.proxy
    excepted = {"no_proxy": access.no_proxy} if access.no_proxy else {}
    return environment_proxy(access.server, {**environ, **excepted})


def _invalid(path: str, message: str) -> InvalidInput:
    return InvalidInput("Kubernetes connection", [Problem(path, message)])


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


def connect_websocket(transport: Transport, check_mode: bool, target: str, protocol: str, timeout: float) -> WebSocket:
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
        watch_socket(sock)
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
