# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AKS cluster has from the start and ours gets too: cluster DNS."""

from __future__ import annotations

from typing import Any

from localcloud.kube.layout import DNS_SERVICE_ADDRESS

COREFILE = """.:53 {
    errors
    health :8080 {
        lameduck 1s
    }
    ready :8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 5
    }
    cache 5
    loadbalance
}
"""
NAMESPACE = "kube-system"
DNS_LABELS = {"k8s-app": "kube-dns"}


def new_object(api_version: str, kind: str, name: str, namespace: str = "", **content: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata |= content.pop("metadata", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def role_of_user(user: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A role of the same name and its binding, for a program that runs beside the cluster's own parts."""
    rbac = "rbac.authorization.k8s.io"
    subject = {"apiGroup": rbac, "kind": "User", "name": user}
    reference = {"apiGroup": rbac, "kind": "ClusterRole", "name": user}
    return [
        new_object(f"{rbac}/v1", "ClusterRole", user, rules=rules),
        new_object(f"{rbac}/v1", "ClusterRoleBinding", user, roleRef=reference, subjects=[subject]),
    ]


def _dns_pod(image: str) -> dict[str, Any]:
    return {
        "serviceAccountName": "coredns",
        "dnsPolicy": "Default",
        "priorityClassName": "system-cluster-critical",
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
            # Port 53 in the pod too, as on AKS: network policies see the pod's port, and everybody's say 53.
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "containers": [
            {
                "name": "coredns",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "args": ["-conf", "/etc/coredns/Corefile"],
                "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 10},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
                "volumeMounts": [{"name": "configuration", "mountPath": "/etc/coredns", "readOnly": True}],
            }
        ],
        "volumes": [{"name": "configuration", "configMap": {"name": "coredns"}}],
    }


def cluster_dns(image: str) -> list[dict[str, Any]]:
    rbac = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    ports = [
        {"name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "targetPort": 53, "protocol": "TCP"},
    ]
    return [
        new_object("v1", "ServiceAccount", "coredns", NAMESPACE),
        new_object("v1", "ConfigMap", "coredns", NAMESPACE, data={"Corefile": COREFILE}),
        new_object(f"{rbac}/v1", "ClusterRole", "system:coredns", rules=rules),
        new_object(
            f"{rbac}/v1",
            "ClusterRoleBinding",
            "system:coredns",
            roleRef={"apiGroup": rbac, "kind": "ClusterRole", "name": "system:coredns"},
            subjects=[{"kind": "ServiceAccount", "name": "coredns", "namespace": NAMESPACE}],
        ),
        new_object(
            "v1",
            "Service",
            "kube-dns",
            NAMESPACE,
            metadata={"labels": DNS_LABELS},
            spec={"clusterIP": DNS_SERVICE_ADDRESS, "selector": DNS_LABELS, "ports": ports},
        ),
        new_object(
            "apps/v1",
            "Deployment",
            "coredns",
            NAMESPACE,
            metadata={"labels": DNS_LABELS},
            spec={
                "replicas": 1,
                "selector": {"matchLabels": DNS_LABELS},
                "template": {"metadata": {"labels": DNS_LABELS}, "spec": _dns_pod(image)},
            },
        ),
    ]
