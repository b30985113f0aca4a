# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes of a registry and of its database that are to be larger, and a registry that is there before its database."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support import mesh

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PASSWORD = "Tz5-opaque-48120567"


def declared(cloud: Any, namespace: str, kind: str, size: str, **database: Any) -> dict[str, Any]:
    image = {} if kind == "sqlite" else {"image": mesh.image(cloud, "library/postgres:15")}
    registry = mesh.image(cloud, "mcpmesh/registry:3.7.1")
    whole = {"type": kind, "size": size, **image, **database}
    return {"namespace": namespace, "image": registry, "database": whole, "wait_timeout": 240}


@pytest.fixture
def growing(cluster: Any) -> Iterator[str]:
    """A class that says that its volumes grow; in the local cloud they are directories, as large as the disk."""
    name = "managed-premium"
    allow = '{"allowVolumeExpansion":%s}'
    cluster.kubectl("patch", "storageclass", name, "-p", allow % "true")
    yield name
    cluster.kubectl("patch", "storageclass", name, "-p", allow % "false")


@pytest.mark.parametrize("kind", ["sqlite", "bundled"])
def test_a_volume_grows_around_its_running_pod(
    cloud: Any, cluster: Any, namespace: str, direct: Any, mesh_images: None, growing: str, kind: str
) -> None:
    name = mesh.REGISTRY_SERVICE if kind == "sqlite" else f"{mesh.REGISTRY_SERVICE}-db"
    direct(declared(cloud, namespace, kind, "64Mi", storage_class=growing))
    before = cluster.get("-n", namespace, "pod", f"{name}-0")["metadata"]["uid"]
    larger = declared(cloud, namespace, kind, "128Mi", storage_class=growing)
    planned = direct(larger, check=True)
    assert {one["after_header"] for one in planned["diff"]} == {
        f"PersistentVolumeClaim {namespace}/data-{name}-0",
        f"StatefulSet {namespace}/{name}",
    }
    assert sizes(cluster, namespace, name) == ("64Mi", "64Mi")
    assert direct(larger)["changed"]
    assert sizes(cluster, namespace, name) == ("128Mi", "128Mi")
    assert cluster.get("-n", namespace, "pod", f"{name}-0")["metadata"]["uid"] == before
    for check in (True, False):
        again = direct(larger, check=check)
        assert not again["changed"], again["diff"]
    # the new one looks after it
    cluster.kubectl("-n", namespace, "delete", "pod", f"{name}-0")
    assert not direct(larger)["changed"]

    refused = direct(declared(cloud, namespace, kind, "64Mi", storage_class=growing), fails=True)
    assert refused["error"]["kind"] == "refused"
    assert "never shrinks" in refused["msg"]
    refused = direct(declared(cloud, namespace, kind, "128Mi", storage_class="managed-csi"), fails=True)
    assert "stays in its class" in refused["msg"]
    cluster.kubectl("patch", "storageclass", growing, "-p", '{"allowVolumeExpansion":false}')
    refused = direct(declared(cloud, namespace, kind, "256Mi", storage_class=growing), fails=True)
    assert "allowVolumeExpansion" in refused["msg"]
    assert sizes(cluster, namespace, name) == ("128Mi", "128Mi")


def sizes(cluster: Any, namespace: str, name: str) -> tuple[str, str]:
    claim = cluster.get("-n", namespace, "pvc", f"data-{name}-0")["spec"]
    [template] = cluster.get("-n", namespace, "statefulset", name)["spec"]["volumeClaimTemplates"]
    found = [one["resources"]["requests"]["storage"] for one in (claim, template["spec"])]
    return found[0], found[1]


def test_a_registry_that_is_there_before_its_database(
    cloud: Any, cluster: Any, namespace: str, direct: Any, mesh_images: None
) -> None:
    url = f"postgres://mesh:{PASSWORD}@postgres.{namespace}:5432/mesh?sslmode=disable"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "postgres-url", "namespace": namespace}}
    mesh.apply(cluster, [{**secret, "stringData": {"url": url}}])
    registry = mesh.image(cloud, "mcpmesh/registry:3.7.1")
    existing = {"type": "existing", "existing_secret": {"name": "postgres-url", "key": "url"}}
    task = {"namespace": namespace, "image": registry, "database": existing, "wait_timeout": 240}

    def later() -> None:
        # by then its pod has crashed often enough to be called a loop
        selector = ("-l", "app.kubernetes.io/component=registry")

        def crashes() -> int:
            pods = cluster.get("-n", namespace, "pods", *selector)["items"]
            states = [one for pod in pods for one in pod["status"].get("containerStatuses", [])]
            return max((int(one["restartCount"]) for one in states), default=0)

        mesh.until(lambda: crashes() >= 3, 120)
        mesh.apply(cluster, mesh.database(cloud, namespace, PASSWORD))

    starting = threading.Thread(target=later)
    starting.start()
    try:
        made = direct(task)
    finally:
        starting.join()
    assert made["registry"]["database"] == "existing"

    # a password that is wrong stays so: nobody waits for it
    wrong = url.replace(PASSWORD, f"{PASSWORD}-not")
    mesh.apply(cluster, [{**secret, "stringData": {"url": wrong}}])
    begun = time.monotonic()
    failed = direct(task, fails=True)
    assert "password authentication failed" in failed["msg"]
    assert time.monotonic() - begun < task["wait_timeout"] - 60
    assert PASSWORD not in str(failed)
