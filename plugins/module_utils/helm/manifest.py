# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of a release's stored manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.sdk import require, yaml

_INTEGER = re.compile(r"[-+]?(?:0b[0-1_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")


def parse(release: Release) -> list[Object]:
    """Every object helm applied for this revision, in the manifest's order."""
    require()
    try:
        documents = list(yaml.load_all(release.manifest, Loader=_loader()))
    except yaml.YAMLError as failure:
        raise ServiceError(
            f"Reading the manifest of release {release.namespace}/{release.name}",
            f"revision {release.revision} is not YAML",
            hint="Run helm upgrade for it again, or set state: absent and install it anew.",
        ) from failure
    return [item for document in documents for item in _flatten(document)]


def placed(objects: list[Object], kube: Kube, namespace: str) -> list[tuple[Object, ResourceType | None]]:
    """Each object with how the cluster serves its kind (None: not at all), and with the release's namespace."""
    result: list[tuple[Object, ResourceType | None]] = []
    for item in objects:
        resource = kube.resource_type(str(item["apiVersion"]), str(item["kind"]))
        metadata = dict(item.get("metadata") or {})
        if resource is not None and resource.namespaced:
            metadata.setdefault("namespace", namespace)
        result.append(({**item, "metadata": metadata}, resource))
    return result


def label(item: Mapping[str, Any]) -> str:
    """`Deployment kmcp-system/kmcp-controller-manager`: how an object is called in paths and messages."""
    metadata = item.get("metadata") or {}
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{item.get('kind')} {namespace}{metadata.get('name')}"


def _flatten(document: Any) -> Iterator[Object]:
    if not isinstance(document, dict) or not document.get("kind"):
        return
    if str(document["kind"]).endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _flatten(item)
        return
    yield document


@lru_cache(maxsize=1)
def _loader() -> Any:
    """YAML as Go reads it: a date and `12:30` are text, which YAML 1.1 makes a date and a number of base 60."""
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    unwanted = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int")
    resolvers = {
        first: [(tag, pattern) for tag, pattern in rows if tag not in unwanted]
        for first, rows in base.yaml_implicit_resolvers.items()
    }
    loader = type("ManifestLoader", (base,), {"yaml_implicit_resolvers": resolvers})
    loader.add_implicit_resolver(  # type: ignore[attr-defined]
        "tag:yaml.org,2002:int", re.compile(f"^(?:{_INTEGER.pattern})$"), list("-+0123456789")
    )
    return loader
