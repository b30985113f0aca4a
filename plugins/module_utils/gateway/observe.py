# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the domain asks a cluster: served kinds, accepted classes, what is ready, what stands, what proxies log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import NotReady, Reason, ServiceError
from ..kube.apply.bundle import apply_bundle, plan_without_cluster
from ..kube.apply.options import BundleOptions, BundleOutcome
from ..kube.apply.owned_objects import TYPES as KUBERNETES_TYPES
from ..kube.apply.owned_objects import delete_owned, is_owned
from ..kube.apply.requests import Target, map_concurrently, read_live
from ..kube.client import Kube
from ..kube.diagnosis.snapshot import Snapshot
from ..kube.discovery import ResourceType
from ..kube.manifests import Object, ObjectRef
from ..task import Task
from ..waiting import Deadline, poll
from .diagnosis import Facts, misdirected_hosts
from .domain import NAME
from .gateway_readiness import JUDGES, about, judge_class
from .gateway_spec import APP_ROUTING, OWNER_LABEL, TYPES, DeclaredGateway, proxy_labels
from .route_spec import owned_by

PODS = ResourceType("v1", "Pod", "pods", True)
_LINES, _BYTES, _MOST_PODS = 400, 400_000, 20
INSTALL = (
    "Install the implementation first: the role gateway does for Envoy Gateway; on AKS, `az aks update "
    "--enable-gateway-api --enable-app-routing-istio` does. Certificates need cert-manager."
)


def unserved(kube: Kube, kinds: Iterable[str]) -> list[str]:
    """The resources of these kinds that the cluster does not know."""
    return [
        f"{TYPES[kind].plural}.{TYPES[kind].group}"
        for kind in dict.fromkeys(kinds)
        if kube.resource_type(TYPES[kind].api_version, kind) is None
    ]


def wait_for_kinds(kube: Kube, task: Task, subject: str, kinds: Iterable[str], deadline: Deadline) -> None:
    """NotReady where they are not served in time; a controller that was just installed may still bring them."""
    wanted = list(dict.fromkeys(kinds))
    lacking = poll(
        lambda: unserved(kube, wanted),
        lambda found: f"waiting for {', '.join(found)}" if found else None,
        deadline,
        task.progress,
    )
    if lacking:
        reasons = [Reason("", "CrdNotServed", f"the cluster does not serve {', '.join(lacking)}", INSTALL, True)]
        raise NotReady(subject, reasons, waited=deadline.elapsed)


def wait_for_class(kube: Kube, task: Task, name: str, deadline: Deadline) -> None:
    """NotReady where no controller takes the class up: a Gateway of it would never be looked at."""

    def look() -> list[Reason]:
        found = kube.get(TYPES["GatewayClass"].path(None, name), action=f"read GatewayClass {name}")
        if found is not None:
            return judge_class({"kind": "GatewayClass", **found})
        missing = {"kind": "GatewayClass", "metadata": {"name": name}}
        return [about(missing, "GatewayClassNotAccepted", "does not exist")]

    reasons = poll(look, lambda found: f"waiting for {found[0].finding}" if found else None, deadline, task.progress)
    if reasons:
        raise NotReady(f"GatewayClass {name}", reasons, waited=deadline.elapsed)


def wait_until_ready(kube: Kube, task: Task, items: Sequence[Object], deadline: Deadline) -> list[Object]:
    """The objects as they stand once controllers have taken them up; NotReady with their own words otherwise."""
    from ..kube.readiness.wait import wait_ready

    return wait_ready(kube, task, items, max(1.0, deadline.left), judges=JUDGES)


def wait_for_proxies_to_go(kube: Kube, task: Task, gateway: DeclaredGateway, deadline: Deadline) -> None:
    """NotReady while what the controller made for a gateway stands: a Gateway has no finalizer, so whoever removes the
    controller too early leaves a load balancer and proxies behind that go on answering."""
    selector = ",".join(f"{key}={value}" for key, value in proxy_labels(gateway.name, gateway.namespace).items())
    kinds = [KUBERNETES_TYPES[kind] for kind in ("Service", "Deployment")]

    def look() -> list[Object]:
        return [
            {"kind": one.kind, **row}
            for one in kinds
            for row in kube.list_objects(one, gateway.controller_namespace, label_selector=selector)
        ]

    left = poll(
        look, lambda found: f"waiting for the end of {len(found)} objects" if found else None, deadline, task.progress
    )
    if left:
        reasons = [about(one, "ProxiesLeft", "was made for a gateway that is gone") for one in left]
        raise NotReady(f"Gateway {gateway.namespace}/{gateway.name}", reasons, waited=deadline.elapsed)


def apply_phases(
    kube: Kube, task: Task, subject: str, phases: Sequence[Sequence[Object]], renderer: str
) -> BundleOutcome:
    """One after the other: what closes a way stands before the way does."""
    options = BundleOptions(
        subject=subject,
        # AKS' operator writes the certificate that it has fetched into the listener
        exclusive=renderer != APP_ROUTING,
        wait_timeout=float(task.params["wait_timeout"]),
    )
    outcome = BundleOutcome(())
    for some in phases:
        lacking = unserved(kube, (item["kind"] for item in some)) if task.check_mode else []
        if lacking:
            # an earlier task of this run would bring them
            applied = plan_without_cluster(some, f"{', '.join(lacking)}, which the cluster does not serve yet")
        else:
            applied = apply_bundle(kube, task, some, options, None)
        outcome = BundleOutcome((*outcome.outcomes, *applied.outcomes), (*outcome.notes, *applied.notes))
        outcome.raise_failures(f"apply {subject}")
    return outcome


def live_of(kube: Kube, targets: Sequence[Target]) -> Mapping[ObjectRef, Object]:
    """Those of them that are there; of a kind that is not served, none is."""
    served = {kind for kind in {one.ref.kind for one in targets} if not unserved(kube, [kind])}
    return read_live(kube, [one for one in targets if one.ref.kind in served]).complete


def remove_in_order(
    kube: Kube, task: Task, subject: str, owner: str, groups: Sequence[Sequence[Target]]
) -> BundleOutcome:
    """What is ours of these, one group after the other: a way in goes before what closes it."""
    live = live_of(kube, [one for group in groups for one in group])
    outcome = BundleOutcome(())
    for group in groups:
        ours = [one for one in group if is_owned(live.get(one.ref), OWNER_LABEL, owner)]
        outcome = BundleOutcome((*outcome.outcomes, *delete_owned(kube, task, subject, ours, live)))
        outcome.raise_failures(f"remove what {subject} no longer needs")
    return outcome


def listed_of(kube: Kube, kinds: Iterable[str], owner: str, namespace: str | None = None) -> list[Object]:
    """All objects of these kinds that belong to a gateway."""
    found: list[Object] = []
    for kind in kinds:
        if not unserved(kube, [kind]):
            resource = TYPES[kind]
            rows = kube.list_objects(resource, namespace, label_selector=owned_by(owner))
            found += [{"apiVersion": resource.api_version, "kind": kind, **row} for row in rows]
    return found


def observe_logs(_task: Task, kube: Kube, snapshot: Snapshot) -> Snapshot:
    """The snapshot with what proxies have logged; proxies are in the controller's namespace, asked about or not."""
    wanted = [
        proxy_labels(one["metadata"]["name"], one["metadata"]["namespace"]).items()
        for one in snapshot.of("Gateway")
        if (one["metadata"].get("labels") or {}).get(OWNER_LABEL)
    ]
    pods = [
        pod
        for pod in (_proxies(kube, snapshot) if wanted else ())
        if any(some <= (pod["metadata"].get("labels") or {}).items() for some in wanted)
    ][:_MOST_PODS]
    logs = map_concurrently(lambda pod: _log(kube, dict(pod)), pods)
    found = Facts(misdirected_hosts([line for lines in logs for line in lines]))
    return replace(snapshot, facts={**snapshot.facts, NAME: found})


def _proxies(kube: Kube, snapshot: Snapshot) -> Sequence[Mapping[str, Any]]:
    """The pods of proxies, wherever they are; where they may not be listed, those in the namespaces asked about."""
    try:
        return kube.list_objects(PODS, label_selector=",".join(proxy_labels("", "")), quiet=True)
    except ServiceError:
        return snapshot.all("Pod")


def _log(kube: Kube, pod: Mapping[str, Any]) -> list[str]:
    metadata = pod["metadata"]
    query = {"container": "envoy", "tailLines": _LINES, "limitBytes": _BYTES}
    path = PODS.path(metadata["namespace"], metadata["name"], "log")
    try:
        answer = kube.request("GET", path, query=query, action=f"read the log of {metadata['name']}")
    except ServiceError:
        # one that has not started, or that may not be read
        return []
    return answer.body.decode(errors="replace").splitlines()
