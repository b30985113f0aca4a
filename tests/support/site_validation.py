# SPDX-License-Identifier: GPL-3.0-or-later
"""The action site_validate on an inventory, without a playbook around it.

It renders templates with filters of the collection, for which Ansible has to load the collection itself: so it runs in
a process of its own, this file as a program, for as many hosts as a test has cases.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
PLATFORM_ROLES = ("azure_platform",)
CLUSTER_ROLES = ("site_preflight", "aks_cluster", "cluster_setup", "kmcp", "mcp_servers", "extras", "site_verify")
SITE_ROLES: Mapping[str, Sequence[str]] = {"platforms": PLATFORM_ROLES, "clusters": CLUSTER_ROLES}


class Validated(NamedTuple):
    reported: dict[str, dict[str, str]]
    """Host → where → what is wrong; hosts of which nothing is wrong are left out."""
    runs: dict[str, list[tuple[str, dict[str, Any]]]]
    """Host → the modules with the arguments that were judged."""


def validate(
    place: Path,
    groups: Mapping[str, Mapping[str, Mapping[str, Any]]],
    roles: Mapping[str, Sequence[str]] = SITE_ROLES,
    **all_hosts: Any,
) -> Validated:
    """On a site with these groups of hosts with their variables, and variables of all."""
    children = {group: {"hosts": hosts} for group, hosts in groups.items()}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = place / "hosts.json"
    inventory.write_text(json.dumps({"all": {"vars": {**local, **all_hosts}, "children": children}}), encoding="utf-8")
    listed = {group: [f"mcpops.platform.{name}" for name in names] for group, names in roles.items()}
    argv = [sys.executable, __file__, str(inventory), json.dumps(listed)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "tests"), "ANSIBLE_HOME": str(place)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, cwd=CHECKOUT)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    return Validated(answer["told"], answer["runs"])


def _main(inventory: str, roles: dict[str, list[str]]) -> None:
    from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

    _AnsibleCollectionFinder(paths=[str(CHECKOUT / "collections")])._install()
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.playbook.play import Play
    from ansible.template import Templar
    from ansible.vars.hostvars import HostVars
    from ansible.vars.manager import VariableManager

    from ansible_collections.mcpops.platform.plugins.action import site_validate
    from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput

    loader = DataLoader()
    hosts = InventoryManager(loader=loader, sources=[inventory])
    variables = VariableManager(loader=loader, inventory=hosts)
    hostvars = HostVars(hosts, variable_manager=variables, loader=loader)
    play = Play.load({"hosts": "all", "gather_facts": False}, variable_manager=variables, loader=loader)
    task_vars = {
        **variables.get_vars(play=play, host=hosts.get_hosts("all")[0]),
        "hostvars": hostvars,
        "playbook_dir": str(CHECKOUT / "playbooks"),
        "ansible_play_hosts_all": [host.name for host in hosts.get_hosts("all")],
    }
    runs: dict[str, list[Any]] = {}
    whole = site_validate.TaskFindings.of

    def recorded(self: Any, module: Any, task: Any, call: Any) -> Any:
        runs.setdefault(self._host.name, []).append((task.module, call.arguments))
        return whole(self, module, task, call)

    site_validate.TaskFindings.of = recorded  # type: ignore[method-assign]
    action: Any = object.__new__(site_validate.ActionModule)
    action._loader = loader
    action._templar = Templar(loader=loader, variables=task_vars)
    action._task = SimpleNamespace(args={"roles": roles}, check_mode=False, diff=False)
    reported: dict[str, dict[str, str]] = {}
    try:
        action.look(action._params(), task_vars)
    except InvalidInput as wrong:
        for problem in wrong.problems:
            affected, _colon, path = problem.path.partition(": ")
            for host in affected.split(", "):
                reported.setdefault(host, {})[path] = problem.message
    print(json.dumps({"told": reported, "runs": runs}, default=repr))


if __name__ == "__main__":
    _main(sys.argv[1], json.loads(sys.argv[2]))
