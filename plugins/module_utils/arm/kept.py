# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was sent and is not there afterwards: told, because nothing else would say that a name is misspelt. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm.typed_values import meant
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, join

_ADVICE = "It will be changed again on every run: correct the name, or declare what Azure answers."


def not_kept(
    subject: str,
    sent: Iterable[Change],
    left: Iterable[Change],
    declared: Mapping[str, Any],
    answered: Mapping[str, Any],
) -> str:
    """One sentence for the changes in `left` that were already in `sent`, empty when there are none.

    `left` is what a second look would change again, `answered` the resource as it is then.
    """
    told = {change.path for change in sent}
    names = dict(_unknown(declared, answered, ""))
    again = [change for change in left if _was_sent(change.path, told)]
    if not again:
        return ""
    parts = [_part(change, names) for change in again]
    shown = "; ".join(dict.fromkeys(parts))
    return f"{subject}: Azure answered without an error and did not keep everything that was sent: {shown}. {_ADVICE}"


def _was_sent(path: str, told: set[str]) -> bool:
    return any(path == other or (other and path.startswith((f"{other}.", f"{other}["))) for other in told)


def _part(change: Change, names: Mapping[str, str]) -> str:
    for path, hint in names.items():
        if change.path == path or change.path.startswith((f"{path}.", f"{path}[")):
            return f"{path} is not answered{hint}"
    if change.secret or change.before is ABSENT or change.after is ABSENT:
        return f"{change.path} is {'not answered' if change.before is ABSENT else 'answered otherwise'}"
    return f"{change.path}: sent {_text(change.after)}, answered {_text(change.before)}"


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _unknown(declared: Any, answered: Any, path: str) -> Iterator[tuple[str, str]]:
    """The first declared name on each way down that is not answered, with what it may have been meant for."""
    if not isinstance(declared, Mapping) or not isinstance(answered, Mapping):
        return
    for key, value in declared.items():
        place = join(path, str(key))
        if value is not None and key not in answered:
            yield place, meant(str(key), [name for name in answered if name not in declared])
        else:
            yield from _unknown(value, answered.get(key), place)
