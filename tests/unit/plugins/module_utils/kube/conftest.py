# SPDX-License-Identifier: GPL-3.0-or-later
"""A task without Ansible, and an HTTP server that answers from a list."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.clock import FakeClock

from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.kube.schema import Structure, structure_of
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput

OPENAPI = Path(__file__).parent / "fixtures" / "openapi"


def described(api_version: str, kind: str) -> Structure:
    """The structure of a kind as Kubernetes 1.35 describes it (recorded and trimmed)."""
    text = (OPENAPI / f"{api_version.replace('/', '_')}.json").read_text(encoding="utf-8")
    return structure_of(lambda: json.loads(text), api_version, kind)


@dataclass
class FakeTask:
    params: dict[str, Any] = field(default_factory=dict)
    check_mode: bool = False
    diff_mode: bool = True
    run_directory: Path | None = None
    output: CommandOutput = field(default_factory=lambda: CommandOutput(0, "", ""))
    commands: list[tuple[list[str], dict[str, str]]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def run_command(
        self, argv: Sequence[str], stdin: str | None = None, env: Mapping[str, str] | None = None, shown: bool = False
    ) -> CommandOutput:
        self.commands.append((list(argv), dict(env or {})))
        return self.output

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def progress(self, message: str) -> None:
        self.reported.append(message)

    def secret(self, value: str) -> None:
        if value:
            self.secrets.append(value)

    def wrote(self, what: str) -> None:
        self.written.append(what)


@dataclass(frozen=True)
class Answer:
    """One response; `hang_up` closes the connection instead."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Server:
    """Answers each request with the next answer for its target, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[Request] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                server.requests.append(
                    Request(
                        self.command,
                        self.path,
                        {name: ",".join(self.headers.get_all(name) or []) for name in self.headers},
                        body,
                    )
                )
                waiting = server.answers.get(self.path) or [Answer(404, status_object(404, "NotFound", "not found"))]
                answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                if answer.hang_up:
                    self.close_connection = True
                    return
                content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def on(self, target: str, *answers: Answer) -> None:
        self.answers[target] = list(answers)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def status_object(code: int, reason: str, message: str, causes: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
        **({"details": {"causes": list(causes)}} if causes else {}),
    }


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def task(tmp_path: Path) -> FakeTask:
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    return FakeTask(run_directory=directory)


@pytest.fixture
def connect(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Kube]:
    """A client of `server` whose pauses take no time."""
    FakeClock().install(monkeypatch)

    def connected(task: FakeTask, **access: Any) -> Kube:
        return Kube(task, Access(server=server.url, origin="a test", **access))

    return connected
