# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of a host's roles are rendered once a run: by the validation of the inventory, for all that follows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.playbook import LOCAL_HOST, Run, run_playbook


def _rights(name: str) -> dict[str, Any]:
    rows, providers = (f"query('mcpops.platform.site_azure_rights'{term})" for term in ("", ", 'providers'"))
    return {"name": name, "ansible.builtin.debug": {"msg": f"{{{{ [{rows}, {providers}] }}}}"}}


def _run(place: Path) -> tuple[Run, list[str]]:
    """What came of it, and each time at which the cluster's group was rendered."""
    seen = place / "seen"
    group = f"{{{{ lookup('ansible.builtin.pipe', 'echo seen >> {seen}; echo rg-dev') }}}}"
    cluster = {
        **LOCAL_HOST,
        "mcpops_location": "eastus2",
        "mcpops_environment": "dev",
        "mcpops_kubeconfig": str(place / "kubeconfig"),
        "mcpops_azure_auth": {"subscription_id": "1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22"},
        "aks_cluster_node_pools": [{"name": "system", "mode": "System", "count": 2}],
        "mcpops_resource_group": group,
    }
    inventory = {"all": {"children": {"clusters": {"hosts": {"c1": cluster}}}}}
    count = {"ansible.builtin.command": f"wc -l {seen}", "changed_when": False}
    play = {"hosts": "clusters", "gather_facts": False}
    plays = [
        {**play, "tasks": [{"mcpops.platform.site_validate": {}, "register": "preflight_variables"}]},
        {
            **play,
            "tasks": [
                {**count, "name": "Before"},
                _rights("First"),
                {**_rights("Second"), "register": "site_preflight_kept"},
                {**_rights("Third"), "vars": {"role_path": "/elsewhere"}},
                {**count, "name": "After"},
                {"ansible.builtin.set_fact": {"aks_cluster_name": "another"}},
                _rights("Changed"),
            ],
        },
    ]
    for name, content in (("hosts.json", inventory), ("play.json", plays)):
        Path(place, name).write_text(json.dumps(content), encoding="utf-8")
    return run_playbook("-i", place / "hosts.json", place / "play.json").ok(), seen.read_text().splitlines()


def test_tasks_take_what_validation_has_read(tmp_path: Path) -> None:
    run, seen = _run(tmp_path)
    before, after = (int(run.of("c1", name)["stdout"].split()[0]) for name in ("Before", "After"))
    first, second, third, changed = (run.of("c1", name)["msg"] for name in ("First", "Second", "Third", "Changed"))
    assert before == after
    assert first == second == third
    assert any(row["scope"].endswith("/managedClusters/c1") for row in first[0])
    # what a task says anew is read anew
    assert len(seen) > after
    assert any(row["scope"].endswith("/managedClusters/another") for row in changed[0])


def test_validation_renders_what_many_variables_read_once(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    cluster = {
        **LOCAL_HOST,
        "own": f"{{{{ lookup('ansible.builtin.pipe', 'echo seen >> {seen}; echo dev') }}}}",
        "between": "{{ own }}-x",
        "mcpops_location": "eastus2",
        "mcpops_environment": "{{ own }}",
        "mcpops_resource_group": "rg-{{ between }}",
        "mcpops_kubeconfig": f"{tmp_path}/{{{{ between }}}}/{{{{ own }}}}",
        "aks_cluster_name": "{{ own ~ '-1' }}",
        "mcpops_azure_auth": {"subscription_id": "1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22"},
        "mcpops_subscription_id": "{{ own if own == 'dev' else 'other' }}",
        "aks_cluster_node_pools": [{"name": "system", "mode": "System", "count": 2}],
    }
    inventory = {"all": {"children": {"clusters": {"hosts": {"c1": cluster}}}}}
    tasks = [{"mcpops.platform.site_validate": {"roles": {"clusters": ["mcpops.platform.aks_cluster"]}}}]
    plays = [{"hosts": "clusters", "gather_facts": False, "tasks": tasks}]
    for name, content in (("hosts.json", inventory), ("play.json", plays)):
        Path(tmp_path, name).write_text(json.dumps(content), encoding="utf-8")
    run_playbook("-i", tmp_path / "hosts.json", tmp_path / "play.json").ok()
    assert seen.read_text().splitlines() == ["seen"]
