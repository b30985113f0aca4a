# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a play that was given secrets, and looks for them in all it left: output, results, events, files, argv."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from support.playbook import CHECKOUT, LOCAL_HOST, Run, run_tasks

COLLECTIONS = CHECKOUT / "tests/contract/ansible/fixtures/collections"
MARK = "canary-"
"""What every canary begins with: command lines are searched for it while the play runs."""


@dataclass(frozen=True)
class Left:
    """What a run left behind."""

    run: Run
    directory: Path
    command_lines: Sequence[str] = field(default_factory=list)

    def leaks(self, canaries: Iterable[str]) -> list[str]:
        """Where which canary, bare or in base64, turns up; empty when nowhere."""
        texts = {"output": self.run.output, "results": json.dumps(self.run.results, ensure_ascii=False)}
        texts |= {f"command line {line}": line for line in self.command_lines}
        texts |= {
            str(path.relative_to(self.directory)): path.read_bytes().decode(errors="replace")
            for path in sorted(self.directory.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
        return [
            f"{canary} as {form} in {place}: ...{text[max(0, text.index(form) - 60) : text.index(form) + 60]!r}"
            for place, text in texts.items()
            for canary in canaries
            for form in {canary, quote(canary, safe=""), _base64(canary)}
            if form in text
        ]


def hosts(interpreter: str, ssh: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A host for each way in which an action may run; tasks say `async: "{{ seconds | default(0) }}"`."""
    here = {**LOCAL_HOST, "ansible_python_interpreter": interpreter}
    return {
        "in-process": here,
        "connection": {**here, "ansible_connection": "test.adapters.namespace"},
        "become": {**here, "ansible_become": True, "ansible_become_method": "test.adapters.itself"},
        "async": {**here, "seconds": 120},
        "ssh": {**here, **ssh},
    }


def watched(
    tasks: Sequence[Mapping[str, Any]],
    directory: Path,
    *,
    play: Mapping[str, Any],
    on: Mapping[str, Mapping[str, Any]],
    callback: str = "default",
    check: bool = False,
    interpreter: str = sys.executable,
) -> Left:
    """The play at -vvv with --diff, its files in `directory`; callback `runner` is ansible-runner with its events."""
    for name in ("home", "tmp", "remote", "async", "facts", "ansible"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    environment = {
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "ansible"),
        "ANSIBLE_REMOTE_TMP": str(directory / "remote"),
        "ANSIBLE_ASYNC_DIR": str(directory / "async"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(directory / "facts"),
        "ANSIBLE_RETRY_FILES_ENABLED": "true",
        "ANSIBLE_RETRY_FILES_SAVE_PATH": str(directory),
        "ANSIBLE_FORKS": "5",
        # since 2.21 only on request
        "ANSIBLE_INJECT_INVOCATION": "true",
    }
    with watched_command_lines(MARK) as seen:
        if callback == "runner":
            run = _with_runner(tasks, directory, play, on, check, environment, interpreter)
        else:
            run = run_tasks(
                tasks,
                play=play,
                hosts=on,
                check=check,
                verbosity=3,
                env={**environment, "ANSIBLE_STDOUT_CALLBACK": callback},
                collections=[COLLECTIONS],
                programs=Path(interpreter).parent,
            )
    _await_wrappers(directory / "remote")
    return Left(run, directory, seen)


def _await_wrappers(directory: Path) -> None:
    """Core's wrapper of an asynchronous job looks every five seconds whether it has ended, and then clears up."""
    deadline = time.monotonic() + 20
    while any(directory.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.2)


def _with_runner(
    tasks: Sequence[Mapping[str, Any]],
    directory: Path,
    play: Mapping[str, Any],
    on: Mapping[str, Mapping[str, Any]],
    check: bool,
    environment: Mapping[str, str],
    interpreter: str,
) -> Run:
    """As AWX runs a job: what comes of it is in the artifacts, the declaration itself is in another directory."""
    declared = directory.parent / f"{directory.name}-declared"
    (declared / "project").mkdir(parents=True)
    (declared / "inventory").mkdir()
    playbook = [{"hosts": "all", "gather_facts": False, **play, "tasks": list(tasks)}]
    (declared / "project/play.yml").write_text(json.dumps(playbook), encoding="utf-8")
    (declared / "inventory/hosts.json").write_text(json.dumps({"all": {"hosts": dict(on)}}), encoding="utf-8")
    flags = "-vvv --diff --check" if check else "-vvv --diff"
    places = ["--artifact-dir", str(directory / "artifacts"), "--ident", "job"]
    done = subprocess.run(
        [interpreter, "-m", "ansible_runner", "run", declared, "-p", "play.yml", f"--cmdline={flags}", *places],
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
            **environment,
            "PATH": f"{Path(interpreter).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, (CHECKOUT / "collections", COLLECTIONS))),
        },
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    files = (directory / "artifacts").rglob("job_events/*.json")
    events = sorted((json.loads(path.read_text()) for path in files), key=lambda event: int(event["counter"]))
    results = [
        {
            "host": event["event_data"]["host"],
            "task": event["event_data"]["task"],
            "status": event["event"].removeprefix("runner_on_"),
            "result": event["event_data"]["res"],
        }
        for event in events
        if event["event"] in ("runner_on_ok", "runner_on_failed")
    ]
    return Run(done.returncode, done.stdout, results)


@contextmanager
def watched_command_lines(mark: str) -> Iterator[list[str]]:
    """Looks at every process's command line again and again while the block runs; those with the mark in them."""
    seen: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    content = path.read_bytes()
                except OSError:
                    continue
                if mark.encode() in content:
                    seen.append(content.decode(errors="replace"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
