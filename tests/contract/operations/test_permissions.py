# SPDX-License-Identifier: GPL-3.0-or-later
"""What an identity needs in Azure: the role of docs/azure-permissions.md, and not one action less."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.local_azure import Azure
from support.playbook import CHECKOUT

from ansible_collections.mcpops.platform.plugins.module_utils import domains
from ansible_collections.mcpops.platform.plugins.modules import (
    aks_cluster,
    aks_kubeconfig,
    aks_sku_preflight,
    azure_preflight,
    azure_provider,
    azure_resource,
    azure_role_assignment,
)
from localcloud.azure.principals import Principals

PAGE = (CHECKOUT / "docs" / "azure-permissions.md").read_text(encoding="utf-8")
ROLE = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
NAMED = {"name": "c1", "resource_group": "rg"}
PROVIDERS = sorted(
    action.removesuffix("/register/action") for action in ROLE["Actions"] if action.endswith("/register/action")
)
# for messages alone: which role would do, and which versions there are
ADVICE = {
    "Microsoft.Authorization/roleDefinitions/read",
    "Microsoft.ContainerService/locations/kubernetesVersions/read",
}
AZURE_RIGHTS = domains.azure_rights("rg", "c1")
BEFORE = {action for right in AZURE_RIGHTS for action in right["actions"]}


def subscription(azure: Azure) -> str:
    return f"/subscriptions/{azure.config.subscription_id}"


def identity(azure: Azure, actions: list[str]) -> dict[str, str]:
    """One that may do these in the whole subscription: its options."""
    guid = str(uuid.uuid4())
    azure.run(
        azure_resource,
        {
            "id": f"{subscription(azure)}/providers/Microsoft.Authorization/roleDefinitions/{guid}",
            "properties": {
                "roleName": f"role {guid}",
                "permissions": [{"actions": actions, "notActions": []}],
                "assignableScopes": [subscription(azure)],
            },
        },
    )
    one = Principals.at(azure.config.state).add(f"deployer {guid}", since=0)
    given = {"principal": one.object_id, "principal_type": "ServicePrincipal", "role": guid}
    assert azure.run(azure_role_assignment, {"scope": subscription(azure), **given})["changed"]
    return {"client_id": one.client_id, "secret": one.secret}


def asked(azure: Azure) -> list[str]:
    return [path.partition("?")[0] for _method, path in azure.requests() if path.startswith("/subscriptions/")]


def preflight(azure: Azure, who: dict[str, str], check: bool = False) -> dict[str, Any]:
    return azure.run(azure_preflight, {"permissions": AZURE_RIGHTS, "providers": PROVIDERS, **who}, check)


def whole_life(azure: Azure, who: dict[str, str], tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What the roles of the site do in Azure, from nothing to nothing, one result after the other."""
    pools = [
        {"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"},
        {"name": "work", "mode": "User", "count": 1, "vm_size": "Standard_D2s_v5"},
    ]
    group = {"type": "Microsoft.Resources/resourceGroups", "name": "rg", "owner": {"host": "h1"}, **who}
    cluster = {**NAMED, "location": "eastus2", "owner": {"host": "h1"}, **who}
    yield preflight(azure, who)
    yield azure.run(azure_provider, {"namespaces": PROVIDERS, **who})
    yield azure.run(azure_resource, {**group, "location": "eastus2"})
    yield azure.run(
        aks_sku_preflight, {"location": "eastus2", "candidates": ["Standard_D2s_v5"], "node_count": 1, **who}
    )
    yield azure.run(aks_cluster, {**cluster, "node_pools": pools, "kubernetes_version": "1.35"})
    yield azure.run(aks_cluster, {**cluster, "node_pools": [{**pools[0], "count": 2}], "purge_node_pools": True})
    yield azure.run(aks_kubeconfig, {**NAMED, "path": str(tmp_path / "kubeconfig"), **who})
    yield preflight(azure, who)
    yield azure.run(aks_cluster, {**cluster, "state": "absent"})
    yield azure.run(azure_resource, {**group, "state": "absent"})


def unregister(azure: Azure) -> None:
    for namespace in PROVIDERS:
        azure.faults.add("unregistered", namespace=namespace)


def test_exactly_the_role_of_the_page_is_enough(azure: Azure, tmp_path: Path) -> None:
    who = identity(azure, ROLE["Actions"])
    unregister(azure)
    for result in whole_life(azure, who, tmp_path):
        assert not result.get("failed"), result["msg"]


@pytest.mark.parametrize("action", [one for one in ROLE["Actions"] if one not in ADVICE])
def test_with_one_action_less_the_message_names_it(azure: Azure, tmp_path: Path, action: str) -> None:
    who = identity(azure, [one for one in ROLE["Actions"] if one != action])
    unregister(azure)
    results = []
    for result in whole_life(azure, who, tmp_path):
        results.append(result)
        if result.get("failed"):
            break
    failed = results[-1]
    if action == "Microsoft.Authorization/permissions/read":
        assert not failed.get("failed") and "it was not checked" in results[0]["notes"][0]
        return
    assert failed.get("failed"), f"{action} is not needed"
    assert action.lower() in failed["msg"].lower(), failed["msg"]
    # what making it takes is told before anything is made
    if action in BEFORE or action.endswith("/register/action"):
        assert len(results) == 1 and failed["error"]["kind"] == "not_ready"
        assert azure.requests()[-1][0] == "GET"


def test_all_that_is_missing_in_one_message_with_the_narrowest_role(azure: Azure) -> None:
    who = identity(azure, ["Microsoft.Authorization/*/read", "Microsoft.Resources/subscriptions/providers/read"])
    unregister(azure)
    writes = len(list(azure.log.writes()))
    failed = preflight(azure, who)
    assert failed == preflight(azure, who, check=True)
    assert {reason["subject"] for reason in failed["error"]["reasons"]} == {
        subscription(azure),
        f"{subscription(azure)}/resourceGroups/rg",
        *PROVIDERS,
    }
    for action in BEFORE:
        assert action in failed["msg"]
    assert "the narrowest first: Reader" in failed["msg"] and "az role assignment create" in failed["msg"]
    assert failed["missing"][0]["scope"].endswith("/resourceGroups/rg")
    assert len(list(azure.log.writes())) == writes


def test_who_may_only_read_passes_where_everything_stands(azure: Azure, tmp_path: Path) -> None:
    for number, result in enumerate(whole_life(azure, {}, tmp_path)):
        assert not result.get("failed"), result["msg"]
        if number == 7:
            break
    reads = identity(azure, ["*/read"])
    before = len(asked(azure))
    found = preflight(azure, reads)
    assert not found.get("failed") and not found["missing"], found["msg"]
    assert "may not Microsoft.ContainerService/managedClusters/write" in " ".join(found["notes"])
    # what it may in the group and the subscription, whether both things are there, and the providers
    assert len(asked(azure)) - before == 4 + len(PROVIDERS)


def test_what_is_allowed_costs_one_request_a_scope(azure: Azure) -> None:
    found = azure.run(azure_preflight, {"permissions": AZURE_RIGHTS, "providers": PROVIDERS})
    assert not found["changed"] and "may do what is declared" in found["msg"]
    # of a group that is not there yet, the subscription is asked
    assert [path.rpartition("/providers/")[0] for path in asked(azure)] == [
        f"{subscription(azure)}/resourceGroups/rg",
        subscription(azure),
    ]
