# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Secrets and ConfigMaps the containers of a pod see, by the fields of PodSpec that name them. Pure.

Only what containers get to see counts: environment variables and volumes. Credentials that kubelet or a storage driver
uses itself (`imagePullSecrets`, the secret of a CSI, AzureFile or iSCSI volume) are not read by the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SECRET, CONFIG_MAP = "Secret", "ConfigMap"
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")

PodSpec = Mapping[str, Any]


@dataclass(frozen=True)
class Reference:
    """One Secret or ConfigMap that a pod uses.

    `keys`: those that it uses, None for all. `optional`: the pod starts without it.
    """

    kind: str
    name: str
    keys: frozenset[str] | None = None
    optional: bool = False

    @property
    def label(self) -> str:
        """How the record in an annotation names it; names are DNS subdomains, so that this is unambiguous."""
        return f"{self.kind.lower()}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def of_pod(spec: PodSpec) -> tuple[Reference, ...]:
    """Everything that the pods of this specification use, each object once, in a stable order."""
    found: list[Reference] = []
    for group in _CONTAINERS:
        for container in spec.get(group) or []:
            found += of_environment(container)
    for volume in spec.get("volumes") or []:
        found += of_volume(volume)
    return merged(found)


def of_start(container: Mapping[str, Any], spec: PodSpec) -> tuple[Reference, ...]:
    """What a container keeps as it was when it started: its environment, and files that are mounted by subPath.

    kubelet renews every other file of a volume while the container runs.
    """
    volumes = {volume.get("name"): volume for volume in spec.get("volumes") or []}
    found = list(of_environment(container))
    for mount in container.get("volumeMounts") or []:
        path = mount.get("subPath")
        if path or mount.get("subPathExpr"):
            volume = volumes.get(mount.get("name"), {})
            found += [_at(one, volume, path) for one in of_volume(volume)]
    return merged(found)


def of_environment(container: Mapping[str, Any]) -> Iterator[Reference]:
    """What the environment variables of a container are filled from."""
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        yield from _one(SECRET, source.get("secretKeyRef"))
        yield from _one(CONFIG_MAP, source.get("configMapKeyRef"))
    for source in container.get("envFrom") or []:
        yield from _one(SECRET, source.get("secretRef"))
        yield from _one(CONFIG_MAP, source.get("configMapRef"))


def of_volume(volume: Mapping[str, Any]) -> Iterator[Reference]:
    """What a volume shows as files."""
    for source in [volume, *((volume.get("projected") or {}).get("sources") or [])]:
        secret = source.get("secret") or {}
        # the two spellings of the API: a volume has secretName, a projected source has name
        yield from _one(SECRET, {**secret, "name": secret.get("secretName") or secret.get("name")})
        yield from _one(CONFIG_MAP, source.get("configMap"))


def merged(found: Iterable[Reference]) -> tuple[Reference, ...]:
    """Each object once, with all keys that are used of it; optional only if nobody needs it."""
    by_label: dict[str, Reference] = {}
    for one in found:
        other = by_label.get(one.label)
        if other is not None:
            keys = None if one.keys is None or other.keys is None else one.keys | other.keys
            one = Reference(one.kind, one.name, keys, one.optional and other.optional)
        by_label[one.label] = one
    return tuple(by_label[label] for label in sorted(by_label))


def _one(kind: str, source: Mapping[str, Any] | None) -> Iterator[Reference]:
    name = (source or {}).get("name")
    if source and name:
        keys = [source["key"]] if source.get("key") else [item.get("key") for item in source.get("items") or []]
        yield Reference(kind, str(name), frozenset(map(str, keys)) or None, bool(source.get("optional")))


def _at(reference: Reference, volume: Mapping[str, Any], path: str | None) -> Reference:
    """The reference with the one key that stands at this path of the volume, as far as the path tells."""
    items = [
        item
        for source in [volume, *((volume.get("projected") or {}).get("sources") or [])]
        for field in ("secret", "configMap")
        for item in (source.get(field) or {}).get("items") or []
    ]
    keys = {str(item["key"]) for item in items if item.get("path") == path and item.get("key")}
    if not items and path and "/" not in path:
        # without items every key is a file of its own name
        keys = {path}
    return Reference(reference.kind, reference.name, frozenset(keys) or reference.keys, reference.optional)
