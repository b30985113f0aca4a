# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that nothing reads: a misspelt name would otherwise be accepted in silence. Pure.

A name counts as known when a role of this collection mentions it, or when another variable of the host does: a site
may have helpers of its own. Names are of interest only with a prefix that belongs to the collection.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

COMMON_PREFIX = "mcpops_"
CLOSE_ENOUGH = 0.85
"""Similarity, 0 to 1, from which an unknown name is taken for a misspelt known one (difflib's ratio)."""
# what playbooks and magic set beside what the roles' own files mention
ALWAYS_KNOWN = frozenset(
    {"mcpops_platform", "mcpops_subscription_id", "mcpops_azure_auth", "mcpops_process_environment"}
)

_WORD = re.compile(r"[A-Za-z_]\w*")


def words(texts: Iterable[str]) -> set[str]:
    """Every identifier in these texts: of what a role's files mention, its variables are a part."""
    return {word for text in texts for word in _WORD.findall(text)}


def unread(given: Mapping[str, Any], known: Collection[str], prefixes: Collection[str]) -> Iterator[tuple[str, str]]:
    """(name, the known name it resembles or "") of variables with one of `prefixes` that nothing reads.

    `given` holds a host's variables as they were written, not rendered.
    """
    candidates = [name for name in given if any(name.startswith(prefix) for prefix in prefixes) and name not in known]
    if not candidates:
        return
    mentioned = {name: words(texts(value)) for name, value in given.items()}
    for name in candidates:
        if any(name in found for other, found in mentioned.items() if other != name):
            continue
        yield name, _resembled(name, known, prefixes)


def _resembled(name: str, known: Collection[str], prefixes: Collection[str]) -> str:
    alike = [other for other in known if any(other.startswith(prefix) for prefix in prefixes)]
    return next(iter(difflib.get_close_matches(name, sorted(alike), n=1, cutoff=CLOSE_ENOUGH)), "")


def texts(value: Any) -> Iterator[str]:
    """Every text inside a value, the keys of mappings as well: templates may be anywhere."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from texts(key)
            yield from texts(below)
    elif isinstance(value, (list, tuple)):
        for below in value:
            yield from texts(below)
