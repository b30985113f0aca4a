# SPDX-License-Identifier: GPL-3.0-or-later
"""What AAP counts of our results: its queries, evaluated by jq as the controller does, on real results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from gate.checkout import CHECKOUT
from gate.rules.modules import module_names
from support.local_azure import Azure

from ansible_collections.mcpops.platform.plugins.modules import (
    aks_cluster,
    aks_cluster_info,
    azure_resource,
    azure_resource_info,
)

GROUP = {"type": "Microsoft.Resources/resourceGroups", "name": "rg-Count", "location": "eastus2"}
CLUSTER = {"name": "counted", "resource_group": "rg-Count"}
POOLS = {"location": "eastus2", "node_pools": [{"name": "system", "count": 1, "vm_size": "Standard_D2s_v5"}]}
EVALUATE = "import json, jq, sys; print(json.dumps(jq.compile(sys.argv[1]).input_value(json.loads(sys.argv[2])).all()))"


def queries() -> dict[str, str]:
    loaded = yaml.safe_load((CHECKOUT / "extensions" / "audit" / "event_query.yml").read_text(encoding="utf-8"))
    return {module: entry["query"] for module, entry in loaded.items()}


def test_only_modules_of_this_collection_are_counted() -> None:
    assert set(queries()) <= {f"mcpops.platform.{name}" for name in module_names(CHECKOUT)}


@pytest.fixture(scope="module")
def jq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that the controller has."""
    place = tmp_path_factory.mktemp("jq")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--target", str(place)]
    subprocess.run([*pip, "jq>=1.8,<2"], check=True)
    return place


def counted(jq: Path, module: str, result: dict[str, Any]) -> list[dict[str, Any]]:
    argv = [sys.executable, "-c", EVALUATE, queries()[f"mcpops.platform.{module}"], json.dumps(result)]
    done = subprocess.run(argv, env={"PYTHONPATH": str(jq)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_each_resource_is_counted_once_by_whichever_module(azure: Azure, jq: Path) -> None:
    group = counted(jq, "azure_resource", azure.run(azure_resource, GROUP))
    assert [(row["name"], row["facts"]["device_type"]) for row in group] == [("rg-Count", GROUP["type"])]
    made = counted(jq, "aks_cluster", azure.run(aks_cluster, {**CLUSTER, **POOLS}))
    assert [(row["name"], row["facts"]["device_type"]) for row in made] == [("counted", "AKS cluster")]
    assert counted(jq, "aks_cluster_info", azure.run(aks_cluster_info, CLUSTER)) == made
    listed = counted(
        jq, "azure_resource_info", azure.run(azure_resource_info, {key: GROUP[key] for key in ("type", "name")})
    )
    assert [row["canonical_facts"] for row in listed] == [row["canonical_facts"] for row in group]
    assert all(set(row) == {"name", "canonical_facts", "facts"} for row in [*group, *made, *listed])


@pytest.mark.slow
def test_what_is_not_there_or_failed_is_not_counted(azure: Azure, jq: Path) -> None:
    assert counted(jq, "azure_resource", azure.run(azure_resource, {**GROUP, "state": "absent"})) == []
    failed = azure.run(aks_cluster, {**CLUSTER, **POOLS})
    assert failed["failed"]
    assert counted(jq, "aks_cluster", failed) == []
    assert counted(jq, "aks_cluster_info", azure.run(aks_cluster_info, CLUSTER)) == []
    for module in queries():
        assert counted(jq, module.rpartition(".")[2], {"changed": False, "skipped": True}) == []
