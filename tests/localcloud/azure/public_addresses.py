# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Network/publicIPAddresses: fixed addresses, and which cluster may give them to its Services.

Fields, statuses and enumerations as azure-mgmt-network 33.1 (2026-03-01) has them; `ddosSettings` and `ipTags` of an
answer as recorded in public issues (Azure/azure-rest-api-specs#25475). Codes with their texts as quoted in public
issues: StandardSkuPublicIPAddressesMustBeStatic (MicrosoftDocs/azure-docs#42889), DnsRecordInUse
(Azure/azure-quickstart-templates#4978), PublicIPAddressCannotBeDeleted (hashicorp/terraform-provider-azurerm#2566);
those of zones, of the Basic SKU and of a label that is not valid are recalled. Basic addresses are retired
(https://learn.microsoft.com/azure/virtual-network/ip-services/public-ip-basic-upgrade-guidance). What an identity needs
to use an address of another group: https://learn.microsoft.com/azure/aks/static-ip. A creation is over here when it is
answered. Addresses are of a network that this host routes to the cluster that uses them.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import cluster_work, groups, placed, rbac
from .locations import BY_NAME
from .store import Resource
from .wire import ArmError, Body, Call, Reply

if TYPE_CHECKING:
    from .cloud import Cloud

TYPE = "Microsoft.Network/publicIPAddresses"
SKUS = ("Standard", "StandardV2")
ZONES = ("1", "2", "3")
LABEL = r"^[a-z][a-z0-9-]{1,61}[a-z0-9]$"
_NEEDED = (f"{TYPE}/read", f"{TYPE}/join/action")


# --- the routes


def get(call: Call) -> Reply:
    return Reply(200, _answered(call.cloud, placed.find(call, TYPE)))


def list_addresses(call: Call) -> Reply:
    reply = placed.listed(call, TYPE)
    held = (call.cloud.store.get(body["id"]) for body in reply.body["value"])
    reply.body["value"] = [_answered(call.cloud, one) for one in held if one is not None]
    return reply


def put(call: Call) -> Reply:
    group = groups.require_usable(call.cloud, call["sub"], call["group"])
    given = call.object_body()
    location, standing = placed.location(given), placed.existing(call, TYPE)
    placed.require_here(standing, location, call["name"])
    with call.cloud.store.transaction():
        where = standing.id if standing else placed.place(call, TYPE)
        body: Body = {
            "id": where,
            "name": standing.name if standing else call["name"],
            "type": TYPE,
            "location": location,
            "tags": given.get("tags") or {},
            "etag": f'W/"{uuid.uuid4()}"',
            "sku": _sku(given.get("sku")),
            "properties": _properties(call.cloud, given.get("properties") or {}, where, location, standing),
        }
        if zones := _zones(given.get("zones"), location, body["name"], standing):
            body["zones"] = zones
        made = Resource(where, TYPE, call["sub"], group.name, body["name"], body)
        call.cloud.store.put(made)
    publish(call.cloud)
    return Reply(200 if standing else 201, _answered(call.cloud, made))


def patch(call: Call) -> Reply:
    """Tags alone: UpdateTags of the SDK."""
    found = placed.find(call, TYPE)
    body = {**found.body, "tags": call.object_body().get("tags") or {}, "etag": f'W/"{uuid.uuid4()}"'}
    call.cloud.store.update(found, body=body)
    return Reply(200, body)


def delete(call: Call) -> Reply:
    found = placed.existing(call, TYPE)
    if found is None:
        return Reply(204)
    if user := _user(call.cloud, found):
        raise ArmError(
            400,
            "PublicIPAddressCannotBeDeleted",
            f"Public IP address {found.id} can not be deleted since it is still allocated to resource {user}. In order "
            "to delete the public IP, disassociate/detach the Public IP address from the resource.  To learn how to do "
            "this, see aka.ms/deletepublicip.",
        )
    remove(call.cloud, found)
    return Reply(200)


def remove(cloud: Cloud, address: Resource) -> None:
    cloud.store.delete(address.id)
    publish(cloud)


# --- who uses them


def publish(cloud: Cloud) -> None:
    """Tell each cluster which addresses its identity may give to Services, by GROUP/NAME in small letters."""
    addresses = cloud.store.find(kind=TYPE)
    for cluster in cloud.store.find(kind=cluster_work.TYPE):
        principals = list(_principals(cluster))
        usable = {
            f"{one.group}/{one.name}".lower(): one.body["properties"]["ipAddress"]
            for one in addresses
            if any(_may_use(cloud, principal, one.id) for principal in principals)
        }
        cloud.backend.publish_addresses(cluster.private["backend"], usable)


def _principals(cluster: Resource) -> Iterator[str]:
    """Of its control plane: its own identity, or those that were assigned to it."""
    identity: Body = cluster.body.get("identity") or {}
    held = [identity, *(identity.get("userAssignedIdentities") or {}).values()]
    yield from (str(one["principalId"]) for one in held if one and one.get("principalId"))


def _may_use(cloud: Cloud, principal: str, address: str) -> bool:
    return all(rbac.allowed(cloud.store, principal, action, address) for action in _NEEDED)


def _user(cloud: Cloud, address: Resource) -> str:
    """The front end of the load balancer that has it, in the group of the nodes; empty where nobody does."""
    for cluster in cloud.store.find(kind=cluster_work.TYPE):
        if address.body["properties"]["ipAddress"] in cloud.backend.addresses_in_use(cluster.private["backend"]):
            nodes = cluster.body["properties"]["nodeResourceGroup"]
            balancer = f"/subscriptions/{cluster.subscription}/resourceGroups/{nodes}/providers/Microsoft.Network"
            return f"{balancer}/loadBalancers/kubernetes/frontendIPConfigurations/{address.name}"
    return ""


def _answered(cloud: Cloud, address: Resource) -> Body:
    user = _user(cloud, address)
    if not user:
        return address.body
    return {**address.body, "properties": {**address.body["properties"], "ipConfiguration": {"id": user}}}


# --- the rules


def _sku(given: Any) -> Body:
    name = str(given.get("name") or "") if isinstance(given, dict) else ""
    found = next((sku for sku in SKUS if sku.lower() == name.lower()), "")
    if not name or name.lower() == "basic":
        raise ArmError(
            400,
            "IPv4BasicSkuPublicIpCountLimitReached",
            "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription in this region.",
        )
    if not found:
        raise ArmError(400, "InvalidRequestFormat", f"Cannot parse the request: sku.name '{name}' is not known.")
    return {"name": found, "tier": "Regional"}


def _properties(cloud: Cloud, given: Body, where: str, location: str, standing: Resource | None) -> Body:
    if str(given.get("publicIPAllocationMethod") or "Dynamic").lower() != "static":
        raise ArmError(
            400,
            "StandardSkuPublicIPAddressesMustBeStatic",
            f"Standard sku publicIp {where} must have AllocationMethod set to Static.",
        )
    before: Body = standing.body["properties"] if standing else {}
    found: Body = {
        "provisioningState": "Succeeded",
        "resourceGuid": before.get("resourceGuid") or str(uuid.uuid4()),
        "ipAddress": before.get("ipAddress") or _free(cloud),
        "publicIPAddressVersion": given.get("publicIPAddressVersion") or "IPv4",
        "publicIPAllocationMethod": "Static",
        "idleTimeoutInMinutes": given.get("idleTimeoutInMinutes") or 4,
        "ipTags": [],
        "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
    }
    if label := (given.get("dnsSettings") or {}).get("domainNameLabel"):
        found["dnsSettings"] = _dns(cloud, str(label), where, location)
    return found


def _dns(cloud: Cloud, label: str, where: str, location: str) -> Body:
    if not re.match(LABEL, label):
        raise ArmError(
            400,
            "InvalidDomainNameLabel",
            f"The domain name label {label} is invalid. It must conform to the following regular expression: {LABEL}.",
        )
    name = f"{label}.{location}.cloudapp.azure.com"
    for other in cloud.store.find(kind=TYPE):
        taken = (other.body["properties"].get("dnsSettings") or {}).get("fqdn")
        if other.id.lower() != where.lower() and taken == name:
            raise ArmError(400, "DnsRecordInUse", f"DNS record {name} is already used by another public IP.")
    return {"domainNameLabel": label, "fqdn": name}


def _free(cloud: Cloud) -> str:
    """The lowest address that nobody has."""
    taken = {one.body["properties"]["ipAddress"] for one in cloud.store.find(kind=TYPE)}
    hosts = ipaddress.IPv4Network(cloud.config.public_network).hosts()
    found = next((str(one) for one in hosts if str(one) not in taken), "")
    if not found:
        raise ArmError(
            400,
            "PublicIPCountLimitReached",
            f"Cannot create more than {len(taken)} public IP addresses for this subscription in this region.",
        )
    return found


def _zones(given: Any, location: str, name: str, standing: Resource | None) -> list[str]:
    zones = [str(one) for one in given or ()]
    if zones and not BY_NAME[location].zones:
        raise ArmError(
            400,
            "LocationNotSupportAvailabilityZones",
            f"The resource(s) '{TYPE}/{name}' does not support availability zones at location '{location}'.",
        )
    if unknown := [one for one in zones if one not in ZONES]:
        raise ArmError(
            400,
            "InvalidAvailabilityZone",
            f"The zone(s) '{','.join(unknown)}' for resource '{TYPE}/{name}' is not supported. The supported zones for "
            f"location '{location}' are '{','.join(ZONES)}'",
        )
    if standing is not None and sorted(standing.body.get("zones") or ()) != sorted(zones):
        raise ArmError(
            400,
            "ResourceAvailabilityZonesCannotBeModified",
            f"Resource {standing.id} has an existing availability zone constraint "
            f"{', '.join(standing.body.get('zones') or ['NoZone'])} and the request has availability zone constraint "
            f"{', '.join(zones or ['NoZone'])}, which do not match. Zones cannot be added/updated/removed once the "
            "resource is created. The resource cannot be updated from regional to zonal or vice-versa.",
        )
    return zones
