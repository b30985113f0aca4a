# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of `module_utils/arm/fields.py`, made again from the installed SDK's models.

`PYTHONPATH=tests python -m support.aks_field_table` prints the file's table; a test holds the file against it.
"""

from __future__ import annotations

from typing import Any

from localcloud.azure.sdk_schema import CONTAINER_SERVICE, model_schema

ROOTS = ("ManagedCluster", "AgentPool")
_SIMPLE = {"string": "s", "integer": "i", "number": "n", "boolean": "b"}
_WIDTH = 120


def rows() -> dict[str, str]:
    """Model → its fields, as the file has them."""
    found: dict[str, str] = {}
    for root in ROOTS:
        _add(root, model_schema(CONTAINER_SERVICE, root)["$defs"], found)
    return dict(sorted(found.items()))


def _add(model: str, definitions: dict[str, Any], found: dict[str, str]) -> None:
    if model in found:
        return
    fields = definitions[model]["properties"]
    found[model] = ""
    texts = []
    for name, schema in fields.items():
        read_only = bool(schema.get("readOnly"))
        # what is in a field that cannot be sent is nobody's to declare
        texts.append(f"{name}:-" if read_only else f"{name}:{_type(schema, definitions, found)}")
    found[model] = " ".join(sorted(texts))


def _type(schema: dict[str, Any], definitions: dict[str, Any], found: dict[str, str]) -> str:
    if "anyOf" in schema:
        schema = next(option for option in schema["anyOf"] if option.get("type") != "null")
    if "$ref" in schema:
        model = schema["$ref"].rpartition("/")[2]
        _add(model, definitions, found)
        return str(model)
    kind = schema.get("type")
    if kind == "array":
        return f"[{_type(schema['items'], definitions, found)}"
    if kind == "object":
        return "{" + _type(schema.get("additionalProperties") or {}, definitions, found)
    if "x-known-values" in schema or "enum" in schema:
        return "e"
    return _SIMPLE.get(str(kind), "x")


def text() -> str:
    """The table as it stands in the file."""
    lines = ["MODELS: dict[str, str] = {"]
    for model, fields in rows().items():
        whole = f'    "{model}": "{fields}",'
        if len(whole) <= _WIDTH:
            lines.append(whole)
            continue
        lines.append(f'    "{model}": (')
        part = ""
        for field in fields.split(" "):
            if len(part) + len(field) + 12 > _WIDTH:
                lines.append(f'        "{part} "')
                part = field
            else:
                part = f"{part} {field}".strip()
        lines.append(f'        "{part}"')
        lines.append("    ),")
    return "\n".join([*lines, "}"]) + "\n"


if __name__ == "__main__":
    print(text(), end="")
