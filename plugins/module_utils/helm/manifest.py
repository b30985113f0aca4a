# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of a release's stored manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import documents as of_chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.kube.aggregation import is_down
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target, target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.documents import read_documents
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object, flatten, identity, normalise
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import ObjectOutcome, not_reached
from ansible_collections.mcpops.platform.plugins.module_utils.kube.sdk import yaml
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import known_only
from ansible_collections.mcpops.platform.plugins.module_utils.kube.targets import declared_for

KEEP = "helm.sh/resource-policy"
OWNER = "meta.helm.sh/release"
COMPARE = "compare"


def parse(release: Release) -> list[Object]:
    """Every object helm applied for this revision, in the manifest's order."""
    try:
        documents = read_documents(release.manifest)
    except yaml.YAMLError as failure:
        raise ServiceError(
            f"Reading the manifest of release {release.namespace}/{release.name}",
            f"revision {release.revision} is not YAML",
            hint="Reinstall it: state absent, then present.",
        ) from failure
    # what lacks any of these helm has not applied either
    return [item for item in flatten(documents) if isinstance(item, dict) and _is_named(item)]


def _is_named(item: Mapping[str, Any]) -> bool:
    metadata = item.get("metadata")
    return bool(item.get("apiVersion") and item.get("kind") and isinstance(metadata, Mapping) and metadata.get("name"))


@dataclass(frozen=True)
class Placed:
    """Where each object lives, those of kinds that the cluster does not serve, and those whose API does not answer."""

    targets: list[Target]
    unserved: list[Object]
    unreached: list[ObjectOutcome]


def place(objects: list[Object], kube: Kube, release: Release) -> Placed:
    targets: list[Target] = []
    unserved: list[Object] = []
    unreached: list[ObjectOutcome] = []
    for item in objects:
        try:
            resource = kube.resource_type(str(item["apiVersion"]), str(item["kind"]))
        except ServiceError as failure:
            if not is_down(failure):
                raise
            unreached.append(not_reached(identity(item), failure, COMPARE))
            continue
        if resource is None:
            unserved.append(item)
        else:
            targets.append(_target(kube, resource, complete(item, release, resource.namespaced)))
    # helm applies an object that a chart has twice one after the other: the last one stands
    return Placed(list({target.who: target for target in targets}.values()), unserved, unreached)


def _target(kube: Kube, resource: ResourceType, declared: Object) -> Target:
    """Without nulls and unknown fields: helm sends both, and the API server drops them."""
    structure = kube.structure(resource.api_version, resource.kind)
    return target_of(resource, known_only(declared_for(resource, declared, structure), structure), structure)


def complete(item: Object, release: Release, namespaced: bool) -> Object:
    """What helm makes of an object of a manifest: its namespace, if its kind has one, and the marks of its owner.

    Without these marks a later helm refuses an object that was created again ("invalid ownership metadata").
    """
    metadata = dict(item.get("metadata") or {})
    if namespaced:
        metadata.setdefault("namespace", release.namespace)
    else:
        metadata.pop("namespace", None)
    owner = {f"{OWNER}-name": release.name, f"{OWNER}-namespace": release.namespace}
    metadata["labels"] = {**(metadata.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **owner}
    return normalise({**item, "metadata": metadata})


def definitions(text: str, kube: Kube, chart: str) -> list[Target]:
    """The objects of the crds/ directory of this chart. Helm leaves them without its marks: no release owns them."""
    resource = kube.resource_type("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    found = [
        item for item in flatten(of_chart(f"Reading the definitions of chart {chart}", text)) if isinstance(item, dict)
    ]
    found = [item for item in found if item.get("kind") == "CustomResourceDefinition"]
    return [_target(kube, resource, normalise(item)) for item in found] if resource is not None else []


def kept(item: Mapping[str, Any]) -> bool:
    """The chart asks that an uninstall leaves this object."""
    return ((item.get("metadata") or {}).get("annotations") or {}).get(KEEP) == "keep"
