# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a playbook for its results: a process of its own, on the same inventory, whose output is a file of results.

A playbook's own output cannot be chosen by the playbook, and a host that fails drops out of all that follows. A run
inside the run has neither problem, uses nothing but what ansible-playbook offers, and needs no setting of the user's.

A host without a failure need not have come to its end: where all hosts of a play fail, Ansible runs no further play. So
the playbook is run with a play behind it that tells which hosts are still there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.parsing.splitter import parse_kv
from ansible.utils.collection_loader._collection_config import AnsibleCollectionConfig

from ..module_utils.errors import ServiceError
from ..module_utils.kube.syntax import json_text
from ..module_utils.run_cache import write_private
from .commands import of_this_run, shown_path
from .terminal import tell

CALLBACK = "mcpops.platform.site_collected"
SHOWN_LINES = 20
# the tag of the task that tells which hosts came to the end; the callback gives it as the "stage" of its row
END = "site_run_end"
# options of ansible-playbook that hold for the inner run as well: (name in CLIARGS, option)
_HANDED_ON: tuple[tuple[str, str], ...] = (
    ("remote_user", "--user"),
    ("private_key_file", "--private-key"),
    ("connection", "--connection"),
    ("timeout", "--timeout"),
    ("become_method", "--become-method"),
    ("become_user", "--become-user"),
    ("forks", "--forks"),
)


@dataclass(frozen=True)
class Inner:
    """What to run: a playbook on hosts of these inventories, in check mode or for real."""

    playbook: str
    inventory: Sequence[str]
    hosts: Sequence[str]
    skip_tags: Sequence[str] = ()
    check: bool = True


@dataclass(frozen=True)
class Results:
    """What a run gave: a row for each result, and the hosts that were in it until the end of the playbook."""

    rows: Sequence[dict[str, Any]]
    ended: frozenset[str]


def results_of(run: Inner, loader: Any) -> Results:
    """The results of a run that came to its end, failed hosts or not; a ServiceError with its last lines otherwise."""
    with tempfile.TemporaryDirectory(prefix="mcpops-", dir=constants.DEFAULT_LOCAL_TMP) as scratch:  # type: ignore[attr-defined]
        place = Path(scratch)
        collected = place / "results.jsonl"
        with _vault_options(place, loader) as secrets:
            argv = _argv(run, place, secrets)
            code, last = _run(argv, environment_of(_surroundings(), collected, run.skip_tags))
        rows = [json.loads(line) for line in _lines(collected)]
    if not rows or "hosts" not in rows[-1]:
        commands = of_this_run()
        shown = shown_path(run.playbook, commands.directory)
        raise ServiceError(
            f"Running {run.playbook}",
            "ansible-playbook ended before its end:\n" + "\n".join(last),
            code=f"exit status {code}",
            hint=f"See its whole output: {commands.shell(commands.of(shown, '--check', '--diff'))}",
        )
    return parted(rows[:-1])


def parted(rows: Sequence[dict[str, Any]]) -> Results:
    """The rows of the playbook, and what the play behind it told. Without it nobody came to the end."""
    ends = [row for row in rows if row.get("stage") == END]
    return Results(
        [row for row in rows if row.get("stage") != END],
        frozenset(str(name) for row in ends for name in row.get("msg") or ()),
    )


def with_end(playbook: str) -> list[dict[str, Any]]:
    """A playbook that runs this one, by path or full name, and then tells which hosts are still there."""
    path = os.path.abspath(os.path.expanduser(playbook))
    reported = {
        "name": "Tell which hosts came to the end",
        "ansible.builtin.debug": {"msg": "{{ ansible_play_hosts }}"},
        "run_once": True,
        "no_log": False,
        "tags": [END, "always"],
    }
    end = {"name": "The end", "hosts": "all", "gather_facts": False, "strategy": "linear", "tasks": [reported]}
    return [{"name": "The playbook", "import_playbook": path if os.path.exists(path) else playbook}, end]


def _argv(run: Inner, place: Path, secrets: Sequence[str]) -> list[str]:
    # a file: a thousand names are too long for a command line
    limit = place / "hosts"
    limit.write_text("\n".join(run.hosts) + "\n", encoding="utf-8")
    options = [part for source in run.inventory for part in ("--inventory", source)]
    options += ["--limit", f"@{limit}", "--diff", *(["--check"] if run.check else [])]
    given = context.CLIARGS
    options += [
        part for text in extra_variables(given.get("extra_vars") or (), place) for part in ("--extra-vars", text)
    ]
    options += [part for name, option in _HANDED_ON if given.get(name) for part in (option, str(given[name]))]
    options += ["--become"] if given.get("become") else []
    playbook = place / "playbook.yml"
    # JSON is YAML
    playbook.write_text(json_text(with_end(run.playbook)), encoding="utf-8")
    return [sys.executable, "-m", "ansible", "playbook", str(playbook), *options, *secrets]


def extra_variables(given: Sequence[str], place: Path) -> list[str]:
    """The outer run's extra variables, each in a file: everybody on the machine can read a command line."""
    options = []
    for number, text in enumerate(given):
        if text.startswith("@"):
            options.append(text)
            continue
        # Ansible reads the text of a file as it reads this one; a date written as JSON would be another value there
        content = text if text.startswith(("{", "[")) else json_text(dict(parse_kv(text)))
        file = place / f"extra-vars-{number}.yml"
        write_private(file, content)
        options.append(f"@{file}")
    return options


def _surroundings() -> dict[str, str]:
    """The environment of this process, and the collections that it finds."""
    paths = os.pathsep.join(map(str, AnsibleCollectionConfig.collection_paths))
    return {**os.environ, "ANSIBLE_COLLECTIONS_PATH": paths}


def environment_of(given: Mapping[str, str], collected: Path, skip_tags: Sequence[str]) -> dict[str, str]:
    """The environment of this run, without what would leave hosts or tasks out; it outweighs an ansible.cfg."""
    return {
        **given,
        "ANSIBLE_ANY_ERRORS_FATAL": "false",
        "ANSIBLE_RUN_TAGS": "all",
        "ANSIBLE_SKIP_TAGS": ",".join(skip_tags),
        "ANSIBLE_STDOUT_CALLBACK": CALLBACK,
        # in place of those of the outer run, which would tell everything twice; nothing at all is refused
        "ANSIBLE_CALLBACKS_ENABLED": CALLBACK,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
        "MCPOPS_COLLECTED_FILE": str(collected),
    }


def _run(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[int, list[str]]:
    """Exit status and last lines; progress and warnings are passed on as they come."""
    process = subprocess.Popen(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    last: list[str] = []

    def pass_on(stream: Any) -> None:
        for line in stream:
            if line.strip():
                last.append(line.rstrip())
                tell(line.rstrip())

    warnings = threading.Thread(target=pass_on, args=(process.stderr,))
    warnings.start()
    pass_on(process.stdout)
    warnings.join()
    return process.wait(), last[-SHOWN_LINES:]


@contextmanager
def _vault_options(place: Path, loader: Any) -> Iterator[list[str]]:
    """The vault passwords of this run, however it got them: asked for, from a file or from a program."""
    options = []
    for number, (label, secret) in enumerate(loader._vault.secrets or ()):
        file = place / f"vault-{number}"
        write_private(file, secret.bytes)
        options += ["--vault-id", f"{label}@{file}"]
    yield options


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
