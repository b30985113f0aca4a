# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster that one task has read and the next would read again: good for one look, never for a write."""

from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import RunCache
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

# a run that takes longer between the two tasks looks again
_GOOD_FOR_SECONDS = 120.0


def _key(task: Task, resource_id: str) -> tuple[str, ...]:
    # the endpoint is part of the key: two clouds may know the same id
    return ("arm-reading", str(task.params.get("cloud_environment") or ""), resource_id.lower())


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
