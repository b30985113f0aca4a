# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs real playbooks and hands their task results to a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LOCAL_HOST: dict[str, Any] = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


@dataclass(frozen=True)
class Run:
    """A finished ansible-playbook: exit code, what it printed, and every task result in order."""

    returncode: int
    output: str
    results: list[dict[str, Any]]
    stdout: str = ""
    """What was printed to standard output alone; known where that was asked for."""

    @property
    def last(self) -> dict[str, Any]:
        """The result of the last task that ran; its absence is shown with the output."""
        assert self.results, self.output
        result: dict[str, Any] = self.results[-1]["result"]
        return result

    def ok(self) -> Run:
        assert self.returncode == 0, self.output
        return self

    def of(self, host: str, task: str) -> dict[str, Any]:
        """The result of the task called `task` on `host`; its absence is shown with the output."""
        for entry in self.results:
            if entry["host"] == host and entry["task"] == task:
                result: dict[str, Any] = entry["result"]
                return result
        raise AssertionError(f"{task} did not run on {host}:\n{self.output}")

    @property
    def changed(self) -> list[str]:
        return [entry["task"] for entry in self.results if entry["result"].get("changed")]


def run_playbook(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    collections: Sequence[Path] = (),
    cwd: Path = CHECKOUT,
    timeout: float = 600,
    user: int | None = None,
    programs: Path = BIN,
    apart: bool = False,
) -> Run:
    """`ansible-playbook` with these arguments, from a clean Ansible environment of the checkout's own.

    `programs` is where it lies: the virtual environment of this interpreter, or of another ansible-core. `user`
    is the uid it runs as, for root to ask what anybody else would hear. `apart` keeps standard output by itself.
    """
    with tempfile.TemporaryDirectory(prefix="mcpops-test-") as scratch:
        if user is not None:
            os.chown(scratch, user, user)
            env = {**(env or {}), "HOME": scratch}
        results = Path(scratch) / "results.jsonl"
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, [CHECKOUT / "collections", *collections])),
            "ANSIBLE_CALLBACK_PLUGINS": str(CHECKOUT / "tests" / "support" / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "results",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_RETRY_FILES_ENABLED": "false",
            # core looks for a job in the user's home of the password file, and writes it in $HOME
            "ANSIBLE_ASYNC_DIR": str(Path(scratch) / "async"),
            "MCPOPS_RESULTS_FILE": str(results),
            **(env or {}),
        }
        done = subprocess.run(
            [*_as(user), str(programs / "ansible-playbook"), *map(str, arguments)],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if apart else subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        found = [json.loads(line) for line in lines]
        return Run(done.returncode, done.stdout + (done.stderr or ""), found, done.stdout if apart else "")


def _as(user: int | None) -> list[str]:
    """Another user, who may read the checkout wherever it lies, and write only what is that user's own."""
    if user is None:
        return []
    may = "+dac_read_search"
    # without the last one access(2) would answer as if the capability were not there
    rights = [f"--inh-caps={may}", f"--ambient-caps={may}", "--securebits=+no_setuid_fixup"]
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *rights]


def run_tasks(
    tasks: Sequence[Mapping[str, Any]],
    *,
    play: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    hosts: Mapping[str, Mapping[str, Any]] | None = None,
    check: bool = False,
    diff: bool = True,
    verbosity: int = 0,
    env: Mapping[str, str] | None = None,
    collections: Sequence[Path] = (),
    timeout: float = 600,
    user: int | None = None,
    programs: Path = BIN,
) -> Run:
    """One play with these tasks on local hosts. Playbook and variables are files: nothing secret in argv."""
    inventory = {"all": {"vars": dict(variables or {}), "hosts": dict(hosts or {"local": LOCAL_HOST})}}
    playbook = [{"hosts": "all", "gather_facts": False, **(play or {}), "tasks": list(tasks)}]
    with tempfile.TemporaryDirectory(prefix="mcpops-play-") as scratch:
        Path(scratch, "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
        # JSON is YAML
        Path(scratch, "play.yml").write_text(json.dumps(playbook), encoding="utf-8")
        flags = [flag for flag, wanted in (("--check", check), ("--diff", diff)) if wanted]
        flags += [f"-{'v' * verbosity}"] if verbosity else []
        return run_playbook(
            "-i",
            Path(scratch, "hosts.json"),
            Path(scratch, "play.yml"),
            *flags,
            env=env,
            collections=collections,
            timeout=timeout,
            user=user,
            programs=programs,
        )
