# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.DBforPostgreSQL/flexibleServers: what Resource Manager answers about Azure Database for PostgreSQL.

Fields, statuses and enumerations as azure-mgmt-postgresqlflexibleservers 3.0 has them. Names and passwords of
administrators, and names of servers: https://learn.microsoft.com/rest/api/postgresql and
https://learn.microsoft.com/azure/postgresql/configure-maintain/quickstart-create-server. Who may connect, and that
0.0.0.0 stands for all of Azure: https://learn.microsoft.com/azure/postgresql/network/how-to-networking. That TLS is
required until require_secure_transport is off: https://learn.microsoft.com/azure/postgresql/security/security-tls.
ServerNameAlreadyExists as quoted in public issues (terraform-provider-azurerm); the other codes and texts are recalled.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from localcloud.databases import Admission, DatabaseFailure

from . import placed
from .operations import OperationFailed, Settle, Work
from .store import IN_PROGRESS, Operation, Resource
from .wire import ArmError, Body, Call, Reply, link
from .world_names import WorldNames

if TYPE_CHECKING:
    from .cloud import Cloud

NAMESPACE = "Microsoft.DBforPostgreSQL"
TYPE = f"{NAMESPACE}/flexibleServers"
DATABASE, RULE, CONFIGURATION = f"{TYPE}/databases", f"{TYPE}/firewallRules", f"{TYPE}/configurations"
CREATE, CHANGE = "create flexible server", "change flexible server"
NAMES = WorldNames(
    holders=(TYPE,),
    pattern=re.compile(r"[a-z0-9]([a-z0-9-]{1,61}[a-z0-9])"),
    code="InvalidServerName",
    reason="Invalid",
    not_valid=(
        "The server name '{name}' is invalid: it takes 3 to 63 lower-case letters, digits and hyphens, no hyphen at "
        "the ends."
    ),
    taken="Specified server name is already used.",
)
TIERS = ("Burstable", "GeneralPurpose", "MemoryOptimized")
# https://learn.microsoft.com/azure/postgresql/security/security-manage-users
RESERVED = ("azure_superuser", "azuresu", "azure_pg_admin", "admin", "administrator", "root", "guest", "public")
# what a server that says nothing about it has
FIELDS: Body = {
    "storage": {"storageSizeGB": 32, "autoGrow": "Disabled", "tier": "P4", "iops": 120, "type": ""},
    "authConfig": {"activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled"},
    "backup": {"backupRetentionDays": 7, "geoRedundantBackup": "Disabled"},
    "network": {"publicNetworkAccess": "Enabled"},
    "highAvailability": {"mode": "Disabled", "state": "NotEnabled"},
    "maintenanceWindow": {"customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0},
}


# --- the routes of servers


def get(call: Call) -> Reply:
    return Reply(200, placed.find(call, TYPE).body)


def list_servers(call: Call) -> Reply:
    return placed.listed(call, TYPE)


def put(call: Call) -> Reply:
    asked = placed.asked(call, TYPE, NAMES)
    given, name, sent = asked.given, asked.name, asked.properties
    if asked.standing is not None:
        return _change(call, asked.standing, given)
    NAMES.require_free(call.cloud, name, "ServerNameAlreadyExists")
    try:
        host = call.cloud.databases.host(name)
    except DatabaseFailure as exc:
        raise ArmError(409, "ServerQuotaExceeded", str(exc)) from exc
    login, password = str(sent.get("administratorLogin") or ""), str(sent.get("administratorLoginPassword") or "")
    _require_login(login)
    _require_password(login, password)
    version = str(sent.get("version") or call.cloud.databases.versions()[-1])
    if version not in call.cloud.databases.versions():
        raise not_allowed("version", version)
    body: Body = {
        "id": placed.place(call, TYPE),
        "name": name,
        "type": TYPE,
        "location": asked.location,
        "tags": given.get("tags") or {},
        "sku": _sku(given.get("sku")),
        "properties": {
            "administratorLogin": login,
            "version": version,
            "fullyQualifiedDomainName": host,
            "state": "Starting",
            "replicationRole": "Primary",
            "replicaCapacity": 5,
            "privateEndpointConnections": [],
            **_fields(sent, FIELDS),
        },
    }
    return _begin(call, CREATE, body, {"password": password})


def patch(call: Call) -> Reply:
    return _change(call, placed.find(call, TYPE), call.object_body())


def _change(call: Call, standing: Resource, given: Body) -> Reply:
    body, sent = copy.deepcopy(standing.body), given.get("properties") or {}
    login = body["properties"]["administratorLogin"]
    if sent.get("administratorLogin", login) != login:
        raise ArmError(400, "InvalidParameterValue", "The administrator login of a server cannot be changed.")
    version = str(sent.get("version") or body["properties"]["version"])
    if version != body["properties"]["version"]:
        raise not_allowed("version", version)
    password = str(sent.get("administratorLoginPassword") or "")
    if password:
        _require_password(login, password)
    before = body["properties"]["storage"]["storageSizeGB"]
    body["properties"].update(_fields(sent, body["properties"]))
    if body["properties"]["storage"]["storageSizeGB"] < before:
        raise ArmError(400, "StorageSizeCannotBeReduced", "The storage of a server cannot be made smaller.")
    if given.get("sku"):
        body["sku"] = _sku(given["sku"])
    if given.get("tags") is not None:
        body["tags"] = given["tags"]
    return _begin(call, CHANGE, body, {"password": password})


def delete(call: Call) -> Reply:
    found = placed.existing(call, TYPE)
    if found is None:
        return Reply(204)
    remove(call.cloud, found)
    return Reply(204)


def remove(cloud: Cloud, server: Resource) -> None:
    """With its data, for good."""
    cloud.databases.delete(server.name)
    for kind in (DATABASE, RULE, CONFIGURATION):
        for item in below(cloud, server, kind):
            cloud.store.delete(item.id)
    cloud.store.delete(server.id)


def _begin(call: Call, kind: str, body: Body, private: Body) -> Reply:
    store = call.cloud.store
    with store.transaction():
        store.put(Resource(body["id"], TYPE, call["sub"], call["group"], body["name"], body, private))
        operation = call.cloud.operations.begin(kind, body["id"], body["location"])
    return Reply(202, headers=headers(call, operation))


def headers(call: Call, operation: Operation) -> dict[str, str]:
    base = f"/subscriptions/{call['sub']}/providers/{NAMESPACE}/locations/{operation.location}"
    version = {"api-version": call.query["api-version"]}
    return {
        "azure-asyncoperation": link(call, f"{base}/azureAsyncOperation/{operation.id}", version),
        "location": link(call, f"{base}/operationResults/{operation.id}", version),
        **_pace(call),
    }


def _pace(call: Call) -> dict[str, str]:
    """Azure says 10 s or more."""
    milliseconds = call.cloud.config.poll_milliseconds
    return {} if milliseconds is None else {"retry-after-ms": str(milliseconds)}


def operation_status(call: Call) -> Reply:
    operation = _operation(call)
    body: Body = {"name": operation.id, "status": operation.status, "startTime": operation.started}
    if operation.error:
        body["error"] = operation.error
    return Reply(200, body, _pace(call) if operation.status == IN_PROGRESS else {})


def operation_result(call: Call) -> Reply:
    operation = _operation(call)
    if operation.status == IN_PROGRESS:
        return Reply(202, headers={"location": link(call, call.path, call.query), **_pace(call)})
    found = call.cloud.store.get(operation.resource_id)
    return Reply(204) if found is None else Reply(200, found.body)


def _operation(call: Call) -> Operation:
    found = call.cloud.store.operation(call["operation"])
    if found is None:
        raise ArmError(404, "OperationNotFound", f"The operation '{call['operation']}' could not be found.")
    return found


# --- the rules


def below(cloud: Cloud, server: Resource, kind: str) -> list[Resource]:
    found = cloud.store.find(kind=kind, subscription=server.subscription, group=server.group)
    return [item for item in found if item.key.startswith(f"{server.key}/")]


def admission(cloud: Cloud, server: Resource) -> Admission:
    """Nobody, until a rule of the firewall says so, and where public access is on."""
    rules = (item.body["properties"] for item in below(cloud, server, RULE))
    ranges = tuple((rule["startIpAddress"], rule["endIpAddress"]) for rule in rules)
    secure = cloud.store.get(f"{server.id}/configurations/require_secure_transport")
    opened = server.body["properties"]["network"].get("publicNetworkAccess") != "Disabled"
    plain = secure is not None and secure.body["properties"]["value"] == "off"
    return Admission(ranges if opened else (), plain)


def _require_login(login: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", login) or login.lower() in RESERVED or login.startswith("pg_"):
        raise ArmError(400, "InvalidParameterValue", f"Invalid value given for administratorLogin: '{login}'.")


def _require_password(login: str, password: str) -> None:
    kinds = sum(bool(re.search(signs, password)) for signs in ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9]"))
    if not 8 <= len(password) <= 128 or kinds < 3 or login.lower() in password.lower():
        raise ArmError(
            400,
            "PasswordTooSimple",
            "Password validation failed. The password does not meet policy requirements: it is not complex enough.",
        )


def _sku(given: Any) -> Body:
    name, tier = (str((given or {}).get(key) or "") for key in ("name", "tier"))
    if not name.startswith("Standard_") or tier not in TIERS:
        raise ArmError(400, "InvalidSku", f"The SKU '{name}' of the tier '{tier}' is not supported.")
    return {"name": name, "tier": tier}


def _fields(sent: Body, before: Body) -> Body:
    return {name: {**before[name], **(sent.get(name) or {})} for name in FIELDS}


def not_allowed(name: str, value: object) -> ArmError:
    return ArmError(400, "InvalidParameterValue", f"Invalid value given for parameter {name}: '{value}'.")


# --- the work


def open_all(cloud: Cloud) -> None:
    """After a restart: the servers that there are answer again."""
    for item in cloud.store.find(kind=TYPE):
        if item.body["properties"]["state"] == "Ready":
            cloud.databases.open(item.name, item.body["properties"]["administratorLogin"], "", admission(cloud, item))


def works(cloud: Cloud) -> dict[str, Work]:
    def run(operation: Operation) -> Settle:
        found = cloud.store.get(operation.resource_id)
        if found is not None:
            login, password = found.body["properties"]["administratorLogin"], found.private.get("password", "")
            try:
                cloud.databases.open(found.name, login, password, admission(cloud, found))
            except DatabaseFailure as exc:
                raise OperationFailed("InternalServerError", str(exc)) from exc
        return lambda: state(operation, "Ready")

    def state(operation: Operation, value: str) -> None:
        found = cloud.store.get(operation.resource_id)
        if found is not None:
            body = {**found.body, "properties": {**found.body["properties"], "state": value}}
            # the password is PostgreSQL's from here on
            cloud.store.put(Resource(found.id, TYPE, found.subscription, found.group, found.name, body, {}))

    def failed(operation: Operation) -> None:
        state(operation, "Disabled")

    return {kind: Work(run, failed) for kind in (CREATE, CHANGE)}
