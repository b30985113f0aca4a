# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill: a database is dumped, loses what it held, and has the same again, in its namespace and in another one."""

from __future__ import annotations

from typing import Any

import pytest
from support import mesh

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAME = mesh.REGISTRY_SERVICE
# the registry's own rows, and a table that nothing would bring back
HELD = "select name from agents order by name; select word from ledger order by word"


def query(cluster: Any, namespace: str, text: str) -> str:
    psql = ("psql", "-h", "/tmp", "-U", "mcpmesh", "-d", "mcpmesh", "-v", "ON_ERROR_STOP=1", "-Atc", text)
    return str(cluster.kubectl("-n", namespace, "exec", f"{NAME}-db-0", "--", *psql))


def test_what_was_dumped_is_there_again(
    cloud: Any, cluster: Any, namespace: str, direct: Any, mesh_images: None
) -> None:
    database = {"image": mesh.image(cloud, "library/postgres:15"), "size": "64Mi"}
    registry = mesh.image(cloud, "mcpmesh/registry:3.7.1")
    task = {"namespace": namespace, "image": registry, "database": database, "wait_timeout": 240}
    kept = {**task, "backup": {"size": "64Mi", "keep": 2}}
    direct(kept)
    for check in (False, True):
        again = direct(kept, check=check)
        assert not again["changed"], again["diff"]
    mesh.heartbeat(cluster, namespace, "dates-00000001", "dates", [])
    query(cluster, namespace, "create table ledger (word text); insert into ledger values ('kept'), ('too')")
    before = query(cluster, namespace, HELD)
    assert before.split() == ["dates", "kept", "too"]

    cluster.kubectl("-n", namespace, "create", "job", "now", f"--from=cronjob/{NAME}-backup")
    cluster.kubectl("-n", namespace, "wait", "job/now", "--for=condition=Complete", "--timeout=110s")
    query(cluster, namespace, "drop table ledger; delete from agents")
    restored = {**kept, "restore": {}}
    assert direct(restored)["changed"]
    assert query(cluster, namespace, HELD) == before
    # once: what came since stays
    query(cluster, namespace, "insert into ledger values ('since')")
    for check in (False, True):
        again = direct(restored, check=check)
        assert not again["changed"], again["diff"]
    assert "since" in query(cluster, namespace, HELD)

    # another namespace, where the same volume is; in another cluster it would be a share
    other = f"{namespace[:50].rstrip('-')}-2"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    claim = cluster.get("-n", namespace, "pvc", f"{NAME}-backup")
    volume = cluster.get("pv", claim["spec"]["volumeName"])
    wanted = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    source = {key: volume["spec"][key] for key in ("local", "hostPath", "nodeAffinity") if key in volume["spec"]}
    mesh.apply(
        cluster,
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other, "labels": labels}},
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": other},
                "spec": {
                    **wanted,
                    **source,
                    "capacity": {"storage": "64Mi"},
                    "persistentVolumeReclaimPolicy": "Retain",
                },
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "dumps", "namespace": other},
                "spec": {**wanted, "volumeName": other, "resources": {"requests": {"storage": "64Mi"}}},
            },
        ],
    )
    try:
        direct({**task, "namespace": other, "restore": {"claim": "dumps"}})
        assert query(cluster, other, HELD) == before
    finally:
        cluster.kubectl("delete", "namespace", other, "--wait=false")
        cluster.kubectl("delete", "pv", other, "--wait=false")

    # what is not there is told, with the words of the Job
    missing = {**kept, "restore": {"file": "mesh-19990101T000000Z.dump"}, "wait_timeout": 90}
    failed = direct(missing, fails=True)
    assert "there is no dump" in failed["msg"]
    direct(kept)
    assert [one["metadata"]["name"] for one in cluster.get("-n", namespace, "jobs")["items"]] == ["now"]
    direct({"namespace": namespace, "state": "absent"})
    assert cluster.get("-n", namespace, "cronjobs")["items"] == []
    held = {one["metadata"]["name"] for one in cluster.get("-n", namespace, "pvc")["items"]}
    assert held == {f"data-{NAME}-db-0", f"{NAME}-backup"}
