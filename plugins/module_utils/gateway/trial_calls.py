# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes calls, and tells what came of each. Pods run this file as it is: it needs Python's standard library alone.

A call is {id, address, port, tls, verify, host, method, path, headers, body, attempts, connects}. It is made again
until somebody answers, or with `connects` until there is a connection. With `ends` a session that it has begun is
ended. What came of it is {id, connected, sent, status,
headers, body, why}: no status where nobody answered, and `why` not.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Call = Mapping[str, Any]
Found = dict[str, Any]

AT_ONCE = 32
MOST_BYTES = 2048
PAUSE_SECONDS = 1.0
SILENT = "no answer in time"
HEADERS = ("content-type", "server", "www-authenticate", "mcp-session-id")
"""What tells who has answered."""


def make_calls(
    calls: Sequence[Call], timeout: float, ca_file: str | None = None, ca_pem: str | None = None
) -> list[Found]:
    """All of them, several at a time; the order is kept."""
    verified, unverified = _contexts(ca_file, ca_pem)

    def made(call: Call) -> Found:
        found: Found = {}
        for attempt in range(call.get("attempts") or 1):
            if attempt:
                time.sleep(PAUSE_SECONDS)
            found = _made(call, timeout, verified if call.get("verify") else unverified)
            if found["connected"] if call.get("connects") else found["status"]:
                break
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(made, calls))


def _contexts(ca_file: str | None, ca_pem: str | None) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    verified = ssl.create_default_context(cafile=ca_file, cadata=ca_pem)
    # authorities without key identifiers are common
    verified.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    # a forged token may be read by anybody, and whoever answers it is what the call is about
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return verified, unverified


def _made(call: Call, timeout: float, context: ssl.SSLContext) -> Found:
    found: Found = {
        "id": call["id"],
        "connected": False,
        "sent": False,
        "status": None,
        "headers": {},
        "body": "",
        "why": "",
    }
    try:
        raw = socket.create_connection((call["address"], call["port"]), timeout)
    except OSError as exc:
        return dict(found, why=_why(exc))
    found["connected"] = True
    with contextlib.closing(raw):
        try:
            raw.settimeout(timeout)
            if not call.get("tls"):
                return _asked(call, raw, timeout, found, context)
            with contextlib.closing(context.wrap_socket(raw, server_hostname=call["host"])) as secured:
                return _asked(call, secured, timeout, found, context)
        except ssl.SSLCertVerificationError as exc:
            return dict(found, why=f"its certificate is not trusted: {exc.verify_message}")
        except (OSError, ValueError, http.client.HTTPException) as exc:
            return dict(found, why=_why(exc))


def _asked(call: Call, connected: socket.socket, timeout: float, found: Found, context: ssl.SSLContext) -> Found:
    connection = http.client.HTTPConnection(call["host"], timeout=timeout)
    connection.sock = connected
    body = call.get("body")
    headers = dict({"Host": call["host"], "Connection": "close"}, **call["headers"])
    connection.request(call["method"], call["path"], body.encode() if body else None, headers)
    found["sent"] = True
    answer = connection.getresponse()
    session = answer.headers.get("mcp-session-id", "")
    kept = {name: answer.headers[name] for name in HEADERS if answer.headers.get(name)}
    if "mcp-session-id" in kept:
        # that there is one tells who has answered; whoever knows it is in the session
        kept["mcp-session-id"] = "given"
    # what is printed in a pod is in its log, and a server may answer with what it was sent
    token = str(call["headers"].get("Authorization", "")).partition(" ")[2]
    body_seen = _beginning(answer, timeout)
    if session and call.get("ends"):
        found["ended"] = _ended(call, session, timeout, context)
    return dict(found, status=answer.status, headers=kept, body=body_seen.replace(token, "***") if token else body_seen)


def _ended(call: Call, session: str, timeout: float, context: ssl.SSLContext) -> bool:
    """Whether the server was told that nobody comes back to the session that it keeps for the caller."""
    kept = {name: value for name, value in call["headers"].items() if name.lower() not in ("content-type", "accept")}
    last = dict(call, method="DELETE", body=None, ends=False, headers=dict(kept, **{"Mcp-Session-Id": session}))
    # what comes of it says nothing of the call before: a server need not let sessions be ended
    status = _made(last, timeout, context)["status"]
    return bool(status and status < 300)


def _beginning(answer: http.client.HTTPResponse, timeout: float) -> str:
    """Of a body that may never end: a stream is open for as long as it is read."""
    until = time.monotonic() + timeout
    found = b""
    with contextlib.suppress(OSError, http.client.HTTPException):
        while len(found) < MOST_BYTES and time.monotonic() < until:
            piece = answer.read1(MOST_BYTES)
            if not piece:
                break
            found += piece
            if b"\n\n" in found or found.rstrip().endswith(b"}"):
                break
    return found[:MOST_BYTES].decode("utf-8", "replace")


def _why(exc: Exception) -> str:
    if isinstance(exc, (socket.timeout, TimeoutError)):
        return SILENT
    if isinstance(exc, ConnectionRefusedError):
        return "connection refused"
    if isinstance(exc, socket.gaierror):
        return "its name is not known"
    if isinstance(exc, http.client.RemoteDisconnected):
        return "the connection was closed"
    if isinstance(exc, http.client.HTTPException):
        return "no HTTP"
    return str(getattr(exc, "strerror", "") or getattr(exc, "reason", "") or exc) or type(exc).__name__


def main(arguments: Sequence[str]) -> None:
    """What is to be called is in a file, since arguments are seen by everybody."""
    with open(arguments[1], encoding="utf-8") as file:
        given = json.load(file)
    for row in make_calls(given["calls"], given["timeout"], ca_pem=given.get("ca") or None):
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv)
