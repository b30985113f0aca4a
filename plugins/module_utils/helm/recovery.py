# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release whose helm did not finish: is somebody still at work, or was a run killed, and how to go on.

Helm writes a record with status pending-* before it starts and refuses every later upgrade while that is the newest.
A record younger than `stale_after` seconds may be another helm's work in progress and is waited for. An older one was
left behind: the release goes back to its last deployed revision, which also removes what the killed run had created.
Where no revision was ever deployed the record itself is deleted; objects that already exist carry the release's name
and are taken up again by the install that follows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from math import inf

from ansible_collections.mcpops.platform.plugins.module_utils.helm import record
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import History, Release
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Backoff, Deadline, poll

POLLING = Backoff(first=1.0, longest=1.0)


def read(kube: Kube, namespace: str, name: str) -> History:
    """The release's records; an empty history where there is no release or no namespace."""
    listed = kube.request(
        "GET",
        f"/api/v1/namespaces/{namespace}/secrets",
        query={"labelSelector": record.selector(name)},
        action=f"Reading the records of release {namespace}/{name}",
    ).json()
    return record.history(listed.get("items") or [])


def settle(task: Task, read_again: Callable[[], History], found: History, stale_after: int) -> History:
    """Wait until the newest record is finished, or old enough to have been left behind."""

    def unfinished(history: History) -> str | None:
        newest = history.newest
        if newest is None or not newest.unfinished or age(newest) >= stale_after:
            return None
        return f"release {newest.namespace}/{newest.name} is {newest.status}: waiting for it"

    # the age of the record ends the wait
    return poll(read_again, unfinished, Deadline(inf), task.progress, POLLING, seen=found)


def age(release: Release) -> float:
    """Seconds since helm began this revision; a record without a time, or from the future, counts as old."""
    if release.started is None:
        return inf
    seconds = (datetime.now(timezone.utc) - release.started).total_seconds()
    return seconds if seconds >= 0 else inf


def note(found: History) -> str | None:
    """What recovering this history means, in one sentence; None when there is nothing to recover."""
    newest, deployed = found.newest, found.deployed
    if newest is None or not newest.unfinished:
        return None
    left = f"Revision {newest.revision} of release {newest.namespace}/{newest.name} was left {newest.status} by a helm"
    if rolls_back(found) and deployed is not None:
        return f"{left} that did not finish: the release goes back to revision {deployed.revision} first."
    return f"{left} that did not finish: its record is deleted first, its objects are taken up again."


def rolls_back(found: History) -> bool:
    return found.newest is not None and found.newest.unfinished and found.deployed is not None


def drop_record(kube: Kube, release: Release) -> None:
    kube.request(
        "DELETE",
        f"/api/v1/namespaces/{release.namespace}/secrets/{release.secret_name}",
        accept_status=(404,),
        action=f"Deleting the unfinished record of release {release.namespace}/{release.name}",
    )
