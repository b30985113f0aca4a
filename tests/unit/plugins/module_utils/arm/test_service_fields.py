# SPDX-License-Identifier: GPL-3.0-or-later
"""What is the service's: every table of ours held against Microsoft's models and against recorded traffic."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import azure.mgmt.containerservice.models as sdk_models
import pytest
from azure.mgmt.containerservice.operations import _operations
from support.aks_field_table import rows as sdk_rows

from ansible_collections.mcpops.platform.plugins.module_utils.arm import fields as service_fields
from ansible_collections.mcpops.platform.plugins.module_utils.arm import names
from ansible_collections.mcpops.platform.plugins.module_utils.arm.compare import without_paths
from ansible_collections.mcpops.platform.plugins.module_utils.arm.fields import API_VERSION, MODELS, not_sent
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import secret_property
from localcloud.azure.sdk_schema import CONTAINER_SERVICE, model_schema

PINNED = names.api_version_of(names.MANAGED_CLUSTERS)
TYPES = {names.MANAGED_CLUSTERS: "ManagedCluster", names.AGENT_POOLS: "AgentPool"}
POOL = "properties.agentPoolProfiles.*"


def sdk_version() -> str:
    """The api-version that the installed SDK speaks."""
    source = inspect.getsource(_operations.build_managed_clusters_get_request)
    found = re.search(r'"api-version", "([^"]+)"', source)
    assert found is not None
    return found[1]


def test_the_table_of_fields_is_that_of_the_sdk() -> None:
    """`PYTHONPATH=tests python -m support.aks_field_table` makes it again, for a newer api-version as well."""
    assert API_VERSION == PINNED
    made = sdk_rows()
    if sdk_version() == API_VERSION:
        assert made == MODELS
    else:
        # a later SDK may know more
        for model, fields in MODELS.items():
            assert set(fields.split(" ")) <= set(made[model].split(" ")), model


def read_only(resource_type: str) -> set[str]:
    """Every read-only path of a type's model."""
    definitions = model_schema(CONTAINER_SERVICE, TYPES[resource_type])["$defs"]
    return set(_read_only(TYPES[resource_type], definitions, ""))


def _read_only(model: str, definitions: dict[str, Any], path: str) -> Iterator[str]:
    for name, schema in definitions[model]["properties"].items():
        place = f"{path}.{name}" if path else name
        if schema.get("readOnly"):
            yield place
            continue
        while "$ref" not in schema:
            if "anyOf" in schema:
                schema = next(option for option in schema["anyOf"] if option.get("type") != "null")
            elif "items" in schema or isinstance(schema.get("additionalProperties"), dict):
                schema = schema.get("items") or schema["additionalProperties"]
                place = f"{place}.*"
            else:
                break
        if "$ref" in schema:
            yield from _read_only(schema["$ref"].rpartition("/")[2], definitions, place)


@pytest.mark.parametrize("resource_type", TYPES)
def test_all_that_is_read_only_is_left_out(resource_type: str) -> None:
    listed = not_sent(resource_type, PINNED)
    missing = [path for path in read_only(resource_type) if not any(f"{path}.".startswith(f"{row}.") for row in listed)]
    assert missing == []


@pytest.mark.parametrize("resource_type", TYPES)
def test_every_row_that_names_the_model_is_read_only_there(resource_type: str) -> None:
    """A row too many would clear what is the user's: what a PUT leaves out is cleared."""
    known = read_only(resource_type)
    rows = [row for row in service_fields.rows_of(resource_type, PINNED) if row.source == service_fields.MODEL]
    assert rows
    wrong = [row.path for row in rows if not any(f"{path}.".startswith(f"{row.path}.") for path in known)]
    assert wrong == []


def test_every_row_names_its_source() -> None:
    for rows in service_fields.ROWS.values():
        assert all(len(row.source) > 20 for row in rows)


# what `az aks update` left out of what it had read (recorded traffic of azure-cli, 2026-04)
RECORDED = (
    *("id", "name", "type", "eTag"),
    *(f"properties.{name}" for name in ("provisioningState", "powerState", "currentKubernetesVersion", "fqdn")),
    *(f"properties.{name}" for name in ("azurePortalFQDN", "maxAgentPools", "resourceUID")),
    *(f"{POOL}.{name}" for name in ("provisioningState", "currentOrchestratorVersion", "nodeImageVersion", "eTag")),
    "properties.networkProfile.loadBalancerProfile.effectiveOutboundIPs",
    "properties.oidcIssuerProfile.issuerURL",
    "properties.ingressProfile.webAppRouting.identity",
)


@pytest.mark.parametrize("api_version", ["2026-02-01", "2026-04-01", PINNED, "2026-06-02-preview"])
def test_what_the_cli_leaves_out_is_left_out(api_version: str) -> None:
    assert set(RECORDED) <= set(not_sent(names.MANAGED_CLUSTERS, api_version))
    pools = {path.replace(POOL, "properties") for path in RECORDED if path.startswith(POOL)}
    assert pools <= set(not_sent(names.AGENT_POOLS, api_version))


def test_a_node_image_is_sent_where_it_is_writable_and_declared() -> None:
    changed = ["properties.nodeImageVersion"]
    documented = " ".join((inspect.getdoc(sdk_models.ManagedClusterAgentPoolProfile) or "").split())
    assert "Setting this value triggers an agentPool rollback" in documented
    assert changed[0] in not_sent(names.AGENT_POOLS, "2026-02-01", changed)
    assert changed[0] not in not_sent(names.AGENT_POOLS, "2026-04-01", changed)
    assert changed[0] in not_sent(names.AGENT_POOLS, "2026-04-01", ["properties.count"])


def test_identities_of_add_ons_and_users_are_left_out() -> None:
    identity = {"resourceId": "/x", "clientId": "c", "objectId": "o"}
    body = {
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/a.b": {"clientId": "c", "principalId": "p"}}},
        "properties": {"addonProfiles": {"azurepolicy": {"enabled": True, "config": None, "identity": identity}}},
    }
    assert without_paths(body, not_sent(names.MANAGED_CLUSTERS, PINNED)) == {
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/a.b": {}}},
        "properties": {"addonProfiles": {"azurepolicy": {"enabled": True}}},
    }


def test_the_secrets_of_aks_are_those_that_it_never_answers() -> None:
    """No other text of the models is taken for one: it would never be compared."""
    found = {
        (model, name)
        for model, fields in MODELS.items()
        for name, kind in (field.split(":") for field in fields.split(" "))
        if kind == "s" and secret_property(name, "a text")
    }
    assert found == {
        ("ManagedClusterWindowsProfile", "adminPassword"),
        ("ManagedClusterServicePrincipalProfile", "secret"),
        ("ManagedClusterAADProfile", "serverAppSecret"),
    }
