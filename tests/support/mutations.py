# SPDX-License-Identifier: GPL-3.0-or-later
"""What others might do to an object that is declared: foreign edits, made from its schema. Pure and deterministic.

Each is one edit of one place. The places are those where whoever declares an object has a say: below spec, data, rules
and the like, and the labels and annotations that are declared. Which edit an API server accepts it says itself.
"""

from __future__ import annotations

import base64
import copy
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from support.openapi import Schema

Step = str | int
Steps = tuple[Step, ...]
Place = tuple[str, ...]

ROOTS = ("spec", "data", "binaryData", "rules", "webhooks", "subjects", "parameters")
EXTRA = "mcpops-extra"
TWIN = "mcpops-twin"

# What an API server hands out and keeps when an update leaves it out: a Service's addresses, their families, its ports.
# Edited, it is another allocation, and nothing says which one it was before.
ALLOCATED = frozenset({"clusterIP", "clusterIPs", "healthCheckNodePort", "ipFamilies", "nodePort"})
# Documented as nobody's drift: injectors of certificate authorities write it.
TOLERATED = frozenset({"caBundle"})
# Of the many properties that a mapping could have, so many are tried as additions.
ADDITIONS = 3

_AMOUNT = re.compile(r"(\d+)([^\d].*)?", re.DOTALL)
_ANYTHING = Schema({}, {})


@dataclass(frozen=True)
class Mutation:
    """One foreign edit: a JSON patch of the live object."""

    what: str
    steps: Steps
    patch: tuple[Mapping[str, Any], ...]
    owner: Steps
    """The outermost structure around it that is owned in one piece, or the place itself."""

    @property
    def place(self) -> Place:
        return names(self.steps)

    def __str__(self) -> str:
        return (
            f"{self.what}: {''.join(f'[{step}]' if isinstance(step, int) else f'.{step}' for step in self.steps)[1:]}"
        )


def mutations(
    declared: Mapping[str, Any], live: Mapping[str, Any], schema: Schema | None, chance: random.Random
) -> list[Mutation]:
    """Edits of one live object, each kind of edit in turn, in an order that `chance` decides."""
    schema = schema or _ANYTHING
    declared = _with_plain_secrets(declared)
    found: list[Mutation] = []
    for root in ROOTS:
        # an empty Secret or ConfigMap is a place for a controller to write to
        if declared.get(root) and root in live:
            found += _walk(declared[root], live[root], schema.below(root) or _ANYTHING, (root,), None, chance)
    for root in ("labels", "annotations"):
        ours = (declared.get("metadata") or {}).get(root) or {}
        existing = (live.get("metadata") or {}).get(root) or {}
        for key in (key for key in ours if key in existing):
            steps = ("metadata", root, key)
            found += [_replace(steps, f"{existing[key]}-x", steps), _remove("a declared leaf", steps, steps)]
    return _in_turn(found, chance)


def names(steps: Sequence[Step]) -> Place:
    return tuple(step for step in steps if isinstance(step, str))


def changed_places(before: Any, after: Any, steps: Steps = ()) -> set[Place]:
    """Where two states of an object differ, by field names only: a list that grew is one place."""
    if before == after:
        return set()
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = dict.fromkeys([*before, *after])
        return set().union(*(changed_places(before.get(key), after.get(key), (*steps, key)) for key in keys))
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return set().union(*(changed_places(one, other, steps) for one, other in zip(before, after)))
    return {names(steps)}


def shown_places(lines: str) -> set[Place]:
    """The paths of a diff's lines, by field names only."""
    return {_place_of(line) for line in lines.splitlines()}


def belongs(shown: Place, mutation: Mutation, changed: set[Place]) -> bool:
    """Whether a place that was shown is one that the edit changed: no wider than what is owned in one piece."""
    owner = names(mutation.owner)
    if shown[: len(owner)] == owner:
        return True
    return len(shown) >= len(owner) and any(
        shown[: len(place)] == place or place[: len(shown)] == shown for place in changed
    )


# --- walking what is declared beside what stands ---------------------------------------------------------------------


def _walk(
    declared: Any, live: Any, schema: Schema, steps: Steps, owner: Steps | None, chance: random.Random
) -> Iterator[Mutation]:
    if isinstance(declared, Mapping) and isinstance(live, Mapping):
        yield from _mapping(declared, live, schema, steps, owner, chance)
    elif isinstance(declared, list) and isinstance(live, list):
        if schema.list_type == "map" and owner is None and schema.item:
            yield from _keyed_list(declared, live, schema, steps, chance)
        else:
            yield from _plain_list(declared, live, schema, steps, owner or steps, chance)
    elif declared is not None:
        value = changed(live, schema)
        if value is not None:
            yield _replace(steps, value, owner or steps)


def _mapping(
    declared: Mapping[str, Any],
    live: Mapping[str, Any],
    schema: Schema,
    steps: Steps,
    owner: Steps | None,
    chance: random.Random,
) -> Iterator[Mutation]:
    owner = owner or (steps if schema.in_one_piece else None)
    for key in [key for key in declared if key in live and key not in ALLOCATED | TOLERATED]:
        below = schema.below(key) or _ANYTHING
        yield from _walk(declared[key], live[key], below, (*steps, key), owner, chance)
        leaf = not isinstance(live[key], (Mapping, list)) or below.in_one_piece
        if leaf and declared[key] is not None and key not in schema.required:
            yield _remove("a declared leaf", (*steps, key), owner or (*steps, key))
    for key in [key for key in live if key not in declared and key not in ALLOCATED | TOLERATED]:
        value = None if isinstance(live[key], (Mapping, list)) else changed(live[key], schema.below(key) or _ANYTHING)
        if value is not None:
            at = (*steps, key)
            yield Mutation("change a defaulted leaf", at, (_operation("replace", at, value),), owner or at)
    what = "add within a mapping that is owned in one piece" if owner else "add an undeclared leaf"
    for key, value in _additions(live, schema, chance):
        at = (*steps, key)
        yield Mutation(what, at, (_operation("add", at, value),), owner or at)


def _additions(live: Mapping[str, Any], schema: Schema, chance: random.Random) -> Iterator[tuple[str, Any]]:
    if schema.any_key:
        value = sample(schema.below(EXTRA) or _ANYTHING)
        if value is not None:
            yield EXTRA, value
        return
    missing = sorted(key for key in schema.properties if key not in live and key not in ALLOCATED | TOLERATED)
    chance.shuffle(missing)
    values = ((key, sample(schema.below(key) or _ANYTHING)) for key in missing)
    yield from [(key, value) for key, value in values if value is not None][:ADDITIONS]


def _keyed_list(
    declared: list[Any], live: list[Any], schema: Schema, steps: Steps, chance: random.Random
) -> Iterator[Mutation]:
    defaults = schema.key_defaults()
    item_schema = schema.item or _ANYTHING
    for item in declared:
        at = _position(item, live, schema.list_keys, defaults)
        if at is None:
            continue
        for edit in _walk(item, live[at], item_schema, (*steps, at), None, chance):
            # under another key it is another item: the one is missing, the other was added
            renamed = edit.steps[:-1] == (*steps, at) and edit.steps[-1] in schema.list_keys
            yield replace(edit, owner=steps) if renamed else edit
        if len(live) > 1:
            yield _remove("a declared list item", (*steps, at), (*steps, at))
        other = _another(live[at], schema)
        if other is not None:
            yield _append("add a list item with another key", steps, other)
        for key in defaults:
            duplicate = _twin(live[at], key, item_schema)
            if duplicate is not None:
                yield _append("add a twin that differs in a defaulted key", steps, duplicate)


def _plain_list(
    declared: list[Any], live: list[Any], schema: Schema, steps: Steps, owner: Steps, chance: random.Random
) -> Iterator[Mutation]:
    if len(declared) == len(live):
        for at, (item, existing) in enumerate(zip(declared, live)):
            if isinstance(item, (Mapping, list)):
                yield from _walk(item, existing, schema.item or _ANYTHING, (*steps, at), owner, chance)
    if not live:
        return
    grown = copy.deepcopy(live[-1]) if isinstance(live[-1], (Mapping, list)) else changed(live[-1], _ANYTHING)
    if grown is not None and grown not in ([], {}):
        patch = (_operation("add", (*steps, "-"), grown),)
        yield Mutation("add to a list that is owned in one piece", steps, patch, owner)
    if len(live) > 1:
        last = (*steps, len(live) - 1)
        yield Mutation("take from a list that is owned in one piece", steps, (_operation("remove", last),), owner)


def _position(item: Any, live: list[Any], keys: Sequence[str], defaults: Mapping[str, Any]) -> int | None:
    if not isinstance(item, Mapping):
        return None
    wanted = {key: item.get(key, defaults.get(key)) for key in keys}
    for at, existing in enumerate(live):
        if all(existing.get(key, defaults.get(key)) == value for key, value in wanted.items()):
            return at
    return None


def _another(item: Mapping[str, Any], schema: Schema) -> Mapping[str, Any] | None:
    """An item like this one under another key."""
    other = copy.deepcopy({key: value for key, value in item.items() if key not in ALLOCATED})
    defaults = schema.key_defaults()
    for key in [key for key in schema.list_keys if key not in defaults]:
        value = other.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            other[key] = value + 1
        elif isinstance(value, str) and value.startswith("/"):
            other[key] = f"/{EXTRA}"
        elif isinstance(value, str):
            other[key] = f"{EXTRA}.{value}" if "." in value else EXTRA
        else:
            return None
    if "name" in other and "name" not in schema.list_keys:
        # in some lists names have to differ as well, although they are not the key
        other["name"] = EXTRA
    return other


def _twin(item: Mapping[str, Any], key: str, item_schema: Schema) -> Mapping[str, Any] | None:
    below = item_schema.below(key)
    choices = [choice for choice in (below.choices if below else ()) if choice != item.get(key)]
    if not choices and item.get(key) == "TCP":
        choices = ["UDP"]
    if not choices:
        return None
    duplicate = {**{name: value for name, value in item.items() if name not in ALLOCATED}, key: choices[-1]}
    return {**duplicate, "name": TWIN} if "name" in duplicate else duplicate


# --- values ----------------------------------------------------------------------------------------------------------


def changed(value: Any, schema: Schema) -> Any:
    """Another value of the same kind; None when there is none to be had."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if not isinstance(value, str) or schema.format == "date-time":
        return None
    others = [choice for choice in schema.choices if choice != value]
    if schema.choices:
        return others[0] if others else None
    if schema.format == "byte":
        return base64.b64encode(base64.b64decode(value) + b"x").decode("ascii")
    amount = _AMOUNT.fullmatch(value)
    if amount:
        return f"{int(amount[1]) + 1}{amount[2] or ''}"
    return f"{value}# {EXTRA}\n" if value.endswith("\n") else f"{value}-x"


def sample(schema: Schema) -> Any:
    """A value for a field that is not there; None for those too involved to make up."""
    if schema.choices:
        others = [choice for choice in schema.choices if choice not in ("", schema.default)]
        return others[-1] if others else None
    kind = schema.type
    if kind == "boolean":
        return schema.default is not True
    if kind in ("integer", "number", "int-or-string"):
        return 1 if schema.default != 1 else 2
    if kind == "quantity":
        return "17"
    if kind == "string":
        # bytes are what a Secret holds: a value that is spelled as its key would hide the key as well
        return base64.b64encode(f"{EXTRA}-bytes".encode()).decode("ascii") if schema.format == "byte" else EXTRA
    if kind == "array" and schema.item is not None:
        value = sample(schema.item) if schema.item.type in ("string", "integer") else None
        return None if value is None else [value]
    if kind == "object" and schema.any_key:
        value = sample(schema.below(EXTRA) or _ANYTHING)
        return None if value is None else {EXTRA: value}
    return None


# --- patches ---------------------------------------------------------------------------------------------------------


def _operation(op: str, steps: Sequence[Step], value: Any = None) -> dict[str, Any]:
    path = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
    return {"op": op, "path": path} | ({} if op == "remove" else {"value": value})


def _replace(steps: Steps, value: Any, owner: Steps) -> Mutation:
    return Mutation("change a declared leaf", steps, (_operation("replace", steps, value),), owner)


def _remove(what: str, steps: Steps, owner: Steps) -> Mutation:
    return Mutation(f"remove {what}", steps, (_operation("remove", steps),), owner)


def _append(what: str, steps: Steps, item: Any) -> Mutation:
    return Mutation(what, steps, (_operation("add", (*steps, "-"), item),), steps)


def _with_plain_secrets(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Secret's stringData as the server keeps it."""
    plain = declared.get("stringData")
    if declared.get("kind") != "Secret" or not plain:
        return declared
    encoded = {key: base64.b64encode(str(value or "").encode()).decode("ascii") for key, value in plain.items()}
    return {**declared, "data": {**(declared.get("data") or {}), **encoded}}


def _in_turn(found: Sequence[Mutation], chance: random.Random) -> list[Mutation]:
    """One of each kind of edit, then the next of each; which kind comes first differs from object to object."""
    kinds: dict[str, list[Mutation]] = {}
    for mutation in chance.sample(list(found), len(found)):
        kinds.setdefault(mutation.what, []).append(mutation)
    queues = chance.sample(list(kinds.values()), len(kinds))
    return [queue[at] for at in range(max(map(len, queues), default=0)) for queue in queues if at < len(queue)]


def _place_of(line: str) -> Place:
    """`a.b[name]."c.d/e"[0].f: value` -> (a, b, c.d/e, f)"""
    found: list[str] = []
    at, key = 0, ""
    while at < len(line):
        sign = line[at]
        if sign == '"' and not key:
            end = line.index('"', at + 1)
            found.append(line[at + 1 : end])
            at = end + 1
        elif sign == "[":
            at = _closing(line, at) + 1
        elif sign in ".: ":
            if key:
                found.append(key)
            key = ""
            at += 1
            if sign != ".":
                return tuple(found)
        else:
            key += sign
            at += 1
            if at < len(line) and line[at] == "[":
                found.append(key)
                key = ""
    return (*found, key) if key else tuple(found)


def _closing(line: str, at: int) -> int:
    depth = 0
    for place in range(at, len(line)):
        depth += {"[": 1, "]": -1}.get(line[place], 0)
        if depth == 0:
            return place
    return len(line) - 1
