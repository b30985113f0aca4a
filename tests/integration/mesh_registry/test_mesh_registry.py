# SPDX-License-Identifier: GPL-3.0-or-later
"""The published registry with each kind of database: made, left alone, repaired, without its database, removed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from support import mesh

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SECRET = "mcp-mesh-registry-database"


def declared(cloud: Any, namespace: str, **options: Any) -> dict[str, Any]:
    images = {"image": mesh.image(cloud, "library/postgres:15"), "size": "64Mi"}
    database = options.pop("database", {})
    if database.get("type") != "existing":
        database = {**images, **database}
    registry = mesh.image(cloud, "mcpmesh/registry:3.7.1")
    # a local cloud that stays up may hold an older image of the name
    pulled = {"image": registry, "image_pull_policy": "Always"}
    return {"namespace": namespace, **pulled, "database": database, "wait_timeout": 240, **options}


def changes(result: dict[str, Any]) -> set[str]:
    return {one["after_header"] for one in result["diff"]}


def secret_data(cluster: Any, namespace: str, name: str = SECRET) -> dict[str, str]:
    data = cluster.get("-n", namespace, "secret", name)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_a_registry_with_its_own_database(
    cloud: Any, cluster: Any, namespace: str, direct: Any, mesh_images: None
) -> None:
    task = declared(cloud, namespace)
    assert direct(task, check=True)["changed"]
    made = direct(task)
    password = secret_data(cluster, namespace)["password"]
    assert password not in json.dumps(made)
    assert made["registry"]["url"] == f"http://{mesh.REGISTRY_SERVICE}.{namespace}:8000"
    for check in (False, True):
        again = direct(task, check=check)
        assert not again["changed"], again["diff"]
    mesh.heartbeat(cluster, namespace, "dates-00000001", "dates", [])

    # it runs, and says that it is healthy, and is not ready: nobody is sent to it
    database = f"statefulset/{mesh.REGISTRY_SERVICE}-db"
    [pod] = cluster.get("-n", namespace, "pods", "-l", "app.kubernetes.io/component=registry")["items"]
    cluster.kubectl("-n", namespace, "scale", database, "--replicas=0")
    name = pod["metadata"]["name"]
    cluster.kubectl("-n", namespace, "wait", f"pod/{name}", "--for=condition=Ready=False", "--timeout=60s")
    assert '"healthy"' in cluster.kubectl(
        "get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{name}:8000/proxy/health"
    )
    log = cluster.kubectl("-n", namespace, "logs", name)
    assert password in log, "the reason why logs of the registry are redacted before they are shown"
    # an image that nobody has, and what its failure shows
    broken = {**task, "wait_timeout": 5, "database": {**task["database"], "image": "nowhere.invalid/x:1"}}
    assert password not in json.dumps(direct(broken, fails=True))

    # repaired, with the same password and what was in the database
    repaired = direct(task)
    assert f"StatefulSet {namespace}/{mesh.REGISTRY_SERVICE}-db" in changes(repaired)
    assert secret_data(cluster, namespace)["password"] == password
    path = f"/api/v1/namespaces/{namespace}/services/http:{mesh.REGISTRY_SERVICE}:8000/proxy/agents"
    assert '"dates-00000001"' in cluster.kubectl("get", "--raw", path)

    gone = direct({"namespace": namespace, "state": "absent"})
    assert gone["changed"]
    assert secret_data(cluster, namespace)["password"] == password
    assert len(cluster.get("-n", namespace, "pvc")["items"]) == 1
    direct(task)
    direct({"namespace": namespace, "state": "absent", "delete_data": True})
    mesh.until(lambda: cluster.get("-n", namespace, "pvc")["items"] == [])
    left = cluster.get("-n", namespace, "deployments,statefulsets,services,secrets,networkpolicies")["items"]
    assert left == []


def test_two_pods_share_an_existing_database(
    cloud: Any, cluster: Any, namespace: str, direct: Any, mesh_images: None
) -> None:
    password = "Qm93-opaque-77120934"
    mesh.apply(cluster, mesh.database(cloud, namespace, password))
    existing = {"type": "existing", "existing_secret": {"name": "postgres-url", "key": "url"}}
    task = declared(cloud, namespace, database=existing, replicas=2)
    assert direct(task, fails=True)["error"]["kind"] == "refused"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "postgres-url", "namespace": namespace}}
    mesh.apply(cluster, [{**secret, "stringData": {"url": f"mysql://mesh:{password}@postgres:5432/mesh"}}])
    refused = direct(task, fails=True)
    assert "does not begin with postgres://" in refused["msg"]
    assert password not in json.dumps(refused)
    url = f"postgres://mesh:{password}@postgres.{namespace}:5432/mesh?sslmode=disable"
    mesh.apply(cluster, [{**secret, "stringData": {"url": url}}])
    mesh.rolled_out(cluster, namespace, "postgres")
    assert password not in json.dumps(direct(task))
    mesh.heartbeat(cluster, namespace, "dates-00000001", "dates", [])
    pods = cluster.get("-n", namespace, "pods", "-l", "app.kubernetes.io/component=registry")["items"]
    assert len(pods) == 2
    for pod in pods:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}:8000/proxy/agents"
        assert '"dates-00000001"' in cluster.kubectl("get", "--raw", path)
        admin = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}:8000/proxy/admin/drain"
        assert cluster.kubectl("get", "--raw", admin, check=False) == ""
    assert not direct(task)["changed"]


def test_a_file_stays_with_its_volume(cloud: Any, cluster: Any, namespace: str, direct: Any, mesh_images: None) -> None:
    task = declared(cloud, namespace, database={"type": "sqlite"})
    direct(task)
    mesh.heartbeat(cluster, namespace, "dates-00000001", "dates", [])
    cluster.kubectl("-n", namespace, "delete", "pod", f"{mesh.REGISTRY_SERVICE}-0")
    assert not direct(task)["changed"]
    path = f"/api/v1/namespaces/{namespace}/services/http:{mesh.REGISTRY_SERVICE}:8000/proxy/agents"
    assert '"dates-00000001"' in cluster.kubectl("get", "--raw", path)
    older = direct({**task, "image": mesh.image(cloud, "mcpmesh/registry:3.6.0")}, check=True, fails=True)
    assert older["error"]["kind"] == "refused"
    assert "allow_downgrade" in older["msg"]
    # another kind of database: another kind of workload, and the old one goes
    changed = direct(declared(cloud, namespace))
    assert f"StatefulSet {namespace}/{mesh.REGISTRY_SERVICE}" in changes(changed)
    assert cluster.get("-n", namespace, "deployment", mesh.REGISTRY_SERVICE)["status"]["readyReplicas"] == 1
