# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as AWX runs it: ansible-runner with its settings, an inventory as one script, credentials in the environment.

`python -m support.awx_job DIRECTORY` is the process; `Job` prepares such a directory, starts it and reads what it left.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from support.playbook import BIN, CHECKOUT

CANCEL, OUTCOME = "cancel", "outcome.json"
SETTINGS = {"job_timeout": 1500, "idle_timeout": 0}


@dataclass
class Job:
    """One run of a playbook of the project, which is this checkout."""

    directory: Path
    playbook: str
    inventory: str
    environment: Mapping[str, str]
    variables: Mapping[str, Any] = field(default_factory=dict)
    arguments: str = ""
    _process: subprocess.Popen[str] | None = None

    def start(self) -> Job:
        for name in ("inventory", "env", "artifacts", "home", "tmp"):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "project").symlink_to(CHECKOUT)
        script = self.directory / "inventory" / "hosts"
        script.write_text(f"#!{sys.executable}\nprint({self.inventory!r})\n", encoding="utf-8")
        script.chmod(0o700)
        named = {"HOME": str(self.directory / "home"), "TMPDIR": str(self.directory / "tmp"), **self.environment}
        for name, content in (("settings", SETTINGS), ("envvars", named), ("extravars", dict(self.variables))):
            (self.directory / "env" / name).write_text(json.dumps(content), encoding="utf-8")
        given = {"playbook": self.playbook, "cmdline": self.arguments}
        (self.directory / "job.json").write_text(json.dumps(given), encoding="utf-8")
        # neither credentials nor settings of who runs the tests
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "AZURE_", "K8S_"))}
        path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.awx_job", str(self.directory)],
            cwd=self.directory,
            env={**kept, "PATH": path, "PYTHONPATH": str(CHECKOUT / "tests")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self

    def cancel_when(self, reached: Callable[[], bool], seconds: float = 600) -> Job:
        """As the button does, the moment `reached` is true."""
        assert self._process is not None
        deadline = time.monotonic() + seconds
        while not reached():
            assert self._process.poll() is None, f"the job ended before it was to be cancelled:\n{self.output}"
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)
        (self.directory / CANCEL).touch()
        return self

    def wait(self) -> Job:
        assert self._process is not None
        said, _nothing = self._process.communicate(timeout=1800)
        assert (self.directory / OUTCOME).exists(), said
        return self

    def run(self) -> Job:
        return self.start().wait()

    @property
    def status(self) -> str:
        return str(json.loads((self.directory / OUTCOME).read_text(encoding="utf-8"))["status"])

    @property
    def output(self) -> str:
        path = self.artifacts / "stdout"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def artifacts(self) -> Path:
        return self.directory / "artifacts" / "job"

    def events(self, name: str) -> list[dict[str, Any]]:
        found = []
        # the runner writes an event under another name first
        for path in (self.artifacts / "job_events").glob("[0-9]*-*[!l].json"):
            event = json.loads(path.read_text(encoding="utf-8"))
            if event["event"] == name:
                found.append(event)
        return sorted(found, key=lambda event: int(event["counter"]))

    def reached(self, task: str) -> bool:
        return any(event["event_data"].get("task") == task for event in self.events("runner_on_ok"))

    @property
    def changed(self) -> list[str]:
        events = self.events("runner_on_ok")
        return [event["event_data"]["task"] for event in events if event["event_data"]["res"].get("changed")]

    @property
    def published(self) -> dict[str, Any]:
        """What set_stats made artifacts of the job: workflows decide by it, notifications show it."""
        (stats,) = self.events("playbook_on_stats")
        found: dict[str, Any] = stats["event_data"].get("artifact_data", {})
        return found

    def leaks(self, secrets: Iterable[str]) -> list[str]:
        """Files that the job left, but for what it was given, with a secret in any of its forms."""
        forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), _base64(secret))}
        places = [self.directory / name for name in ("artifacts", "home", "tmp")]
        files = [path for place in places for path in place.rglob("*") if path.is_file() and not path.is_symlink()]
        return [
            f"{form} in {path.relative_to(self.directory)}"
            for path in files
            for form in forms
            if form.encode() in self._left(path)
        ]

    def _left(self, path: Path) -> bytes:
        """A file's content; of the runner's own note of the command, which it keeps for itself, not the environment."""
        if path != self.artifacts / "command":
            return path.read_bytes()
        noted = json.loads(path.read_text(encoding="utf-8"))
        return json.dumps({key: value for key, value in noted.items() if key != "env"}).encode()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def main(directory: str) -> None:
    from ansible_runner import run

    place = Path(directory)
    job = json.loads((place / "job.json").read_text(encoding="utf-8"))
    done = run(
        private_data_dir=directory,
        playbook=job["playbook"],
        cmdline=job["cmdline"] or None,
        ident="job",
        quiet=True,
        settings=None,
        cancel_callback=(place / CANCEL).exists,
    )
    (place / OUTCOME).write_text(json.dumps({"status": done.status, "rc": done.rc}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
