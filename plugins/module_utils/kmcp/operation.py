# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KMCP in a cluster: its definitions first, then the controller, both at one version, or neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.domain import Domain
from ansible_collections.mcpops.platform.plugins.module_utils.helm import operation as helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm import recovery, secrecy
from ansible_collections.mcpops.platform.plugins.module_utils.helm.operation import Outcome
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import preflight
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.charts import KmcpSpec, kmcp_spec
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.removal import absent
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig_file import ClusterPending
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task


def converge(task: Task, domains: Sequence[Domain] = ()) -> Result:
    """The operation of kmcp_install."""
    if task.params["state"] == "absent":
        return absent(task)
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
    found = recovery.read(kube, spec.namespace, spec.definitions.name) if spec.manage_crds else None
    beside = recovery.read(kube, spec.namespace, spec.controller.name)
    secrecy.protect_standing(task, beside)
    notes = preflight.check_definitions(task, kube, spec, found.newest if found else None)
    controller_notes = preflight.check_controller(task, kube, spec, beside.newest)
    definitions = helm.ensure(task, kube, spec.definitions, found) if spec.manage_crds else _unmanaged()
    controller = helm.ensure(task, kube, spec.controller, beside)
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
            "crds": helm.describe(definitions.release),
            "controller": helm.describe(controller.release),
        },
        "previous": {
            "crds": helm.describe(definitions.previous),
            "controller": helm.describe(controller.previous),
        },
        "controller_image": _controller_image(controller),
    }
    return Result(changed=any(plan.changed for plan in plans), msg="; ".join(shown), plans=plans, values=values)


def _controller_image(outcome: Outcome) -> str | None:
    """The image of the only Deployment of the controller's chart."""
    for item in outcome.live:
        if item["kind"] == "Deployment":
            containers: list[Mapping[str, Any]] = item["spec"]["template"]["spec"]["containers"]
            return str(containers[0]["image"])
    return None
