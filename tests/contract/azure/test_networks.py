# SPDX-License-Identifier: GPL-3.0-or-later
"""Public IP addresses, who may use them, and zones with their A records."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.azure.cluster_work import backend_name

from .conftest import SUB, Azure

VERSION, DNS_VERSION, PRIVATE_VERSION = "2026-03-01", "2018-05-01", "2024-06-01"
NETWORK = "/resourceGroups/rg/providers/Microsoft.Network"
ADDRESSES = f"{NETWORK}/publicIPAddresses"
CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
STATIC: dict[str, Any] = {"publicIPAllocationMethod": "Static"}


def address(azure: Azure, name: str = "pip", **changes: Any) -> Any:
    body = {"location": "eastus2", "sku": {"name": "Standard"}, "properties": STATIC, **changes}
    return azure.request("PUT", f"{ADDRESSES}/{name}", body, version=VERSION)


def test_an_address_stays_what_it_is(azure: Azure) -> None:
    azure.group()
    assert azure.request("GET", f"{ADDRESSES}/pip", version=VERSION).json()["error"]["code"] == "ResourceNotFound"
    labelled = {**STATIC, "dnsSettings": {"domainNameLabel": "way-in"}}
    made = address(azure, zones=["1", "2", "3"], properties=labelled)
    assert made.status_code == 201
    body = made.json()
    assert body["sku"] == {"name": "Standard", "tier": "Regional"}
    assert body["properties"]["dnsSettings"]["fqdn"] == "way-in.eastus2.cloudapp.azure.com"
    again = address(azure, zones=["1", "2", "3"], properties=labelled, tags={"a": "b"})
    assert (again.status_code, again.json()["tags"]) == (200, {"a": "b"})
    assert again.json()["properties"]["ipAddress"] == body["properties"]["ipAddress"]
    tagged = azure.request("PATCH", f"{ADDRESSES}/pip", {"tags": {"c": "d"}}, version=VERSION)
    assert tagged.json()["tags"] == {"c": "d"}
    assert address(azure, "second").json()["properties"]["ipAddress"] != body["properties"]["ipAddress"]
    for path in (ADDRESSES, ADDRESSES.removeprefix("/resourceGroups/rg")):
        assert [one["name"] for one in azure.request("GET", path, version=VERSION).json()["value"]] == ["pip", "second"]
    assert azure.request("DELETE", f"{ADDRESSES}/pip", version=VERSION).status_code == 200
    assert azure.request("DELETE", f"{ADDRESSES}/pip", version=VERSION).status_code == 204


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a dynamic one": (
        {"properties": {"publicIPAllocationMethod": "Dynamic"}},
        "StandardSkuPublicIPAddressesMustBeStatic",
    ),
    "a dynamic one, as none says otherwise": ({"properties": {}}, "StandardSkuPublicIPAddressesMustBeStatic"),
    "the retired SKU": ({"sku": {"name": "Basic"}}, "IPv4BasicSkuPublicIpCountLimitReached"),
    "no SKU, which is that one": ({"sku": None}, "IPv4BasicSkuPublicIpCountLimitReached"),
    "a SKU that is not one": ({"sku": {"name": "Premium"}}, "InvalidRequestFormat"),
    "a zone that is not one": ({"zones": ["4"]}, "InvalidAvailabilityZone"),
    "zones where there are none": ({"location": "westus", "zones": ["1"]}, "LocationNotSupportAvailabilityZones"),
    "a label with a dot": (
        {"properties": {**STATIC, "dnsSettings": {"domainNameLabel": "a.b"}}},
        "InvalidDomainNameLabel",
    ),
    "another one's label": ({"properties": {**STATIC, "dnsSettings": {"domainNameLabel": "taken"}}}, "DnsRecordInUse"),
}


@pytest.mark.parametrize(("changes", "code"), REFUSED.values(), ids=REFUSED)
def test_an_address_is_refused(azure: Azure, changes: dict[str, Any], code: str) -> None:
    azure.group()
    assert (
        address(azure, "other", properties={**STATIC, "dnsSettings": {"domainNameLabel": "taken"}}).status_code == 201
    )
    refused = address(azure, **changes)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)


def test_zones_and_the_region_stay(azure: Azure) -> None:
    azure.group()
    assert address(azure, zones=["1"]).status_code == 201
    assert address(azure).json()["error"]["code"] == "ResourceAvailabilityZonesCannotBeModified"
    assert address(azure, location="westus2", zones=["1"]).json()["error"]["code"] == "InvalidResourceLocation"


def test_a_cluster_uses_what_its_identity_may(azure: Azure) -> None:
    azure.group()
    azure.group("rg-ip")
    made = azure.cluster()
    backend, principal = backend_name(made["id"]), made["identity"]["principalId"]
    given = {"location": "eastus2", "sku": {"name": "Standard"}, "properties": STATIC}
    path = "/resourceGroups/rg-ip/providers/Microsoft.Network/publicIPAddresses/Pip"
    held = azure.request("PUT", path, given, version=VERSION).json()["properties"]["ipAddress"]
    assert azure.backend.published[backend] == {}
    granted = azure.assign(CONTRIBUTOR, f"{SUB}/resourceGroups/rg-ip", principal)
    assert granted.status_code == 201
    assert azure.backend.published[backend] == {"rg-ip/pip": held}
    # a Service has it: nobody takes it away
    azure.backend.used[backend] = (held,)
    shown = azure.request("GET", path, version=VERSION).json()["properties"]["ipConfiguration"]["id"]
    assert "/loadBalancers/kubernetes/frontendIPConfigurations/" in shown
    refused = azure.request("DELETE", path, version=VERSION)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "PublicIPAddressCannotBeDeleted")
    assert shown in refused.json()["error"]["message"]
    azure.backend.used[backend] = ()
    gone = azure.request("DELETE", granted.json()["id"], version="2022-04-01")
    assert gone.status_code == 200, gone.text
    assert azure.backend.published[backend] == {}
    assert azure.request("DELETE", path, version=VERSION).status_code == 200


SERVICES: dict[str, tuple[str, str, str, str]] = {
    "public": ("dnsZones", DNS_VERSION, "TTL", "ARecords"),
    "private": ("privateDnsZones", PRIVATE_VERSION, "ttl", "aRecords"),
}


@pytest.mark.parametrize(("kind", "version", "ttl", "records"), SERVICES.values(), ids=SERVICES)
def test_records_come_and_go_with_their_zone(azure: Azure, kind: str, version: str, ttl: str, records: str) -> None:
    azure.group()
    zone = f"{NETWORK}/{kind}/example.com"

    def put(name: str, **changes: Any) -> Any:
        properties = {ttl: 300, records: [{"ipv4Address": "192.0.2.1"}], **changes}
        return azure.request("PUT", f"{zone}/A/{name}", {"properties": properties}, version=version)

    missing = put("*.mcp")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ParentResourceNotFound")
    refused = azure.request("PUT", zone, {"location": "eastus2"}, version=version)
    assert refused.json()["error"]["code"] == "LocationNotAvailableForResourceType"
    assert azure.request("PUT", zone, {"location": "global"}, version=version).status_code == 201
    assert azure.request("PUT", zone, {"location": "global"}, version=version).status_code == 200
    made = put("*.mcp")
    assert (made.status_code, made.json()["properties"]["fqdn"]) == (201, "*.mcp.example.com.")
    assert put("@").json()["properties"]["fqdn"] == "example.com."
    assert put("*.mcp", **{ttl: 60}).status_code == 200
    assert azure.request("GET", f"{zone}/A/*.mcp", version=version).json()["properties"][ttl] == 60
    stale = {"If-Match": made.json()["etag"]}
    changed = azure.request("PUT", f"{zone}/A/*.mcp", made.json(), version=version, headers=stale)
    assert changed.status_code == 412
    listed = azure.request("GET", f"{zone}/A", version=version).json()["value"]
    assert [one["name"] for one in listed] == ["*.mcp", "@"]
    resources = azure.request("GET", "/resourceGroups/rg/resources", version="2025-04-01").json()["value"]
    assert [one["name"] for one in resources] == ["example.com"]
    for wrong in ({ttl: 0}, {ttl: None}, {records: [{"ipv4Address": "example"}]}):
        assert put("@", **wrong).status_code == 400
    assert azure.request("GET", f"{zone}/CNAME/x", version=version).status_code == 400
    assert azure.request("DELETE", f"{zone}/A/@", version=version).status_code == 200
    assert azure.request("DELETE", f"{zone}/A/@", version=version).status_code == 204
    assert azure.request("DELETE", zone, version=version).status_code == 200
    assert azure.request("DELETE", zone, version=version).status_code == 204
    azure.request("PUT", zone, {"location": "global"}, version=version)
    assert azure.request("GET", f"{zone}/A", version=version).json()["value"] == []
