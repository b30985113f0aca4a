# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation's examples make, its examples remove: run one after the other as they are written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gate.checkout import CHECKOUT
from support import examples
from support.local_azure import Azure

from ansible_collections.mcpops.platform.plugins.modules import aks_cluster, azure_resource

MODULES = {"aks_cluster": aks_cluster, "azure_resource": azure_resource}
PAIRS = [pair for pair in examples.pairs(CHECKOUT) if pair.made.module in MODULES]


def arguments(call: examples.Call) -> dict[str, Any]:
    text = json.dumps(call.arguments).replace("{{ inventory_hostname }}", "host-1")
    assert "{{" not in text, "an example of a pair needs what only a play knows"
    given: dict[str, Any] = json.loads(text)
    return given


def test_there_are_pairs_of_both() -> None:
    assert {pair.made.module for pair in PAIRS} == set(MODULES)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_what_one_example_makes_another_removes(azure: Azure, pair: examples.Pair) -> None:
    module = MODULES[pair.made.module]
    if module is aks_cluster:
        assert azure.run(
            azure_resource, {"type": "Microsoft.Resources/resourceGroups", "name": "rg-agents", "location": "eastus2"}
        )["changed"]
    made = azure.run(module, arguments(pair.made))
    assert made.get("changed") is True, made.get("msg")
    assert azure.run(module, arguments(pair.made))["changed"] is False
    removed = azure.run(module, arguments(pair.removed))
    assert removed["changed"] is True and not removed.get("failed"), removed.get("msg")
    assert azure.run(module, arguments(pair.removed))["changed"] is False


GROUP = {"type": "Microsoft.Resources/resourceGroups", "name": "rg-own", "location": "eastus2"}
OWNER = {"owner": {"host": "host-2", "environment": "qa"}}


def test_a_group_that_was_made_without_an_owner_is_removed_without_one(azure: Azure) -> None:
    assert azure.run(azure_resource, {**GROUP, "tags": {"team": "data"}})["resource"]["tags"]["team"] == "data"
    assert azure.run(azure_resource, {**GROUP, "tags": {"team": "data"}, "purge_tags": True})["changed"] is False
    refused = azure.run(azure_resource, {**GROUP, **OWNER, "state": "absent"})
    assert "it was created without an owner" in refused["msg"]
    assert azure.run(azure_resource, {**GROUP, "state": "absent"})["changed"] is True


def test_a_group_that_others_made_needs_force_delete(azure: Azure) -> None:
    assert azure.run(azure_resource, GROUP)["changed"]
    # somebody who replaces the tags, as the portal does
    arm = azure.run(azure_resource, {**GROUP, "tags": {"mcpops-collection": ""}})
    assert arm["changed"]
    refused = azure.run(azure_resource, {**GROUP, "state": "absent"})
    assert "has no tag that says that this collection created it" in refused["msg"]
    assert azure.run(azure_resource, {**GROUP, "state": "absent", "force_delete": True})["changed"] is True
