# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret given to any option is found nowhere: not in output at -vvvv, results, command lines or files."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.canaries import watched_command_lines
from support.playbook import CHECKOUT, LOCAL_HOST, Run, run_tasks

from ..conftest import Cloud, Cluster, play_options

pytestmark = pytest.mark.integration

FIXTURES = CHECKOUT / "tests/contract/ansible/fixtures/collections"
OTHER_HOST = {"ansible_connection": "test.adapters.namespace", "ansible_python_interpreter": sys.executable}
CANARY = "canary-6f1d2b"
REQUIRED: dict[str, dict[str, Any]] = {
    "aks_sku_preflight": {"location": "eastus2", "candidates": ["Standard_D2s_v5"], "node_count": 1},
    "azure_preflight": {"permissions": [{"actions": ["Microsoft.Compute/skus/read"]}]},
    "acr_image": {
        "registry": "canaryacr",
        "resource_group": "rg-x",
        "repository": "x",
        "tags": ["1"],
        "source": {"image": "x.example.com/x:1", "username": "x", "password": f"{CANARY}-acr_image-password"},
    },
    "azure_provider": {"namespaces": ["Microsoft.Compute"]},
    "azure_resource": {"type": "Microsoft.Resources/resourceGroups", "name": "rg-x", "location": "eastus2"},
    "azure_resource_info": {"type": "Microsoft.Resources/resourceGroups", "name": "rg-x"},
    "azure_role_assignment": {"scope": "/", "principal": "11111111-2222-3333-4444-555555555555", "role": "Reader"},
    "aks_cluster": {"name": "x", "resource_group": "rg-x", "location": "eastus2"},
    "aks_cluster_info": {"name": "x", "resource_group": "rg-x"},
    "aks_kubeconfig": {"name": "x", "resource_group": "rg-x", "path": "kubeconfig"},
    "k8s_objects": {
        "definitions": [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "x", "namespace": "x"},
                "stringData": {"password": f"{CANARY}-k8s_objects-data"},
            }
        ],
    },
    "k8s_objects_info": {"kind": "Secret", "api_version": "v1"},
    "helm_release": {
        "name": "x",
        "namespace": "x",
        "chart_ref": "oci://127.0.0.1:9/x",
        "chart_version": "1.0.0",
        "registry_username": "x",
    },
    "kmcp_install": {"chart_repository": "oci://127.0.0.1:9/x", "registry_username": "x"},
    "kmcp_cli": {"url": "http://127.0.0.1:9/kmcp", "username": "x"},
    "mcp_server": {"name": "x", "namespace": "x", "image": "x", "port": 3000},
    "mcp_probe": {"name": "x", "namespace": "x", "port": 3000, "wait_timeout": 1},
}


def _secrets() -> dict[str, dict[str, Any]]:
    """By module: a canary of its own for every option that is declared secret."""
    found: dict[str, dict[str, Any]] = {}
    for module in REQUIRED:
        loaded = importlib.import_module(f"ansible_collections.mcpops.platform.plugins.modules.{module}")
        for name, option in loaded.ARGUMENT_SPEC.items():
            if option.get("no_log") is True:
                canary = f"{CANARY}-{module}-{name}"
                found.setdefault(module, {})[name] = {"X-Key": canary} if option["type"] == "dict" else canary
    return found


@dataclass(frozen=True)
class Watched:
    run: Run
    command_lines: list[str]
    home: Path


@pytest.fixture(
    scope="module", params=["here", pytest.param("there", marks=pytest.mark.slow)], ids=["in process", "module"]
)
def watched(
    request: pytest.FixtureRequest, cloud: Cloud, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Watched:
    """One run at -vvvv of every module with canaries, in process or as a module on another connection."""
    home = tmp_path_factory.mktemp("home")
    play = play_options(cloud, None, None)
    server = cluster.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    play["module_defaults"]["group/mcpops.platform.kubernetes"] = {"host": server, "validate_certs": False}
    with watched_command_lines(CANARY) as seen:
        run = run_tasks(
            [
                {"name": module, f"mcpops.platform.{module}": {**REQUIRED[module], **secrets}, "ignore_errors": True}
                for module, secrets in _secrets().items()
            ],
            play={**play, "environment": {**play["environment"], "HOME": str(home)}},
            hosts={"h": {"here": LOCAL_HOST, "there": OTHER_HOST}[request.param]},
            collections=[FIXTURES],
            verbosity=4,
        )
    return Watched(run, seen, home)


@pytest.mark.parametrize("module", sorted(_secrets()))
def test_every_module_ran_and_was_refused(module: str, watched: Watched) -> None:
    assert watched.run.of("h", module)["error"]["kind"] in ("service_error", "not_ready"), (
        "the canaries are no real credentials"
    )


@pytest.mark.parametrize("module", sorted(_secrets()))
def test_canaries_are_found_nowhere(module: str, watched: Watched) -> None:
    canary = f"{CANARY}-{module}"
    assert canary not in watched.run.output
    assert canary not in str(watched.run.results)
    assert not [line for line in watched.command_lines if canary in line]
    files = [path for path in watched.home.rglob("*") if path.is_file()]
    assert not [path for path in files if canary.encode() in path.read_bytes()]
