# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of mesh_registry: a registry with its database, ready when it can read its agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import Check, NotReady, Problem, Refused, Rule, ServiceError, check, refuse
from ..kube.apply.bundle import apply_bundle, plan_without_cluster
from ..kube.apply.options import ON_IMMUTABLE, BundleOptions, BundleOutcome, ObjectOptions
from ..kube.apply.owned_objects import TYPES, delete_owned, is_owned, refuse_others, target_named
from ..kube.apply.requests import FORBIDDEN, Target, read_live, target_of
from ..kube.client import Kube
from ..kube.discovery import ResourceType
from ..kube.kubeconfig import CONNECTION
from ..kube.manifests import Object, ObjectRef, object_ref
from ..masking import protect
from ..plan import Refusal
from ..run_cache import ClusterPending
from ..task import Result, Task
from ..waiting import Deadline, poll, wait_timeout_problems
from . import registry_observe
from .agent_spec import COMPONENT_LABEL, REGISTRY, cidr_problems
from .backup_spec import backup_objects, backup_problems, blob_problems
from .registry_observe import Registry, awaits_database
from .registry_plan import (
    Growth,
    downgrade_refusals,
    not_growing,
    restoration,
    unneeded,
    volume_growth,
    with_way_out,
)
from .registry_spec import (
    BACKUP,
    BUNDLED,
    EXISTING,
    OWNER_LABEL,
    PORT,
    DeclaredRegistry,
    claims,
    every_object,
    in_order,
    new_password,
    password_in,
    registry_objects,
    url_in,
)
from .registry_validate import ports_of, registry_option_problems, wrong_url

SUBJECT = "mesh_registry"
STORAGE_CLASS = ResourceType("storage.k8s.io/v1", "StorageClass", "storageclasses", False)
_WORKLOADS = ("Deployment", "StatefulSet")
_WAITED_FOR = (*_WORKLOADS, "Job")


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options, whatever stands."""
    return check(_RULES, params)


def converge(task: Task) -> Result:
    params = task.params
    refuse(SUBJECT, problems(params))
    registry = DeclaredRegistry(params)
    absent = params["state"] == "absent"
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        if absent:
            return Result(False, f"nothing to remove: {pending.reason}", values={"registry": {}})
        made = _with_password(task, registry, None)
        return _result(made, plan_without_cluster(_objects(made), pending.reason))
    return _absent(kube, task, registry) if absent else _present(kube, task, registry)


def _present(kube: Kube, task: Task, registry: DeclaredRegistry) -> Result:
    params, deadline = task.params, Deadline(float(task.params["wait_timeout"]))
    secret = target_named("Secret", registry.secret_name, registry.namespace)
    every = [target_named(kind, name, registry.namespace) for kind, name in every_object(registry)]
    live = read_live(kube, every, [secret]).complete
    with_database = _with_existing if registry.kind == EXISTING else _with_password
    made = with_database(task, registry, live.get(secret.ref))
    objects = _objects(made)
    own = [target_of(TYPES[item["kind"]], item) for item in objects]
    refuse_others(SUBJECT, OWNER_LABEL, {target.ref: registry.name for target in own}, live)
    _refuse_older(task, objects, live)
    growth = _growth(kube, registry, objects, live)
    job = target_named("Job", registry.restore_name, registry.namespace)
    restored = restoration(next((item for item in objects if item["kind"] == "Job"), None), live.get(job.ref))
    applied_ones = [item for item in objects if item["kind"] != "Job"]
    applied_ones += [restored.job] if restored.job else []
    options = BundleOptions(
        subject=SUBJECT,
        namespace=registry.namespace,
        exclusive=True,
        wait_timeout=float(params["wait_timeout"]),
    )

    def settle(applied: BundleOutcome) -> Sequence[Object]:
        waited_for = [item for item in applied.objects if item["kind"] in _WAITED_FOR]
        if any(item["metadata"]["name"] == registry.backup_name for item in applied.objects):
            waited_for += restored.running
        return _wait_for_pods(kube, task, registry, waited_for, deadline)

    waits = params["wait"] and not task.check_mode
    outcome = _grow(kube, task, registry, growth)
    outcome = BundleOutcome(outcome.outcomes, (*outcome.notes, *restored.notes))
    not_restored: NotReady | None = None
    # the registry ends when it finds no database: one after the other, its pods need not crash for that
    for some in in_order(applied_ones):
        renewed = _made_anew(some, growth)
        # a StatefulSet that is made anew leaves its pods, a Job takes them with it
        alone = any(one.kind == "StatefulSet" for one in renewed)
        chosen = replace(options, per_object=renewed, propagation="Orphan" if alone else "Background")
        try:
            applied = apply_bundle(kube, task, some, chosen, settle if waits else None)
        except NotReady as failure:
            if not _is_restoration(some) or not any(one.terminal for one in failure.reasons):
                raise
            # agents need a registry, and a Job that failed has written nothing: it is told in the end
            not_restored = failure
            continue
        outcome = BundleOutcome((*outcome.outcomes, *applied.outcomes), (*outcome.notes, *applied.notes))
        outcome.raise_failures("apply the mesh registry")
    lacking = set(unneeded(registry, objects))
    leaving = [target for target in every if (target.ref.kind, target.ref.name) in lacking]
    gone = delete_owned(kube, task, SUBJECT, _owned(registry, leaving, live), live)
    outcome = BundleOutcome((*outcome.outcomes, *gone), outcome.notes)
    outcome.raise_failures("remove what is no longer declared")
    if waits:
        _wait_until_it_answers(kube, task, registry, deadline, outcome)
    if not_restored is not None:
        rows = [*outcome.rows(), *(not_restored.values.get("objects") or ())]
        not_restored.values.update(changed=outcome.changed or bool(not_restored.values.get("changed")), objects=rows)
        raise not_restored
    return _result(registry, outcome)


def _is_restoration(objects: Sequence[Object]) -> bool:
    return all(item["metadata"]["labels"][COMPONENT_LABEL] == BACKUP for item in objects)


def _refuse_older(task: Task, objects: Sequence[Object], live: Mapping[ObjectRef, Object]) -> None:
    """Not below the version that runs, unless somebody has said that its data may go."""
    refused = [
        one
        for item in objects
        if item["kind"] in _WORKLOADS and item["metadata"]["labels"][COMPONENT_LABEL] == REGISTRY
        for one in downgrade_refusals(live.get(object_ref(item)), item, task.params["allow_downgrade"])
    ]
    if refused:
        raise Refused(SUBJECT, refused)


def _made_anew(objects: Sequence[Object], growth: Growth) -> tuple[ObjectOptions, ...]:
    return tuple(
        ObjectOptions(item["kind"], item["metadata"]["name"], None, {"recreate": ON_IMMUTABLE})
        for item in objects
        # another dump is another Job
        if item["kind"] == "Job" or (item["kind"] == "StatefulSet" and item["metadata"]["name"] in growth.anew)
    )


def _growth(
    kube: Kube, registry: DeclaredRegistry, objects: Sequence[Object], live: Mapping[ObjectRef, Object]
) -> Growth:
    """What larger volumes take; Refused where they cannot be had."""
    sets = [item for item in objects if item["kind"] == "StatefulSet"]
    kept = [target_named(kind, name, registry.namespace) for kind, name in claims(registry)] if sets else []
    known = {**live, **read_live(kube, kept).complete}
    growth = volume_growth(sets, {(ref.kind, ref.name): item for ref, item in known.items()})
    refused = [*growth.refused, *not_growing(_storage_classes(kube, growth.classes))]
    if refused:
        raise Refused(SUBJECT, refused)
    return growth


def _storage_classes(kube: Kube, names: Sequence[str]) -> list[Object]:
    """Those that may be read; of others the API server says itself what they allow."""
    found = []
    for name in names:
        try:
            one = kube.get(STORAGE_CLASS.path(None, name), action=f"read StorageClass {name}")
        except ServiceError as refused:
            if refused.status != FORBIDDEN:
                raise
            continue
        if one is not None:
            found.append(one)
    return found


def _grow(kube: Kube, task: Task, registry: DeclaredRegistry, growth: Growth) -> BundleOutcome:
    if not growth.claims:
        return BundleOutcome(())
    # the size of a claim that a StatefulSet made is its controller's
    options = BundleOptions(subject=SUBJECT, namespace=registry.namespace, force_conflicts=True)
    outcome = apply_bundle(kube, task, growth.claims, options)
    outcome.raise_failures("grow the volumes of the mesh registry")
    return outcome


def _wait_for_pods(
    kube: Kube, task: Task, registry: DeclaredRegistry, workloads: Sequence[Object], deadline: Deadline
) -> Sequence[Object]:
    """A registry ends when it finds no database: while that is all, it is given the time to start."""
    from ..kube.readiness.wait import wait_ready

    while True:
        try:
            return wait_ready(kube, task, workloads, max(1.0, deadline.left))
        except NotReady as failure:
            if deadline.passed or not awaits_database(failure.reasons):
                failure.reasons = tuple(with_way_out(failure.reasons, registry.namespace, registry.restore_name))
                raise


def _objects(registry: DeclaredRegistry) -> list[Object]:
    return [*registry_objects(registry), *backup_objects(registry)]


def _wait_until_it_answers(
    kube: Kube, task: Task, registry: DeclaredRegistry, deadline: Deadline, outcome: BundleOutcome
) -> None:
    """Its pods are ready when one look at the agents went well; this one goes the way that others go."""
    service = Registry(registry.namespace, registry.name, PORT)
    answer = poll(
        lambda: registry_observe.ask_registry(kube, service),
        lambda seen: f"waiting for the {service.label}: {seen.silence.finding}" if seen.silence else None,
        deadline,
        task.progress,
    )
    if answer.silence is not None:
        values = {"changed": outcome.changed, "objects": outcome.rows()}
        raise NotReady(service.label, [answer.silence], waited=deadline.elapsed, values=values)


def _with_password(task: Task, registry: DeclaredRegistry, secret: Object | None) -> DeclaredRegistry:
    """With the password that stands, or a new one: a database keeps the one that it was made with."""
    if registry.kind == EXISTING:
        return registry
    password = password_in(secret)
    if registry.kind == BUNDLED:
        password = password or new_password()
    if not password:
        return registry
    made = DeclaredRegistry(registry.options, password)
    protect(task, [password, made.database_url])
    return made


def _with_existing(task: Task, registry: DeclaredRegistry, secret: Object | None) -> DeclaredRegistry:
    """With the ports in a Secret of the user's; what the registry would make of it shows before its pods do."""
    where = f"Secret {registry.namespace}/{registry.secret_name}"
    if secret is None:
        if task.check_mode:
            # an earlier task would make it
            return registry
        raise Refused(SUBJECT, [Refusal.because(where, "does not exist, or may not be read", "Create it first.")])
    url = url_in(secret, registry.secret_key)
    if url is not None:
        protect(task, [url])
    wrong = f"has no key {registry.secret_key}" if url is None else wrong_url(url)
    if wrong:
        remedy = "Write postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=require into it."
        raise Refused(SUBJECT, [Refusal.because(f"{where} key {registry.secret_key}", wrong, remedy)])
    return DeclaredRegistry(registry.options, database_ports=ports_of(url or ""))


def _absent(kube: Kube, task: Task, registry: DeclaredRegistry) -> Result:
    kinds = [*every_object(registry), *(claims(registry) if task.params["delete_data"] else ())]
    # with the data stays the password that it was made with, and the mark of what was restored to it
    kept = [] if task.params["delete_data"] else [one for one in kinds if one[0] in ("Secret", "Job")]
    gone = [one for one in kinds if one not in kept or one[1] == registry.azure_secret_name]
    targets = [target_named(kind, name, registry.namespace) for kind, name in gone]
    live = read_live(kube, targets).complete
    outcome = BundleOutcome(tuple(delete_owned(kube, task, SUBJECT, _owned(registry, targets, live), live)))
    outcome.raise_failures("remove the mesh registry")
    return _result(registry, outcome, absent=True)


def _owned(registry: DeclaredRegistry, targets: Sequence[Target], live: Mapping[ObjectRef, Object]) -> list[Target]:
    return [target for target in targets if is_owned(live.get(target.ref), OWNER_LABEL, registry.name)]


def _result(registry: DeclaredRegistry, outcome: BundleOutcome, *, absent: bool = False) -> Result:
    place = {"namespace": registry.namespace, "name": registry.name}
    url = {} if absent else {"url": f"http://{registry.name}.{registry.namespace}:{PORT}", "database": registry.kind}
    return Result(
        outcome.changed,
        outcome.summary(deleted=absent),
        plans=outcome.plans,
        values={"registry": {**place, **url}, "objects": outcome.rows()},
    )


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    registry_option_problems,
    backup_problems,
    blob_problems,
    cidr_problems,
    Check(
        "delete_data",
        lambda params: params["delete_data"] and params["state"] != "absent",
        "belongs to state: absent",
    ),
    lambda params: wait_timeout_problems(params["wait_timeout"], zero=True),
)
