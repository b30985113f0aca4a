# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release owns the MCPServer CRD. Pure.

Helm lets one release only own an object; with another it fails with "invalid ownership metadata", which names the
annotations and not what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.helm.manifest import OWNER
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.constants import CRD
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Refusal

_PATH = f"CustomResourceDefinition {CRD}"


@dataclass(frozen=True)
class Owner:
    """The release that an object's marks name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"release {self.namespace}/{self.name}"


def owner_of(item: Mapping[str, Any]) -> Owner | None:
    """The release an object says it belongs to; None when it names none in full."""
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    name, namespace = annotations.get(f"{OWNER}-name"), annotations.get(f"{OWNER}-namespace")
    return Owner(str(namespace), str(name)) if name and namespace else None


def owner(spec: ReleaseSpec) -> Owner:
    return Owner(spec.namespace, spec.name)


def owned(definition: Mapping[str, Any], spec: ReleaseSpec) -> bool:
    """Helm will take the definition for this release's own."""
    labels = (definition.get("metadata") or {}).get("labels") or {}
    return owner_of(definition) == owner(spec) and labels.get("app.kubernetes.io/managed-by") == "Helm"


def conflict(definition: Mapping[str, Any] | None, spec: ReleaseSpec, other_installed: bool = False) -> Refusal | None:
    """The refusal when the definition exists and is not this release's.

    What no release owns is taken over when `spec.take_ownership` says so. What another release owns that is
    installed (`other_installed`) is never taken: its next upgrade would fight, and its removal would delete every
    MCPServer.
    """
    if definition is None or owned(definition, spec):
        return None
    standing = owner_of(definition)
    if standing is not None and standing != owner(spec) and other_installed:
        return Refusal.because(_PATH, f"belongs to {standing}", _other_release(standing))
    if spec.take_ownership:
        return None
    if standing is not None and standing != owner(spec):
        remedy = f"Set take_ownership: true to hand it over to {owner(spec)}."
        return Refusal.because(_PATH, f"belongs to {standing}, which is no longer installed", remedy)
    remedy = f"To hand it over to {owner(spec)} with its MCPServers, set take_ownership: true."
    return Refusal.because(_PATH, "was created without Helm", remedy)


def removal_conflict(definition: Mapping[str, Any] | None, ours: Owner) -> Refusal | None:
    """The refusal when removing our release would delete a definition that belongs to another release."""
    standing = owner_of(definition) if definition is not None else None
    if standing is None or standing == ours:
        return None
    remedy = (
        f"Uninstalling {ours} would delete it under {standing}, with every MCPServer. Leave delete_crds out; what is "
        f"left of {ours} is its record: remove the Secrets with owner=helm,name={ours.name} in {ours.namespace}."
    )
    return Refusal.because(_PATH, f"belongs to {standing}", remedy)


def _other_release(standing: Owner) -> str:
    if "kagent" in standing.name or standing.namespace == "kagent":
        return (
            "kagent installs KMCP's definitions itself. To use them, set manage_crds: false, and run one of both "
            "controllers only. To have them here, install kagent with kmcp.enabled=false and remove the definition "
            "from its release first."
        )
    return (
        f"To keep that release, set namespace: {standing.namespace} and crds_release_name: {standing.name}, or "
        "manage_crds: false. To replace it, uninstall it first (this deletes every MCPServer)."
    )
