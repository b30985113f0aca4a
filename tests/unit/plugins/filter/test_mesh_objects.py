# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declared mesh asks of the cluster that it is to run in."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment
from support.playbook import CHECKOUT

from ansible_collections.mcpops.platform.plugins.filter.mesh_objects import mesh_objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.capacity import asked_pods
from ansible_collections.mcpops.platform.plugins.module_utils.kube.k8s_preflight import needs_of

DEFAULTS = yaml.safe_load((CHECKOUT / "roles/site_preflight/defaults/main.yml").read_text())
LARGE = {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "4Gi"}}


def asked(**inventory: Any) -> dict[str, tuple[int, str, str]]:
    """Who asks for how many pods of which size, of an inventory and the defaults of the role."""
    jinja = NativeEnvironment()
    jinja.filters["mcpops.platform.mesh_objects"] = mesh_objects
    definitions = jinja.from_string(DEFAULTS["site_preflight_definitions"]).render(inventory)
    rows = {one.subject: (one.count, one.each.as_data()) for one in asked_pods([], definitions)}
    return {subject: (count, each["cpu"], each["memory"]) for subject, (count, each) in rows.items()}


def test_a_mesh_with_its_defaults() -> None:
    agents = [{"name": "dates", "script": "dates.py"}, {"name": "none", "script": "n.py", "replicas": 0}]
    assert asked(mcpops_mesh_namespace="mesh", mcpops_mesh_agents=agents) == {
        "Deployment mesh/mcp-mesh-registry": (1, "0.05", "128Mi"),
        "StatefulSet mesh/mcp-mesh-registry-db": (1, "0.05", "128Mi"),
        "Deployment mesh/dates": (1, "0.05", "128Mi"),
    }


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
