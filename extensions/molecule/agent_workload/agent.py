# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest program that keeps the contract of an agent: its health, and an answer by its configuration."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import tomllib

CONFIG = tomllib.loads(Path("/app/config/agent.toml").read_text(encoding="utf-8"))
PROMPT = Path("/app/config/system_prompt.txt").read_text(encoding="utf-8").strip()
STATES: dict[str, Any] = {name: {"status": state} for name, state in CONFIG.get("components", {}).items()}


class Agent(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health":
            well = all(one["status"] == "ok" for one in STATES.values())
            self._answer(200 if well else 503, {"status": "ok" if well else "degraded", "components": STATES})
        else:
            self._answer(200 if self.path in ("/health/live", "/health/ready") else 404, {"status": "ok"})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        secret = "with" if os.environ.get("API_KEY") else "without"
        self._answer(200, {"answer": f"{PROMPT} {secret} a key: {asked['message']}"})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8000), Agent).serve_forever()
