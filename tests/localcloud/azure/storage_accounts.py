# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Storage/storageAccounts: what Resource Manager answers about storage accounts.

Fields, statuses and enumerations as azure-mgmt-storage 25.3 (2026-09-01) has them. Names: https://learn.microsoft.com/
azure/storage/common/storage-account-overview#storage-account-name. AccountNameInvalid and StorageAccountAlreadyTaken
with their texts as quoted in public issues (Azure/azure-cli, terraform-provider-azurerm); the other texts are recalled.
A creation is over here when it is answered. Of the endpoints there is the one for blobs.
"""

from __future__ import annotations

import base64
import copy
import re
import secrets
from typing import TYPE_CHECKING, Any

from . import data_plane, placed
from .operations import now
from .store import Resource
from .wire import ArmError, Body, Call, Reply
from .world_names import WorldNames

if TYPE_CHECKING:
    from .cloud import Cloud

TYPE = "Microsoft.Storage/storageAccounts"
CONTAINER = f"{TYPE}/blobServices/containers"
BLOB = f"{CONTAINER}/blobs"
KINDS = ("StorageV2", "BlobStorage", "BlockBlobStorage", "FileStorage", "Storage")
SKUS = (
    *(f"Standard_{kind}" for kind in ("LRS", "GRS", "RAGRS", "ZRS", "GZRS", "RAGZRS")),
    *(f"Premium_{kind}" for kind in ("LRS", "ZRS")),
)
NAMES = WorldNames(
    holders=(TYPE,),
    pattern=re.compile(r"[a-z0-9]{3,24}"),
    code="AccountNameInvalid",
    reason="AccountNameInvalid",
    not_valid=(
        "{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
        "length and use numbers and lower-case letters only."
    ),
    taken="The storage account named {name} is already taken.",
)
# what an account that says nothing about it has
FIELDS: Body = {
    "accessTier": "Hot",
    "allowBlobPublicAccess": False,
    "allowCrossTenantReplication": False,
    "allowSharedKeyAccess": True,
    "defaultToOAuthAuthentication": False,
    "minimumTlsVersion": "TLS1_2",
    "publicNetworkAccess": "Enabled",
    "supportsHttpsTrafficOnly": True,
    "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [], "virtualNetworkRules": []},
}
OPTIONAL = ("isHnsEnabled", "dnsEndpointType", "allowedCopyScope", "largeFileSharesState")


# --- the routes


def get(call: Call) -> Reply:
    return Reply(200, placed.find(call, TYPE).body)


def list_accounts(call: Call) -> Reply:
    return placed.listed(call, TYPE)


def put(call: Call) -> Reply:
    asked = placed.asked(call, TYPE, NAMES)
    given, standing, location = asked.given, asked.standing, asked.location
    with call.cloud.store.transaction():
        if standing is None:
            NAMES.require_free(call.cloud, asked.name, "StorageAccountAlreadyTaken")
        private: Body = standing.private if standing else {"host": data_plane.reserve(call.cloud), "keys": _keys()}
        body: Body = {
            "id": standing.id if standing else placed.place(call, TYPE),
            "name": standing.name if standing else asked.name,
            "type": TYPE,
            "location": location,
            "tags": given.get("tags") or {},
            "sku": _sku(given.get("sku")),
            "kind": _kind(given.get("kind"), standing),
            "properties": _properties(asked.properties, location, standing, private["host"]),
        }
        if given.get("identity") is not None:
            body["identity"] = given["identity"]
        call.cloud.store.put(Resource(body["id"], TYPE, call["sub"], call["group"], body["name"], body, private))
    return Reply(200, body)


def patch(call: Call) -> Reply:
    found, given = placed.find(call, TYPE), call.object_body()
    body = copy.deepcopy(found.body)
    sent = given.get("properties") or {}
    body["properties"] = _properties(sent, body["location"], found, found.private["host"])
    if given.get("sku"):
        body["sku"] = _sku(given["sku"])
    if given.get("kind"):
        body["kind"] = _kind(given["kind"], found)
    for part in ("tags", "identity"):
        if given.get(part) is not None:
            body[part] = given[part]
    call.cloud.store.update(found, body=body)
    return Reply(200, body)


def delete(call: Call) -> Reply:
    found = placed.existing(call, TYPE)
    if found is None:
        return Reply(204)
    remove(call.cloud, found)
    return Reply(200)


def remove(cloud: Cloud, account: Resource) -> None:
    """With everything in it, for good."""
    with cloud.store.transaction():
        for kind in (BLOB, CONTAINER):
            for item in cloud.store.find(kind=kind, subscription=account.subscription, group=account.group):
                if item.key.startswith(f"{account.key}/"):
                    forget(cloud, item)
        cloud.store.delete(account.id)


def forget(cloud: Cloud, item: Resource) -> None:
    """A container or blob, and the file that holds a blob's bytes."""
    cloud.store.delete(item.id)
    if "file" in item.private:
        (cloud.config.state / "blobs" / item.private["file"]).unlink(missing_ok=True)


def list_keys(call: Call) -> Reply:
    found = placed.find(call, TYPE)
    created = found.body["properties"]["creationTime"]
    keys = [
        {"keyName": f"key{number}", "value": value, "permissions": "FULL", "creationTime": created}
        for number, value in enumerate(found.private["keys"], 1)
    ]
    return Reply(200, {"keys": keys})


# --- the rules


def _keys() -> list[str]:
    return [base64.b64encode(secrets.token_bytes(64)).decode() for _ in range(2)]


def _sku(given: Any) -> Body:
    name = str(given.get("name") or "") if isinstance(given, dict) else ""
    found = next((sku for sku in SKUS if sku.lower() == name.lower()), "")
    if not found:
        raise ArmError(400, "InvalidRequestPropertyValue", f"The value '{name}' is not allowed for property sku.name.")
    return {"name": found, "tier": found.partition("_")[0]}


def _kind(given: Any, standing: Resource | None) -> str:
    before = standing.body["kind"] if standing else ""
    found = next((kind for kind in KINDS if kind.lower() == str(given or before).lower()), "")
    if not found:
        raise ArmError(400, "InvalidRequestPropertyValue", f"The value '{given}' is not allowed for property kind.")
    if before and (before, found) not in ((before, before), ("Storage", "StorageV2"), ("BlobStorage", "StorageV2")):
        raise ArmError(400, "AccountKindCannotBeUpdated", f"The kind of an account is not changed to '{found}'.")
    return found


def _properties(given: Body, location: str, standing: Resource | None, host: str) -> Body:
    before: Body = standing.body["properties"] if standing else {"creationTime": now()}
    found: Body = {
        "provisioningState": "Succeeded",
        "creationTime": before["creationTime"],
        "primaryLocation": location,
        "statusOfPrimary": "available",
        "primaryEndpoints": {"blob": f"https://{host}/"},
        "privateEndpointConnections": [],
    }
    for name, default in FIELDS.items():
        found[name] = given[name] if given.get(name) is not None else before.get(name, default)
    for name in OPTIONAL:
        if given.get(name) is not None or name in before:
            found[name] = given[name] if given.get(name) is not None else before[name]
    return found
