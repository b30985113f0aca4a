# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declared mesh asks of the cluster that it is to run in."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.plugins.filter.core import combine
from jinja2 import StrictUndefined, UndefinedError
from jinja2.nativetypes import NativeEnvironment
from support.playbook import CHECKOUT

from ansible_collections.mcpops.platform.plugins.filter.agent_objects import agent_objects
from ansible_collections.mcpops.platform.plugins.filter.mesh_objects import mesh_objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.capacity import asked_pods
from ansible_collections.mcpops.platform.plugins.module_utils.kube.k8s_preflight import needs_of

DEFAULTS = yaml.safe_load((CHECKOUT / "roles/site_preflight/defaults/main.yml").read_text())
MESH_DEFAULTS = yaml.safe_load((CHECKOUT / "roles/mcp_mesh/defaults/main.yml").read_text())
MESH_TASKS = yaml.safe_load((CHECKOUT / "roles/mcp_mesh/tasks/main.yml").read_text())
MODULE = "mcpops.platform.mesh_registry"
SIZED = ("Deployment", "StatefulSet", "CronJob", "Job", "PersistentVolumeClaim")
LARGE = {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "4Gi"}}


def definitions(**inventory: Any) -> list[dict[str, Any]]:
    jinja = NativeEnvironment()
    jinja.filters["mcpops.platform.mesh_objects"] = mesh_objects
    jinja.filters["mcpops.platform.agent_objects"] = agent_objects
    found: list[dict[str, Any]] = jinja.from_string(DEFAULTS["site_preflight_definitions"]).render(inventory)
    return found


def asked(**inventory: Any) -> dict[str, tuple[int, str, str]]:
    """Who asks for how many pods of which size, of an inventory and the defaults of the role."""
    rows = {one.subject: (one.count, one.each.as_data()) for one in asked_pods([], definitions(**inventory))}
    return {subject: (count, each["cpu"], each["memory"]) for subject, (count, each) in rows.items()}


def test_a_mesh_with_its_defaults() -> None:
    agents = [{"name": "dates", "script": "dates.py"}, {"name": "none", "script": "n.py", "replicas": 0}]
    assert asked(mcpops_mesh_namespace="mesh", mcpops_mesh_agents=agents) == {
        "Deployment mesh/mcp-mesh-registry": (1, "0.05", "128Mi"),
        "StatefulSet mesh/mcp-mesh-registry-db": (1, "0.05", "128Mi"),
        "Deployment mesh/dates": (1, "0.05", "128Mi"),
    }


def test_agents_beside_a_mesh() -> None:
    agents = [
        {"name": "helper", "image": "h:1", "namespace": "own", "replicas": 2, "resources": LARGE},
        {"name": "other", "image": "h:1", "secrets": {"backend": "plain", "values": {"A": "b"}}},
    ]
    found = asked(mcpops_mesh_namespace="mesh", mcpops_agents=agents, agent_workload_namespace="agents")
    assert found["Deployment own/helper"] == (2, "2", "4096Mi")
    assert found["Deployment agents/other"] == (1, "0.1", "256Mi")
    assert "Secret" not in {one["kind"] for one in definitions(mcpops_agents=agents)}
    # what the module would refuse is not there, and refused where it is declared
    assert agent_objects([{"name": "-", "image": "h:1"}], "agents") == []


def test_a_mesh_as_it_is_declared() -> None:
    found = asked(
        mcp_mesh_namespace="registries",
        mcp_mesh_registry_name="r",
        mcp_mesh_replicas=3,
        mcp_mesh_resources=LARGE,
        mcp_mesh_database={"resources": LARGE},
        mcp_mesh_backup={"keep": 2},
        mcp_mesh_agents_namespace="agents",
        mcp_mesh_agents_agents=[
            {"name": "a", "image": "x", "replicas": 4, "resources": LARGE},
            {"name": "b", "image": "x", "autoscaling": {"max_replicas": 9, "min_replicas": 2, "cpu_percent": 50}},
            {"name": "c", "image": "x", "autoscaling": {"max_replicas": 9, "cpu_percent": 50}},
        ],
    )
    assert found == {
        "Deployment registries/r": (3, "2", "4096Mi"),
        "StatefulSet registries/r-db": (1, "2", "4096Mi"),
        "CronJob registries/r-backup": (1, "2", "4096Mi"),
        "Deployment agents/a": (4, "2", "4096Mi"),
        "Deployment agents/b": (2, "0.05", "128Mi"),
        "Deployment agents/c": (1, "0.05", "128Mi"),
    }


def test_no_mesh_asks_for_nothing_and_one_elsewhere_for_its_agents() -> None:
    assert asked() == {}
    found = asked(
        mcp_mesh_agents_registry_url="http://elsewhere:8000", mcpops_mesh_agents=[{"name": "a", "image": "x"}]
    )
    assert set(found) == {"Deployment mcp-mesh/a"}


AZURE = {"server": "pg", "database": "registry", "login": "mesh", "password": "p"}
GUID = "3f0e3d5c-0d54-4d3c-9a3f-2a4ab2b6c9d1"
BLOB = {"url": "https://dumps.blob.core.windows.net/mesh", "client_id": GUID, "tenant_id": GUID}
MESHES: dict[str, dict[str, Any]] = {
    "bundled": {},
    "file": {"mcp_mesh_database": {"type": "sqlite"}},
    "of Azure": {"mcp_mesh_azure_database": AZURE},
    "of Azure by another name": {"mcp_mesh_azure_database": AZURE, "mcp_mesh_registry_name": "r"},
    "of Azure with dumps": {"mcp_mesh_azure_database": {**AZURE, "image": "pg:18"}, "mcp_mesh_backup": {"keep": 2}},
    "of Azure with dumps in Blob storage": {
        "mcp_mesh_azure_database": AZURE,
        "mcp_mesh_backup": {"keep": 2},
        "mcp_mesh_blob": BLOB,
    },
    "dumps in Blob storage": {"mcp_mesh_backup": {"keep": 2}, "mcp_mesh_blob": BLOB},
    "restored from Blob storage": {"mcp_mesh_restore": {"file": "a.dump"}, "mcp_mesh_blob": BLOB},
    "declared wholly": {"mcp_mesh_azure_database": AZURE, "mcp_mesh_database": {"type": "bundled", "size": "9Gi"}},
    "spread": {"mcp_mesh_replicas": 2, "mcp_mesh_resources": LARGE, "mcp_mesh_node_selector": {"a": "b"}},
}


def of_the_role(inventory: dict[str, Any]) -> list[dict[str, Any]]:
    """What the role applies for the registry, by its own defaults and its own task."""
    jinja = NativeEnvironment(undefined=StrictUndefined)
    jinja.filters["combine"] = combine
    known: dict[str, Any] = {"omit": None, **inventory}
    left = {key: value for key, value in MESH_DEFAULTS.items() if key not in known and "kubeconfig" not in key}
    while left:
        for key, value in list(left.items()):
            try:
                known[key] = jinja.from_string(value).render(known) if isinstance(value, str) else value
            except UndefinedError:
                continue
            del left[key]
    [task] = [one[MODULE] for one in MESH_TASKS if MODULE in one]
    texts = {key: value for key, value in task.items() if isinstance(value, str) and key != "kubeconfig"}
    return mesh_objects({key: jinja.from_string(value).render(known) for key, value in texts.items()})


@pytest.mark.parametrize("mesh", MESHES.values(), ids=list(MESHES))
def test_the_preflight_plans_what_the_role_applies(mesh: dict[str, Any]) -> None:
    inventory = {"mcpops_mesh_namespace": "m", **mesh}
    planned = [item for item in definitions(**inventory) if item["kind"] in SIZED]
    applied = [item for item in of_the_role(inventory) if item["kind"] in SIZED]
    assert applied
    assert [(one["kind"], one["metadata"]["name"]) for one in planned] == [
        (one["kind"], one["metadata"]["name"]) for one in applied
    ]
    assert asked_pods([], planned) == asked_pods([], applied)
    assert list(needs_of(planned)) == list(needs_of(applied))


@pytest.mark.parametrize(
    ("agent", "needs"),
    [
        ({}, set()),
        ({"persistence": {"size": "1Gi"}}, {"default_storage_class"}),
        ({"persistence": {"size": "1Gi", "storage_class": "fast"}}, set()),
        ({"autoscaling": {"max_replicas": 2, "cpu_percent": 50}}, {"metrics_api"}),
    ],
)
def test_what_an_agent_needs_of_the_cluster(agent: dict[str, Any], needs: set[str]) -> None:
    assert set(needs_of(mesh_objects({}, [{"name": "a", "image": "x", **agent}], "mesh"))) == needs


@pytest.mark.parametrize(
    ("registry", "agents"),
    [
        ({"namespace": "m", "replicas": "many"}, []),
        ({"namespace": "m", "database": {"type": "mysql"}}, []),
        ({}, [{"image": "nameless"}]),
        ({}, [{"name": "a", "autoscaling": {}}]),
        ({}, ["a"]),
    ],
)
def test_what_the_modules_would_refuse_asks_for_nothing(registry: dict[str, Any], agents: list[Any]) -> None:
    """Whoever validates tells it where it was written."""
    assert mesh_objects(registry, agents, "mesh") == []


def test_no_secret_is_among_them() -> None:
    kinds = {item["kind"] for item in mesh_objects({"namespace": "m"}, [{"name": "a", "image": "x"}], "m")}
    assert "Deployment" in kinds and "Secret" not in kinds


class Lazy(dict[str, Any]):
    """As what a template is rendered in when it is read, which holds the template engine."""

    def __deepcopy__(self, _memo: Any) -> Lazy:
        raise AssertionError("the template engine would be copied")


def test_what_templates_gave_is_not_copied_with_their_engine() -> None:
    kinds = {item["kind"] for item in mesh_objects({"namespace": "m", "database": Lazy(type="sqlite")})}
    assert "StatefulSet" in kinds
