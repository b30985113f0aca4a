# SPDX-License-Identifier: GPL-3.0-or-later
"""KMCP for some namespaces only, from a mirror, and back again when its controller does not start."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from support.mirror import mirror

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.usefixtures("nothing")]

NAMESPACE = "kmcp-system"
CONTROLLER = "kmcp-controller-manager"
Run = Callable[..., dict[str, Any]]


def container(cluster: Any) -> dict[str, Any]:
    found: dict[str, Any] = pod(cluster)["containers"][0]
    return found


def pod(cluster: Any) -> dict[str, Any]:
    found: dict[str, Any] = cluster.get("deployment", CONTROLLER, "-n", NAMESPACE)["spec"]["template"]["spec"]
    return found


def roles(cluster: Any) -> list[str]:
    return [
        item["metadata"]["name"]
        for item in cluster.get("clusterrole")["items"]
        if item["metadata"]["name"].startswith("kmcp-")
    ]


def test_a_controller_for_some_namespaces(
    cluster: Any, namespace: str, wanted: dict[str, Any], direct: Run, put_server: Callable[..., str]
) -> None:
    missing = direct({**wanted, "watch_namespaces": [namespace, "it-not-there"]}, fails=True)
    assert missing["error"]["code"] == "NamespaceNotFound"
    assert "roles belong into namespaces that do not exist: it-not-there" in missing["msg"]
    assert not cluster.kubectl("get", "crd", "mcpservers.kagent.dev", "--ignore-not-found", "-o", "name")
    planned = direct({**wanted, "watch_namespaces": [namespace, "it-not-there"]}, check=True)
    assert any("it-not-there" in note for note in planned["notes"])

    few = {**wanted, "watch_namespaces": [namespace], "metrics": False, "replicas": 2, "env": {"PROBE": "1"}}
    done = direct(few)
    assert done["changed"]
    assert roles(cluster) == []
    assert f"--watch-namespaces={namespace},{NAMESPACE}" in container(cluster)["args"]
    assert {"name": "PROBE", "value": "1"} in container(cluster)["env"]
    assert cluster.get("deployment", CONTROLLER, "-n", NAMESPACE)["status"]["readyReplicas"] == 2
    assert not direct(few)["changed"]

    put_server(namespace, "watched")
    put_server("default", "unwatched")
    try:
        deadline = time.monotonic() + 120
        while not cluster.kubectl("get", "deployment", "watched", "-n", namespace, "-o", "name", check=False):
            assert time.monotonic() < deadline, "the controller does not work on its namespace"
            time.sleep(0.2)
        assert not cluster.kubectl("get", "deployment", "unwatched", "-o", "name", "--ignore-not-found")
        # the one that this controller keeps counts, the other is nobody's already
        refused = direct({"state": "absent"}, fails=True)
        assert f"the controller of 1 MCPServer: {namespace}/watched" in refused["msg"]
        for check in (True, False):
            narrowed = direct({**few, "watch_namespaces": ["default"]}, check=check, fails=True)
            assert narrowed["error"]["kind"] == "refused"
            assert f"the controller of 1 MCPServer: {namespace}/watched" in narrowed["msg"]
            assert f"watch_namespaces: {namespace})" in narrowed["msg"] and "orphan_servers: true" in narrowed["msg"]
        assert f"--watch-namespaces={namespace},{NAMESPACE}" in container(cluster)["args"]
        meant = direct({**few, "watch_namespaces": ["default"], "orphan_servers": True}, check=True)
        assert meant["changed"]
        assert any(f"{namespace}/watched: left as they are" in reported for reported in meant["warnings"])
        cluster.kubectl("delete", "mcpservers.kagent.dev", "watched", "-n", namespace)
        assert direct({"state": "absent"}, check=True)["changed"]
    finally:
        cluster.kubectl("delete", "mcpservers.kagent.dev", "unwatched", "-n", "default")

    everywhere = direct({**few, "watch_namespaces": []})
    assert everywhere["changed"]
    assert "kmcp-manager-role" in roles(cluster)
    assert not [argument for argument in container(cluster)["args"] if argument.startswith("--watch")]
    # what no option says of the release's values stays
    assert direct({**wanted, "replicas": 1})["changed"]
    assert {"name": "PROBE", "value": "1"} in container(cluster)["env"]


def test_a_controller_that_was_uninstalled_keeps_nobody(
    cluster: Any, namespace: str, wanted: dict[str, Any], direct: Run, put_server: Callable[..., str], helm: Any
) -> None:
    direct(wanted)
    server = put_server(namespace)
    assert server in direct({"state": "absent"}, fails=True)["msg"]
    helm("uninstall", "kmcp", "--namespace", NAMESPACE, "--keep-history", "--wait")
    gone = direct({"state": "absent"})
    assert gone["changed"]
    assert not any("no controller reconciles" in note for note in gone.get("notes", ()))
    assert cluster.kubectl("get", "secret", "-n", NAMESPACE, "-l", "owner=helm,name=kmcp", "-o", "name") == ""


def test_everything_from_a_mirror(cloud: Any, cluster: Any, wanted: dict[str, Any], direct: Run) -> None:
    mirror(cloud, "kagent-dev/kmcp/controller", "mirror/kmcp/controller", "0.3.0")
    repository = f"{cloud.registry}/mirror/kmcp/controller"
    mirrored = {**wanted, "image_repository": repository, "image_pull_secrets": ["mirror-login"]}
    done = direct({**mirrored, "image_pull_policy": "Always"})
    assert done["controller_image"] == f"{repository}:0.3.0"
    assert pod(cluster)["imagePullSecrets"] == [{"name": "mirror-login"}]
    assert cluster.get("deployment", CONTROLLER, "-n", NAMESPACE)["status"]["readyReplicas"] == 1

    # what somebody points elsewhere comes back
    elsewhere = (
        f'{{"spec":{{"template":{{"spec":{{"containers":[{{"name":"manager","image":"{repository}:old"}}]}}}}}}}}'
    )
    cluster.kubectl("patch", "deployment", CONTROLLER, "-n", NAMESPACE, "-p", elsewhere)
    assert direct({**mirrored, "image_pull_policy": "Always", "helm_binary": "/nonexistent/helm"})["changed"]
    assert container(cluster)["image"] == f"{repository}:0.3.0"


def test_a_controller_that_does_not_start_is_taken_back(
    cloud: Any, cluster: Any, wanted: dict[str, Any], direct: Run
) -> None:
    direct(wanted)
    before = container(cluster)["image"]
    broken = direct({**wanted, "image_repository": f"{cloud.registry}/no/such", "atomic": True}, fails=True)
    assert "no/such:0.3.0" in broken["msg"]
    assert broken["rolled_back_to"] == 1
    assert container(cluster)["image"] == before
    assert direct({**wanted, "values": {}})["releases"]["controller"]["status"] == "deployed"


def test_definitions_that_are_in_place_when_the_controller_fails_are_a_change(
    wanted: dict[str, Any], direct: Run
) -> None:
    failed = direct({**wanted, "image_tag": "no-such-tag", "wait_timeout": 20}, fails=True)
    assert failed["changed"]
    assert [line.split(" (")[0] for line in failed["done"]] == [
        "Installing release kmcp-system/kmcp-crds",
        "Installing release kmcp-system/kmcp",
    ]
    assert not direct({**wanted, "image_tag": "no-such-tag", "wait_timeout": 2}, fails=True)["changed"]
