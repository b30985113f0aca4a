# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schemas: the structure of a kind as OpenAPI v3 describes it, and a declaration without what the kind has not."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_REFERENCE = "#/components/schemas/"

# of a schema, what structure consists of; the rest (descriptions, formats, validation) is nine tenths of a document
_KEPT = (
    "type",
    "default",
    "nullable",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
)

Schemas = Mapping[str, Any]
"""The named schemas of one document, trimmed."""


def trimmed_schemas(document: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas of an OpenAPI v3 document by name, without what tells nothing of structure.

    Those of kinds carry their kinds under `kinds`, as `group/version/kind` (`v1/Service` in the core group).
    """
    schemas = ((document.get("components") or {}).get("schemas")) or {}
    found = {}
    for name, schema in schemas.items():
        kept = _trimmed(schema)
        rows = schema.get("x-kubernetes-group-version-kind") or []
        kinds = ["/".join(filter(None, (row.get("group"), row["version"], row["kind"]))) for row in rows]
        found[name] = {**kept, "kinds": kinds} if kinds else kept
    return found


def _trimmed(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    reference = _reference(schema)
    kept: dict[str, Any] = {key: schema[key] for key in _KEPT if key in schema}
    if reference:
        kept["ref"] = reference
    if isinstance(schema.get("properties"), Mapping):
        kept["properties"] = {name: _trimmed(below) for name, below in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            kept[key] = _trimmed(schema[key])
    return kept


def _reference(schema: Mapping[str, Any]) -> str:
    """The name of the schema this one refers to: directly, or as the only one of `allOf` beside a default."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REFERENCE)
    every = schema.get("allOf")
    if isinstance(every, Sequence) and len(every) == 1 and isinstance(every[0], Mapping) and "$ref" in every[0]:
        return str(every[0]["$ref"]).removeprefix(_REFERENCE)
    return ""


class Structure:
    """One place in the structure of a kind; read from the document only when something is asked of it."""

    __slots__ = ("_load", "_parent", "_schema", "_schemas", "_step")

    def __init__(
        self,
        load: Callable[[], tuple[Schemas, Mapping[str, Any]]] | None,
        parent: Structure | None = None,
        step: str = "",
    ) -> None:
        """The whole of a kind by `load`, or a part: the field `step` of `parent`, or with no step its items."""
        self._load = load
        self._parent = parent
        self._step = step
        self._schema: Mapping[str, Any] | None = None
        self._schemas: Schemas = {}

    def field(self, name: str) -> Structure:
        """What stands under a key of this mapping."""
        return Structure(None, self, name)

    @property
    def items(self) -> Structure:
        """What the items of this list are."""
        return Structure(None, self)

    @property
    def is_known(self) -> bool:
        """Whether the document describes this place."""
        return bool(self._resolved())

    @property
    def is_quantity(self) -> bool:
        """An amount, which has more than one spelling."""
        return self._resolved().get("name") == QUANTITY

    @property
    def is_nullable(self) -> bool:
        """Whether null is a value here; elsewhere it is the same as leaving the field out."""
        return self._resolved().get("nullable") is True

    @property
    def is_one_piece(self) -> bool:
        """A mapping or list that belongs to one owner as a whole."""
        schema = self._resolved()
        if schema.get("type") == "array":
            return bool(schema.get("x-kubernetes-list-type", "atomic") == "atomic")
        return bool(schema.get("x-kubernetes-map-type") == "atomic")

    @property
    def is_set(self) -> bool:
        return self._resolved().get("x-kubernetes-list-type") == "set"

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields that tell the items of this list apart, sorted as `fieldsV1` sorts them; () where it has none."""
        schema = self._resolved()
        if schema.get("x-kubernetes-list-type") != "map":
            return ()
        return tuple(sorted(schema.get("x-kubernetes-list-map-keys") or ()))

    def key_of(self, item: Any) -> tuple[tuple[str, Any], ...] | None:
        """(key field, value) of an item of this list, with defaults for key fields it leaves out.

        None where the list has no keys, or where the item lacks one that has no default.
        """
        keys = self.keys
        if not keys or not isinstance(item, Mapping):
            return None
        found = []
        for key in keys:
            value = item.get(key)
            if value is None:
                value = self.items.field(key).default
            if value is None and key in item:
                return None
            found.append((key, value))
        return tuple(found)

    @property
    def default(self) -> Any:
        """The default of this field, or None."""
        return self._resolved().get("default")

    def has(self, name: str) -> bool:
        """Whether this mapping may have the field; of one that is not described, every field is possible."""
        schema = self._resolved()
        listed = schema.get("properties")
        return (
            not listed
            or name in listed
            or "additionalProperties" in schema
            or schema.get("x-kubernetes-preserve-unknown-fields") is True
        )

    def _resolved(self) -> Mapping[str, Any]:
        if self._schema is None:
            if self._parent is not None:
                schema = _below(self._parent._resolved(), self._step)
                self._schemas = self._parent._schemas
            elif self._load is not None:
                self._schemas, schema = self._load()
            else:
                schema = {}
            self._schema = _dereferenced(self._schemas, schema)
        return self._schema


def _below(schema: Mapping[str, Any], step: str) -> Mapping[str, Any]:
    if not step:
        return schema.get("items") or {}
    properties = schema.get("properties") or {}
    return properties.get(step) or schema.get("additionalProperties") or {}


def _dereferenced(schemas: Schemas, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with what it refers to; what stands beside a reference (a default, a list type) wins."""
    if "ref" not in schema:
        return schema
    beside = {key: value for key, value in schema.items() if key != "ref"}
    return {**(schemas.get(schema["ref"]) or {}), "name": schema["ref"], **beside}


UNKNOWN = Structure(lambda: ({}, {}))
"""Of a kind that the API server does not describe."""


def structure_of(schemas: Callable[[], Schemas], api_version: str, kind: str) -> Structure:
    """The structure of a kind; `schemas` is called when something is asked of it."""

    def load() -> tuple[Schemas, Mapping[str, Any]]:
        document = schemas()
        key = f"{api_version}/{kind}"
        return document, next((schema for schema in document.values() if key in schema.get("kinds", ())), {})

    return Structure(load)


def without_nulls(value: Any, structure: Structure, holding: Collection[int] | None = None) -> Any:
    """The declaration without nulls where null is no value: the API server drops them, and owns nothing by them."""
    holding = _holding(value, None) if holding is None else holding
    if id(value) not in holding:
        return value
    if isinstance(value, list):
        return [without_nulls(item, structure.items, holding) for item in value]
    return {
        key: without_nulls(below, structure.field(str(key)), holding)
        for key, below in value.items()
        if below is not None or structure.field(str(key)).is_nullable
    }


def with_default_keys(value: Any, structure: Structure, holding: Collection[int] | None = None) -> Any:
    """The declaration without empty text in the keys of list items, where that stands for a default.

    Kubernetes' own kinds read `protocol: ""` as TCP, and server-side apply as another item. Custom resources take it as
    it is.
    """
    holding = _holding(value, "") if holding is None else holding
    if id(value) not in holding:
        return value
    if isinstance(value, Mapping):
        return {key: with_default_keys(below, structure.field(str(key)), holding) for key, below in value.items()}
    items = structure.items
    empty = [key for key in structure.keys if items.field(key).default not in (None, "")]
    return [
        {key: below for key, below in item.items() if not (key in empty and below == "")}
        if isinstance(item, Mapping)
        else item
        for item in (with_default_keys(item, items, holding) for item in value)
    ]


def known_only(value: Any, structure: Structure) -> Any:
    """The declaration without fields that the kind does not have: the API server drops them."""
    if not isinstance(value, (Mapping, list)) or not structure.is_known:
        return value
    if isinstance(value, list):
        return [known_only(item, structure.items) for item in value]
    known = {key: below for key, below in value.items() if structure.has(str(key))}
    return {key: known_only(below, structure.field(str(key))) for key, below in known.items()}


def _holding(value: Any, wanted: str | None) -> set[int]:
    """The ids of the mappings and lists that hold `wanted` at any depth: looked for once, not at each level."""
    found: set[int] = set()

    def holds(part: Any) -> bool:
        # the common types first: a question to Mapping costs as much as all the rest
        if isinstance(part, str) or not isinstance(part, (dict, list, Mapping)):
            return part is None if wanted is None else bool(part == wanted)
        # each of them is looked at, also after one that holds it
        if [one for one in (part if isinstance(part, list) else part.values()) if holds(one)]:
            found.add(id(part))
        return id(part) in found

    holds(value)
    return found


def canonical(value: Any) -> str:
    """One text for equal JSON values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
