# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of a release's stored manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target, target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object, flatten, normalise
from ansible_collections.mcpops.platform.plugins.module_utils.kube.sdk import require, yaml

_INTEGER = re.compile(r"[-+]?(?:0b[0-1_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")
_RETYPED = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int")
KEEP = "helm.sh/resource-policy"
OWNER = "meta.helm.sh/release"


def parse(release: Release) -> list[Object]:
    """Every object helm applied for this revision, in the manifest's order."""
    require()
    try:
        documents = list(yaml.load_all(release.manifest, Loader=_loader()))
    except yaml.YAMLError as failure:
        raise ServiceError(
            f"Reading the manifest of release {release.namespace}/{release.name}",
            f"revision {release.revision} is not YAML",
            hint="Install it anew: state absent, then present.",
        ) from failure
    return [item for item in flatten(documents) if isinstance(item, dict) and item.get("kind")]


def place(objects: list[Object], kube: Kube, release: Release) -> tuple[list[Target], list[Object]]:
    """Where each object lives, and those of kinds that the cluster does not serve."""
    targets, unserved = [], []
    for item in objects:
        resource = kube.resource_type(str(item["apiVersion"]), str(item["kind"]))
        if resource is None:
            unserved.append(item)
        else:
            targets.append(target_of(resource, complete(item, release, resource.namespaced)))
    return targets, unserved


def complete(item: Object, release: Release, namespaced: bool) -> Object:
    """What helm adds to an object of a manifest: its namespace, and the marks by which helm knows it as its own.

    Without these marks a later helm refuses an object that was created again ("invalid ownership metadata").
    """
    metadata = dict(item.get("metadata") or {})
    if namespaced:
        metadata.setdefault("namespace", release.namespace)
    owner = {f"{OWNER}-name": release.name, f"{OWNER}-namespace": release.namespace}
    metadata["labels"] = {**(metadata.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **owner}
    return normalise({**item, "metadata": metadata})


def kept(item: Mapping[str, Any]) -> bool:
    """The chart asks that an uninstall leaves this object."""
    return ((item.get("metadata") or {}).get("annotations") or {}).get(KEEP) == "keep"


@lru_cache(maxsize=1)
def _loader() -> Any:
    """YAML as Go reads it: a date and `12:30` are text, which YAML 1.1 makes a date and a number of base 60."""
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        first: [(tag, pattern) for tag, pattern in rows if tag not in _RETYPED]
        for first, rows in base.yaml_implicit_resolvers.items()
    }
    loader: Any = type("ManifestLoader", (base,), {"yaml_implicit_resolvers": resolvers})
    whole = re.compile(f"^(?:{_INTEGER.pattern})$")
    loader.add_implicit_resolver("tag:yaml.org,2002:int", whole, list("-+0123456789"))
    return loader
