# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of KMCP stands in the cluster: the definition, who owns it, and the MCPServers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import recovery
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.constants import API_VERSION, CRD, KIND
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.ownership import Owner
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import METADATA_OF_LIST, METADATA_OF_OBJECT

_DEFINITION_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}"


def definition_metadata(kube: Kube) -> Mapping[str, Any] | None:
    """Labels and annotations of the definition; its schema has 190 KB."""
    response = kube.request(
        "GET", _DEFINITION_PATH, headers={"Accept": METADATA_OF_OBJECT}, accept_status=(404,), action=f"read {CRD}"
    )
    found: Mapping[str, Any] | None = None if response.status == 404 else response.json()
    return found


def definition(kube: Kube) -> Mapping[str, Any] | None:
    """The whole definition."""
    return kube.get(_DEFINITION_PATH)


def installed(kube: Kube, owner: Owner) -> bool:
    """Whether the release that owns something has a record; one that may not be read counts as there."""
    try:
        return recovery.read(kube, owner.namespace, owner.name).newest is not None
    except ServiceError as refused:
        if refused.status == 403:
            return True
        raise


def servers(kube: Kube) -> list[Mapping[str, Any]]:
    """Every MCPServer in full; none when the kind is not served."""
    return _listed(kube, "application/json")


def server_names(kube: Kube) -> list[str]:
    """`namespace/name` of every MCPServer."""
    return sorted(
        f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in _listed(kube, METADATA_OF_LIST)
    )


def _listed(kube: Kube, accept: str) -> list[Mapping[str, Any]]:
    resource = kube.resource_type(API_VERSION, KIND)
    if resource is None:
        return []
    response = kube.request(
        "GET", resource.path(), headers={"Accept": accept}, accept_status=(404,), action="list MCPServers"
    )
    return [] if response.status == 404 else response.json().get("items") or []
