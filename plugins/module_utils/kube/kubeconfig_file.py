# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a kubeconfig is looked for in check mode, and what is known about a cluster that does not exist yet.

In check mode `aks_kubeconfig` does not touch the user's file. It leaves a copy, or a marker that says why there is
no cluster yet, in the run's private directory; every Kubernetes module of the same run looks there first.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ansible_collections.mcpops.platform.plugins.module_utils.private_files import write_private
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task


class ClusterPending(Exception):
    """Check mode, and the cluster (or its kubeconfig) is made by an earlier task of the real run."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_mode_copy(task: Task, path: Path) -> Path | None:
    """The per-run copy that stands for `path` in check mode, if an earlier task left one."""
    place = _place(task, path, "kubeconfig")
    return place if task.check_mode and place is not None and place.exists() else None


def write_check_mode_copy(task: Task, path: Path, content: str) -> None:
    """Leave what `path` would hold for the later tasks of this check-mode run."""
    marker = _place(task, path, "pending")
    if marker is not None:
        marker.unlink(missing_ok=True)
    _write(_place(task, path, "kubeconfig"), content)


def mark_pending(task: Task, path: Path, reason: str) -> None:
    """Say why `path` cannot exist yet: later tasks report their whole plan instead of failing."""
    _write(_place(task, path, "pending"), reason)


def pending_reason(task: Task, path: Path) -> str | None:
    """What `mark_pending` said about `path` in this check-mode run."""
    place = _place(task, path, "pending")
    if not task.check_mode or place is None or not place.exists():
        return None
    return place.read_text(encoding="utf-8")


def _place(task: Task, path: Path, kind: str) -> Path | None:
    if task.run_directory is None:
        return None
    name = hashlib.sha256(os.path.abspath(path.expanduser()).encode()).hexdigest()[:24]
    return task.run_directory / "mcpops" / f"{kind}-{name}"


def _write(place: Path | None, content: str) -> None:
    if place is not None:
        write_private(place, content)
