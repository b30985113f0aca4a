# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Label selectors: as the text of a query, and held against labels. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Selector = Mapping[str, Any]


def selector_text(selector: Selector) -> str:
    """A LabelSelector (or plain labels) as the text of a query."""
    if _is_plain(selector):
        return ",".join(f"{key}={value}" for key, value in selector.items())
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for row in selector.get("matchExpressions") or []:
        values = f"({','.join(row.get('values') or [])})"
        parts.append(
            {
                "In": f"{row['key']} in {values}",
                "NotIn": f"{row['key']} notin {values}",
                "Exists": row["key"],
                "DoesNotExist": f"!{row['key']}",
            }[row.get("operator")]
        )
    return ",".join(parts)


def selects(selector: Selector, labels: Mapping[str, str] | None) -> bool:
    """Whether a LabelSelector (or plain labels) chooses something with these labels; an empty one chooses all."""
    have = labels or {}
    plain = selector if _is_plain(selector) else selector.get("matchLabels") or {}
    if any(have.get(key) != value for key, value in plain.items()):
        return False
    rows = [] if _is_plain(selector) else selector.get("matchExpressions") or []
    return all(_holds(row, have) for row in rows)


def _holds(row: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(row["key"])
    values = row.get("values") or []
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[row["operator"]]


def _is_plain(selector: Selector) -> bool:
    return "matchLabels" not in selector and "matchExpressions" not in selector
