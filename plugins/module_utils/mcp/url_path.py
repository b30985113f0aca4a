# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a server answers, by one rule for who declares it and who asks it. Pure."""

from __future__ import annotations

# what KMCP gives a server that says nothing else (api/v1alpha1 of kagent-dev/kmcp)
DEFAULT_PORT = 3000
DEFAULT_PATH = "/mcp"


def path_problem(path: str) -> str:
    """What is wrong with it, or nothing."""
    if path.startswith("/") and path.isprintable() and " " not in path:
        return ""
    # a query may hold a key
    return f"{path.partition('?')[0]!r} is not a URL path: it starts with / and has no blanks or control characters"
