# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server's OpenAPI v3 documents, read for the structure that server-side apply goes by.

Which lists have keys, what is owned in one piece, which key has which default: this is what the tests know of a kind,
and they have it from the server, not from the code under test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


@dataclass(frozen=True)
class Schema:
    """One node of a document, its references followed."""

    node: Mapping[str, Any]
    components: Mapping[str, Any]

    @cached_property
    def _resolved(self) -> Mapping[str, Any]:
        return _resolve(self.node, self.components)

    def below(self, key: str) -> Schema | None:
        """What stands below a key of a mapping; None when the document does not say."""
        known = self._resolved.get("properties") or {}
        below = known.get(key, self._resolved.get("additionalProperties"))
        return Schema(below, self.components) if isinstance(below, Mapping) else None

    @property
    def properties(self) -> tuple[str, ...]:
        return tuple(self._resolved.get("properties") or ())

    @property
    def any_key(self) -> bool:
        """A mapping whose keys are the user's own, such as labels."""
        return isinstance(self._resolved.get("additionalProperties"), Mapping)

    @property
    def item(self) -> Schema | None:
        below = self._resolved.get("items")
        return Schema(below, self.components) if isinstance(below, Mapping) else None

    @property
    def required(self) -> frozenset[str]:
        return frozenset(self._resolved.get("required") or ())

    @property
    def type(self) -> str:
        """string, integer, number, boolean, object, array, quantity, int-or-string; empty when anything goes."""
        if self._resolved.get("x-referred") == _QUANTITY:
            return "quantity"
        if self._resolved.get("format") == "int-or-string" or self._resolved.get("x-kubernetes-int-or-string"):
            return "int-or-string"
        return str(self._resolved.get("type") or "")

    @property
    def format(self) -> str:
        return str(self._resolved.get("format") or "")

    @property
    def choices(self) -> tuple[Any, ...]:
        return tuple(self._resolved.get("enum") or ())

    @property
    def default(self) -> Any:
        return self._resolved.get("default")

    @property
    def in_one_piece(self) -> bool:
        """A mapping or list whose parts have no owners of their own. A list without a mark is one."""
        if self.type == "array":
            return self.list_type == "atomic"
        return self._resolved.get("x-kubernetes-map-type") == "atomic"

    @property
    def list_type(self) -> str:
        return str(self._resolved.get("x-kubernetes-list-type") or "atomic")

    @property
    def list_keys(self) -> tuple[str, ...]:
        return tuple(self._resolved.get("x-kubernetes-list-map-keys") or ())

    def key_defaults(self) -> dict[str, Any]:
        """The keys of a list's items that may be left out, with what the server fills in."""
        found = {key: self.item.below(key) if self.item else None for key in self.list_keys}
        return {key: below.default for key, below in found.items() if below is not None and below.default is not None}


def kind_schema(document: Mapping[str, Any], api_version: str, kind: str) -> Schema | None:
    """The schema of a kind in the document of its group and version."""
    group, _, version = api_version.rpartition("/")
    wanted = {"group": group, "kind": kind, "version": version}
    components = (document.get("components") or {}).get("schemas") or {}
    for node in components.values():
        if wanted in node.get("x-kubernetes-group-version-kind", ()):
            return Schema(node, components)
    return None


def _resolve(node: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    """A node with what it refers to below it; what it says itself comes first."""
    references = [node.get("$ref"), *(part.get("$ref") for part in node.get("allOf") or ())]
    merged: dict[str, Any] = {}
    for reference in filter(None, references):
        name = str(reference).rpartition("/")[2]
        merged = {**merged, **_resolve(components.get(name) or {}, components), "x-referred": name}
    return {**merged, **{key: value for key, value in node.items() if key not in ("$ref", "allOf")}}
