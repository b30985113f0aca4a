# SPDX-License-Identifier: GPL-3.0-or-later
"""Role assignments as Azure RBAC evaluates them: scopes, wildcards, exceptions, actions and data actions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.azure import built_in_roles, rbac
from localcloud.azure.store import Resource, Store

PRINCIPAL, OTHER = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"
SUB = "/subscriptions/1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22"
GROUP = f"{SUB}/resourceGroups/rg"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/acr1"
NAMES = {role.name: role.guid for role in built_in_roles.ALL}
PULL = "Microsoft.ContainerRegistry/registries/pull/read"
PUSH = "Microsoft.ContainerRegistry/registries/push/write"
LIST = "Microsoft.Authorization/roleAssignments/read"
CONTENT = "Microsoft.ContainerRegistry/registries/repositories/content/read"
ASSIGN = "Microsoft.Authorization/roleAssignments/write"
MINE = str(uuid.uuid4())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "azure.sqlite3")
    yield opened
    opened.close()


def give(store: Store, role: str, scope: str, principal: str = PRINCIPAL) -> None:
    name = str(uuid.uuid4())
    guid = NAMES.get(role, role)
    body = {
        "properties": {
            "principalId": principal,
            "scope": scope,
            "roleDefinitionId": f"{SUB}/providers/{rbac.DEFINITION}/{guid}",
        }
    }
    store.put(Resource(f"{scope}/providers/{rbac.ASSIGNMENT}/{name}", rbac.ASSIGNMENT, "", "", name, body))


def define(store: Store, **permissions: Any) -> None:
    body = {"properties": {"roleName": "mine", "permissions": [permissions]}}
    store.put(Resource(f"{SUB}/providers/{rbac.DEFINITION}/{MINE}", rbac.DEFINITION, "", "", MINE, body))


# what is asked for: (role, at, action, scope, data, whether it is allowed)
CASES: dict[str, tuple[str, str, str, str, bool, bool]] = {
    "at the scope": ("AcrPull", REGISTRY, PULL, REGISTRY, False, True),
    "in any case": ("AcrPull", REGISTRY.upper(), PULL.upper(), REGISTRY.lower(), False, True),
    "from above": ("AcrPull", GROUP, PULL, REGISTRY, False, True),
    "from the root": ("Reader", "/", PULL, REGISTRY, False, True),
    "not from below": ("AcrPull", REGISTRY, PULL, GROUP, False, False),
    "not beside": ("AcrPull", REGISTRY, PULL, f"{REGISTRY}2", False, False),
    "not another action": (
        "AcrPull",
        REGISTRY,
        "Microsoft.ContainerRegistry/registries/push/write",
        REGISTRY,
        False,
        False,
    ),
    "a wildcard before": ("Reader", SUB, "Microsoft.X/y/z/read", REGISTRY, False, True),
    "a wildcard is no more than itself": ("Reader", SUB, "Microsoft.X/y/readers/action", REGISTRY, False, False),
    "an owner assigns roles": ("Owner", SUB, ASSIGN, f"{REGISTRY}/providers/{rbac.ASSIGNMENT}/x", False, True),
    "a contributor does not": ("Contributor", SUB, ASSIGN, GROUP, False, False),
    "a contributor reads them": (
        "Contributor",
        SUB,
        "Microsoft.Authorization/roleAssignments/read",
        GROUP,
        False,
        True,
    ),
    "an administrator of access does": ("User Access Administrator", SUB, ASSIGN, GROUP, False, True),
    "and makes nothing else": ("User Access Administrator", SUB, "Microsoft.X/y/write", GROUP, False, False),
    "data": ("Container Registry Repository Reader", REGISTRY, CONTENT, REGISTRY, True, True),
    "data is no action": ("Container Registry Repository Reader", REGISTRY, CONTENT, REGISTRY, False, False),
    "an owner has no data": ("Owner", SUB, CONTENT, REGISTRY, True, False),
    "not data": (
        "Azure Kubernetes Service RBAC Admin",
        SUB,
        "Microsoft.ContainerService/managedClusters/resourcequotas/write",
        f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c1/namespaces/tools",
        True,
        False,
    ),
    "in a namespace": (
        "Azure Kubernetes Service RBAC Writer",
        f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c1/namespaces/tools",
        "Microsoft.ContainerService/managedClusters/apps/deployments/write",
        f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c1/namespaces/tools",
        True,
        True,
    ),
    "not in another namespace": (
        "Azure Kubernetes Service RBAC Writer",
        f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c1/namespaces/tools",
        "Microsoft.ContainerService/managedClusters/apps/deployments/write",
        f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c1/namespaces/tools2",
        True,
        False,
    ),
}


@pytest.mark.parametrize(("role", "at", "action", "scope", "data", "expected"), CASES.values(), ids=CASES)
def test_built_in_roles(store: Store, role: str, at: str, action: str, scope: str, data: bool, expected: bool) -> None:
    give(store, role, at)
    assert rbac.allowed(store, PRINCIPAL, action, scope, data) is expected
    assert rbac.allowed(store, PRINCIPAL.upper(), action, scope, data) is expected
    assert not rbac.allowed(store, OTHER, action, scope, data)


def test_roles_add_up_and_exceptions_are_a_roles_own(store: Store) -> None:
    define(store, actions=["Microsoft.X/*"], notActions=["Microsoft.X/*/delete"], dataActions=["*"])
    give(store, MINE, GROUP)
    assert rbac.allowed(store, PRINCIPAL, "Microsoft.X/y/write", GROUP)
    assert rbac.allowed(store, PRINCIPAL, "Microsoft.X/y/anything", REGISTRY, data=True)
    assert not rbac.allowed(store, PRINCIPAL, "Microsoft.X/y/delete", GROUP)
    give(store, "Contributor", SUB)
    assert rbac.allowed(store, PRINCIPAL, "Microsoft.X/y/delete", GROUP)


def test_a_role_that_is_gone_gives_nothing(store: Store) -> None:
    give(store, MINE, GROUP)
    assert not rbac.allowed(store, PRINCIPAL, "Microsoft.X/y/write", GROUP)


def test_characters_of_patterns_are_themselves(store: Store) -> None:
    define(store, actions=["Microsoft.X/[ab]/read"])
    give(store, MINE, GROUP)
    assert rbac.allowed(store, PRINCIPAL, "Microsoft.X/[ab]/read", GROUP)
    assert not rbac.allowed(store, PRINCIPAL, "MicrosoftzX/a/read", GROUP)


def test_who_has_a_role_somewhere_sees_the_subscription(store: Store) -> None:
    subscription = SUB.rpartition("/")[2]
    assert not rbac.sees_subscription(store, PRINCIPAL, subscription)
    give(store, "AcrPull", REGISTRY)
    assert rbac.sees_subscription(store, PRINCIPAL, subscription)
    assert not rbac.sees_subscription(store, PRINCIPAL, str(uuid.uuid4()))


def test_built_in_roles_are_each_one(store: Store) -> None:
    assert len(built_in_roles.BY_GUID) == len(built_in_roles.ALL) == len(NAMES)
    assert all(str(uuid.UUID(guid)) == guid for guid in built_in_roles.BY_GUID)
