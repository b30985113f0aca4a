# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the cluster itself, caused for real and undone: DNS, webhooks, aggregated APIs, nodes, KMCP."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.workloads import SLEEP, deployment, pod_spec, until

from .conftest import Diagnose, apply, found, shown

pytestmark = [pytest.mark.integration, pytest.mark.slow]
SECONDS = 300.0
DNS = "DnsDown/kube-system/Service/kube-dns"
CONTROLLER = ("deployment/kmcp-controller-manager", "-n", "kmcp-system")


def look_for(diagnose: Diagnose, identifier: str, **args: Any) -> dict[str, Any]:
    result = until(lambda: diagnose(**args), lambda seen: found(seen, identifier) is not None, SECONDS)
    one = found(result, identifier)
    assert one is not None, [each["id"] for each in result["findings"]]
    return one


@contextmanager
def scaled_to_none(cluster: Any, *what: str) -> Iterator[None]:
    cluster.kubectl("scale", *what, "--replicas=0")
    try:
        yield
    finally:
        cluster.kubectl("scale", *what, "--replicas=1")
        cluster.kubectl("rollout", "status", *what, "--timeout=300s")


@contextmanager
def existing(cluster: Any, *items: dict[str, Any]) -> Iterator[None]:
    """These objects, for as long as the test looks."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})
    cluster.kubectl("create", "-f", "-", stdin=text)
    try:
        yield
    finally:
        cluster.kubectl("delete", "-f", "-", "--wait=false", stdin=text)


def test_dns_that_does_not_run(diagnose: Diagnose, cluster: Any, namespace: str) -> None:
    with scaled_to_none(cluster, "deployment/coredns", "-n", "kube-system"):
        one = look_for(diagnose, DNS, namespaces=[namespace])
        assert one["severity"] == "error"
        assert "Deployment kube-system/coredns is to have 0 replicas" in shown(one)
    back = until(lambda: diagnose(namespaces=[namespace]), lambda seen: found(seen, DNS) is None, SECONDS)
    assert found(back, DNS) is None


def webhook(name: str, namespace: str, policy: str) -> dict[str, Any]:
    """Asked about the pods of one namespace, and answered by a Service that is not there."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": "pods.example.com",
                "failurePolicy": policy,
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"service": {"name": "absent", "namespace": namespace}},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            }
        ],
    }


@pytest.mark.parametrize(("policy", "severity"), [("Fail", "error"), ("Ignore", "warning")])
def test_a_webhook_that_does_not_answer(
    diagnose: Diagnose, cluster: Any, cloud: Any, make_namespace: Callable[..., str], policy: str, severity: str
) -> None:
    namespace, name = make_namespace("webhook"), f"it-{uuid.uuid4().hex[:6]}"
    with existing(cluster, webhook(name, namespace, policy)):
        one = look_for(diagnose, f"WebhookDown/ValidatingWebhookConfiguration/{name}/pods.example.com")
        assert one["severity"] == severity
        assert f"Service {namespace}/absent does not exist" in one["summary"]
        if policy == "Fail":
            apply(cluster, namespace, [deployment(pod_spec(cloud.registry, SLEEP))])
            refused = look_for(diagnose, f"WebhookDown/{namespace}/Deployment/web", namespaces=[namespace])
            assert "failed calling webhook" in refused["summary"]


def test_an_aggregated_api_that_does_not_answer(diagnose: Diagnose, cluster: Any, namespace: str) -> None:
    name = "v1.dead.example.com"
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": {
            "group": "dead.example.com",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
            "insecureSkipTLSVerify": True,
            "service": {"name": "absent", "namespace": namespace},
        },
    }
    with existing(cluster, service):
        one = look_for(diagnose, f"ApiServiceDown/APIService/{name}")
        assert "absent" in one["summary"]


def test_a_node_that_nobody_hears_of_and_one_short_of_memory(diagnose: Diagnose, cluster: Any, namespace: str) -> None:
    """Nodes that a kubelet never speaks for: the node controller itself says so, after its grace period."""
    silent, short = f"silent-{uuid.uuid4().hex[:6]}", f"short-{uuid.uuid4().hex[:6]}"
    nodes = [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"unschedulable": True}}
        for name in (silent, short)
    ]
    with existing(cluster, *nodes):
        now = cluster.kubectl("get", "--raw", "/api/v1/nodes/" + short)
        conditions = [
            {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting"},
            {
                "type": "MemoryPressure",
                "status": "True",
                "reason": "KubeletHasInsufficientMemory",
                "message": "1 MiB left",
            },
        ]
        assert json.loads(now)["metadata"]["name"] == short
        patch = json.dumps({"status": {"conditions": conditions}})
        cluster.kubectl("patch", "node", short, "--subresource=status", "--type=merge", "-p", patch)
        pressed = look_for(diagnose, f"NodePressure/Node/{short}/MemoryPressure", namespaces=[namespace])
        assert pressed["severity"] == "warning"
        assert "1 MiB left" in pressed["summary"]
        gone = look_for(diagnose, f"NodeNotReady/Node/{silent}", namespaces=[namespace])
        assert gone["severity"] == "error"
        assert look_for(diagnose, f"NodeCordoned/Node/{silent}", namespaces=[namespace])["severity"] == "info"


def server(name: str, **deployment_fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kagent.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": name},
        "spec": {
            "transportType": "http",
            "httpTransport": {"targetPort": 3000},
            "deployment": {"image": "example.org/none:1", "port": 3000, "replicas": 0, **deployment_fields},
        },
    }


def test_a_controller_that_is_down(
    diagnose: Diagnose, cluster: Any, kmcp: None, make_namespace: Callable[..., str]
) -> None:
    namespace = make_namespace("kmcp")
    with scaled_to_none(cluster, *CONTROLLER):
        apply(cluster, namespace, [server("waiting")])
        one = look_for(
            diagnose, "ControllerDown/kmcp-system/Deployment/kmcp-controller-manager", namespaces=[namespace]
        )
        assert "it is scaled to none" in one["summary"]
        assert f"MCPServer {namespace}/waiting waits for it" in shown(one)


def test_a_controller_that_is_held_up_by_one_bad_resource(
    diagnose: Diagnose, cluster: Any, kmcp: None, make_namespace: Callable[..., str]
) -> None:
    """A port that no port is stops it reading any resource; it runs on, and looks well."""
    namespace = make_namespace("behind")
    apply(cluster, namespace, [server("poison", port=70000)])
    try:
        # a controller that starts now never gets its list
        cluster.kubectl("rollout", "restart", *CONTROLLER)
        apply(cluster, namespace, [server("waiting")])
        one = look_for(diagnose, f"ControllerBehind/{namespace}/MCPServer/waiting", namespaces=[namespace])
        assert "KMCP has seen generation none" in one["summary"]
    finally:
        cluster.kubectl("delete", "mcpserver", "poison", "-n", namespace)
        cluster.kubectl("rollout", "restart", *CONTROLLER)
        cluster.kubectl("rollout", "status", *CONTROLLER, "--timeout=300s")


def test_a_server_that_kmcp_refuses(
    diagnose: Diagnose, cluster: Any, kmcp: None, make_namespace: Callable[..., str]
) -> None:
    namespace = make_namespace("refused")
    refused = server("bad")
    refused["spec"]["deployment"]["image"] = ""
    apply(cluster, namespace, [refused])
    one = look_for(diagnose, f"NotAccepted/{namespace}/MCPServer/bad", namespaces=[namespace])
    assert "KMCP does not accept it" in one["summary"]


def test_an_identity_that_may_read_one_namespace_only(
    diagnose: Diagnose, cluster: Any, namespace: str, tmp_path: Path
) -> None:
    cluster.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    cluster.kubectl(
        "create", "rolebinding", "reader", "-n", namespace, "--clusterrole=view", f"--serviceaccount={namespace}:reader"
    )
    token = cluster.kubectl("create", "token", "reader", "-n", namespace).strip()
    config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    config["users"] = [{"name": one["name"], "user": {"token": token}} for one in config["users"]]
    kubeconfig = tmp_path / "reader"
    kubeconfig.write_text(json.dumps(config), encoding="utf-8")
    kubeconfig.chmod(0o600)
    apply(
        cluster,
        namespace,
        [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "lonely"},
                "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 80}]},
            }
        ],
    )
    alone = {"namespaces": [namespace], "cluster_scope": False, "kubeconfig": kubeconfig}
    look_for(diagnose, f"NoEndpoints/{namespace}/Service/lonely", **alone)
    whole = diagnose(namespaces=[namespace], kubeconfig=kubeconfig)
    assert not whole.get("failed"), whole
    assert "Node may not be listed" in whole["unread"]
    assert found(whole, DNS) is None, "what may not be seen is not called broken"
