# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose release the MCPServer definition belongs to: helm lets only one own it, and says so in riddles. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.helm.manifest import OWNER
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.charts import DEFINITION
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Refusal


def conflict(definition: Mapping[str, Any] | None, spec: ReleaseSpec) -> Refusal | None:
    """The refusal when the definition exists and is not this release's."""
    if definition is None:
        return None
    metadata = definition.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    name, namespace = annotations.get(f"{OWNER}-name"), annotations.get(f"{OWNER}-namespace")
    ours = f"release {spec.namespace}/{spec.name}"
    managed = (metadata.get("labels") or {}).get("app.kubernetes.io/managed-by") == "Helm"
    if (name, namespace) == (spec.name, spec.namespace) and managed:
        return None
    path = f"CustomResourceDefinition {DEFINITION}"
    if name and namespace and (name, namespace) != (spec.name, spec.namespace):
        return Refusal(path, f"release {namespace}/{name}", ours, _other_release(str(name), str(namespace)))
    return Refusal(path, "no Helm release", ours, _by_hand(spec))


def _other_release(name: str, namespace: str) -> str:
    if "kagent" in name or namespace == "kagent":
        return (
            "kagent installs KMCP's definitions itself. Keep kagent's and install only one of both controllers, or "
            "install kagent with kmcp.enabled=false and remove the definition from its release first."
        )
    return (
        f"To keep that release, set namespace: {namespace} and crds_release_name: {name}. To replace it, uninstall it "
        "first (this deletes every MCPServer), or annotate the definition with the new release's name and namespace."
    )


def _by_hand(spec: ReleaseSpec) -> str:
    return (
        f"It was created without Helm. To hand it over: kubectl annotate crd {DEFINITION} {OWNER}-name={spec.name} "
        f"{OWNER}-namespace={spec.namespace} --overwrite; kubectl label crd {DEFINITION} "
        "app.kubernetes.io/managed-by=Helm --overwrite."
    )
