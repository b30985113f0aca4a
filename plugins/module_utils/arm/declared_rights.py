# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules of Azure must be allowed to do for the options that a task gives them.

Each function reads the options of one module, as a task has them before anything runs: what is not known yet is no
text, and nothing is asked for it. Rows are those of the option permissions of azure_preflight; ids begin below the
subscription.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import names
from .resource_plan import locate
from .role_assignment_plan import by_repository, is_guid, role_guid

Options = Mapping[str, Any]
Row = dict[str, Any]

_NONE = "/subscriptions/"
"""What an id begins with that is made without a subscription."""
_GROUP_ACTIONS = "Microsoft.Resources/subscriptions/resourceGroups"
_SUBNETS = "Microsoft.Network/virtualNetworks/subnets"
_ONE_OF_ALL = {names.REGISTRIES.lower(): "Microsoft.ContainerRegistry/checkNameAvailability/read"}
"""Types whose names all customers share, and what asks whether one is free."""
_BUILD = (
    "listBuildSourceUploadUrl/action",
    "scheduleRun/action",
    "runs/read",
    "runs/listLogSasUrl/action",
)
_TO_USE = {
    # https://learn.microsoft.com/azure/aks/concepts-identity#aks-cluster-identity-permissions
    _SUBNETS.lower(): f"{_SUBNETS}/join/action",
    # https://learn.microsoft.com/azure/aks/use-managed-identity
    names.IDENTITIES.lower(): f"{names.IDENTITIES}/assign/action",
}
"""What a cluster uses of others, by its type, and the action that lets whoever makes the cluster give it that."""


REPOSITORIES = "repositories"
"""A row that only says that the permissions of this registry are by repository."""
_PULL, _REMOVE = f"{names.REGISTRIES}/pull/read", f"{names.REGISTRIES}/artifacts/delete"
_BY_REPOSITORY = {
    # of Container Registry Repository Reader, Writer and Contributor
    # (https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-directory-reference)
    _PULL: ("content/read", "metadata/read"),
    _REMOVE: ("content/delete", "metadata/delete"),
    # a build of such a registry pushes as whoever asked for it
    f"{names.REGISTRIES}/scheduleRun/action": ("content/write", "metadata/write"),
}
_STILL_NEEDED = f"{names.REGISTRIES}/scheduleRun/action"


def of_resource(options: Options) -> Iterator[Row]:
    given = {key: value for key, value in options.items() if isinstance(value, str)}
    resource_id, kind, _name, wrong = locate(given, "")
    if wrong:
        return
    place = resource_id.removeprefix(_NONE) if resource_id.startswith(f"{_NONE}/") else resource_id
    action = _GROUP_ACTIONS if kind.lower() == names.RESOURCE_GROUPS.lower() else kind
    around = _parent(place, kind)
    yield {"scope": around, "actions": [f"{action}/read"]}
    if given.get("state") == "absent":
        yield {"scope": place, "actions": [f"{action}/delete"], "unless_present": place, "removes": True}
        return
    yield {"scope": around, "actions": [f"{action}/write"], "unless_present": place}
    if kind.lower() == names.REGISTRIES.lower() and by_repository(_mapping(options.get("properties"))):
        yield {REPOSITORIES: place}
    if kind.lower() in _ONE_OF_ALL:
        yield {"scope": "", "actions": [_ONE_OF_ALL[kind.lower()]], "unless_present": place}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def settled(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of a host, each once; of registries whose permissions are by repository, those of the repositories.

    Such a registry does not heed `pull/read`, which AcrPull, Contributor and Owner give
    (https://learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions).
    """
    given = list(rows)
    by = {str(row[REPOSITORIES]).lower() for row in given if REPOSITORIES in row}
    found: list[Mapping[str, Any]] = []
    for row in given:
        if REPOSITORIES in row:
            continue
        one = _of_repositories(row) if str(row.get("scope") or "").strip().rstrip("/").lower() in by else row
        if one not in found:
            found.append(one)
    return found


def _of_repositories(row: Mapping[str, Any]) -> Mapping[str, Any]:
    data = [f"{names.REGISTRIES}/repositories/{one}" for act in row["actions"] for one in _BY_REPOSITORY.get(act, ())]
    actions = [act for act in row["actions"] if act not in _BY_REPOSITORY or act == _STILL_NEEDED]
    return {**row, "actions": actions, "data_actions": data} if data else row


def _parent(place: str, kind: str) -> str:
    """Where something is made: in its group, or in what it is a part of. A group is asked for itself."""
    if kind.count("/") > 1:
        return place.rsplit("/", 2)[0]
    return place.partition("/providers/")[0]


def of_role_assignment(options: Options) -> Iterator[Row]:
    scope, principal, role = (options.get(key) for key in ("scope", "principal", "role"))
    if not isinstance(scope, str) or not isinstance(role, str):
        return
    yield {"scope": scope, "actions": [f"{names.ROLE_ASSIGNMENTS}/read"]}
    if not role_guid(role):
        yield {"scope": scope, "actions": [f"{names.ROLE_DEFINITIONS}/read"]}
    row: Row = {"scope": scope, "actions": [f"{names.ROLE_ASSIGNMENTS}/write"]}
    if options.get("state") == "absent":
        row = {"scope": scope, "actions": [f"{names.ROLE_ASSIGNMENTS}/delete"], "removes": True}
    if isinstance(principal, str):
        row["unless_assigned"] = {"principal": principal, "role": role}
        yield from _reading_of(principal.strip().rstrip("/"))
    elif row.get("removes"):
        # whether there is something to remove is known once the principal is
        return
    yield row


def _reading_of(principal: str) -> Iterator[Row]:
    """Who is named by the id of a resource is looked up there."""
    parsed = None if is_guid(principal) else names.parse_id(_whole(principal))
    if parsed is not None:
        yield {"scope": principal, "actions": [f"{parsed.type}/read"]}


def of_image(options: Options) -> Iterator[Row]:
    registry, group, repository = (options.get(key) for key in ("registry", "resource_group", "repository"))
    if not isinstance(registry, str) or not isinstance(group, str) or not isinstance(repository, str):
        return
    scope = f"{names.group_path(group)}/providers/{names.REGISTRIES}/{registry}"
    tags = options.get("tags")
    images = [f"{repository}:{tag}" for tag in tags] if isinstance(tags, list) else []
    there = {"unless_images": {"registry": scope, "images": images}} if images else {}
    yield {"scope": scope, "actions": [f"{names.REGISTRIES}/read"]}
    # whoever finds the images there may read them, whatever gives the right
    yield {"scope": scope, "actions": [f"{names.REGISTRIES}/pull/read"], **there}
    if options.get("state") == "absent":
        actions = [f"{names.REGISTRIES}/artifacts/delete"]
        if there:
            yield {"scope": scope, "actions": actions, **there, "removes": True}
        return
    verbs = _BUILD if options.get("build") else ("importImage/action",)
    yield {"scope": scope, "actions": [f"{names.REGISTRIES}/{verb}" for verb in verbs], **there}
    source = options.get("source")
    other = source.get("registry_id") if isinstance(source, Mapping) else None
    if isinstance(other, str) and other:
        reads = [f"{names.REGISTRIES}/{verb}" for verb in ("read", "pull/read")]
        yield {"scope": other, "actions": reads, **there}


def of_cluster(options: Options) -> Iterator[Row]:
    name, group = options.get("name"), options.get("resource_group")
    if not isinstance(name, str) or not isinstance(group, str):
        return
    scope, place = names.group_path(group), names.cluster_path(group, name)
    clusters, pools = names.MANAGED_CLUSTERS, names.AGENT_POOLS
    yield {"scope": scope, "actions": [f"{clusters}/read"]}
    if options.get("state") == "absent":
        yield {"scope": place, "actions": [f"{clusters}/delete"], "unless_present": place, "removes": True}
        return
    # which sizes there are, and whether they fit
    sizes = ["Microsoft.Compute/skus/read", "Microsoft.Compute/locations/usages/read"]
    yield {"scope": "", "actions": sizes, "unless_present": place}
    actions = [f"{clusters}/write", *(f"{pools}/{verb}" for verb in ("read", "write"))]
    actions += [f"{pools}/delete"] if options.get("purge_node_pools") is True else []
    yield {"scope": scope, "actions": actions, "unless_present": place}
    declared = [options.get(key) for key in ("identity", "node_pools", "properties")]
    for used in dict.fromkeys(text.rstrip("/") for text in texts_in(declared)):
        parsed = names.parse_id(used)
        if parsed is not None and (action := _TO_USE.get(parsed.type.lower())):
            yield {"scope": used, "actions": [action], "unless_present": place}


def of_kubeconfig(options: Options) -> Iterator[Row]:
    name, group = options.get("name"), options.get("resource_group")
    if not isinstance(name, str) or not isinstance(group, str) or options.get("state") == "absent":
        return
    who = "Admin" if options.get("credential") == "admin" else "User"
    action = f"{names.MANAGED_CLUSTERS}/listCluster{who}Credential/action"
    yield {"scope": names.cluster_path(group, name), "actions": [action]}


def of_providers(options: Options) -> Iterator[Row]:
    """Namespaces that have to be registered, for the option providers."""
    namespaces = options.get("namespaces")
    if isinstance(namespaces, list):
        yield {"providers": [str(name) for name in namespaces]}


def _whole(text: str) -> str:
    return f"{_NONE}s{text}" if text.lower().startswith("/resourcegroups/") else text


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a declaration, keys of mappings as well: identities are such."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from texts_in(str(key))
            yield from texts_in(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from texts_in(one)


AZURE_NEEDS = {
    "azure_resource": of_resource,
    "azure_role_assignment": of_role_assignment,
    "acr_image": of_image,
    "aks_cluster": of_cluster,
    "aks_kubeconfig": of_kubeconfig,
    "azure_provider": of_providers,
}
