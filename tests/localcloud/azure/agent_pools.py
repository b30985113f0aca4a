# SPDX-License-Identifier: GPL-3.0-or-later
"""managedClusters/agentPools: the pools of a cluster seen and changed one by one."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from . import cluster_rules, groups, pool_fields
from .aks_operations import poll_headers
from .cluster_work import context_of, new_etag
from .managed_clusters import check_idle, check_preconditions, lookup
from .operations import OperationFailed, Settle, Work
from .sdk_schema import read_body
from .store import Operation, Resource
from .wire import GATEWAY, AksError, ArmError, Body, Call, Reply, page

if TYPE_CHECKING:
    from .cloud import Cloud

TYPE = "Microsoft.ContainerService/managedClusters/agentPools"
PUT, DELETE, IMAGE = "put pool", "delete pool", "upgrade node image"


def pools(cluster: Resource) -> list[Body]:
    found: list[Body] = cluster.body["properties"]["agentPoolProfiles"]
    return found


def _parent(call: Call) -> Resource:
    cluster = lookup(call)
    if cluster is None:
        groups.find(call.cloud, call["sub"], call["group"])  # a missing group is said first
        raise ArmError(
            404,
            "ParentResourceNotFound",
            f"Can not perform requested operation on nested resource. Parent resource '{call['name']}' not found.",
            GATEWAY,
        )
    return cluster


def _named(cluster: Resource, name: str) -> Body | None:
    return next((pool for pool in pools(cluster) if pool["name"].lower() == name.lower()), None)


def _found(call: Call) -> tuple[Resource, Body]:
    cluster = _parent(call)
    pool = _named(cluster, call["pool"])
    if pool is None:
        raise AksError(
            404, "NotFound", f"Could not find the agent pool {call['pool']} in managed cluster {cluster.name}."
        )
    return cluster, pool


def _answer(cluster: Resource, pool: Body) -> Body:
    properties = {name: value for name, value in pool.items() if name != "name"}
    return {
        "id": f"{cluster.id}/agentPools/{pool['name']}",
        "name": pool["name"],
        "type": TYPE,
        "properties": properties,
    }


def list_pools(call: Call) -> Reply:
    cluster = _parent(call)
    return page(call, [_answer(cluster, pool) for pool in pools(cluster)], call.cloud.config.page_size)


def get(call: Call) -> Reply:
    return Reply(200, _answer(*_found(call)))


def put(call: Call) -> Reply:
    cloud = call.cloud
    with cloud.store.transaction():
        cluster = _parent(call)
        existing = _named(cluster, call["pool"])
        check_preconditions(call, existing.get("eTag") if existing else None, existing is not None)
        check_idle(call, cluster)
        name = existing["name"] if existing else call["pool"]
        sent = {**(read_body(call.object_body(), "AgentPool").get("properties") or {}), "name": name}
        outer = context_of(cloud, cluster)
        images = cluster.private.get("images", {})
        context = replace(outer, cluster=cluster.body, api_version=call.query["api-version"], images=images)
        pool = pool_fields.merge(sent, existing, context)
        body = _with_pool(cluster.body, pool)
        cluster_rules.check(cluster_rules.Proposal(context, body, cluster.body, through_cluster=False))
        pool["provisioningState"] = pool_fields.state_while(existing, pool)
        pool.setdefault("currentOrchestratorVersion", context.version)
        body = _with_pool(cluster.body, pool)
        cluster = cloud.store.update(cluster, body=body, private={**cluster.private, "pool": name})
        operation = cloud.operations.begin(PUT, cluster.id, outer.location)
    return Reply(200 if existing else 201, _answer(cluster, pool), poll_headers(call, operation))


def _with_pool(body: Body, pool: Body) -> Body:
    """The cluster with this pool in its place, or as the last one."""
    body = copy.deepcopy(body)
    profiles = body["properties"]["agentPoolProfiles"]
    places = [index for index, other in enumerate(profiles) if other["name"] == pool["name"]]
    if places:
        profiles[places[0]] = copy.deepcopy(pool)
    else:
        profiles.append(copy.deepcopy(pool))
    return body


def delete(call: Call) -> Reply:
    cloud = call.cloud
    with cloud.store.transaction():
        cluster = _parent(call)
        pool = _named(cluster, call["pool"])
        if pool is None:
            return Reply(204)
        check_preconditions(call, pool.get("eTag"), True)
        check_idle(call, cluster)
        others = [other for other in pools(cluster) if other is not pool]
        if pool["mode"] == "System" and not any(other["mode"] == "System" for other in others):
            raise AksError(
                400,
                "OperationNotAllowed",
                "There has to be at least one system agent pool. The last system agent pool "
                f"'{pool['name']}' cannot be deleted.",
            )
        body = _with_pool(cluster.body, {**pool, "provisioningState": "Deleting"})
        cluster = cloud.store.update(cluster, body=body, private={**cluster.private, "pool": pool["name"]})
        operation = cloud.operations.begin(DELETE, cluster.id, cluster.body["location"])
    return Reply(202, headers=poll_headers(call, operation, result=True))


# --- the node image


def upgrade_profile(call: Call) -> Reply:
    cluster, pool = _found(call)
    used = cluster.private.get("images", {}).get(pool["name"], [])
    versions = [{"nodeImageVersion": image, "orchestratorVersion": pool["orchestratorVersion"]} for image in used]
    properties = {
        "kubernetesVersion": pool["currentOrchestratorVersion"],
        "osType": pool["osType"],
        "latestNodeImageVersion": pool_fields.newer_image(pool),
        "recentlyUsedVersions": versions,
    }
    place = f"{cluster.id}/agentPools/{pool['name']}/upgradeProfiles/default"
    return Reply(200, {"id": place, "name": "default", "type": f"{TYPE}/upgradeProfiles", "properties": properties})


def upgrade_image(call: Call) -> Reply:
    """The newest image for the pool's nodes; what they had is a version to roll back to."""
    cloud = call.cloud
    with cloud.store.transaction():
        cluster, pool = _found(call)
        check_preconditions(call, pool.get("eTag"), True)
        check_idle(call, cluster)
        images = dict(cluster.private.get("images", {}))
        images[pool["name"]] = [*images.get(pool["name"], []), pool["nodeImageVersion"]]
        newer = {
            **pool,
            "nodeImageVersion": pool_fields.newer_image(pool),
            "provisioningState": "UpgradingNodeImageVersion",
        }
        private = {**cluster.private, "images": images, "pool": pool["name"]}
        cluster = cloud.store.update(cluster, body=_with_pool(cluster.body, newer), private=private)
        operation = cloud.operations.begin(IMAGE, cluster.id, cluster.body["location"])
    return Reply(202, _answer(cluster, newer), poll_headers(call, operation, result=True))


# --- the work behind: one machine has one node, so only what Azure says about a pool changes


def works(cloud: Cloud) -> dict[str, Work]:
    def find_cluster(operation: Operation) -> Resource:
        cluster = cloud.store.get(operation.resource_id)
        if cluster is None:
            raise OperationFailed("NotFound", f"The cluster '{operation.resource_id}' is gone.")
        return cluster

    def changed(operation: Operation) -> Settle:
        find_cluster(operation)
        return lambda: _settle(cloud, operation, "Succeeded")

    def removed(operation: Operation) -> Settle:
        find_cluster(operation)
        return lambda: _remove(cloud, operation)

    def failed(operation: Operation) -> None:
        _settle(cloud, operation, "Failed")

    return {PUT: Work(changed, failed), IMAGE: Work(changed, failed), DELETE: Work(removed, failed)}


def _settle(cloud: Cloud, operation: Operation, state: str) -> None:
    cluster = cloud.store.get(operation.resource_id)
    pool = _named(cluster, cluster.private["pool"]) if cluster else None
    if cluster is None or pool is None:
        return
    pool = {**pool, "provisioningState": state, "eTag": new_etag()}
    cloud.store.update(cluster, body=_with_pool(cluster.body, pool))


def _remove(cloud: Cloud, operation: Operation) -> None:
    cluster = cloud.store.get(operation.resource_id)
    if cluster is None:
        return
    body = copy.deepcopy(cluster.body)
    gone = cluster.private["pool"]
    body["properties"]["agentPoolProfiles"] = [pool for pool in pools(cluster) if pool["name"] != gone]
    cloud.store.update(cluster, body=body)
