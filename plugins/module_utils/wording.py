# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words for messages."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 node` or `2 nodes`, for a noun that takes an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
