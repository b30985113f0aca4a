# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure and its clusters (AKS) as a row of the registry of domains."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..domain import (
    BACKEND,
    COLLECTION,
    EXISTING,
    PLATFORMS,
    Domain,
    Foundation,
    Role,
    Unique,
)
from ..kube.writers import Writer
from ..names import LABEL, SUBDOMAIN, wrong_name
from .declared_rights import AZURE_NEEDS

if TYPE_CHECKING:
    from ..site.inventory import Host

_ROLE = "aks_cluster"
_HOOKS = r"ValidatingWebhookConfiguration|MutatingWebhookConfiguration"
_FAQ = "https://learn.microsoft.com/azure/aks/faq"


def _start(cluster: Mapping[str, Any], host: str) -> Sequence[str]:
    name, group = str(cluster.get("name") or host), _group_of(str(cluster.get("id") or ""))
    return ["az", "aks", "start", "--name", name, "--resource-group", group]


def _group_of(resource_id: str) -> str:
    parts = resource_id.split("/")
    return next((parts[index + 1] for index, part in enumerate(parts[:-1]) if part.lower() == "resourcegroups"), "")


def _cluster(host: Host) -> tuple[str, ...] | None:
    place = (_subscription(host), host.get("aks_cluster_resource_group"))
    name = host.get("aks_cluster_name")
    return tuple(str(part).lower() for part in (*place, name)) if name and place[1] else None


def _subscription(host: Host) -> object:
    auth = host.get("mcpops_azure_auth")
    own = auth.get("subscription_id") if isinstance(auth, Mapping) else None
    return own or host.get("mcpops_subscription_id")


def _same_cluster(host: Host, other: Host) -> str:
    return (
        f"{host.get('aks_cluster_name')!r} in group {host.get('aks_cluster_resource_group')!r} is the cluster of "
        f"host {other.name}, too: a cluster belongs to one host"
    )


def _kubeconfig(host: Host) -> tuple[str, str] | None:
    """A file, and of one that is only read, the context of it."""
    named = host.get("aks_cluster_kubeconfig")
    path, context = (named.get("path"), named.get("context")) if isinstance(named, Mapping) else (named, None)
    return (os.path.abspath(os.path.expanduser(path)), str(context or "")) if isinstance(path, str) and path else None


def _same_kubeconfig(host: Host, other: Host) -> str:
    if host.get(BACKEND) == EXISTING:
        return f"is the cluster of host {other.name}, too: a cluster belongs to one host; name another file or context"
    return (
        f"{host.get('aks_cluster_kubeconfig')!r} is the file of host {other.name}, too: "
        "the later one would overwrite it; put inventory_hostname into the path"
    )


_REGISTRIES, _IDENTITIES = "azure_platform_registries", "azure_platform_identities"
_FEDERATED, _GRANTS = "azure_platform_federated_credentials", "azure_platform_role_assignments"
_IMAGES = "azure_platform_images"
_SERVERS = "azure_platform_postgres_servers"
_OF_SERVERS = ("azure_platform_postgres_databases", "azure_platform_postgres_firewall_rules")
_OF_ACCOUNTS = "aks_cluster_federated_credentials"
_WHOSE, _WHERE = ("identity", "principal"), ("registry", "resource_group", "scope")


def _named_here(host: Host) -> Iterator[tuple[str, str]]:
    """What names a registry, an identity or a server of the platform names one that it has."""
    if not any(role.endswith("azure_platform") for role in host.roles):
        return
    for variable, key, of in (
        (_FEDERATED, "identity", _IDENTITIES),
        (_GRANTS, "identity", _IDENTITIES),
        (_GRANTS, "registry", _REGISTRIES),
        (_IMAGES, "registry", _REGISTRIES),
        *((variable, "server", _SERVERS) for variable in _OF_SERVERS),
    ):
        known = [str(entry.get("name")) for entry in _entries(host, of)]
        for index, entry in enumerate(_entries(host, variable)):
            if key in entry and str(entry[key]) not in known:
                listed = ", ".join(known) or "it has none"
                yield f"{variable}[{index}].{key}", f"{entry[key]!r} is not in {of} ({listed})"
    for index, entry in enumerate(_entries(host, _GRANTS)):
        for keys in (_WHOSE, _WHERE):
            given = [key for key in keys if entry.get(key)]
            if len(given) != 1:
                said = f"it has {' and '.join(given)}" if given else "it has none"
                yield f"{_GRANTS}[{index}]", f"takes exactly one of {', '.join(keys)}: {said}"


def _suffix(host: Host) -> Iterator[tuple[str, str]]:
    """A suffix that is made without the subscription would be another one as soon as that is known."""
    needed = [entry for entry in _entries(host, _REGISTRIES) if entry.get("suffix") is None]
    own = host.get("azure_platform_name_suffix") if "azure_platform_name_suffix" in host.written else None
    if needed and own is None and host.get("azure_platform_subscription_id") == "":
        yield (
            "azure_platform_subscription_id",
            "is empty, and names of registries are made with it: declare mcpops_azure_auth.subscription_id, or "
            "azure_platform_name_suffix",
        )


def _issuer(host: Host) -> Iterator[tuple[str, str]]:
    """Without an issuer nobody signs the tokens of service accounts."""
    declared = [entry for entry in _entries(host, _OF_ACCOUNTS) if entry.get("state") != "absent"]
    if declared and host.get(BACKEND) == "arm" and host.get("aks_cluster_oidc_issuer") is False:
        yield _OF_ACCOUNTS, "need an issuer of tokens: set aks_cluster_oidc_issuer to true"


def _service_accounts(host: Host) -> Iterator[tuple[str, str]]:
    """A subject that no service account can have would match no token, and nobody would be told."""
    for index, entry in enumerate(_entries(host, _OF_ACCOUNTS)):
        for key, what, syntax in (("namespace", "namespace name", LABEL), ("service_account", "name", SUBDOMAIN)):
            value = entry.get(key)
            if isinstance(value, str) and (wrong := wrong_name(value, what, syntax)):
                yield f"{_OF_ACCOUNTS}[{index}].{key}", wrong


def _entries(host: Host, variable: str) -> list[Mapping[str, Any]]:
    value = host.get(variable)
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


DOMAIN = Domain(
    name="azure",
    roles=(
        Role(f"{COLLECTION}.azure_platform", PLATFORMS, "platform"),
        Role(f"{COLLECTION}.site_preflight", stage="preflight"),
        Role(f"{COLLECTION}.{_ROLE}", stage="cluster"),
    ),
    azure_needs=AZURE_NEEDS,
    writers=(
        *(
            Writer(
                r"admissionsenforcer",
                _HOOKS,
                f"webhooks[*].{selector}",
                f"AKS keeps webhooks away from its own {what}",
                _FAQ,
                adds_only=True,
            )
            for selector, what in (("namespaceSelector", "namespaces"), ("objectSelector", "objects"))
        ),
    ),
    modules=("acr_*", "aks_*", "azure_*"),
    changed_by_hand=(
        "Changed in Azure since the last run, or in the declaration; the activity log of its group shows by whom."
    ),
    foundation=Foundation(
        module=f"{COLLECTION}.{_ROLE}",
        key="cluster",
        kept=("exists", "id", "name", "power_state", "provisioning_state", "kubernetes_version"),
        is_gone=lambda cluster: not cluster.get("exists"),
        is_stopped=lambda cluster: cluster.get("power_state") == "Stopped",
        start=_start,
    ),
    unique=(
        Unique(_ROLE, "aks_cluster_name", _cluster, _same_cluster),
        Unique(_ROLE, "aks_cluster_kubeconfig", _kubeconfig, _same_kubeconfig),
    ),
    host_rules=(_named_here, _suffix, _issuer, _service_accounts),
)
