# SPDX-License-Identifier: GPL-3.0-or-later
"""How the AKS provider reads a PUT: field by field, by a table of what each field defaults to and may become."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .wire import AksError, Body

if TYPE_CHECKING:
    from .cloud import Cloud


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True)
class Context:
    """What a default may depend on besides the body itself."""

    cloud: Cloud
    subscription: str
    group: str
    name: str
    location: str
    version: str  # full Kubernetes version of the control plane
    cluster: Body | None = None  # the enclosing cluster while a pool is read
    api_version: str = ""  # what the client speaks
    images: Mapping[str, Sequence[str]] = field(default_factory=dict)  # pool → node images it has had


Default = Callable[[Body, Context], Any]


@dataclass(frozen=True)
class Field:
    """One field. `path` is dotted; a default is a constant or a function, applied in the order of the table."""

    path: str
    default: Any = ABSENT
    keep: bool = False  # an update that leaves it out means "as it was"
    immutable: bool = False  # also kept; a different value is refused
    read_only: bool = False  # what a client sends is ignored: it sends back what it read
    secret: bool = False  # accepted and never answered
    unordered: bool = False
    normal: Callable[[Any], Any] | None = None  # how the service stores what is sent
    may_become: tuple[tuple[object, object], ...] = ()  # changes an immutable field allows all the same
    unless: Callable[[Body, Body], bool] | None = None  # (body, current): when any change of it is taken


# Maps whose values are the user's own: an empty value there means something.
USER_MAPS = frozenset({"tags", "nodeLabels", "userAssignedIdentities"})


def without_empty(value: Any, name: str = "") -> Any:
    """null, "", [] and {} are all "not given" to the provider."""
    if isinstance(value, dict):
        if name in USER_MAPS:
            return dict(value)
        kept = {key: without_empty(item, key) for key, item in value.items()}
        return {key: item for key, item in kept.items() if not _empty(item)}
    if isinstance(value, list):
        return [without_empty(item) for item in value]
    return value


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def get(body: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(body, dict) or part not in body:
            return ABSENT
        body = body[part]
    return body


def put(body: Body, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for part in parents:
        body = body.setdefault(part, {})
    body[last] = value


def drop(body: Any, path: str) -> None:
    *parents, last = path.split(".")
    for part in parents:
        body = body.get(part) if isinstance(body, dict) else None
    if isinstance(body, dict):
        body.pop(last, None)


def read(sent: Body, current: Body | None, table: Sequence[Field], context: Context, prefix: str = "") -> Body:
    """The resource as it stands after a PUT of `sent` over `current`."""
    body: Body = without_empty(copy.deepcopy(sent))
    for row in table:
        before = ABSENT if current is None else get(current, row.path)
        if row.read_only:
            drop(body, row.path)
        if row.secret:
            drop(body, row.path)
            continue
        asked = get(body, row.path)
        if asked is not ABSENT and row.normal is not None:
            asked = row.normal(asked)
            put(body, row.path, asked)
        if asked is ABSENT and before is not ABSENT and (row.read_only or row.keep or row.immutable):
            put(body, row.path, copy.deepcopy(before))
        elif asked is ABSENT and row.default is not ABSENT:
            value = row.default(body, context) if callable(row.default) else copy.deepcopy(row.default)
            if value is not ABSENT:
                put(body, row.path, value)
        elif (
            row.immutable
            and current is not None
            and not _may_become(row, before, asked)
            and not (row.unless is not None and row.unless(body, current))
        ):
            raise change_not_allowed(prefix + row.path)
    return body


def _may_become(row: Field, before: Any, asked: Any) -> bool:
    if any(
        comparable(one) == comparable(before) and comparable(other) == comparable(asked)
        for one, other in row.may_become
    ):
        return True
    return bool(comparable(before, row.unordered) == comparable(asked, row.unordered))


def comparable(value: Any, unordered: bool = False) -> Any:
    if isinstance(value, str):
        return value.rstrip("\n").lower()
    if isinstance(value, list):
        items = [comparable(item) for item in value]
        return sorted(items, key=repr) if unordered else items
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    return value


def change_not_allowed(path: str) -> AksError:
    target = path.removeprefix("properties.") if not path.startswith("properties.vmSize") else path
    return AksError(400, "PropertyChangeNotAllowed", f"Changing property '{target}' is not allowed.", target=target)
