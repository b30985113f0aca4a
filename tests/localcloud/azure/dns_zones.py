# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Network/dnsZones and privateDnsZones with their A records: kept as sent; nothing here resolves them.

Fields, statuses and conditions (If-Match, If-None-Match) as azure-mgmt-dns 9.0 (2018-05-01) and azure-mgmt-privatedns
2.0 (2024-06-01) have them. Records of a zone that is not there: the code and the text quoted in
hashicorp/terraform-provider-azurerm#21399. A PUT replaces a record set
(https://learn.microsoft.com/azure/dns/dns-zones-records); etags: https://learn.microsoft.com/azure/dns/
dns-zones-records#etags. The other texts are recalled. Of record types there is A.
"""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import groups, placed
from .store import Resource
from .wire import ArmError, Body, Call, Reply, page

if TYPE_CHECKING:
    from .cloud import Cloud

LONGEST_TTL = 2147483647


@dataclass(frozen=True)
class Zones:
    """One of the two services: its type, and how it spells the fields of records."""

    kind: str
    ttl: str
    addresses: str

    @property
    def record_kind(self) -> str:
        return f"{self.kind}/A"

    # --- zones

    def get(self, call: Call) -> Reply:
        return Reply(200, placed.find(call, self.kind).body)

    def list(self, call: Call) -> Reply:
        return placed.listed(call, self.kind)

    def put(self, call: Call) -> Reply:
        group = groups.require_usable(call.cloud, call["sub"], call["group"])
        given, standing = call.object_body(), placed.existing(call, self.kind)
        if str(given.get("location") or "").lower() != "global":
            raise ArmError(
                400,
                "LocationNotAvailableForResourceType",
                f"The provided location '{given.get('location') or ''}' is not available for resource type "
                f"'{self.kind}'. List of available regions for the resource type is 'global'.",
            )
        _require_match(call, standing)
        body: Body = {
            "id": standing.id if standing else placed.place(call, self.kind),
            "name": standing.name if standing else call["name"],
            "type": self.kind,
            "etag": str(uuid.uuid4()),
            "location": "global",
            "tags": given.get("tags") or {},
            "properties": self._zone(call["name"]),
        }
        call.cloud.store.put(Resource(body["id"], self.kind, call["sub"], group.name, body["name"], body))
        return Reply(200 if standing else 201, body)

    def delete(self, call: Call) -> Reply:
        found = placed.existing(call, self.kind)
        if found is None:
            return Reply(204)
        remove(call.cloud, found)
        return Reply(200)

    def _zone(self, name: str) -> Body:
        if self.kind == PRIVATE.kind:
            return {"maxNumberOfRecordSets": 25000, "numberOfRecordSets": 1, "provisioningState": "Succeeded"}
        servers = [f"ns{number}-01.azure-dns.{end}." for number, end in enumerate(("com", "net", "org", "info"), 1)]
        return {
            "maxNumberOfRecordSets": 10000,
            "numberOfRecordSets": 2,
            "nameServers": servers,
            "zoneType": "Public",
        }

    # --- records

    def get_record(self, call: Call) -> Reply:
        zone, found = self._zone_of(call), self._record(call)
        if found is None:
            raise ArmError(
                404,
                "NotFound",
                f"The resource record '{call['record']}' does not exist in resource group '{zone.group}' of "
                f"subscription '{zone.subscription}'.",
            )
        return Reply(200, found.body)

    def list_records(self, call: Call) -> Reply:
        zone = self._zone_of(call)
        held = call.cloud.store.find(kind=self.record_kind, subscription=call["sub"], group=zone.group)
        own = [one.body for one in held if one.key.startswith(f"{zone.key}/")]
        return page(call, own, call.cloud.config.page_size)

    def put_record(self, call: Call) -> Reply:
        zone, standing = self._zone_of(call), self._record(call)
        _require_match(call, standing)
        given = call.object_body().get("properties") or {}
        body: Body = {
            "id": f"{zone.id}/A/{call['record']}",
            "name": call["record"],
            "type": self.record_kind,
            "etag": str(uuid.uuid4()),
            "properties": self._properties(given, call["record"], zone.name),
        }
        made = Resource(body["id"], self.record_kind, call["sub"], zone.group, f"{zone.name}/{call['record']}", body)
        call.cloud.store.put(made)
        return Reply(200 if standing else 201, body)

    def delete_record(self, call: Call) -> Reply:
        self._zone_of(call)
        found = self._record(call)
        if found is None:
            return Reply(204)
        _require_match(call, found)
        call.cloud.store.delete(found.id)
        return Reply(200)

    def _zone_of(self, call: Call) -> Resource:
        groups.find(call.cloud, call["sub"], call["group"])
        if call["record_type"].upper() != "A":
            raise ArmError(
                400, "BadRequest", f"The local cloud keeps A records only, and none of {call['record_type']}."
            )
        found = placed.existing(call, self.kind)
        if found is None:
            raise ArmError(
                404,
                "ParentResourceNotFound",
                f"Can not perform requested operation on nested resource. Parent resource '{call['name']}' not found.",
            )
        return found

    def _record(self, call: Call) -> Resource | None:
        return call.cloud.store.get(f"{placed.place(call, self.kind)}/A/{call['record']}")

    def _properties(self, given: Body, name: str, zone: str) -> Body:
        # a client may spell either service's fields in small letters, and answers have one spelling
        lowered = {key.lower(): value for key, value in given.items()}
        ttl, records = lowered.get("ttl"), lowered.get("arecords") or []
        if not isinstance(ttl, int) or isinstance(ttl, bool) or not 1 <= ttl <= LONGEST_TTL:
            raise ArmError(400, "BadRequest", f"The TTL '{ttl}' is not between 1 and {LONGEST_TTL}.")
        for record in records:
            try:
                ipaddress.IPv4Address(str(record.get("ipv4Address")))
            except (AttributeError, ValueError) as exc:
                raise ArmError(400, "BadRequest", f"The A record '{record}' has no valid IPv4 address.") from exc
        host = zone if name == "@" else f"{name}.{zone}"
        found: Body = {
            "fqdn": f"{host}.",
            self.ttl: ttl,
            self.addresses: [{"ipv4Address": one["ipv4Address"]} for one in records],
        }
        if lowered.get("metadata"):
            found["metadata"] = lowered["metadata"]
        own: Body = {"isAutoRegistered": False} if self.kind == PRIVATE.kind else {"provisioningState": "Succeeded"}
        return {**found, **own}


PUBLIC = Zones("Microsoft.Network/dnszones", "TTL", "ARecords")
PRIVATE = Zones("Microsoft.Network/privateDnsZones", "ttl", "aRecords")


def remove(cloud: Cloud, zone: Resource) -> None:
    """With its records."""
    with cloud.store.transaction():
        for item in cloud.store.find(kind=f"{zone.type}/A", subscription=zone.subscription, group=zone.group):
            if item.key.startswith(f"{zone.key}/"):
                cloud.store.delete(item.id)
        cloud.store.delete(zone.id)


def _require_match(call: Call, standing: Resource | None) -> None:
    wanted, none = call.headers.get("if-match", ""), call.headers.get("if-none-match", "")
    current = str(standing.body["etag"]) if standing else ""
    if (wanted and wanted != "*" and wanted.strip('"') != current) or (none == "*" and standing is not None):
        raise ArmError(
            412,
            "PreconditionFailed",
            f"The condition '{wanted or none}' in the If-Match or If-None-Match header was not satisfied. The current "
            f"value is '{current or 'null'}'.",
        )
