# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Secrets and ConfigMaps the containers of a pod see, by the fields of PodSpec that name them. Pure.

A declaration is read before the API server has judged it: what has another type than the field is passed over here, and
the API server says what is wrong with it.

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


def mapping(value: Any) -> Mapping[str, Any]:
    """The mapping that stands here; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list, without anything else that it holds; none of what is not a list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, (list, tuple)) else []


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
        for container in mappings(spec.get(group)):
            found += of_environment(container)
    for volume in mappings(spec.get("volumes")):
        found += of_volume(volume)
    return merged(found)


def of_start(container: Mapping[str, Any], spec: PodSpec) -> tuple[Reference, ...]:
    """What a container keeps as it was when it started: its environment, and files that are mounted by subPath.

    kubelet renews every other file of a volume while the container runs.
    """
    volumes = {volume.get("name"): volume for volume in mappings(spec.get("volumes"))}
    found = list(of_environment(container))
    for mount in mappings(container.get("volumeMounts")):
        path = mount.get("subPath")
        if path or mount.get("subPathExpr"):
            volume = volumes.get(mount.get("name"), {})
            found += [_at(one, volume, path) for one in of_volume(volume)]
    return merged(found)


def of_environment(container: Mapping[str, Any]) -> Iterator[Reference]:
    """What the environment variables of a container are filled from."""
    for variable in mappings(container.get("env")):
        source = mapping(variable.get("valueFrom"))
        yield from _one(SECRET, source.get("secretKeyRef"))
        yield from _one(CONFIG_MAP, source.get("configMapKeyRef"))
    for source in mappings(container.get("envFrom")):
        yield from _one(SECRET, source.get("secretRef"))
        yield from _one(CONFIG_MAP, source.get("configMapRef"))


def of_volume(volume: Mapping[str, Any]) -> Iterator[Reference]:
    """What a volume shows as files."""
    for source in _sources(volume):
        secret = mapping(source.get("secret"))
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


def _sources(volume: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [volume, *mappings(mapping(volume.get("projected")).get("sources"))]


def _one(kind: str, declared: Any) -> Iterator[Reference]:
    source = mapping(declared)
    name = source.get("name")
    if name:
        keys = [source["key"]] if source.get("key") else [item.get("key") for item in mappings(source.get("items"))]
        yield Reference(kind, str(name), frozenset(map(str, keys)) or None, bool(source.get("optional")))


def _at(reference: Reference, volume: Mapping[str, Any], path: str | None) -> Reference:
    """The reference with the one key that stands at this path of the volume, as far as the path tells."""
    items = [
        item
        for source in _sources(volume)
        for field in ("secret", "configMap")
        for item in mappings(mapping(source.get(field)).get("items"))
    ]
    keys = {str(item["key"]) for item in items if item.get("path") == path and item.get("key")}
    if not items and path and "/" not in path:
        # without items every key is a file of its own name
        keys = {path}
    return Reference(reference.kind, reference.name, frozenset(keys) or reference.keys, reference.optional)
