# SPDX-License-Identifier: GPL-3.0-or-later
"""What an identity lacks: patterns of actions, scopes and their parents, and the roles that would do."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Mapping
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from ansible_collections.mcpops.platform.plugins.module_utils.arm.assignable_roles import Grant, Needed, Role, suitable
from ansible_collections.mcpops.platform.plugins.module_utils.arm.azure_preflight import problems
from ansible_collections.mcpops.platform.plugins.module_utils.arm.azure_rights import (
    assignee_of,
    parent_of,
    reason_of,
    scope_of,
    wanted,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.options import Cloud, resolve_identity
from ansible_collections.mcpops.platform.plugins.module_utils.arm.sdk import CachedCredential
from ansible_collections.mcpops.platform.plugins.module_utils.option_problems import spec_problems
from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import RunCache
from ansible_collections.mcpops.platform.plugins.modules import azure_preflight

GUID = "1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22"
GROUP = "/subscriptions/s/resourceGroups/rg"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c"
# of the built-in roles (learn.microsoft.com/azure/role-based-access-control/built-in-roles)
OWNER = Role("Owner", (Grant(("*",)),))
CONTRIBUTOR = Role(
    "Contributor",
    (Grant(("*",), ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write")),),
)
READER = Role("Reader", (Grant(("*/read",)),))
AKS = Role(
    "Azure Kubernetes Service Contributor Role",
    (
        Grant(
            (
                "Microsoft.ContainerService/locations/*/read",
                "Microsoft.ContainerService/managedClusters/read",
                "Microsoft.ContainerService/managedClusters/write",
                "Microsoft.Resources/deployments/*",
            )
        ),
    ),
)
OPERATOR = Role(
    "Managed Identity Operator", (Grant(("Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",)),)
)
SECRETS = Role("Key Vault Secrets User", (Grant(data_actions=("Microsoft.KeyVault/vaults/secrets/getSecret/action",)),))


def params(*rows: Mapping[str, Any], providers: list[str] | None = None) -> dict[str, Any]:
    empty = {"scope": "", "actions": None, "data_actions": None, "unless_present": None}
    further = {"clusters": None, "share": "alone", "examine": "changed", "retirement_days": 90}
    return {"permissions": [{**empty, **row} for row in rows], "providers": providers, **further}


def entry(**changes: Any) -> dict[str, Any]:
    """A host's declaration in the option clusters."""
    return {"host": "h", "cluster": {"name": "c", "resource_group": "rg"}, "has_cluster": True, **changes}


def with_clusters(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**params(), "clusters": [*entries], **changes}


@pytest.mark.parametrize(
    ("role", "action", "is_allowed"),
    [
        (CONTRIBUTOR, "Microsoft.ContainerService/managedClusters/write", True),
        (CONTRIBUTOR, "microsoft.authorization/roleAssignments/WRITE", False),
        (CONTRIBUTOR, "Microsoft.Authorization/roleAssignments/read", True),
        (READER, "Microsoft.Compute/skus/read", True),
        (READER, "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action", False),
        (AKS, "Microsoft.ContainerService/locations/operations/read", True),
        (AKS, "Microsoft.ContainerService/managedClusters/writes", False),
        (OPERATOR, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", True),
        (OPERATOR, "Microsoft.ManagedIdentity/userAssignedIdentities/x/y/assign/action", True),
        (OPERATOR, "Microsoft.ManagedIdentity/userAssignedIdentities/xassign/action", False),
        (OPERATOR, "Microsoft.ManagedIdentity/userAssignedIdentitiesassign/action", False),
    ],
)
def test_patterns_are_read_as_azure_does(role: Role, action: str, is_allowed: bool) -> None:
    assert role.covers(Needed("/", (action,))) is is_allowed


def test_what_one_assignment_excludes_another_gives() -> None:
    """NotActions deny nothing: they are taken from the same role's actions."""
    administrator = Grant(("Microsoft.Authorization/roleAssignments/*",))
    needed = Needed(GROUP, ("Microsoft.Authorization/roleAssignments/write",))
    assert needed.missing(CONTRIBUTOR.grants) == needed
    assert not needed.missing([*CONTRIBUTOR.grants, administrator])


def test_actions_on_data_are_others() -> None:
    needed = Needed(GROUP, data_actions=("Microsoft.KeyVault/vaults/secrets/getSecret/action",))
    assert needed.missing(OWNER.grants) == needed and not needed.missing(SECRETS.grants)
    assert str(needed).endswith("/action (data action)")


@pytest.mark.parametrize("seed", range(30))
def test_a_pattern_allows_what_it_was_made_from(seed: int) -> None:
    """Any parts of an action may be a star; and what is in a plain pattern stands for itself alone."""
    chance = random.Random(seed)
    parts = ["Microsoft.Compute", *("".join(chance.choices("abcXYZ.", k=4)) for _ in range(3)), "write"]
    action = "/".join(parts)
    starred = "/".join("*" if chance.random() < 0.4 else part for part in parts)
    assert Grant((starred.upper(),)).allows(action)
    assert Grant((action.replace(".", "x"),)).allows(action) is ("." not in action)
    assert not Grant((action,)).allows(f"{action}/more") and not Grant((action,)).allows(f"a{action}")


def test_the_narrowest_role_is_named_first() -> None:
    needed = Needed(GROUP, ("Microsoft.ContainerService/managedClusters/write",))
    assert suitable(needed, [OWNER, CONTRIBUTOR, READER, AKS]) == [AKS.name, "Contributor", "Owner"]
    assert suitable(Needed(GROUP, ("Microsoft.Nowhere/things/write",)), [READER, AKS]) == []


@pytest.mark.parametrize(
    ("scope", "parent"),
    [
        (f"{CLUSTER}/agentPools/p", CLUSTER),
        (CLUSTER, GROUP),
        (GROUP, "/subscriptions/s"),
        ("/subscriptions/s", ""),
        ("/providers/Microsoft.Management/managementGroups/m", ""),
    ],
)
def test_what_is_not_there_has_the_rights_of_its_parent(scope: str, parent: str) -> None:
    assert parent_of(scope) == parent


@pytest.mark.parametrize(
    "text", ["", "/resourceGroups/rg", GROUP, "/providers/Microsoft.Management/managementGroups/m"]
)
def test_a_scope_may_begin_below_the_subscription(text: str) -> None:
    found = scope_of(text, "s")
    assert found.endswith(text) and found.startswith(("/subscriptions/s", "/providers/"))
    assert found.count("/subscriptions/") == (not text.startswith("/providers/"))


def test_a_scope_is_asked_once_for_what_is_made_there() -> None:
    read, write = "A.B/c/read", "A.B/c/write"
    rows = (
        {"scope": "/resourceGroups/rg", "actions": [read]},
        {"scope": f"{GROUP.upper()}/", "actions": [write, read]},
        {"scope": "/resourceGroups/rg", "actions": [write], "unless_present": CLUSTER},
    )
    first, second = wanted(params(*rows)["permissions"], "s")
    assert (first.scope, [*first.actions], first.unless_present) == (GROUP, [read, write], "")
    assert (second.scope, [*second.actions], second.unless_present) == (GROUP, [write], CLUSTER)


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        (params(), "permissions", "name these, or providers, or clusters"),
        (params({"actions": []}), "permissions[0]", "name actions or data_actions"),
        (params({"actions": ["A.B/c/*"]}), "permissions[0].actions", "is no action"),
        (params({"data_actions": ["write"]}), "permissions[0].data_actions", "is no action"),
        (params({"scope": "rg-dev", "actions": ["A.B/c/read"]}), "permissions[0].scope", "is no id of a scope"),
        (
            params({"unless_present": "/resourceGroups/rg/providers/A.B/cs/d", "actions": ["A.B/c/read"]}),
            "permissions[0].unless_present",
            "a type that this collection knows",
        ),
        (params(providers=["Compute"]), "providers", "is not a valid provider namespace"),
        (with_clusters(entry(host=" ")), "clusters[0].host", "is empty"),
        (with_clusters(entry(cluster={"name": "-", "resource_group": "rg"})), "clusters[0].cluster.name", "is not a"),
        (with_clusters(entry(cluster={"name": "c"})), "clusters[0].cluster.resource_group", "is not a valid name"),
        (
            with_clusters(entry(permissions=params({"actions": ["x"]})["permissions"])),
            "clusters[0].permissions[0].actions",
            "is no action",
        ),
        (with_clusters(entry(providers=["Compute"])), "clusters[0].providers", "is not a valid provider namespace"),
        (with_clusters(entry(features=["Encryption"])), "clusters[0].features", "is not a valid feature"),
        (with_clusters(entry(endpoints=["two words"])), "clusters[0].endpoints", "is not a URL"),
        (with_clusters(entry(charts=[" "])), "clusters[0].charts", "has an empty text"),
        ({**params(providers=["A.B"]), "share": "look"}, "share", "look needs clusters"),
        (with_clusters(entry(), retirement_days=-1), "retirement_days", "must be at least 0, is -1"),
    ],
)
def test_refused_values(given: dict[str, Any], path: str, words: str) -> None:
    (found,) = problems(given)
    assert found.path == path and words in found.message


@pytest.mark.parametrize(("option", "value"), [("examine", "some"), ("share", "ask")])
def test_other_choices_are_refused(option: str, value: str) -> None:
    (found,) = spec_problems(azure_preflight.ARGUMENT_SPEC, {"providers": ["A.B"], option: value})
    assert f"value of {option} must be one of" in found.message


def test_a_host_is_listed_once() -> None:
    assert [one.path for one in problems(with_clusters(entry(), entry()))] == ["clusters[0].host", "clusters[1].host"]


def test_all_refused_values_at_once() -> None:
    rows = ({"scope": "x", "actions": ["y"]}, {"actions": None})
    assert len(problems(params(*rows, providers=["z"]))) == 4
    assert not re.search("None", json.dumps([one.message for one in problems(params(*rows))]))


@pytest.mark.parametrize(
    ("claims", "options"),
    [
        (
            {"oid": GUID, "idtyp": "app"},
            f"--assignee-object-id {GUID} --assignee-principal-type ServicePrincipal",
        ),
        # idtyp is optional, and a user's token says what its application may do
        ({"oid": GUID, "roles": ["x"]}, f"--assignee-object-id {GUID} --assignee-principal-type ServicePrincipal"),
        ({"oid": GUID, "scp": "user_impersonation"}, f"--assignee-object-id {GUID} --assignee-principal-type User"),
        (
            {"oid": GUID, "scp": "user_impersonation", "idtyp": "user"},
            f"--assignee-object-id {GUID} --assignee-principal-type User",
        ),
        ({}, '--assignee "$(az ad signed-in-user show --query id --output tsv)"'),
    ],
)
def test_the_command_that_assigns_a_role_can_be_pasted(claims: dict[str, Any], options: str) -> None:
    lacking = Needed(GROUP, ("A.B/c/write",))
    told = reason_of(lacking, ["Contributor", "Owner"], True, assignee_of(claims))
    assert f'`az role assignment create {options} --role "Contributor" --scope {GROUP}`' in told.hint
    assert not re.search("<[^>]*>", told.hint)
    # where no role has all of it, nothing that only looks like a command
    assert not re.search("<[^>]*>", reason_of(lacking, [], True, assignee_of(claims)).hint)


class Credential:
    """Gives this token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> Any:
        return AccessToken(self._token, 9999999999)


def jwt(payload: bytes) -> str:
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b"{}", payload, b"x"))


@pytest.mark.parametrize("length", range(4))
def test_what_a_token_says_of_who_has_it(length: int) -> None:
    """Whatever the padding that is left out."""
    said = {"oid": GUID, "x": "y" * length}
    assert of_token(jwt(json.dumps(said).encode())) == said


@pytest.mark.parametrize("token", ["opaque", "a.b.c", jwt(b"[1]"), jwt(b"\xff"), "..", ""])
def test_a_token_that_says_nothing(token: str) -> None:
    assert of_token(token) == {}


def of_token(token: str) -> dict[str, Any]:
    login = {"subscription_id": GUID, "client_id": GUID, "secret": "s", "tenant": GUID}
    identity, cloud = resolve_identity(login), Cloud("c", "", "", False)
    credential = CachedCredential(identity, cloud, RunCache(None), lambda _text: None, lambda: Credential(token))
    # what is known is kept by its scope
    return credential.claims(f"scope {token}")
