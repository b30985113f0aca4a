# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Going back after a failure (`atomic`): to the revision that was deployed before, or to no release at all."""

from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import recovery, secrecy
from ansible_collections.mcpops.platform.plugins.module_utils.helm.access import helm_files
from ansible_collections.mcpops.platform.plugins.module_utils.helm.process import Helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import History
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task


class Undone(Failure):
    """Another failure, and what became of the release after it."""

    def __init__(self, cause: Failure, told: str, rolled_back_to: int | None) -> None:
        super().__init__({**cause.values, "changed": True, "rolled_back_to": rolled_back_to})
        self.kind = cause.kind
        self.cause = cause
        self.told = told

    def message(self) -> str:
        return f"{self.cause.message()}\n{self.told}"

    def details(self) -> dict[str, Any]:
        return self.cause.details()


def has_begun(kube: Kube, spec: ReleaseSpec, before: History, cause: Failure) -> bool:
    """Whether this run's helm made a revision; what failed before that, or met another helm, left none of ours."""
    if isinstance(cause, ServiceError) and cause.code == "OperationInProgress":
        return False
    try:
        newest = recovery.read(kube, spec.namespace, spec.name).newest
    except Failure:
        # going back needs the same cluster, and would hide the cause
        return False
    return newest is not None and (before.newest is None or newest.revision > before.newest.revision)


def undo(task: Task, kube: Kube, spec: ReleaseSpec, before: History, cause: Failure) -> Undone:
    """`before` is the history as it was when the task began."""
    name = f"release {spec.namespace}/{spec.name}"
    if before.newest is not None and before.deployed is None:
        return Undone(cause, f"{name} has no deployed revision to go back to, and stays as it is.", None)
    target = before.deployed.revision if before.deployed is not None else None
    task.progress(f"{name} does not work: going back")
    try:
        helm = Helm.find(task, spec.helm_binary)
        with helm_files(kube.access) as files:
            if target is None:
                helm.uninstall(spec.name, spec.namespace, spec.wait_timeout, files)
            else:
                helm.rollback(spec, target, files)
                secrecy.carried(task, kube, before.deployed, recovery.read(kube, spec.namespace, spec.name).newest)
    except Failure as failure:
        return Undone(cause, f"Going back failed, too: {failure.message()}", None)
    finally:
        kube.forget_kinds()
    told = f"{name} was uninstalled again" if target is None else f"{name} went back to revision {target}"
    return Undone(cause, f"{told} (atomic).", target)
