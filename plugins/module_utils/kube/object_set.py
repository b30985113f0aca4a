# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of k8s_objects: a bundle from options to result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, NotReady, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.kube import objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle import (
    BundleOptions,
    apply_bundle,
    plan_without_cluster,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.delete import DeleteOptions, delete_objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig_file import ClusterPending
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.wait import wait_ready
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task

SUBJECT = "k8s_objects"
EXTENSIONS = (".yaml", ".yml", ".json")


def converge(task: Task) -> Result:
    """Apply or delete the declared objects."""
    declared = read_declared(task.params)
    absent = task.params["state"] == "absent"
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        if absent:
            return Result(False, "nothing to delete", values={"objects": []})
        return _result(plan_without_cluster(declared, pending.reason))
    return _delete(kube, task, declared) if absent else _apply(kube, task, declared)


def read_declared(params: dict[str, Any]) -> list[objects.Object]:
    """The objects of `definitions` and `src`; everything wrong with them in one error."""
    documents: list[Any] = []
    found: list[Problem] = []
    for number, given in enumerate(_as_list(params.get("definitions"))):
        if isinstance(given, str):
            parsed, wrong = objects.read(f"definitions[{number}]", given)
            documents += parsed
            found += wrong
        else:
            documents.append(given)
    for path in _files(params.get("src"), found):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            found.append(Problem("src", f"{path} cannot be read: {getattr(exc, 'strerror', None) or 'not text'}"))
            continue
        parsed, wrong = objects.read(str(path), text)
        documents += parsed
        found += wrong
    items = objects.flatten(documents)
    found += objects.problems(items)
    if not items and not found:
        found.append(Problem("definitions", "hold no object; leave the task out, or name what it is about"))
    namespace = params.get("namespace")
    if namespace is not None:
        found += objects.namespace_problems("namespace", namespace)
    if found:
        raise InvalidInput(SUBJECT, found)
    return items


def _apply(kube: Kube, task: Task, declared: Sequence[objects.Object]) -> Result:
    params = task.params
    options = BundleOptions(
        subject=SUBJECT,
        namespace=params.get("namespace"),
        force_conflicts=params["force_conflicts"],
        exclusive=params["exclusive"],
        wait_timeout=float(params["wait_timeout"]),
    )
    outcome = apply_bundle(kube, task, declared, options)
    outcome.raise_failures("apply objects")
    if params["wait"] and not task.check_mode:
        condition = params.get("wait_condition")
        wanted = (condition["type"], condition["status"]) if condition else None
        try:
            wait_ready(kube, task, outcome.objects, float(params["wait_timeout"]), wanted)
        except NotReady as failure:
            failure.values.update(changed=outcome.changed, objects=outcome.rows())
            raise
    return _result(outcome)


def _delete(kube: Kube, task: Task, declared: Sequence[objects.Object]) -> Result:
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


def _as_list(definitions: Any) -> list[Any]:
    if definitions is None:
        return []
    return list(definitions) if isinstance(definitions, (list, tuple)) else [definitions]


def _files(src: str | None, found: list[Problem]) -> list[Path]:
    if not src:
        return []
    path = Path(src)
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix in EXTENSIONS and one.is_file())
        if not files:
            found.append(Problem("src", f"{path} holds no {', '.join(EXTENSIONS)} file"))
        return files
    if not path.exists():
        found.append(Problem("src", f"{path} does not exist"))
        return []
    return [path]
