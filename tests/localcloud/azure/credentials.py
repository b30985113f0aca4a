# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials of a managed cluster: the kubeconfig of the Kubernetes behind it, named as AKS names things."""

from __future__ import annotations

import base64

import yaml

from localcloud.clusters import AKS_SERVER, ClusterError

from .cluster_work import entra_groups
from .managed_clusters import find
from .store import Resource
from .wire import AksError, Body, Call, Reply


def user(call: Call) -> Reply:
    """Of a cluster with Entra it is no credential but how to log in, local accounts or not (recorded traffic)."""
    cluster = find(call)
    if entra_groups(cluster) is None:
        return _answer(call, cluster, "clusterUser", cluster.name)
    tenant = cluster.body["properties"]["aadProfile"].get("tenantID") or call.cloud.config.tenant_id
    legacy = call.query.get("format") == "azure"
    return _kubeconfig(call, cluster, "clusterUser", cluster.name, auth_provider(tenant) if legacy else plugin(tenant))


def admin(call: Call) -> Reply:
    cluster = find(call)
    return _answer(call, cluster, "clusterAdmin", f"{cluster.name}-admin")


def _answer(call: Call, cluster: Resource, kind: str, context: str) -> Reply:
    if cluster.body["properties"].get("disableLocalAccounts"):
        raise AksError(
            400,
            "BadRequest",
            "Getting static credential is not allowed because this cluster is set to disable local accounts.",
        )
    return _kubeconfig(call, cluster, kind, context, None)


def _kubeconfig(call: Call, cluster: Resource, kind: str, context: str, user: Body | None) -> Reply:
    try:
        kubeconfig = call.cloud.backend.admin_kubeconfig(cluster.private["backend"])
    except ClusterError as exc:
        raise AksError(
            400,
            "BadRequest",
            f"The credentials of managed cluster {cluster.name} are not available yet: {exc}",
        ) from exc
    if user is not None:
        kubeconfig = {**kubeconfig, "users": [{"name": "", "user": user}]}
    renamed = rename(kubeconfig, cluster.name, f"{kind}_{cluster.group}_{cluster.name}", context)
    value = base64.b64encode(yaml.safe_dump(renamed, sort_keys=True).encode()).decode()
    return Reply(200, {"kubeconfigs": [{"name": kind, "value": value}]})


CLIENT_APP = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"  # of AKS, by which people log in (kubelogin's docs, aks.md)
INSTALL_HINT = """
kubelogin is not installed which is required to connect to AAD enabled cluster.

To learn more, please go to https://aka.ms/aks/kubelogin
"""


def plugin(tenant: str) -> Body:
    """Since Kubernetes 1.24: kubelogin (recorded traffic: exec, --login devicecode)."""
    asked = ["--environment", "AzurePublicCloud", "--server-id", AKS_SERVER, "--client-id", CLIENT_APP]
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "args": ["get-token", *asked, "--tenant-id", tenant, "--login", "devicecode"],
            "command": "kubelogin",
            "env": None,
            "installHint": INSTALL_HINT,
            "provideClusterInfo": False,
        }
    }


def auth_provider(tenant: str) -> Body:
    """`format=azure`: what clients before exec plugins read."""
    config = {
        "apiserver-id": AKS_SERVER,
        "client-id": CLIENT_APP,
        "config-mode": "1",
        "environment": "AzurePublicCloud",
        "tenant-id": tenant,
    }
    return {"auth-provider": {"name": "azure", "config": config}}


def rename(kubeconfig: Body, cluster: str, user_name: str, context: str) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [{"name": cluster, "cluster": kubeconfig["clusters"][0]["cluster"]}],
        "users": [{"name": user_name, "user": kubeconfig["users"][0]["user"]}],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user_name}}],
        "current-context": context,
    }
