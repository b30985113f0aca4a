# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether every leaf of a chart's object stands in the live object, told without a request. Pure and cautious.

A yes is certain; a no may only mean that the API server writes the same thing in another form, which a dry run decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.quantity import same_quantity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.replacement import item_key
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT

_QUANTITIES = ("limits", "requests", "storage", "hard")


def stands(declared: Any, live: Any, parent: str = "") -> bool:
    """`live` holds everything `declared` says; more in `live` is no matter here."""
    if isinstance(declared, Mapping):
        if not isinstance(live, Mapping):
            return _nothing(declared) and _nothing(live)
        return all(
            stands(value, live.get(key, ABSENT), parent if parent in _QUANTITIES else key)
            for key, value in declared.items()
        )
    if isinstance(declared, list):
        return _list_stands(declared, live)
    if _nothing(declared):
        return _nothing(live) or declared == live
    if parent in _QUANTITIES and live is not ABSENT:
        return same_quantity(declared, live)
    return bool(declared == live) and isinstance(declared, bool) == isinstance(live, bool)


def _list_stands(declared: list[Any], live: Any) -> bool:
    if not isinstance(live, list):
        return _nothing(declared) and _nothing(live)
    if len(declared) != len(live):
        return False
    if not all(isinstance(item, Mapping) for item in [*declared, *live]):
        return declared == live
    key = item_key(declared, live)
    if key is None:
        return all(stands(item, other) for item, other in zip(declared, live))
    standing = {item[key]: item for item in live}
    return all(stands(item, standing.get(item[key], ABSENT)) for item in declared)


def _nothing(value: Any) -> bool:
    """What an API server may leave out: a declared empty value and an absent one are the same."""
    return value is ABSENT or value is None or value == {} or value == []
