# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials of a managed cluster: the kubeconfig of the Kubernetes behind it, named as AKS names things."""

from __future__ import annotations

import base64

import yaml

from localcloud.clusters import ClusterError

from .managed_clusters import find
from .store import Resource
from .wire import AksError, Body, Call, Reply


def user(call: Call) -> Reply:
    cluster = find(call)
    return _answer(call, cluster, "clusterUser", cluster.name)


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
    try:
        kubeconfig = call.cloud.backend.admin_kubeconfig(cluster.private["backend"])
    except ClusterError as exc:
        raise AksError(
            400,
            "BadRequest",
            f"The credentials of managed cluster {cluster.name} are not available yet: {exc}",
        ) from exc
    renamed = rename(kubeconfig, cluster.name, f"{kind}_{cluster.group}_{cluster.name}", context)
    value = base64.b64encode(yaml.safe_dump(renamed, sort_keys=True).encode()).decode()
    return Reply(200, {"kubeconfigs": [{"name": kind, "value": value}]})


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
