# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that a service takes and never answers: sent, neither compared nor shown. Pure.

`windowsProfile.adminPassword` and `servicePrincipalProfile.secret` of AKS are never answered (recorded traffic), and so
it is with passwords and keys of other services: a leaf whose name is a secret's and that a GET lacks. Comparing it
would find a change on every run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, join
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import REDACTED, SHORTEST_SECRET, secret_property


def secret_values(declared: Any, above: tuple[str, ...] = ()) -> Iterator[str]:
    """The declared secrets that are long enough to be masked wherever they would appear."""
    if isinstance(declared, Mapping):
        for key, value in declared.items():
            if secret_property(str(key), value, above):
                if len(str(value)) >= SHORTEST_SECRET:
                    yield str(value)
            else:
                yield from secret_values(value, (*above, str(key)))
    elif isinstance(declared, list):
        for item in declared:
            yield from secret_values(item, above)


def hide(value: Any, above: tuple[str, ...] = ()) -> Any:
    """A copy without the secrets in it, for people to see."""
    if isinstance(value, Mapping):
        return {
            key: REDACTED if secret_property(str(key), item, above) else hide(item, (*above, str(key)))
            for key, item in value.items()
        }
    return [hide(item, above) for item in value] if isinstance(value, list) else value


def hidden(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes as they may be shown: a secret leaf is marked, secrets inside a larger value are masked."""
    return tuple(_hidden(change) for change in changes)


def _hidden(change: Change) -> Change:
    keys = tuple(part.strip('"') for part in re.findall(r'"[^"]*"|[^.\[\]]+', change.path))
    named = keys[-1] if keys else ""
    if any(secret_property(named, value, keys[:-1]) for value in (change.before, change.after)):
        return replace(change, secret=True)
    before, after = (value if value is ABSENT else hide(value, keys) for value in (change.before, change.after))
    return replace(change, before=before, after=after)


def comparable(declared: Mapping[str, Any], standing: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """`declared` without the secrets that the standing resource does not answer, and their paths."""
    found: list[str] = []
    return _mapping(declared, standing, "", (), found), found


def note(paths: Iterable[str]) -> list[str]:
    """What is said of values that cannot be compared."""
    listed = ", ".join(paths)
    if not listed:
        return []
    return [f"{listed}: never answered by Azure, so not compared; sent with a creation and with any other change"]


def _mapping(
    declared: Mapping[str, Any], standing: Mapping[str, Any], path: str, above: tuple[str, ...], found: list[str]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in declared.items():
        now = standing.get(key)
        place = join(path, str(key))
        unanswered = secret_property(str(key), value, above) and _unanswered(now)
        if unanswered or (not now and _only_secrets(value, (*above, str(key)))):
            found.append(place)
        else:
            result[key] = _below(value, now, place, (*above, str(key)), found)
    return result


def _below(value: Any, now: Any, path: str, above: tuple[str, ...], found: list[str]) -> Any:
    if isinstance(value, Mapping) and isinstance(now, Mapping):
        return _mapping(value, now, path, above, found)
    if isinstance(value, list) and isinstance(now, list):
        return [
            _below(item, _fellow(item, index, value, now), f"{path}[{index}]", above, found)
            for index, item in enumerate(value)
        ]
    return value


def _fellow(item: Any, index: int, items: list[Any], standing: list[Any]) -> Any:
    """The item that stands for this one: that of its name, or in a list as long the one in its place."""
    if isinstance(item, Mapping) and "name" in item:
        named = [other for other in standing if isinstance(other, Mapping) and other.get("name") == item["name"]]
        return named[0] if named else None
    return standing[index] if len(items) == len(standing) else None


def _unanswered(now: Any) -> bool:
    """Left out, null, empty, or stars in its place."""
    return now is None or now == "" or (isinstance(now, str) and set(now) == {"*"})


def _only_secrets(value: Any, above: tuple[str, ...]) -> bool:
    if not isinstance(value, Mapping) or not value:
        return False
    return all(
        secret_property(str(key), item, above) or _only_secrets(item, (*above, str(key))) for key, item in value.items()
    )
