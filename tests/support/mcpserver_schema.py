# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of an MCPServer's spec in KMCP 0.3.0, as its CustomResourceDefinition has it, without descriptions.

An integration test holds the file against the definition that KMCP's own chart installs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "unit/plugins/module_utils/kmcp/fixtures/mcpserver_0.3.0.json"


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def without_descriptions(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: without_descriptions(below)
            for key, below in value.items()
            if key != "description" or not isinstance(below, str)
        }
    return [without_descriptions(item) for item in value] if isinstance(value, list) else value


def leaves(part: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """(path, schema) of every leaf; `[]` is every item, `*` every key."""
    yield path, part
    for name, below in part.get("properties", {}).items():
        yield from leaves(below, (*path, name))
    for step, key in (("[]", "items"), ("*", "additionalProperties")):
        if isinstance(part.get(key), dict):
            yield from leaves(part[key], (*path, step))
