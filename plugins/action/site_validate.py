# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks all hosts' variables at once, which only the controller knows: there is no module form of this action."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.utils.collection_loader._collection_finder import _get_collection_role_path
from ansible.utils.display import Display

from ..module_utils import domains
from ..module_utils.errors import InvalidInput, Problem
from ..module_utils.plan import Plan
from ..module_utils.site import inventory, module_arguments
from ..module_utils.site.inventory import PLATFORM_VARIABLE, Finding, Host, as_problems, roles_of, unchecked
from ..module_utils.task import Result
from ..module_utils.text import counted
from ..modules import aks_cluster, mcp_server, site_lock, site_validate
from ..plugin_utils import variable_origin
from ..plugin_utils.plain_types import plain_arguments
from ..plugin_utils.site_action import SiteAction

SUBJECT = "site_validate"
# what rules between hosts look at beside the options of the roles
FURTHER_VARIABLES = (PLATFORM_VARIABLE, "mcpops_subscription_id")
# nobody but the inventory sets these
OWN_VARIABLE = re.compile(r"'(mcpops_\w+)' is undefined")


class Role:
    """What a role accepts and assumes; empty where it says nothing."""

    def __init__(self, name: str, path: Path, load: Any) -> None:
        self.name = name.rpartition(".")[2]
        self.path = path
        self.options = module_arguments.main_entry_point(_first(path / "meta", "argument_specs", load))
        self.defaults: dict[str, Any] = _first(path / "defaults", "main", load) or {}


class ActionModule(SiteAction):
    MODULE = site_validate

    def look(self, params: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        listed = params["roles"] or domains.roles_by_group()
        roles = self._roles(listed, str(task_vars.get("playbook_dir", ".")))
        names = params["hosts"] or task_vars["ansible_play_hosts_all"]
        groups = {str(name): list(map(str, members)) for name, members in task_vars["groups"].items()}
        unknown = [name for name in names if name not in groups["all"]]
        if unknown:
            raise InvalidInput(SUBJECT, [Problem("hosts", f"{name!r} is not in the inventory") for name in unknown])
        findings: list[Finding] = []
        hosts = [self._host(str(name), groups, listed, roles, task_vars, findings) for name in names]
        for host in hosts:
            for name in host.roles:
                findings += module_arguments.argument_findings(host, name, roles[name].options or {})
            applying = [roles[name] for name in host.roles]
            options = ChainMap(*(role.options or {} for role in applying))
            findings += module_arguments.empty_findings(host, options, ChainMap(*(role.defaults for role in applying)))
            findings += module_arguments.azure_auth_findings(host)
            findings += module_arguments.cluster_findings(host, aks_cluster.ARGUMENT_SPEC)
            findings += module_arguments.server_findings(host, mcp_server.SERVER)
            findings += module_arguments.object_findings(host)
            findings += module_arguments.namespace_findings(host)
            findings += module_arguments.version_findings(host)
            findings += module_arguments.kmcp_name_findings(host)
            findings += module_arguments.wait_findings(host)
            findings += module_arguments.playbook_findings(host, site_lock.ARGUMENT_SPEC)
            findings += module_arguments.call_findings(host)
        findings += inventory.all_findings(hosts, groups)
        unread = _unread(hosts, roles, task_vars["hostvars"])
        findings += [finding for resembles, finding in unread if resembles]
        if findings:
            raise InvalidInput("inventory", as_problems(findings, {host.name: host.spelled for host in hosts}))
        for problem in as_problems(finding for _resembles, finding in unread):
            Display().warning(f"inventory: {problem}")
        for sentence in unchecked(hosts):
            Display().warning(f"inventory: {sentence}")
        result = _result(hosts).to_dict(diff_mode=False)
        if params["show_variables"]:
            result["variables"] = [self._summary(host, roles, task_vars) for host in hosts]
        return result

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
            path = _role_path(name, playbook)
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

    def _host(
        self,
        name: str,
        groups: Mapping[str, list[str]],
        listed: Mapping[str, list[str]],
        roles: Mapping[str, Role],
        task_vars: Mapping[str, Any],
        findings: list[Finding],
    ) -> Host:
        own = tuple(group for group, members in groups.items() if name in members)
        applying = [role.rpartition(".")[2] for role in roles_of(own, listed)]
        variables: dict[str, Any] = {}
        for role in applying:
            variables.update(roles[role].defaults)
        # a default that takes over would hide what is wrong with these
        common = module_arguments.read_by(variables)
        # inventory, extra variables and the magic ones, not rendered yet
        given = task_vars["hostvars"].raw_get(name)
        spelled = inventory.spellings(variables, given)
        variables |= {**given, "hostvars": task_vars["hostvars"]}
        wanted = dict.fromkeys(
            [
                *FURTHER_VARIABLES,
                *module_arguments.PLAYBOOK_VARIABLES,
                *common,
                *(option for role in applying for option in roles[role].options or {}),
            ]
        )
        templar = self._templar.copy_with_new_env(available_variables=variables)
        values: dict[str, Any] = {}
        deferred: dict[str, str] = {}
        broken: dict[str, str] = {}
        for variable in wanted:
            if variable not in variables:
                continue
            try:
                value = {variable: templar.template(variables[variable])}
                values[variable] = plain_arguments(name, value).arguments[variable]
            except InvalidInput as exc:
                deferred[variable] = "it cannot be written as JSON"
                findings += [Finding(name, problem.path, problem.message) for problem in exc.problems]
            except AnsibleUndefinedVariable as exc:
                deferred[variable] = _reason(exc)
                missing = OWN_VARIABLE.search(str(exc))
                if missing and variable not in FURTHER_VARIABLES:
                    findings.append(Finding(name, missing[1], "is not set, and roles need it"))
            except AnsibleError as exc:
                deferred[variable] = broken[variable] = _reason(exc)
        own_fault = {reason for variable, reason in broken.items() if variable in given}
        # a default that follows a variable of the user has its fault, which is told of that one
        findings += [
            Finding(name, variable, f"cannot be evaluated: {reason}")
            for variable, reason in broken.items()
            if variable in given or reason not in own_fault
        ]
        return Host(name, own, values, deferred, tuple(applying), spelled, frozenset(given))

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

    def _load(self, path: Path) -> Any:
        # what a role ships is as trusted as the role itself: its templates are rendered
        return self._loader.load_from_file(str(path), cache="all", trusted_as_template=True)


def _role_path(name: str, playbook: str) -> Path | None:
    if name.count(".") >= 2:
        found = _get_collection_role_path(name)
        return Path(found[1]) if found else None
    places: Iterable[str] = [f"{playbook}/roles", *constants.DEFAULT_ROLES_PATH, playbook]  # type: ignore[attr-defined]
    return next((Path(place, name) for place in places if Path(place, name).is_dir()), None)


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


def _first(directory: Path, stem: str, load: Any) -> Any:
    for suffix in (".yml", ".yaml"):
        if (directory / (stem + suffix)).is_file():
            return load(directory / (stem + suffix))
    return None


def _reason(exc: Exception) -> str:
    """The first line of Ansible's explanation; the rest shows sources."""
    return str(exc).strip().splitlines()[0]


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
