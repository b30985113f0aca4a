# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Differences read back from the lines of an Ansible diff: the inverse of `Plan.diff`. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import REDACTED

# a path ends at the first colon and blank outside of quotes
_PATH = re.compile(r'((?:"[^"]*"|[^":]|:(?! ))*): ')
_SECRET = re.compile(re.escape(REDACTED) + r" \((?:before|after)\)")
_BY = re.compile(r"set by (.+)")
_JSON = json.JSONDecoder()


@dataclass(frozen=True)
class Leaf:
    """One leaf that differs; `before` or `after` is ABSENT where there is none. A secret's values are unknown here."""

    path: str
    before: Any
    after: Any
    secret: bool = False
    note: str = ""

    @property
    def changed_by(self) -> str:
        """The manager that set what stands, where the API tells."""
        found = _BY.fullmatch(self.note)
        return found[1] if found else ""


def leaves_of(diff: Mapping[str, Any]) -> list[Leaf]:
    """The leaves of one before/after pair, in the order of their paths in it. Other formats stay whole texts."""
    before, after = str(diff.get("before") or ""), str(diff.get("after") or "")
    try:
        standing, wanted = _side(before), _side(after)
    except ValueError:
        return [Leaf("", before or ABSENT, after or ABSENT)]
    return [
        Leaf(
            path,
            standing.get(path, _NOTHING).value,
            wanted.get(path, _NOTHING).value,
            standing.get(path, _NOTHING).secret or wanted.get(path, _NOTHING).secret,
            standing.get(path, _NOTHING).note or wanted.get(path, _NOTHING).note,
        )
        for path in dict.fromkeys([*standing, *wanted])
    ]


@dataclass(frozen=True)
class _Shown:
    value: Any
    secret: bool = False
    note: str = ""


_NOTHING = _Shown(ABSENT)


def _side(text: str) -> dict[str, _Shown]:
    found = {}
    # not splitlines: JSON leaves some of its line separators as they are
    for line in filter(None, text.split("\n")):
        path = _PATH.match(line)
        if path is None:
            raise ValueError(line)
        rest = line[path.end() :]
        secret = _SECRET.match(rest)
        if secret:
            value, end = REDACTED, secret.end()
        else:
            value, end = _JSON.raw_decode(rest)
        found[path[1]] = _Shown(value, bool(secret), rest[end:].removeprefix("  # "))
    return found
