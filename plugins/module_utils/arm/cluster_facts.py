# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person or a role wants to know of a cluster; no credential is among it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_version import running_version


def cluster_facts(body: Mapping[str, Any] | None, resource_id: str = "") -> dict[str, Any]:
    """A flat summary of the ARM body; `exists` is false for nothing, and for a plan of a creation."""
    body = body or {}
    properties = body.get("properties") or {}
    identity = (properties.get("identityProfile") or {}).get("kubeletidentity") or {}
    return {
        "exists": bool(body.get("id")),
        "id": body.get("id") or resource_id,
        "name": body.get("name") or resource_id.rpartition("/")[2],
        "location": body.get("location"),
        "tags": body.get("tags") or {},
        "sku_tier": (body.get("sku") or {}).get("tier"),
        "kubernetes_version": running_version(body) or None,
        "provisioning_state": properties.get("provisioningState"),
        "power_state": (properties.get("powerState") or {}).get("code"),
        "fqdn": properties.get("fqdn") or properties.get("privateFQDN"),
        "node_resource_group": properties.get("nodeResourceGroup"),
        "oidc_issuer_url": (properties.get("oidcIssuerProfile") or {}).get("issuerURL"),
        "principal_id": (body.get("identity") or {}).get("principalId"),
        "kubelet_object_id": identity.get("objectId"),
        "network_plugin": (properties.get("networkProfile") or {}).get("networkPlugin"),
        "node_pools": [_pool(pool) for pool in properties.get("agentPoolProfiles") or ()],
    }


def _pool(pool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": pool.get("name"),
        "mode": pool.get("mode"),
        "vm_size": pool.get("vmSize"),
        "count": pool.get("count"),
        "enable_auto_scaling": bool(pool.get("enableAutoScaling")),
        "min_count": pool.get("minCount"),
        "max_count": pool.get("maxCount"),
        "zones": pool.get("availabilityZones") or [],
        "os_sku": pool.get("osSKU"),
        "kubernetes_version": pool.get("currentOrchestratorVersion") or pool.get("orchestratorVersion"),
        "provisioning_state": pool.get("provisioningState"),
    }
