# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words for messages. Pure.

A message says "A, B: not ready" rather than "A, B are not ready": then nobody has to find out how many A and B are.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Any


def counted(number: int, noun: str) -> str:
    """`1 node` or `2 nodes`, for a noun that takes an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(items: Collection[Any], most: int) -> str:
    """`a, b and 3 more`: the first `most` of them."""
    more = len(items) - most
    return ", ".join(map(str, islice(items, most))) + (f" and {more} more" if more > 0 else "")


def sentence(text: str) -> str:
    """With a full stop, unless it has an end of its own."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", ".)")) or "\n" in text else f"{text}."
