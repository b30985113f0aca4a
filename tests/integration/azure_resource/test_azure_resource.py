# SPDX-License-Identifier: GPL-3.0-or-later
"""A resource group through real playbooks: checked, made, left alone, changed by somebody, shown, repaired, gone."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.portal import Portal

TaskRunner = Callable[..., dict[str, Any]]
VERSION = "2025-04-01"
GROUPS = "Microsoft.Resources/resourceGroups"


@pytest.fixture
def portal(cloud: Any) -> Portal:
    return Portal(cloud.environment, cloud.secret)


@pytest.fixture
def name(portal: Portal) -> Iterator[str]:
    name = f"rg-it-{uuid.uuid4().hex[:8]}"
    yield name
    portal.request("DELETE", f"resourceGroups/{name}", version=VERSION)


def test_group_from_nothing_to_nothing(run_task: TaskRunner, portal: Portal, name: str) -> None:
    declared = {
        "type": GROUPS,
        "name": name,
        "location": "eastus2",
        "tags": {"team": "agents"},
        "owner": {"host": "test", "environment": "it"},
    }
    checked = run_task("azure_resource", declared, check=True)
    assert checked["changed"]
    assert portal.request("GET", f"resourceGroups/{name}", version=VERSION).status_code == 404
    made = run_task("azure_resource", declared)
    assert made["diff"] == checked["diff"]
    assert not run_task("azure_resource", declared)["changed"]

    body = portal.get(f"resourceGroups/{name}", VERSION)
    tags = {**body["tags"], "team": "somebody", "other": "stays"}
    portal.put(f"resourceGroups/{name}", {"location": body["location"], "tags": tags}, VERSION)
    shown = run_task("azure_resource", declared, check=True)
    assert shown["diff"][0]["before"] == 'tags.team: "somebody"\n'
    repaired = run_task("azure_resource", declared)
    assert repaired["diff"] == shown["diff"]
    assert portal.get(f"resourceGroups/{name}", VERSION)["tags"] == {**tags, "team": "agents"}

    absent = {**declared, "state": "absent"}
    assert run_task("azure_resource", absent, check=True)["changed"]
    assert run_task("azure_resource", absent)["changed"]
    assert not run_task("azure_resource", absent)["changed"]
    assert portal.request("GET", f"resourceGroups/{name}", version=VERSION).status_code == 404


def test_group_of_another_host_is_kept(run_task: TaskRunner, portal: Portal, name: str) -> None:
    declared = {"type": GROUPS, "name": name, "location": "eastus2", "owner": {"host": "one"}}
    run_task("azure_resource", declared)
    failed = run_task("azure_resource", {**declared, "owner": {"host": "two"}, "state": "absent"}, fails=True)
    assert "inventory host one" in failed["msg"]
    assert portal.get(f"resourceGroups/{name}", VERSION)


def test_role_assignment_from_nothing_to_nothing(run_task: TaskRunner, portal: Portal, name: str) -> None:
    run_task("azure_resource", {"type": GROUPS, "name": name, "location": "eastus2", "owner": {"host": "test"}})
    place = f"{portal.get(f'resourceGroups/{name}', VERSION)['id']}/providers/Microsoft.Authorization/roleAssignments"
    role = "/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d"
    properties = {"roleDefinitionId": role, "principalId": str(uuid.uuid4()), "principalType": "ServicePrincipal"}
    declared = {"id": f"{place}/{uuid.uuid4()}", "properties": properties}
    checked = run_task("azure_resource", declared, check=True)
    assert run_task("azure_resource", declared)["diff"] == checked["diff"]
    assert not run_task("azure_resource", declared)["changed"]
    duplicate = run_task("azure_resource", {**declared, "id": f"{place}/{uuid.uuid4()}"})
    assert not duplicate["changed"]
    assert duplicate["id"] == declared["id"]
    absent = {"id": declared["id"], "state": "absent"}
    assert run_task("azure_resource", absent)["changed"]
    assert not run_task("azure_resource", absent)["changed"]


@pytest.mark.parametrize("connection", ["process", "module"])
def test_two_problems_are_told_together(run_task: TaskRunner, connection: str) -> None:
    """`become` makes it run as a module; the problems are the same."""
    declared = {"type": GROUPS, "name": "rg.", "location": "eastus2", "tags": {"a/b": "c"}}
    options = {} if connection == "process" else {"host": {"ansible_become": True, "ansible_become_method": "su"}}
    failed = run_task("azure_resource", declared, fails=True, **options)
    assert [problem["path"] for problem in failed["error"]["problems"]] == ["name", "tags.a/b"]
