# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build in a container registry: upload the context, start a run, tell its log, and wait for its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from ..errors import NotReady, Reason, ServiceError
from ..http_terms import Response
from ..masking import one_line
from . import names
from .acr_context import BuildSpec, archive, fingerprint, packed, run_request
from .client import BACKOFF, Arm

RUNS = "Microsoft.ContainerRegistry/registries/runs"
_VERSION = names.api_version_of(RUNS)
_UNDER_WAY = ("queued", "started", "running")
# of a run, by the service (RunRequest.timeout)
_SHORTEST, _LONGEST = 300, 28800
_LINES_SHOWN = 15
_LINES_KEPT = 100
_UPLOAD = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}


class Build:
    """One declared build and the tag that finds it again."""

    def __init__(
        self, arm: Arm, storage: Arm, registry_id: str, spec: BuildSpec, secret: Callable[[str], None]
    ) -> None:
        self._arm = arm
        self._storage = storage
        self._registry_id = registry_id
        self._spec = spec
        self._secret = secret
        self._content = archive(spec)
        self.tag = fingerprint(spec, self._content)

    def run(self, subject: str, repository: str, tags: Sequence[str], seconds: int) -> None:
        """Build and push under these tags and the fingerprint's."""
        action = f"Building {subject}"
        images = [f"{repository}:{tag}" for tag in (*tags, self.tag)]
        source = self._upload()
        body = run_request(self._spec, images, source, min(max(seconds, _SHORTEST), _LONGEST))
        run = self._post("scheduleRun", action, body)
        run_id = str((run.get("properties") or {}).get("runId") or run.get("name") or "")
        self._follow(subject, action, run_id)

    def _upload(self) -> str:
        place = self._post("listBuildSourceUploadUrl", "Asking where the build's context goes")
        url = str(place.get("uploadUrl") or "")
        self._hide(url)
        action = f"Uploading {self._spec.context}"
        response = self._storage.call("PUT", url, action, packed(self._content), _UPLOAD)
        if response.status >= 400:
            raise ServiceError(
                action, f"the storage of the registry answered {response.status}", status=response.status
            )
        return str(place.get("relativePath") or "")

    def _hide(self, url: str) -> None:
        """What signs an address opens it for everybody."""
        signed = url.partition("?")[2]
        if signed:
            self._secret(signed)

    def _post(self, what: str, action: str, body: Any = None) -> dict[str, Any]:
        response = self._arm.call("POST", self._arm.url(f"{self._registry_id}/{what}", _VERSION), action, body)
        if response.status >= 400:
            raise self._arm.failure(action, response)
        document = response.json_or_none()
        return document if isinstance(document, dict) else {}

    def _follow(self, subject: str, action: str, run_id: str) -> None:
        """Until the run has ended. What its log says meanwhile is told; of a failure, its end."""
        log = _Log(self._storage, str(self._post(f"runs/{run_id}/listLogSasUrl", action).get("logLink") or ""))
        self._hide(log.url)
        path = f"{self._registry_id}/runs/{run_id}"
        for attempt in count():
            reading = self._arm.read(path, f"Following the run {run_id}", _VERSION)
            status = str(((reading.body or {}).get("properties") or {}).get("status") or "")
            is_over = bool(status) and status.lower() not in _UNDER_WAY
            # what was said last, as progress is shown no more often than people read
            for line in log.more(is_over)[-1:]:
                self._arm.progress(f"{subject}: {line}")
            if status.lower() == "succeeded":
                return
            if is_over:
                raise _failed(action, run_id, status, log, self._registry_id.rpartition("/")[2])
            if not self._arm.deadline.pause(BACKOFF.after(attempt)):
                hint = "Run again to build anew, or raise wait_timeout"
                reason = Reason(
                    subject, "Timeout", f"the run {run_id} has not ended, it is {status or 'unknown'}", hint
                )
                raise NotReady(subject, [reason], waited=self._arm.deadline.elapsed)


def _failed(action: str, run_id: str, status: str, log: _Log, registry: str) -> ServiceError:
    shown = [line for line in log.lines if line][-_LINES_SHOWN:]
    said = "\n".join([f"the run {run_id} ended as {status}. The end of its log:", *shown]) if shown else ""
    unsaid = f"the run {run_id} ended as {status}, and {log.unread or 'its log is empty'}"
    return ServiceError(
        action,
        said or unsaid,
        code="BuildFailed",
        hint=f"`az acr task logs --run-id {run_id} --registry {registry}` shows all of it.",
    )


class _Log:
    """A log that grows; a line is told once it is whole, and the last one when the run is over.

    A build goes on whether its log can be read or not.
    """

    def __init__(self, storage: Arm, url: str) -> None:
        self.url = url
        self.lines: list[str] = []
        self.unread = ""
        self._storage = storage
        self._position = 0
        self._begun = b""

    def more(self, is_over: bool) -> list[str]:
        """The lines that are new."""
        self._begun += self._fetched()
        whole, line_end, begun = self._begun.rpartition(b"\n")
        self._begun = b"" if is_over else begun
        new = [one_line(line) for line in (whole + line_end + (begun if is_over else b"")).splitlines()]
        self.lines = [*self.lines, *new][-_LINES_KEPT:]
        return new

    def _fetched(self) -> bytes:
        """What was added since; a service that knows no ranges answers all of it."""
        if not self.url or self.unread:
            return b""
        try:
            wanted = {"Range": f"bytes={self._position}-"}
            response = self._storage.call("GET", self.url, "Reading the log of the run", headers=wanted)
        except ServiceError as failure:
            self.unread = f"its log cannot be read: {failure.reason}"
            self._storage.progress(self.unread)
            return b""
        found = self._added(response)
        self._position += len(found)
        return found

    def _added(self, response: Response) -> bytes:
        # a run that has not begun has no log, and one that has not said more has nothing from there on
        return {200: response.body[self._position :], 206: response.body}.get(response.status, b"")
