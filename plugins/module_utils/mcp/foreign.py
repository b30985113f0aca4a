# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server wrote, before it is shown: without what it was sent in secret, and no more than people read.

Masking comes before cutting: of a token that is cut in the middle no mask knows the rest.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.masking import mask

SHOWN = 200
MOST_NAMED = 10
LONGEST_TEXT = 4000
LONGEST_ANSWER = 64 * 1024
DEEPEST = 50
"""Ansible's callbacks walk a result by recursion: with a few hundred levels they fail, and with them the result."""
CUT_OFF = f"… (deeper than {DEEPEST} levels)"

# each server is asked in a thread of its own, which is given a copy of the context
_HIDDEN: ContextVar[Collection[str]] = ContextVar("hidden", default=())


@contextmanager
def hiding(secrets: Collection[str]) -> Iterator[None]:
    """Inside, none of these texts is in anything that is shown of a server's answers."""
    before = _HIDDEN.set(secrets)
    try:
        yield
    finally:
        _HIDDEN.reset(before)


def hidden() -> Collection[str]:
    return _HIDDEN.get()


def shortened(text: Any) -> str:
    """The beginning of foreign text, on one line and without control characters."""
    plain: str = mask(text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text), hidden())
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in plain[: SHOWN * 4]).split())
    return words if len(words) <= SHOWN else words[: SHOWN - 1] + "…"


def listed(names: Collection[Any]) -> str:
    """The first of many names for a message, and how many more there are."""
    first = [shortened(name) for _index, name in zip(range(MOST_NAMED), names)]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")


def clipped(text: str, limit: int = LONGEST_TEXT) -> str:
    if len(text) <= limit:
        return text
    plain: str = mask(text, hidden())
    return plain if len(plain) <= limit else f"{plain[:limit]}… ({len(plain)} characters)"


def bounded(value: Any, limit: int = LONGEST_ANSWER) -> Any:
    """Data as it came, or the beginning of its text where it is too large for a result."""
    text = json.dumps(value)
    return value if len(text) <= limit else clipped(text, limit)


def flat(value: Any, levels: int = DEEPEST) -> tuple[Any, bool]:
    """Data without what is nested deeper than that, and whether something was cut."""
    if isinstance(value, Mapping):
        if not levels:
            return CUT_OFF, True
        below = {key: flat(item, levels - 1) for key, item in value.items()}
        return {key: item for key, (item, _cut) in below.items()}, _any_cut(below.values())
    if isinstance(value, (list, tuple)):
        if not levels:
            return CUT_OFF, True
        items = [flat(item, levels - 1) for item in value]
        return [item for item, _cut in items], _any_cut(items)
    return value, False


def _any_cut(found: Iterable[tuple[Any, bool]]) -> bool:
    return any(cut for _item, cut in found)
