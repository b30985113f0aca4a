# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether images run on the nodes that their pods may come to: what an image is made for, beside the node pools.

The scheduler does not look at images. A pod whose image has nothing for the architecture of its node fails there ("no
match for platform", "exec format error"), and another node would have done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ServiceError
from ..task import Task
from ..text import listed
from . import names
from .acr_plan import parse_image
from .acr_registry import Login, Registries, Registry
from .aks.spec import ClusterSpec, Pool, current_pools
from .aks_sku_preflight import plain_location, sizes_of
from .client import Arm
from .cluster_preflight import Cluster, Finding
from .sku import Sku

_SHOWN = 4
_PATIENCE = 20.0
_DOCKER_HUB = "registry-1.docker.io"
_REGISTRIES = names.api_version_of(names.REGISTRIES)
LINUX = "linux"
_ARCHITECTURES = {"x64": "amd64", "amd64": "amd64", "arm64": "arm64"}
"""What Compute calls them (CpuArchitectureType), and what images and nodes do (GOARCH)."""
_KEEPS_AWAY = ("noschedule", "noexecute")
# labels that AKS or the kubelet gives, whose values are not known here
# (https://learn.microsoft.com/azure/aks/use-labels#reserved-system-labels)
_SIZE = "node.kubernetes.io/instance-type"
_OF_OTHERS = ("kubernetes.io/", "kubernetes.azure.com/", "k8s.io/")
Platform = tuple[str, str]
"""Operating system and architecture."""


@dataclass(frozen=True)
class DeclaredImage:
    """An image, who has it, and what of the pod decides where it comes."""

    image: str
    where: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> DeclaredImage:
        selector = {str(key): str(value) for key, value in (row.get("node_selector") or {}).items()}
        name = str(row["image"])
        return cls(name, str(row.get("where") or name), selector, tuple(row.get("tolerations") or ()))


@dataclass(frozen=True)
class NodePool:
    """What of a node pool decides whether a pod comes there, and whether it runs there."""

    name: str
    size: str
    labels: Mapping[str, str]
    taints: Sequence[str] = ()
    architecture: str = ""
    """As images call it; empty where nobody knows."""
    os: str = LINUX


def node_pools(
    spec: ClusterSpec, body: Mapping[str, Any] | None, sizes: Mapping[str, str], skus: Mapping[str, Sku]
) -> list[NodePool]:
    """Those that there will be; `sizes` are those that were found for new ones."""
    standing = {str(pool.get("name")).lower(): pool for pool in current_pools(body)}
    declared = {pool.name.lower(): pool.declared for pool in spec.pools}
    gone = [name for name in standing if spec.purge_node_pools and declared and name not in declared]
    found = []
    for name in dict.fromkeys([*standing, *declared]):
        if name in gone:
            continue
        pool = {**standing.get(name, {}), **declared.get(name, {})}
        own = str(pool.get("name") or name)
        size = str(standing.get(name, {}).get("vmSize") or pool.get("vmSize") or sizes.get(own) or "")
        found.append(_node_pool(own, size, pool, skus.get(size.lower())))
    return found


def _node_pool(name: str, size: str, pool: Pool, sku: Sku | None) -> NodePool:
    architecture = _ARCHITECTURES.get(sku.architecture, "") if sku is not None else ""
    system = str(pool.get("osType") or LINUX).lower()
    spot = str(pool.get("scaleSetPriority") or "").lower() == "spot"
    labels = {
        **{str(key): str(value) for key, value in (pool.get("nodeLabels") or {}).items() if value is not None},
        "agentpool": name,
        "kubernetes.azure.com/agentpool": name,
        "kubernetes.io/os": system,
        **({"kubernetes.io/arch": architecture} if architecture else {}),
        **({_SIZE: size} if size else {}),
        **({"kubernetes.azure.com/scalesetpriority": "spot"} if spot else {}),
    }
    # AKS gives it to every pool of Spot nodes
    taints = [*(pool.get("nodeTaints") or ()), *(["kubernetes.azure.com/scalesetpriority=spot:NoSchedule"] * spot)]
    return NodePool(name, size, labels, tuple(map(str, taints)), architecture, system)


def may_come(image: DeclaredImage, pool: NodePool) -> bool:
    """Whether a pod of the image may be scheduled there, as far as its labels and taints are known."""
    for key, wanted in image.node_selector.items():
        if key in pool.labels:
            # of a size, AKS answers any spelling (Standard_D2s_v5, standard_d2s_v5)
            same = pool.labels[key].lower() == wanted.lower() if key == _SIZE else pool.labels[key] == wanted
            if not same:
                return False
        elif not any(part in key for part in _OF_OTHERS):
            return False
    return all(_tolerated(taint, image.tolerations) for taint in pool.taints)


def _tolerated(taint: str, tolerations: Iterable[Mapping[str, Any]]) -> bool:
    given, _colon, effect = taint.rpartition(":")
    key, _equals, value = given.partition("=")
    if effect.lower() not in _KEEPS_AWAY:
        return True
    for one in tolerations:
        exists = str(one.get("operator") or "Equal").lower() == "exists"
        if one.get("key") not in (None, "", key) or (not one.get("key") and not exists):
            continue
        if one.get("effect") and str(one["effect"]).lower() != effect.lower():
            continue
        if exists or str(one.get("value") or "") == value:
            return True
    return False


@dataclass(frozen=True)
class Misfit:
    """Node pools that an image may come to and has nothing for; `everywhere`: there is no other."""

    message: str
    hint: str
    everywhere: bool


def misfit(image: DeclaredImage, platforms: Iterable[Platform], pools: Iterable[NodePool]) -> Misfit | None:
    """What is wrong with an image of these platforms; None where it runs wherever it may come."""
    made_for = {(system.lower(), architecture.lower()) for system, architecture in platforms}
    known = [pool for pool in pools if pool.architecture and pool.os == LINUX and may_come(image, pool)]
    lacking = [pool for pool in known if (pool.os, pool.architecture) not in made_for]
    if not lacking:
        return None
    has = listed(sorted("/".join(one) for one in made_for), _SHOWN) or "no platform"
    where = listed([f"{pool.name} ({pool.size}, {pool.architecture})" for pool in lacking], _SHOWN)
    everywhere = len(lacking) == len(known)
    fitting = sorted({pool.architecture for pool in known if pool not in lacking})
    wanted = listed(sorted({f"{pool.os}/{pool.architecture}" for pool in lacking}), _SHOWN)
    hint = f"Build it for {wanted} as well"
    if fitting:
        hint += f", or keep it where it runs: node_selector kubernetes.io/arch: {fitting[0]}"
    else:
        hint += ", or add a node pool that it runs on"
    message = f"{image.image} is made for {has}, and its pods may come to node pool {where}"
    return Misfit(message if not everywhere else f"{message} and no other", hint, everywhere)


# --- asking registries


def look(
    task: Task,
    arm: Arm,
    clusters: Sequence[Cluster],
    images: Mapping[str, Sequence[DeclaredImage]],
    sizes: Mapping[str, Mapping[str, str]],
    asked: Callable[[str], bool],
    own: Sequence[str],
) -> tuple[list[Finding], list[tuple[str, str]]]:
    """What is wrong with the images of these clusters' hosts, and what of them is not known (host, text).

    `sizes` are what was found for new pools, by host and pool; `asked` says whether a registry is worth asking (what
    did not answer before is not), and `own` are ids of registries of Azure's that the site names.
    """
    registries = _Asked(task, arm, own)
    findings: list[Finding] = []
    notes: list[tuple[str, str]] = []
    skus: dict[str, Mapping[str, Sku]] = {}
    for one in clusters:
        declared = [image for image in images.get(one.wish.host, ()) if asked(image.image)]
        if not declared:
            continue
        place = plain_location(one.location)
        try:
            if place not in skus:
                skus[place] = sizes_of(arm, place)
        except ServiceError as failure:
            notes.append(
                (one.wish.host, f"The platforms of images were not compared with node pools: {failure.reason}")
            )
            continue
        pools = node_pools(one.wish.spec, one.body, sizes.get(one.wish.host, {}), skus[place])
        for image in declared:
            platforms, unknown = registries.platforms(image.image)
            if unknown:
                notes.append((one.wish.host, f"{image.where}: the platforms of {image.image} are not known: {unknown}"))
            elif platforms and (wrong := misfit(image, platforms, pools)):
                subject = f"{one.wish.spec.subject}: {image.where}"
                findings.append(
                    Finding(
                        one.wish.host,
                        subject,
                        code="NoMatchForPlatform",
                        message=wrong.message,
                        hint=wrong.hint,
                        fails=wrong.everywhere,
                    )
                )
    return findings, notes


class _Asked:
    """The platforms of images, each asked for once. Those of the site's own registries by this identity."""

    def __init__(self, task: Task, arm: Arm, own: Sequence[str]) -> None:
        self._task, self._arm, self._own = task, arm, own
        self._known: dict[str, tuple[Sequence[Platform], str]] = {}
        self._hosts: dict[str, Mapping[str, Any]] | None = None
        self._registries: Registries | None = None

    def platforms(self, image: str) -> tuple[Sequence[Platform], str]:
        """The platforms, or why they are not known."""
        if image not in self._known:
            self._known[image] = self._ask(image)
        return self._known[image]

    def _ask(self, image: str) -> tuple[Sequence[Platform], str]:
        name = parse_image(image)
        if name is None:
            return (), ""
        host = name.api_host or _DOCKER_HUB
        repository = name.repository if name.host or "/" in name.repository else f"library/{name.repository}"
        try:
            found = self._at(host).platforms_of(repository, name.reference or "latest")
        except ServiceError as failure:
            return (), failure.reason
        return (found, "") if found is not None else ((), "there is no such image (yet)")

    def _at(self, host: str) -> Registry:
        if self._registries is None:
            # an answer is awaited for less than what is asked for in earnest
            self._registries = Registries(self._task, Arm.connect(self._task, _PATIENCE))
        own = self._of_azure()
        if host.lower() in own:
            return self._registries.azure(own[host.lower()])
        return self._registries.foreign(host, Login())

    def _of_azure(self) -> Mapping[str, Mapping[str, Any]]:
        """Registries that the site names, by where they answer."""
        if self._hosts is None:
            self._hosts = {}
            for registry in self._own:
                try:
                    body = self._arm.read(registry, f"Reading {registry}", _REGISTRIES).body
                except ServiceError:
                    continue
                properties = (body or {}).get("properties") or {}
                if host := str(properties.get("loginServer") or "").lower():
                    self._hosts[host] = properties
        return self._hosts
