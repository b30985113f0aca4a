# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role aks_cluster gives a cluster's identities: registries to pull from, managed identities to stand for."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support.image_pull import pod_of, state_of
from support.playbook import Run
from support.portal import Portal

from localcloud.azure.faults import Faults

from ..conftest import SHARED_CLUSTER, SHARED_GROUP, Cluster

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROLE = [{"ansible.builtin.include_role": {"name": "mcpops.platform.aks_cluster"}}]
GROUPS, REGISTRIES = "Microsoft.Resources/resourceGroups", "Microsoft.ContainerRegistry/registries"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
GRANTS = "providers/Microsoft.Authorization/roleAssignments"
ROLES_VERSION, IDENTITIES_VERSION = "2022-04-01", "2024-11-30"
THE_CLUSTER = f"resourceGroups/{SHARED_GROUP}/providers/Microsoft.ContainerService/managedClusters/{SHARED_CLUSTER}"


@dataclass(frozen=True)
class Attached:
    """A registry and an identity, and what of them the cluster has."""

    portal: Portal
    group: str
    name: str

    @property
    def registry(self) -> str:
        return f"resourceGroups/{self.group}/providers/{REGISTRIES}/{self.name}end"

    def grants(self) -> list[dict[str, Any]]:
        """Roles of the kubelets at the registry."""
        body = self.portal.get(THE_CLUSTER)
        kubelet = body["properties"]["identityProfile"]["kubeletidentity"]["objectId"]
        found = self.portal.get(f"{self.registry}/{GRANTS}", ROLES_VERSION)["value"]
        return [one for one in found if one["properties"]["principalId"] == kubelet]

    def credentials(self) -> dict[str, dict[str, Any]]:
        """Federated credentials of the identity, by their names."""
        own = f"resourceGroups/{self.group}/providers/{IDENTITIES}/id-tools/federatedIdentityCredentials"
        return {one["name"]: one["properties"] for one in self.portal.get(own, IDENTITIES_VERSION)["value"]}

    def declared(self, cluster: Cluster, **state: str) -> dict[str, Any]:
        token = {"identity": "id-tools", "namespace": "tools", "service_account": "server"}
        return {
            "mcpops_environment": "it",
            "mcpops_location": "eastus2",
            "mcpops_resource_group": self.group,
            "mcpops_kubeconfig": str(cluster.kubeconfig),
            "aks_cluster_name": SHARED_CLUSTER,
            "aks_cluster_resource_group": SHARED_GROUP,
            "aks_cluster_credential": "admin",
            "aks_cluster_node_pools": [{"name": "system", "mode": "System", "count": 1}],
            "aks_cluster_name_suffix": "end",
            "aks_cluster_registries": [{"name": self.name, **state}],
            "aks_cluster_federated_credentials": [{**token, **state}],
        }


@pytest.fixture
def attached(cloud: Any, run_all: Callable[..., Run]) -> Iterator[Attached]:
    one = Attached(
        Portal(cloud.environment, cloud.secret), f"rg-it-{uuid.uuid4().hex[:8]}", f"acr{uuid.uuid4().hex[:8]}"
    )
    common = {"resource_group": one.group, "location": "eastus2", "owner": {"host": "test"}}
    group = {"type": GROUPS, "name": one.group, "location": "eastus2", "owner": {"host": "test"}}
    made = [
        {"mcpops.platform.azure_provider": {"namespaces": ["Microsoft.ContainerRegistry"]}},
        {"mcpops.platform.azure_resource": group},
        {
            "mcpops.platform.azure_resource": {
                **common,
                "type": REGISTRIES,
                "name": f"{one.name}end",
                "sku": {"name": "Basic"},
            }
        },
        {"mcpops.platform.azure_resource": {**common, "type": IDENTITIES, "name": "id-tools"}},
    ]
    run_all(made).ok()
    yield one
    one.portal.request("DELETE", f"resourceGroups/{one.group}", version="2025-04-01")


def test_a_registry_and_an_identity_come_and_go(
    cloud: Any,
    cluster: Cluster,
    namespace: str,
    run_task: Callable[..., dict[str, Any]],
    run_all: Callable[..., Run],
    attached: Attached,
) -> None:
    """Checked, attached, left alone, taken away by somebody, shown, repaired, detached: a pod pulls only meanwhile."""
    source = {"image": f"{cloud.registry}/pause:1.0"}
    where = {"registry": f"{attached.name}end", "resource_group": attached.group, "repository": "pause"}
    image = run_task("acr_image", {**where, "tags": ["1.0"], "source": source})["image"]

    def pulls(name: str) -> bool:
        cluster.kubectl("-n", namespace, "create", "-f", "-", stdin=pod_of(name, image))
        return "running" in state_of(cluster, namespace, name)

    declared = attached.declared(cluster)
    run_all(ROLE, host={**declared, "aks_cluster_registries": [], "aks_cluster_federated_credentials": []}).ok()
    checked = run_all(ROLE, host=declared, check=True).ok()
    assert attached.grants() == [] and attached.credentials() == {}
    assert not pulls("before")
    made = run_all(ROLE, host=declared).ok()
    assert made.changed == checked.changed and len(set(made.changed)) == 2
    assert run_all(ROLE, host=declared).ok().changed == []
    assert pulls("attached")
    [grant] = attached.grants()
    [(name, token)] = attached.credentials().items()
    assert name == "test-tools-server"
    assert token["issuer"] == attached.portal.get(THE_CLUSTER)["properties"]["oidcIssuerProfile"]["issuerURL"]
    assert token["subject"] == "system:serviceaccount:tools:server"

    attached.portal.request("DELETE", f"{attached.registry}/{GRANTS}/{grant['name']}", version=ROLES_VERSION)
    shown = run_all(ROLE, host=declared, check=True, diff=True).ok()
    assert len(shown.changed) == 1 and "AcrPull" in shown.output and attached.grants() == []
    assert run_all(ROLE, host=declared).ok().changed == shown.changed
    assert [one["name"] for one in attached.grants()] == [grant["name"]], "the same one again"
    assert run_all(ROLE, host=declared).ok().changed == []

    gone = attached.declared(cluster, state="absent")
    assert set(run_all(ROLE, host=gone, check=True).ok().changed) == set(made.changed)
    assert len(attached.grants()) == 1
    assert set(run_all(ROLE, host=gone).ok().changed) == set(made.changed)
    assert run_all(ROLE, host=gone).ok().changed == []
    assert attached.grants() == [] and attached.credentials() == {}

    # a registry of others is named by its id
    registry = attached.portal.get(attached.registry, "2025-11-01")["id"]
    other = {**declared, "aks_cluster_registries": [{"id": registry}], "aks_cluster_federated_credentials": []}
    assert len(run_all(ROLE, host=other).ok().changed) == 1
    assert len(attached.grants()) == 1


LATE = 25


def test_a_role_that_takes_effect_late_fails_a_run_and_not_the_next(
    cloud: Any,
    cluster: Cluster,
    namespace: str,
    run_task: Callable[..., dict[str, Any]],
    run_all: Callable[..., Run],
    attached: Attached,
) -> None:
    """Azure says up to 10 minutes: the registry refuses the nodes for as long. At azurecr.io that is waited for
    (test_pods.py has the messages); this registry has another name, and the node's containerd does not say whose token
    service has refused, so that the refusal is told at once."""
    source = {"image": f"{cloud.registry}/pause:1.0"}
    where = {"registry": f"{attached.name}end", "resource_group": attached.group, "repository": "pause"}
    image = run_task("acr_image", {**where, "tags": ["1.0"], "source": source})["image"]
    labels = {"app": "late"}
    pod = json.loads(pod_of("late", image))["spec"]
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "late"}, "spec": spec}
    applied = {
        "mcpops.platform.k8s_objects": {
            "kubeconfig": str(cluster.kubeconfig),
            "namespace": namespace,
            "definitions": [deployment],
            "wait": True,
            "wait_timeout": 300,
        }
    }
    host = attached.declared(cluster)
    with Faults.at(cloud.settings.state / "azure").during("role-late", seconds=LATE, path="/registries/"):
        began = time.monotonic()
        refused = run_all([*ROLE, applied], host=host)
        assert refused.returncode != 0
        assert "401 Unauthorized" in refused.output and "that the cluster may pull from its" in refused.output
    # the kubelet asks again after 10, 20 and 40 s
    while run_all([*ROLE, applied], host=host).returncode != 0:
        assert time.monotonic() < began + LATE + 100
    assert run_all([*ROLE, applied], host=host).ok().changed == []
