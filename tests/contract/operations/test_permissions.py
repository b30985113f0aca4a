# SPDX-License-Identifier: GPL-3.0-or-later
"""What an identity needs in Azure: the roles of docs/azure-permissions.md, and not one action less."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.azure_roles import PAGE, ROLES, is_of_group
from support.local_azure import Azure

from ansible_collections.mcpops.platform.plugins.module_utils import domains
from ansible_collections.mcpops.platform.plugins.module_utils.arm.assignable_roles import Grant
from ansible_collections.mcpops.platform.plugins.module_utils.arm.declared_rights import settled
from ansible_collections.mcpops.platform.plugins.modules import (
    acr_image,
    aks_cluster,
    aks_kubeconfig,
    aks_sku_preflight,
    azure_preflight,
    azure_provider,
    azure_resource,
    azure_role_assignment,
)
from localcloud.azure import built_in_roles
from localcloud.azure.principals import Principals

NAMED = {"name": "c1", "resource_group": "rg"}
OWNER = {"host": "h1"}
REGISTRIES, IDENTITIES = "Microsoft.ContainerRegistry/registries", "Microsoft.ManagedIdentity/userAssignedIdentities"
WORKSPACES, FEDERATED = "Microsoft.OperationalInsights/workspaces", f"{IDENTITIES}/federatedIdentityCredentials"
GROUPS = "Microsoft.Resources/resourceGroups"
CLUSTER = "/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c1"
REGISTRY = f"/resourceGroups/rg/providers/{REGISTRIES}/acragents"
IDENTITY = f"/resourceGroups/rg/providers/{IDENTITIES}/id-ci"
PROVIDERS = sorted(
    action.removesuffix("/register/action")
    for action in ROLES["MCP platform provision"]["Actions"]
    if action.endswith("/register/action")
)
# for messages alone: which versions there are, and whether a feature is registered
ADVICE = {
    ("MCP platform sizes", "Microsoft.ContainerService/locations/kubernetesVersions/read"),
    ("MCP platform sizes", "Microsoft.Features/providers/features/read"),
}
OF_IMAGES = ("MCP platform operate", "Microsoft.ContainerRegistry/registries/pull/read")
"""Registries answer here and hold nothing: tests/integration/site/test_stage_roles.py compares images."""
NOT_CHECKED = "Microsoft.Authorization/permissions/read"
"""Without it the preflight says that it does not know, and the rest goes on."""

NOT_DECLARED = {
    # of the preflight itself: whether a provider is registered that this identity may not register
    "Microsoft.Resources/subscriptions/providers/read",
}
REMOVES = {action for name in ROLES for action in ROLES[name]["Actions"] if action.endswith("/delete")}
"""Needed once what is to go is there."""

Who = Mapping[str, Any]
Result = dict[str, Any]


def subscription(azure: Azure) -> str:
    return f"/subscriptions/{azure.config.subscription_id}"


def identity(azure: Azure, *granted: tuple[str, list[str]]) -> dict[str, str]:
    """One that may do these, each at its scope below the subscription: its options."""
    one = Principals.at(azure.config.state).add(f"deployer {uuid.uuid4()}", since=0)
    for below, actions in granted:
        guid = str(uuid.uuid4())
        definition = {
            "roleName": f"role {guid}",
            "permissions": [{"actions": actions, "notActions": []}],
            "assignableScopes": [subscription(azure)],
        }
        place = f"{subscription(azure)}/providers/Microsoft.Authorization/roleDefinitions/{guid}"
        assert azure.run(azure_resource, {"id": place, "properties": definition})["changed"]
        given = {"principal": one.object_id, "principal_type": "ServicePrincipal", "role": guid}
        assert azure.run(azure_role_assignment, {"scope": f"{subscription(azure)}{below}", **given})["changed"]
    return {"client_id": one.client_id, "secret": one.secret}


def asked(azure: Azure) -> list[str]:
    return [path.partition("?")[0] for _method, path in azure.requests() if path.startswith("/subscriptions/")]


Call = tuple[ModuleType, dict[str, Any]]


def needs(*calls: Call) -> dict[str, Any]:
    """What the preflight is asked for these tasks."""
    by_module = domains.azure_needs()
    rows = [row for module, options in calls for row in by_module[module.__name__.rpartition(".")[2]](options)]
    providers = [name for row in rows for name in row.get("providers") or ()]
    return {"permissions": settled(row for row in rows if "providers" not in row), "providers": providers}


def preflight(azure: Azure, who: Who, *calls: Call, check: bool = False) -> Result:
    return azure.run(azure_preflight, {**needs(*calls), **who}, check)


# --- what the roles of the site do in Azure, stage by stage, one result after the other


def resource(kind: str, name: str, **options: Any) -> dict[str, Any]:
    in_group = {} if kind == GROUPS else {"resource_group": "rg"}
    placed = {} if kind == FEDERATED else {"location": "eastus2", "owner": OWNER}
    return {"type": kind, "name": name, **in_group, **placed, **options}


SHARED: tuple[dict[str, Any], ...] = (
    resource(GROUPS, "rg"),
    resource(WORKSPACES, "logs", properties={"sku": {"name": "PerGB2018"}}),
    resource(REGISTRIES, "acragents", sku={"name": "Basic"}),
    resource(IDENTITIES, "id-ci"),
)


def token_of(issuer: str, name: str) -> dict[str, Any]:
    properties = {"issuer": issuer, "subject": "s", "audiences": ["api://AzureADTokenExchange"]}
    return resource(FEDERATED, f"id-ci/{name}", properties=properties)


POOLS = [
    {"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"},
    {"name": "work", "mode": "User", "count": 1, "vm_size": "Standard_D2s_v5"},
]
DECLARED = {**NAMED, "location": "eastus2", "owner": OWNER}
SIZE = {"location": "eastus2", "candidates": ["Standard_D2s_v5"], "node_count": 1}
OF_CI = {"scope": REGISTRY, "principal": IDENTITY, "role": "AcrPush"}
OF_NODES = {"scope": REGISTRY, "principal": CLUSTER, "role": "AcrPull"}


TOKENS = token_of("https://ci.example.com", "main"), token_of("https://ci.example.com/", "old")
TO_PROVISION: tuple[Call, ...] = (
    (azure_provider, {"namespaces": PROVIDERS}),
    *((azure_resource, declared) for declared in (*SHARED, *TOKENS)),
    (azure_role_assignment, OF_CI),
)
# of a platform that stands, what is to go
TO_WITHDRAW: tuple[Call, ...] = (
    (azure_role_assignment, {**OF_CI, "state": "absent"}),
    (azure_resource, {**TOKENS[1], "state": "absent"}),
)
TO_CLUSTER: tuple[Call, ...] = (
    # what every cluster needs, whoever registers it
    (azure_provider, {"namespaces": PROVIDERS}),
    (aks_cluster, {**DECLARED, "node_pools": POOLS, "purge_node_pools": True}),
    (aks_kubeconfig, NAMED),
    (azure_role_assignment, OF_NODES),
    (azure_resource, token_of("https://oidc.example.com/", "tools")),
)
TO_DETACH: tuple[Call, ...] = (
    (azure_role_assignment, {**OF_NODES, "state": "absent"}),
    (azure_resource, {**token_of("https://oidc.example.com/", "tools"), "state": "absent"}),
)


def provision(azure: Azure, who: Who, _tmp_path: Path) -> Iterator[Result]:
    yield preflight(azure, who, *TO_PROVISION)
    yield azure.run(azure_provider, {"namespaces": PROVIDERS, **who})
    for declared in (*SHARED, *TOKENS):
        yield azure.run(azure_resource, {**declared, **who})
    yield azure.run(azure_role_assignment, {**OF_CI, **who})
    yield preflight(azure, who, *TO_WITHDRAW)
    yield azure.run(azure_role_assignment, {**OF_CI, **who, "state": "absent"})
    yield azure.run(azure_role_assignment, {**OF_CI, **who})
    yield azure.run(azure_resource, {**token_of("https://ci.example.com/", "old"), **who, "state": "absent"})


def clusters(azure: Azure, who: Who, tmp_path: Path) -> Iterator[Result]:
    yield preflight(azure, who, *TO_CLUSTER)
    yield azure.run(aks_sku_preflight, {**SIZE, **who})
    yield azure.run(aks_cluster, {**DECLARED, "node_pools": POOLS, "kubernetes_version": "1.35", **who})
    yield azure.run(
        aks_cluster, {**DECLARED, "node_pools": [{**POOLS[0], "count": 2}], "purge_node_pools": True, **who}
    )
    yield azure.run(aks_kubeconfig, {**NAMED, "path": str(tmp_path / "kubeconfig"), **who})
    for state in ("present", "absent", "present"):
        yield preflight(azure, who, *(TO_DETACH if state == "absent" else ()), *TO_CLUSTER)
        yield azure.run(azure_role_assignment, {**OF_NODES, **who, "state": state})
        yield azure.run(azure_resource, {**token_of("https://oidc.example.com/", "tools"), **who, "state": state})


def operate(azure: Azure, who: Who, tmp_path: Path) -> Iterator[Result]:
    """A comparison: what stands is as declared, and nothing is written."""
    yield preflight(azure, who, *TO_PROVISION[:-3], TO_PROVISION[-3], TO_PROVISION[-1], *TO_CLUSTER, check=True)
    yield azure.run(azure_provider, {"namespaces": PROVIDERS, **who}, check=True)
    for declared in (*SHARED, token_of("https://ci.example.com", "main")):
        yield azure.run(azure_resource, {**declared, **who}, check=True)
    yield azure.run(azure_role_assignment, {**OF_CI, **who}, check=True)
    yield azure.run(aks_sku_preflight, {**SIZE, **who}, check=True)
    yield azure.run(aks_cluster, {**DECLARED, "node_pools": [{**POOLS[0], "count": 2}], **who}, check=True)
    yield azure.run(aks_kubeconfig, {**NAMED, "path": str(tmp_path / "kubeconfig"), **who}, check=True)
    yield azure.run(azure_role_assignment, {**OF_NODES, **who}, check=True)


def teardown(azure: Azure, who: Who, _tmp_path: Path) -> Iterator[Result]:
    yield azure.run(azure_role_assignment, {**OF_NODES, **who, "state": "absent"})
    yield azure.run(azure_resource, {**token_of("https://oidc.example.com/", "tools"), **who, "state": "absent"})
    yield azure.run(aks_cluster, {**DECLARED, **who, "state": "absent"})
    yield azure.run(azure_role_assignment, {**OF_CI, **who, "state": "absent"})
    for declared in reversed(SHARED):
        gone = {key: declared[key] for key in declared if key in ("type", "name", "resource_group", "owner")}
        yield azure.run(azure_resource, {**gone, **who, "state": "absent"})


ADDRESSES, ZONE, PRIVATE_ZONE = (
    f"Microsoft.Network/{kind}" for kind in ("publicIPAddresses", "dnsZones", "privateDnsZones")
)
RECORDS = (
    {"type": f"{ZONE}/A", "name": "example.com/*", "properties": {"TTL": 300}},
    {"type": f"{PRIVATE_ZONE}/A", "name": "example.com/*", "properties": {"ttl": 300}},
)
ADDRESS = {"type": ADDRESSES, "resource_group": "rg-ip", "name": "pip", "location": "eastus2", "owner": OWNER}
OF_CLUSTER = {
    "scope": "/resourceGroups/rg-ip",
    "principal": CLUSTER,
    "cluster_identity": "control_plane",
    "role": "4d97b98b-1d4f-4787-a291-c67834d212e7",
}
STATIC = {"sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}
GROUP_OF_ADDRESS = resource(GROUPS, "rg-ip")


def with_zones(azure: Azure, who: Who, tmp_path: Path) -> Iterator[Result]:
    """A cluster, and zones of others."""
    yield from provision(azure, who, tmp_path)
    yield from clusters(azure, who, tmp_path)
    for kind in (ZONE, PRIVATE_ZONE):
        zone = {"type": kind, "resource_group": "rg", "name": "example.com", "location": "global"}
        yield azure.run(azure_resource, {**zone, **who})


def addresses(azure: Azure, who: Who, _tmp_path: Path) -> Iterator[Result]:
    """What the role gateway does in Azure, from the address to its removal."""
    records = [{**record, "resource_group": "rg"} for record in RECORDS]
    declared = [GROUP_OF_ADDRESS, {**ADDRESS, **STATIC}, *records]
    for _run in range(2):
        for one in declared:
            yield azure.run(azure_resource, {**one, **who})
        yield azure.run(azure_role_assignment, {**OF_CLUSTER, **who})
    for record in records:
        gone = {key: record[key] for key in ("type", "name", "resource_group")}
        yield azure.run(azure_resource, {**gone, **who, "state": "absent"})
    yield azure.run(azure_role_assignment, {**OF_CLUSTER, **who, "state": "absent"})
    for one in (ADDRESS, GROUP_OF_ADDRESS):
        gone = {key: one[key] for key in ("type", "name", "resource_group", "owner") if key in one}
        yield azure.run(azure_resource, {**gone, **who, "state": "absent"})


NEEDED = {
    (row["scope"], action) for row in needs(*TO_PROVISION, *TO_CLUSTER)["permissions"] for action in row["actions"]
}


Life = Callable[[Azure, Who, Path], Iterator[Result]]


@dataclass(frozen=True)
class Stage:
    """The roles of whoever runs it, what that is, and what was there before."""

    roles: tuple[str, ...]
    life: Life
    after: tuple[Life, ...] = ()


STAGES = {
    "provision": Stage(("MCP platform provision",), provision),
    "clusters": Stage(("MCP platform sizes", "MCP platform clusters"), clusters, (provision,)),
    "operate": Stage(("MCP platform sizes", "MCP platform operate"), operate, (provision, clusters)),
    "teardown": Stage(("MCP platform teardown",), teardown, (provision, clusters)),
    "addresses": Stage(("MCP platform addresses",), addresses, (with_zones,)),
}
"""Images have a registry of their own: tests/integration/acr_image/test_images_role.py."""


def begin(azure: Azure, stage: Stage, tmp_path: Path) -> None:
    for namespace in PROVIDERS if not stage.after else ():
        azure.faults.add("unregistered", namespace=namespace)
    for life in stage.after:
        for result in life(azure, {}, tmp_path):
            assert not result.get("failed"), result["msg"]
    # a run of its own, which knows nothing of the earlier ones
    azure.run_directory = tmp_path / "run of the stage"


def with_roles(azure: Azure, stage: Stage, without: str = "", of: str = "") -> dict[str, str]:
    granted = []
    for name in stage.roles:
        actions = [one for one in ROLES[name]["Actions"] if (name, one) != (of, without)]
        granted.append(("/resourceGroups/rg" if is_of_group(ROLES[name]) else "", actions))
    return identity(azure, *granted)


def test_the_page_has_a_role_for_each_stage() -> None:
    assert set(ROLES) == {name for stage in STAGES.values() for name in stage.roles} | {"MCP platform images"}


@pytest.mark.parametrize("name", STAGES)
def test_exactly_the_roles_of_the_page_are_enough(azure: Azure, tmp_path: Path, name: str) -> None:
    stage = STAGES[name]
    begin(azure, stage, tmp_path)
    who, writes = with_roles(azure, stage), len(list(azure.log.writes()))
    for result in stage.life(azure, who, tmp_path):
        assert not result.get("failed"), result["msg"]
        assert name != "operate" or not result["changed"], result["msg"]
    assert (len(list(azure.log.writes())) == writes) == (name == "operate")


def one_short(*names: str) -> Iterator[tuple[str, str, str]]:
    for name in names:
        for role in STAGES[name].roles:
            for action in ROLES[role]["Actions"]:
                if (role, action) not in {*ADVICE, OF_IMAGES}:
                    yield name, role, action


def sampled(cases: Iterable[tuple[str, str, str]]) -> Iterator[Any]:
    """The first action of each role for the gate, and all in `make test-long`: each takes a stage of its own."""
    seen: set[str] = set()
    for name, role, action in cases:
        yield pytest.param(name, role, action, marks=[pytest.mark.slow] if role in seen else [])
        seen.add(role)


@pytest.mark.parametrize(
    ("name", "role", "action"), list(sampled(one_short("provision", "clusters", "teardown", "addresses")))
)
def test_with_one_action_less_the_message_names_it(
    azure: Azure, tmp_path: Path, name: str, role: str, action: str
) -> None:
    begin(azure, STAGES[name], tmp_path)
    fails_without(azure, tmp_path, name, role, action)


def test_a_comparison_with_one_action_less_names_it(azure: Azure, tmp_path: Path) -> None:
    begin(azure, STAGES["operate"], tmp_path)
    for name, role, action in one_short("operate"):
        azure.run_directory = tmp_path / f"run without {action.replace('/', ' ')}"
        fails_without(azure, tmp_path, name, role, action)


def fails_without(azure: Azure, tmp_path: Path, name: str, role: str, action: str) -> None:
    stage = STAGES[name]
    who = with_roles(azure, stage, action, role)
    results = []
    for result in stage.life(azure, who, tmp_path):
        results.append(result)
        if result.get("failed"):
            break
    failed = results[-1]
    if action == NOT_CHECKED:
        assert not failed.get("failed") and "it was not checked" in str(results[0]["notes"]), failed
        return
    assert failed.get("failed"), f"{action} is not needed"
    assert action.lower() in failed["msg"].lower(), failed["msg"]
    # what is declared takes is told before the task that takes it, in the terms of all that is lacking
    if name in ("provision", "clusters") and action not in NOT_DECLARED:
        assert failed["error"]["kind"] == "not_ready", failed["msg"]
        assert action in REMOVES or len(results) == 1, failed["msg"]


# --- built-in roles, for who may not read which there are


BUILT_IN = dict(re.findall(r"^\| \*([^*]+)\* \| (.*) \|$", PAGE, re.MULTILINE))


def test_the_built_in_roles_of_the_page_have_what_it_says() -> None:
    assert len(BUILT_IN) > 8
    for name, text in BUILT_IN.items():
        (role,) = [one for one in built_in_roles.ALL if one.name == name]
        grant = Grant(role.actions, role.not_actions)
        for action in re.findall(r"`([^`]+)`", text):
            assert grant.allows(action), f"{name} has no {action}"


# --- the preflight


def test_all_that_is_missing_in_one_message_with_the_narrowest_role(azure: Azure) -> None:
    reads = ["Microsoft.Authorization/*/read", "Microsoft.Resources/subscriptions/providers/read"]
    who = identity(azure, ("", reads))
    for namespace in PROVIDERS:
        azure.faults.add("unregistered", namespace=namespace)
    writes = len(list(azure.log.writes()))
    failed = preflight(azure, who, *TO_PROVISION, *TO_CLUSTER)
    assert failed == preflight(azure, who, *TO_PROVISION, *TO_CLUSTER, check=True)
    assert {reason["subject"] for reason in failed["error"]["reasons"]} == {
        subscription(azure),
        f"{subscription(azure)}/resourceGroups/rg",
        *PROVIDERS,
    }
    for _scope, action in NEEDED:
        assert action in failed["msg"] or Grant(reads).allows(action), action
    assert "the narrowest first: Reader" in failed["msg"] and "az role assignment create" in failed["msg"]
    assert {row["scope"] for row in failed["missing"]} == {
        subscription(azure),
        f"{subscription(azure)}/resourceGroups/rg",
    }
    assert len(list(azure.log.writes())) == writes


def test_who_may_only_read_passes_where_everything_stands(azure: Azure, tmp_path: Path) -> None:
    begin(azure, STAGES["operate"], tmp_path)
    user = "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"
    reads = identity(azure, ("", ["*/read", user]))
    before = len(asked(azure))
    found = preflight(azure, reads, *TO_PROVISION[:-2], TO_PROVISION[-1], *TO_CLUSTER)
    assert not found.get("failed") and not found["missing"], found["msg"]
    notes = " ".join(found["notes"])
    for action in ("managedClusters/write", "registries/write", "roleAssignments/write"):
        assert f"/{action}" in notes, notes
    requests = asked(azure)[before:]
    # each scope, and each thing that is to be there, once
    assert len([one for one in requests if one.endswith("/permissions")]) == len(
        {one for one in requests if one.endswith("/permissions")}
    )


def test_what_is_allowed_costs_one_request(azure: Azure) -> None:
    """Most identities have their roles in the subscription, and that is asked first."""
    found = preflight(azure, {}, *TO_PROVISION, *TO_CLUSTER)
    assert not found["changed"] and "may do what is declared" in found["msg"]
    assert [path.rpartition("/providers/")[0] for path in asked(azure)] == [subscription(azure)]


def test_a_role_in_the_group_alone_costs_one_request_more(azure: Azure, tmp_path: Path) -> None:
    begin(azure, STAGES["operate"], tmp_path)
    group = "/resourceGroups/rg"
    who = identity(azure, (group, ["*"]))
    before = len(asked(azure))
    in_group = [call for call in (*TO_PROVISION, *TO_CLUSTER) if call[0] is not azure_provider]
    found = preflight(azure, who, *in_group)
    # sizes and names that are free are asked for in the subscription, and only while something is to be made
    assert not found.get("failed"), found["msg"]
    scopes = [path.rpartition("/providers/")[0] for path in asked(azure)[before:] if path.endswith("/permissions")]
    assert scopes[:2] == [subscription(azure), f"{subscription(azure)}{group}"]


SUBNET = "/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v/subnets/s"


@pytest.mark.parametrize(
    ("call", "scope", "action"),
    [
        (
            (aks_cluster, {**DECLARED, "node_pools": [{**POOLS[0], "properties": {"vnetSubnetID": SUBNET}}]}),
            "/resourceGroups/net",
            "Microsoft.Network/virtualNetworks/subnets/join/action",
        ),
        (
            (aks_cluster, {**DECLARED, "identity": {"type": "UserAssigned", "user_assigned_identities": [IDENTITY]}}),
            "/resourceGroups/rg",
            "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
        ),
        (
            (acr_image, {"registry": "a", "resource_group": "rg", "repository": "r", "tags": ["1"], "source": {}}),
            "/resourceGroups/rg",
            "Microsoft.ContainerRegistry/registries/importImage/action",
        ),
        (
            (
                acr_image,
                {"registry": "a", "resource_group": "rg", "repository": "r", "tags": ["1"], "build": {"context": "."}},
            ),
            "/resourceGroups/rg",
            "Microsoft.ContainerRegistry/registries/scheduleRun/action",
        ),
    ],
    ids=["subnet", "identity", "import", "build"],
)
def test_what_a_declaration_uses_of_others_is_asked_for(azure: Azure, call: Call, scope: str, action: str) -> None:
    (row,) = [row for row in needs(call)["permissions"] if action in row["actions"]]
    others = [*row["actions"], *(one for other in needs(call)["permissions"] for one in other["actions"])]
    who = identity(azure, ("", [*(one for one in others if one != action), NOT_CHECKED]))
    failed = preflight(azure, who, call)
    assert [(one["scope"], one["actions"]) for one in failed["missing"]] == [
        (f"{subscription(azure)}{scope}", [action])
    ]
    assert action in failed["msg"] and failed["error"]["kind"] == "not_ready"
    assert not preflight(azure, identity(azure, ("", [*others, NOT_CHECKED])), call).get("failed")


@pytest.mark.parametrize("place", ["/", " /providers/Microsoft.Management/managementGroups/contoso/ "])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_roles_above_subscriptions_are_no_mistake(azure: Azure, place: str, state: str) -> None:
    """Who has rights below alone may not read what it may do there, and is told so."""
    given = {"principal": str(uuid.uuid4()), "role": "7f951dda-4ed3-4680-a7ca-43fe172d538d", "state": state}
    told = preflight(azure, identity(azure, ("", ["*"])), (azure_role_assignment, {"scope": place, **given}))
    scope = place.strip().rstrip("/") or "/"
    assert not told.get("failed"), told["msg"]
    assert told["notes"] == [f"{scope}: this identity may not read what it may do there; it was not checked."]


# --- a cluster that stands: the rights of what changes, and no others

STANDING = {**DECLARED, "node_pools": [POOLS[0]], "oidc_issuer": True, "workload_identity": True}
READS = ["*/read", "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"]
MANAGED = "Microsoft.ContainerService/managedClusters"
NEW_POOL = {"name": "work", "mode": "User", "count": 1, "vm_size": "Standard_D2s_v5"}
IN_SUBNET = {**NEW_POOL, "properties": {"vnetSubnetID": SUBNET}}
CHOOSES = {"name": "work", "mode": "User", "count": 1, "vm_size_candidates": ["Standard_D2s_v5"]}
JOIN = "Microsoft.Network/virtualNetworks/subnets/join/action"
ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
SIZES_READ = {"Microsoft.Compute/skus/read", "Microsoft.Compute/locations/usages/read"}
BOTH = [POOLS[0], {**POOLS[1], "name": "old"}]


@pytest.fixture
def standing(azure: Azure, tmp_path: Path) -> Azure:
    for declared in (SHARED[0], SHARED[3]):
        assert azure.run(azure_resource, declared)["changed"]
    assert azure.run(aks_cluster, {**STANDING, "node_pools": BOTH})["changed"]
    azure.run_directory = tmp_path / "run of the preflight"
    return azure


def look_at(azure: Azure, who: Who, declared: dict[str, Any], check: bool = False) -> Result:
    entry = {"host": "h1", "cluster": declared, "permissions": needs((aks_cluster, declared))["permissions"]}
    return azure.run(azure_preflight, {"clusters": [entry], **who}, check)


CHANGES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "nothing": ({}, set()),
    "a new pool": ({"node_pools": [*BOTH, NEW_POOL]}, {f"{MANAGED}/agentPools/write"}),
    "a new pool in a subnet": ({"node_pools": [*BOTH, IN_SUBNET]}, {f"{MANAGED}/agentPools/write", JOIN}),
    "more nodes": ({"node_pools": [{**BOTH[0], "count": 2}, BOTH[1]]}, {f"{MANAGED}/agentPools/write"}),
    "a pool that goes": ({"node_pools": [BOTH[0]], "purge_node_pools": True}, {f"{MANAGED}/agentPools/delete"}),
    "a pool that may go and does not": ({"purge_node_pools": True}, set()),
    "a tag": ({"tags": {"team": "a"}}, {f"{MANAGED}/write"}),
    "an identity": (
        {"identity": {"type": "UserAssigned", "user_assigned_identities": [IDENTITY]}},
        {f"{MANAGED}/write", ASSIGN},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_of_a_cluster_that_stands_the_rights_of_its_changes_are_asked_for(standing: Azure, change: str) -> None:
    changes, wanted = CHANGES[change]
    # what is sent to the service has whole ids
    changes = json.loads(json.dumps(changes).replace(IDENTITY, f"{subscription(standing)}{IDENTITY}"))
    declared = {**STANDING, "node_pools": BOTH, **changes}
    reader = identity(standing, ("", READS))
    told = look_at(standing, reader, declared)
    assert {action for row in told["missing"] for action in row["actions"]} == wanted, told["msg"]
    assert bool(told.get("failed")) == bool(wanted)
    # a comparison takes none of them, and says what could not be done
    compared = look_at(standing, reader, declared, check=True)
    assert not compared.get("failed") and compared["missing"] == [], compared["msg"]
    assert all(action in str(compared["notes"]) for action in wanted)
    # and they are what it takes
    able = identity(standing, ("", [*READS, *wanted]))
    assert not look_at(standing, able, declared).get("failed")
    assert standing.run(aks_cluster, {**declared, **able})["changed"] == bool(wanted)


@pytest.mark.parametrize(("pool", "wanted"), [(NEW_POOL, set()), (CHOOSES, SIZES_READ)], ids=["named", "chosen"])
def test_sizes_are_read_for_a_new_pool_that_chooses_one(standing: Azure, pool: Any, wanted: set[str]) -> None:
    who = identity(standing, ("", [f"{MANAGED}/read", f"{MANAGED}/agentPools/*", f"{MANAGED}/write", NOT_CHECKED]))
    told = look_at(standing, who, {**STANDING, "node_pools": [*BOTH, pool]})
    assert {action for row in told["missing"] for action in row["actions"]} == wanted, told["msg"]


def test_a_role_at_the_cluster_alone_reaches_no_subnet(standing: Azure) -> None:
    who = identity(standing, ("", READS), (CLUSTER, [f"{MANAGED}/*", JOIN]))
    told = look_at(standing, who, {**STANDING, "node_pools": [*BOTH, IN_SUBNET]})
    assert [row["actions"] for row in told["missing"]] == [[JOIN]], told["msg"]
