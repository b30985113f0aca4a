# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Before helm starts: what another version or other values would break, found while nothing is changed yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Refused, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import source
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import documents
from ansible_collections.mcpops.platform.plugins.module_utils.helm.plan import effective_values, plan_release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.versions import order
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import (
    controller_values,
    controllers,
    kept_servers,
    ownership,
    standing,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.charts import KmcpSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.constants import CRD, KIND
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.schema_loss import (
    holders,
    losses,
    refusal,
    version_losses,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Refusal
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task


def check_definitions(task: Task, kube: Kube, spec: KmcpSpec, release: Release | None) -> list[str]:
    """Notes about the definition; refused when it is another release's, or when stored servers would lose by it."""
    if not spec.manage_crds:
        return _foreign_definition(task, kube, spec)
    if release is not None and release.chart_version == spec.version:
        return []
    metadata = standing.definition_metadata(kube)
    if metadata is None:
        return []
    notes = []
    if release is None:
        owner = ownership.owner_of(metadata)
        there = owner is not None and owner != ownership.owner(spec.definitions) and standing.installed(kube, owner)
        found = ownership.conflict(metadata, spec.definitions, there)
        if found is not None:
            raise Refused("kmcp", [found])
        if not ownership.owned(metadata, spec.definitions):
            notes.append(f"The definition {CRD} was there and becomes this release's (take_ownership).")
    elif order(release.chart_version) > order(spec.version):
        notes.append(f"KMCP goes back from {release.chart_version} to {spec.version}.")
    return notes + _check_losses(task, kube, spec)


def check_controller(task: Task, kube: Kube, spec: KmcpSpec, release: Release | None) -> list[str]:
    """Notes about the controller's values; refused when this version's chart does not take them."""
    values = effective_values(spec.controller, release)
    notes = list(controller_values.notes(values, spec.version))
    if release is None:
        notes += _second_controller(task, kube, spec)
    plan = plan_release(spec.controller, release)
    if not plan.changes:
        return notes
    wrong = controller_values.version_problems(values, spec.version)
    if wrong:
        # what the task itself declares was checked before anything was asked: these are the release's
        raise Refused("kmcp", [Refusal.because(item.path, "the release sets it", _dropped(item)) for item in wrong])
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
        running = controllers.listed(kube).found
    except ServiceError:
        # without the right to list Deployments nothing is known
        return []
    others = controllers.other_releases(running, spec.namespace, spec.controller.name)
    if not others:
        return []
    told = (
        f"There is already a KMCP controller, of release {', '.join(others)}; both would work on the MCPServers that "
        "both watch. If it is to be renamed, remove it first (state: absent with its release_name, and orphan_servers: "
        "true while there are MCPServers)."
    )
    # default output does not show notes
    task.warn(told)
    return [told]


def _check_servers(
    task: Task, kube: Kube, spec: KmcpSpec, release: Release | None, values: Mapping[str, Any]
) -> list[str]:
    """Notes about servers that would be left to nobody; refused unless that is meant."""
    watched = controller_values.watched_namespaces(values, spec.version)
    if release is None or watched is None:
        return []
    orphans = kept_servers.let_go(release, values, spec.version, standing.server_names(kube))
    if not orphans:
        return []
    if not task.params["orphan_servers"]:
        name = f"{spec.namespace}/{spec.controller.name}"
        raise Refused("kmcp", [kept_servers.narrowed(name, orphans, sorted(watched))])
    left = kept_servers.left(orphans)
    # default output does not show notes
    task.warn(left)
    return [left]


def _dropped(problem: Any) -> str:
    return f"It {problem.message}. Declare values or the options for them, so that the release's own are not kept."


def _foreign_definition(task: Task, kube: Kube, spec: KmcpSpec) -> list[str]:
    metadata = standing.definition_metadata(kube)
    if metadata is not None:
        owner = ownership.owner_of(metadata)
        return [f"The definition {CRD} is left to {owner or 'whoever created it'} (manage_crds is false)."]
    told = f"{CRD} does not exist, and manage_crds is false"
    if task.check_mode:
        return [f"The controller depends on a definition that does not exist yet: {told}."]
    raise ServiceError(
        f"Installing release {spec.namespace}/{spec.controller.name}",
        told,
        code="DefinitionMissing",
        hint="Have its owner (kagent, for example) install it first, or leave manage_crds on.",
    )


def _check_losses(task: Task, kube: Kube, spec: KmcpSpec) -> list[str]:
    """The chart's definition is rendered, which needs helm and its registry, in check mode too."""
    now = standing.definition(kube)
    if now is None:
        return []
    chart = spec.definitions.chart
    text = source.rendered(task, kube, spec.definitions, {})
    found = documents(f"Rendering chart {chart.name} {chart.version}", text)
    then = next((item for item in found if _is_definition(item)), None)
    if then is None:
        raise ServiceError(
            f"Comparing the definitions of KMCP {spec.version}",
            f"chart {chart.name} has no {CRD}",
            code="NoDefinition",
            hint="Check chart_repository and crds_chart.",
        )
    refused = version_losses(now, then)
    lost = losses(now, then)
    hurt = [(loss, holders(loss, stored)) for stored in [standing.servers(kube) if lost else []] for loss in lost]
    hurt = [(loss, names) for loss, names in hurt if names]
    if not spec.accept_field_loss:
        refused += [refusal(KIND, loss, names) for loss, names in hurt]
    if refused:
        raise Refused("kmcp", refused)
    return [f"{KIND} {loss.field} {loss.told} in {spec.version}: {', '.join(names)}." for loss, names in hurt]


def _is_definition(item: Any) -> bool:
    return isinstance(item, Mapping) and (item.get("metadata") or {}).get("name") == CRD
