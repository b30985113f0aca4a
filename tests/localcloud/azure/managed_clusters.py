# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.ContainerService/managedClusters: the routes."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

from . import cluster_fields, cluster_rules, groups, locations, pool_fields, versions
from .aks_operations import poll_headers
from .cluster_work import CONVERGE, DELETE, START, STOP, TAG, TYPE, backend_name, with_state
from .fields import Context, read
from .sdk_schema import read_body
from .store import Resource
from .wire import GATEWAY, AksError, ArmError, Body, Call, Reply, page


def cluster_id(subscription: str, group: str, name: str) -> str:
    """AKS spells `resourcegroups` in lower case."""
    return (
        f"/subscriptions/{subscription}/resourcegroups/{group}/providers/"
        f"Microsoft.ContainerService/managedClusters/{name}"
    )


def lookup(call: Call) -> Resource | None:
    return call.cloud.store.get(cluster_id(call["sub"], call["group"], call["name"]))


def find(call: Call) -> Resource:
    cluster = lookup(call)
    if cluster is None:
        groups.find(call.cloud, call["sub"], call["group"])
        raise ArmError(
            404,
            "ResourceNotFound",
            f"The Resource 'Microsoft.ContainerService/managedClusters/{call['name']}' under resource group "
            f"'{call['group']}' was not found. For more details please go to "
            "https://aka.ms/ARMResourceNotFoundFix",
            GATEWAY,
        )
    return cluster


def get(call: Call) -> Reply:
    return Reply(200, find(call).body)


def list_clusters(call: Call) -> Reply:
    group = call.params.get("group", "")
    if group:
        groups.find(call.cloud, call["sub"], group)
    found = call.cloud.store.find(kind=TYPE, subscription=call["sub"], group=group)
    return page(call, [cluster.body for cluster in found], call.cloud.config.page_size)


# --- who may change it now


def check_preconditions(call: Call, etag: str | None, exists: bool) -> None:
    """If-Match and If-None-Match; AKS keeps the etag in the body and answers none in a header."""
    if_match, if_none_match = call.headers.get("if-match", ""), call.headers.get("if-none-match", "")
    if if_none_match not in ("", "*"):
        raise AksError(400, "BadRequest", "The If-None-Match header may only be empty or '*'.")
    wanted, unwanted = if_match.strip('"'), if_none_match == "*"
    if (unwanted and exists) or (wanted and not exists) or (wanted not in ("", "*") and wanted != etag):
        raise AksError(
            412,
            "PreconditionFailed",
            f"The etag {if_match or if_none_match} does not match the resource's etag {etag or '(none)'}. "
            "Read the resource again and repeat the change.",
        )


def check_idle(call: Call, cluster: Resource) -> None:
    operation = call.cloud.store.running_on(cluster.id)
    if operation is not None:
        raise busy(operation.kind.replace("put", "update"), operation.id, operation.started)


def busy(what: str, operation: str, started: str) -> AksError:
    return AksError(
        409,
        "OperationNotAllowed",
        f"Operation is not allowed because there's an in progress {what} operation (operation ID: {operation}) on the "
        f"managed cluster started on UTC {started[:19]}Z. Please wait for it to finish before starting a new "
        "operation. You can also use 'az aks operation-abort ...' to abort the ongoing operation.",
        subcode="OperationInProgress",
    )


# --- PUT


def put(call: Call) -> Reply:
    cloud, sent = call.cloud, read_body(call.object_body(), "ManagedCluster")
    cluster_rules.check_name(call["name"])
    group = groups.require_usable(cloud, call["sub"], call["group"])
    with cloud.store.transaction():
        existing = lookup(call)
        current = existing.body if existing else None
        check_preconditions(call, current.get("eTag") if current else None, existing is not None)
        if existing:
            check_idle(call, existing)
        context = _context(call, sent, current, existing.private.get("images", {}) if existing else {})
        body = merge(sent, current, context)
        cluster_rules.check(cluster_rules.Proposal(context, body, current))
        named = {str(pool.get("name", "")) for pool in (sent.get("properties") or {}).get("agentPoolProfiles") or ()}
        cluster = _store(call, group, body, existing, Asked(context, named))
        operation = cloud.operations.begin(CONVERGE, cluster.id, context.location)
    if existing:
        return Reply(200, cluster.body, poll_headers(call, operation))
    return Reply(201, _just_created(cluster.body), poll_headers(call, operation))


def _context(call: Call, sent: Body, current: Body | None, images: dict[str, list[str]]) -> Context:
    location = locations.known(sent.get("location"))
    if not sent.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    if location is None:
        raise ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{sent['location']}' is not available for resource type "
            f"'Microsoft.ContainerService/managedClusters'. List of available regions for the resource type is "
            f"'{locations.NAMES}'.",
        )
    if current is not None and current["location"] != location:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{call['name']}' already exists in location '{current['location']}' in resource group "
            f"'{call['group']}'. A resource with the same name cannot be created in location '{location}'. "
            "Please select a new resource name.",
        )
    offered = call.cloud.backend.versions()
    asked = (sent.get("properties") or {}).get("kubernetesVersion") or ""
    if not asked and current is not None:
        asked = current["properties"]["kubernetesVersion"]
    existing = current["properties"].get("currentKubernetesVersion", "") if current else ""
    if existing and asked in (existing, versions.minor(existing)):
        version = existing  # what runs may go on, even when it is offered no longer
    else:
        version = versions.resolve(asked or call.cloud.backend.default_version(), offered, call["name"])
    place = (call["sub"], call["group"], call["name"], location, version)
    return Context(call.cloud, *place, api_version=call.query["api-version"], images=images)


def merge(sent: Body, current: Body | None, context: Context) -> Body:
    """The cluster after this PUT, pools included."""
    sent = copy.deepcopy(sent)
    sent["location"] = context.location
    properties = sent.setdefault("properties", {})
    given = properties.pop("agentPoolProfiles", None)
    existing = {pool["name"]: pool for pool in current["properties"]["agentPoolProfiles"]} if current else {}
    if given is None:
        if current is None:
            raise cluster_rules.missing("agentPoolProfiles")
        given = list(existing.values())
    properties["agentPoolProfiles"] = given  # the autoscaler's defaults depend on the pools
    body = read(sent, current, cluster_fields.CLUSTER, context)
    if body.get("identity", {}).get("type") == "UserAssigned":
        body["identity"].pop("principalId", None)
        body["identity"].pop("tenantId", None)
    cluster_fields.with_addon_identities(body, context, str(body["properties"]["nodeResourceGroup"]))
    inside = replace(context, cluster=body)
    body["properties"]["agentPoolProfiles"] = [
        pool_fields.merge(pool, existing.get(str(pool.get("name", ""))), inside) for pool in given
    ]
    return body


@dataclass(frozen=True)
class Asked:
    """What a PUT is about: its context, and the pools that it names."""

    context: Context
    pools: set[str]


def _store(call: Call, group: Resource, body: Body, existing: Resource | None, asked: Asked) -> Resource:
    context, named = asked.context, asked.pools
    identity = existing.id if existing else cluster_id(call["sub"], group.name, call["name"])
    name = existing.name if existing else call["name"]
    body = {"id": identity, "name": name, "type": TYPE, **body}
    properties = body["properties"]
    if existing is None:
        state = "Creating"
        properties["currentKubernetesVersion"] = context.version
    else:
        moved = existing.private["version"] != context.version
        state = "Upgrading" if moved else "Updating"
    properties["provisioningState"] = state
    before = {pool["name"]: pool for pool in existing.body["properties"]["agentPoolProfiles"]} if existing else {}
    for pool in properties["agentPoolProfiles"]:
        pool.setdefault("currentOrchestratorVersion", context.version)
        if pool["name"] not in before:
            pool["provisioningState"] = "Creating"
        else:
            untouched = pool["name"] not in named or (
                pool == before[pool["name"]] and pool["provisioningState"] != "Failed"
            )
            pool["provisioningState"] = before[pool["name"]]["provisioningState"] if untouched else state
    private = {
        **(existing.private if existing else {}),
        "backend": backend_name(identity),
        "version": context.version,
    }
    cluster = Resource(identity, TYPE, call["sub"], group.name, name, body, private)
    call.cloud.store.put(cluster)
    return cluster


def _just_created(body: Body) -> Body:
    """The 201 shows less than a later GET, and empty labels that disappear."""
    body = copy.deepcopy(body)
    for pool in body["properties"]["agentPoolProfiles"]:
        pool.setdefault("nodeLabels", {})
    return body


# --- PATCH, DELETE, start, stop


def patch(call: Call) -> Reply:
    cluster = find(call)
    with call.cloud.store.transaction():
        check_preconditions(call, cluster.body.get("eTag"), True)
        check_idle(call, cluster)
        body = with_state(cluster.body, "Updating")
        tags = read_body(call.object_body(), "TagsObject").get("tags")
        if tags:
            body["tags"] = dict(tags)
        else:
            body.pop("tags", None)
        call.cloud.store.update(cluster, body=body)
        operation = call.cloud.operations.begin(TAG, cluster.id, body["location"])
    return Reply(200, body, poll_headers(call, operation))


def delete(call: Call) -> Reply:
    cluster = lookup(call)
    if cluster is None:
        return Reply(204)
    with call.cloud.store.transaction():
        check_preconditions(call, cluster.body.get("eTag"), True)
        operation = call.cloud.store.running_on(cluster.id)
        if operation is None or operation.kind != DELETE:
            check_idle(call, cluster)
            call.cloud.store.update(cluster, body=with_state(cluster.body, "Deleting"))
            operation = call.cloud.operations.begin(DELETE, cluster.id, cluster.body["location"])
    return Reply(202, headers=poll_headers(call, operation, result=True))


def start(call: Call) -> Reply:
    return _power(call, START, "Starting")


def stop(call: Call) -> Reply:
    return _power(call, STOP, "Stopping")


def _power(call: Call, kind: str, state: str) -> Reply:
    cluster = find(call)
    with call.cloud.store.transaction():
        check_idle(call, cluster)
        call.cloud.store.update(cluster, body=with_state(cluster.body, state))
        operation = call.cloud.operations.begin(kind, cluster.id, cluster.body["location"])
    return Reply(202, headers=poll_headers(call, operation, result=True))
