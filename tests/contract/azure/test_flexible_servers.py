# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure Database for PostgreSQL, by Microsoft's own client."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

from localcloud.azure import flexible_servers
from localcloud.databases import Admission

from .conftest import SUBSCRIPTION, Azure

PASSWORD = "Sesame-0pen"


def manager(azure: Azure) -> Any:
    azure.request("POST", "/providers/Microsoft.DBforPostgreSQL/register", version="2025-04-01")
    azure.group()
    return PostgreSQLManagementClient(azure.credential(), SUBSCRIPTION, polling_interval=0, **azure.options())


def body(**properties: Any) -> dict[str, Any]:
    sent = {"administratorLogin": "mesh", "administratorLoginPassword": PASSWORD, "version": "16", **properties}
    return {"location": "eastus", "sku": {"name": "Standard_B1ms", "tier": "Burstable"}, "properties": sent}


def test_a_server_lives_and_dies(azure: Azure) -> None:
    client = manager(azure)
    made = client.servers.begin_create_or_update("rg", "pg-one", body()).result()
    assert (made.properties.state, made.properties.version, made.sku.tier) == ("Ready", "16", "Burstable")
    assert made.properties.fully_qualified_domain_name == "pg-one.postgres.database.azure.com"
    assert made.properties.administrator_login_password is None
    # of the store, not of the answer alone
    [kept] = azure.cloud.store.find(kind=flexible_servers.TYPE)
    assert PASSWORD not in str(kept)
    changed = client.servers.begin_update("rg", "pg-one", {"properties": {"storage": {"storageSizeGB": 64}}}).result()
    assert changed.properties.storage.storage_size_gb == 64
    assert [one.name for one in client.servers.list_by_resource_group("rg")] == ["pg-one"]
    client.databases.begin_create("rg", "pg-one", "registry", {}).result()
    client.servers.begin_delete("rg", "pg-one").result()
    with pytest.raises(ResourceNotFoundError):
        client.servers.get("rg", "pg-one")
    assert azure.cloud.store.find(kind=flexible_servers.DATABASE) == []


def test_who_may_connect(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody at first; the ranges of the rules; without TLS when a parameter says so."""
    told: list[Admission] = []
    monkeypatch.setattr(azure.cloud.databases, "admit", lambda _name, admission: told.append(admission))
    opened: list[tuple[Any, ...]] = []
    monkeypatch.setattr(azure.cloud.databases, "open", lambda *given: opened.append(given))
    client = manager(azure)
    client.servers.begin_create_or_update("rg", "pg-one", body()).result()
    assert opened == [("pg-one", "mesh", PASSWORD, Admission(()))]
    rule = {"properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}}
    client.firewall_rules.begin_create_or_update("rg", "pg-one", "azure", rule).result()
    assert told[-1] == Admission((("0.0.0.0", "0.0.0.0"),))
    parameter = client.configurations.get("rg", "pg-one", "require_secure_transport")
    assert (parameter.properties.value, parameter.properties.source) == ("on", "system-default")
    off = {"properties": {"value": "off", "source": "user-override"}}
    client.configurations.begin_put("rg", "pg-one", "require_secure_transport", off).result()
    assert told[-1] == Admission((("0.0.0.0", "0.0.0.0"),), plain=True)
    client.firewall_rules.begin_delete("rg", "pg-one", "azure").result()
    assert told[-1] == Admission((), plain=True)


REFUSED = {
    "no password": ({"administratorLoginPassword": None}, "PasswordTooSimple"),
    "a word": ({"administratorLoginPassword": "sesame-open"}, "PasswordTooSimple"),
    "short": ({"administratorLoginPassword": "Se-0pen"}, "PasswordTooSimple"),
    "the name in it": ({"administratorLoginPassword": "Mesh-0pen-Sesame"}, "PasswordTooSimple"),
    "reserved": ({"administratorLogin": "azure_superuser"}, "InvalidParameterValue"),
    "of PostgreSQL": ({"administratorLogin": "pg_me"}, "InvalidParameterValue"),
    "version": ({"version": "9"}, "InvalidParameterValue"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(azure: Azure, case: str) -> None:
    given, code = REFUSED[case]
    with pytest.raises(HttpResponseError) as caught:
        manager(azure).servers.begin_create_or_update("rg", "pg-one", body(**given)).result()
    assert caught.value.error is not None
    assert caught.value.error.code == code


def test_a_server_is_not_made_smaller_and_its_name_is_one_of_all(azure: Azure) -> None:
    client = manager(azure)
    client.servers.begin_create_or_update("rg", "pg-one", body(storage={"storageSizeGB": 64})).result()
    with pytest.raises(HttpResponseError, match="smaller"):
        client.servers.begin_update("rg", "pg-one", {"properties": {"storage": {"storageSizeGB": 32}}}).result()
    azure.group("other")
    with pytest.raises(HttpResponseError, match="already used"):
        client.servers.begin_create_or_update("other", "pg-one", body()).result()
    with pytest.raises(HttpResponseError, match="Invalid value"):
        client.firewall_rules.begin_create_or_update(
            "rg", "pg-one", "all", {"properties": {"startIpAddress": "10.0.0.9", "endIpAddress": "10.0.0.1"}}
        )
