# SPDX-License-Identifier: GPL-3.0-or-later
"""A role used alone acts on its host's cluster or fails, whatever the environment says about other clusters.

The API servers are played: they refuse everything and remember who was asked what. That the roles do their work is
shown elsewhere, on a real one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.other_cluster import Server, everything_of, playing
from support.playbook import LOCAL_HOST, Run, run_playbook

ROLES = {
    "cluster_setup": {"cluster_setup_wait_timeout": 1},
    "kmcp": {"kmcp_wait_timeout": 1},
    "mcp_servers": {
        "mcpops_mcp_servers": [{"name": "echo", "image": "example.org/echo:1.0.0", "port": 3000}],
        "mcp_servers_wait_timeout": 1,
    },
    "gateway": {
        "gateway_listeners": [{"hostname": "a.test", "tls": {"secret": "a"}}],
        "gateway_controller_install": False,
        "gateway_wait_timeout": 1,
    },
    "agent_workload": {
        "mcpops_agents": [{"name": "helper", "image": "example.org/helper:1.0.0"}],
        "agent_workload_wait_timeout": 1,
    },
    "mcp_mesh": {"mcp_mesh_wait_timeout": 1},
    "mcp_mesh_agents": {
        "mcpops_mesh_agents": [{"name": "dates", "image": "example.org/dates:1.0.0"}],
        "mcp_mesh_agents_wait_timeout": 1,
    },
    "site_diagnostics": {},
    "site_verify": {
        "mcpops_mcp_servers": [{"name": "echo", "image": "example.org/echo:1.0.0", "port": 3000}],
        "site_verify_wait_timeout": 0,
    },
}


@pytest.fixture
def declared() -> Iterator[Server]:
    with playing() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Server]:
    with playing() as server:
        yield server


def run_alone(scratch: Path, env: dict[str, str], hosts: dict[str, dict[str, Any]], **role: Any) -> Run:
    """Each host runs the role its name begins with, from a playbook that knows nothing of clusters."""
    declared = {host: {**LOCAL_HOST, **ROLES[role_of(host)], **variables} for host, variables in hosts.items()}
    task = {"name": "Alone", "include_role": {"name": "mcpops.platform.{{ inventory_hostname.split('.')[0] }}", **role}}
    play = [{"hosts": "all", "gather_facts": False, "tasks": [task]}]
    (scratch / "hosts.json").write_text(json.dumps({"all": {"hosts": declared}}), encoding="utf-8")
    (scratch / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    # an empty variable says nothing about the environment that tests run in
    clean = {name: "" for name in os.environ if name.startswith(("K8S_AUTH_", "HELM_", "KUBE"))}
    return run_playbook("-i", scratch / "hosts.json", scratch / "play.yml", env={**clean, **env})


def role_of(host: str) -> str:
    return host.partition(".")[0]


def messages(run: Run) -> dict[str, str]:
    """Host → what its role failed with."""
    return {entry["host"]: str(entry["result"]["msg"]) for entry in run.results if entry["status"] == "failed"}


def test_a_role_alone_asks_the_cluster_of_its_host(declared: Server, other: Server, tmp_path: Path) -> None:
    hosts: dict[str, dict[str, Any]] = {}
    for role in ROLES:
        for way in ("mcpops_kubeconfig", "aks_cluster_kubeconfig", f"{role}_kubeconfig", "content"):
            name = f"{role}.{way}"
            path = declared.kubeconfig(tmp_path / name, name, f"/of/{name}")
            given = {f"{role}_kubeconfig": json.loads(path.read_text())} if way == "content" else {way: str(path)}
            # what is more the role's own is what counts
            hosts[name] = {"mcpops_kubeconfig": "/nowhere", **given}
    run = run_alone(tmp_path, everything_of(other, tmp_path), hosts)
    assert other.asked == []
    asked = {entry.split("/")[2]: entry for entry in declared.asked}
    assert set(asked) == set(hosts), run.output
    assert all(entry.endswith(f"Bearer token-of-{name}") for name, entry in asked.items())


@pytest.mark.parametrize("validated", [True, False], ids=["validated", "not validated"])
def test_a_role_alone_without_a_kubeconfig_is_refused(other: Server, tmp_path: Path, validated: bool) -> None:
    empty = {"null": None, "empty": "", "blank": " "}
    hosts = {f"{role}.{name}": {"mcpops_kubeconfig": value} for role in ROLES for name, value in empty.items()}
    hosts |= {f"{role}.none": {} for role in ROLES}
    run = run_alone(tmp_path, everything_of(other, tmp_path), hosts, rolespec_validate=validated)
    assert other.asked == []
    reported = messages(run)
    assert set(reported) == set(hosts), run.output
    for host, message in reported.items():
        own = f"{role_of(host)}_kubeconfig"
        undefined = f"'mcpops_kubeconfig' is undefined: set it, or {own}, to the kubeconfig of this host's cluster"
        stated = [undefined] if host.endswith(".none") else ["kubeconfig: is empty", "mcpops_kubeconfig"]
        assert all(words in message for words in stated), message
