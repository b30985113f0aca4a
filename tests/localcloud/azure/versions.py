# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes versions: those the backend can really start, and older ones that are only refused."""

from __future__ import annotations

from collections.abc import Sequence

from . import locations
from .wire import AksError, ArmError, Body, Call, Reply

STANDARD, LONG_TERM = "KubernetesOfficial", "AKSLongTermSupport"


def key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def minors(offered: Sequence[str]) -> list[str]:
    return sorted({minor(version) for version in offered}, key=key)


def long_term_only(offered: Sequence[str]) -> list[str]:
    """The two minors before the oldest one offered: listed, but for long-term support only."""
    major, oldest = key(minors(offered)[0])
    return [f"{major}.{number}" for number in (oldest - 2, oldest - 1)]


def resolve(asked: str, offered: Sequence[str], cluster: str) -> str:
    """The full version behind what was asked for: itself, or the newest patch of a minor."""
    fitting = [version for version in offered if asked in (version, minor(version))]
    if fitting:
        return max(fitting, key=key)
    if minor(asked) in long_term_only(offered):
        raise AksError(
            400,
            "K8sVersionNotSupported",
            f"Managed cluster {cluster} is on version {asked}, which is only available for Long-Term Support (LTS). "
            "If you intend to onboard to LTS, please ensure the cluster is in Premium tier and LTS support plan. "
            "For more information, please refer to https://aka.ms/aks/lts",
        )
    raise AksError(
        400,
        "K8sVersionNotSupported",
        f"Version {asked} is not supported in this region. Please use [az aks get-versions] command to get the "
        "supported version list in this region. For more information, please check "
        "https://aka.ms/supported-version-list",
    )


def list_versions(call: Call) -> Reply:
    if locations.known(call["location"]) is None:
        raise ArmError(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{call['location']}' and API version "
            f"'{call.query['api-version']}' for type 'locations/kubernetesVersions'. The supported locations are "
            f"'{locations.NAMES}'.",
        )
    offered = call.cloud.backend.versions()
    values: list[Body] = []
    for name in reversed(minors(offered)):
        patches = [version for version in offered if minor(version) == name]
        newer = [version for version in offered if key(minor(version))[1] - key(name)[1] == 1]
        values.append(
            {
                "version": name,
                "capabilities": {"supportPlan": [STANDARD]},
                "patchVersions": {
                    patch: {"upgrades": [v for v in patches if key(v) > key(patch)] + newer} for patch in patches
                },
            }
        )
        if name == minor(call.cloud.backend.default_version()):
            values[-1]["isDefault"] = True
    for name in reversed(long_term_only(offered)):
        upgrades = [version for version in offered if key(minor(version))[1] - key(name)[1] == 1]
        values.append(
            {
                "version": name,
                "capabilities": {"supportPlan": [LONG_TERM]},
                "patchVersions": {f"{name}.0": {"upgrades": upgrades}},
            }
        )
    return Reply(200, {"values": values})
