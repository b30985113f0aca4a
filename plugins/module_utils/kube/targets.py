# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declared objects with the resource types that a cluster serves them by."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target, target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType, not_served
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object, is_built_in
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import (
    UNKNOWN,
    Structure,
    with_default_keys,
    without_nulls,
)


def placed(
    item: Object, resource: ResourceType, namespace: str | None, structure: Structure = UNKNOWN
) -> Target | Problem:
    """The object where it lives: in its own namespace or else the default one; none for what is cluster-wide."""
    metadata = dict(item["metadata"])
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif metadata.get("namespace") or namespace:
        metadata["namespace"] = metadata.get("namespace") or namespace
    else:
        return Problem(
            f"{item['kind']} {metadata['name']}", "is namespaced: set metadata.namespace or the option namespace"
        )
    return target_of(resource, declared_for(resource, {**item, "metadata": metadata}, structure), structure)


def declared_for(resource: ResourceType, item: Object, structure: Structure) -> Object:
    """The declaration without what stands for nothing: nulls, and empty keys of Kubernetes' own kinds."""
    clean = without_nulls(item, structure)
    declared: Object = with_default_keys(clean, structure) if is_built_in(resource.group) else clean
    return declared


def stray_namespaces(items: Iterable[tuple[Object, ResourceType | None]]) -> list[str]:
    """A warning of cluster-wide objects that name a namespace: it is left out, as kubectl and the API server do."""
    stray = [
        f"{item['kind']} {item['metadata']['name']} ({item['metadata']['namespace']})"
        for item, resource in items
        if resource is not None and not resource.namespaced and item["metadata"].get("namespace")
    ]
    if not stray:
        return []
    return [f"{', '.join(stray)}: objects of this kind are of no namespace, so the one in metadata is left out."]


def unknown_kind(kube: Kube, item: Object) -> Problem:
    """The cluster does not serve this kind; it may serve another version of it."""
    place = f"{item['kind']} {item['metadata']['name']}"
    return Problem(place, not_served(kube.kinds(), str(item["apiVersion"]), str(item["kind"])))
