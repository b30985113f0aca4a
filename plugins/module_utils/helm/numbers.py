# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers among a release's values: helm reads them as JSON without a schema, and Go makes each a float64. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.plan import leaves


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def stored_number(value: float) -> float:
    """A number as helm's record has it."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def rounding_warnings(values: Mapping[str, Any] | None) -> list[str]:
    """Whole numbers that helm does not keep as they are written; the values themselves may be secret."""
    return [
        f"{path}: helm keeps numbers as 64-bit floats, and this one has more digits than these hold: the chart gets a "
        "rounded one. Quote it, if the chart takes text."
        for path, value in (leaves(values, "values") if values else ())
        if is_number(value) and stored_number(value) != value
    ]
