# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of gateway: a way into the cluster that is closed until routes with policies of their own open it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import Problem, Refused, Rule, check, refuse
from ..kube.apply.bundle import plan_without_cluster
from ..kube.apply.options import BundleOutcome
from ..kube.apply.owned_objects import refuse_others
from ..kube.apply.requests import Target, target_of
from ..kube.client import Kube
from ..kube.kubeconfig import CONNECTION
from ..kube.manifests import Object
from ..plan import Refusal
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..waiting import Deadline, wait_timeout_problems
from . import observe
from .gateway_readiness import addresses_of
from .gateway_spec import ENVOY, OWNER_LABEL, TYPES, DeclaredGateway, every_object, gateway_objects, target_named
from .gateway_validate import gateway_problems, owner_problems

SUBJECT = "gateway"


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options, whatever stands."""
    return check(_RULES, params)


def converge(task: Task) -> Result:
    params = task.params
    refuse(SUBJECT, problems(params))
    gateway = DeclaredGateway(params)
    absent = params["state"] == "absent"
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        if absent:
            return Result(False, f"nothing to remove: {pending.reason}", values={"gateway": {}})
        every = [item for some in gateway_objects(gateway) for item in some]
        return _result(gateway, plan_without_cluster(every, pending.reason), None)
    return _absent(kube, task, gateway) if absent else _present(kube, task, gateway)


def _present(kube: Kube, task: Task, gateway: DeclaredGateway) -> Result:
    deadline = Deadline(float(task.params["wait_timeout"]))
    phases = gateway_objects(gateway)
    every = [item for some in phases for item in some]
    waits = task.params["wait"] and not task.check_mode
    if not task.check_mode:
        observe.wait_for_kinds(kube, task, SUBJECT, (item["kind"] for item in every), deadline)
    if waits:
        observe.wait_for_class(kube, task, gateway.class_name, deadline)
    own = [target_of(TYPES[item["kind"]], item) for item in every]
    live = observe.live_of(kube, own)
    refuse_others(SUBJECT, OWNER_LABEL, {target.ref: gateway.owner for target in own}, live)
    _refuse_another_class(gateway, live.get(own[-1].ref))
    outcome = observe.apply_phases(kube, task, SUBJECT, phases, gateway.renderer)
    declared = {(item["kind"], item["metadata"]["name"]) for item in every}
    leaving = [one for one in _standing(kube, gateway) if (one.ref.kind, one.ref.name) not in declared]
    gone = observe.remove_in_order(kube, task, SUBJECT, gateway.owner, [leaving])
    outcome = BundleOutcome((*outcome.outcomes, *gone.outcomes), outcome.notes)
    ready = observe.wait_until_ready(kube, task, every, deadline) if waits else []
    stands = next((item for item in ready if item["kind"] == "Gateway"), None)
    return _result(gateway, outcome, stands or live.get(own[-1].ref))


def _refuse_another_class(gateway: DeclaredGateway, stands: Object | None) -> None:
    """Routes stay attached to a Gateway whose class changes, and another class knows nothing of what closes them."""
    before = str(((stands or {}).get("spec") or {}).get("gatewayClassName") or "")
    if before and before != gateway.class_name:
        remedy = (
            "Routes would stay attached, without the policies of the class that they have: remove them and the gateway "
            "first (state: absent of gateway_route, then of gateway), or give the new one another name."
        )
        place = f"Gateway {gateway.namespace}/{gateway.name}: class_name"
        raise Refused(SUBJECT, [Refusal(place, before, gateway.class_name, remedy)])


def _standing(kube: Kube, gateway: DeclaredGateway) -> list[Target]:
    """All that a gateway may consist of, with the certificates of listeners that are declared no more."""
    known = {(kind, name, place): target_named(kind, name, place) for kind, name, place in every_object(gateway)}
    for item in observe.listed_of(kube, ["Certificate"], gateway.owner, gateway.namespace):
        key = (item["kind"], item["metadata"]["name"], gateway.namespace)
        known[key] = target_named(*key)
    return list(known.values())


def _absent(kube: Kube, task: Task, gateway: DeclaredGateway) -> Result:
    standing = _standing(kube, gateway)
    entry = [one for one in standing if one.ref.kind == "Gateway"]
    beside = [one for one in standing if one.ref.kind != "Gateway"]
    deadline = Deadline(float(task.params["wait_timeout"]))
    outcome = observe.remove_in_order(kube, task, SUBJECT, gateway.owner, [entry, beside])
    if gateway.renderer == ENVOY and task.params["wait"] and not task.check_mode:
        observe.wait_for_proxies_to_go(kube, task, gateway, deadline)
    return _result(gateway, outcome, None, absent=True)


def _result(gateway: DeclaredGateway, outcome: BundleOutcome, stands: Object | None, *, absent: bool = False) -> Result:
    about: dict[str, Any] = {"name": gateway.name, "namespace": gateway.namespace}
    if not absent:
        hosts = list(dict.fromkeys(one["hostname"] for one in gateway.listeners))
        addresses: Sequence[str] = addresses_of(stands) if stands else ()
        about.update(class_name=gateway.class_name, hostnames=hosts, addresses=list(addresses))
    return Result(
        outcome.changed,
        outcome.summary(deleted=absent),
        plans=outcome.plans,
        values={"gateway": about, "objects": outcome.rows()},
    )


def _declared(params: Mapping[str, Any]) -> Iterator[Problem]:
    gateway = DeclaredGateway(params)
    if params["state"] == "absent":
        # to remove it, its name is enough
        yield from owner_problems(gateway.namespace, gateway.name)
    else:
        yield from gateway_problems(gateway)


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    _declared,
    lambda params: wait_timeout_problems(params["wait_timeout"], zero=True),
)
