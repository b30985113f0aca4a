# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts on Warning events: what the scheduler, the kubelet and controllers say while they keep trying. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.pods import reference_code
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import (
    Object,
    time_of,
    verdict,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.workloads import refused

_MOUNTS = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
_CREATIONS = frozenset({"FailedCreate", "FailedDaemonPod"})


def last_seen(event: Object) -> datetime | None:
    """When an event happened last; the API has three places for that."""
    text = (
        event.get("lastTimestamp")
        or ((event.get("series") or {}).get("lastObservedTime"))
        or event.get("eventTime")
        or (event.get("metadata") or {}).get("creationTimestamp")
    )
    return time_of(str(text)) if text else None


def message(event: Object) -> str:
    """What an event says, on one line."""
    return " ".join(str(event.get("message") or event.get("reason") or "").split())


def about(item: Object, events: Iterable[Object]) -> list[Object]:
    """The events of this very object (not of one that had its name before), oldest first."""
    metadata = item.get("metadata") or {}
    own = []
    for event in events:
        involved = event.get("involvedObject") or {}
        named = (item.get("kind"), metadata.get("name"), metadata.get("namespace"))
        if (involved.get("kind"), involved.get("name"), involved.get("namespace")) != named:
            continue
        if not involved.get("uid") or involved.get("uid") == metadata.get("uid", involved.get("uid")):
            own.append(event)
    return sorted(own, key=lambda event: str(last_seen(event) or ""))


def creation_refused(item: Object, events: Iterable[Object]) -> list[Reason]:
    """Why a controller without a condition for it (StatefulSet, DaemonSet, Job) cannot make its pods."""
    tried = [event for event in about(item, events) if event.get("reason") in _CREATIONS]
    return refused(item, message(tried[-1])) if tried else []


def start_hindered(item: Object, events: Iterable[Object]) -> list[Reason]:
    """What keeps a pod from starting before any container of it exists: volumes and its sandbox."""
    where = {**item, "kind": "Pod"}
    for event in reversed(about(where, events)):
        said = message(event)
        if event.get("reason") in _MOUNTS:
            known = reference_code(said)
            if known:
                return verdict(where, known, said, terminal=True)
            return verdict(where, "VolumeNotMounted", said)
        if event.get("reason") == "FailedCreatePodSandBox":
            return verdict(where, "SandboxFailed", said)
    return []


def last_words(item: Object, events: Iterable[Object]) -> str:
    """The last warning about an object; empty when there is none."""
    own = about(item, events)
    return message(own[-1]) if own else ""
