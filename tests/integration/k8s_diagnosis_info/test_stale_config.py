# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that run with an older Secret or ConfigMap than stands, as kubelet and the API server tell it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.workloads import SLEEP, deployment, pod_spec

from .conftest import Diagnose, apply, found, shown

pytestmark = [pytest.mark.integration]
CANARY = "canary-5d0a"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}}
SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}


@pytest.fixture
def place(make_namespace: Callable[..., str]) -> str:
    return make_namespace("stale")


def secret(value: str, **metadata: Any) -> dict[str, Any]:
    named = {"name": "keys", **metadata}
    return {**SECRET, "metadata": named, "stringData": {"TOKEN": f"{CANARY}-{value}"}}


def started(cluster: Any, place: str, name: str) -> None:
    cluster.kubectl("-n", place, "rollout", "status", f"deployment/{name}", "--timeout=90s")
    # times have whole seconds
    time.sleep(1.1)


def test_a_container_keeps_its_environment_and_not_its_volumes(
    diagnose: Diagnose, cluster: Any, cloud: Any, place: str
) -> None:
    mount = {"name": "conf", "mountPath": "/conf"}
    volumes = [{"name": "conf", "configMap": {"name": "settings"}}]
    web = deployment(pod_spec(cloud.registry, SLEEP, envFrom=[{"secretRef": {"name": "keys"}}], volumeMounts=[mount]))
    web["spec"]["template"]["spec"]["volumes"] = volumes
    one_file = {**mount, "mountPath": "/conf/mode", "subPath": "mode"}
    file = deployment(pod_spec(cloud.registry, SLEEP, volumeMounts=[one_file]), name="file")
    file["spec"]["template"]["spec"]["volumes"] = volumes
    apply(cluster, place, [secret("one"), {**SETTINGS, "data": {"mode": "slow"}}, web, file])
    started(cluster, place, "web")
    started(cluster, place, "file")

    of_web, of_file = (
        f"StaleConfig/{place}/Deployment/web/secret/keys",
        f"StaleConfig/{place}/Deployment/file/configmap/settings",
    )
    cluster.kubectl("-n", place, "label", "secret", "keys", "team=a")
    # the same values once more
    apply(cluster, place, [secret("one"), {**SETTINGS, "data": {"mode": "slow"}}])
    quiet = diagnose(namespaces=[place])
    assert [one["id"] for one in quiet["findings"]] == []
    assert not quiet["unread"]

    body = json.dumps({"stringData": {"TOKEN": f"{CANARY}-two"}})
    cluster.kubectl("-n", place, "patch", "secret", "keys", "--type=merge", "-p", body)
    cluster.kubectl("-n", place, "patch", "configmap", "settings", "--type=merge", "-p", '{"data":{"mode":"fast"}}')
    result = diagnose(namespaces=[place])
    assert sorted(one["id"] for one in result["findings"]) == sorted([of_web, of_file])
    reported = found(result, of_web)
    assert reported is not None
    assert "was written by kubectl-patch at " in shown(reported)
    assert f"kubectl rollout restart deployment/web -n {place}" in reported["advice"]
    assert CANARY not in json.dumps(result)

    for name in ("web", "file"):
        cluster.kubectl("-n", place, "rollout", "restart", f"deployment/{name}")
        cluster.kubectl("-n", place, "rollout", "status", f"deployment/{name}", "--timeout=90s")
    assert diagnose(namespaces=[place])["findings"] == []


@pytest.mark.slow
def test_what_this_collection_applied_tells_a_label_from_a_value(
    diagnose: Diagnose, run_task: Any, cluster: Any, cloud: Any, place: str
) -> None:
    """One manager owns both, and the API server notes one time for them."""
    web = deployment(pod_spec(cloud.registry, SLEEP, envFrom=[{"secretRef": {"name": "keys"}}]))

    def declare(*objects: dict[str, Any]) -> None:
        run_task("k8s_objects", {"namespace": place, "definitions": list(objects), "wait": True})

    declare(secret("one"), web)
    started(cluster, place, "web")
    declare(secret("one", labels={"team": "a"}), web)
    assert diagnose(namespaces=[place])["findings"] == []
    declare(secret("two", labels={"team": "a"}))
    result = diagnose(namespaces=[place])
    assert [one["id"] for one in result["findings"]] == [f"StaleConfig/{place}/Deployment/web/secret/keys"]
    assert CANARY not in json.dumps(result)
    # the advice is followed by a run
    declare(secret("two", labels={"team": "a"}), web)
    cluster.kubectl("-n", place, "rollout", "status", "deployment/web", "--timeout=90s")
    assert diagnose(namespaces=[place])["findings"] == []


@pytest.mark.slow
@pytest.mark.usefixtures("kmcp")
def test_an_mcp_server_with_an_older_secret(
    diagnose: Diagnose, run_task: Any, cluster: Any, cloud: Any, place: str
) -> None:
    apply(cluster, place, [secret("one")])
    image = f"{cloud.registry}/echo-mcp:1.0.0"
    server = {"name": "echo", "namespace": place, "image": image, "secret_refs": ["keys"], "wait_timeout": 90}
    run_task("mcp_server", server)
    started(cluster, place, "echo")
    apply(cluster, place, [secret("two")])
    identifiers = [one["id"] for one in diagnose(namespaces=[place])["findings"]]
    assert identifiers == [f"StaleConfig/{place}/Deployment/echo/secret/keys"]
    assert run_task("mcp_server", server)["changed"]
    cluster.kubectl("-n", place, "rollout", "status", "deployment/echo", "--timeout=90s")
    assert diagnose(namespaces=[place])["findings"] == []
