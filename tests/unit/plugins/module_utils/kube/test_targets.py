# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.bundle import _Bundle
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.schema import UNKNOWN, Structure

from .conftest import FakeTask

RBAC = "rbac.authorization.k8s.io/v1"


class OfRoles:
    """A cluster that serves ClusterRoles and Roles."""

    def resource_type(self, api_version: str, kind: str, **_options: Any) -> ResourceType:
        return ResourceType(api_version, kind, f"{kind.lower()}s", namespaced=kind == "Role")

    def structure(self, _api_version: str, _kind: str) -> Structure:
        return UNKNOWN


def role(kind: str, name: str, **metadata: str) -> dict[str, Any]:
    return {"apiVersion": RBAC, "kind": kind, "metadata": {"name": name, **metadata}}


def test_a_namespace_of_what_is_of_none_is_told_and_left_out(task: FakeTask) -> None:
    declared = [
        role("ClusterRole", "a", namespace="mcp"),
        role("ClusterRole", "b", namespace="mcp"),
        role("ClusterRole", "c"),
        role("Role", "d", namespace="mcp"),
    ]
    bundle = _Bundle(OfRoles(), task, BundleOptions(namespace="other"), dry=True)  # type: ignore[arg-type]
    found = [str(target.ref) for target in bundle._targets(declared)]
    assert found == ["ClusterRole a", "ClusterRole b", "ClusterRole c", "Role mcp/d"]
    assert task.warnings == [
        "ClusterRole a (mcp), ClusterRole b (mcp): objects of this kind are of no namespace, "
        "so the one in metadata is left out."
    ]
