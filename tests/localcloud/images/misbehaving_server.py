# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that claims to speak MCP and does not: what clients and probes must survive.

MODE says how it misbehaves:
  text   answers every request with plain text
  hang   accepts the connection and never answers
  huge   answers with ten megabytes of JSON
  crash  writes a few log lines and ends with 3
  port   listens on OTHER_PORT instead of PORT
"""

from __future__ import annotations

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE = os.environ.get("MODE", "text")
PORT = int(os.environ.get("PORT", "3000"))
OTHER_PORT = int(os.environ.get("OTHER_PORT", "3999"))
HUGE_BYTES = 10 * 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self, content_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if MODE == "hang":
            threading.Event().wait()
        elif MODE == "huge":
            text = b"x" * HUGE_BYTES
            self.respond("application/json", b'{"jsonrpc":"2.0","id":1,"result":{"text":"' + text + b'"}}')
        else:
            self.respond("text/plain", b"This is not the protocol you are looking for.\n")

    do_GET = do_POST = do_DELETE = answer


def main() -> int:
    if MODE == "crash":
        print("reading configuration", flush=True)
        print("FATAL: the setting UPSTREAM_URL is missing", file=sys.stderr, flush=True)
        return 3
    port = OTHER_PORT if MODE == "port" else PORT
    print(f"misbehaving ({MODE}) on port {port}", flush=True)
    ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
