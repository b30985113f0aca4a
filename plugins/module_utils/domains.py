# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The domains of the collection: the only file that knows all of them, and the roles of the site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

from .agents import domain as agents
from .arm import domain as arm
from .domain import (
    CLUSTERS,
    COLLECTION,
    Answers,
    AzureNeeds,
    Column,
    Domain,
    Foundation,
    HostVars,
    Object,
    Right,
    Role,
)
from .gateway import domain as gateway
from .kmcp import domain as kmcp
from .mesh import domain as mesh


def _versions(nodes: Sequence[Object], _host: HostVars) -> str:
    return ", ".join(sorted({node["status"]["nodeInfo"]["kubeletVersion"].lstrip("v") for node in nodes}))


def _count(nodes: Sequence[Object], _host: HostVars) -> str:
    return str(len(nodes))


CLUSTER = Domain(
    name="cluster",
    roles=(Role(f"{COLLECTION}.cluster_setup", stage="setup"),),
    rights=(
        Right("namespaces", ("get", "create", "patch")),
        Right("nodes", ("list",)),
        # of the run: one at a time works on the cluster
        Right("leases", ("get", "create", "update", "delete"), "coordination.k8s.io", "lease"),
    ),
    columns=(
        Column("kubernetes", "v1", "Node", _versions),
        Column("nodes", "v1", "Node", _count),
    ),
)

DECLARES = ("extras_releases", "extras_objects", "extras_templates", "extras_src", "extras_kustomizations")
OWN = Domain(name="extras", roles=(Role(f"{COLLECTION}.extras", unless_empty=DECLARES),))
"""What a site has beside the platform."""

DOMAINS: tuple[Domain, ...] = (arm.DOMAIN, CLUSTER, kmcp.DOMAIN, mesh.DOMAIN, agents.DOMAIN, gateway.DOMAIN, OWN)
"""In the order in which their roles run."""

VERIFY = Role(f"{COLLECTION}.site_verify", stage="verify")


def roles() -> list[Role]:
    """The roles of the site, in the order in which they run."""
    return [*(role for domain in DOMAINS for role in domain.roles), VERIFY]


def roles_under_lease() -> frozenset[str]:
    """Short names of the roles that work in a cluster while their run has its lease: those after what makes it."""
    return frozenset(
        role.short_name
        for domain in DOMAINS
        if domain.foundation is None
        for role in domain.roles
        if role.group == CLUSTERS
    )


def roles_by_group() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for role in roles():
        found.setdefault(role.group, []).append(role.name)
    return found


def rights(places: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """What the roles of the site do in a cluster, as k8s_preflight takes it; `places` are namespaces by their use."""
    return [
        {
            "group": right.group,
            "resource": right.resource,
            "verbs": list(right.verbs),
            "namespaces": list(places[right.place]) if right.place and not right.everywhere else [],
        }
        for domain in DOMAINS
        for right in domain.rights
        if not right.place or places.get(right.place)
    ]


def azure_needs() -> dict[str, AzureNeeds]:
    """What modules do in Azure, by their names."""
    return {module: needs for domain in DOMAINS for module, needs in domain.azure_needs.items()}


def columns() -> list[Column]:
    return [column for domain in DOMAINS for column in domain.columns]


def reads() -> list[dict[str, Any]]:
    """What verification reads for the report, each once."""
    found: list[dict[str, Any]] = []
    for column in columns():
        if column.read not in found:
            found.append(column.read)
    return found


def answers() -> list[Answers]:
    return [domain.answers for domain in DOMAINS if domain.answers is not None]


def foundation(module: str) -> Foundation | None:
    """What a host's objects live in, if this module (by its full name) says whether it is there."""
    return next((one.foundation for one in DOMAINS if one.foundation and one.foundation.module == module), None)


def changed_by_hand(module: str) -> str:
    """What the domain of this module says of a difference that nobody is known to have made."""
    name = module.rpartition(".")[2]
    return next((one.changed_by_hand for one in DOMAINS if any(fnmatch(name, own) for own in one.modules)), "")
