# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster holds, without what differs between two equal clusters: to compare before and after."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

KINDS = (
    "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,mcpservers.kagent.dev,deployments,"
    "services,configmaps,serviceaccounts,roles,rolebindings"
)
NAMESPACES = ("kmcp-system", "mcp")
# values that the API server, a controller or a repair writes anew each time
_METADATA = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
_LABELS = ("mcpops.io/reconcile",)
_ANNOTATIONS = ("deployment.kubernetes.io/revision",)
_SPEC = ("clusterIP", "clusterIPs")


def snapshot(kubectl: Callable[..., str]) -> dict[str, Any]:
    """Normalised objects by kind, namespace and name."""
    listed = json.loads(kubectl("get", KINDS, "--all-namespaces", "-o", "json"))["items"]
    return {_name(item): _normalised(item) for item in listed if _ours(item)}


def _ours(item: dict[str, Any]) -> bool:
    metadata = item["metadata"]
    if metadata["name"] == "kube-root-ca.crt":  # each cluster has its own authority
        return False
    if metadata.get("namespace"):
        return metadata["namespace"] in NAMESPACES
    if item["kind"] == "Namespace":
        return metadata["name"] in NAMESPACES
    return item["kind"] == "CustomResourceDefinition" or metadata["name"].startswith("kmcp")


def _name(item: dict[str, Any]) -> str:
    return f"{item['kind']}/{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"


def _normalised(item: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in item["metadata"].items() if key not in _METADATA}
    for field, volatile in (("labels", _LABELS), ("annotations", _ANNOTATIONS)):
        kept = {key: value for key, value in metadata.pop(field, {}).items() if key not in volatile}
        if kept:
            metadata[field] = kept
    metadata["ownerReferences"] = [
        {key: value for key, value in owner.items() if key != "uid"} for owner in metadata.get("ownerReferences", [])
    ]
    rest = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    if isinstance(rest.get("spec"), dict):
        rest["spec"] = {key: value for key, value in rest["spec"].items() if key not in _SPEC}
    return {"metadata": metadata, **rest}
