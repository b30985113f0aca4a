# SPDX-License-Identifier: GPL-3.0-or-later
"""A build whose log comes in parts, or not at all, and what is told of one that failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.acr_build import Build
from ansible_collections.mcpops.platform.plugins.module_utils.arm.acr_context import BuildSpec
from ansible_collections.mcpops.platform.plugins.module_utils.arm.acr_registry import SERVICE
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm
from ansible_collections.mcpops.platform.plugins.module_utils.arm.errors import Request, Unreachable
from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.http_terms import Response
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Clock

ID = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/mcpacr"
UPLOAD, LOG = "https://files.example.com/source/a.tar.gz?sig=up-secret", "https://files.example.com/log?sig=log-secret"


def skipping() -> Clock:
    """Time that passes where somebody waits, and that nobody waits for."""
    at = [0.0]

    def sleep(seconds: float) -> None:
        at[0] += seconds

    return Clock(lambda: at[0], sleep)


class Tasks:
    """Plays the tasks of a registry: a status and what the log holds by then, look by look."""

    def __init__(
        self, looks: list[tuple[str, bytes]], *, ranges: bool = True, read: Callable[[], None] = lambda: None
    ) -> None:
        self._looks: Iterator[tuple[str, bytes]] = iter(looks)
        self._log = b""
        self._ranges = ranges
        self._read = read
        self.asked: list[Request] = []
        self.told: list[str] = []
        self.secrets: set[str] = set()

    def send(self, request: Request) -> Response:
        self.asked.append(request)
        status, body = self._answer(request)
        return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())

    def renew(self) -> None:
        raise AssertionError("no token has expired")

    def _answer(self, request: Request) -> tuple[int, Any]:
        path = request.url.partition("?")[0].removeprefix("https://arm")
        if request.url == LOG:
            self._read()
            return self._part(request.headers.get("Range", ""))
        if request.method == "PUT":
            return 201, {}
        if path == f"{ID}/runs/r1":
            status, self._log = next(self._looks)
            return 200, {"properties": {"status": status}}
        return 200, {
            f"{ID}/listBuildSourceUploadUrl": {"uploadUrl": UPLOAD, "relativePath": "source/a.tar.gz"},
            f"{ID}/scheduleRun": {"properties": {"runId": "r1"}},
            f"{ID}/runs/r1/listLogSasUrl": {"logLink": LOG},
        }[path]

    def _part(self, wanted: str) -> tuple[int, bytes]:
        if not self._log:
            return 404, b"<Error><Code>BlobNotFound</Code></Error>"
        if not self._ranges:
            return 200, self._log
        begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
        added = self._log[begin:]
        return (206, added) if added else (416, b"<Error><Code>InvalidRange</Code></Error>")

    def build(self, tmp_path: Path, seconds: int = 600) -> None:
        (tmp_path / "Dockerfile").write_text("FROM scratch", encoding="ascii")
        arm = Arm(self, "https://arm", "s", timeout=seconds, clock=skipping(), progress=self.told.append)
        build = Build(arm, arm.beside(self, SERVICE), ID, BuildSpec(tmp_path), self.secrets.add)
        build.run("image mcpacr/echo", "echo", ["1"], seconds)

    def looks_at_log(self) -> int:
        return sum(request.url == LOG for request in self.asked)


@pytest.mark.parametrize("ranges", [True, False], ids=["in parts", "whole each time"])
def test_each_line_is_told_once(tmp_path: Path, ranges: bool) -> None:
    looks = [
        ("Queued", b""),
        ("Running", b"Step 1/2\r\nSte"),
        ("Running", b"Step 1/2\r\nSte"),
        ("Running", b"Step 1/2\r\nStep 2/2\n"),
        ("Succeeded", b"Step 1/2\r\nStep 2/2\ndone"),
    ]
    tasks = Tasks(looks, ranges=ranges)
    tasks.build(tmp_path)
    assert tasks.told == [f"image mcpacr/echo: {line}" for line in ("Step 1/2", "Step 2/2", "done")]
    assert {"sig=up-secret", "sig=log-secret"} <= tasks.secrets


def test_of_a_failure_the_end_of_the_log(tmp_path: Path) -> None:
    """The last line, too, although nothing ends it; none longer than people read, none that draws on a terminal."""
    many = b"".join(b"line %d\n" % number for number in range(40))
    log = many + b"\x1b[31merror: " + b"x" * 5000 + b"\nno space left"
    with pytest.raises(ServiceError) as failed:
        Tasks([("Running", b""), ("Failed", log)]).build(tmp_path)
    message = failed.value.message()
    begin = "Building image mcpacr/echo: the run r1 ended as Failed. The end of its log (BuildFailed):\n"
    assert message.startswith(begin)
    assert "line 39\n" in message and "line 20\n" not in message and "no space left\n" in message
    assert "\x1b" not in message and max(map(len, message.splitlines())) < 300
    assert "az acr task logs --run-id r1 --registry mcpacr" in message


@pytest.mark.parametrize("status", ["Canceled", "Error", "Timeout"])
def test_a_failure_without_a_log(tmp_path: Path, status: str) -> None:
    with pytest.raises(ServiceError, match=f"the run r1 ended as {status}, and its log is empty"):
        Tasks([(status, b"")]).build(tmp_path)


def test_a_build_goes_on_although_its_log_cannot_be_read(tmp_path: Path) -> None:
    """As behind a proxy that lets nobody to the storage of logs."""

    def cut_off() -> None:
        raise Unreachable("name or service not known", sent=False)

    tasks = Tasks([("Running", b"x\n"), ("Running", b"x\n"), ("Succeeded", b"x\n")], read=cut_off)
    tasks.build(tmp_path)
    assert [line for line in tasks.told if "its log cannot be read" in line]
    assert tasks.looks_at_log() == 5, "and is not asked for again"
    with pytest.raises(ServiceError, match=r"and its log cannot be read: .* name or service not known"):
        Tasks([("Failed", b"x\n")], read=cut_off).build(tmp_path)


def test_a_build_that_does_not_end_in_time(tmp_path: Path) -> None:
    tasks = Tasks([("Running", b"")] * 999)
    with pytest.raises(NotReady, match="the run r1 has not ended, it is Running"):
        tasks.build(tmp_path, seconds=60)
    (scheduled,) = [request.body for request in tasks.asked if "/scheduleRun?" in request.url]
    assert scheduled["timeout"] == 300, "no run may have less"
