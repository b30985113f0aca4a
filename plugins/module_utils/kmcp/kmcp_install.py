# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of kmcp_install: the CRDs first, then the controller, both at one version, or neither.

And what would break, found before helm starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..domain import Domain
from ..errors import Refused, ServiceError, refuse
from ..helm import drift, release_record, secret_values
from ..helm import helm_release as helm
from ..helm.chart import version_key, yaml_documents
from ..helm.helm_release import Outcome
from ..helm.plan import effective_values, plan_release
from ..helm.release_record import Release
from ..kube.client import Kube
from ..kube.config_digest import as_mapping, as_mappings
from ..plan import ABSENT, Change, Plan, Refusal
from ..run_cache import ClusterPending
from ..task import Result, Task
from . import cluster_state
from . import spec as controller_values
from .cluster_state import CrdOwner
from .server_spec import CRD, KIND
from .spec import KmcpSpec, kmcp_spec, problems


def check_crds(task: Task, kube: Kube, spec: KmcpSpec, release: Release | None) -> list[str]:
    """Notes about the definition; refused when it is another release's, or when stored servers would lose by it."""
    if not spec.manage_crds:
        return _foreign_definition(task, kube, spec)
    if release is not None and release.chart_version == spec.version:
        return []
    metadata = cluster_state.crd_metadata(kube)
    if metadata is None:
        return []
    notes = []
    if release is None:
        owner = cluster_state.crd_owner(metadata)
        there = (
            owner is not None
            and owner != cluster_state.release_owner(spec.definitions)
            and cluster_state.owner_is_installed(kube, owner)
        )
        found = cluster_state.ownership_conflict(metadata, spec.definitions, there)
        if found is not None:
            raise Refused("kmcp", [found])
        if not cluster_state.is_owned(metadata, spec.definitions):
            notes.append(f"The definition {CRD} was there and becomes this release's (take_ownership).")
    elif version_key(release.chart_version) > version_key(spec.version):
        notes.append(f"KMCP goes back from {release.chart_version} to {spec.version}.")
    return notes + _check_losses(task, kube, spec)


def check_controller(task: Task, kube: Kube, spec: KmcpSpec, release: Release | None) -> list[str]:
    """Notes about the controller's values; refused when this version's chart does not take them."""
    values = effective_values(spec.controller, release)
    notes = list(controller_values.value_notes(values, spec.version))
    if release is None:
        notes += _second_controller(task, kube, spec)
    plan = plan_release(spec.controller, release)
    if not plan.changes:
        return notes
    wrong = controller_values.version_problems(values, spec.version)
    if wrong:
        # what the task itself declares was checked before anything was asked: these are the release's
        remedy = "It {}. Declare values or the options for them, so that the release's own are not kept."
        refused = [Refusal.because(item.path, "the release sets it", remedy.format(item.message)) for item in wrong]
        raise Refused("kmcp", refused)
    watched = controller_values.value_at(values, ("rbac", "namespaces")) or []
    own = spec.namespace if spec.controller.create_namespace else ""
    missing = [name for name in watched if name != own and kube.get(f"/api/v1/namespaces/{name}") is None]
    if missing and task.check_mode:
        notes.append(f"The controller's roles depend on namespaces that do not exist yet: {', '.join(missing)}.")
    elif missing:
        raise ServiceError(
            f"Installing release {spec.namespace}/{spec.controller.name}",
            f"its roles belong into namespaces that do not exist: {', '.join(missing)}",
            code="NamespaceNotFound",
            hint="Create them first, or leave them out of watch_namespaces.",
        )
    return notes + _check_servers(task, kube, spec, release, values)


def _second_controller(task: Task, kube: Kube, spec: KmcpSpec) -> list[str]:
    """A release of another name leaves the one that is there: two controllers would work on the same servers."""
    try:
        running = cluster_state.list_controllers(kube).found
    except ServiceError:
        # without the right to list Deployments nothing is known
        return []
    others = cluster_state.other_releases(running, spec.namespace, spec.controller.name)
    if not others:
        return []
    reported = (
        f"There is already a KMCP controller, of release {', '.join(others)}; both would work on the MCPServers that "
        "both watch. If it is to be renamed, remove it first (state: absent with its release_name, and orphan_servers: "
        "true while there are MCPServers)."
    )
    # default output does not show notes
    task.warn(reported)
    return [reported]


def _check_servers(
    task: Task, kube: Kube, spec: KmcpSpec, release: Release | None, values: Mapping[str, Any]
) -> list[str]:
    """Notes about servers that would be left to nobody; refused unless that is meant."""
    watched = controller_values.watched_namespaces(values, spec.version)
    if release is None or watched is None:
        return []
    orphans = cluster_state.orphaned_servers(release, values, spec.version, cluster_state.server_names(kube))
    if not orphans:
        return []
    if not task.params["orphan_servers"]:
        name = f"{spec.namespace}/{spec.controller.name}"
        raise Refused("kmcp", [cluster_state.narrowing_refusal(name, orphans, sorted(watched))])
    left = cluster_state.orphans_note(orphans)
    # default output does not show notes
    task.warn(left)
    return [left]


def _foreign_definition(task: Task, kube: Kube, spec: KmcpSpec) -> list[str]:
    metadata = cluster_state.crd_metadata(kube)
    if metadata is not None:
        owner = cluster_state.crd_owner(metadata)
        return [f"The definition {CRD} is left to {owner or 'whoever created it'} (manage_crds is false)."]
    reported = f"{CRD} does not exist, and manage_crds is false"
    if task.check_mode:
        return [f"The controller depends on a definition that does not exist yet: {reported}."]
    raise ServiceError(
        f"Installing release {spec.namespace}/{spec.controller.name}",
        reported,
        code="DefinitionMissing",
        hint="Have its owner (kagent, for example) install it first, or leave manage_crds on.",
    )


def _check_losses(task: Task, kube: Kube, spec: KmcpSpec) -> list[str]:
    """The chart's definition is rendered, which needs helm and its registry, in check mode too."""
    # only another version needs it
    from .schema_loss import objects_with, schema_losses, schema_refusal, version_losses

    now = cluster_state.read_crd(kube)
    if now is None:
        return []
    chart = spec.definitions.chart
    text = drift.render_manifest(task, kube, spec.definitions, {})
    found = yaml_documents(f"Rendering chart {chart.name} {chart.version}", text)
    then = next((item for item in as_mappings(found) if as_mapping(item.get("metadata")).get("name") == CRD), None)
    if then is None:
        raise ServiceError(
            f"Comparing the definitions of KMCP {spec.version}",
            f"chart {chart.name} has no {CRD}",
            code="NoDefinition",
            hint="Check chart_repository and crds_chart.",
        )
    refused = version_losses(now, then)
    lost = schema_losses(now, then)
    stored = cluster_state.list_servers(kube) if lost else []
    hurt = [(loss, names) for loss in lost if (names := objects_with(loss, stored))]
    if not spec.accept_field_loss:
        refused += [schema_refusal(KIND, loss, names) for loss, names in hurt]
    if refused:
        raise Refused("kmcp", refused)
    return [f"{KIND} {loss.field} {loss.reported} in {spec.version}: {', '.join(names)}." for loss, names in hurt]


def remove_kmcp(task: Task) -> Result:
    params = task.params
    refuse("kmcp", problems(params))
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        plan = Plan("kmcp", notes=(f"There is no cluster yet: {pending.reason}.",))
        return Result.of(plan)
    namespace, name, crds = params["namespace"], params["release_name"], params["crds_release_name"]
    remains = release_record.read_history(kube, namespace, crds).newest is not None
    servers = cluster_state.server_names(kube)
    plans: list[Plan] = []
    orphans: list[str] = []
    if params["delete_crds"] and remains:
        _guard(kube, servers, CrdOwner(namespace, crds), params)
        plans.append(Plan("MCPServers", tuple(Change(server, "present", ABSENT) for server in servers)))
    else:
        orphans = cluster_state.servers_of_controller(
            release_record.read_history(kube, namespace, name).newest, servers
        )
        if orphans and not params["orphan_servers"]:
            raise Refused("kmcp", [cluster_state.removal_refusal(f"{namespace}/{name}", orphans)])
    outcome = helm.remove_release(task, kube, name, namespace, params)
    plans += outcome.plans
    if orphans:
        left = cluster_state.orphans_note(orphans)
        plans[-1] = plans[-1].with_notes(left)
        # default output does not show notes
        task.warn(left)
    if params["delete_crds"]:
        plans += helm.remove_release(task, kube, crds, namespace, params).plans
        if not remains:
            plans[-1] = plans[-1].with_notes(*_left_over(kube))
    elif remains and outcome.changed:
        plans[-1] = plans[-1].with_notes(f"The definitions (release {namespace}/{crds}) stay.")
    reported = [plan.summary() for plan in plans if plan.changed] or ["kmcp: absent as declared"]
    return Result(changed=any(plan.changed for plan in plans), msg="; ".join(reported), plans=tuple(plans))


def _guard(kube: Kube, servers: list[str], ours: CrdOwner, params: Mapping[str, Any]) -> None:
    """Removing the definition takes every MCPServer along: both must be meant, and the definition be ours."""
    refusals = []
    conflict = cluster_state.removal_conflict(cluster_state.crd_metadata(kube), ours)
    if conflict is not None:
        refusals.append(conflict)
    if servers and not params["delete_servers"]:
        refusals.append(_servers_exist(servers, params["orphan_servers"]))
    if refusals:
        raise Refused("kmcp", refusals)


def _left_over(kube: Kube) -> list[str]:
    metadata = cluster_state.crd_metadata(kube)
    if metadata is None:
        return []
    owner = cluster_state.crd_owner(metadata)
    whose = f"it belongs to {owner}" if owner else "it was created without Helm"
    return [f"CustomResourceDefinition {CRD} remains: {whose}."]


def _servers_exist(servers: Sequence[str], orphaned: bool) -> Refusal:
    remedy = (
        "To leave them as they are (orphan_servers), leave delete_crds out; to delete them, leave orphan_servers out "
        "and set delete_servers: true."
        if orphaned
        else "Remove them first, or set delete_servers: true."
    )
    sentence = f"removing it would delete {cluster_state.servers_text(servers)}, with their workloads"
    return Refusal.because(f"CustomResourceDefinition {CRD}", sentence, remedy)


def converge(task: Task, domains: Sequence[Domain] = ()) -> Result:
    """The operation of kmcp_install."""
    if task.params["state"] == "absent":
        return remove_kmcp(task)
    spec = kmcp_spec(task.params)
    both = {name: replace(getattr(spec, name), domains=tuple(domains)) for name in ("definitions", "controller")}
    spec = replace(spec, **both)
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        wanted = (spec.definitions, spec.controller) if spec.manage_crds else (spec.controller,)
        outcomes = [helm.pending_outcome(task, each, pending.reason) for each in wanted]
        return _result(spec, outcomes[0] if spec.manage_crds else _unmanaged(), outcomes[-1])
    return _result(spec, *_present(task, kube, spec))


def _present(task: Task, kube: Kube, spec: KmcpSpec) -> tuple[Outcome, Outcome]:
    """The controller exits when the definition it watches is missing, so the definition is waited for first.

    Both are checked before either is changed.
    """
    found = release_record.read_history(kube, spec.namespace, spec.definitions.name) if spec.manage_crds else None
    beside = release_record.read_history(kube, spec.namespace, spec.controller.name)
    secret_values.protect_current(task, beside)
    notes = check_crds(task, kube, spec, found.newest if found else None)
    controller_notes = check_controller(task, kube, spec, beside.newest)
    definitions = helm.ensure_release(task, kube, spec.definitions, found) if spec.manage_crds else _unmanaged()
    controller = helm.ensure_release(task, kube, spec.controller, beside)
    return _noted(definitions, notes), _noted(controller, controller_notes)


def _unmanaged() -> Outcome:
    return Outcome((Plan("kmcp definitions"),), None)


def _noted(outcome: Outcome, notes: list[str]) -> Outcome:
    first, *rest = outcome.plans
    return replace(outcome, plans=(first.with_notes(*notes), *rest))


def _result(spec: KmcpSpec, definitions: Outcome, controller: Outcome) -> Result:
    plans = definitions.plans + controller.plans
    shown = [plan.summary() for plan in plans if plan.changed] or [f"kmcp {spec.version}: as declared"]
    values = {
        "version": spec.version,
        "releases": {
            "crds": helm.describe_release(definitions.release),
            "controller": helm.describe_release(controller.release),
        },
        "previous": {
            "crds": helm.describe_release(definitions.previous),
            "controller": helm.describe_release(controller.previous),
        },
        "controller_image": _controller_image(controller),
    }
    return Result(changed=any(plan.changed for plan in plans), msg="; ".join(shown), plans=plans, values=values)


def _controller_image(outcome: Outcome) -> str | None:
    """The image of the only Deployment of the controller's chart."""
    deployments = (item["spec"]["template"]["spec"] for item in outcome.live if item["kind"] == "Deployment")
    return next((str(pod["containers"][0]["image"]) for pod in deployments), None)
