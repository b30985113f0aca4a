# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a live object is as declared, as far as reading tells. Pure, and cautious: a yes is certain.

A no may only mean that the API server writes the same in another form; a dry run decides that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import (
    Tree,
    declares,
    entries,
    field_names,
    field_step,
    item_keys,
    part_of,
    set_members,
    value_at,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import (
    FIELD_MANAGER,
    foreign_routes,
    owned_fields,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.quantity import same_quantity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import UNKNOWN, Structure, canonical
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import Tolerated
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT


class Verdict(Enum):
    STANDS = "stands"
    UNSURE = "unsure"
    """Something that defaults, conversions or shared ownership may explain: a dry run decides."""
    DIFFERS = "differs"


_NOT_COMPARED = ("apiVersion", "kind")
_PLAIN = frozenset({str, int, bool, float})
_NO_ONE: Tree = {}


def verdict(
    live: Mapping[str, Any],
    declared: Mapping[str, Any],
    manager: str = FIELD_MANAGER,
    structure: Structure = UNKNOWN,
    *,
    adopt: bool = True,
) -> Verdict:
    """Whether applying `declared` as `manager` would change anything.

    With `adopt` it also has to own every declared leaf, and no other; else the values alone count.
    """
    body = _body(declared)
    if not adopt:
        return _value(body, live, None, structure, False)
    found = owned_fields(live, manager)
    if found is None or found[0] != declared["apiVersion"]:
        return Verdict.UNSURE
    return _mapping(body, live, found[1], structure, True)


def contested(
    live: Mapping[str, Any],
    declared: Mapping[str, Any],
    our_managers: Collection[str],
    structure: Structure,
    expected: Tolerated | None,
) -> bool:
    """Whether others own a declared structure as one piece, and it is not exactly what is declared.

    It tells what the schema may leave open: that a structure is one piece stands in whoever wrote it last.
    """
    return any(
        declares(declared, route, structure)
        and value_at(declared, route, structure) not in (None, value_at(live, route, structure))
        for route in foreign_routes(live, our_managers, expected)
    )


def digest(live: Mapping[str, Any], declared: Mapping[str, Any], *settings: Any) -> str:
    """One text for this declaration of this object in this state, whatever its status says and when it was written."""
    metadata = {
        key: value
        for key, value in (live.get("metadata") or {}).items()
        if key not in ("managedFields", "resourceVersion", "generation")
    }
    written = [
        (entry.manager, entry.operation, entry.api_version, entry.subresource, entry.fields)
        for entry in entries(live)
        if entry.subresource != "status"
    ]
    state = {key: value for key, value in live.items() if key not in ("metadata", "status")}
    whole = canonical([declared, state, metadata, written, settings])
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def _body(declared: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in declared["metadata"].items() if key not in ("name", "namespace")}
    body = {key: value for key, value in declared.items() if key not in (*_NOT_COMPARED, "metadata")}
    return {**body, "metadata": metadata} if metadata else body


def _mapping(declared: Mapping[str, Any], live: Any, owned: Tree, structure: Structure, adopt: bool) -> Verdict:
    if not isinstance(live, Mapping):
        return Verdict.DIFFERS if declared else Verdict.STANDS
    outcome = Verdict.STANDS
    for key, value in declared.items():
        standing = live.get(key, ABSENT)
        mine = part_of(owned, key)
        # most leaves are plain and equal: no structure is needed for those
        if value.__class__ in _PLAIN and value.__class__ is standing.__class__ and value == standing:
            if mine is None and adopt:
                outcome = Verdict.UNSURE
            continue
        part = _value(value, standing, mine, structure.field(str(key)), adopt)
        if part is Verdict.DIFFERS:
            return part
        if part is Verdict.UNSURE:
            outcome = part
    if adopt and any(name not in declared for name in field_names(owned)):
        # a leaf that we once declared and do so no more: applying removes it
        return Verdict.DIFFERS
    return outcome


def _value(declared: Any, live: Any, owned: Any, structure: Structure, adopt: bool) -> Verdict:
    if declared is None:
        # null is a value in few places (nullable fields of custom resources); elsewhere it asks for nothing to stand
        return Verdict.STANDS if live is ABSENT or live is None else Verdict.UNSURE
    if adopt and owned is None:
        # not ours yet: adopt it, or find out whose it is
        return Verdict.UNSURE
    if live is ABSENT or live is None:
        if not _is_zero(declared):
            return Verdict.DIFFERS
        # a declared false, 0 or empty value: one that is ours is one that the API does not store; null is stored, and
        # another value where no schema knows the field
        return Verdict.STANDS if adopt and live is ABSENT else Verdict.UNSURE
    if isinstance(declared, Mapping):
        if (adopt and not owned) or (not adopt and structure.is_one_piece):
            return _one_piece(declared, live)
        return _mapping(declared, live, owned or _NO_ONE, structure, adopt)
    if isinstance(declared, list):
        if not isinstance(live, list):
            return Verdict.DIFFERS
        if adopt:
            return _owned_list(declared, live, owned or _NO_ONE, structure)
        return _list(declared, live, structure)
    return _leaf(declared, live, structure)


def _leaf(declared: Any, live: Any, structure: Structure) -> Verdict:
    if declared == live and isinstance(declared, bool) == isinstance(live, bool):
        return Verdict.STANDS
    if structure.is_quantity:
        return Verdict.STANDS if same_quantity(declared, live) else Verdict.DIFFERS
    # a default may stand in the place of an empty value
    empty = not isinstance(declared, bool) and declared in ("", 0)
    return Verdict.UNSURE if empty or type(declared) is not type(live) else Verdict.DIFFERS


def _one_piece(declared: Any, live: Any) -> Verdict:
    """Equal to the last leaf, or for a dry run to tell: the server may have completed it."""
    return Verdict.STANDS if declared == live and canonical(declared) == canonical(live) else Verdict.UNSURE


def _list(declared: Sequence[Any], live: Sequence[Any], structure: Structure) -> Verdict:
    """The values of a list; more items than declared are the business of who owns them."""
    if structure.is_set:
        return Verdict.STANDS if all(item in live for item in declared) else Verdict.DIFFERS
    if not structure.keys or _has_twins(declared, structure):
        return _one_piece(declared, live)
    standing = {structure.key_of(item): item for item in live}
    outcome = Verdict.STANDS
    order = []
    for item in declared:
        key = structure.key_of(item)
        if key is None or key not in standing:
            return Verdict.UNSURE if key is None else Verdict.DIFFERS
        order.append(key)
        part = _value(item, standing[key], None, structure.items, False)
        if part is Verdict.DIFFERS:
            return part
        if part is Verdict.UNSURE:
            outcome = part
    in_order = [key for key in standing if key in set(order)] == order
    return outcome if in_order and not _has_twins(live, structure) else Verdict.UNSURE


def _owned_list(declared: Sequence[Any], live: Sequence[Any], owned: Tree, structure: Structure) -> Verdict:
    """The same where we are to own each item."""
    members = set_members(owned)
    if members:
        wanted, mine = sorted(map(repr, declared)), sorted(map(repr, members))
        return Verdict.STANDS if wanted == mine and all(item in live for item in declared) else Verdict.DIFFERS
    keyed = item_keys(owned)
    if not keyed:
        return _one_piece(declared, live)
    if len(keyed) != len(declared):
        return Verdict.DIFFERS
    outcome = Verdict.UNSURE if _has_twins(live, structure) else Verdict.STANDS
    last = -1
    for item in declared:
        mine_key = _key_of(item, keyed, structure)
        place = _place_of(live, keyed[mine_key]) if mine_key is not None else None
        if mine_key is None or place is None:
            return Verdict.DIFFERS
        if place < last:
            outcome = Verdict.UNSURE
        last = place
        below = _without_key(owned[mine_key], keyed[mine_key], item)
        part = _mapping(item, live[place], below, structure.items, True)
        if part is Verdict.DIFFERS:
            return part
        if part is Verdict.UNSURE:
            outcome = part
    return outcome


def _has_twins(live: Sequence[Any], structure: Structure) -> bool:
    """Whether several items have one key: the API server takes them from updates, though a key should say which."""
    keys = [key for key in map(structure.key_of, live) if key is not None]
    return len(set(keys)) != len(keys)


def _key_of(item: Any, keyed: Mapping[str, Mapping[str, Any]], structure: Structure) -> str | None:
    """The owned entry of a declared list item, with defaults for key fields that it leaves out."""
    if not isinstance(item, Mapping):
        return None
    fits = [name for name, key in keyed.items() if all(item.get(field, value) == value for field, value in key.items())]
    if len(fits) > 1:
        own = dict(structure.key_of(item) or ())
        fits = [name for name in fits if all(own.get(field) == value for field, value in keyed[name].items())]
    return fits[0] if len(fits) == 1 else None


def _place_of(live: Sequence[Any], key: Mapping[str, Any]) -> int | None:
    for place, item in enumerate(live):
        if isinstance(item, Mapping) and all(item.get(field) == value for field, value in key.items()):
            return place
    return None


def _without_key(owned: Tree, key: Mapping[str, Any], item: Mapping[str, Any]) -> Tree:
    """A key field that was defaulted is owned without having been declared."""
    defaulted = {field_step(name) for name in key if name not in item}
    return {name: below for name, below in owned.items() if name not in defaulted} if defaulted else owned


def _is_zero(value: Any) -> bool:
    return value in ("", 0, False) or value == {} or value == []
