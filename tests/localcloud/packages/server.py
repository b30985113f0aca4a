# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve both registries: `python -m localcloud.packages.server DIRECTORY`.

Over plain HTTP, and to this host's clusters only: the packages' checksums come with them, and there is no credential.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from localcloud.packages.index import Answer, Index
from localcloud.settings import Settings


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    index: Index

    def do_GET(self) -> None:
        base = f"http://{self.headers.get('Host', '')}"
        self._send(self.index.answer(urlsplit(self.path).path, base), with_body=True)

    def do_HEAD(self) -> None:
        self._send(self.index.answer(urlsplit(self.path).path, ""), with_body=False)

    def _send(self, answer: Answer, *, with_body: bool) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)


def main(arguments: list[str]) -> int:
    settings = Settings.load()
    Handler.index = Index(Path(arguments[0]))
    ThreadingHTTPServer((settings.host_address, settings.packages_port), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
