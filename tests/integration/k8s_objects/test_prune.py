# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle declares no more goes, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.workloads import SLEEP, deployment, pod_spec, until

Apply = Callable[..., dict[str, Any]]
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "disk"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "managed-csi",
        "resources": {"requests": {"storage": "1Mi"}},
    },
}


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}


def service(name: str) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def rows(result: dict[str, Any], **wanted: Any) -> list[str]:
    """`Kind/name` of the rows with these values."""
    fits = [row for row in result["objects"] if all(row.get(key) == value for key, value in wanted.items())]
    return [f"{row['kind']}/{row['name']}" for row in fits]


@pytest.fixture
def names(cluster: Any, namespace: str) -> Callable[[str], set[str]]:
    # the control plane makes it some time after the namespace
    cluster.kubectl("wait", "configmap/kube-root-ca.crt", "-n", namespace, "--for=create", "--timeout=30s")

    def found(kind: str) -> set[str]:
        return {item["metadata"]["name"] for item in cluster.get(kind, "-n", namespace)["items"]}

    return found


ENDPOINTS = {
    "apiVersion": "v1",
    "kind": "Endpoints",
    "metadata": {"name": "ledger"},
    "subsets": [{"addresses": [{"ip": "192.0.2.7"}], "ports": [{"port": 5432}]}],
}
SLICE = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "ledger-1", "labels": {"kubernetes.io/service-name": "ledger"}},
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["192.0.2.8"]}],
    "ports": [{"port": 5432}],
}


def test_deprecated_kinds_are_told_to_who_declares_them_and_pruned_in_silence(
    apply: Apply, cluster: Any, namespace: str
) -> None:
    bundle = {"bundle": namespace, "prune": True, "prune_max_percent": 100}
    first = apply(definitions=[config_map("a"), ENDPOINTS, SLICE, service("web")], **bundle)
    assert any("v1 Endpoints is deprecated" in warning for warning in first["warnings"])
    for check in (True, False):
        fewer = apply(definitions=[config_map("a"), service("web")], check=check, **bundle)
        assert set(rows(fewer, pruned=True)) == {"Endpoints/ledger", "EndpointSlice/ledger-1"}
        assert fewer["warnings"] == []
    again = apply(definitions=[config_map("a"), service("web")], **bundle)
    assert (again["changed"], again["warnings"]) == (False, [])
    # those of the Service have its labels, and are their controller's
    left = until(
        lambda: cluster.get("endpointslices", "-n", namespace)["items"], lambda items: len(items) == 1, 20, 0.3
    )
    assert [item["metadata"]["labels"]["kubernetes.io/service-name"] for item in left] == ["web"]


def test_what_leaves_the_bundle_leaves_the_cluster(
    apply: Apply, cluster: Any, namespace: str, names: Callable[[str], set[str]]
) -> None:
    bundle = {"bundle": namespace, "prune": True, "wait": False}
    everything = [config_map("a"), config_map("b"), config_map("c"), service("web"), CLAIM]
    assert not rows(apply(definitions=everything, **bundle), pruned=True)

    # a copy with the same labels by somebody else, and what the endpoints controller derives with the Service's labels
    copied = {**config_map("copied"), "metadata": {"name": "copied", "labels": {"mcpops.io/bundle": namespace}}}
    cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(copied))

    fewer = [config_map("a"), config_map("b"), service("web")]
    would = apply(definitions=fewer, check=True, **bundle)
    assert rows(would, pruned=True, changed=True) == ["ConfigMap/c"]
    assert any('"name"' in part["before"] or "metadata.name" in part["before"] for part in would["diff"])
    assert "c" in names("configmaps")

    done = apply(definitions=fewer, **bundle)
    assert rows(done, pruned=True) == ["ConfigMap/c"]
    assert [f"PersistentVolumeClaim {namespace}/disk: is declared no more and kept" in done["notes"][0]] == [True]
    assert names("configmaps") == {"a", "b", "copied", "kube-root-ca.crt"}
    assert names("persistentvolumeclaims") == {"disk"}
    assert not apply(definitions=fewer, **bundle)["changed"]


def test_more_than_half_and_nothing_at_all_are_refused(
    apply: Apply, namespace: str, names: Callable[[str], set[str]]
) -> None:
    bundle = {"bundle": namespace, "prune": True}
    apply(definitions=[config_map(name) for name in "abcd"], **bundle)
    for check in (True, False):
        refused = apply(definitions=[config_map("a"), config_map("new")], fails=True, check=check, **bundle)
        assert f"bundle {namespace}: would shrink from 4 objects to 1" in refused["msg"]
        assert "prune_max_percent" in refused["msg"]
    assert "hold no object" in apply(definitions=[], fails=True, **bundle)["msg"]
    assert names("configmaps") == {*"abcd", "kube-root-ca.crt"}
    assert apply(definitions=[config_map("a")], prune_max_percent=75, **bundle)["changed"]
    assert names("configmaps") == {"a", "kube-root-ca.crt"}


@pytest.mark.slow
def test_a_failure_keeps_what_would_be_pruned(apply: Apply, namespace: str, names: Callable[[str], set[str]]) -> None:
    bundle = {"bundle": namespace, "prune": True}
    apply(definitions=[config_map(name) for name in "abc"], **bundle)
    wrong = {**config_map("b"), "binaryData": {"port": 80}}
    failed = apply(definitions=[config_map("a"), wrong], fails=True, **bundle)
    assert failed["notes"] == [f"Not pruned, because others failed: ConfigMap {namespace}/c"]
    assert "c" in names("configmaps")


@pytest.mark.slow
def test_nothing_is_pruned_before_the_rest_is_ready(
    apply: Apply, cloud: Any, namespace: str, names: Callable[[str], set[str]]
) -> None:
    """What is to go may be all that works until its successor does."""
    bundle = {"bundle": namespace, "prune": True, "wait": True, "wait_timeout": 30}
    apply(definitions=[config_map("a"), config_map("old")], **bundle)

    nowhere = deployment(pod_spec(cloud.registry, SLEEP, image=f"{cloud.registry}/nowhere:1.0"), name="new")
    failed = apply(definitions=[config_map("a"), nowhere], fails=True, **bundle)
    assert "/nowhere:1.0 cannot be pulled" in failed["msg"]
    assert failed["notes"] == [f"Not pruned, because others are not ready: ConfigMap {namespace}/old"]
    assert (rows(failed, changed=True), rows(failed, pruned=True)) == (["Deployment/new"], [])
    assert "old" in names("configmaps")

    mended = [config_map("a"), deployment(pod_spec(cloud.registry, SLEEP), name="new")]
    assert rows(apply(definitions=mended, **bundle), pruned=True) == ["ConfigMap/old"]
    assert "old" not in names("configmaps")


@pytest.mark.slow
def test_two_bundles_do_not_share_an_object(apply: Apply, cluster: Any, namespace: str) -> None:
    apply(definitions=[config_map("a")], bundle=f"{namespace}-1")
    refused = apply(definitions=[config_map("a"), config_map("b")], bundle=f"{namespace}-2", fails=True)
    assert (
        f'ConfigMap {namespace}/a: bundle: cannot be changed from "{namespace}-1" to "{namespace}-2"' in refused["msg"]
    )
    assert not cluster.kubectl("get", "configmap", "b", "-n", namespace, "--ignore-not-found")
    moved = [{"name": "a", "force_conflicts": True}]
    assert apply(definitions=[config_map("a")], bundle=f"{namespace}-2", object_options=moved)["changed"]
