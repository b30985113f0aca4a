# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a page, to be run as a reader would: what is in its `console` blocks, in their order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^##+ +(?P<text>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Commands that a reader copies in one go, and the heading that they stand below."""

    source: str
    heading: str
    commands: str


def blocks(page: Path) -> list[Block]:
    """What a page has for a terminal. Blocks called `shell` are shown, and say beside them why nobody runs them."""
    text = page.read_text(encoding="utf-8")
    found = []
    for block in _BLOCK.finditer(text):
        above = [one["text"] for one in _HEADING.finditer(text, 0, block.start())]
        line = text.count("\n", 0, block.start()) + 1
        found.append(Block(f"{page.name}:{line}", above[-1] if above else "", block["text"]))
    return found


def script(chosen: list[Block]) -> str:
    """A shell that ends at the first command that fails, and says which block it is at."""
    parts = [f": {block.source}\n{block.commands}" for block in chosen]
    return "set -eu\n" + "\n".join(parts)
