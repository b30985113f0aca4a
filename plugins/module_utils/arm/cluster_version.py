# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubernetes versions: the declared one is a floor, AKS moves it upwards, and nothing moves it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.compare import floor_version
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Refusal

_PATH = "properties.kubernetesVersion"
# channels that move a cluster to the next minor on their own
_MINOR_CHANNELS = ("stable", "rapid")


@dataclass(frozen=True)
class VersionStep:
    """`settled`: the version stays as it is."""

    settled: bool
    refused: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()


def running_version(cluster: Mapping[str, Any]) -> str:
    """The version that runs; `kubernetesVersion` may be an alias such as 1.34."""
    properties = cluster.get("properties") or {}
    return str(properties.get("currentKubernetesVersion") or properties.get("kubernetesVersion") or "")


def version_step(cluster: Mapping[str, Any], declared: str) -> VersionStep:
    have = running_version(cluster)
    if not declared or not have:
        return VersionStep(settled=not declared)
    behind = _minor(have) - _minor(declared)
    if floor_version(have, declared):
        if behind <= 0:
            return VersionStep(settled=True)
        channel = str(((cluster.get("properties") or {}).get("autoUpgradeProfile") or {}).get("upgradeChannel") or "")
        if channel.lower() in _MINOR_CHANNELS:
            note = f"runs {have}, newer than the declared {declared}: its upgrade channel {channel} moved it"
            return VersionStep(settled=True, notes=(note,))
        remedy = f"A cluster cannot be downgraded: declare {_short(have)}"
        return VersionStep(settled=True, refused=(Refusal(_PATH, have, declared, remedy),))
    if behind < -1:
        following = f"{have.split('.', maxsplit=1)[0]}.{_minor(have) + 1}"
        remedy = f"Upgrades go one minor version at a time: declare {following} first"
        return VersionStep(settled=False, refused=(Refusal(_PATH, have, declared, remedy),))
    return VersionStep(settled=False, notes=("the control plane is upgraded, node pools keep their version",))


def offered_problem(declared: str, location: str, versions: list[Mapping[str, Any]]) -> str:
    """Why `declared` cannot be had in `location`, empty when it can; `versions` is the service's own list."""
    offered: dict[str, list[str]] = {}
    for row in versions:
        patches = row.get("patchVersions")
        offered[str(row.get("version"))] = sorted(patches, key=_numbers) if isinstance(patches, Mapping) else []
    if not offered or declared in offered or any(declared in patches for patches in offered.values()):
        return ""
    listed = ", ".join(sorted((_latest(minor, patches) for minor, patches in offered.items()), key=_numbers))
    return f"{declared} is not offered in {location}; offered are {listed}"


def _latest(minor: str, patches: list[str]) -> str:
    return patches[-1] if patches else minor


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _minor(version: str) -> int:
    numbers = _numbers(version)
    return numbers[1] if len(numbers) > 1 else 0


def _short(version: str) -> str:
    return ".".join(version.split(".")[:2])
