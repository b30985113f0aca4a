# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the AKS provider sends a client to ask how its operation goes."""

from __future__ import annotations

import secrets

from . import locations
from .store import IN_PROGRESS, Operation
from .wire import AksError, Body, Call, Reply, link

OPERATIONS_VERSION = "2025-03-01"  # what AKS puts into the links it makes, whatever the client's version


def poll_headers(call: Call, operation: Operation, *, result: bool = False) -> dict[str, str]:
    """AKS signs its links at length (some kilobytes); a client has to carry them as they are."""
    base = f"/subscriptions/{call['sub']}/providers/Microsoft.ContainerService/locations/{operation.location}"
    signature = {
        "api-version": OPERATIONS_VERSION,
        "t": str(int.from_bytes(secrets.token_bytes(7), "big")),
        "c": secrets.token_urlsafe(900),
        "s": secrets.token_urlsafe(256),
        "h": secrets.token_urlsafe(32),
    }
    headers = {"azure-asyncoperation": link(call, f"{base}/operations/{operation.id}", signature)}
    if result:
        headers["location"] = link(call, f"{base}/operationresults/{operation.id}", signature)
    return {**headers, **pace(call)}


def pace(call: Call) -> dict[str, str]:
    """The one thing real AKS does not send; without it SDKs sleep 30 s between two polls."""
    milliseconds = call.cloud.config.poll_milliseconds
    return {} if milliseconds is None else {"retry-after-ms": str(milliseconds)}


def _operation(call: Call) -> Operation:
    operation = call.cloud.store.operation(call["operation"])
    if operation is None or operation.location != locations.normalise(call["location"]):
        raise AksError(404, "NotFound", f"Operation {call['operation']} was not found in location {call['location']}.")
    return operation


def operation_status(call: Call) -> Reply:
    operation = _operation(call)
    body: Body = {"name": operation.id, "status": operation.status, "startTime": operation.started}
    if operation.status == IN_PROGRESS:
        return Reply(200, body, pace(call))
    body["endTime"] = operation.ended
    if operation.error:
        body["error"] = operation.error
    return Reply(200, body)


def operation_result(call: Call) -> Reply:
    operation = _operation(call)
    if operation.status == IN_PROGRESS:
        return Reply(202, headers={"location": link(call, call.path, call.query), **pace(call)})
    if operation.error:
        raise AksError(409, operation.error["code"], operation.error["message"])
    return Reply(204)
