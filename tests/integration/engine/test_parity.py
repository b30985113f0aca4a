# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module, in process and as a module on another connection: the same answer."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.playbook import CHECKOUT, LOCAL_HOST, Run, run_tasks

from localcloud.settings import SUBSCRIPTION_ID

from ..conftest import Cloud, Cluster, play_options

pytestmark = pytest.mark.integration

FIXTURES = CHECKOUT / "tests/contract/ansible/fixtures/collections"
OTHER_HOST = {"ansible_connection": "test.adapters.namespace", "ansible_python_interpreter": sys.executable}
# what the two may differ in: which interpreter said so, and what core itself adds
ADAPTER_KEYS = {"invocation", "warnings", "deprecations", "exception", "ansible_facts"}
VOLATILE_KEYS = {"attempts", "duration_ms", "elapsed", "latency_ms", "traceparent"}

Arguments = Callable[[Path], dict[str, Any]]
SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
PRINCIPAL = "11111111-2222-3333-4444-555555555555"
NAMED = {"name": "integration", "resource_group": "rg-integration"}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "parity", "namespace": "default"}}


def _program(tmp: Path) -> Path:
    """A program that says it is kmcp, with its checksum beside it."""
    program = tmp / "program"
    program.write_text("#!/bin/sh\necho kmcp version 0.3.0\n", encoding="ascii")
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    program.with_name("program.sha256").write_text(f"{digest}  dist/kmcp\n", encoding="ascii")
    return program


# module: (arguments of a plan in check mode, arguments that its own validation refuses)
MODULES: dict[str, tuple[Arguments, dict[str, Any] | None]] = {
    "aks_sku_preflight": (
        lambda tmp: {"location": "eastus2", "candidates": ["Standard_D2s_v5"], "node_count": 2},
        {"location": "eastus2", "candidates": [], "node_count": 0},
    ),
    "azure_preflight": (
        lambda tmp: {"permissions": [{"actions": ["Microsoft.Compute/skus/read"]}]},
        {"permissions": [{"scope": "nowhere", "actions": ["*"]}]},
    ),
    "acr_image": (
        lambda tmp: {
            "registry": "parityacr",
            "resource_group": "rg-integration",
            "repository": "parity",
            "tags": ["1"],
            "source": {"image": f"parity.example.com/echo@sha256:{'a' * 64}"},
        },
        {"registry": "a", "resource_group": "rg.", "repository": "A", "tags": [], "source": {"image": "B"}},
    ),
    "azure_provider": (lambda tmp: {"namespaces": ["Microsoft.ContainerService"]}, {"namespaces": []}),
    "azure_resource": (
        lambda tmp: {
            "type": "Microsoft.Resources/resourceGroups",
            "name": "rg-integration",
            "location": "eastus2",
            "tags": {"parity": "planned"},
        },
        {"type": "Microsoft.Resources/resourceGroups", "name": "ends.with.", "location": "eastus2"},
    ),
    "azure_resource_info": (
        lambda tmp: {"type": "Microsoft.Resources/resourceGroups", "name": "rg-integration"},
        None,
    ),
    "azure_role_assignment": (
        lambda tmp: {"scope": SUBSCRIPTION, "principal": PRINCIPAL, "role": "Reader"},
        {"scope": "rg-integration", "principal": PRINCIPAL, "role": "Reader"},
    ),
    "aks_cluster": (
        lambda tmp: {**NAMED, "location": "eastus2", "tags": {"parity": "planned"}},
        {**NAMED, "name": "ends-with-", "location": "eastus2"},
    ),
    "aks_cluster_info": (lambda tmp: dict(NAMED), None),
    "aks_kubeconfig": (lambda tmp: {**NAMED, "path": str(tmp / "kubeconfig")}, None),
    "k8s_objects": (
        lambda tmp: {"definitions": [{**CONFIG_MAP, "data": {"a": "1"}}]},
        {"definitions": [{"kind": "x"}]},
    ),
    "k8s_objects_info": (lambda tmp: {"api_version": "v1", "kind": "Namespace", "name": "default"}, None),
    "helm_release": (
        lambda tmp: {"name": "parity", "namespace": "default", "state": "absent"},
        {"name": "Not A Name", "namespace": "default", "state": "absent"},
    ),
    "kmcp_install": (lambda tmp: {"namespace": "parity-none", "state": "absent"}, {"version": "latest"}),
    "kmcp_cli": (
        lambda tmp: {"path": str(tmp / "bin" / "kmcp"), "url": f"file://{_program(tmp)}"},
        {"version": "latest", "path": "bin/kmcp"},
    ),
    "mcp_server": (
        lambda tmp: {"name": "parity", "namespace": "default", "state": "absent"},
        {"name": "parity", "namespace": "default", "image": "x", "port": 70000},
    ),
    "agent_workload": (
        lambda tmp: {"namespace": "default", "agents": [{"name": "parity", "image": "parity:1"}]},
        {"namespace": "default", "agents": [{"name": "parity", "image": "parity:1", "port": 80}]},
    ),
    "agent_workload_info": (
        lambda tmp: {"namespace": "default", "agents": [], "wait_timeout": 0},
        {"namespace": "default", "agents": [{"name": "-"}]},
    ),
    "mesh_agent": (
        lambda tmp: {"namespace": "default", "agents": [{"name": "parity", "image": "parity:1"}]},
        {"namespace": "default", "agents": [{"name": "parity", "port": 80}]},
    ),
    "mesh_registry": (
        lambda tmp: {"namespace": "default", "database": {"type": "sqlite"}},
        {"namespace": "default", "replicas": 2, "database": {"type": "sqlite"}},
    ),
    "gateway": (
        lambda tmp: {"namespace": "parity-none", "state": "absent"},
        {"namespace": "default", "renderer": "plain", "listeners": []},
    ),
    "gateway_route": (
        lambda tmp: {"namespace": "parity-none", "gateway": {"namespace": "parity-none"}, "state": "absent"},
        {"namespace": "default", "gateway": {"namespace": "default"}, "routes": [{"name": "a", "host": "*.b"}]},
    ),
    "gateway_trial": (
        lambda tmp: {"namespace": "parity-none"},
        {"namespace": "default", "callers": [{"namespace": "*"}]},
    ),
    "mesh_registry_info": (
        lambda tmp: {"namespace": "default", "service": "nobody", "wait_timeout": 1},
        {"namespace": "default", "port": 0},
    ),
    "k8s_diagnosis_info": (lambda tmp: {"namespaces": ["default"]}, None),
    "k8s_preflight": (lambda tmp: {"checks": ["nodes", "permissions"]}, {"workloads": [{"replicas": 1}]}),
    "site_lock": (lambda tmp: {"state": "absent"}, None),
    "mcp_probe": (lambda tmp: {"name": "nobody", "namespace": "default", "port": 3000, "wait_timeout": 1}, None),
}


# what a whole run is needed for: they are actions without a module form
ACTIONS_ONLY = {"controller_content", "site_validate", "site_drift", "site_drift_verdict"}


def test_the_table_has_every_module() -> None:
    present = {path.stem for path in (CHECKOUT / "plugins" / "modules").glob("*.py")} - {"__init__"}
    assert set(MODULES) == present - ACTIONS_ONLY


@pytest.fixture(scope="module")
def both(cloud: Cloud, cluster: Cluster) -> Callable[[Mapping[str, Any], bool], Run]:
    """One playbook run of many modules on two hosts: `here` runs in process, `there` is another connection."""

    def run(tasks: Mapping[str, Any], check: bool) -> Run:
        return run_tasks(
            [{"name": name, f"mcpops.platform.{name}": args, "ignore_errors": True} for name, args in tasks.items()],
            play=play_options(cloud, cluster.kubeconfig, None),
            hosts={"here": LOCAL_HOST, "there": OTHER_HOST},
            check=check,
            collections=[FIXTURES],
        ).ok()

    return run


# One of each kind; a module takes seconds, and all of them have the same two adapters.
SAMPLE = ("azure_resource", "aks_cluster_info", "k8s_objects", "mcp_server")
REST = tuple(module for module in MODULES if module not in SAMPLE)


@pytest.fixture(scope="module")
def refused(both: Callable[..., Run]) -> Run:
    return both({module: invalid for module, (_, invalid) in MODULES.items() if invalid is not None}, False)


@pytest.mark.parametrize("modules", [SAMPLE, pytest.param(REST, marks=pytest.mark.slow)], ids=["sample", "rest"])
def test_both_adapters_plan_the_same(modules: tuple[str, ...], both: Callable[..., Run], tmp_path: Path) -> None:
    planned = both({module: MODULES[module][0](tmp_path) for module in modules}, True)
    for module in modules:
        assert _comparable(planned.of("here", module)) == _comparable(planned.of("there", module)), module


@pytest.mark.slow
@pytest.mark.parametrize("module", [name for name, (_, invalid) in MODULES.items() if invalid is not None])
def test_both_adapters_refuse_the_same(module: str, refused: Run) -> None:
    here = refused.of("here", module)
    assert here["error"]["kind"] in ("invalid_input", "refused"), here
    assert _comparable(here) == _comparable(refused.of("there", module))


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        dropped = ADAPTER_KEYS | VOLATILE_KEYS
        return {
            key: _comparable(item)
            for key, item in value.items()
            if key not in dropped and not key.startswith("_ansible")
        }
    return [_comparable(item) for item in value] if isinstance(value, list) else value
