# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.OperationalInsights/workspaces: kept as sent, with the service's defaults; no log reaches them.

Fields, statuses (PUT 200, 201 and 202, PATCH 200, DELETE 200, 202 and 204) and the enumeration of SKUs as
azure-mgmt-loganalytics 14.0 (2025-07-01) has them; defaults and the length of the retention:
https://learn.microsoft.com/azure/azure-monitor/logs/data-retention-configure. Here a creation is over when it is
answered.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from . import groups, placed
from .store import Resource
from .wire import ArmError, Body, Call, Reply

TYPE = "Microsoft.OperationalInsights/workspaces"
SKUS = ("Free", "Standard", "Premium", "PerNode", "PerGB2018", "Standalone", "CapacityReservation", "LACluster")


def get(call: Call) -> Reply:
    return Reply(200, placed.find(call, TYPE).body)


def list_workspaces(call: Call) -> Reply:
    return placed.listed(call, TYPE)


def put(call: Call) -> Reply:
    group = groups.require_usable(call.cloud, call["sub"], call["group"])
    given = call.object_body()
    location = placed.location(given)
    existing = placed.existing(call, TYPE)
    body: Body = {
        "id": existing.id if existing else placed.place(call, TYPE),
        "name": existing.name if existing else call["name"],
        "type": TYPE,
        "location": location,
        "tags": given.get("tags") or {},
        "properties": _properties(given.get("properties") or {}, existing.body["properties"] if existing else None),
    }
    call.cloud.store.put(Resource(body["id"], TYPE, call["sub"], group.name, body["name"], body))
    return Reply(200 if existing else 201, body)


def patch(call: Call) -> Reply:
    found, given = placed.find(call, TYPE), call.object_body()
    body = dict(found.body)
    body["properties"] = _properties(given.get("properties") or {}, found.body["properties"])
    if given.get("tags") is not None:
        body["tags"] = given["tags"]
    call.cloud.store.update(found, body=body)
    return Reply(200, body)


def delete(call: Call) -> Reply:
    found = placed.existing(call, TYPE)
    if found is None:
        return Reply(204)
    call.cloud.store.delete(found.id)
    return Reply(200)


def _properties(given: Body, before: Body | None) -> Body:
    at = time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime())
    standing: Body = before or {
        "customerId": str(uuid.uuid4()),
        "createdDate": at,
        "sku": {"name": "PerGB2018"},
        "retentionInDays": 30,
        "publicNetworkAccessForIngestion": "Enabled",
        "publicNetworkAccessForQuery": "Enabled",
        "features": {"enableLogAccessUsingOnlyResourcePermissions": True},
    }
    merged = {**standing, **{key: value for key, value in given.items() if value is not None}}
    merged["sku"] = {"name": _sku(merged["sku"]), "lastSkuUpdate": at}
    days = merged["retentionInDays"]
    if not isinstance(days, int) or isinstance(days, bool) or not (30 <= days <= 730 or days == 7):
        raise ArmError(400, "InvalidParameter", f"'RetentionInDays' property doesn't match the SKU limits: {days}.")
    return {**merged, "provisioningState": "Succeeded", "modifiedDate": at}


def _sku(given: Any) -> str:
    name = str(given.get("name") or "") if isinstance(given, dict) else ""
    found = next((sku for sku in SKUS if sku.lower() == name.lower()), "")
    if not found:
        raise ArmError(400, "InvalidParameter", f"'Sku' property doesn't match: {name}.")
    return found.lower() if found == "PerGB2018" else found
