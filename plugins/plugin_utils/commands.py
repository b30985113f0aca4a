# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that a person may type next: as this run was started, or another playbook of it with the same options.

Whatever shows a command gets it from here, so that it exists for who installed the collection as for who has a
checkout, asks the same inventories and vaults, reaches no host that this run left out, and holds no secret. Paths below
the directory in which the run was started are relative to it, others absolute: a command is for that directory.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.parsing.splitter import parse_kv
from ansible.parsing.utils.yaml import from_yaml
from ansible.utils.collection_loader._collection_config import AnsibleCollectionConfig
from ansible.utils.collection_loader._collection_finder import _get_collection_playbook_path

from ..module_utils.errors import InvalidInput, Problem
from ..module_utils.site.inventory import without_named_secrets

COLLECTION = "mcpops.platform"
PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
ROOT = str(Path(__file__).parents[5])
"""What holds the directory ansible_collections that this collection was found in."""
SITE, DRIFT, TEARDOWN = (f"{COLLECTION}.{name}" for name in ("site", "drift", "teardown"))
WIDTH = 76
"""Longer commands are continued on further lines: what shows YAML folds them where no shell would."""
# variables that say what one run is to do: the next one says so itself
_OF_ONE_RUN = frozenset({"drift_repair", "teardown_confirm"})
# option → its name in CLIARGS, and the setting that it has where nobody gives it
_VALUES: Mapping[str, tuple[str, str]] = {
    "--vault-id": ("vault_ids", ""),
    "--vault-password-file": ("vault_password_files", ""),
    "--user": ("remote_user", "DEFAULT_REMOTE_USER"),
    "--private-key": ("private_key_file", "DEFAULT_PRIVATE_KEY_FILE"),
    "--connection": ("connection", "DEFAULT_TRANSPORT"),
    "--timeout": ("timeout", ""),
    "--forks": ("forks", "DEFAULT_FORKS"),
    "--become-method": ("become_method", "DEFAULT_BECOME_METHOD"),
    "--become-user": ("become_user", "DEFAULT_BECOME_USER"),
    "--become-password-file": ("become_password_file", "BECOME_PASSWORD_FILE"),
    "--connection-password-file": ("connection_password_file", "CONNECTION_PASSWORD_FILE"),
}
_SWITCHES: Mapping[str, tuple[str, str]] = {
    "--ask-vault-password": ("ask_vault_pass", "DEFAULT_ASK_VAULT_PASS"),
    "--ask-pass": ("ask_pass", "DEFAULT_ASK_PASS"),
    "--become": ("become", "DEFAULT_BECOME"),
    "--ask-become-pass": ("become_ask_pass", "DEFAULT_BECOME_ASK_PASS"),
}
_PATHS = ("--vault-password-file", "--private-key", "--become-password-file", "--connection-password-file")


@dataclass(frozen=True)
class Commands:
    """How a run was started. Each method gives a command as its words, for `shell` or `folded`."""

    directory: str = ""
    """Where it was started, which is where its commands are for."""
    playbooks: tuple[str, ...] = ()
    inventory: tuple[str, ...] = ()
    limit: str = ""
    extra_vars: tuple[str, ...] = ()
    selection: tuple[str, ...] = ()
    """Its tags, as options."""
    options: tuple[str, ...] = ()
    """Of vaults, connections and privileges."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What another command needs to find the collection, where Ansible would not by itself."""

    def again(self, *more: str, limit: str | None = None, whole: bool = False) -> list[str]:
        """The same run, on the hosts of another limit, or `whole`: whatever tags chose of it."""
        return self._command(self.playbooks or (SITE,), limit, *(() if whole else self.selection), *more)

    def of(self, playbook: str, *more: str, limit: str | None = None) -> list[str]:
        """Another playbook, by path or full name, with the options of this run."""
        return self._command((playbook,), limit, *more)

    def _command(self, playbooks: Sequence[str], limit: str | None, *more: str) -> list[str]:
        sources = [part for source in self.inventory for part in ("-i", source)]
        hosts = self.limit if limit is None else limit
        variables = [part for text in self.extra_vars for part in ("-e", text)]
        limited = ["--limit", hosts] if hosts else []
        return ["ansible-playbook", *playbooks, *sources, *limited, *self.options, *variables, *more]

    def shell(self, command: Sequence[str]) -> str:
        """The command as a shell takes it, on one line."""
        return " ".join([*self._settings(), shlex.join(command)])

    def folded(self, command: Sequence[str], indent: str = "  ") -> list[str]:
        """The same on lines of bearable length, each but the last continued by a backslash."""
        lines: list[str] = []
        for part in [*self._settings(), *_with_values(command)]:
            longer = f"{lines[-1]} {part}" if lines else part
            if lines and len(indent + longer) > WIDTH:
                lines.append(f"  {part}")
            else:
                lines[-1:] = [longer]
        return [f"{indent}{line} \\" for line in lines[:-1]] + [f"{indent}{line}" for line in lines[-1:]]

    def _settings(self) -> list[str]:
        return [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]


def of_this_run() -> Commands:
    """The commands of the ansible-playbook whose process this is, or was forked from."""
    given, directory = context.CLIARGS, os.getcwd()
    limit = given.get("subset")
    tags = [
        part
        for option, name in (("--tags", "tags"), ("--skip-tags", "skip_tags"))
        if (chosen := sorted(set(given.get(name) or ()) - {"all"}))
        for part in (option, ",".join(chosen))
    ]
    return Commands(
        directory,
        tuple(str(name) for name in given.get("args") or ()),
        tuple(shown_path(str(source), directory) for source in given.get("inventory") or ()),
        str(limit) if limit else "",
        tuple(filter(None, (shown_variables(str(text), directory) for text in given.get("extra_vars") or ()))),
        tuple(tags),
        tuple(_options(given, directory)),
        _environment(),
    )


def shown_path(path: str, directory: str) -> str:
    """As one types it in this directory; what is no path stays as it is."""
    if "," in path or not os.path.exists(os.path.join(directory, path)):
        return path
    absolute = os.path.normpath(os.path.join(directory, path))
    return os.path.relpath(absolute, directory) if Path(absolute).is_relative_to(directory) else absolute


def found_playbook(given: str, beside: str, directory: str) -> str:
    """The absolute path of a playbook, or its full name.

    A path is sought beside the playbook that names it, as import_playbook does, and then in the directory of the run. A
    playbook of this collection has nothing of the user's beside it.
    """
    path = os.path.expanduser(given)
    of_user = beside and Path(beside).resolve() != PLAYBOOKS.resolve()
    places = [directory] if not of_user or os.path.realpath(beside) == directory else [beside, directory]
    for place in places:
        if os.path.isfile(os.path.join(place, path)):
            return os.path.normpath(os.path.join(place, path))
    if _get_collection_playbook_path(given) is not None:
        return given
    missing = "is not the full name of a playbook that is installed, and there is no such file"
    where = "" if os.path.isabs(path) else f" in {' or '.join(places)}"
    raise InvalidInput("site_drift", [Problem("playbook", f"{given!r} {missing}{where}")])


def shown_variables(text: str, directory: str) -> str:
    """The text of -e without the values that are secret, and without what said what that one run should do."""
    if text.startswith("@"):
        return f"@{shown_path(text[1:], directory)}"
    structured = text.startswith(("{", "["))
    try:
        given = from_yaml(text) if structured else parse_kv(text)
    except AnsibleError:
        # whatever it is, it is not known to be no secret
        return ""
    if not isinstance(given, Mapping):
        return ""
    kept = {str(name): value for name, value in given.items() if name not in _OF_ONE_RUN}
    shown = {name: without_named_secrets(name, value) for name, value in kept.items()}
    if shown == dict(given):
        return text
    if structured:
        return json.dumps(shown, ensure_ascii=False, default=str) if shown else ""
    return " ".join(f"{name}={shlex.quote(str(value))}" for name, value in shown.items())


def _options(given: Mapping[str, Any], directory: str) -> Iterator[str]:
    for option, (name, setting) in _VALUES.items():
        value = given.get(name)
        if value in (None, "", (), []) or value == _configured(setting):
            continue
        for one in value if isinstance(value, (list, tuple)) else (value,):
            yield from (option, shown_path(str(one), directory) if option in _PATHS else str(one))
    yield from (option for option, (name, setting) in _SWITCHES.items() if given.get(name) and not _configured(setting))


def _configured(setting: str) -> Any:
    return getattr(constants, setting, None) if setting else None


def _environment() -> dict[str, str]:
    """Where the collection lies, if Ansible found it only beside the playbook of this run."""
    if AnsibleCollectionConfig.collection_finder is None:
        return {}
    beside = [str(place) for place in AnsibleCollectionConfig.playbook_paths]
    everywhere = [str(place) for place in AnsibleCollectionConfig.collection_paths]
    only_beside = ROOT in beside and everywhere.count(ROOT) <= beside.count(ROOT)
    return {"ANSIBLE_COLLECTIONS_PATH": ROOT} if only_beside else {}


def _with_values(command: Sequence[str]) -> Iterator[str]:
    """The words of a command, each option with its value."""
    words = [shlex.quote(word) for word in command]
    while words:
        word = words.pop(0)
        yield f"{word} {words.pop(0)}" if word.startswith("-") and words and not words[0].startswith("-") else word
