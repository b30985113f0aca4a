# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two states of one object as changes by leaf.

And refusals of the API server explained with the fields they are about.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..errors import ServiceError
from ..plan import ABSENT, Change, join
from ..text import listed
from .manifests import CONTROLLER_ANNOTATIONS, ObjectRef, holds_secrets
from .schema import UNKNOWN, Structure
from .syntax import same_quantity

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


def creation_changes(item: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes of an object that is not there yet."""
    if not holds_secrets(item):
        return (Change("", ABSENT, _shortened(item)),)
    return tuple(_leaves(item, (), ""))


def removal_changes(live: Mapping[str, Any]) -> tuple[Change, ...]:
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
    existing: Mapping[str, Any],
    wanted: Mapping[str, Any],
    route: tuple[str, ...],
    path: str,
    secret: bool,
    structure: Structure,
) -> Iterator[Change]:
    order = [name for name in existing if name in wanted]
    if order != [name for name in wanted if name in existing]:
        yield Change(f"{path} (order)", list(existing), list(wanted))
    for name in [*existing, *(name for name in wanted if name not in existing)]:
        one, other = existing.get(name, ABSENT), wanted.get(name, ABSENT)
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


INVALID = 422
TRIAL = "mcpops-trial-"
"""What the names of objects begin with that are made in dry runs only."""

PROTECTED_KINDS = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)
"""Kinds whose deletion deletes other objects or data: never deleted unless they are what is to be deleted."""

IMMUTABLE = re.compile(
    r"immutable|may not change once set|updates to .* (?:is|are) forbidden|updates to .* for fields other than"
    r"|may not change fields other than|cannot change roleRef|may not be changed",
    re.IGNORECASE,
)


def is_immutable(refused: ServiceError) -> bool:
    """Whether the API server refused for nothing else than fields that cannot be changed in place.

    It tells all causes at once: with another one among them, the declaration could not be recreated either.
    """
    if refused.status != INVALID:
        return False
    reported = [str(cause.get("message")) for cause in _causes(refused)] or [refused.reason]
    return all(IMMUTABLE.search(one) for one in reported)


def is_inexpressible(refused: ServiceError) -> bool:
    """Whether server-side apply cannot say what the API server takes: two items of one key."""
    return "duplicate entries for key" in refused.reason


def became_headless(declared: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether a Service stands without an address although none is declared to be missing.

    The value "None" of clusterIP is no allocated address but the user's own ("headless"; API reference of
    ServiceSpec), and the API server keeps it through every update that leaves the field out.
    """
    spec = declared.get("spec") or {}
    return bool(
        declared.get("kind") == "Service"
        and declared.get("apiVersion") == "v1"
        and not spec.get("clusterIP")
        and not spec.get("clusterIPs")
        and spec.get("type") != "ExternalName"
        and (live.get("spec") or {}).get("clusterIP") == "None"
    )


def headless_refusal(ref: ObjectRef) -> ServiceError:
    reported = "spec.clusterIP: field is immutable: the Service is headless (None) and is declared with an address"
    causes = [{"field": "spec.clusterIP", "message": "field is immutable"}]
    return ServiceError(f"apply {ref}", reported, code="Invalid", status=INVALID, body={"details": {"causes": causes}})


def only_name_conflict(refused: ServiceError) -> bool:
    """Whether a trial under another name failed only for that name, or for what the standing object still holds."""
    causes = _causes(refused)
    return (
        refused.status == INVALID
        and bool(causes)
        and all(
            cause.get("field") == "metadata.name" or "already allocated" in str(cause.get("message"))
            for cause in causes
        )
    )


def not_deleted_refusal(ref: ObjectRef, refused: ServiceError) -> ServiceError:
    """The refusal of a trial under another name, as one of the object itself."""
    reason = re.sub(rf"{TRIAL}\w+", ref.name, refused.reason)
    reported = f"it was not deleted, because it could not be recreated: {reason}"
    return _with(refused, reported, refused.hint, f"apply {ref}")


def is_protected_kind(ref: ObjectRef) -> bool:
    return (ref.group, ref.kind) in PROTECTED_KINDS


def _causes(refused: ServiceError) -> list[Mapping[str, Any]]:
    details = refused.body.get("details") if isinstance(refused.body, Mapping) else None
    return list((details or {}).get("causes") or [])


def with_remedy(ref: ObjectRef, refused: ServiceError, asked: bool, remedy: str = "") -> ServiceError:
    """The refusal with the way out; `asked` says that recreation was asked for and is not done for this kind."""
    if remedy:
        hint = remedy
    elif asked:
        hint = (
            f"A {ref.kind} is not recreated, because its contents would be lost: set it back to the current "
            "value, migrate to an object of another name, or delete it yourself."
        )
    else:
        hint = (
            "Set it back to the current value, or let k8s_objects delete and recreate it with recreate: on_immutable "
            "(for one object in object_options)."
        )
    return _with(refused, refused.reason, hint)


# the API server's own words for a webhook with side effects, and those of webhooks that look at dryRun themselves
_REFUSES = re.compile(
    r'admission webhook "(?P<name>[^"]+)" (?:does not support dry run|denied the request.*dry[- ]?run)',
    re.IGNORECASE | re.DOTALL,
)


def refusing_webhook(refused: ServiceError) -> str | None:
    """The name of the webhook that this dry run failed at, or None when it failed for another reason."""
    match = _REFUSES.search(refused.reason)
    return match["name"] if match else None


# `updates to statefulset spec for fields other than 'replicas', ... and 'minReadySeconds' are forbidden`, and of pods
_ALL_BUT = re.compile(r"updates? (?:to \S+ spec for fields|may not change fields) other than (.*)", re.DOTALL)
_MOST = 5


def explain_refusal(
    refused: ServiceError,
    changes: Callable[[], Iterable[Change]],
    foreign: Callable[[], Iterable[tuple[str, str]]],
) -> ServiceError:
    """The same refusal, with the fields that it is about or the managers that brought them, where they can be known.

    `changes` are those that the declaration makes, `foreign` the paths of others in the live object with their owners.
    """
    for cause in _causes(refused):
        message = str(cause.get("message"))
        if _ALL_BUT.search(message):
            paths = _changed(changes(), message)
            reason = f"{listed(paths, _MOST)} would change: {refused.reason}" if paths else refused.reason
            return _with(refused, reason, refused.hint)
        if cause.get("reason") == "FieldValueDuplicate":
            return _blaming(refused, str(cause.get("field")), foreign())
    return refused


def _changed(changes: Iterable[Change], message: str) -> list[str]:
    found = _ALL_BUT.search(message)
    allowed = re.findall(r"['`]([^'`]+)['`]", found[1]) if found else []
    free = tuple(f"spec.{name.removeprefix('spec.')}" for name in allowed)
    paths = [change.path for change in changes]
    return [path for path in paths if path.startswith("spec") and not _below(path, free)]


def _below(path: str, roots: Iterable[str]) -> bool:
    """Whether a path is one of these or below it; `[*]` is any item of a list."""
    patterns = [re.escape(root).replace(r"\[\*\]", r"\[[^\]]*\]") for root in roots]
    return any(re.fullmatch(rf"{pattern}(?:[.\[].*)?", path) for pattern in patterns)


def _blaming(refused: ServiceError, field: str, foreign: Iterable[tuple[str, str]]) -> ServiceError:
    """Who put the other items into the list in which something stands twice."""
    place = re.sub(r"\[[^\]]*\](\.[^.]+)?$", "", field)
    owners = sorted({owner for path, owner in foreign if _below(path, (place,))})
    if not owners:
        return refused
    hint = (
        f"The live object has items in {place} that {', '.join(owners)} added: remove them there, declare them, or set "
        "exclusive: true, which removes what others added."
    )
    return _with(refused, f"{refused.reason}; {place} of the live object also has items of {', '.join(owners)}", hint)


def _with(refused: ServiceError, reason: str, hint: str, action: str = "") -> ServiceError:
    code, status, body, values = refused.code, refused.status, refused.body, refused.values
    return ServiceError(action or refused.action, reason, code=code, status=status, hint=hint, body=body, values=values)
