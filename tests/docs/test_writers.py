# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of who may write where, as docs/drift.md shows it.

The rows are made by `row` of this file; a row that differs is shown as it ought to be.
"""

from __future__ import annotations

from pathlib import Path

from ansible_collections.mcpops.platform.plugins.module_utils.domain import writers_of
from ansible_collections.mcpops.platform.plugins.module_utils.domains import DOMAINS
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import ANYBODY, EXPECTED, Writer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "drift.md"


def row(writer: Writer) -> str:
    managers = "anybody" if writer.managers == ANYBODY else ", ".join(f"`{one}`" for one in writer.managers.split("|"))
    kinds = "any" if writer.kinds == ".*" else ", ".join(writer.kinds.split("|"))
    path = "everything" if writer.path == "**" else f"`{writer.path}`"
    path += ", what was added" if writer.adds_only else ""
    path += ", unless declared" if writer.undeclared_only else ""
    return f"| {managers} | {kinds} | {path} | [{writer.reason}]({writer.source}) |"


def test_the_page_has_the_table() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = lines.index("| manager | kind | path | why |") + 2
    shown = lines[start : lines.index("", start)]
    assert shown == [row(writer) for writer in (*EXPECTED, *writers_of(DOMAINS))]
