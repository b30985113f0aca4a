# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: variable_summary
short_description: The variables of each host as lines a person reads
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Lays out what M(mcpops.platform.site_validate) returned as RV(mcpops.platform.site_validate#module:variables), one
    block a host, the variables that several roles share first.
  - What is set comes with the file and line that sets it. Defaults of roles that are empty are listed by name only.
options:
  _input:
    description: The registered result.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Validate the inventory
  mcpops.platform.site_validate:
    roles:
      clusters:
        - mcpops.platform.kmcp
    show_variables: true
  register: inventory
  run_once: true

- name: Show what the hosts' variables come to
  ansible.builtin.debug:
    msg: "{{ inventory | mcpops.platform.variable_summary }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: Lines of text.
  type: list
  elements: str
"""

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

WIDTH = 100
COMMON = "mcpops_"
LONGEST_NAME = 36
SHOWN_OF_DEFAULT = 6
"""Lines of a structure that nobody has set."""


def variable_summary(result: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for host in result.get("variables") or []:
        lines += [*([""] if lines else []), *_host(host)]
    return lines


def _host(host: Mapping[str, Any]) -> Iterator[str]:
    rows = sorted(host["variables"], key=lambda row: (not row["name"].startswith(COMMON), row["name"]))
    yield f"{host['host']}:"
    empty = [row["name"] for row in rows if _is_empty_default(row)]
    for row in rows:
        if not _is_empty_default(row):
            yield from _row(row)
    if empty:
        yield from textwrap.wrap(
            f"not set: {', '.join(empty)}", WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
        )


def _is_empty_default(row: Mapping[str, Any]) -> bool:
    return row["from"] == "default" and "value" in row and row["value"] in (None, "", [], {})


def _row(row: Mapping[str, Any]) -> Iterator[str]:
    head = f"  {row['name']:<{LONGEST_NAME}}"
    place = f"  ({row['from']})"
    if "value" not in row:
        yield f"{head} is known later: {row['known_later']}{place}"
    elif str(row["from"]).startswith(COMMON):
        # the same value, shown there
        yield f"{head} = {row['from']}"
    elif isinstance(row["value"], (Mapping, list)) and len(_text(row["value"])) > WIDTH - LONGEST_NAME:
        if isinstance(row["value"], list) and not any(isinstance(one, (Mapping, list)) for one in row["value"]):
            yield from _folded(f"{head} = {', '.join(map(_text, row['value']))}{place}")
            return
        yield f"{head} ={place}"
        lines = list(_block(row["value"]))
        # a long one that nobody has set says little, and the role's documentation has it
        shown = SHOWN_OF_DEFAULT if row["from"] == "default" and len(lines) > SHOWN_OF_DEFAULT + 1 else len(lines)
        yield from (f"      {line}" for line in lines[:shown])
        if shown < len(lines):
            yield f"      ... and {len(lines) - shown} more lines"
    else:
        yield f"{head} = {_text(row['value'])}{place}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _block(value: Any) -> Iterator[str]:
    """A line for each entry of a list or mapping."""
    entries = value.items() if isinstance(value, Mapping) else (("-", item) for item in value)
    for key, below in entries:
        label = key if key == "-" else f"{key}:"
        yield from _folded(f"{label} {_text(below)}")


def _folded(text: str) -> list[str]:
    """Folded between words only: names and addresses stay whole."""
    return textwrap.wrap(
        text, WIDTH, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"variable_summary": variable_summary}
