# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole site on a cluster without local accounts, unattended: to its API server everything is a token of Entra."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.playbook import CHECKOUT, run_playbook

from .drift_runs import INVENTORY

pytestmark = [pytest.mark.integration, pytest.mark.slow]

HOST = "entra-1"


@pytest.fixture
def inventory(cloud: Any, tmp_path: Path) -> Iterator[Path]:
    """One cluster of the local inventory, with one server and without local accounts; it is torn down at the end."""
    place = tmp_path / "inventory"
    place.mkdir()
    (place / "group_vars").symlink_to(INVENTORY / "group_vars")
    entra = {"managed": True, "adminGroupObjectIDs": [cloud.environment["admin_group_id"]]}
    cluster = {
        "mcpops_platform": "entra-platform",
        "mcpops_kubeconfig": str(tmp_path / "kube" / HOST),
        "aks_cluster_properties": {"aadProfile": entra, "disableLocalAccounts": True},
        "aks_cluster_login": "token",
        "mcpops_mcp_servers": [{"name": "echo", "image": "{{ mcpops_registry }}/echo-mcp:1.0.0", "port": 3000}],
        "mcpops_mcp_calls": [
            {"server": "echo", "tool": "echo", "arguments": {"text": "by token"}, "expect": "by token"}
        ],
    }
    own = {"mcpops_resource_group": "rg-entra-site"}
    groups = {
        "platforms": {"hosts": {"entra-platform": own}},
        "clusters": {"hosts": {HOST: {**own, **cluster}}},
    }
    (place / "hosts.yml").write_text(json.dumps({"all": {"children": groups}}), encoding="utf-8")
    yield place
    confirmed = f"teardown_confirm={HOST},entra-platform"
    run_playbook("-i", place, CHECKOUT / "playbooks" / "teardown.yml", "-e", confirmed)


def test_a_site_without_local_accounts_from_nothing_to_no_op(inventory: Path, cloud: Any, tmp_path: Path) -> None:
    site = ("-i", inventory, CHECKOUT / "site.yml")
    checked = run_playbook(*site, "--check", "--diff").ok()
    assert not (tmp_path / "kube").exists()
    made = run_playbook(*site).ok()
    assert "by token" in made.output
    kubeconfig = yaml.safe_load((tmp_path / "kube" / HOST).read_text())
    assert list(kubeconfig["users"][0]["user"]) == ["tokenFile"]
    token = (tmp_path / "kube" / f"{HOST}.token").read_text()
    again = run_playbook(*site).ok()
    assert again.changed == []
    assert run_playbook(*site, "--check").ok().changed == []
    for run in (checked, made, again):
        assert token not in run.output
        assert cloud.secret not in run.output

    # changed by hand: shown, and repaired, by the same token
    kubectl = [cloud.environment["kubectl"], "--kubeconfig", str(tmp_path / "kube" / HOST)]
    edit = ["patch", "mcpserver", "echo", "-n", "mcp", "--type=merge", "-p", '{"spec":{"deployment":{"port":3001}}}']
    subprocess.run([*kubectl, *edit], check=True, capture_output=True, timeout=60)
    assert run_playbook(*site, "--check", "--diff").ok().changed
    assert run_playbook(*site).ok().changed
    assert run_playbook(*site).ok().changed == []
