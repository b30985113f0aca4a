# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens behind an operation on a managed cluster: a Kubernetes is started, stopped or removed."""

from __future__ import annotations

import copy
import hashlib
import sys
import threading
import uuid
from typing import TYPE_CHECKING

from localcloud.clusters import ClusterError

from . import cluster_fields
from .fields import Context
from .operations import OperationFailed, Settle, Work
from .store import Operation, Resource
from .wire import Body

if TYPE_CHECKING:
    from .cloud import Cloud

TYPE = "Microsoft.ContainerService/ManagedClusters"
CONVERGE, DELETE, START, STOP, TAG = ("put cluster", "delete cluster", "start cluster", "stop cluster", "tag cluster")


def backend_name(resource_id: str) -> str:
    """One resource, one Kubernetes; short, because it becomes part of interface and cgroup names."""
    return "aks" + hashlib.sha256(resource_id.lower().encode()).hexdigest()[:8]


def context_of(cloud: Cloud, cluster: Resource) -> Context:
    version = cluster.private["version"]
    return Context(cloud, cluster.subscription, cluster.group, cluster.name, cluster.body["location"], version)


def enforces_policies(cluster: Resource) -> bool:
    """Whichever engine was chosen: what differs between them does not show in what is let through."""
    profile: Body = cluster.body["properties"].get("networkProfile", {})
    return bool(profile.get("networkPolicy", "none") != "none")


def entra_groups(cluster: Resource) -> tuple[str, ...] | None:
    """The groups whose members administer it; None where it takes no tokens of Entra at all."""
    profile: Body | None = cluster.body["properties"].get("aadProfile")
    return tuple(profile.get("adminGroupObjectIDs") or ()) if profile and profile.get("managed") else None


def oidc_issuer(cluster: Resource) -> str:
    """Who issues the tokens of its service accounts; empty where the cluster has no issuer of its own."""
    profile: Body = cluster.body["properties"].get("oidcIssuerProfile") or {}
    return str(profile.get("issuerURL") or "") if profile.get("enabled") else ""


def new_etag() -> str:
    return str(uuid.uuid4())


def options(cluster: Resource) -> Body:
    """What of the resource its Kubernetes is started with."""
    return {
        "network_policy": enforces_policies(cluster),
        "entra_groups": entra_groups(cluster),
        "oidc_issuer": oidc_issuer(cluster),
    }


def works(cloud: Cloud) -> dict[str, Work]:
    def find(operation: Operation) -> Resource:
        cluster = cloud.store.get(operation.resource_id)
        if cluster is None:
            raise OperationFailed("NotFound", f"The cluster '{operation.resource_id}' is gone.")
        return cluster

    def start(cluster: Resource) -> str:
        """Start the cluster's Kubernetes, or go over to another version of it; the answer is what really runs."""
        name, version = cluster.private["backend"], cluster.private["version"]
        try:
            if cluster.private.get("running", version) != version:
                cloud.backend.stop(name)
            return cloud.backend.create(name, version, **options(cluster)).kubernetes_version
        except ClusterError as exc:
            raise OperationFailed(
                "InternalOperationError", f"The Kubernetes of managed cluster {cluster.name} did not start: {exc}"
            ) from exc

    def converge(operation: Operation) -> Settle:
        cluster = find(operation)
        stopped = cluster.body["properties"]["powerState"]["code"] == "Stopped"
        running = cluster.private.get("running", "") if stopped else start(cluster)
        return lambda: settle(cloud, operation.resource_id, running=running)

    def power_on(operation: Operation) -> Settle:
        running = start(find(operation))
        return lambda: settle(cloud, operation.resource_id, running=running, power="Running")

    def power_off(operation: Operation) -> Settle:
        try:
            cloud.backend.stop(find(operation).private["backend"])
        except ClusterError as exc:
            raise OperationFailed("InternalOperationError", f"The Kubernetes did not stop: {exc}") from exc
        return lambda: settle(cloud, operation.resource_id, power="Stopped")

    def remove(operation: Operation) -> Settle:
        cluster = find(operation)
        try:
            cloud.backend.delete(cluster.private["backend"])
        except ClusterError as exc:
            raise OperationFailed("InternalOperationError", f"The Kubernetes was not removed: {exc}") from exc
        return lambda: cloud.store.delete(operation.resource_id)

    def tagged(operation: Operation) -> Settle:
        find(operation)
        return lambda: settle(cloud, operation.resource_id)

    def failed(operation: Operation) -> None:
        cluster = cloud.store.get(operation.resource_id)
        if cluster is not None:
            cloud.store.update(cluster, body=_with_new_etags(with_state(cluster.body, "Failed")))

    return {
        CONVERGE: Work(converge, failed),
        DELETE: Work(remove, failed),
        START: Work(power_on, failed),
        STOP: Work(power_off, failed),
        TAG: Work(tagged, failed),
    }


def with_state(body: Body, state: str) -> Body:
    """The cluster in this state, and with it the pools that something was being done to, or all of them when it starts,
    stops or goes. A pool whose own operation failed stays Failed: its state is its own (recorded traffic)."""
    body = copy.deepcopy(body)
    body["properties"]["provisioningState"] = state
    for pool in body["properties"]["agentPoolProfiles"]:
        if state in ("Starting", "Stopping", "Deleting") or pool.get("provisioningState") not in (
            "Succeeded",
            "Failed",
        ):
            pool["provisioningState"] = state
    return body


def _with_new_etags(body: Body) -> Body:
    """An operation of the cluster gives another eTag to it and to each of its pools, however it ends
    (https://learn.microsoft.com/azure/aks/use-etags)."""
    for one in (body, *body["properties"]["agentPoolProfiles"]):
        one["eTag"] = new_etag()
    return body


def settle(cloud: Cloud, resource_id: str, *, running: str = "", power: str = "") -> None:
    """The cluster as it is answered once an operation on it has succeeded."""
    cluster = cloud.store.get(resource_id)
    if cluster is None:
        return
    context = context_of(cloud, cluster)
    body = with_state(cluster.body, "Succeeded")
    properties = _with_new_etags(body)["properties"]
    if power:
        properties["powerState"] = {"code": power}
    if running:
        properties["currentKubernetesVersion"] = running
    for pool in properties["agentPoolProfiles"]:
        if power:
            pool["powerState"] = {"code": power}
        if running:
            pool["currentOrchestratorVersion"] = running
    if "identity" in body:
        properties["identityProfile"] = cluster_fields.kubelet_identity(context, properties["nodeResourceGroup"])
        if assigned := body["identity"].get("userAssignedIdentities"):
            body["identity"]["userAssignedIdentities"] = cluster_fields.assigned_identities(context, assigned)
    balancer = properties["networkProfile"].get("loadBalancerProfile")
    if balancer is not None:
        balancer["effectiveOutboundIPs"] = cluster_fields.outbound_address(context, properties["nodeResourceGroup"])
    private = {**cluster.private, **({"running": running} if running else {})}
    cloud.store.update(cluster, body=body, private=private)
    cloud.publish_addresses()


class Starter:
    """After a restart, starts what Azure says is running. Requests are answered meanwhile."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()
        self.pending: set[str] = set()
        self.failed: dict[str, str] = {}

    def start(self) -> None:
        for cluster in self._cloud.store.find(kind=TYPE):
            busy = self._cloud.store.running_on(cluster.id) is not None
            running = cluster.body["properties"]["powerState"]["code"] == "Running"
            if running and not busy and "running" in cluster.private:
                self.pending.add(cluster.name)
                threading.Thread(target=self._start, args=(cluster,), daemon=True).start()

    def _start(self, cluster: Resource) -> None:
        try:
            name, version = cluster.private["backend"], cluster.private["version"]
            self._cloud.backend.create(name, version, **options(cluster))
        except Exception as exc:
            print(f"cluster {cluster.name} did not start again: {exc}", file=sys.stderr, flush=True)
            with self._lock:
                self.failed[cluster.name] = str(exc)
        finally:
            with self._lock:
                self.pending.discard(cluster.name)
