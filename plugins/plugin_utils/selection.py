# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run was asked to work on: inventories, hosts, tags. Where that is nothing, or not what was meant, it ends.

Ansible takes an inventory that does not exist for an empty one, an empty limit for none, and tags that no task has for
a choice of nothing: the first and the last end well, and the second reaches everything.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager, split_host_pattern
from ansible.playbook import Playbook
from ansible.playbook.block import Block
from ansible.utils.collection_loader._collection_finder import _get_collection_playbook_path

from ..module_utils.errors import Problem
from ..module_utils.text import listed
from .role_files import Load, loader_of

SUBJECT = "This run"
SHOWN = 20
# words of Ansible's own for tags
_ANY = frozenset({"all", "always", "never", "tagged", "untagged"})


@dataclass(frozen=True)
class Asked:
    """What the command line says."""

    inventory: tuple[str, ...] = ()
    limit: str | None = None
    tags: tuple[str, ...] = ("all",)
    skip_tags: tuple[str, ...] = ()
    """Those that only this run has: what the configuration leaves out always is no slip of this command."""
    configured: tuple[str, ...] = ()
    """Inventories of the configuration, which need not be there where a playbook makes its hosts itself."""


@dataclass(frozen=True)
class Chosen:
    """A task of a playbook: its tags, and the hosts of this run that its play is for."""

    tags: frozenset[str]
    hosts: frozenset[str]
    runs: bool = True
    """Whether the tags of this run choose it."""


@dataclass(frozen=True)
class Inventory:
    """The hosts that are there, and those of this run."""

    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    present: Collection[str] = ()


def asked() -> Asked:
    given = context.CLIARGS
    return Asked(
        tuple(str(source) for source in given.get("inventory") or ()),
        given.get("subset"),
        tuple(sorted(given.get("tags") or ())) or ("all",),
        tuple(sorted(set(given.get("skip_tags") or ()) - set(constants.TAGS_SKIP or ()))),  # type: ignore[attr-defined]
        tuple(str(source) for source in constants.DEFAULT_HOST_LIST or ()),  # type: ignore[attr-defined]
    )


def host_problems(run: Asked, wanted: Sequence[str], inventory: Inventory) -> Iterator[Problem]:
    """Why a run that is for the hosts of the `wanted` groups has not those that it should have."""
    members = list(dict.fromkeys(host for group in wanted for host in inventory.groups.get(group, ())))
    needed = [source for source in run.inventory if not members or source not in run.configured]
    missing = [source for source in needed if "," not in source and not os.path.exists(source)]
    if missing:
        advice = "Give the inventory of the site with -i"
        yield Problem("-i", f"{', '.join(missing)}: no such file or directory. {advice}")
    if run.limit is not None and not any(part.strip() for part in split_host_pattern(run.limit)):
        # what a variable of a script holds that was not set
        yield Problem("--limit", "is empty, which to Ansible means every host. Name hosts or groups, or leave it out")
    named = " and ".join(wanted)
    if not wanted or set(members) & set(inventory.present):
        return
    if members:
        left = f"the limit {run.limit} leaves out" if run.limit else "it leaves out"
        yield Problem("hosts", f"{left} all hosts of {named}: {listed(members, SHOWN)}. Name some of them with --limit")
    elif not missing:
        sources = ", ".join(run.inventory) or "not given"
        yield Problem(
            "hosts",
            f"there is no host of {named}, which this playbook is for{_groups_like(wanted, inventory.groups)}. "
            f"The inventory is {sources}: give that of the site with -i",
        )


def tag_problems(run: Asked, tasks: Sequence[Chosen], playbook: str) -> Iterator[Problem]:
    """Tags that no task has, and a choice of tags that leaves nothing to do."""
    known = {tag for task in tasks for tag in task.tags} - _ANY
    # where nothing can be chosen, tags choose nothing
    if not known:
        return
    unknown = False
    for option, tags in (("--tags", run.tags), ("--skip-tags", run.skip_tags)):
        for tag in tags:
            if tag not in known | _ANY:
                unknown = True
                near = difflib.get_close_matches(tag, sorted(known), n=1)
                meant = f"did you mean {near[0]}?" if near else "it would do nothing."
                yield Problem(
                    option, f"no task of {playbook} has the tag {tag!r}: {meant} It has {', '.join(sorted(known))}"
                )
    own = [task for task in tasks if task.runs and ("always" not in task.tags or task.tags & set(run.tags))]
    if not unknown and not any(task.hosts for task in own):
        hosts = sorted({host for task in tasks for host in task.hosts})
        where = f"on the hosts of this run ({listed(hosts, SHOWN)})" if own else "beside what always runs"
        yield Problem("--tags", f"nothing would run {where}: choose other tags, or hosts that these are for")


def are_plain(run: Asked, action: Any, groups: Mapping[str, Iterable[str]]) -> bool:
    """Whether each tag of this run stands, as it is, at a task of hosts that are there: then none is a slip.

    Files alone tell that, without the playbooks being put together once more. Where they do not, only that does.
    """
    wanted = set(run.tags)
    if context.CLIARGS.get("skip_tags") or wanted & _ANY:
        return False
    load = loader_of(action._loader)
    names = [str(name) for name in context.CLIARGS.get("args") or ()]
    stated = [(hosts, tags & wanted) for name in names for hosts, tags in _stated(name, load) if tags & wanted]
    if wanted.difference(*(tags for _hosts, tags in stated)):
        return False
    there = inventory_of(action._loader, groups, run.limit)
    return any(there.get_hosts(_templated(action._templar, hosts)) for hosts, _tags in stated)


def _stated(name: str, load: Load, around: frozenset[str] = frozenset()) -> Iterator[tuple[Any, frozenset[str]]]:
    """The hosts of tasks, as they are written, and tags, of a playbook and those that it imports."""
    resource = _get_collection_playbook_path(name)
    # the loader would look beside the playbook that runs now, which one of somebody else's may import
    path = Path(resource[1] if resource else name).absolute()
    for play in _mappings(load(path)):
        tags = around | _tags(play)
        imported = next((play[key] for key in play if str(key).rpartition(".")[2] == "import_playbook"), None)
        if isinstance(imported, str) and "{" not in imported:
            is_ours = _get_collection_playbook_path(imported) is not None
            yield from _stated(imported if is_ours else str(path.parent / imported), load, tags)
        for part in ("pre_tasks", "tasks", "post_tasks"):
            yield from ((play.get("hosts") or [], found) for found in _tags_of_tasks(play.get(part), tags))


def _tags_of_tasks(tasks: Any, around: frozenset[str]) -> Iterator[frozenset[str]]:
    for task in _mappings(tasks):
        tags = around | _tags(task)
        inner = [task[part] for part in ("block", "rescue", "always") if part in task]
        for below in inner:
            yield from _tags_of_tasks(below, tags)
        # what is imported may have no task
        if not inner and not any(str(key).rpartition(".")[2].startswith("import_") for key in task):
            yield tags


def _tags(one: Mapping[str, Any]) -> frozenset[str]:
    stated = one.get("tags") or ()
    listed_tags = stated.split(",") if isinstance(stated, str) else stated if isinstance(stated, list) else ()
    return frozenset(tag.strip() for tag in listed_tags if isinstance(tag, str) and "{" not in tag)


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def tasks_of_run(run: Asked, action: Any, task_vars: Mapping[str, Any]) -> tuple[list[Chosen], str]:
    """The tasks of the playbooks of this run, as `--list-tasks` finds them, and what these are called."""
    names = [str(name) for name in context.CLIARGS.get("args") or ()]
    hosts = inventory_of(action._loader, task_vars["groups"], run.limit)
    found: list[Chosen] = []
    for name in names:
        resource = _get_collection_playbook_path(name)
        manager = action._task.get_variable_manager()
        playbook = Playbook.load(resource[1] if resource else name, variable_manager=manager, loader=action._loader)
        for play in playbook.get_plays():
            patterns = _templated(action._templar, play.hosts)
            matched = frozenset(host.name for host in hosts.get_hosts(patterns))
            for block in play.compile():
                found += _chosen(block, run, matched, action._templar, dict(task_vars))
    return found, ", ".join(names)


def _chosen(block: Any, run: Asked, hosts: frozenset[str], templar: Any, variables: dict[str, Any]) -> Iterator[Chosen]:
    for task in (*block.block, *block.rescue, *block.always):
        if isinstance(task, Block):
            yield from _chosen(task, run, hosts, templar, variables)
        elif not getattr(task, "implicit", False):
            tags = frozenset(str(tag) for tag in _templated(templar, list(task.tags)))
            yield Chosen(tags, hosts, _runs(task, run, variables))


def _runs(task: Any, run: Asked, variables: dict[str, Any]) -> bool:
    skipped = list(context.CLIARGS.get("skip_tags") or ())
    try:
        return bool(task.evaluate_tags(list(run.tags), skipped, variables))
    except AnsibleError:
        # tags that only the play itself can tell
        return True


def _templated(templar: Any, values: Any) -> list[Any]:
    """What the templates among these come to; one that cannot be told now is left out."""
    found: list[Any] = []
    for value in values if isinstance(values, (list, tuple)) else [values]:
        try:
            outcome = templar.template(value)
        except AnsibleError:
            continue
        found += outcome if isinstance(outcome, list) else [outcome]
    return found


def inventory_of(loader: Any, groups: Mapping[str, Iterable[str]], limit: str | None) -> InventoryManager:
    """The inventory again, from what variables tell of it: an action is not given it."""
    manager = InventoryManager(loader, parse=False)
    for group, members in groups.items():
        manager.add_group(group)
        for host in members:
            manager.add_host(host, group=group)
    if limit:
        manager.subset(limit)
    return manager


def _groups_like(wanted: Iterable[str], groups: Iterable[str]) -> str:
    near = [found for name in wanted for found in difflib.get_close_matches(name, sorted(groups), n=1)]
    return f" (did you mean {' and '.join(dict.fromkeys(near))} to be one of them?)" if near else ""
