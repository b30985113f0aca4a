# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill as its users run it: a registry is dumped to Blob storage by the token of a service account, and a
second cluster, whose own identity may only read there, has the same rows again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from integration.conftest import LOCATION
from support import mesh
from support.playbook import LOCAL_HOST, Run, run_playbook
from support.portal import Portal

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CONTRIBUTOR, READER = "ba92f5b4-2d11-453d-a403-e96b0029c9fe", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
EXCHANGE = "api://AzureADTokenExchange"
NAME = mesh.REGISTRY_SERVICE
DRILL = "mesh-drill"
CERTIFICATES = {"name": "authorities", "key": "ca.pem"}


@dataclass(frozen=True)
class Dumps:
    """A container of Blob storage, and who may write and read there."""

    cloud: Any
    portal: Portal
    group: str
    account: str
    address: str

    def identity(self, name: str, cluster: Any, namespace: str, role: str) -> dict[str, str]:
        """The blob options of a registry: its service account signs in as an identity that has this role."""
        place = f"resourceGroups/{self.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        version = "2024-11-30"
        made = self.portal.request("PUT", place, {"location": LOCATION}, version).raise_for_status().json()
        shown = self.portal.get(
            f"resourceGroups/{cluster.resource_group}/providers/Microsoft.ContainerService"
            f"/managedClusters/{cluster.name}"
        )
        trusted = {
            "issuer": shown["properties"]["oidcIssuerProfile"]["issuerURL"],
            "subject": f"system:serviceaccount:{namespace}:{NAME}-backup",
            "audiences": [EXCHANGE],
        }
        credential = f"{place}/federatedIdentityCredentials/dumps"
        self.portal.request("PUT", credential, {"properties": trusted}, version).raise_for_status()
        self.grant(role, made["properties"]["principalId"])
        settings = self.cloud.settings
        return {
            "url": f"{self.address}dumps/prod",
            "client_id": made["properties"]["clientId"],
            "tenant_id": self.cloud.environment["tenant_id"],
            "authority_host": f"https://{settings.host_address}:{settings.azure_port}",
            "ca_config_map": CERTIFICATES,
        }

    def grant(self, role: str, principal: str) -> None:
        scope = f"resourceGroups/{self.group}/providers/Microsoft.Storage/storageAccounts/{self.account}"
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        given = {
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "principalId": principal,
            "principalType": "ServicePrincipal",
        }
        self.portal.request("PUT", path, {"properties": given}, "2022-04-01").raise_for_status()


@pytest.fixture
def dumps(cloud: Any) -> Iterator[Dumps]:
    portal = Portal(cloud.environment, cloud.secret)
    group, account = f"rg-drill-{uuid.uuid4().hex[:8]}", f"st{uuid.uuid4().hex[:12]}"
    portal.request("PUT", f"resourceGroups/{group}", {"location": LOCATION}, "2025-04-01").raise_for_status()
    place = f"resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{account}"
    body = {
        "location": LOCATION,
        "sku": {"name": "Standard_LRS"},
        "kind": "StorageV2",
        "properties": {"allowSharedKeyAccess": False},
    }
    made = portal.request("PUT", place, body, "2026-09-01").raise_for_status().json()
    dumps = Dumps(cloud, portal, group, account, made["properties"]["primaryEndpoints"]["blob"])
    dumps.grant(CONTRIBUTOR, portal.object_id)
    headers = {"Authorization": f"Bearer {portal.token_for('https://storage.azure.com/.default')}"}
    address = f"{dumps.address}dumps?restype=container"
    with httpx.Client(verify=portal.context) as client:
        client.put(address, headers={**headers, "x-ms-version": "2023-11-03"}).raise_for_status()
    yield dumps
    portal.request("DELETE", f"resourceGroups/{group}", version="2025-04-01")


def prepare(cloud: Any, cluster: Any, namespace: str, **labels: str) -> None:
    """A namespace whose pods can trust the authority of the local cloud."""
    authorities = Path(cloud.environment["ca_file"]).read_text(encoding="utf-8")
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CERTIFICATES["name"], "namespace": namespace},
            "data": {CERTIFICATES["key"]: authorities},
        },
    ]
    mesh.apply(cluster, objects)


def query(cluster: Any, namespace: str, text: str) -> str:
    psql = ("psql", "-h", "/tmp", "-U", "mcpmesh", "-d", "mcpmesh", "-v", "ON_ERROR_STOP=1", "-Atc", text)
    return str(cluster.kubectl("-n", namespace, "exec", f"{NAME}-db-0", "--", *psql))


def test_a_dump_is_restored_in_another_cluster(
    cloud: Any,
    cluster: Any,
    other_cluster: Any,
    namespace: str,
    dumps: Dumps,
    direct: Any,
    mesh_images: None,
    tmp_path: Path,
) -> None:
    runtime = mesh.image(cloud, "mcpmesh/python-runtime:3.8.0")
    database = {"image": mesh.image(cloud, "library/postgres:15"), "size": "64Mi"}
    registry = mesh.image(cloud, "mcpmesh/registry:3.7.1")
    prepare(cloud, cluster, namespace)
    used = {**dumps.identity("id-used", cluster, namespace, CONTRIBUTOR), "image": runtime}
    task = {"namespace": namespace, "image": registry, "database": database, "wait_timeout": 240}
    direct({**task, "backup": {"schedule": "17 2 * * *"}, "blob": used})
    mesh.heartbeat(cluster, namespace, "dates-00000001", "dates", [])
    query(cluster, namespace, "create table ledger (word text); insert into ledger values ('kept'), ('too')")
    cluster.kubectl("-n", namespace, "create", "job", "now", f"--from=cronjob/{NAME}-backup")
    cluster.kubectl("-n", namespace, "wait", "job/now", "--for=condition=Complete", "--timeout=200s")

    reader = {**dumps.identity("id-drill", other_cluster, DRILL, READER), "image": runtime}
    host = {
        **LOCAL_HOST,
        "mcpops_kubeconfig": str(other_cluster.kubeconfig),
        "mcpops_process_environment": {"NO_PROXY": cloud.process_environment()["NO_PROXY"]},
        "mcp_mesh_namespace": DRILL,
        "mcp_mesh_image": registry,
        "mcp_mesh_database": database,
        "mcp_mesh_blob": reader,
        "mcp_mesh_namespace_labels": {"team": "data"},
    }
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"drill": {"hosts": {"spare": host}}}), encoding="utf-8")

    def drill(*arguments: str) -> Run:
        return run_playbook("mcpops.platform.mesh_drill", "-i", inventory, *arguments)

    # somebody's namespace
    prepare(cloud, other_cluster, DRILL)
    refused = drill()
    assert refused.returncode != 0
    assert "without the label mcpops.io/drill" in refused.output
    assert other_cluster.get("-n", DRILL, "deployments,statefulsets")["items"] == []

    prepare(cloud, other_cluster, DRILL, **{"mcpops.io/drill": "true"})
    kept = drill("-e", "mesh_drill_keep=true").ok()
    assert "is there again, row by row" in kept.output
    labels = other_cluster.get("namespace", DRILL)["metadata"]["labels"]
    assert (labels["team"], labels["mcpops.io/drill"]) == ("data", "true")
    assert query(other_cluster, DRILL, "select word from ledger order by word").split() == ["kept", "too"]
    # a second drill begins anew, and leaves nothing
    query(other_cluster, DRILL, "drop table ledger")
    assert "is there again, row by row" in drill().ok().output
    kinds = "deployments,statefulsets,pods,jobs,cronjobs,pvc"
    mesh.until(lambda: other_cluster.get("-n", DRILL, kinds)["items"] == [])
    # what was never dumped
    missing = drill("-e", "mesh_drill_file=mesh-19990101T000000Z.dump")
    assert missing.returncode != 0
    assert "getting $(FILE): 404 BlobNotFound" in missing.output, missing.last["msg"]
