# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What another version of a CustomResourceDefinition would remove: versions, fields, and the objects that use them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..plan import Refusal
from ..text import listed

FREE = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_EMBEDDED = "x-kubernetes-embedded-resource"
_OF_OBJECTS = ("apiVersion", "kind", "metadata")
"""What every object has, whatever its schema says."""
_SHOWN = 5
SchemaPath = tuple[str, ...]


@dataclass(frozen=True)
class SchemaLoss:
    """One thing a schema has and the next one has not. In a path `[]` is every item and `*` every key."""

    version: str
    path: SchemaPath
    what: str
    """`gone`, `keys`, `type`, `enum` or `required`."""
    reported: str
    allowed: tuple[Any, ...] = ()
    """With `enum`, what remains; with `type` the types, with `keys` the keys that are taken."""

    @property
    def field(self) -> str:
        return ".".join(self.path).replace(".[]", "[]")


def version_losses(existing: Mapping[str, Any], following: Mapping[str, Any]) -> list[Refusal]:
    """Versions of the API that are stored or served, and would be no more."""
    name = f"CustomResourceDefinition {(existing.get('metadata') or {}).get('name')}"
    now, then = _versions(existing), _versions(following)
    stored = (existing.get("status") or {}).get("storedVersions") or []
    refusals = []
    for version in stored:
        if version not in then:
            remedy = "Rewrite its objects in a version that remains and remove it from status.storedVersions first."
            refusals.append(Refusal.because(name, f"objects are stored in version {version}, which goes", remedy))
    for version, entry in now.items():
        served = entry.get("served") and not (then.get(version) or {}).get("served")
        if served and version not in stored:
            remedy = "Move its clients first, or keep the version."
            refusals.append(Refusal.because(name, f"version {version} would no longer be served", remedy))
    return refusals


def schema_losses(existing: Mapping[str, Any], following: Mapping[str, Any]) -> list[SchemaLoss]:
    """Every field, type and value that the next definition no longer takes, version by version."""
    now, then = _versions(existing), _versions(following)
    found: list[SchemaLoss] = []
    for version, entry in now.items():
        if version in then:
            found += _walk(version, (), _schema(entry), _schema(then[version]))
    return found


def objects_with(loss: SchemaLoss, objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """`namespace/name` of the objects that this loss hurts."""
    return [_name(item) for item in objects if _hurts(loss, item)]


def schema_refusal(kind: str, loss: SchemaLoss, names: list[str]) -> Refusal:
    """Why the next definition must not come, as long as these objects are as they are."""
    shown = listed(sorted(names), _SHOWN)
    return Refusal.because(
        f"{kind} {loss.field}",
        f"{shown} {'uses' if len(names) == 1 else 'use'} it, and in the next version it {loss.reported}",
        "Keep the version, change these objects first, or set accept_field_loss: true: the API server then drops or "
        "refuses the field at their next write.",
    )


def _walk(version: str, path: SchemaPath, now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[SchemaLoss]:
    if then.get(FREE) and not then.get("properties"):
        return
    types, next_types = _types(now), _types(then)
    if next_types and types - next_types:
        reported = f"is {_any_of(next_types)}, not {_any_of(types - next_types)}"
        yield SchemaLoss(version, path, "type", reported, tuple(sorted(next_types)))
        return
    gone = [value for value in now.get("enum") or [] if then.get("enum") and value not in then["enum"]]
    if gone or (then.get("enum") and not now.get("enum")):
        allowed = tuple(then["enum"])
        yield SchemaLoss(version, path, "enum", f"may only be {', '.join(map(str, allowed))}", allowed)
    there = then.get("properties") or {}
    for name in then.get("required") or []:
        if name not in (now.get("required") or []) and "default" not in (there.get(name) or {}):
            yield SchemaLoss(version, (*path, name), "required", "must be set")
    yield from _nested_losses(version, path, now, then, there)


def _nested_losses(
    version: str, path: SchemaPath, now: Mapping[str, Any], then: Mapping[str, Any], there: Mapping[str, Any]
) -> Iterator[SchemaLoss]:
    values, next_values = now.get("additionalProperties"), then.get("additionalProperties")
    for name, below in (now.get("properties") or {}).items():
        follows = there.get(name, next_values)
        if isinstance(follows, Mapping):
            yield from _walk(version, (*path, name), below, follows)
        elif not then.get(FREE) and not follows:
            yield SchemaLoss(version, (*path, name), "gone", "does not exist")
    if isinstance(now.get("items"), Mapping) and isinstance(then.get("items"), Mapping):
        yield from _walk(version, (*path, "[]"), now["items"], then["items"])
    if isinstance(values, Mapping) and isinstance(next_values, Mapping):
        yield from _walk(version, (*path, "*"), values, next_values)
    is_open, is_closed = now.get(FREE) or values not in (None, False), not then.get(FREE)
    if is_open and is_closed and next_values in (None, False):
        objects = _OF_OBJECTS if not path or then.get(_EMBEDDED) else ()
        reported = f"keeps no other keys than {', '.join(there)}" if there else "keeps none of its keys"
        # those that it names now are told one by one
        allowed = tuple(sorted({*there, *(now.get("properties") or {}), *objects}))
        yield SchemaLoss(version, path, "keys", reported, allowed)


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types of JSON that a schema takes; none where it does not say."""
    if schema.get(_INT_OR_STRING):
        return frozenset(("integer", "string"))
    kind = schema.get("type")
    return frozenset(("integer", "number") if kind == "number" else (kind,) if kind else ())


def _any_of(types: Iterable[str]) -> str:
    return " or ".join(f"{'an' if kind[0] in 'aio' else 'a'} {kind}" for kind in sorted(types))


# a boolean is an int as well, so the first that fits counts
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (Mapping, "object"),
    (list, "array"),
)


def _is_of(value: Any, types: Iterable[Any]) -> bool:
    """Whether a value has one of these types; null has any, and is dropped where it may not be."""
    return value is None or next((kind for one, kind in _KINDS if isinstance(value, one)), "") in types


def _hurts(loss: SchemaLoss, item: Mapping[str, Any]) -> bool:
    if loss.what == "required":
        # only where the surrounding mapping is there: an absent one needs nothing
        return any(isinstance(found, Mapping) and loss.path[-1] not in found for found in _at(item, loss.path[:-1]))
    found = list(_at(item, loss.path))
    if loss.what == "enum":
        return any(value not in loss.allowed for value in found)
    if loss.what == "type":
        return not all(_is_of(value, loss.allowed) for value in found)
    if loss.what == "keys":
        return any(isinstance(value, Mapping) and not {*value} <= {*loss.allowed} for value in found)
    return bool(found)


def _at(value: Any, path: SchemaPath) -> Iterator[Any]:
    """Every value that stands at a path."""
    if not path:
        yield value
    elif path[0] == "[]":
        for item in value if isinstance(value, list) else []:
            yield from _at(item, path[1:])
    elif path[0] == "*":
        for item in value.values() if isinstance(value, Mapping) else []:
            yield from _at(item, path[1:])
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _versions(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(entry["name"]): entry for entry in (definition.get("spec") or {}).get("versions") or []}


def _schema(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return (entry.get("schema") or {}).get("openAPIV3Schema") or {}


def _name(item: Mapping[str, Any]) -> str:
    metadata = item.get("metadata") or {}
    return "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
