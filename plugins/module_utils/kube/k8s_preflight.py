# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of k8s_preflight: whether a cluster that is there already can take what is to run in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidInput, NotReady, Problem, Reason, Rule, ServiceError, check, refuse
from ..plan import Plan
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..text import kind_of, listed
from ..tool_versions import Tools, requirement_problems
from .apply.requests import FORBIDDEN, map_concurrently
from .capacity import (
    NODE_NAMES_SHOWN,
    Amount,
    asked_pods,
    capacity_reasons,
    declared_pods,
    others_pods,
    room_of,
    total_asked,
    wrong_amounts,
)
from .client import Kube
from .config_digest import as_mapping, as_mappings
from .kubeconfig import CONNECTION
from .manifests import Object, flatten_lists
from .readiness.cluster import DEFAULT_CLASS, is_default_class, judge_node

SUBJECT = "k8s_preflight"
NODES, CAPACITY, STORAGE, METRICS, PERMISSIONS = CHECKS = ("nodes", "capacity", "storage", "metrics", "permissions")
DEFAULT_STORAGE_CLASS, METRICS_API = REQUIRED = ("default_storage_class", "metrics_api")

_METRICS = "/apis/metrics.k8s.io/v1beta1"
_ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

Params = Mapping[str, Any]


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

    version: str | None
    nodes: Sequence[Object] | None = None
    pods: Sequence[Object] | None = None
    storage_classes: Sequence[Object] | None = None
    metrics: str | None = None
    """What keeps the metrics API from answering, or nothing."""
    asked: int = 0
    """Of how many rights the API server said whether this identity has them."""
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
    refuse(SUBJECT, problems(params))
    # one of them may be what logs in to the cluster
    lacking = list(Tools(task).lacking(params.get("programs") or (), params.get("libraries") or ()))
    if lacking:
        raise NotReady(SUBJECT, [Reason(one.subject, "NotInstalled", one.message, one.hint) for one in lacking])
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
        values["permissions"] = {"asked": observed.asked, "refused": [vars(one) for one in observed.refused]}
        if observed.asked < len(wanted):
            verdict.notes.append("What this identity may do may not be asked, so its rights were not checked.")
    if verdict.reasons:
        notes = {"notes": verdict.notes} if verdict.notes else {}
        raise NotReady(subject, verdict.reasons, values={**values, **notes}, apart=True)
    return Result(False, f"{subject}: can take what is declared", (Plan(subject, notes=tuple(verdict.notes)),), values)


def problems(params: Params) -> list[Problem]:
    """What is wrong with the options of k8s_preflight."""
    return check(_RULES, params)


def _checks(params: Params) -> Collection[str]:
    chosen: list[str] | None = params["checks"]
    if chosen is None:
        return CHECKS
    # what is required is looked at, whatever else is not
    required = {DEFAULT_STORAGE_CLASS: STORAGE, METRICS_API: METRICS}
    return {*chosen, *(required[one] for one in params["require"] or ())}


def observe(kube: Kube, checks: Collection[str], wanted: Sequence[Permission]) -> Observed:
    """Ask for what the checks need."""
    answers = map_concurrently(lambda one: _may(kube, one), wanted)
    refused = [one for one, may in zip(wanted, answers) if may is False]
    return Observed(
        _version(kube),
        _read(kube, "v1", "Node") if {NODES, CAPACITY} & {*checks} else None,
        _read(kube, "v1", "Pod") if CAPACITY in checks else None,
        _read(kube, "storage.k8s.io/v1", "StorageClass") if STORAGE in checks else None,
        _metrics(kube) if METRICS in checks else None,
        len(answers) - answers.count(None),
        refused,
        _identity(kube) if refused else "",
    )


def _version(kube: Kube) -> str | None:
    answer = kube.request("GET", "/version", accept_status=(FORBIDDEN,), action="read the version of the cluster")
    return None if answer.status == FORBIDDEN else str(answer.json()["gitVersion"]).removeprefix("v")


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


def _metrics(kube: Kube) -> str | None:
    answer = kube.request("GET", _METRICS, check=False, retry=False, quiet=True, action="ask the metrics API")
    if answer.status in (200, FORBIDDEN):
        return "" if answer.status == 200 else None
    return "is not installed" if answer.status == 404 else f"does not answer (HTTP {answer.status})"


def _may(kube: Kube, one: Permission) -> bool | None:
    """What the API server says of one right; None where this identity may not even ask."""
    action = "ask what this identity may do"
    answer = kube.request("POST", _ACCESS, body=one.review(), accept_status=(FORBIDDEN,), quiet=True, action=action)
    return None if answer.status == FORBIDDEN else bool((answer.json().get("status") or {}).get("allowed"))


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
    if METRICS in checks and observed.metrics is None:
        verdict.notes.append("The metrics API may not be asked, so whether it answers was not checked.")
    elif METRICS in checks:
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
    if NODES in checks or not ready:
        none = [] if nodes else [Reason("nodes", "NoNodes", "the cluster has none", "Add a node pool, or start one.")]
        verdict.reasons += none
        # others can do the work of one that fails: whether there is room on them is the next question
        verdict.found((fault for _node, found in faults for fault in found), not ready)
    if CAPACITY not in checks or not ready:
        return
    if observed.pods is None:
        verdict.notes.append("Pods of all namespaces may not be listed: what others use of the nodes is not counted.")
    asked = asked_pods(params["workloads"] or (), _objects(params))
    others = others_pods(observed.pods or (), params["namespaces"] or (), asked)
    room = [room_of(node, others, bool(params["autoscaled"])) for node in ready]
    free = sum((one.amount for one in room if not one.is_cordoned), Amount())
    verdict.values["capacity"] = {"asked": total_asked(asked, room).as_data(), "free": free.as_data()}
    verdict.reasons += capacity_reasons(asked, room, bool(params["autoscaled"]))


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
        spec, metrics = as_mapping(item.get("spec")), as_mappings(as_mapping(item.get("spec")).get("metrics"))
        claims = [spec] if item.get("kind") == "PersistentVolumeClaim" else []
        templates = as_mappings(spec.get("volumeClaimTemplates"))
        for volume in as_mappings((declared_pods(item)[1] or {}).get("volumes")):
            ephemeral = as_mapping(volume.get("ephemeral"))
            templates += [as_mapping(ephemeral["volumeClaimTemplate"])] if "volumeClaimTemplate" in ephemeral else []
        claims += [as_mapping(one.get("spec")) for one in templates]
        if any(one.get("storageClassName") is None and not one.get("volumeName") for one in claims):
            yield DEFAULT_STORAGE_CLASS
        by_metrics = not metrics or {"Resource", "ContainerResource"} & {one.get("type") for one in metrics}
        if item.get("kind") == "HorizontalPodAutoscaler" and by_metrics:
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


_SHAPES: dict[str, tuple[type, str]] = {
    "resources": (Mapping, "a mapping of requests and limits"),
    "sidecars": (list, "a list of mappings"),
    "node_selector": (Mapping, "a mapping of labels"),
    "tolerations": (list, "a list of mappings"),
}


def _workloads(params: Params) -> Iterator[Problem]:
    for number, one in enumerate(params.get("workloads") or ()):
        place, replicas = f"workloads[{number}]", one.get("replicas")
        if not one.get("name"):
            yield Problem(place, "has no name")
        if replicas is not None and not str(replicas).isdecimal():
            yield Problem(f"{place}.replicas", f"{replicas!r} is not a number of pods")
        for key, (kind, wanted) in _SHAPES.items():
            if one.get(key) is not None and not isinstance(one[key], kind):
                yield Problem(f"{place}.{key}", f"is {kind_of(one[key])}, not {wanted}")
        sidecars = {f"{place}.sidecars[{at}]": below for at, below in enumerate(as_mappings(one.get("sidecars")))}
        for path, holder in {place: one, **sidecars}.items():
            found = wrong_amounts(f"{path}.resources", holder.get("resources"))
            yield from (Problem(where, message) for where, message in found)


def _tools(params: Params) -> Iterator[Problem]:
    for option in ("programs", "libraries"):
        yield from requirement_problems(option, params.get(option) or ())


_RULES: tuple[Rule[Params], ...] = (*CONNECTION, _workloads, _tools)
