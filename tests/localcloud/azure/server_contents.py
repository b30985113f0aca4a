# SPDX-License-Identifier: GPL-3.0-or-later
"""What a flexible server of Azure Database for PostgreSQL holds: databases, rules of its firewall, and parameters.

Sources as in flexible_servers; names of databases: the REST reference of Databases - Create.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from localcloud.databases import DatabaseFailure

from . import placed
from .flexible_servers import CONFIGURATION, DATABASE, RULE, TYPE, admission, below, headers, not_allowed
from .operations import Work
from .store import Resource
from .wire import ArmError, Body, Call, Reply

if TYPE_CHECKING:
    from .cloud import Cloud

CHILD = "change what a flexible server holds"
# the server parameters that are known here: (type, default, allowed values)
PARAMETERS: dict[str, tuple[str, str, str]] = {"require_secure_transport": ("Boolean", "on", "on,off")}


def _child(call: Call, kind: str) -> tuple[Resource, str]:
    """The server, which has to be there, and the id of what the path names in it."""
    server = placed.find(call, TYPE)
    if server.body["properties"]["state"] != "Ready":
        raise ArmError(409, "ServerIsBusy", f"Cannot complete operation because server '{server.name}' is busy.")
    return server, f"{server.id}/{kind.rpartition('/')[2]}/{call['child']}"


def _keep(call: Call, server: Resource, kind: str, name: str, properties: Body) -> Reply:
    """It is so when it is answered; what the client is sent to is over by then."""
    place = f"{server.id}/{kind.rpartition('/')[2]}/{name}"
    body: Body = {"id": place, "name": name, "type": kind, "properties": properties}
    call.cloud.store.put(Resource(place, kind, call["sub"], call["group"], name, body, {}))
    call.cloud.databases.admit(server.name, admission(call.cloud, server))
    operation = call.cloud.operations.begin(CHILD, place, server.body["location"])
    return Reply(202, headers=headers(call, operation))


def _standing(call: Call, kind: str) -> Resource:
    _server, place = _child(call, kind)
    found = call.cloud.store.get(place)
    if found is None:
        raise ArmError(
            404,
            "ResourceNotFound",
            f"The requested resource of type '{kind}' with name '{call['child']}' was not found.",
        )
    return found


def get_database(call: Call) -> Reply:
    return Reply(200, _standing(call, DATABASE).body)


def put_database(call: Call) -> Reply:
    server, _place = _child(call, DATABASE)
    sent = call.object_body().get("properties") or {}
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,62}", call["child"]):
        raise not_allowed("databaseName", call["child"])
    properties = {"charset": sent.get("charset") or "UTF8", "collation": sent.get("collation") or "en_US.utf8"}
    _told(call, [call["child"]], [])
    return _keep(call, server, DATABASE, call["child"], properties)


def delete_database(call: Call) -> Reply:
    _server, place = _child(call, DATABASE)
    if call.cloud.store.get(place) is None:
        return Reply(204)
    _told(call, [], [call["child"]])
    call.cloud.store.delete(place)
    return Reply(204)


def get_rule(call: Call) -> Reply:
    return Reply(200, _standing(call, RULE).body)


def put_rule(call: Call) -> Reply:
    server, _place = _child(call, RULE)
    sent = call.object_body().get("properties") or {}
    ends = {}
    for name in ("startIpAddress", "endIpAddress"):
        try:
            ends[name] = str(ipaddress.IPv4Address(str(sent.get(name))))
        except ValueError:
            raise not_allowed(name, sent.get(name)) from None
    if ipaddress.IPv4Address(ends["startIpAddress"]) > ipaddress.IPv4Address(ends["endIpAddress"]):
        raise not_allowed("endIpAddress", ends["endIpAddress"])
    return _keep(call, server, RULE, call["child"], ends)


def delete_rule(call: Call) -> Reply:
    server, place = _child(call, RULE)
    if call.cloud.store.get(place) is None:
        return Reply(204)
    call.cloud.store.delete(place)
    call.cloud.databases.admit(server.name, admission(call.cloud, server))
    return Reply(204)


def list_children(kind: str) -> Any:
    def listed(call: Call) -> Reply:
        server = placed.find(call, TYPE)
        return Reply(200, {"value": [item.body for item in below(call.cloud, server, kind)]})

    return listed


def get_configuration(call: Call) -> Reply:
    server, place = _child(call, CONFIGURATION)
    return Reply(200, _configuration(call.cloud, server, place, call["child"]))


def put_configuration(call: Call) -> Reply:
    server, place = _child(call, CONFIGURATION)
    body = _configuration(call.cloud, server, place, call["child"])
    sent = call.object_body().get("properties") or {}
    value, allowed = str(sent.get("value") or "").lower(), body["properties"]["allowedValues"].split(",")
    if value not in allowed:
        raise not_allowed("value", sent.get("value"))
    properties = {**body["properties"], "value": value, "source": "user-override"}
    return _keep(call, server, CONFIGURATION, body["name"], properties)


def _configuration(cloud: Cloud, server: Resource, place: str, name: str) -> Body:
    found = cloud.store.get(place)
    if found is not None:
        return found.body
    if name not in PARAMETERS:
        raise ArmError(404, "ConfigurationNotExists", f"The configuration '{name}' does not exist for {server.name}.")
    data_type, default, allowed = PARAMETERS[name]
    properties = {
        "value": default,
        "defaultValue": default,
        "dataType": data_type,
        "allowedValues": allowed,
        "source": "system-default",
        "isDynamicConfig": True,
        "isReadOnly": False,
        "isConfigPendingRestart": False,
    }
    return {"id": place, "name": name, "type": CONFIGURATION, "properties": properties}


def _told(call: Call, wanted: list[str], unwanted: list[str]) -> None:
    try:
        call.cloud.databases.databases(call["name"], wanted, unwanted)
    except DatabaseFailure as exc:
        raise ArmError(500, "InternalServerError", str(exc)) from exc


def works(cloud: Cloud) -> dict[str, Work]:
    """It was done before the operation began."""
    return {CHILD: Work(lambda _operation: lambda: None, lambda _operation: None)}
