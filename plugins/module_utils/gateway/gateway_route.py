# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of gateway_route: routes to servers, with who may use them, behind a gateway that is closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import Check, Problem, Refused, Rule, check, refuse
from ..kube.apply.bundle import plan_without_cluster
from ..kube.apply.options import BundleOutcome
from ..kube.apply.owned_objects import is_owned, refuse_others
from ..kube.apply.requests import Target, target_of
from ..kube.client import Kube
from ..kube.kubeconfig import CONNECTION
from ..kube.manifests import Object
from ..names import wrong_name
from ..plan import Refusal
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..waiting import Deadline, wait_timeout_problems
from . import observe
from .access_spec import grants_of
from .gateway_spec import CONTROLLER_NAMESPACE, ENVOY, OWNER_LABEL, TYPES, DeclaredGateway, target_named
from .gateway_validate import owner_problems, routes_problems
from .route_spec import CHILDREN, ROUTE_LABEL, DeclaredRoute, GatewayRef, route_objects, undeclared_children

SUBJECT = "gateway_route"
_KINDS = tuple(dict.fromkeys(kind for kind, _suffix in CHILDREN))


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options, whatever stands."""
    return check(_RULES, params)


def gateway_of(params: Mapping[str, Any]) -> GatewayRef:
    given = params["gateway"]
    place = given.get("controller_namespace") or CONTROLLER_NAMESPACE
    listeners = tuple(given.get("listeners") or ())
    return GatewayRef(given["name"], given["namespace"], params["renderer"], given["port"], place, listeners)


def routes_of(params: Mapping[str, Any]) -> list[DeclaredRoute]:
    auth = tuple(params.get("auth") or ())
    found = []
    for index, one in enumerate(params.get("routes") or ()):
        options = {**one, "service": one.get("service") or one["name"]}
        place = one.get("namespace") or params["namespace"]
        found.append(DeclaredRoute(options, place, auth, f"routes[{index}]"))
    return found


def converge(task: Task) -> Result:
    params = task.params
    refuse(SUBJECT, problems(params))
    gateway, routes = gateway_of(params), routes_of(params)
    absent = params["state"] == "absent"
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        if absent:
            return Result(False, f"nothing to remove: {pending.reason}", values={"routes": []})
        every = [item for some in _phases(gateway, routes) for item in some]
        return _result(gateway, routes, plan_without_cluster(every, pending.reason))
    return _absent(kube, task, gateway, routes) if absent else _present(kube, task, gateway, routes)


def _phases(gateway: GatewayRef, routes: Sequence[DeclaredRoute]) -> list[list[Object]]:
    """The policies of all routes before the first route."""
    found: list[list[Object]] = [[], []]
    for route in routes:
        *before, last = route_objects(route, gateway)
        found[0] += [item for some in before for item in some]
        found[1] += last
    return [some for some in found if some]


def _present(kube: Kube, task: Task, gateway: GatewayRef, routes: Sequence[DeclaredRoute]) -> Result:
    deadline = Deadline(float(task.params["wait_timeout"]))
    phases = _phases(gateway, routes)
    every = [item for some in phases for item in some]
    if not task.check_mode:
        observe.wait_for_kinds(kube, task, SUBJECT, (item["kind"] for item in every), deadline)
    _refuse_open(kube, task, gateway)
    own = [target_of(TYPES[item["kind"]], item) for item in every]
    live = observe.live_of(kube, own)
    refuse_others(SUBJECT, OWNER_LABEL, {target.ref: gateway.owner for target in own}, live)
    # a route that goes, and one that is to be without a policy, are closed before anything is opened
    gone = observe.remove_in_order(kube, task, SUBJECT, gateway.owner, _leaving(kube, task, gateway, routes))
    outcome = observe.apply_phases(kube, task, SUBJECT, phases, gateway.renderer)
    outcome = BundleOutcome((*gone.outcomes, *outcome.outcomes), outcome.notes)
    if task.params["wait"] and not task.check_mode:
        observe.wait_until_ready(kube, task, [*every, *_needed_of(gateway, routes)], deadline)
    return _result(gateway, routes, outcome)


def _needed_of(gateway: GatewayRef, routes: Sequence[DeclaredRoute]) -> list[Object]:
    """What the gateway has, and without which rules for tools refuse every call."""
    grants = (grant for route in routes if not route.anonymous for grant in grants_of(route.name, route.auth))
    if gateway.renderer != ENVOY or all(grant.tools is None for grant in grants):
        return []
    name = DeclaredGateway({"name": gateway.name, "namespace": gateway.namespace}).filter_name
    return [dict(target_named("EnvoyPatchPolicy", name, gateway.namespace).declared)]


def _refuse_open(kube: Kube, task: Task, gateway: GatewayRef) -> None:
    """Behind a gateway without its default deny, a route is open whenever its policy is not there."""
    if gateway.renderer != ENVOY:
        return
    name = DeclaredGateway({"name": gateway.name, "namespace": gateway.namespace}).deny_name
    target = target_named("SecurityPolicy", name, gateway.namespace)
    found = observe.live_of(kube, [target]).get(target.ref)
    denies = ((found or {}).get("spec") or {}).get("authorization") or {}
    if found is not None and denies.get("defaultAction") == "Deny" and not denies.get("rules"):
        return
    if found is None and task.check_mode:
        # the module gateway would have made it
        return
    sentence = "is missing, or denies no more: a route without a policy of its own would be open to everybody"
    remedy = "Run the module gateway first, which makes and repairs it."
    raise Refused(SUBJECT, [Refusal.because(str(target.ref), sentence, remedy)])


def _leaving(kube: Kube, task: Task, gateway: GatewayRef, routes: Sequence[DeclaredRoute]) -> list[list[Target]]:
    """Routes that are declared no more, and parts of others; ways first, then what closes them."""
    found: list[Target] = []
    for route in routes:
        lacking = undeclared_children(route_objects(route, gateway), route.name)
        found += [target_named(kind, name, route.namespace) for kind, name in lacking]
    if task.params["prune"]:
        declared = {(route.namespace, route.name) for route in routes}
        found += [one for one in _standing(kube, gateway) if _route_of(one) not in declared]
    return _in_order(found)


def _standing(kube: Kube, gateway: GatewayRef) -> list[Target]:
    """Everything that routes of this gateway consist of, wherever it is."""
    rows = observe.listed_of(kube, _KINDS, gateway.owner)
    return [
        Target(one.ref, one.resource, item)
        for item in rows
        if (item["metadata"].get("labels") or {}).get(ROUTE_LABEL)
        for one in [target_named(item["kind"], item["metadata"]["name"], item["metadata"]["namespace"])]
    ]


def _route_of(target: Target) -> tuple[str, str]:
    return str(target.ref.namespace), str(target.declared["metadata"]["labels"][ROUTE_LABEL])


def _in_order(targets: Sequence[Target]) -> list[list[Target]]:
    once = {(one.ref.kind, one.ref.namespace, one.ref.name): one for one in targets}
    split = [[one for one in once.values() if one.ref.kind == kind] for kind in _KINDS]
    return [some for some in split if some]


def _absent(kube: Kube, task: Task, gateway: GatewayRef, routes: Sequence[DeclaredRoute]) -> Result:
    """Those that are named; without names all of the gateway."""
    standing = _standing(kube, gateway)
    if task.params.get("routes") is not None:
        named = {(route.namespace, route.name) for route in routes}
        standing = [one for one in standing if _route_of(one) in named]
    ours = [one for one in standing if is_owned(one.declared, OWNER_LABEL, gateway.owner)]
    outcome = observe.remove_in_order(kube, task, SUBJECT, gateway.owner, _in_order(ours))
    return _result(gateway, routes, outcome, absent=True)


def _result(
    gateway: GatewayRef, routes: Sequence[DeclaredRoute], outcome: BundleOutcome, *, absent: bool = False
) -> Result:
    changed = {(one.ref.namespace, one.ref.name) for one in outcome.outcomes if one.plan.changed}
    rows = []
    for route in routes:
        names = {f"{route.name}{suffix}" for _kind, suffix in CHILDREN}
        row: dict[str, Any] = {
            "name": route.name,
            "namespace": route.namespace,
            "changed": any((route.namespace, name) in changed for name in names),
        }
        if not absent:
            row.update(url=route.url(gateway), anonymous=route.anonymous)
            if gateway.renderer == ENVOY and not route.anonymous:
                row["metadata_url"] = route.metadata_url(gateway)
        rows.append(row)
    return Result(
        outcome.changed,
        outcome.summary(deleted=absent),
        plans=outcome.plans,
        values={"routes": rows, "objects": outcome.rows()},
    )


def _declared(params: Mapping[str, Any]) -> Iterator[Problem]:
    gateway, routes = gateway_of(params), routes_of(params)
    for one in owner_problems(gateway.namespace, gateway.name):
        yield Problem(f"gateway.{one.path}", one.message)
    if params["state"] == "absent":
        for route in routes:
            if wrong := wrong_name(route.name, "route name"):
                yield Problem(f"{route.where}.name", wrong)
        return
    if params.get("routes") is None:
        yield Problem("routes", "is needed: an empty list for none")
    lacking = [route.where for route in routes if not route.options.get("host")]
    for where in lacking:
        yield Problem(f"{where}.host", "is needed: the name in the address that clients use")
    complete = [route for route in routes if route.where not in lacking]
    yield from routes_problems(complete, params.get("auth") or (), gateway, params["max_body_bytes"])


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    _declared,
    Check(
        "prune",
        lambda params: params["prune"] and params["state"] == "absent",
        "belongs to state: present; state: absent removes the routes that are named, or all",
    ),
    lambda params: wait_timeout_problems(params["wait_timeout"], zero=True),
)
