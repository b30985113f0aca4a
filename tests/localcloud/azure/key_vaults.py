# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.KeyVault/vaults: what Resource Manager answers about vaults, and about those that were deleted.

Fields, statuses and enumerations as azure-mgmt-keyvault 14.1 (2026-05-15) has them. Soft delete, its 7 to 90 days,
purge protection and how a vault is recovered: https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview;
it cannot be left off any more (…/soft-delete-change). Names: …/general/about-keys-secrets-certificates (vault name and
object name). VaultNameNotValid, VaultAlreadyExists, ConflictError and MethodNotAllowed with their texts as quoted in
public issues (Azure/azure-cli, terraform-provider-azurerm); that RBAC is the default since api-version 2026-02-01:
…/general/access-control-default. Creation, recovery and purge are over here when they are answered.
"""

from __future__ import annotations

import copy
import re
import time
from typing import TYPE_CHECKING, Any

from . import data_plane, placed
from .store import Resource
from .wire import GATEWAY, ArmError, Body, Call, Reply, page
from .world_names import WorldNames, named

if TYPE_CHECKING:
    from .cloud import Cloud

TYPE = "Microsoft.KeyVault/vaults"
SECRET = f"{TYPE}/secrets"
DELETED = "Microsoft.KeyVault/deletedVaults"
SKUS = ("standard", "premium")
RBAC_BY_DEFAULT = "2026-02-01"
DAY = 86400
_NOT_VALID = (
    "The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must "
    "begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow this link for more "
    "information: https://go.microsoft.com/fwlink/?linkid=2147742"
)
TAKEN = (
    "The vault name '{name}' is already in use. Vault names are globaly unique so it is possible that the name is "
    "already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same "
    "name was recently deleted but not purged after being placed in a recoverable state. If the vault is in a "
    "recoverable state then the vault will need to be purged before reusing the name. For more information about "
    "VaultAlreadyExists, follow this link https://go.microsoft.com/fwlink/?linkid=2147740"
)
NAMES = WorldNames(
    holders=(TYPE, DELETED),
    pattern=re.compile(r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{1,22}[a-zA-Z0-9]"),
    code="VaultNameNotValid",
    reason="AccountNameInvalid",
    not_valid=_NOT_VALID,
    taken=TAKEN,
)
# what a vault that says nothing about it has
FIELDS: Body = {
    "accessPolicies": [],
    "enabledForDeployment": False,
    "enabledForDiskEncryption": False,
    "enabledForTemplateDeployment": False,
    "enableSoftDelete": True,
    "softDeleteRetentionInDays": 90,
    "publicNetworkAccess": "Enabled",
}
OPTIONAL = ("enablePurgeProtection", "networkAcls")


# --- the routes


def get(call: Call) -> Reply:
    return Reply(200, placed.find(call, TYPE).body)


def list_vaults(call: Call) -> Reply:
    return placed.listed(call, TYPE)


def put(call: Call) -> Reply:
    asked = placed.asked(call, TYPE, NAMES)
    standing = asked.standing
    with call.cloud.store.transaction():
        if standing is None:
            if str(asked.properties.get("createMode")).lower() == "recover":
                return Reply(200, _recover(call).body)
            _require_free_name(call.cloud, asked.name)
        host = standing.private["host"] if standing else data_plane.reserve(call.cloud)
        body: Body = {
            "id": standing.id if standing else placed.place(call, TYPE),
            "name": standing.name if standing else asked.name,
            "type": TYPE,
            "location": asked.location,
            "tags": asked.given.get("tags") or {},
            "properties": _properties(call, asked.properties, standing, host),
        }
        call.cloud.store.put(Resource(body["id"], TYPE, call["sub"], call["group"], body["name"], body, {"host": host}))
    return Reply(200 if standing else 201, body)


def patch(call: Call) -> Reply:
    found, given = placed.find(call, TYPE), call.object_body()
    body = copy.deepcopy(found.body)
    properties = {**body["properties"], **(given.get("properties") or {})}
    body["properties"] = _properties(call, properties, found, found.private["host"])
    if given.get("tags") is not None:
        body["tags"] = given["tags"]
    call.cloud.store.update(found, body=body)
    return Reply(200, body)


def delete(call: Call) -> Reply:
    found = placed.existing(call, TYPE)
    if found is None:
        return Reply(204)
    remove(call.cloud, found)
    return Reply(200)


def remove(cloud: Cloud, vault: Resource) -> None:
    """Soft delete: the vault leaves its group, and what it holds is kept for its days."""
    began, days = time.time(), vault.body["properties"]["softDeleteRetentionInDays"]
    place = f"/subscriptions/{vault.subscription}/providers/Microsoft.KeyVault/locations/{vault.body['location']}"
    body: Body = {
        "id": f"{place}/deletedVaults/{vault.name}",
        "name": vault.name,
        "type": DELETED,
        "properties": {
            "vaultId": vault.id,
            "location": vault.body["location"],
            "tags": vault.body["tags"],
            "deletionDate": _at(began),
            "scheduledPurgeDate": _at(began + days * DAY),
            "purgeProtectionEnabled": bool(vault.body["properties"].get("enablePurgeProtection")),
        },
    }
    with cloud.store.transaction():
        secrets = secrets_of(cloud, vault)
        kept = [{"id": item.id, "name": item.name, "private": item.private} for item in secrets]
        private = {**vault.private, "vault": vault.body, "group": vault.group, "secrets": kept}
        for item in secrets:
            cloud.store.delete(item.id)
        cloud.store.delete(vault.id)
        cloud.store.put(Resource(body["id"], DELETED, vault.subscription, "", vault.name, body, private))


def secrets_of(cloud: Cloud, vault: Resource) -> list[Resource]:
    found = cloud.store.find(kind=SECRET, subscription=vault.subscription, group=vault.group)
    return [item for item in found if item.key.startswith(f"{vault.key}/secrets/")]


def _recover(call: Call) -> Resource:
    """What a deleted vault was, with what it held; it comes back into the group that it was deleted from."""
    cloud, gone = call.cloud, named(call.cloud, DELETED, call["name"])
    if gone is None or gone.body["properties"]["vaultId"].lower() != placed.place(call, TYPE).lower():
        raise ArmError(404, "DeletedVaultNotFound", f"The specified deleted vault '{call['name']}' does not exist.")
    body, group = gone.private["vault"], gone.private["group"]
    vault = Resource(body["id"], TYPE, call["sub"], group, gone.name, body, {"host": gone.private["host"]})
    cloud.store.delete(gone.id)
    cloud.store.put(vault)
    for item in gone.private["secrets"]:
        cloud.store.put(Resource(item["id"], SECRET, call["sub"], group, item["name"], {}, item["private"]))
    return vault


# --- deleted vaults


def _deleted(call: Call) -> Resource:
    found = named(call.cloud, DELETED, call["name"])
    if found is None or found.body["properties"]["location"] != call["location"].lower():
        raise ArmError(
            404, "DeletedVaultNotFound", f"The specified deleted vault '{call['name']}' does not exist.", GATEWAY
        )
    return found


def get_deleted(call: Call) -> Reply:
    return Reply(200, _deleted(call).body)


def list_deleted(call: Call) -> Reply:
    found = call.cloud.store.find(kind=DELETED, subscription=call["sub"])
    return page(call, [item.body for item in found], call.cloud.config.page_size)


def purge(call: Call) -> Reply:
    found = _deleted(call)
    if found.body["properties"]["purgeProtectionEnabled"]:
        raise ArmError(405, "MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")
    call.cloud.store.delete(found.id)
    return Reply(200)


# --- the rules


def _require_free_name(cloud: Cloud, name: str) -> None:
    if named(cloud, TYPE, name) is not None:
        raise ArmError(409, "VaultAlreadyExists", TAKEN.format(name=name))
    if named(cloud, DELETED, name) is not None:
        raise ArmError(
            409,
            "ConflictError",
            "A vault with the same name already exists in deleted state. You need to either recover or purge existing "
            "key vault. Follow this link for more information on soft delete: "
            "https://go.microsoft.com/fwlink/?linkid=2149745",
        )


def _properties(call: Call, given: Body, standing: Resource | None, host: str) -> Body:
    before: Body = standing.body["properties"] if standing else {}
    if not given.get("tenantId"):
        raise _bad("The parameter tenantId is required.")
    rbac: Any = given.get("enableRbacAuthorization")
    if rbac is None:
        rbac = before.get("enableRbacAuthorization", call.query["api-version"] >= RBAC_BY_DEFAULT)
    found: Body = {
        "sku": _sku(given.get("sku")),
        "tenantId": given["tenantId"],
        "enableRbacAuthorization": rbac,
        "vaultUri": f"https://{host}/",
        "provisioningState": "Succeeded",
    }
    for name, default in FIELDS.items():
        found[name] = given[name] if given.get(name) is not None else before.get(name, default)
    for name in OPTIONAL:
        if given.get(name) is not None or name in before:
            found[name] = given[name] if given.get(name) is not None else before[name]
    if found["enableSoftDelete"] is not True:
        raise _bad(
            'The property "enableSoftDelete" can be set to false only for creating new vaults. Enabling the \'soft '
            "delete' functionality is an irreversible action."
        )
    if given.get("enablePurgeProtection") is False:
        raise _bad(
            'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is '
            "an irreversible action."
        )
    days = found["softDeleteRetentionInDays"]
    if not isinstance(days, int) or isinstance(days, bool) or not 7 <= days <= 90:
        raise _bad('The property "softDeleteRetentionInDays" takes 7 to 90 days.')
    if before and days != before["softDeleteRetentionInDays"]:
        raise _bad('The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.')
    return found


def _sku(given: Any) -> Body:
    name = str(given.get("name") or "").lower() if isinstance(given, dict) else ""
    if name not in SKUS or str(given.get("family")).upper() != "A":
        raise _bad(f"The SKU of a vault is of family 'A' and named {' or '.join(SKUS)}.")
    return {"family": "A", "name": name}


def _bad(text: str) -> ArmError:
    return ArmError(400, "BadRequest", text)


def _at(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
