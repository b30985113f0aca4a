# SPDX-License-Identifier: GPL-3.0-or-later
"""A played API server that refuses everything and remembers what it was asked: the cluster that must not be touched."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Server:
    """An API server that forbids everything."""

    port: int
    asked: list[str] = field(default_factory=list)

    def kubeconfig(self, path: Path, name: str, prefix: str = "") -> Path:
        server = {"server": f"http://127.0.0.1:{self.port}{prefix}"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [{"name": name, "cluster": server}],
            "users": [{"name": name, "user": {"token": f"token-of-{name}"}}],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config), encoding="utf-8")
        return path


@contextmanager
def playing() -> Iterator[Server]:
    asked: list[str] = []
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "message": "no"}

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Authorization', '')}")
            body = json.dumps({**status, "code": 403}).encode()
            self.send_response(403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *_args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield Server(http.server_address[1], asked)
    finally:
        http.shutdown()
        http.server_close()


def everything_of(other: Server, scratch: Path) -> dict[str, str]:
    """Every way in which a user's shell, a job's credential or a home says which cluster is the current one."""
    home = scratch / "home"
    path = str(other.kubeconfig(home / ".kube" / "config", "other"))
    server = f"http://127.0.0.1:{other.port}"
    return {
        "HOME": str(home),
        "KUBECONFIG": path,
        "K8S_AUTH_KUBECONFIG": path,
        "K8S_AUTH_CONTEXT": "other",
        "K8S_AUTH_HOST": server,
        "K8S_AUTH_API_KEY": "token-of-other",
        "HELM_KUBEAPISERVER": server,
        "HELM_KUBETOKEN": "token-of-other",
        "HELM_KUBECONTEXT": "other",
        "NO_PROXY": "127.0.0.1",
        # what core compiles and keeps is not a matter of whose home it is
        "ANSIBLE_HOME": str(home / ".ansible"),
    }
