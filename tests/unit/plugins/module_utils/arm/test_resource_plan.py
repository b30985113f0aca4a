# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change of a resource sends, of what is declared and what has come about since."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.resource_plan import (
    plan_resource,
    problems,
    resource_spec,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.update_policies import UPDATE_POLICIES
from ansible_collections.mcpops.platform.plugins.module_utils.compare import at_least

SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"
STANDS: dict[str, Any] = {
    "location": "eastus2",
    "sku": {"name": "Standard_B1ms", "tier": "Burstable"},
    "tags": {"env": "dev"},
    "properties": {
        "version": "17",
        "storage": {"storageSizeGB": 32, "autoGrow": "Enabled", "iops": 120},
        "backup": {"backupRetentionDays": 7},
    },
}


def planned(stands: dict[str, Any], **declared: Any) -> Any:
    params = {"type": SERVER, "name": "pg", "resource_group": "rg", "state": "present", **declared}
    return plan_resource(stands, resource_spec({**params, "purge_tags": False}, "s"))


def test_a_server_that_has_grown_is_changed_in_all_else() -> None:
    """Whatever is changed beside it, the size that is sent is not below the one that stands, and not above both."""
    generator = random.Random(3)
    sizes, sent = [32, 64, 128, 256, 512], []
    for _round in range(200):
        stands = copy.deepcopy(STANDS)
        now, wanted = generator.choice(sizes), generator.choice(sizes)
        stands["properties"]["storage"]["storageSizeGB"] = now
        storage = {"storageSizeGB": wanted, "autoGrow": generator.choice(["Enabled", "disabled"])}
        days = generator.choice([7, 14])
        properties = {"storage": storage, "backup": {"backupRetentionDays": days}}
        plan = planned(stands, location="eastus2", properties=properties)
        assert plan.changed == (wanted > now or days != 7 or storage["autoGrow"] == "disabled")
        if plan.changed:
            sent.append(now > wanted)
            found = plan.body["properties"]
            assert found["storage"]["storageSizeGB"] == max(now, wanted)
            assert found["backup"] == {"backupRetentionDays": days}
            assert set(found["storage"]) == {"storageSizeGB", "autoGrow"}
    assert {True, False} == set(sent)


@pytest.mark.parametrize(
    "properties",
    [{"backup": {"backupRetentionDays": 14}}, {"storage": {"autoGrow": "Disabled"}}, {"storage": {}, "version": "18"}],
)
def test_a_size_that_is_not_declared_is_not_sent(properties: dict[str, Any]) -> None:
    assert "storageSizeGB" not in planned(STANDS, properties=properties).body["properties"].get("storage", {})


def test_what_only_grows_is_sent_by_types_that_are_patched() -> None:
    """Of a body that is PUT whole, what stands is kept by the merge itself."""
    growing = {
        name: policy.update_method
        for name, policy in UPDATE_POLICIES.items()
        if any(rule.equal is at_least for rule in policy.rules.values())
    }
    assert growing == {SERVER.lower(): "patch"}


CREDENTIAL: dict[str, Any] = {
    "issuer": "https://token.actions.githubusercontent.com",
    "subject": "repo:contoso/tools:ref:refs/heads/main",
    "audiences": ["api://AzureADTokenExchange"],
}


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        pytest.param({}, [], id="in full"),
        pytest.param({"subject": "system:serviceaccount:mcp:*"}, ["properties.subject"], id="any service account"),
        pytest.param({"issuer": "https://*.oic.prod-aks.azure.com/"}, ["properties.issuer"], id="any issuer"),
        pytest.param({"audiences": ["*"], "subject": "*"}, ["properties.subject", "properties.audiences"], id="all"),
    ],
)
def test_a_federated_credential_has_no_patterns(changes: dict[str, Any], paths: list[str]) -> None:
    given = {
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "name": "id-ci/main",
        "resource_group": "rg",
        "state": "present",
        "properties": {**CREDENTIAL, **changes},
    }
    found = problems({**given, "purge_tags": False})
    assert [problem.path for problem in found] == paths
    assert all("matches no token" in problem.message for problem in found)
