# SPDX-License-Identifier: GPL-3.0-or-later
"""One mesh in two clusters: agents of the second register in the first, and are called from there; each direction is
cut once, and named by the diagnosis."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from integration.conftest import LOCATION
from support import mesh
from support.portal import Portal

from localcloud import routing

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAMESPACE = "two-meshes"
NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
SILENT, UNREACHABLE = "RemoteAgentSilent", "RemoteAgentUnreachable"


@dataclass(frozen=True)
class Clusters:
    cloud: Any
    first: Any
    second: Any
    group: str
    addresses: dict[str, str]

    @property
    def network(self) -> str:
        return f"{self.cloud.settings.network}"

    def public_ip(self, name: str) -> dict[str, Any]:
        return {"internal": False, "public_ip": {"name": name, "resource_group": self.group}}

    def route(self, *pairs: tuple[str, str], opened: bool = True) -> None:
        routing.change(self.cloud.settings, list(pairs), opened=opened)


@pytest.fixture(scope="module")
def clusters(cloud: Any, first: Any, second: Any, mesh_images: None) -> Iterator[Clusters]:
    """Both may use both addresses, and none reaches the other yet."""
    portal, group = Portal(cloud.environment, cloud.secret), f"rg-two-{uuid.uuid4().hex[:8]}"
    portal.put(f"resourceGroups/{group}", {"location": LOCATION}, "2025-04-01")
    addresses = {}
    for name in ("registry", "dates"):
        place = f"resourceGroups/{group}/providers/Microsoft.Network/publicIPAddresses/{name}"
        body = {
            "location": LOCATION,
            "sku": {"name": "Standard"},
            "properties": {"publicIPAllocationMethod": "Static"},
        }
        made = portal.request("PUT", place, body, "2026-03-01").raise_for_status().json()
        addresses[name] = made["properties"]["ipAddress"]
    for cluster in (first, second):
        kind = "providers/Microsoft.ContainerService/managedClusters"
        shown = portal.get(f"resourceGroups/{cluster.resource_group}/{kind}/{cluster.name}")
        given = {
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{NETWORK_CONTRIBUTOR}",
            "principalId": shown["identity"]["principalId"],
            "principalType": "ServicePrincipal",
        }
        path = f"resourceGroups/{group}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        portal.put(path, {"properties": given}, "2022-04-01")
    found = Clusters(cloud, first, second, group, addresses)
    yield found
    found.route((first.name, second.name), (second.name, first.name), opened=False)
    for cluster in (first, second):
        cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def findings(run_task: Any, cluster: Any) -> dict[str, str]:
    asked = {"namespaces": [NAMESPACE], "probe": True, "kubeconfig": str(cluster.kubeconfig)}
    return {one["code"]: one["summary"] for one in run_task("k8s_diagnosis_info", asked)["findings"]}


def succeeds(run_task: Any, module: str, task: dict[str, Any]) -> bool:
    try:
        run_task(module, task)
    except AssertionError:
        return False
    return True


def test_a_mesh_of_two_clusters(clusters: Clusters, run_task: Any) -> None:
    cloud, first, second = clusters.cloud, clusters.first, clusters.second
    for cluster in (first, second):
        mesh.apply(cluster, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
    registry = clusters.addresses["registry"]
    runtime = mesh.image(cloud, "mcpmesh/python-runtime:3.8.0")
    exposure = {"source_ranges": [clusters.network]}
    in_first, in_second = ({"kubeconfig": str(one.kubeconfig)} for one in (first, second))

    made = {
        **in_first,
        "namespace": NAMESPACE,
        "image": mesh.image(cloud, "mcpmesh/registry:3.7.1"),
        "database": {"type": "sqlite", "size": "64Mi"},
        "exposed": {**exposure, **clusters.public_ip("registry"), "agent_ranges": [clusters.network]},
        "wait_timeout": 480,
    }
    run_task("mesh_registry", made)
    clusters.route((first.name, second.name), (second.name, first.name))
    elsewhere = {
        **in_second,
        "namespace": NAMESPACE,
        "code": str(mesh.EXAMPLES),
        "registry_url": f"http://{registry}:8000",
        "wait_timeout": 480,
        "agents": [
            {
                "name": "dates",
                "image": runtime,
                "script": "dates.py",
                "exposed": {**exposure, **clusters.public_ip("dates"), "host": clusters.addresses["dates"]},
            }
        ],
    }
    run_task("mesh_agent", elsewhere)
    here = {
        **in_first,
        "namespace": NAMESPACE,
        "code": str(mesh.EXAMPLES),
        "remote_cidrs": [clusters.network],
        "wait_timeout": 480,
        "agents": [
            {
                "name": "greeter",
                "image": runtime,
                "script": "greeter.py",
                "dependencies": [
                    {"capability": "date_service"},
                    {"capability": "weather_service", "optional": True},
                ],
            }
        ],
    }
    run_task("mesh_agent", here)
    asked = {**in_first, "namespace": NAMESPACE, "agents": [{"name": "dates"}, {"name": "greeter"}], "wait_timeout": 90}
    rows = {one["name"]: one for one in run_task("mesh_registry_info", asked)["agents"]}
    assert rows["dates"]["endpoint"] == f"http://{clusters.addresses['dates']}:8080"
    call = {
        **in_first,
        "namespace": NAMESPACE,
        "name": "greeter",
        "port": 8080,
        "tool": "greet",
        "arguments": {"name": "Ada"},
        # what the other cluster's agent said
        "expect_regex": r"Ada, it is \d{4}-\d{2}-\d{2}",
    }
    # an agent is registered before it serves its tools
    mesh.until(lambda: succeeds(run_task, "mcp_probe", call), 120)
    # nothing is done again, and nothing is wrong
    for module, task in (("mesh_registry", made), ("mesh_agent", elsewhere), ("mesh_agent", here)):
        assert not run_task(module, task)["changed"]
    assert {SILENT, UNREACHABLE}.isdisjoint(findings(run_task, first))

    # the first cluster no longer reaches the second, whose agent stays registered
    clusters.route((first.name, second.name), opened=False)
    mesh.until(lambda: UNREACHABLE in findings(run_task, first), 120)
    said = findings(run_task, first)
    assert clusters.addresses["dates"] in said[UNREACHABLE] and SILENT not in said
    clusters.route((first.name, second.name))
    mesh.until(lambda: UNREACHABLE not in findings(run_task, first), 60)

    # what is in front of the agent comes back
    second.kubectl("delete", "service", "dates-exposed", "-n", NAMESPACE)
    assert run_task("mesh_agent", elsewhere)["changed"]
    assert not run_task("mesh_agent", elsewhere)["changed"]

    # the second no longer reaches the first
    clusters.route((second.name, first.name), opened=False)
    mesh.until(lambda: SILENT in findings(run_task, first), 120)
    said = findings(run_task, first)
    assert "dates" in said[SILENT] and UNREACHABLE not in said
    clusters.route((second.name, first.name))
    mesh.until(lambda: SILENT not in findings(run_task, first), 90)

    # removed, with its load balancers
    for module, task, cluster in (("mesh_agent", elsewhere, second), ("mesh_registry", made, first)):
        run_task(module, {**task, "state": "absent"})
        left = {one["metadata"]["name"] for one in cluster.get("services", "-n", NAMESPACE)["items"]}
        assert left.isdisjoint({"dates", "dates-exposed", mesh.REGISTRY_SERVICE, f"{mesh.REGISTRY_SERVICE}-exposed"})
