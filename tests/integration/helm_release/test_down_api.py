# SPDX-License-Identifier: GPL-3.0-or-later
"""A release with an object of an API whose server is down: the rest of it is compared and restored all the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.workloads import until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CRD, SERVICE = "notes.example.invalid", "v1.example.invalid"
NOTE = "apiVersion: example.invalid/v1"
BESIDE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: beside}\ndata: {a: one}"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def note(cluster: Any, namespace: str, package: Callable[..., Path]) -> Iterator[dict[str, Any]]:
    chart = package("defining", "1.0.0", {"templates/note.tpl": (NOTE, f"{BESIDE}\n---\n{NOTE}")})
    try:
        yield {"name": "note", "namespace": namespace, "chart_ref": str(chart)}
    finally:
        cluster.kubectl("delete", "crd", CRD, "--ignore-not-found")


def taken_over(cluster: Any, namespace: str) -> None:
    """From now on a server that does not run is to answer for the group."""
    spec = {"insecureSkipTLSVerify": True, "service": {"name": "nobody", "namespace": namespace}}
    metadata = {"labels": {"kube-aggregator.kubernetes.io/automanaged": None}}
    cluster.kubectl(
        "patch", "apiservice", SERVICE, "--type=merge", "-p", json.dumps({"metadata": metadata, "spec": spec})
    )
    until(lambda: available(cluster), lambda status: status == "False", 120, 0.2)


def available(cluster: Any) -> str:
    conditions = (cluster.get("apiservice", SERVICE).get("status") or {}).get("conditions") or []
    return next((one["status"] for one in conditions if one["type"] == "Available"), "")


def given_back(cluster: Any) -> None:
    cluster.kubectl("delete", "apiservice", SERVICE)
    until(
        lambda: cluster.kubectl("get", CRD, "-A", "-o", "name", check=False),
        lambda found: "note" in str(found),
        120,
        0.2,
    )


def test_the_rest_is_compared_and_restored(cluster: Any, namespace: str, note: dict[str, Any], run_task: Run) -> None:
    run_task("helm_release", note)
    cluster.kubectl("patch", "configmap", "beside", "-n", namespace, "-p", '{"data":{"a":"two"}}')
    taken_over(cluster, namespace)
    try:
        planned = run_task("helm_release", note, check=True, fails=True)
        done = run_task("helm_release", note, fails=True)
        again = run_task("helm_release", note, fails=True)
    finally:
        given_back(cluster)
    for reported in (planned, done, again):
        assert reported["error"]["code"] == "ApiServiceDown"
        assert reported["msg"].startswith("compare Note ") and f"kubectl delete apiservice {SERVICE}" in reported["msg"]
    assert [reported["changed"] for reported in (planned, done, again)] == [True, True, False]
    assert cluster.get("configmap", "beside", "-n", namespace)["data"] == {"a": "one"}
    assert not run_task("helm_release", note)["changed"]
