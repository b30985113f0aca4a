# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the clusters of a run need of Azure, looked at together before the first of them is changed.

Pools of all hosts share the quota of a location, so they are counted one after the other, whoever declares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from ..errors import Problem, ServiceError
from ..option_problems import judged_apart, validated_options
from ..run_cache import RunCache
from ..task import Task
from ..text import counted, listed
from . import names, preview_features, retirements
from .aks.plan import ClusterPlan, plan_cluster
from .aks.spec import (
    CLUSTER_ARGUMENTS,
    ClusterSpec,
    SizeRequest,
    cluster_spec,
    current_pools,
    new_pools,
    size_request_of,
)
from .aks.validate import creation_problems, problems_of
from .aks.versions import LONG_TERM, OFFICIAL, offered_problem, plan_problems, support_plan_of, version_step
from .aks_sku_preflight import find_sizes, offered_versions, plain_location, read_cluster
from .client import Arm, Body
from .declared_rights import texts_in
from .errors import concerns_registration
from .options import Identity, resolve_identity
from .retirement_calendar import CHART, KUBERNETES
from .sku import Selection

# whose it is decides which pools may go
_OPTIONS = {**names.OWNED_OPTIONS, **CLUSTER_ARGUMENTS}
_FORBIDDEN = 403
# longer than any run
_KEPT_SECONDS = 86400.0
_KEPT, _PROMISED = "azure-preflight-kept", "azure-preflight-sizes"
_SHOWN = 4
_QUOTA = ("FamilyQuota", "RegionalQuota", "LowPriorityQuota")


@dataclass(frozen=True)
class Finding:
    """Something about one host: `fails` where what is declared cannot be made, else a warning."""

    host: str
    subject: str
    code: str
    message: str
    hint: str = ""
    fails: bool = True


@dataclass(frozen=True)
class Wish:
    """What one host declares."""

    host: str
    spec: ClusterSpec
    incomplete: tuple[Problem, ...] = ()
    """What a cluster that stands does without, and a new one cannot."""
    features: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()


@dataclass
class Looked:
    """What was learnt of all wishes."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Host and text."""
    pools: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Cluster:
    """A wish beside what stands, and what would be changed."""

    wish: Wish
    body: Body | None
    plan: ClusterPlan

    @property
    def changes(self) -> bool:
        return bool(self.plan.changes)

    @property
    def location(self) -> str:
        return str((self.body or {}).get("location") or self.wish.spec.declared.get("location") or "")

    def takes(self, scope: str, action: str) -> bool:
        """Whether changing what stands takes this action at this scope; of a creation all that it may take is asked.

        What a request names of others (a subnet, an identity) is looked at by Azure whether it is new there or not:
        a linked scope is checked with each write that has it.
        """
        verb = action.lower()
        if verb.startswith("microsoft.compute/"):
            return any(not request.named for request in size_requests_of(self.wish.spec, self.body).values())
        if verb.startswith(f"{names.AGENT_POOLS}/".lower()):
            methods = {step.method for step in self.plan.steps if step.pool}
            wanted = {"write": "PUT", "delete": "DELETE"}.get(verb.rpartition("/")[2])
            return bool(methods) and wanted in (None, *methods)
        writes = [step for step in self.plan.steps if step.method == "PUT"]
        if verb == f"{names.MANAGED_CLUSTERS}/write".lower():
            return any(not step.pool for step in writes)
        linked = scope.lower().rstrip("/")
        named = (text.lower().rstrip("/") for step in writes for text in texts_in(step.body))
        # an id may begin below the subscription
        return any(text.startswith("/") and linked.endswith(text) for text in named)


def wish_of(entry: Mapping[str, Any], subscription_id: str) -> tuple[Wish | None, list[Problem]]:
    """What an entry of the option `clusters` declares, or what is wrong with it, told of its options."""
    where = f"clusters[{entry['host']}].cluster"
    # an empty text is what is left open: the service's own version
    given = {name: value for name, value in entry["cluster"].items() if value != ""}
    reported, params, _hidden = validated_options(_OPTIONS, given, {})
    if reported:
        return None, judged_apart(_OPTIONS, given, where)[0] or reported
    own = problems_of({**params, "wait_timeout": None})
    if own:
        return None, [Problem(f"{where}.{problem.path}", problem.message) for problem in own]
    further = {name: tuple(entry.get(name) or ()) for name in ("features", "charts")}
    spec, needed = cluster_spec(params, subscription_id), tuple(creation_problems(params))
    return Wish(str(entry["host"]), spec, needed, **further), []


def look(arm: Arm, clusters: Sequence[Cluster], everything: bool, today: date, days: int) -> Looked:
    """What keeps these clusters from being made or changed as declared, and what Azure will retire of them.

    Unless `everything` is to be looked at, nothing is asked of clusters that only stay as they are but to read them.
    """
    found = Looked()
    _sizes(arm, clusters, found)
    offers = _Offers(arm)
    features: dict[str, str] = {}
    for one in clusters:
        host, subject = one.wish.host, one.wish.spec.subject
        for problem in () if one.body else one.wish.incomplete:
            place = f"{subject}: {problem.path}"
            found.findings.append(Finding(host, place, code="Incomplete", message=problem.message))
        for refusal in one.plan.refused:
            message = refusal.sentence or f"cannot be changed from {refusal.before} to {refusal.after}"
            found.findings.append(
                Finding(host, f"{subject}: {refusal.path}", code="Refused", message=message, hint=refusal.remedy)
            )
        found.findings += _versions(one, offers)
        if everything or one.changes:
            found.findings += _features(arm, one, features)
        found.findings += _retirements(one, offers, everything, today, days)
    return found


def read(task: Task, arm: Arm, wishes: Sequence[Wish], notes: list[tuple[str, str]]) -> Iterator[Cluster]:
    """The clusters as they stand. Of one that may not be read, a note of its host."""
    for wish in wishes:
        try:
            body = read_cluster(task, arm, wish.spec.resource_group, wish.spec.name)
        except ServiceError as failure:
            if failure.status != _FORBIDDEN:
                raise
            # what is lacking is told with the permissions
            notes.append((wish.host, f"{wish.spec.subject} may not be read: it was not looked at."))
            continue
        yield Cluster(wish, body, plan_cluster(body, wish.spec))


def kept(
    task: Task, identity: Identity, changed: Callable[[dict[str, Any]], dict[str, Any]] | None = None
) -> dict[str, Any]:
    """What the tasks of this run have kept for one identity and subscription, by host, or change it."""
    cache, key = RunCache(task.run_directory), (_KEPT, identity.fingerprint(), identity.subscription_id)
    if changed is not None:
        cache.change(key, lambda known: changed(known or {}), _KEPT_SECONDS)
    known: dict[str, Any] = cache.known(key) or {}
    return known


def promise(task: Task, identity: Identity, sizes: Mapping[str, Mapping[str, str]]) -> None:
    """Keep the sizes that were found for new pools of these hosts, by host and pool."""
    key = (_PROMISED, identity.fingerprint(), identity.subscription_id)
    RunCache(task.run_directory).change(key, lambda known: {**(known or {}), **sizes}, _KEPT_SECONDS)


def choose_beside(
    task: Task, arm: Arm, own: ClusterSpec, choose: Callable[[list[SizeRequest]], Mapping[str, str]]
) -> None:
    """Let `choose` find sizes by pool beside what the other hosts of this run are still to get, as the preflight has
    found it for them, or as they have chosen since: one host after the other, so that no two take what is left.

    Of a cluster that may not be read nothing is known, and what is declared wrongly is refused elsewhere.
    """
    identity = resolve_identity(task.params)

    def chosen(known: Mapping[str, Mapping[str, str]] | None) -> dict[str, Mapping[str, str]]:
        sizes = dict(known or {})
        wishes = _wishes_of(task, identity, arm)
        found = choose(_promised(arm, own, wishes, sizes))
        for host in (host for host, wish in wishes.items() if wish.spec.id.lower() == own.id.lower()):
            sizes[host] = {**sizes.get(host, {}), **found}
        return sizes

    RunCache(task.run_directory).change(
        (_PROMISED, identity.fingerprint(), identity.subscription_id), chosen, _KEPT_SECONDS
    )


def _wishes_of(task: Task, identity: Identity, arm: Arm) -> dict[str, Wish]:
    """What the hosts of this run want of a cluster, by host."""
    entries = sorted((host, entry) for host, entry in kept(task, identity).items() if entry["has_cluster"])
    read = {host: wish_of(entry, arm.subscription_id)[0] for host, entry in entries}
    return {host: wish for host, wish in read.items() if wish is not None}


def _promised(
    arm: Arm, own: ClusterSpec, wishes: Mapping[str, Wish], sizes_of: Mapping[str, Mapping[str, str]]
) -> list[SizeRequest]:
    found: list[SizeRequest] = []
    for host, wish in wishes.items():
        if wish.spec.id.lower() == own.id.lower():
            continue
        spec = replace(wish.spec, sizes=replace(wish.spec.sizes, chosen=sizes_of.get(host) or {}))
        try:
            # not what an earlier task has read: they are being made
            body = arm.read(spec.id, f"Reading {spec.subject}", spec.api_version).body
        except ServiceError:
            continue
        found += size_requests_of(spec, body).values()
    return found


def size_requests_of(spec: ClusterSpec, body: Body | None) -> dict[str, SizeRequest]:
    """What is asked of a size for each pool that does not exist yet, by its name."""
    location = str((body or {}).get("location") or spec.declared.get("location") or "")
    asked = {
        pool.name: size_request_of(body, spec.pools, pool, location, spec.sizes)
        for pool in new_pools(current_pools(body), spec)
    }
    # without candidates the service chooses
    return {name: request for name, request in asked.items() if request.candidates}


def _sizes(arm: Arm, clusters: Sequence[Cluster], found: Looked) -> None:
    asked: list[tuple[Cluster, str, SizeRequest]] = [
        (one, name, request) for one in clusters for name, request in size_requests_of(one.wish.spec, one.body).items()
    ]
    if not asked:
        return
    try:
        selections = find_sizes(arm, [request for _one, _pool, request in asked])
    except ServiceError as failure:
        if not concerns_registration(failure) and failure.status != _FORBIDDEN:
            raise
        why = "once the resource provider Microsoft.Compute is registered" if failure.status != _FORBIDDEN else ""
        text = f"The sizes of node pools are known only {why}" if why else "The sizes of node pools may not be read"
        found.notes += [(host, f"{text}.") for host in dict.fromkeys(one.wish.host for one, _pool, _request in asked)]
        return
    for (one, pool, request), selection in zip(asked, selections):
        chosen = selection.chosen
        found.pools.append(
            {
                "host": one.wish.host,
                "node_pool": pool,
                "vm_size": chosen.name if chosen is not None else None,
                "candidates": [verdict.as_dict() for verdict in selection.verdicts],
            }
        )
        if chosen is None:
            found.findings.append(_unfit(one, pool, request, selection, len(asked)))


def _unfit(one: Cluster, pool: str, request: SizeRequest, selection: Selection, pools: int) -> Finding:
    subject = f"{one.wish.spec.subject}, node pool {pool}"
    nodes = counted(request.wanted.node_count, "node")
    if not selection.offers:
        message = f"{one.location!r} has no virtual machine sizes for this subscription"
        hint = 'List the regions: az account list-locations --query "[].name"'
        return Finding(one.wish.host, subject, code="LocationNotOffered", message=message, hint=hint)
    by_reason: dict[str, list[str]] = {}
    for verdict in selection.verdicts:
        by_reason.setdefault("; ".join(verdict.reasons), []).append(verdict.candidate)
    against = "; ".join(f"{listed(names_, _SHOWN)}: {reason}" for reason, names_ in by_reason.items())
    together = f" All {pools} new node pools of this run are counted." if pools > 1 and _short(selection) else ""
    advice = selection.advice()
    hint = f"{advice[:1].upper()}{advice[1:]}.{together}"
    code = selection.verdicts[0].codes[0]
    return Finding(one.wish.host, subject, code, f"no size fits for {nodes} in {one.location}: {against}", hint)


def _short(selection: Selection) -> bool:
    return any(code in _QUOTA for verdict in selection.verdicts for code in verdict.codes)


class _Offers:
    """The Kubernetes versions of locations, each asked for once."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._known: dict[str, tuple[list[dict[str, Any]], list[Problem]]] = {}

    def at(self, location: str) -> tuple[list[dict[str, Any]], list[Problem]]:
        place = plain_location(location)
        if place not in self._known:
            self._known[place] = offered_versions(self._arm, place)
        return self._known[place]

    def lists(self, location: str, minor: str, plan: str) -> bool | None:
        """Whether a minor version is offered under a support plan; None where nobody knows."""
        rows, _problems = self.at(location)
        if not rows:
            return None
        fitting = [row for row in rows if str(row.get("version")) == minor]
        plans = [str(name) for row in fitting for name in (row.get("capabilities") or {}).get("supportPlan") or [plan]]
        return plan in plans


def _versions(one: Cluster, offers: _Offers) -> Iterator[Finding]:
    spec = one.wish.spec
    if not (one.body and plan_problems(one.body)):
        for problem in plan_problems(one.body, spec.declared):
            subject = f"{spec.subject}: {problem.path}"
            yield Finding(one.wish.host, subject, code="K8sVersionNotSupported", message=problem.message)
    step = version_step(one.body or {}, spec.kubernetes_version)
    if step.settled or step.refused:
        return
    rows, problems = offers.at(one.location)
    plan = support_plan_of(one.body, spec.declared)[1]
    wrong = offered_problem(spec.kubernetes_version, plain_location(one.location), rows, plan)
    for message in [*(problem.message for problem in problems), *([wrong] if wrong else [])]:
        subject = f"{spec.subject}: kubernetes_version"
        yield Finding(one.wish.host, subject, code="K8sVersionNotSupported", message=message)


def _features(arm: Arm, one: Cluster, states: dict[str, str]) -> Iterator[Finding]:
    spec = one.wish.spec
    asked = [preview_features.Need(name, "features", "", certain=True) for name in one.wish.features]
    asked += preview_features.needs(spec.declared, [pool.declared for pool in spec.pools])
    for need in asked:
        if need.feature not in states:
            states[need.feature] = preview_features.state_of(arm, need.feature)
        state = states[need.feature]
        # one that is unknown is no preview any more, and of one that may not be read nothing is known
        if state in ("", "Registered") or (state == "NotFound" and not need.certain):
            continue
        hint = f"`{preview_features.register_command(need.feature)}`, and wait until `az feature show` says Registered"
        message = f"needs the feature {need.feature}, which is {state}"
        hint = f"{hint} ({need.source})" if need.source else hint
        subject = f"{spec.subject}: {need.place}"
        yield Finding(
            one.wish.host, subject, code="FeatureNotRegistered", message=message, hint=hint, fails=need.certain
        )


def _retirements(one: Cluster, offers: _Offers, everything: bool, today: date, days: int) -> Iterator[Finding]:
    spec, host = one.wish.spec, one.wish.host
    used = retirements.uses(spec.declared, [pool.declared for pool in spec.pools], one.body)
    used += [retirements.Use(CHART, chart.rstrip("/").rpartition("/")[2], "charts") for chart in one.wish.charts]
    known = [use for use in used if everything or (not use.stands and one.changes)]
    listed_by_calendar = set()
    for item in retirements.due(known, today, days):
        listed_by_calendar.add(item.use)
        still = ""
        if item.use.kind == KUBERNETES and item.past and _still_offered(offers, one, item.use):
            still = f" ({plain_location(one.location)} still offers it)"
        yield Finding(
            host,
            f"{spec.subject}: {item.use.place}",
            code="Retired" if item.past else "Retiring",
            message=f"{item.what}{still}",
            hint=item.hint,
            fails=item.fails,
        )
    for use in known if everything else ():
        unknown = use.kind == KUBERNETES and use.stands and use not in listed_by_calendar
        if unknown and _still_offered(offers, one, use) is False:
            message = f"Kubernetes {use.value} is no longer offered in {plain_location(one.location)}"
            hint = "Declare a newer kubernetes_version, one minor a time: az aks get-upgrades shows which"
            yield Finding(host, f"{spec.subject}: {use.place}", code="Retired", message=message, hint=hint, fails=False)


def _still_offered(offers: _Offers, one: Cluster, use: retirements.Use) -> bool | None:
    minor, _blank, plan = use.value.partition(" ")
    return offers.lists(one.location, minor, LONG_TERM if plan else OFFICIAL)
