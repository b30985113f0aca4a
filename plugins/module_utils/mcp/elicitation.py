# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client answers when a server asks back. A probe declares nothing and so is never asked by a correct server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# what only a person or a model can answer; without the capability, an honest answer is that there is none
ASKS_A_PERSON = frozenset(("elicitation/create", "sampling/createMessage"))


def answer(method: str, params: Mapping[str, Any], capabilities: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result for a request of the server; None for a method of a capability that was not declared."""
    if method == "ping":
        return {}
    if method == "elicitation/create" and "elicitation" in capabilities:
        return accepted(params)
    if method == "roots/list" and "roots" in capabilities:
        return {"roots": []}
    return None


def accepted(params: Mapping[str, Any]) -> dict[str, Any]:
    """An elicitation accepted with the defaults of its form, and plain values for what is required beside them."""
    schema = params.get("requestedSchema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(properties, Mapping):
        return {"action": "accept", "content": {}}
    required = schema.get("required")
    needed = required if isinstance(required, list) else []
    content = {
        name: field.get("default", _plain(field))
        for name, field in properties.items()
        if isinstance(field, Mapping) and ("default" in field or name in needed)
    }
    return {"action": "accept", "content": content}


def _plain(field: Mapping[str, Any]) -> Any:
    choices = field.get("enum") or [choice.get("const") for choice in field.get("oneOf") or [] if "const" in choice]
    if choices:
        return choices[0]
    kind = field.get("type")
    if kind in ("integer", "number"):
        return field.get("minimum", 1)
    return {"boolean": True, "array": []}.get(str(kind), "text")
