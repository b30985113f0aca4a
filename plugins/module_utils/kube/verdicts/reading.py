# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all verdicts read the same way: the name of an object, its conditions, its ages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube import vocabulary

Object = Mapping[str, Any]


def subject(item: Object) -> str:
    """`Kind namespace/name`, or `Kind name` where there is no namespace."""
    metadata = item.get("metadata") or {}
    name = metadata.get("name", "?")
    place = f"{metadata['namespace']}/{name}" if metadata.get("namespace") else name
    return f"{item.get('kind')} {place}"


def group(item: Object) -> str:
    """The API group of an object; the core group is ''."""
    return str(item.get("apiVersion", "")).rpartition("/")[0]


def condition(item: Object, wanted: str) -> Object | None:
    """The condition of that type, or None."""
    for one in (item.get("status") or {}).get("conditions") or []:
        if one.get("type") == wanted:
            found: Object = one
            return found
    return None


def holds(item: Object, wanted: str) -> bool:
    """Whether the condition is there and True."""
    return (condition(item, wanted) or {}).get("status") == "True"


def told(one: Object) -> str:
    """What a condition says, in the words it has."""
    return str(one.get("message") or one.get("reason") or f"is {one.get('status')}").strip()


def outdated(item: Object) -> bool:
    """Whether the status is of an older generation than the specification."""
    generation = (item.get("metadata") or {}).get("generation")
    observed = (item.get("status") or {}).get("observedGeneration")
    return generation is not None and observed is not None and int(observed) < int(generation)


def time_of(text: str) -> datetime:
    """A time as API servers write it, with or without fractions of a second."""
    whole = text.partition(".")[0].rstrip("Z")
    return datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)


def owner(item: Object) -> Object | None:
    """The reference to the controller that made this object, or None."""
    for one in (item.get("metadata") or {}).get("ownerReferences") or []:
        if one.get("controller"):
            found: Object = one
            return found
    return None


def verdict(item: Object, code: str, message: str, *, hint: str | None = None, terminal: bool = False) -> list[Reason]:
    """One reason about this object."""
    return [vocabulary.reason(subject(item), code, message, hint=hint, terminal=terminal)]
