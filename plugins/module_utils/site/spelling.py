# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role variables by the names that a user wrote: `mcpops_mcp_servers`, not `mcp_servers_servers`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# a default that hands a common variable on, with or without a default of its own
_HANDED_ON = re.compile(r"\s*\{\{\s*(mcpops_\w+)\s*(\|(?:[^{}]|\{\})*)?\}\}\s*")
_NAME = re.compile(r"[A-Za-z_]\w*")


def spellings(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """Role variable → the common variable that its default hands on, where the user set that one only.

    `defaults` are those of the roles, `given` what inventory and command line say; neither is rendered.
    """
    found = {}
    for name, default in defaults.items():
        source = _HANDED_ON.fullmatch(default) if isinstance(default, str) else None
        if source and name not in given and source[1] in given:
            found[name] = source[1]
    return found


def as_written(text: str, spelled: Mapping[str, str]) -> str:
    """`text` with each role variable replaced by what the user wrote for it."""
    return _NAME.sub(lambda found: spelled.get(found[0], found[0]), text)
