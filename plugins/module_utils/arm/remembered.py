# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task tells later tasks of its run: a cluster it has read, good for one look and never for a write, and in
check mode what it would have deleted."""

from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import RunCache
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

# a run that takes longer between the two tasks looks again
_GOOD_FOR_SECONDS = 120.0
# longer than any check
_RUN_SECONDS = 86400.0


def _key(task: Task, resource_id: str, what: str = "arm-reading") -> tuple[str, ...]:
    # the endpoint is part of the key: two clouds may know the same id
    return (what, str(task.params.get("cloud_environment") or ""), resource_id.lower())


def remember(task: Task, resource_id: str, body: dict[str, Any] | None) -> None:
    """Keep `body` for `recall`; None forgets."""
    cache = RunCache(task.run_directory)
    cache.forget(_key(task, resource_id))
    if body is not None:
        cache.get_or_make(_key(task, resource_id), lambda: (body, _GOOD_FOR_SECONDS))


def recall(task: Task, resource_id: str, keep: bool = False) -> dict[str, Any] | None:
    """What was remembered, once unless `keep`: a caller that changes something, or runs again, reads for itself."""
    cache = RunCache(task.run_directory)
    found: dict[str, Any] | None = cache.get_or_make(_key(task, resource_id), lambda: (None, 0.0))
    if not keep:
        cache.forget(_key(task, resource_id))
    return found


def would_delete(task: Task, resource_id: str) -> None:
    """In check mode: the resource would be gone for the tasks that follow."""
    if task.check_mode:
        key = _key(task, resource_id, "arm-would-delete")
        RunCache(task.run_directory).get_or_make(key, lambda: (True, _RUN_SECONDS))


def would_be_gone(task: Task, resource_id: str) -> bool:
    """Whether an earlier task of this check would have deleted it."""
    key = _key(task, resource_id, "arm-would-delete")
    return task.check_mode and bool(RunCache(task.run_directory).get_or_make(key, lambda: (False, 0.0)))
