# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource groups, and the list of what they hold."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from . import locations
from .operations import OperationFailed, Settle, Work
from .store import IN_PROGRESS, Operation, Resource
from .wire import ArmError, Body, Call, Reply, link, page

if TYPE_CHECKING:
    from .cloud import Cloud

TYPE = "Microsoft.Resources/resourceGroups"
DELETE = "delete resource group"
# extension resources are no part of the list of resources, and neither are proxy resources below another one
NOT_LISTED = (
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Authorization/roleDefinitions",
    "Microsoft.ContainerRegistry/registries/runs",
    "Microsoft.KeyVault/deletedVaults",
    "Microsoft.KeyVault/vaults/secrets",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Network/dnszones/A",
    "Microsoft.Network/privateDnsZones/A",
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
)
NAME = re.compile(r"[-\w._()]{0,89}[-\w_()]")


def group_id(subscription: str, name: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{name}"


def find(cloud: Cloud, subscription: str, name: str) -> Resource:
    group = cloud.store.get(group_id(subscription, name))
    if group is None:
        raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    return group


def require_usable(cloud: Cloud, subscription: str, name: str) -> Resource:
    """A group that something may be created in or changed."""
    group = find(cloud, subscription, name)
    if group.body["properties"]["provisioningState"] == "Deleting":
        raise ArmError(
            409,
            "ResourceGroupBeingDeleted",
            f"The resource group '{name}' is in deprovisioning state and cannot perform this operation.",
        )
    return group


# --- the routes


def head(call: Call) -> Reply:
    return Reply(404 if call.cloud.store.get(group_id(call["sub"], call["group"])) is None else 204)


def get(call: Call) -> Reply:
    return Reply(200, find(call.cloud, call["sub"], call["group"]).body)


def list_groups(call: Call) -> Reply:
    bodies = [group.body for group in call.cloud.store.find(kind=TYPE, subscription=call["sub"])]
    return page(call, [body for body in bodies if _tag_matches(call, body)], call.cloud.config.page_size)


def _tag_matches(call: Call, body: Body) -> bool:
    # the names in a filter are spelt as one likes (azure-cli: tagname)
    form = r"tagName eq '([^']*)'(?: and tagValue eq '([^']*)')?"
    match = re.fullmatch(form, call.query.get("$filter", ""), re.IGNORECASE)
    if not match:
        return True
    name, value = match.groups()
    tags = body.get("tags", {})
    return name in tags and value in (None, tags[name])


def put(call: Call) -> Reply:
    name, body = call["group"], call.object_body()
    if not NAME.fullmatch(name):
        raise ArmError(
            400,
            "InvalidResourceGroupName",
            f"The provided resource group name '{name}' is invalid. It may hold up to 90 letters, digits, '-', '.', "
            "'_', '(' and ')' and must not end with '.'.",
        )
    if not body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    location = locations.known(body["location"])
    if location is None:
        raise ArmError(
            400,
            "LocationNotAvailableForResourceGroup",
            f"The provided location '{body['location']}' is not available for resource group. "
            f"List of available regions is '{locations.NAMES}'.",
        )
    existing = call.cloud.store.get(group_id(call["sub"], name))
    if existing is not None:
        require_usable(call.cloud, call["sub"], name)
        if existing.body["location"] != location:
            raise ArmError(
                409,
                "InvalidResourceGroupLocation",
                f"Invalid resource group location '{location}'. The Resource group already exists in location "
                f"'{existing.body['location']}'.",
            )
    identity = existing.id if existing else group_id(call["sub"], name)
    answer: Body = {
        "id": identity,
        "name": existing.name if existing else name,
        "type": TYPE,
        "location": location,
        "properties": {"provisioningState": "Succeeded"},
    }
    if body.get("tags") is not None:
        answer["tags"] = _tags(body["tags"])
    if body.get("managedBy"):
        answer["managedBy"] = body["managedBy"]
    call.cloud.store.put(Resource(identity, TYPE, call["sub"], answer["name"], answer["name"], answer))
    return Reply(200 if existing else 201, answer)


def patch(call: Call) -> Reply:
    group = require_usable(call.cloud, call["sub"], call["group"])
    body = dict(group.body)
    if "tags" in call.object_body():
        body["tags"] = _tags(call.object_body()["tags"] or {})
    call.cloud.store.update(group, body=body)
    return Reply(200, body)


def _tags(tags: object) -> dict[str, str]:
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise ArmError(400, "InvalidRequestContent", "The request content was invalid: tags are strings by name.")
    if len(tags) > 50:
        raise ArmError(400, "InvalidTagCount", "The number of tags exceeds the maximum of 50.")
    return tags


def delete(call: Call) -> Reply:
    group = find(call.cloud, call["sub"], call["group"])
    with call.cloud.store.transaction():
        operation = call.cloud.store.running_on(group.id)
        if operation is None:
            body = {**group.body, "properties": {"provisioningState": "Deleting"}}
            call.cloud.store.update(group, body=body)
            operation = call.cloud.operations.begin(DELETE, group.id, group.body["location"])
    return Reply(202, headers=_poll(call, operation))


def operation_result(call: Call) -> Reply:
    """Where a deletion's Location leads: 202 until it is done."""
    operation = call.cloud.store.operation(call["operation"])
    if operation is None:
        raise ArmError(404, "OperationNotFound", f"The operation '{call['operation']}' could not be found.")
    if operation.status == IN_PROGRESS:
        return Reply(202, headers=_poll(call, operation))
    if operation.error:
        raise ArmError(409, operation.error["code"], operation.error["message"])
    return Reply(200)


def _poll(call: Call, operation: Operation) -> dict[str, str]:
    path = f"/subscriptions/{call['sub']}/operationresults/{operation.id}"
    headers = {"Location": link(call, path, {"api-version": call.query["api-version"]})}
    if call.cloud.config.poll_milliseconds is not None:
        headers["retry-after-ms"] = str(call.cloud.config.poll_milliseconds)
    return headers


# --- the work behind a deletion


def works(cloud: Cloud) -> dict[str, Work]:
    def run(operation: Operation) -> Settle:
        group = cloud.store.get(operation.resource_id)
        if group is not None:
            for resource in _contents(cloud, group):
                _delete_cluster(cloud, resource)
        return lambda: cloud.store.delete(operation.resource_id)

    def failed(operation: Operation) -> None:
        group = cloud.store.get(operation.resource_id)
        if group is not None:
            cloud.store.update(group, body={**group.body, "properties": {"provisioningState": "Succeeded"}})

    return {DELETE: Work(run, failed)}


def _contents(cloud: Cloud, group: Resource) -> list[Resource]:
    held = cloud.store.find(subscription=group.subscription, group=group.name)
    return [resource for resource in held if resource.type != TYPE]


def _delete_cluster(cloud: Cloud, resource: Resource, grace_seconds: float = 900.0) -> None:
    """A cluster that something is being done to is deleted when that is done."""
    deadline = time.monotonic() + grace_seconds
    while cloud.store.running_on(resource.id) is not None:
        if time.monotonic() > deadline:
            raise OperationFailed("ResourceGroupDeletionTimeout", f"'{resource.id}' did not become free.")
        time.sleep(0.05)
    if "backend" in resource.private:
        cloud.backend.delete(resource.private["backend"])
    if resource.type in cloud.removals:
        cloud.removals[resource.type](cloud, resource)
    cloud.store.delete(resource.id)


# --- resources


def list_resources(call: Call) -> Reply:
    """`/resources` of a subscription or of a group, with the filters az and the SDK send."""
    group = call.params.get("group", "")
    if group:
        find(call.cloud, call["sub"], group)
    wanted = dict(re.findall(r"(\w+) eq '([^']*)'", call.query.get("$filter", "")))
    group = group or wanted.get("resourceGroup", "")
    found = call.cloud.store.find(kind=wanted.get("resourceType", ""), subscription=call["sub"], group=group)
    keep = ("id", "name", "type", "location", "tags", "kind", "sku", "identity")
    expanded = "provisioningState" in call.query.get("$expand", "")
    values = []
    for resource in found:
        if resource.type in (TYPE, *NOT_LISTED) or wanted.get("name", resource.name).lower() != resource.name.lower():
            continue
        value = {name: resource.body[name] for name in keep if name in resource.body}
        if expanded:
            value["provisioningState"] = resource.body.get("properties", {}).get("provisioningState")
        values.append(value)
    return page(call, values, call.cloud.config.page_size)
