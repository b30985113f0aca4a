# SPDX-License-Identifier: GPL-3.0-or-later
"""Give Services of type LoadBalancer their addresses, as the cloud provider of AKS does: kube-proxy does the rest.

    python -m localcloud.kube.load_balancers DIRECTORY_OF_A_CLUSTER

Standard library only: it runs as root, beside the cluster's own parts.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from localcloud.files import write_atomically
from localcloud.kube.addons import role_of_user
from localcloud.kube.addresses import CLEANUP, Decision, Pools, decide
from localcloud.kube.allowed_ranges import rules
from localcloud.kube.api import Api, ApiError
from localcloud.kube.layout import ClusterLayout

USER, CLIENT = "system:load-balancers", "load-balancers"
SERVICES = "/api/v1/services"
MERGE = "application/merge-patch+json"
# How long a watch lasts before everything is looked at again; shorter where an address may still come.
WATCH_SECONDS, IMPATIENT_SECONDS = 300, 2


def objects() -> list[dict[str, Any]]:
    rules = [
        {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": [""], "resources": ["services/status"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ]
    return role_of_user(USER, rules)


def pools(layout: ClusterLayout) -> Pools:
    """With the public IP addresses that the cluster's identity may use, as the local Azure wrote them down."""
    try:
        fixed = json.loads(layout.public_addresses.read_text())
    except FileNotFoundError:
        fixed = {}
    return Pools(layout.public_network, layout.internal_network, fixed)


def event(decision: Decision, now: str) -> dict[str, Any]:
    """One of a kind for each message: a second one with the same name is refused."""
    reason = "SyncLoadBalancerFailed" if decision.refusal else "EnsuredLoadBalancer"
    message = f"Error syncing load balancer: failed to ensure load balancer: {decision.refusal}"
    message = message if decision.refusal else "Ensured load balancer"
    digest = hashlib.sha256(f"{decision.uid} {reason} {message} {decision.address}".encode()).hexdigest()[:16]
    owner = {"apiVersion": "v1", "kind": "Service", "namespace": decision.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{decision.name}.{digest}", "namespace": decision.namespace},
        "involvedObject": {**owner, "name": decision.name, "uid": decision.uid},
        "type": "Warning" if decision.refusal else "Normal",
        "reason": reason,
        "message": message,
        "source": {"component": "service-controller"},
        "reportingComponent": "service-controller",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


class Loop:
    def __init__(self, layout: ClusterLayout) -> None:
        self.layout = layout
        self.api = Api(layout, CLIENT)
        self.filtered = ""

    def run(self) -> None:
        while True:
            found = self.api.get(SERVICES) or {"items": [], "metadata": {}}
            refused = self.reconcile(found["items"])
            seconds = IMPATIENT_SECONDS if refused else WATCH_SECONDS
            for service in self.changes(found["metadata"].get("resourceVersion", ""), seconds):
                if service["spec"].get("type") == "LoadBalancer" or CLEANUP in service["metadata"].get(
                    "finalizers", []
                ):
                    break

    def changes(self, version: str, seconds: int) -> Iterator[Mapping[str, Any]]:
        """The Services that change, until the watch ends; its connection is its own."""
        connection = self.api.connect(timeout=seconds + 10)
        try:
            query = f"watch=1&resourceVersion={version}&timeoutSeconds={seconds}"
            connection.request("GET", f"{SERVICES}?{query}")
            response = connection.getresponse()
            while line := response.readline():
                change = json.loads(line)
                if change["type"] == "ERROR":  # the version is too old: look again
                    return
                yield change["object"]
        finally:
            connection.close()

    def reconcile(self, services: list[dict[str, Any]]) -> bool:
        """Whether a Service waits for an address."""
        decisions = decide(services, pools(self.layout))
        # before somebody is told of an address
        self.filter(services, decisions)
        self.note_use(decisions)
        finalizers = {service["metadata"]["uid"]: service["metadata"].get("finalizers", []) for service in services}
        for decision in decisions:
            path = f"/api/v1/namespaces/{decision.namespace}/services/{decision.name}"
            held = finalizers[decision.uid]
            if decision.balanced and CLEANUP not in held:
                self.patch(path, {"metadata": {"finalizers": [*held, CLEANUP]}})
            if decision.changed:
                ingress = [{"ip": decision.address}] if decision.address else None
                self.patch(f"{path}/status", {"status": {"loadBalancer": {"ingress": ingress}}})
                print(f"{decision.namespace}/{decision.name}: {decision.address or 'no address'}", flush=True)
            if decision.refusal or (decision.changed and decision.address):
                now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                events = f"/api/v1/namespaces/{decision.namespace}/events"
                self.api.request("POST", events, event(decision, now), "application/json")
            if not decision.balanced:
                self.patch(path, {"metadata": {"finalizers": [one for one in held if one != CLEANUP]}})
        return any(decision.refusal for decision in decisions)

    def filter(self, services: list[dict[str, Any]], decisions: list[Decision]) -> None:
        text = rules(services, decisions)
        if text != self.filtered:
            subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)
            self.filtered = text

    def note_use(self, decisions: list[Decision]) -> None:
        """Which public IP addresses are in use, for this host's routes and for the local Azure."""
        network = ipaddress.IPv4Network(self.layout.shared_network)
        used = sorted(
            {one.address for one in decisions if one.address and ipaddress.IPv4Address(one.address) in network}
        )
        if used != sorted(self.layout.addresses_in_use()):
            write_atomically(self.layout.used_addresses, json.dumps(used) + "\n", 0o644)

    def patch(self, path: str, change: Mapping[str, Any]) -> None:
        status, body = self.api.request("PATCH", path, change, MERGE)
        if status not in (200, 404):  # who is gone needs nothing more
            raise ApiError(f"PATCH {path} was answered with {status}: {body[:300].decode(errors='replace')}")


def main() -> int:
    layout = ClusterLayout.from_json((Path(sys.argv[1]) / "cluster.json").read_text())
    while True:
        try:
            Loop(layout).run()
        except (OSError, http.client.HTTPException, ApiError, ValueError, subprocess.SubprocessError) as exc:
            print(f"{type(exc).__name__}: {exc}", flush=True)
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
