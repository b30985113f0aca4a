# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of k8s_objects: a bundle from options to result."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ansible_collections.mcpops.platform.plugins.module_utils.domain import Domain, judges_of, writers_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle import apply_bundle, plan_without_cluster
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import (
    BundleOptions,
    Pruning,
    object_options,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.conditions import Condition, unmet
from ansible_collections.mcpops.platform.plugins.module_utils.kube.conditions import parse as parse_conditions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.delete import DeleteOptions, delete_objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ignored import ignored_differences
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig_file import ClusterPending
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import JUDGES
from ansible_collections.mcpops.platform.plugins.module_utils.kube.sources import SUBJECT, read_declared
from ansible_collections.mcpops.platform.plugins.module_utils.kube.wait import wait_ready
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task


def converge(task: Task, domains: Sequence[Domain] = ()) -> Result:
    """Apply or delete the declared objects."""
    declared = read_declared(task)
    conditions = parse_conditions(task.params.get("wait_conditions"))
    absent = task.params["state"] == "absent"
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        if absent:
            return Result(False, "nothing to delete", values={"objects": []})
        return _result(plan_without_cluster(declared, pending.reason))
    return _delete(kube, task, declared) if absent else _apply(kube, task, declared, conditions, domains)


def _apply(
    kube: Kube,
    task: Task,
    declared: Sequence[Object],
    conditions: Sequence[Condition],
    domains: Sequence[Domain],
) -> Result:
    params = task.params
    options = BundleOptions(
        subject=SUBJECT,
        namespace=params.get("namespace"),
        force_conflicts=params["force_conflicts"],
        exclusive=params["exclusive"],
        recreate=params["recreate"],
        roll_on_config_change=params["roll_on_config_change"],
        per_object=object_options(params.get("object_options")),
        wait_timeout=float(params["wait_timeout"]),
        wait_conditions=tuple(conditions),
        propagation=params["delete_propagation"],
        bundle=params.get("bundle"),
        ignored=ignored_differences(params.get("ignore_differences"))[0],
        writers=writers_of(domains),
        pruning=Pruning(params["prune_max_percent"], wait=params["wait"]) if params["prune"] else None,
    )

    judges = {**JUDGES, **judges_of(domains)}

    def settle(applied: BundleOutcome) -> Sequence[Object]:
        unmet_by = partial(unmet, conditions)
        return wait_ready(kube, task, applied.objects, options.wait_timeout, unmet_by, judges)

    outcome = apply_bundle(kube, task, declared, options, settle if params["wait"] else None)
    outcome.raise_failures("apply objects")
    return _result(outcome)


def _delete(kube: Kube, task: Task, declared: Sequence[Object]) -> Result:
    params = task.params
    options = DeleteOptions(
        subject=SUBJECT,
        namespace=params.get("namespace"),
        propagation=params["delete_propagation"],
        wait=params["wait"],
        wait_timeout=float(params["wait_timeout"]),
    )
    outcome = delete_objects(kube, task, declared, options)
    outcome.raise_failures("delete objects")
    return _result(outcome, deleted=True)


def _result(outcome: BundleOutcome, deleted: bool = False) -> Result:
    msg = outcome.summary(deleted=deleted)
    return Result(outcome.changed, msg, plans=outcome.plans, values={"objects": outcome.rows()})
