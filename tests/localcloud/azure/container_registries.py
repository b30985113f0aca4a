# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.ContainerRegistry/registries: what Resource Manager answers about container registries.

Bodies, headers and the creation's operation as recorded by azure-cli (test_acr_image_import, 2025-03;
test_check_name_availability, 2026-09), with the fields of azure-mgmt-containerregistry 15.0 (2025-11-01), whose enums
say what a field may be. Lengths and signs of names: the REST reference of Registries - Create. What only some SKUs
have: https://learn.microsoft.com/azure/container-registry/container-registry-skus (anonymous pull: Standard and
Premium; network rules, private access, zone redundancy, retention and data endpoints: Premium). Codes and texts of
AlreadyInUse and UnAuthorizedForCredentialOperations as quoted in public issues; those of what a SKU has not, and of a
change of zone redundancy, are recalled.
"""

from __future__ import annotations

import copy
import re
import secrets
from typing import TYPE_CHECKING, Any

from localcloud.registries import RegistryFailure

from . import placed
from .operations import OperationFailed, Settle, Work, now
from .registry_access import StoredAccess
from .store import IN_PROGRESS, Operation, Resource
from .wire import ArmError, Body, Call, Reply, link
from .world_names import WorldNames

if TYPE_CHECKING:
    from .cloud import Cloud

TYPE = "Microsoft.ContainerRegistry/registries"
CREATE = "create registry"
NAMES = WorldNames(
    holders=(TYPE,),
    pattern=re.compile(r"[a-zA-Z0-9]{5,50}"),
    code="InvalidResourceName",
    reason="Invalid",
    not_valid="The registry name '{name}' is invalid: it takes 5 to 50 letters and digits.",
    taken="The registry {name} is already in use.",
)
SKUS = ("Basic", "Standard", "Premium")
ADMIN_DISABLED = (
    "Cannot perform credential operations for {id} as admin user is disabled. Kindly enable the admin user as per "
    "docs: https://docs.microsoft.com/en-us/azure/container-registry/container-registry-authentication#admin-account"
)
# property: (values by SDK enum or type, the SKUs that have any other than the default, the default)
FIELDS: dict[str, tuple[tuple[object, ...], tuple[str, ...], object]] = {
    "adminUserEnabled": ((True, False), SKUS, False),
    "anonymousPullEnabled": ((True, False), SKUS[1:], False),
    "dataEndpointEnabled": ((True, False), SKUS[2:], False),
    "publicNetworkAccess": (("Enabled", "Disabled"), SKUS[2:], "Enabled"),
    "networkRuleBypassOptions": (("AzureServices", "None"), SKUS, "AzureServices"),
    "zoneRedundancy": (("Enabled", "Disabled"), SKUS[2:], "Disabled"),
    "roleAssignmentMode": (
        ("LegacyRegistryPermissions", "AbacRepositoryPermissions"),
        SKUS,
        "LegacyRegistryPermissions",
    ),
}
POLICIES: Body = {
    "quarantinePolicy": {"status": "disabled"},
    "trustPolicy": {"type": "Notary", "status": "disabled"},
    "retentionPolicy": {"days": 7, "status": "disabled"},
    "exportPolicy": {"status": "enabled"},
    "azureADAuthenticationAsArmPolicy": {"status": "enabled"},
}


def find(call: Call) -> Resource:
    return placed.find(call, TYPE)


# --- the routes


def get(call: Call) -> Reply:
    return Reply(200, find(call).body)


def list_registries(call: Call) -> Reply:
    return placed.listed(call, TYPE)


def put(call: Call) -> Reply:
    asked = placed.asked(call, TYPE, NAMES)
    if asked.standing is None:
        _require_free_name(call.cloud, asked.name)
    sku = _sku(asked.given.get("sku"))
    properties = _properties(asked.properties, sku, asked.standing)
    return _store(call, asked.standing, asked.location, sku, properties, asked.given)


def _store(call: Call, existing: Resource | None, location: str, sku: str, properties: Body, given: Body) -> Reply:
    cloud, name = call.cloud, existing.name if existing else call["name"]
    try:
        login_server = cloud.registries.reserve(name)
    except RegistryFailure as exc:
        raise ArmError(409, "RegistryQuotaExceeded", str(exc)) from exc
    answer: Body = {
        "sku": {"name": sku, "tier": sku},
        "type": TYPE,
        "id": existing.id if existing else placed.place(call, TYPE),
        "name": name,
        "location": location,
        "tags": given.get("tags") or {},
        "properties": {
            "loginServer": login_server,
            "creationDate": existing.body["properties"]["creationDate"] if existing else now(),
            "provisioningState": "Succeeded" if existing else "Creating",
            **properties,
        },
    }
    for part in ("identity",):
        if given.get(part) is not None:
            answer[part] = given[part]
    private = existing.private if existing else {"passwords": [secrets.token_urlsafe(24) for _ in range(2)]}
    with cloud.store.transaction():
        cloud.store.put(Resource(answer["id"], TYPE, call["sub"], call["group"], name, answer, private))
        if existing is not None:
            return Reply(200, answer)
        operation = cloud.operations.begin(CREATE, answer["id"], location)
    return Reply(201, answer, _status_headers(call, operation))


def patch(call: Call) -> Reply:
    found, given = find(call), call.object_body()
    body = copy.deepcopy(found.body)
    sku = _sku(given["sku"]) if given.get("sku") else str(body["sku"]["name"])
    merged = _properties(given.get("properties") or {}, sku, found)
    body["sku"] = {"name": sku, "tier": sku}
    body["properties"] |= merged
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


def remove(cloud: Cloud, registry: Resource) -> None:
    cloud.registries.delete(registry.name)
    for run in cloud.store.find(kind=f"{TYPE}/runs"):
        if run.key.startswith(f"{registry.key}/"):
            cloud.store.delete(run.id)
    cloud.store.delete(registry.id)


def list_credentials(call: Call) -> Reply:
    found = find(call)
    if not found.body["properties"]["adminUserEnabled"]:
        raise ArmError(400, "UnAuthorizedForCredentialOperations", ADMIN_DISABLED.format(id=found.id))
    values = zip(("password", "password2"), found.private["passwords"])
    passwords = [{"name": name, "value": value} for name, value in values]
    return Reply(200, {"username": found.name, "passwords": passwords})


def operation_status(call: Call) -> Reply:
    """Where the header of a creation leads: `Creating` until it is over."""
    operation = call.cloud.store.operation(call["operation"].removeprefix("registries-"))
    if operation is None:
        raise ArmError(404, "OperationNotFound", f"The operation '{call['operation']}' could not be found.")
    if operation.status == IN_PROGRESS:
        return Reply(200, {"status": "Creating"}, _status_headers(call, operation))
    return Reply(200, {"status": operation.status, **({"error": operation.error} if operation.error else {})})


def _status_headers(call: Call, operation: Operation) -> dict[str, str]:
    path = f"{operation.resource_id}/operationStatuses/registries-{operation.id}"
    return {
        "azure-asyncoperation": link(call, path, {"api-version": call.query["api-version"]}),
        **pace(call),
    }


def pace(call: Call) -> dict[str, str]:
    """What Azure does not send; without it SDKs sleep 30 s between two polls."""
    milliseconds = call.cloud.config.poll_milliseconds
    return {} if milliseconds is None else {"retry-after-ms": str(milliseconds)}


# --- the rules


def _require_free_name(cloud: Cloud, name: str) -> None:
    if NAMES.is_taken(cloud, name):
        raise ArmError(
            409,
            "AlreadyInUse",
            f"The registry DNS name {name.lower()}.azurecr.io is already in use. You can check if the name is already "
            "claimed using following API: "
            "https://docs.microsoft.com/en-us/rest/api/containerregistry/registries/checknameavailability",
        )


def _sku(given: Any) -> str:
    name = str((given or {}).get("name") or "") if isinstance(given, dict) or given is None else ""
    found = next((sku for sku in SKUS if sku.lower() == name.lower()), "")
    if not found:
        raise ArmError(400, "InvalidSku", f"The SKU '{name}' is invalid. The supported SKUs are {', '.join(SKUS)}.")
    return found


def _properties(given: Body, sku: str, existing: Resource | None) -> Body:
    before = existing.body["properties"] if existing else {}
    found: Body = {}
    for name, (values, skus, default) in FIELDS.items():
        asked = given.get(name)
        found[name] = before.get(name, default) if asked is None else _value(name, asked, values)
        if found[name] != default and sku not in skus:
            raise _not_in(sku, name, skus)
    if existing is not None and found["zoneRedundancy"] != before["zoneRedundancy"]:
        raise ArmError(400, "ZoneRedundancyUpdateNotSupported", "The property 'zoneRedundancy' cannot be updated.")
    rules = given.get("networkRuleSet") or before.get("networkRuleSet")
    if rules is not None and sku != "Premium":
        raise _not_in(sku, "networkRuleSet", SKUS[2:])
    if sku == "Premium":
        found["networkRuleSet"] = rules or {"defaultAction": "Allow", "ipRules": []}
    policies = copy.deepcopy(before.get("policies") or POLICIES)
    for name, policy in (given.get("policies") or {}).items():
        if name in policies:
            policies[name] |= policy
    if policies["retentionPolicy"]["status"] == "enabled" and sku != "Premium":
        raise _not_in(sku, "policies.retentionPolicy", SKUS[2:])
    return {
        **found,
        "policies": policies,
        "encryption": {"status": "disabled"},
        "dataEndpointHostNames": [],
        "privateEndpointConnections": [],
    }


def _value(name: str, asked: object, values: tuple[object, ...]) -> object:
    for value in values:
        if asked == value or (isinstance(value, str) and str(asked).lower() == value.lower()):
            return value
    raise ArmError(400, "InvalidRequestContent", f"The value '{asked}' of the property '{name}' is invalid.")


def _not_in(sku: str, name: str, skus: tuple[str, ...]) -> ArmError:
    return ArmError(
        400,
        "FeatureNotSupportedInSku",
        f"The property '{name}' is not supported for the SKU '{sku}'. It is supported for {', '.join(skus)}.",
    )


# --- the work behind a creation


def open_all(cloud: Cloud) -> None:
    """After a restart: the registries that there are answer again."""
    for item in cloud.store.find(kind=TYPE):
        if item.body["properties"]["provisioningState"] == "Succeeded":
            cloud.registries.open(item.name, StoredAccess(cloud, item.id))


def works(cloud: Cloud) -> dict[str, Work]:
    def run(operation: Operation) -> Settle:
        found = cloud.store.get(operation.resource_id)
        if found is not None:
            try:
                cloud.registries.open(found.name, StoredAccess(cloud, found.id))
            except RegistryFailure as exc:
                raise OperationFailed("InternalServerError", str(exc)) from exc
        return lambda: _state(operation, "Succeeded")

    def _state(operation: Operation, state: str) -> None:
        found = cloud.store.get(operation.resource_id)
        if found is not None:
            body = {**found.body, "properties": {**found.body["properties"], "provisioningState": state}}
            cloud.store.update(found, body=body)

    return {CREATE: Work(run, lambda operation: _state(operation, "Failed"))}
