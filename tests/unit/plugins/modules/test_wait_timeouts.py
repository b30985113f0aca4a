# SPDX-License-Identifier: GPL-3.0-or-later
"""A negative longest wait is refused by every module that has one, before anything is asked."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, InvalidInput

ROOT = Path(__file__).parents[4]
PACKAGE = "ansible_collections.mcpops.platform.plugins.modules"
# what an operation needs to come as far as its longest wait
LEAST: dict[str, dict[str, Any]] = {
    "acr_image": {
        "registry": "mcpacr",
        "resource_group": "rg",
        "repository": "echo",
        "tags": ["1"],
        "source": {"image": "ghcr.io/echo:1"},
    },
    "aks_cluster": {"name": "c", "resource_group": "rg"},
    "azure_provider": {"namespaces": ["Microsoft.Compute"]},
    "azure_resource": {"type": "Microsoft.Resources/resourceGroups", "name": "rg"},
    "azure_role_assignment": {"scope": "/", "principal": "11111111-2222-3333-4444-555555555555", "role": "Reader"},
    "gateway": {
        "namespace": "gateway",
        "name": "mcp",
        "renderer": "envoy",
        "max_body_bytes": 1,
        "listeners": [{"name": "https", "hostname": "a.test", "port": 443, "tls": {"secret": "a"}}],
    },
    "gateway_route": {
        "namespace": "mcp",
        "gateway": {"name": "mcp", "namespace": "gateway", "port": 443},
        "renderer": "envoy",
        "routes": [],
        "max_body_bytes": 1,
        "prune": False,
    },
    "gateway_trial": {"namespace": "gateway"},
    "helm_release": {"name": "x", "namespace": "y", "chart_ref": "oci://z/x", "chart_version": "1.0.0"},
    "k8s_objects": {"definitions": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}]},
    "agent_workload": {"namespace": "agents", "agents": []},
    "agent_workload_info": {"namespace": "agents", "agents": []},
    "kmcp_install": {},
    "mcp_probe": {"name": "echo", "namespace": "mcp"},
    "mcp_server": {"name": "echo", "namespace": "mcp", "image": "echo:1"},
    "mesh_agent": {"namespace": "mesh", "agents": []},
    "mesh_registry": {"namespace": "mesh", "database": {"type": "bundled", "size": "1Gi"}},
    "mesh_registry_info": {"namespace": "mesh"},
    "site_lock": {},
}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of nobody: modules of Azure resolve them before they look at a resource's options."""
    for name in ("SUBSCRIPTION_ID", "TENANT", "CLIENT_ID", "SECRET"):
        monkeypatch.setenv(f"AZURE_{name}", "00000000-0000-0000-0000-000000000000")


def module(name: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.{name}")


def outcome(name: str, seconds: float) -> str:
    found = module(name)
    given = {option: spec.get("default") for option, spec in found.ARGUMENT_SPEC.items()}
    # a kubeconfig that is not there: who gets so far has not refused
    given |= {"kubeconfig": "/nowhere/kubeconfig"} if "kubeconfig" in given else {}
    with pytest.raises(Failure) as failed:
        found.OPERATION(FakeTask({**given, **LEAST[name], "wait_timeout": seconds}))
    assert isinstance(failed.value, InvalidInput)
    return failed.value.message()


def test_every_module_with_a_longest_wait_is_asked_here() -> None:
    names = [file.stem for file in (ROOT / "plugins" / "modules").glob("*.py")]
    assert {name for name in names if "wait_timeout" in module(name).ARGUMENT_SPEC} == LEAST.keys()


@pytest.mark.parametrize("name", LEAST)
def test_a_negative_longest_wait_is_refused(name: str) -> None:
    reported = outcome(name, -5)
    assert "wait_timeout: " in reported and "-5" in reported, reported


@pytest.mark.parametrize("name", ["k8s_objects", "mcp_probe", "mcp_server"])
def test_no_wait_is_one_look(name: str) -> None:
    assert "wait_timeout" not in outcome(name, 0)


def test_a_namespace_that_can_hold_no_lease_is_refused() -> None:
    task = FakeTask({"wait_timeout": 0, "state": "present", "playbook": "site", "namespace": "A b"})
    with pytest.raises(InvalidInput, match="namespace: 'A b' is not a valid namespace name"):
        module("site_lock").OPERATION(task)
