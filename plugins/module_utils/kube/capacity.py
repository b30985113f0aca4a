# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What pods ask of nodes, what nodes have left for them, and what of it does not fit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ..errors import Reason
from ..text import counted, listed
from .config_digest import as_mapping, as_mappings
from .manifests import Object
from .readiness.reasons import subject_of
from .syntax import parse_quantity

NODE_NAMES_SHOWN = 6

_NO_PODS = ("Succeeded", "Failed")
_KEPT_AWAY = ("NoSchedule", "NoExecute")
# how the scheduler, and a DaemonSet's controller, speak of a node that is cordoned
_CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
_ON_CORDONED = {**_CORDON, "operator": "Exists"}
_SMALLEST = Decimal("1e-9")
"""Kubernetes rounds what is less up to it."""


@dataclass(frozen=True)
class Amount:
    """Of what nodes offer and pods ask: cores, bytes, and places for pods."""

    cpu: Decimal = Decimal(0)
    memory: Decimal = Decimal(0)
    pods: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cpu + other.cpu, self.memory + other.memory, self.pods + other.pods)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.cpu - other.cpu, self.memory - other.memory, self.pods - other.pods)

    def times(self, count: int) -> Amount:
        return Amount(self.cpu * count, self.memory * count, self.pods * count)

    def holds(self, other: Amount) -> bool:
        return self.cpu >= other.cpu and self.memory >= other.memory and self.pods >= other.pods

    def how_many(self, other: Amount) -> int:
        """How often `other`, a pod, fits in."""
        pairs = ((self.cpu, other.cpu), (self.memory, other.memory), (Decimal(self.pods), Decimal(other.pods)))
        return max(0, min((int(have // max(one, _SMALLEST)) for have, one in pairs if one > 0), default=0))

    def or_nothing(self) -> Amount:
        """Without what is less than nothing: an overcommitted node takes no room from another one."""
        return Amount(max(self.cpu, Decimal(0)), max(self.memory, Decimal(0)), max(self.pods, 0))

    def __str__(self) -> str:
        return f"{_cores(self.cpu)} of cpu, {_bytes(self.memory)} of memory"

    def as_data(self) -> dict[str, Any]:
        return {"cpu": _cores(self.cpu), "memory": _bytes(self.memory), "pods": self.pods}


def amounts_of(amounts: Mapping[str, Any]) -> Amount:
    """Of a ResourceList; `pods` only nodes have."""
    return Amount(_quantity(amounts.get("cpu")), _quantity(amounts.get("memory")), int(_quantity(amounts.get("pods"))))


def _quantity(value: Any) -> Decimal:
    return (parse_quantity(value) if value is not None else None) or Decimal(0)


def _cores(value: Decimal) -> str:
    # not by quantize, which has no more than 28 digits
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _bytes(value: Decimal) -> str:
    return f"{value / 1024**2:.0f}Mi"


# kinds whose objects make pods, with where the number of them stands; a DaemonSet makes one for each node
_REPLICAS = {
    "Deployment": "replicas",
    "StatefulSet": "replicas",
    "ReplicaSet": "replicas",
    "ReplicationController": "replicas",
    "Job": "parallelism",
}


def declared_pods(item: Mapping[str, Any]) -> tuple[int, Mapping[str, Any] | None]:
    """How many pods an object makes at a time, or is, and the spec of each; None for one that has to do with none."""
    spec, kind = as_mapping(item.get("spec")), str(item.get("kind"))
    if kind == "Pod":
        return 1, spec
    if kind == "CronJob":
        return declared_pods({"kind": "Job", "spec": as_mapping(spec.get("jobTemplate")).get("spec")})
    if kind in (*_REPLICAS, "DaemonSet"):
        count = whole_number(spec.get(_REPLICAS.get(kind, "")))
        if kind == "Job" and spec.get("completions") is not None:
            count = min(count, whole_number(spec["completions"]))
        return count, as_mapping(as_mapping(spec.get("template")).get("spec"))
    return 0, None


def whole_number(value: Any) -> int:
    """A number of pods: one, where nothing is said."""
    number = parse_quantity(value) if value is not None else None
    return 1 if number is None else int(number)


def pod_amount(spec: Mapping[str, Any]) -> Amount:
    """What a pod asks of its node, as the scheduler counts it.

    Its containers together with those that are started before them and stay, or the most that it takes on the way
    there; what is asked for the pod as a whole stands for the sum.
    """
    together = sum((_of_container(one) for one in as_mappings(spec.get("containers"))), Amount())
    staying, most = Amount(), Amount()
    for one in as_mappings(spec.get("initContainers")):
        asked = staying + _of_container(one)
        most = Amount(max(most.cpu, asked.cpu), max(most.memory, asked.memory))
        if one.get("restartPolicy") == "Always":
            staying = asked
    together += staying
    asked = Amount(max(together.cpu, most.cpu), max(together.memory, most.memory))
    whole = as_mapping(spec.get("resources"))
    requests, limits = as_mapping(whole.get("requests")), as_mapping(whole.get("limits"))

    def of_all(key: str, reckoned: Decimal) -> Decimal:
        # a limit of the whole pod is its request only where no container has one
        return _quantity(requests[key]) if key in requests else reckoned or _quantity(limits.get(key))

    beside = amounts_of(as_mapping(spec.get("overhead")))
    return Amount(of_all("cpu", asked.cpu) + beside.cpu, of_all("memory", asked.memory) + beside.memory, 1)


def _of_container(container: Mapping[str, Any]) -> Amount:
    resources = as_mapping(container.get("resources"))
    # a limit without a request is the request
    return amounts_of({**as_mapping(resources.get("limits")), **as_mapping(resources.get("requests"))})


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """As the scheduler has it: an empty key with Exists tolerates all, an empty effect every effect."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


Maker = tuple[str, str, str]
"""Kind, namespace and name of an object that makes pods."""


@dataclass(frozen=True)
class Asked:
    """The pods of one declaration: how many, what each asks, and where they may run."""

    subject: str
    count: int
    each: Amount
    node_selector: Mapping[str, Any] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    maker: Maker = ("", "", "")
    on_every_node: bool = False


def asked_pods(workloads: Iterable[Mapping[str, Any]], definitions: Iterable[Object]) -> list[Asked]:
    """The pods of what is declared: of workloads by their own keys, of definitions as Kubernetes has them."""
    found = []
    for one in workloads:
        containers = [{"resources": one.get("resources")}, *as_mappings(one.get("sidecars"))]
        namespace, name = str(one.get("namespace") or ""), str(one["name"])
        found.append(
            Asked(
                f"workload {namespace}/{name}" if namespace else f"workload {name}",
                whole_number(one.get("replicas")),
                pod_amount({"containers": containers}),
                as_mapping(one.get("node_selector")),
                as_mappings(one.get("tolerations")),
                ("Deployment", namespace, name),
            )
        )
    definitions = list(definitions)
    scaled = _scaled(definitions)
    for item in definitions:
        count, pod = declared_pods(item)
        if pod is not None:
            kind, metadata = str(item["kind"]), item["metadata"]
            every = kind == "DaemonSet"
            tolerations = [*as_mappings(pod.get("tolerations")), *([_ON_CORDONED] if every else [])]
            maker = (kind, str(metadata.get("namespace") or ""), str(metadata["name"]))
            selector = as_mapping(pod.get("nodeSelector"))
            count = scaled.get(maker, count)
            found.append(Asked(subject_of(item), count, pod_amount(pod), selector, tolerations, maker, every))
    return [one for one in found if one.count > 0]


def _scaled(definitions: Iterable[Object]) -> dict[Maker, int]:
    """The fewest pods of what a HorizontalPodAutoscaler scales, which says nothing itself of how many there are."""
    found: dict[Maker, int] = {}
    for item in definitions:
        spec = as_mapping(item.get("spec"))
        if item.get("kind") == "HorizontalPodAutoscaler":
            target, namespace = as_mapping(spec.get("scaleTargetRef")), str(item["metadata"].get("namespace") or "")
            maker = (str(target.get("kind")), namespace, str(target.get("name")))
            found[maker] = whole_number(spec.get("minReplicas"))
    return found


def _makers_of(pod: Object) -> Iterator[Maker]:
    """What a declaration may have for this pod: its controller, and what has made that one; a pod alone is its own."""
    metadata = pod["metadata"]
    namespace = str(metadata.get("namespace") or "")
    owners = [owner for owner in as_mappings(metadata.get("ownerReferences")) if owner.get("controller")]
    for owner in owners:
        kind, name = str(owner.get("kind")), str(owner.get("name"))
        yield kind, namespace, name
        first, _dash, last = name.rpartition("-")
        if kind == "ReplicaSet" and last == as_mapping(metadata.get("labels")).get("pod-template-hash"):
            yield "Deployment", namespace, first
        elif kind == "Job" and last.isdigit():
            yield "CronJob", namespace, first
    if not owners:
        yield "Pod", namespace, str(metadata["name"])


def others_pods(pods: Iterable[Object], own: Collection[str], asked: Sequence[Asked]) -> dict[str, Amount]:
    """What pods use of each node, but for those of what is declared: they are asked for already."""
    declared = {one.maker for one in asked}
    used: dict[str, Amount] = {}
    for pod in pods:
        spec, phase = as_mapping(pod.get("spec")), as_mapping(pod.get("status")).get("phase")
        node = spec.get("nodeName")
        if not node or phase in _NO_PODS or pod["metadata"].get("namespace") in own:
            continue
        if declared.isdisjoint(_makers_of(pod)):
            used[node] = used.get(node, Amount()) + pod_amount(spec)
    return used


@dataclass(frozen=True)
class Room:
    """What is left on a node, and whom it takes."""

    node: str
    amount: Amount
    labels: Mapping[str, Any] = field(default_factory=dict)
    taints: Sequence[Mapping[str, Any]] = ()

    @property
    def is_cordoned(self) -> bool:
        return any(taint.get("key") == _CORDON["key"] for taint in self.taints)

    def takes(self, asked: Asked) -> bool:
        fits = all(self.labels.get(key) == value for key, value in asked.node_selector.items())
        return fits and all(any(tolerates(one, taint) for one in asked.tolerations) for taint in self.taints)


def room_of(node: Object, others: Mapping[str, Amount], autoscaled: bool = False) -> Room:
    """What of a node's allocatable is left by others; where nodes come as needed, what one of its kind offers."""
    metadata, spec, status = node["metadata"], as_mapping(node.get("spec")), as_mapping(node.get("status"))
    name, whole = str(metadata["name"]), amounts_of(as_mapping(status.get("allocatable")))
    taints = [taint for taint in as_mappings(spec.get("taints")) if taint.get("effect") in _KEPT_AWAY]
    taints += [_CORDON] if spec.get("unschedulable") and _CORDON not in taints else []
    left = whole if autoscaled else (whole - others.get(name, Amount())).or_nothing()
    return Room(name, left, as_mapping(metadata.get("labels")), taints)


def capacity_reasons(asked: Sequence[Asked], room: Sequence[Room], autoscaled: bool = False) -> list[Reason]:
    """What does not fit on the nodes that it may run on, and whether what must share nodes is more than is left there.

    Where nodes come as needed, only the size of each pod matters.
    """
    found: list[Reason] = []
    fitting: list[tuple[Asked, frozenset[str]]] = []
    for one in asked:
        nodes = [each for each in room if each.takes(one)]
        why, advice = _unfit(one, nodes, autoscaled)
        if not nodes and any(each.is_cordoned for each in room):
            why += f" ({listed([each.node for each in room if each.is_cordoned], NODE_NAMES_SHOWN)} cordoned)"
        if why:
            found.append(Reason(one.subject, "Unschedulable", why, advice))
        else:
            fitting.append((one, frozenset(each.node for each in nodes)))
    return found if autoscaled else [*found, *_shared(fitting, room)]


def _unfit(one: Asked, nodes: Sequence[Room], autoscaled: bool) -> tuple[str, str]:
    """Why the pods of one declaration do not fit on these nodes were they there alone, and what to do."""
    larger, more = "Add a larger node, or ask for less.", "Add nodes, or declare fewer or smaller pods."
    if not nodes:
        reported = "no schedulable node has the labels and tolerated taints that it asks for"
        return f"a pod asks for {one.each}, and {reported}", larger
    fit = {each.node: each.amount.how_many(one.each) for each in nodes}
    if not any(fit.values()):
        most = max(nodes, key=lambda each: (each.amount.cpu, each.amount.memory))
        reported = f"the most that is left on one of {counted(len(nodes), 'node')} is {most.amount} ({most.node})"
        return f"a pod asks for {one.each}, and {reported}", larger
    full = [node for node, number in fit.items() if not number]
    if one.on_every_node and full:
        reported = f"less is left on {listed(full, NODE_NAMES_SHOWN)}"
        return f"a pod asks for {one.each} on every node, and {reported}", larger
    if not one.on_every_node and not autoscaled and sum(fit.values()) < one.count:
        room = f"what is left on {counted(len(nodes), 'node')} takes {sum(fit.values())} of them"
        return f"{one.count} pods ask for {one.each} each, and {room}", more
    return "", ""


def _shared(fitting: Sequence[tuple[Asked, frozenset[str]]], room: Sequence[Room]) -> Iterator[Reason]:
    """Nodes that have less left than is asked of nobody but them: the fewest first, and each declaration told once."""
    choices = {nodes for _one, nodes in fitting}
    choices.add(frozenset().union(*choices))
    for nodes in sorted(choices, key=lambda each: (len(each), sorted(each))):
        here = [(one, own) for one, own in fitting if own <= nodes]
        total = sum((one.each.times(len(own) if one.on_every_node else one.count) for one, own in here), Amount())
        left = sum((each.amount for each in room if each.node in nodes), Amount())
        if left.holds(total):
            continue
        fitting = [(one, own) for one, own in fitting if not own <= nodes]
        reported = (
            f"{counted(total.pods, 'pod')} of what is declared ask for {total} in all; {left} and places for "
            f"{counted(left.pods, 'pod')} are left on {counted(len(nodes), 'node')} "
            f"({listed(sorted(nodes), NODE_NAMES_SHOWN)})"
        )
        yield Reason("capacity", "Unschedulable", reported, "Add nodes, or declare fewer or smaller pods.")


def total_asked(asked: Iterable[Asked], room: Sequence[Room]) -> Amount:
    """All pods together; of one for every node, as many as there are nodes that take it."""
    return sum(
        (one.each.times(sum(each.takes(one) for each in room) if one.on_every_node else one.count) for one in asked),
        Amount(),
    )


def wrong_amounts(path: str, resources: Any) -> Iterator[tuple[str, str]]:
    """Amounts that are none, and requests above their limits: with both the API server refuses a pod."""
    limits = as_mapping(as_mapping(resources).get("limits"))
    for part in ("requests", "limits"):
        for name, amount in as_mapping(as_mapping(resources).get(part)).items():
            number = parse_quantity(amount)
            if number is None or number < 0:
                yield (
                    f"{path}.{part}.{name}",
                    f"{amount!r} is not a valid quantity, for example 500m of cpu or 256Mi of memory",
                )
                continue
            limit = limits.get(name) if part == "requests" else None
            most = parse_quantity(limit) if limit is not None else None
            if most is not None and number > most >= 0:
                yield f"{path}.{part}.{name}", f"{amount} is more than the limit, {limit}"
