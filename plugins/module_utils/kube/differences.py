# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two states of one object as changes by leaf. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import CONTROLLER_ANNOTATIONS, holds_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.kube.quantity import same_quantity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import UNKNOWN, Structure
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, join

_SERVER_SIDE = frozenset(
    {
        ("status",),
        ("metadata", "creationTimestamp"),
        ("metadata", "generation"),
        ("metadata", "managedFields"),
        ("metadata", "resourceVersion"),
        ("metadata", "selfLink"),
        ("metadata", "uid"),
    }
)

# of a Secret: its values, also as kubectl notes them down beside the object
_SECRET_ROUTES = frozenset(
    {("data",), ("stringData",), ("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")}
)


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], structure: Structure = UNKNOWN
) -> tuple[Change, ...]:
    """Every leaf that differs, without what the server keeps for itself; a Secret's data is marked secret.

    Items of a list with keys are compared by their keys, every other list as a whole.
    """
    secret = holds_secrets(after)
    return tuple(_mapping(before, after, (), "", secret, structure))


def creation(item: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes of an object that is not there yet."""
    if not holds_secrets(item):
        return (Change("", ABSENT, _shortened(item)),)
    return tuple(_leaves(item, (), ""))


def removal(live: Mapping[str, Any]) -> tuple[Change, ...]:
    """The change of an object that is to go: named, not printed in full."""
    metadata = live.get("metadata") or {}
    named = {key: metadata[key] for key in ("name", "namespace") if metadata.get(key)}
    shown = {"apiVersion": live.get("apiVersion"), "kind": live.get("kind"), "metadata": named}
    return (Change("", shown, ABSENT),)


def _leaves(value: Mapping[str, Any], route: tuple[str, ...], path: str) -> Iterator[Change]:
    for key, below in value.items():
        here, name = (*route, str(key)), join(path, str(key))
        if isinstance(below, Mapping) and below:
            yield from _leaves(below, here, name)
        else:
            yield Change(name, ABSENT, below, _is_secret(here))


def _is_secret(route: tuple[str, ...]) -> bool:
    return any(route[:length] in _SECRET_ROUTES for length in (1, 3))


def _shortened(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The thousands of lines of a CustomResourceDefinition's schemas as their digests."""
    if item.get("kind") != "CustomResourceDefinition":
        return item
    spec = item.get("spec")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("versions"), list):
        return item
    versions = [
        {**version, "schema": _digest(version["schema"])}
        if isinstance(version, Mapping) and version.get("schema")
        else version
        for version in spec["versions"]
    ]
    return {**item, "spec": {**spec, "versions": versions}}


def _digest(value: Any) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _mapping(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    route: tuple[str, ...],
    path: str,
    secret: bool,
    structure: Structure,
) -> Iterator[Change]:
    for key in [*before, *(key for key in after if key not in before)]:
        here = (*route, str(key))
        if here in _SERVER_SIDE or (
            route == ("metadata", "annotations") and str(key).startswith(CONTROLLER_ANNOTATIONS)
        ):
            continue
        one, other = before.get(key, ABSENT), after.get(key, ABSENT)
        # plain, identical parts are the rule: one comparison instead of a walk
        if not _equal(one, other):
            yield from _value(one, other, here, join(path, str(key)), secret, structure.field(str(key)))


def _value(
    before: Any, after: Any, route: tuple[str, ...], path: str, secret: bool, structure: Structure
) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _mapping(before, after, route, path, secret, structure)
        return
    if isinstance(before, list) and isinstance(after, list):
        sides = _keyed(before, structure), _keyed(after, structure)
        if sides[0] is not None and sides[1] is not None:
            yield from _items(sides[0], sides[1], route, path, secret, structure.items)
            return
    one, other = (side if isinstance(side, Mapping) else {} for side in (before, after))
    if (secret or route == ("metadata", "annotations")) and (one or other):
        # each value for itself: some of them may be secret, or a controller's
        yield from _mapping(one, other, route, path, secret, structure)
        return
    if structure.is_quantity and same_quantity(before, after):
        return
    yield Change(path, before, after, secret and _is_secret(route))


def _items(
    standing: Mapping[str, Any],
    wanted: Mapping[str, Any],
    route: tuple[str, ...],
    path: str,
    secret: bool,
    structure: Structure,
) -> Iterator[Change]:
    order = [name for name in standing if name in wanted]
    if order != [name for name in wanted if name in standing]:
        yield Change(f"{path} (order)", list(standing), list(wanted))
    for name in [*standing, *(name for name in wanted if name not in standing)]:
        one, other = standing.get(name, ABSENT), wanted.get(name, ABSENT)
        if not _equal(one, other):
            yield from _value(one, other, (*route, name), f"{path}[{name}]", secret, structure)


def _keyed(items: list[Any], structure: Structure) -> dict[str, Any] | None:
    """The items by the text of their keys; None where they have none, or not each its own."""
    found = {}
    for item in items:
        key = structure.key_of(item)
        if key is None:
            return None
        found[",".join(str(value) for _field, value in key)] = item
    return found if len(found) == len(items) else None


def _equal(one: Any, other: Any) -> bool:
    # true is 1 to Python
    return bool(one == other) and (not isinstance(one, (bool, int)) or isinstance(one, bool) == isinstance(other, bool))
