# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of k8s_preflight: whether a cluster that is there already can take what is to run in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidInput, NotReady, Problem, Reason, Rule, ServiceError, check
from ..plan import Plan
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..text import counted, listed
from .apply.requests import FORBIDDEN, map_concurrently
from .client import Kube
from .kubeconfig import CONNECTION
from .manifests import Object, flatten_lists
from .readiness.cluster import DEFAULT_CLASS, is_default_class, judge_node
from .readiness.reasons import subject_of
from .syntax import Amount, amounts_of, declared_pods, pod_amount, tolerates, whole_number

SUBJECT = "k8s_preflight"
NODES, CAPACITY, STORAGE, METRICS, PERMISSIONS = CHECKS = ("nodes", "capacity", "storage", "metrics", "permissions")
DEFAULT_STORAGE_CLASS, METRICS_API = REQUIRED = ("default_storage_class", "metrics_api")
NODE_NAMES_SHOWN = 6

_METRICS = "/apis/metrics.k8s.io/v1beta1"
_ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_NO_PODS = ("Succeeded", "Failed")
_KEPT_AWAY = ("NoSchedule", "NoExecute")

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """The pods of one declaration: how many, what each asks, and where they may run."""

    subject: str
    count: int
    each: Amount
    node_selector: Mapping[str, Any] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    on_every_node: bool = False


@dataclass(frozen=True)
class Permission:
    """One right: a verb on a resource (`pods/log` is a subresource) of a group, in a namespace or in all of them."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    @property
    def object(self) -> str:
        plural, slash, below = self.resource.partition("/")
        return f"{plural}{f'.{self.group}' if self.group else ''}{slash}{below}"

    def review(self) -> dict[str, Any]:
        plural, _slash, below = self.resource.partition("/")
        stated = {"verb": self.verb, "group": self.group, "resource": plural}
        further = {key: value for key, value in (("namespace", self.namespace), ("subresource", below)) if value}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {**stated, **further}},
        }


@dataclass(frozen=True)
class Observed:
    """What the cluster says of itself; None is what this identity may not read, or what nobody asked for."""

    version: str
    nodes: Sequence[Object] | None = None
    pods: Sequence[Object] | None = None
    storage_classes: Sequence[Object] | None = None
    metrics: str | None = None
    """What keeps the metrics API from answering, or nothing."""
    refused: Sequence[Permission] = ()
    identity: str = ""


@dataclass
class Verdict:
    """What keeps the cluster from taking what is declared, what is merely worth knowing, and figures."""

    reasons: list[Reason] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def found(self, missing: Iterable[Reason], is_required: bool) -> None:
        if is_required:
            self.reasons.extend(missing)
        else:
            self.notes.extend(map(str, missing))


def converge(task: Task) -> Result:
    """All that keeps the cluster from taking what is declared, in one message; nothing is changed."""
    params = task.params
    wrong = problems(params)
    if wrong:
        raise InvalidInput(SUBJECT, wrong)
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        # no task of this run makes this cluster
        raise InvalidInput(SUBJECT, [Problem("kubeconfig", pending.reason.replace(" yet", ""))]) from pending
    subject = f"cluster {kube.server}"
    wanted = permissions(params, kube) if PERMISSIONS in _checks(params) else []
    observed = observe(kube, _checks(params), wanted)
    verdict = judge(params, observed)
    values = {"cluster": {"server": kube.server, **verdict.values.pop("cluster")}, **verdict.values}
    if wanted:
        values["permissions"] = {"asked": len(wanted), "refused": [vars(one) for one in observed.refused]}
    if verdict.reasons:
        notes = {"notes": verdict.notes} if verdict.notes else {}
        raise NotReady(subject, verdict.reasons, values={**values, **notes}, apart=True)
    return Result(False, f"{subject}: can take what is declared", (Plan(subject, notes=tuple(verdict.notes)),), values)


def problems(params: Params) -> list[Problem]:
    """What is wrong with the options of k8s_preflight."""
    return check(_RULES, params)


def _checks(params: Params) -> Collection[str]:
    chosen: list[str] | None = params["checks"]
    return CHECKS if chosen is None else chosen


def observe(kube: Kube, checks: Collection[str], wanted: Sequence[Permission]) -> Observed:
    """Ask for what the checks need."""
    version = str(kube.request("GET", "/version", action="read the version of the cluster").json()["gitVersion"])
    refused = [one for one, may in zip(wanted, map_concurrently(lambda one: _may(kube, one), wanted)) if not may]
    return Observed(
        version.removeprefix("v"),
        _read(kube, "v1", "Node") if {NODES, CAPACITY} & {*checks} else None,
        _read(kube, "v1", "Pod") if CAPACITY in checks else None,
        _read(kube, "storage.k8s.io/v1", "StorageClass") if STORAGE in checks else None,
        _metrics(kube) if METRICS in checks else None,
        refused,
        _identity(kube) if refused else "",
    )


def _read(kube: Kube, api_version: str, kind: str) -> list[Object] | None:
    resource = kube.resource_type(api_version, kind)
    if resource is None:
        return []
    try:
        return kube.list_objects(resource)
    except ServiceError as refused:
        if refused.status != FORBIDDEN:
            raise
        return None


def _metrics(kube: Kube) -> str:
    answer = kube.request("GET", _METRICS, check=False, retry=False, quiet=True, action="ask the metrics API")
    if answer.status in (200, FORBIDDEN):
        return ""
    return "is not installed" if answer.status == 404 else f"does not answer (HTTP {answer.status})"


def _may(kube: Kube, one: Permission) -> bool:
    answer = kube.request("POST", _ACCESS, body=one.review(), quiet=True, action="ask what this identity may do").json()
    return bool((answer.get("status") or {}).get("allowed"))


def _identity(kube: Kube) -> str:
    """The name that the API server knows this identity by; empty where it does not tell (before 1.28)."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = kube.request("POST", _WHO_AM_I, body=body, check=False, quiet=True, action="ask who this identity is")
    return str(answer.json()["status"]["userInfo"]["username"]) if answer.status in (200, 201) else ""


def judge(params: Params, observed: Observed) -> Verdict:
    """What the cluster lacks for what is declared; pure."""
    checks, verdict = _checks(params), Verdict()
    verdict.values["cluster"] = {"kubernetes_version": observed.version}
    required = {*(params["require"] or ()), *needs_of(_objects(params))}
    if {NODES, CAPACITY} & {*checks}:
        _judge_nodes(params, observed, verdict)
    if STORAGE in checks and observed.storage_classes is None:
        verdict.notes.append("StorageClasses may not be listed, so whether one is the default was not checked.")
    elif STORAGE in checks and observed.storage_classes is not None:
        chosen, missing = default_storage_class(observed.storage_classes)
        verdict.values["default_storage_class"] = chosen
        verdict.found(missing, DEFAULT_STORAGE_CLASS in required)
    if METRICS in checks:
        missing = [
            Reason(
                "the metrics API (metrics.k8s.io)",
                "NoMetrics",
                f"{observed.metrics}: autoscalers and kubectl top get no figures",
                "Install metrics-server, or mend it.",
            )
        ]
        verdict.values["metrics_api"] = not observed.metrics
        verdict.found(missing if observed.metrics else [], METRICS_API in required)
    verdict.reasons += permission_reasons(observed.refused, observed.identity)
    return verdict


def _judge_nodes(params: Params, observed: Observed, verdict: Verdict) -> None:
    nodes, checks = observed.nodes, _checks(params)
    if nodes is None:
        advice = "Allow it (get and list nodes)."
        verdict.reasons.append(Reason("nodes", "AccessDenied", "this identity may not list them", advice))
        return
    faults = [(node, judge_node(node)) for node in nodes]
    ready = [node for node, found in faults if not found]
    verdict.values["cluster"].update(nodes=len(nodes), ready_nodes=len(ready))
    if NODES in checks:
        none = [] if nodes else [Reason("nodes", "NoNodes", "the cluster has none", "Add a node pool, or start one.")]
        verdict.reasons += none
        # others can do the work of one that fails: whether there is room on them is the next question
        verdict.found((fault for _node, found in faults for fault in found), not ready)
    if CAPACITY not in checks or not ready:
        return
    if observed.pods is None:
        verdict.notes.append("Pods of all namespaces may not be listed: what others use of the nodes is not counted.")
    asked = asked_pods(params)
    others = others_pods(observed.pods or (), params["namespaces"] or (), asked)
    room = [one for one in (room_of(node, others, bool(params["autoscaled"])) for node in ready) if one.is_open]
    total, left = (_all_of(one, room) for one in asked), (one.amount for one in room)
    verdict.values["capacity"] = {"asked": sum(total, Amount()).as_data(), "free": sum(left, Amount()).as_data()}
    verdict.reasons += capacity_reasons(asked, room, bool(params["autoscaled"]))


@dataclass(frozen=True)
class Room:
    """What is left on a node, and whom it takes."""

    node: str
    amount: Amount
    labels: Mapping[str, Any] = field(default_factory=dict)
    taints: Sequence[Mapping[str, Any]] = ()
    is_open: bool = True

    def takes(self, asked: Asked) -> bool:
        fits = all(self.labels.get(key) == value for key, value in asked.node_selector.items())
        return fits and all(any(tolerates(one, taint) for one in asked.tolerations) for taint in self.taints)


def room_of(node: Object, others: Mapping[str, Amount], autoscaled: bool = False) -> Room:
    """What of a node's allocatable is left by others; where nodes come as needed, what one of its kind offers."""
    name = str(node["metadata"]["name"])
    spec, offered = node.get("spec") or {}, (node.get("status") or {}).get("allocatable") or {}
    whole = amounts_of(offered)
    taints = [taint for taint in spec.get("taints") or () if taint.get("effect") in _KEPT_AWAY]
    left = whole if autoscaled else whole - others.get(name, Amount())
    return Room(name, left, node["metadata"].get("labels") or {}, taints, not spec.get("unschedulable"))


def capacity_reasons(asked: Sequence[Asked], room: Sequence[Room], autoscaled: bool = False) -> list[Reason]:
    """What fits on no node, and whether all of it together is more than there is."""
    found = []
    for one in asked:
        nodes = [each for each in room if each.takes(one)]
        if nodes and any(each.amount.holds(one.each) for each in nodes):
            continue
        most = max(nodes, key=lambda each: (each.amount.cpu, each.amount.memory), default=None)
        why = (
            f"the most that is left on one of {counted(len(nodes), 'node')} is {most.amount} ({most.node})"
            if most
            else "no schedulable node has the labels and tolerated taints that it asks for"
        )
        reported = f"a pod asks for {one.each}, and {why}"
        found.append(Reason(one.subject, "Unschedulable", reported, "Add a larger node, or ask for less."))
    fitting = [one for one in asked if one.subject not in {reason.subject for reason in found}]
    total = sum((_all_of(one, room) for one in fitting), Amount())
    left = sum((one.amount for one in room), Amount())
    if not autoscaled and not left.holds(total):
        reported = (
            f"{counted(total.pods, 'pod')} of what is declared ask for {total} in all; {left} and places for "
            f"{counted(max(left.pods, 0), 'pod')} are left on {counted(len(room), 'node')}"
        )
        found.append(Reason("capacity", "Unschedulable", reported, "Add nodes, or declare fewer or smaller pods."))
    return found


def _all_of(one: Asked, room: Sequence[Room]) -> Amount:
    return one.each.times(len([each for each in room if each.takes(one)]) if one.on_every_node else one.count)


def others_pods(pods: Iterable[Object], own: Collection[str], asked: Sequence[Asked]) -> dict[str, Amount]:
    """What pods use of each node, but for those of what is declared: they are asked for already."""
    # a pod is called after what made it
    declared = tuple(one.subject.partition(" ")[2] + "-" for one in asked)
    used: dict[str, Amount] = {}
    for pod in pods:
        namespace, name = str(pod["metadata"].get("namespace")), str(pod["metadata"]["name"])
        node, phase = (pod.get("spec") or {}).get("nodeName"), (pod.get("status") or {}).get("phase")
        if node and phase not in _NO_PODS and namespace not in own and not f"{namespace}/{name}".startswith(declared):
            used[node] = used.get(node, Amount()) + pod_amount(pod["spec"])
    return used


def asked_pods(params: Params) -> list[Asked]:
    """The pods of what is declared: of `workloads` by their own keys, of `definitions` as Kubernetes has them."""
    found = []
    for one in params["workloads"] or ():
        containers = [{"resources": one.get("resources")}, *(one.get("sidecars") or ())]
        subject = f"workload {one['namespace']}/{one['name']}" if one.get("namespace") else f"workload {one['name']}"
        found.append(
            Asked(
                subject,
                whole_number(one.get("replicas")),
                pod_amount({"containers": containers}),
                one.get("node_selector") or {},
                one.get("tolerations") or (),
            )
        )
    for item in _objects(params):
        count, pod = declared_pods(item)
        if pod is not None:
            selector, tolerations = pod.get("nodeSelector") or {}, pod.get("tolerations") or ()
            every = item["kind"] == "DaemonSet"
            found.append(Asked(subject_of(item), count, pod_amount(pod), selector, tolerations, every))
    return found


def _objects(params: Params) -> list[Object]:
    """The declared objects; what is wrong with one says who applies it."""
    found = flatten_lists(params["definitions"] or ())
    named = [one for one in found if isinstance(one, Mapping) and isinstance(one.get("metadata"), Mapping)]
    return [dict(one) for one in named if one.get("kind") and one.get("apiVersion") and one["metadata"].get("name")]


def default_storage_class(classes: Sequence[Object]) -> tuple[str | None, list[Reason]]:
    """The class that claims without one get: of several the youngest; and what is wrong where there is none."""
    chosen = [one for one in classes if is_default_class(one)]
    if not chosen:
        names = listed(sorted(str(one["metadata"]["name"]) for one in classes), NODE_NAMES_SHOWN)
        reported = f"no StorageClass is the default ({f'there are {names}' if names else 'there are none'})"
        advice = f"Mark one with the annotation {DEFAULT_CLASS}, or name one in each claim."
        return None, [Reason("storage", "NoDefaultStorageClass", reported, advice)]
    youngest = max(chosen, key=lambda one: str(one["metadata"].get("creationTimestamp")))
    return str(youngest["metadata"]["name"]), []


def needs_of(definitions: Iterable[Object]) -> Iterator[str]:
    """What objects cannot do without: claims without a class, and autoscalers that go by cpu or memory."""
    for item in definitions:
        spec = item.get("spec") or {}
        claims = [spec] if item.get("kind") == "PersistentVolumeClaim" else []
        claims += [one.get("spec") or {} for one in spec.get("volumeClaimTemplates") or () if isinstance(one, Mapping)]
        if any(one.get("storageClassName") is None and not one.get("volumeName") for one in claims):
            yield DEFAULT_STORAGE_CLASS
        if item.get("kind") == "HorizontalPodAutoscaler":
            metrics = [one.get("type") for one in spec.get("metrics") or ()]
            if not metrics or {"Resource", "ContainerResource"} & {*metrics}:
                yield METRICS_API


def permissions(params: Params, kube: Kube) -> list[Permission]:
    """What is to be allowed: as the option says, and what applying the definitions takes."""
    found = [
        Permission(verb, row["resource"], row["group"], namespace)
        for row in params["permissions"] or ()
        for namespace in row["namespaces"] or ("",)
        for verb in row["verbs"]
    ]
    for item in _objects(params):
        resource = kube.resource_type(item["apiVersion"], item["kind"], refresh=False)
        # a kind that is not served comes with what is installed first
        if resource is not None:
            namespace = str(item["metadata"].get("namespace") or "") if resource.namespaced else ""
            found += [
                Permission(verb, resource.plural, resource.group, namespace) for verb in ("get", "create", "patch")
            ]
    return list(dict.fromkeys(found))


def permission_reasons(refused: Sequence[Permission], identity: str) -> list[Reason]:
    """One reason a namespace, with what is lacking there."""
    places: dict[str, dict[str, list[str]]] = {}
    for one in refused:
        places.setdefault(one.namespace, {}).setdefault(one.object, []).append(one.verb)
    who = identity or "this identity"
    lacking = {
        place: "; ".join(f"{', '.join(verbs)} {what}" for what, verbs in objects.items())
        for place, objects in places.items()
    }
    return [
        Reason(
            f"permissions in namespace {place}" if place else "permissions in the whole cluster",
            "AccessDenied",
            f"{who} may not {rights}",
            "Bind a role that allows it, for example cluster-admin.",
        )
        for place, rights in lacking.items()
    ]


def _shapes(params: Params) -> Iterator[Problem]:
    for number, one in enumerate(params.get("workloads") or ()):
        replicas = one.get("replicas")
        if not one.get("name"):
            yield Problem(f"workloads[{number}]", "has no name")
        if replicas is not None and not str(replicas).isdigit():
            yield Problem(f"workloads[{number}].replicas", f"{replicas!r} is not a number of pods")


_RULES: tuple[Rule[Params], ...] = (*CONNECTION, _shapes)
