# SPDX-License-Identifier: GPL-3.0-or-later
"""A role, and a platform with registry, identity and roles: checked, made, left alone, changed, repaired, gone."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.playbook import Run
from support.portal import Portal

TaskRunner = Callable[..., dict[str, Any]]
TasksRunner = Callable[..., Run]
GROUPS_VERSION, ROLES_VERSION, IDENTITIES_VERSION = "2025-04-01", "2022-04-01", "2024-11-30"
GROUPS = "Microsoft.Resources/resourceGroups"
GRANTS = "providers/Microsoft.Authorization/roleAssignments"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture
def portal(cloud: Any) -> Portal:
    return Portal(cloud.environment, cloud.secret)


@pytest.fixture
def group(portal: Portal) -> Iterator[str]:
    name = f"rg-it-{uuid.uuid4().hex[:8]}"
    yield name
    portal.request("DELETE", f"resourceGroups/{name}", version=GROUPS_VERSION)


def granted(portal: Portal, scope: str) -> list[dict[str, Any]]:
    """Roles at this scope, without those above and below."""
    found = portal.get(f"{scope}/{GRANTS}", ROLES_VERSION)["value"]
    return [one["properties"] for one in found if one["properties"]["scope"].lower().endswith(scope.lower())]


def test_a_role_from_nothing_to_nothing(run_task: TaskRunner, portal: Portal, group: str) -> None:
    place, principal = f"resourceGroups/{group}", str(uuid.uuid4())
    run_task("azure_resource", {"type": GROUPS, "name": group, "location": "eastus2", "owner": {"host": "test"}})
    declared = {
        "scope": f"/{place}",
        "principal": principal,
        "principal_type": "Group",
        "role": "Reader",
        "description": "as declared",
    }
    checked = run_task("azure_role_assignment", declared, check=True)
    assert checked["changed"] and granted(portal, place) == []
    made = run_task("azure_role_assignment", declared)
    assert made["diff"] == checked["diff"]
    assert not run_task("azure_role_assignment", declared)["changed"]

    # somebody makes it anew, by another name and with other words
    portal.request("DELETE", f"{place}/{GRANTS}/{made['assignment']['name']}", version=ROLES_VERSION).raise_for_status()
    role = f"/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    given = {"roleDefinitionId": role, "principalId": principal, "principalType": "Group", "description": "by hand"}
    portal.put(f"{place}/{GRANTS}/{uuid.uuid4()}", {"properties": given}, ROLES_VERSION)
    shown = run_task("azure_role_assignment", declared, check=True)
    assert shown["diff"][0]["before"] == 'properties.description: "by hand"\n'
    repaired = run_task("azure_role_assignment", declared)
    assert repaired["diff"] == shown["diff"] and repaired["id"] != made["id"]
    assert [one["description"] for one in granted(portal, place)] == ["as declared"]

    absent = {**declared, "state": "absent"}
    assert run_task("azure_role_assignment", absent, check=True)["changed"]
    assert run_task("azure_role_assignment", absent)["changed"]
    assert not run_task("azure_role_assignment", absent)["changed"]
    assert granted(portal, place) == []


ROLE = [{"ansible.builtin.include_role": {"name": "mcpops.platform.azure_platform"}}]
ISSUER = "https://token.actions.githubusercontent.com/Contoso/"


@pytest.fixture
def others(portal: Portal, group: str) -> Iterator[str]:
    """A group that somebody else has made."""
    name = f"{group}-other"
    portal.put(f"resourceGroups/{name}", {"location": "eastus2"}, GROUPS_VERSION)
    yield name
    portal.request("DELETE", f"resourceGroups/{name}", version=GROUPS_VERSION)


@pytest.fixture
def platform(cloud: Any, group: str) -> dict[str, Any]:
    """The variables of a host that declares one of each."""
    return {
        "mcpops_environment": "it",
        "mcpops_location": "eastus2",
        "mcpops_resource_group": group,
        "mcpops_subscription_id": cloud.subscription_id,
        "azure_platform_registries": [{"name": f"acr{uuid.uuid4().hex[:8]}", "sku": "standard"}],
        "azure_platform_identities": [{"name": "id-ci"}],
        "azure_platform_federated_credentials": [
            {
                "identity": "id-ci",
                "name": "main",
                "issuer": ISSUER,
                "subject": "repo:contoso/agents:environment:m",
            },
            {"identity": "id-ci", "name": "release", "issuer": ISSUER, "subject": "repo:contoso/agents:environment:r"},
        ],
        "azure_platform_role_assignments": [
            {"identity": "id-ci", "registry": "", "role": "AcrPush"},
            {"identity": "id-ci", "resource_group": group, "role": READER},
            # of somebody who is none of these identities
            {"principal": str(uuid.uuid4()), "principal_type": "Group", "resource_group": group, "role": READER},
        ],
        "azure_platform_log_workspaces": [{"name": "log-it", "retention_days": 60}],
    }


def test_a_platform_from_nothing_to_nothing(
    run_all: TasksRunner, portal: Portal, group: str, others: str, platform: dict[str, Any]
) -> None:
    reads_there = {"identity": "id-ci", "resource_group": others, "role": READER}
    platform["azure_platform_role_assignments"].append(reads_there)
    platform["azure_platform_role_assignments"][0]["registry"] = platform["azure_platform_registries"][0]["name"]
    place = f"resourceGroups/{group}"
    checked = run_all(ROLE, host=platform, check=True).ok()
    assert portal.request("GET", place, version=GROUPS_VERSION).status_code == 404
    made = run_all(ROLE, host=platform).ok()
    assert made.changed == checked.changed
    assert run_all(ROLE, host=platform).ok().changed == []

    kinds = {one["type"]: one for one in portal.get(f"{place}/resources", GROUPS_VERSION)["value"]}
    registry = kinds["Microsoft.ContainerRegistry/registries"]["name"]
    assert registry.startswith(platform["azure_platform_registries"][0]["name"]) and len(registry) == 17
    own = f"{place}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-ci"
    identity = portal.get(own, IDENTITIES_VERSION)
    scope = f"{place}/providers/Microsoft.ContainerRegistry/registries/{registry}"
    assert [one["principalId"] for one in granted(portal, scope)] == [identity["properties"]["principalId"]]
    credential = (
        f"{place}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-ci/federatedIdentityCredentials/main"
    )
    assert portal.get(credential, IDENTITIES_VERSION)["properties"]["issuer"] == ISSUER

    # drift of three kinds, shown and repaired
    properties = portal.get(credential, IDENTITIES_VERSION)["properties"]
    portal.put(credential, {"properties": {**properties, "issuer": ISSUER.lower()}}, IDENTITIES_VERSION)
    for one in portal.get(f"{scope}/{GRANTS}", ROLES_VERSION)["value"]:
        if one["properties"]["scope"].lower().endswith(scope.lower()):
            portal.request("DELETE", f"{scope}/{GRANTS}/{one['name']}", version=ROLES_VERSION).raise_for_status()
    portal.request("PATCH", scope, {"sku": {"name": "Basic"}}, "2025-11-01").raise_for_status()
    shown = run_all(ROLE, host=platform, check=True).ok()
    assert len(set(shown.changed)) == 3
    assert run_all(ROLE, host=platform).ok().changed == shown.changed
    assert portal.get(credential, IDENTITIES_VERSION)["properties"]["issuer"] == ISSUER
    assert portal.get(scope, "2025-11-01")["sku"]["name"] == "Standard"

    assert len(granted(portal, f"resourceGroups/{others}")) == 1
    teardown = [{"ansible.builtin.include_role": {"name": "mcpops.platform.azure_platform", "tasks_from": "teardown"}}]
    options = {
        "site_teardown_resource_groups": [{"name": group}],
        "site_teardown_platform_environment": "it",
        "site_teardown_force_delete": False,
        "site_teardown_wait_timeout": 300,
    }
    run_all(teardown, host={**platform, **options}).ok()
    assert portal.request("GET", place, version=GROUPS_VERSION).status_code == 404
    assert granted(portal, f"resourceGroups/{others}") == [], "its group stays, and a role of nobody would with it"


def test_a_name_that_is_taken_is_told_in_a_check(
    run_all: TasksRunner, run_task: TaskRunner, portal: Portal, group: str, others: str, platform: dict[str, Any]
) -> None:
    run_task("azure_resource", {"type": GROUPS, "name": group, "location": "eastus2", "owner": {"host": "test"}})
    run_task("azure_provider", {"namespaces": ["Microsoft.ContainerRegistry", "Microsoft.OperationalInsights"]})
    name = platform["azure_platform_registries"][0]["name"]
    taken = f"resourceGroups/{others}/providers/Microsoft.ContainerRegistry/registries/{name}"
    portal.put(taken, {"location": "eastus2", "sku": {"name": "Basic"}}, "2025-11-01")
    wanted = {**platform, "azure_platform_name_suffix": "", "azure_platform_role_assignments": []}
    refused = run_all(ROLE, host=wanted, check=True)
    assert refused.returncode != 0 and "is already in use" in refused.output
    assert "azure_platform_name_suffix" in refused.output
