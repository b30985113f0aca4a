# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of MCP Mesh's own charts: what helm is kept from, and what it is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ansible_collections.mcpops.platform.plugins.module_utils.domain import ReleaseStep
from ansible_collections.mcpops.platform.plugins.module_utils.domains import DOMAINS
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Refused
from ansible_collections.mcpops.platform.plugins.module_utils.helm import helm_release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.release_record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.owned_objects import (
    refuse_others,
    target_named,
)
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_plan import chart_refusals
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_spec import OWNER_LABEL

CORE = "mcp-mesh-core"
OCI = f"oci://ghcr.io/dhyansraj/mcp-mesh/{CORE}"


def refused(**given: Any) -> dict[str, str]:
    base = {
        "namespace": "mcp-mesh",
        "chart": CORE,
        "version": "3.3.2",
        "wanted_chart": OCI,
        "wanted_version": "3.3.2",
        "values": {},
    }
    return {one.path: f"{one.sentence} {one.remedy}" for one in chart_refusals(ReleaseStep(**{**base, **given}))}


OWNED = {"own_namespaces": ("mcp-mesh",)}
POSTGRES = {"postgres": {"enabled": False}}
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "3.3 to 3.5": ({**OWNED, "wanted_version": "3.5.0"}, "namespace mcp-mesh", "helm.sh/resource-policy=keep"),
    "3.3 to 3.6": ({**OWNED, "wanted_version": "3.6.1"}, "namespace mcp-mesh", "namespaceCreate: true"),
    "a candidate": ({**OWNED, "wanted_version": "3.5.0-rc.1"}, "namespace mcp-mesh", "upgrade to 3.4 before"),
    "the latest": ({**OWNED, "wanted_version": ""}, "namespace mcp-mesh", "3.5 or newer"),
    "said to be without": (
        {**OWNED, "wanted_version": "4.0.0", "values": {"namespaceCreate": False}},
        "namespace mcp-mesh",
        "delete it with all",
    ),
    "another chart": (
        {**OWNED, "wanted_chart": "oci://mine/mesh", "wanted_version": "9.0.0"},
        "namespace mcp-mesh",
        "",
    ),
    "removed": (
        {**OWNED, "wanted_chart": "", "wanted_version": ""},
        "namespace mcp-mesh",
        "upgrade to chart 3.4 or newer",
    ),
    "older": ({"version": "3.6.0", "wanted_version": "3.5.9"}, "chart_version", "dump its database"),
    "an older registry alone": (
        {
            "chart": "mcp-mesh-registry",
            "version": "3.7.0",
            "wanted_chart": "./mcp-mesh-registry",
            "wanted_version": "3.6.9",
        },
        "chart_version",
        "An older registry",
    ),
    "older, with all said to be there": (
        {"version": "3.7.1", "wanted_version": "v3.7.0", "values": {"registry": {"enabled": True}}},
        "chart_version",
        "helm rollback",
    ),
    "mysql": (
        {"values": {"mcp-mesh-registry": {"registry": {"database": {"type": "mysql"}}}}},
        "values.mcp-mesh-registry.registry.database.type",
        "no DATABASE_URL",
    ),
    "mysql of the registry's own chart": (
        {"wanted_chart": "/charts/mcp-mesh-registry", "values": {"registry": {"database": {"type": "MySQL"}}}},
        "values.registry.database.type",
        "lose them",
    ),
    "no database": ({"values": POSTGRES}, "values.postgres.enabled", "wait for one for ever"),
    "no database, newly": (
        {"chart": "", "version": "", "values": POSTGRES},
        "values.postgres.enabled",
        "existingSecret",
    ),
}
TAKEN: dict[str, dict[str, Any]] = {
    "the same": OWNED,
    "3.3 to 3.4": {**OWNED, "wanted_version": "3.4.7"},
    "a namespace that is kept": {"wanted_version": "3.6.0"},
    "a namespace that stays in the chart": {**OWNED, "wanted_version": "3.6.0", "values": {"namespaceCreate": True}},
    "another's chart": {**OWNED, "chart": "nginx", "wanted_chart": "nginx", "wanted_version": "3.5.0"},
    "another's chart goes": {**OWNED, "chart": "nginx", "wanted_chart": "", "wanted_version": ""},
    "a file": {"values": {**POSTGRES, "mcp-mesh-registry": {"registry": {"database": {"type": "sqlite"}}}}},
    "a database elsewhere": {"values": {**POSTGRES, "global": {"postgres": {"existingSecret": "db"}}}},
    "removed": {"wanted_chart": "", "wanted_version": ""},
    "an older agent": {
        "chart": "mcp-mesh-agent",
        "version": "3.7.1",
        "wanted_chart": "oci://mesh/mcp-mesh-agent",
        "wanted_version": "3.6.0",
        "values": {"registry": {"database": {"type": "mysql"}}},
    },
    "an older database": {
        "chart": "mcp-mesh-postgres",
        "version": "3.7.1",
        "wanted_chart": "mesh/mcp-mesh-postgres",
        "wanted_version": "3.6.0",
    },
    "an older core without a registry": {
        "version": "3.7.1",
        "wanted_version": "3.6.0",
        "values": {"registry": {"enabled": False}},
    },
    "a core without a registry, and without a database": {"values": {**POSTGRES, "registry": {"enabled": False}}},
    "a core without a registry, whose database would be unknown": {
        "values": {"registry": {"enabled": False}, "mcp-mesh-registry": {"registry": {"database": {"type": "mysql"}}}},
    },
    "another's chart with versions of its own": {
        "version": "3.7.1",
        "wanted_chart": "oci://mine/mesh",
        "wanted_version": "1.0.0",
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_helm_is_kept_from(case: str) -> None:
    given, path, words = REFUSED[case]
    found = refused(**given)
    assert list(found) == [path]
    assert words in found[path]


@pytest.mark.parametrize("case", TAKEN)
def test_what_helm_may_do(case: str) -> None:
    assert refused(**TAKEN[case]) == {}


def release(chart: str, marked: bool = False) -> Release:
    mark = {"annotations": {"helm.sh/resource-policy": "keep"}} if marked else {}
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mcp-mesh", **mark}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
    ]
    manifest = "".join(f"---\n{yaml.safe_dump(item)}" for item in objects)
    return Release("mesh", "mcp-mesh", 1, "deployed", "", chart, "3.3.1", "", {}, manifest, None, "s")


class Played:
    """A cluster with one namespace, marked or not."""

    def __init__(self, marked: bool) -> None:
        self.marked, self.asked = marked, []

    def get(self, path: str) -> Any:
        self.asked.append(path)
        annotations = {"helm.sh/resource-policy": "keep"} if self.marked else {}
        return {"metadata": {"name": "mcp-mesh", "annotations": annotations}}


def spec(version: str) -> Any:
    chart = SimpleNamespace(name=OCI, version=version)
    return SimpleNamespace(
        chart=chart, namespace="mcp-mesh", name="mesh", values=None, purge_values=True, domains=tuple(DOMAINS)
    )


def test_an_upgrade_looks_at_the_marks_in_the_cluster_and_a_removal_at_those_of_the_record() -> None:
    """As helm does: it reads what it is about to delete in an upgrade, and its own record in an uninstallation."""
    kube: Any = Played(marked=True)
    helm_release.refuse_upgrade(kube, spec("3.6.0"), release(CORE))
    with pytest.raises(Refused):
        helm_release.refuse_removal(kube, DOMAINS, release(CORE))
    kube = Played(marked=False)
    with pytest.raises(Refused) as caught:
        helm_release.refuse_upgrade(kube, spec("3.6.0"), release(CORE, marked=True))
    assert "kubectl annotate namespace mcp-mesh" in caught.value.message()
    helm_release.refuse_removal(kube, DOMAINS, release(CORE, marked=True))
    helm_release.refuse_removal(kube, DOMAINS, release("nginx"))
    helm_release.refuse_upgrade(kube, spec("3.4.0"), release(CORE))
    helm_release.refuse_upgrade(kube, spec("3.6.0"), None)


def test_objects_of_a_release_are_recognised_and_not_overwritten() -> None:
    target = target_named("Service", "mcp-mesh-registry", "mcp-mesh")
    marked = {"annotations": {"meta.helm.sh/release-name": "mcp-core"}}
    for metadata, words in ((marked, "belongs to the Helm release mcp-core"), ({}, "was not created by mesh_registry")):
        live = {target.ref: {"metadata": {"name": "mcp-mesh-registry", "labels": {}, **metadata}}}
        with pytest.raises(Refused) as caught:
            refuse_others("mesh_registry", OWNER_LABEL, {target.ref: "mcp-mesh-registry"}, live)
        assert words in caught.value.message()
