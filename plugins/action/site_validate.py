# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks all hosts' variables at once, which only the controller knows: there is no module form of this action."""

from __future__ import annotations

import gc
import importlib
import re
from collections import ChainMap
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.plugins.loader import filter_loader, lookup_loader, test_loader
from ansible.utils.display import Display

from .. import modules as MODULES
from ..module_utils import domains
from ..module_utils.domain import CLUSTERS, PLATFORMS
from ..module_utils.errors import InvalidInput, Problem
from ..module_utils.plan import Plan
from ..module_utils.site import inventory, module_arguments
from ..module_utils.site.inventory import PLATFORM_VARIABLE, Finding, Host, as_problems, not_local, roles_of, unchecked
from ..module_utils.site.module_arguments import KUBECONFIG, TaskFindings, Written
from ..module_utils.site.roles import ModuleTask
from ..module_utils.task import Result
from ..module_utils.text import counted
from ..modules import site_validate
from ..plugin_utils import declared_rights, rollout, selection, variable_origin
from ..plugin_utils.host_values import HostValues, Rendered
from ..plugin_utils.later_definitions import LaterDefinitions, undefined_findings
from ..plugin_utils.role_files import Load, first, loader_of, role_path, tasks_in
from ..plugin_utils.rollout import RINGS, SERIAL
from ..plugin_utils.selection import Inventory
from ..plugin_utils.site_action import SiteAction

SUBJECT = "site_validate"
# what rules between hosts look at beside the options of the roles
FURTHER_VARIABLES = (PLATFORM_VARIABLE, "mcpops_subscription_id")
# of the playbooks, and of tasks that they have between roles, which take and give back the lease of a cluster
PLAYBOOK_VARIABLES = ("aks_cluster_kubeconfig", KUBECONFIG, "site_lock_timeout", "site_lock_namespace", RINGS, SERIAL)
PLAYBOOKS, LEASE_PLAYBOOK, LEASE_MODULE = Path(__file__).parents[2] / "playbooks", "site", "site_lock"
RUNS_OF_OTHERS = {"site_verify": ("verify",), "site_teardown": ("teardown", "teardown_last")}
# nobody but the inventory sets these
OWN_VARIABLE = re.compile(r"'(mcpops_\w+)' is undefined")
OWN_NAME = re.compile(r"mcpops\.platform\.(\w+)")
# modules whose options their own function judges; a site's actions have none
TASK_MODULES = frozenset(path.stem for path in Path(str(MODULES.__path__[0])).glob("*.py")) - {
    "site_validate",
    "site_drift",
    "site_drift_verdict",
    "controller_content",
}
# what templates of inventories use; with one filter or test, all of Ansible's own are loaded
TEMPLATE_PLUGINS = (
    (filter_loader, "default"),
    (test_loader, "defined"),
    (lookup_loader, "env"),
    (lookup_loader, "file"),
)


def _preload() -> None:
    """Import what the later tasks of site.yml need, too: a worker that did it would do it for itself alone."""
    text = (PLAYBOOKS / f"{LEASE_PLAYBOOK}.yml").read_text(encoding="utf-8")
    places = (PLAYBOOKS.parent / "roles" / name / "tasks" for name in OWN_NAME.findall(text))
    files = [file for place in places for file in place.glob("*.yml")]
    named = {name for file in files for name in OWN_NAME.findall(file.read_text(encoding="utf-8"))}
    for name in sorted(TASK_MODULES & {*named, LEASE_MODULE}):
        _module(name)
    for loader, name in TEMPLATE_PLUGINS:
        loader.get(f"ansible.builtin.{name}")
    gc.freeze()


class Role:
    """What a role accepts, assumes and runs; empty where it says nothing."""

    def __init__(self, name: str, path: Path, load: Any) -> None:
        self.name = name.rpartition(".")[2]
        self.path = path
        self.options = module_arguments.main_entry_point(first(path / "meta", "argument_specs", load))
        self.defaults: dict[str, Any] = first(path / "defaults", "main", load) or {}
        of_site = {role.name: role for role in domains.roles()}
        self._tasks = [(of_site.get(name), _tasks(path / "tasks", load))]
        if self.name in RUNS_OF_OTHERS:
            # files of each role that has them
            places = {role: role_path(role.name, "") for role in of_site.values()}
            self._tasks += [
                (role, _tasks(place / "tasks", load, stem))
                for stem in RUNS_OF_OTHERS[self.name]
                for role, place in places.items()
                if place
            ]

    def tasks_on(self, groups: Container[str], variables: Mapping[str, Any]) -> list[ModuleTask]:
        """Its tasks on a host of these groups with these variables, which are not rendered."""
        # whoever runs a role alone has groups of other names
        of_site = [group for group in (PLATFORMS, CLUSTERS) if group in groups]
        return [
            task
            for role, tasks in self._tasks
            if role is None or (role.group in (of_site or [role.group]) and role.is_busy(variables))
            for task in tasks
        ]


class ActionModule(SiteAction):
    MODULE = site_validate

    def look(self, params: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        listed = domains.roles_by_group() if params["roles"] is None else params["roles"]
        groups = {str(name): list(map(str, members)) for name, members in task_vars["groups"].items()}
        of_play = [str(name) for name in task_vars["ansible_play_hosts_all"]]
        self._refuse_nothing([] if params["hosts"] else list(listed), Inventory(groups, of_play), task_vars)
        if params["selection_only"]:
            return Result(changed=False, msg="there is something to do").to_dict(diff_mode=False)
        roles = self._roles(listed, str(task_vars.get("playbook_dir", ".")))
        # the play that validates may be for all hosts, so that it runs even where those that it is about are missing
        names = params["hosts"] or [
            name for name in of_play if not listed or any(name in groups.get(g, ()) for g in listed)
        ]
        unknown = [name for name in names if name not in groups["all"]]
        if unknown:
            raise InvalidInput(SUBJECT, [Problem("hosts", f"{name!r} is not in the inventory") for name in unknown])
        lease = [task for task in _tasks(PLAYBOOKS, self._load, LEASE_PLAYBOOK) if task.module == LEASE_MODULE]
        judged = [self._judged(str(name), groups, listed, roles, lease, task_vars["hostvars"]) for name in names]
        hosts = [host for host, _findings, _of_tasks in judged]
        findings = [finding for _host, found, _of_tasks in judged for finding in found]
        findings += inventory.all_findings(hosts, groups)
        findings += rollout.findings(hosts, groups)
        findings += [finding for *_known, of_tasks in judged for finding in of_tasks.unexplained(findings)]
        playbook = Path(str(task_vars.get("playbook_dir", ".")))
        later = LaterDefinitions(playbook, [role.path for role in roles.values()], self._load)
        findings += [finding for host in hosts for finding in undefined_findings(host, later)]
        unread = _unread(hosts, roles, task_vars["hostvars"])
        findings += [finding for resembles, finding in unread if resembles]
        if findings:
            raise InvalidInput("inventory", as_problems(findings, {host.name: host.spelled for host in hosts}))
        for problem in as_problems(finding for _resembles, finding in unread):
            Display().warning(f"inventory: {problem}")
        raw = {host.name: task_vars["hostvars"].raw_get(host.name) for host in hosts}
        remote = not_local(
            {name: str(given.get("ansible_connection", self._task.connection)) for name, given in raw.items()}
        )
        for sentence in [*unchecked(hosts), *([remote] if remote else [])]:
            Display().warning(f"inventory: {sentence}")
        result = _result(hosts).to_dict(diff_mode=False)
        if params["show_variables"]:
            result["variables"] = [self._summary(host, roles, task_vars) for host in hosts]
        return result

    def _refuse_nothing(self, wanted: Sequence[str], there: Inventory, task_vars: Mapping[str, Any]) -> None:
        """End a run that would do nothing, or that is not for what was meant."""
        run = selection.asked()
        wrong = list(selection.host_problems(run, wanted, there))
        chooses = run.tags != ("all",) or run.skip_tags
        if not wrong and chooses and not selection.are_plain(run, self, task_vars["groups"]):
            wrong = list(selection.tag_problems(run, *selection.tasks_of_run(run, self, task_vars)))
        if wrong:
            raise InvalidInput(selection.SUBJECT, wrong)

    def problems(self, params: Mapping[str, Any]) -> list[Problem]:
        roles = params.get("roles")
        return [
            Problem(f"roles.{group}", "is not a list of role names")
            for group, listed in (roles if isinstance(roles, Mapping) else {}).items()
            if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed)
        ]

    def _roles(self, listed: Mapping[str, list[str]], playbook: str) -> dict[str, Role]:
        found: dict[str, Role] = {}
        missing: list[Problem] = []
        for name in dict.fromkeys(name for names in listed.values() for name in names):
            path = role_path(name, playbook)
            if path is None:
                missing.append(Problem("roles", f"the role {name!r} is not installed"))
                continue
            role = Role(name, path, self._load)
            if role.options is None:
                missing.append(Problem("roles", f"the role {name!r} has no meta/argument_specs.yml with an entry main"))
            found[role.name] = role
        if missing:
            raise InvalidInput(SUBJECT, missing)
        return found

    def _judged(
        self,
        name: str,
        groups: Mapping[str, list[str]],
        listed: Mapping[str, list[str]],
        roles: Mapping[str, Role],
        lease: Sequence[ModuleTask],
        hostvars: Any,
    ) -> tuple[Host, list[Finding], TaskFindings]:
        """A host with everything that is wrong with its own variables."""
        own = tuple(group for group, members in groups.items() if name in members)
        applying = [roles[role.rpartition(".")[2]] for role in roles_of(own, listed)]
        defaults = {variable: value for role in applying for variable, value in role.defaults.items()}
        options = ChainMap(*(role.options or {} for role in applying))
        # inventory, extra variables and the magic ones, not rendered yet
        given = hostvars.raw_get(name)
        values = HostValues(self._templar, {**defaults, **given, "hostvars": hostvars})
        # a default that takes over would hide what is wrong with common variables
        read = module_arguments.read_by(defaults)
        with declared_rights.judging(given):
            known = values.rendered(dict.fromkeys([*FURTHER_VARIABLES, *PLAYBOOK_VARIABLES, *read, *options]))
        host = Host(
            name,
            own,
            known.values,
            known.deferred,
            tuple(role.name for role in applying),
            inventory.spellings(defaults, given),
            frozenset(given),
        )
        findings = [*_rendering_findings(host, known)]
        for role in applying:
            findings += module_arguments.argument_findings(host, role.name, role.options or {})
        findings += module_arguments.empty_findings(host, options, defaults)
        findings += module_arguments.azure_auth_findings(host)
        reported = {inventory.as_written(finding.path, host.spelled) for finding in findings}
        of_tasks = TaskFindings(host, Written(defaults, given), reported)
        tasks = [task for role in applying for task in role.tasks_on(own, given)]
        for task in [*(tasks if domains.roles_under_lease().isdisjoint(host.roles) else [*tasks, *lease])]:
            for call in values.calls(task):
                findings += of_tasks.of(_module(task.module), task, call)
        return host, findings, of_tasks

    def _summary(self, host: Host, roles: Mapping[str, Role], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        given = task_vars["hostvars"].raw_get(host.name)
        options = {name: spec for role in host.roles for name, spec in (roles[role].options or {}).items()}
        defaults = {name: value for role in host.roles for name, value in roles[role].defaults.items()}
        variables = {**given, "hostvars": task_vars["hostvars"]}
        templar = self._templar.copy_with_new_env(available_variables=variables)
        hidden = set(variable_origin.hidden(given, lambda name: templar.template(given[name])))
        rows = inventory.variables_of_host(
            host, options, defaults, variable_origin.origins(given), variable_origin.vaulted(given), hidden
        )
        return {"host": host.name, "variables": rows}

    @property
    def _load(self) -> Load:
        return loader_of(self._loader)


def _rendering_findings(host: Host, known: Rendered) -> Iterator[Finding]:
    """Variables that have no value that a module could take, and those that nobody sets."""
    for problem in known.unwritable:
        yield Finding(host.name, problem.path, problem.message)
    for variable, reason in known.deferred.items():
        missing = OWN_VARIABLE.search(reason)
        if missing and variable not in FURTHER_VARIABLES and variable not in known.broken:
            yield Finding(host.name, missing[1], "is not set, and roles need it")
    own_fault = {reason for variable, reason in known.broken.items() if variable in host.written}
    for variable, reason in known.broken.items():
        # a default that follows a variable of the user has its fault, which is told of that one
        if variable in host.written or reason not in own_fault:
            yield Finding(host.name, variable, f"cannot be evaluated: {reason}")


def _module(name: str) -> Any:
    return importlib.import_module(f"{MODULES.__name__}.{name}")


def _tasks(directory: Path, load: Load, stem: str = "main") -> list[ModuleTask]:
    return tasks_in(directory, TASK_MODULES, load, stem)


def _unread(hosts: Iterable[Host], roles: Mapping[str, Role], hostvars: Any) -> list[tuple[str, Finding]]:
    """Variables that nothing reads, each with the known name that it resembles, or "".

    Roles that this playbook does not run are known as well when they lie beside one that it runs.
    """
    places = {place.parent for role in roles.values() for place in role.path.parent.glob("*/meta")}
    directories = [place / part for place in places for part in ("defaults", "meta", "tasks", "vars")]
    directories += {place.parent.parent / "playbooks" for place in places}
    files = (path for directory in directories for path in directory.glob("*.y*ml"))
    known = inventory.identifiers_in(path.read_text(encoding="utf-8", errors="replace") for path in files)
    prefixes = [inventory.COMMON_PREFIX, "site_lock_", *(f"{place.name}_" for place in places)]
    found = []
    for host in hosts:
        given = hostvars.raw_get(host.name)
        for name, resembled in inventory.unknown_variables(given, known | inventory.ALWAYS_KNOWN, prefixes):
            advice = f"did you mean {resembled}?" if resembled else "no role and no other variable reads it"
            found.append((resembled, Finding(host.name, name, f"is not known: {advice}")))
    return found


def _result(hosts: list[Host]) -> Result:
    deferred = [
        {"host": host.name, "variable": variable, "reason": reason}
        for host in hosts
        for variable, reason in host.deferred.items()
    ]
    notes = tuple(f"{row['host']}: {row['variable']} is known later: {row['reason']}" for row in deferred)
    checked = sum(len(host.variables) for host in hosts)
    return Result(
        changed=False,
        msg=f"all {checked} variables of {counted(len(hosts), 'host')} are valid",
        plans=(Plan("inventory", notes=notes),),
        values={"hosts": [host.name for host in hosts], "deferred": deferred},
    )


_preload()
