# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the roles of a host need in Azure, read off their tasks once a run.

Validation renders it, and so do both tasks of the preflight, each in a worker of its own. What the tasks come to
follows from the host's variables: as long as these are the same, what was found for them is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from ansible import constants

from ..module_utils import domains
from ..module_utils.domain import CLUSTERS, PLATFORMS, Role
from ..module_utils.run_cache import RunCache
from .ansible_core import EncryptedString
from .host_values import HostValues
from .role_files import Load, first, loader_of, role_path, tasks_in
from .rollout import CHECKED, PREFLIGHT_RESULTS

Row = Mapping[str, Any]
_OF_NO_STAGE = {"preflight", "always"}
_EVERYTHING = {"all", "tagged"}
# what follows validation in site.yml
_SHARED_SECONDS = 120.0
# which roles are in the run
_STAGES = ("inventory_hostname", "group_names", "ansible_run_tags", "ansible_skip_tags")
# of the run, of a play, a role or a task, and how a host is reached, which Ansible adds where nobody says it
_OF_TASKS = {
    *(name for name in constants.INTERNAL_STATIC_VARS if name != "ansible_facts"),
    *(name for names in constants.MAGIC_VARIABLE_MAPPING.values() for name in names),
    *("ansible_check_mode", "ansible_current_hosts", "ansible_failed_hosts", "ansible_parent_role_names"),
    *("ansible_parent_role_paths", "ansible_play_name", "ansible_search_path", "environment", "vars", "_task"),
    # what is registered meanwhile: it says nothing of what tasks need
    *(CHECKED, *PREFLIGHT_RESULTS),
}
# the role that asks, whose defaults are known where it runs alone
_ASKS = "mcpops.platform.site_preflight"
_judged: list[Mapping[str, Any]] = []


@contextmanager
def judging(given: Mapping[str, Any]) -> Iterator[None]:
    """Variables of a host as they are written, while templates see some of them rendered, and defaults of all roles."""
    _judged.append(given)
    try:
        yield
    finally:
        _judged.pop()


def rows_of(variables: Mapping[str, Any], loader: Any, templar: Any) -> list[Row]:
    """What the options of all tasks of the host's roles need, as rows of azure_preflight or of namespaces."""
    defaults = _defaults(_ASKS, loader_of(loader))
    for given in _judged[-1:]:
        # another host's, where one reads them
        if given.get("inventory_hostname") == variables.get("inventory_hostname"):
            # as the tasks of the preflight will have them
            variables = {**defaults, **given, "hostvars": variables.get("hostvars")}
    known = fingerprint(variables, defaults)
    if known is None:
        return list(_rows(variables, loader, templar))
    cache = RunCache(Path(constants.DEFAULT_LOCAL_TMP))  # type: ignore[attr-defined]
    made: list[Row] = cache.get_or_make(
        ("declared-rights", known), lambda: (list(_rows(variables, loader, templar)), _SHARED_SECONDS)
    )
    return made


def fingerprint(variables: Mapping[str, Any], defaults: Mapping[str, Any]) -> str | None:
    """The same for variables that say the same of a host, beside these defaults; None where some cannot be written."""
    said = {
        name: value
        for name, value in variables.items()
        if name not in _OF_TASKS and not (name in defaults and value == defaults[name])
    }
    try:
        text = json.dumps([said, *(variables.get(name) for name in _STAGES)], sort_keys=True, default=_written)
    except (TypeError, ValueError):
        return None
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _written(value: Any) -> str:
    if isinstance(value, EncryptedString) and (written := getattr(value, "_ciphertext", "")):
        # as it is in the file: who does not ask for it need not have its password
        return f"vault {written}"
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _rows(variables: Mapping[str, Any], loader: Any, templar: Any) -> Iterator[Row]:
    load, needs = loader_of(loader), domains.azure_needs()
    for role in _roles(variables):
        place = role_path(role.name)
        if place is None or not (tasks := tasks_in(place / "tasks", list(needs), load)):
            continue
        values = HostValues(templar, {**_defaults(role.name, load), **variables})
        for task in tasks:
            for call in values.calls(task):
                yield from needs[task.module](call.arguments)


def _defaults(role: str, load: Load) -> Mapping[str, Any]:
    place = role_path(role)
    return (first(place / "defaults", "main", load) if place else None) or {}


def _roles(variables: Mapping[str, Any]) -> Iterator[Role]:
    """The roles of this host's groups, of the stages that are in the run."""
    own = {str(name) for name in variables.get("group_names") or ()} & {PLATFORMS, CLUSTERS} or {CLUSTERS}
    chosen = {str(tag) for tag in variables.get("ansible_run_tags") or ()} - _OF_NO_STAGE
    skipped = {str(tag) for tag in variables.get("ansible_skip_tags") or ()}
    for role in domains.roles():
        in_run = not chosen or chosen & {*_EVERYTHING, role.stage}
        if role.group in own and in_run and role.stage not in skipped:
            yield role
