# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments that a tool wants repeated as HTTP headers (`x-mcp-header`), and how text becomes a header's value.

Source: MCP 2026-07-28, server/tools and basic/transports/streamable-http ("Custom headers", "Value encoding").
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

ANNOTATION = "x-mcp-header"
PREFIX = "Mcp-Param-"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_SENTINEL = re.compile(r"=\?base64\?.*\?=", re.S)
_TYPES = ("string", "integer", "boolean")
# keywords of JSON Schema 2020-12 whose value is data, not a schema
_DATA = frozenset(("default", "const", "enum", "examples", "required", "dependentRequired"))
_SCHEMAS_BY_NAME = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
DEEPEST = 64

Path = tuple[str, ...]


class InvalidAnnotation(Exception):
    """A tool whose annotations break the rules: a client leaves it out and keeps the others."""


def annotated(schema: Any) -> dict[Path, str]:
    """Path of each annotated argument → its header, without the prefix."""
    found: dict[Path, str] = {}
    for path, node in _nodes(schema, (), 0):
        if ANNOTATION not in node:
            continue
        name = node[ANNOTATION]
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise InvalidAnnotation(f"{ANNOTATION} {name!r} cannot be part of a header's name")
        if not path:
            raise InvalidAnnotation(f"{ANNOTATION} {name!r} is not on an argument that properties alone lead to")
        if node.get("type") not in _TYPES:
            raise InvalidAnnotation(f"{ANNOTATION} {name!r} is on an argument that is not {', '.join(_TYPES)}")
        if name.lower() in (other.lower() for other in found.values()):
            raise InvalidAnnotation(f"{ANNOTATION} {name!r} is given twice")
        found[path] = name
    return found


def headers_for(schema: Any, arguments: Mapping[str, Any]) -> dict[str, str]:
    """The headers of one call: an argument that is absent or null has none."""
    headers = {}
    for path, name in annotated(schema).items():
        value = _at(arguments, path)
        if value is not None and not isinstance(value, (dict, list)):
            headers[PREFIX + name] = encoded(_text(value))
    return headers


def encoded(text: str) -> str:
    """A header's value: as it is if HTTP keeps it so, else in base64 between the marks of the protocol."""
    if _PLAIN.fullmatch(text) and text == text.strip() and not _SENTINEL.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'replace')).decode()}?="


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _at(arguments: Mapping[str, Any], path: Path) -> Any:
    value: Any = arguments
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _nodes(schema: Any, path: Path | None, depth: int) -> Iterator[tuple[Path | None, Mapping[str, Any]]]:
    """Every schema of a schema with its path, None where more than `properties` leads to it."""
    if not isinstance(schema, Mapping):
        return
    if depth > DEEPEST:
        raise InvalidAnnotation(f"its schema is nested more than {DEEPEST} levels deep")
    yield path, schema
    for keyword, value in schema.items():
        if keyword in _DATA:
            continue
        if keyword in _SCHEMAS_BY_NAME and isinstance(value, Mapping):
            for name, child in value.items():
                below = (*path, str(name)) if path is not None and keyword == "properties" else None
                yield from _nodes(child, below, depth + 1)
        elif isinstance(value, Mapping):
            yield from _nodes(value, None, depth + 1)
        elif isinstance(value, list):
            for child in value:
                yield from _nodes(child, None, depth + 1)
