# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AKS cluster has from the start and ours gets too: cluster DNS and the storage class managed-csi."""

from __future__ import annotations

from typing import Any

from localcloud.kube.layout import DNS_SERVICE_ADDRESS, VOLUMES, ClusterLayout

COREFILE = """.:5353 {
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


def _object(api_version: str, kind: str, name: str, namespace: str = "", **content: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata |= content.pop("metadata", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _dns_pod(image: str) -> dict[str, Any]:
    return {
        "serviceAccountName": "coredns",
        "dnsPolicy": "Default",
        "priorityClassName": "system-cluster-critical",
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
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
        {"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "targetPort": 5353, "protocol": "TCP"},
    ]
    return [
        _object("v1", "ServiceAccount", "coredns", NAMESPACE),
        _object("v1", "ConfigMap", "coredns", NAMESPACE, data={"Corefile": COREFILE}),
        _object(f"{rbac}/v1", "ClusterRole", "system:coredns", rules=rules),
        _object(
            f"{rbac}/v1",
            "ClusterRoleBinding",
            "system:coredns",
            roleRef={"apiGroup": rbac, "kind": "ClusterRole", "name": "system:coredns"},
            subjects=[{"kind": "ServiceAccount", "name": "coredns", "namespace": NAMESPACE}],
        ),
        _object(
            "v1",
            "Service",
            "kube-dns",
            NAMESPACE,
            metadata={"labels": DNS_LABELS},
            spec={"clusterIP": DNS_SERVICE_ADDRESS, "selector": DNS_LABELS, "ports": ports},
        ),
        _object(
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


def storage(layout: ClusterLayout) -> list[dict[str, Any]]:
    """Volumes made beforehand, under the name of AKS' default class. "local" and not hostPath: only it honours
    fsGroup, which every pod that does not run as root needs."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [layout.node_name]}
    volumes = [
        _object(
            "v1",
            "PersistentVolume",
            f"local-{number}",
            spec={
                "capacity": {"storage": "5Gi"},
                "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "managed-csi",
                "local": {"path": f"{layout.path}/pv/{number}"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            },
        )
        for number in range(VOLUMES)
    ]
    storage_class = _object(
        "storage.k8s.io/v1",
        "StorageClass",
        "managed-csi",
        metadata={"annotations": default},
        provisioner="kubernetes.io/no-provisioner",
        volumeBindingMode="WaitForFirstConsumer",
    )
    return [storage_class, *volumes]
