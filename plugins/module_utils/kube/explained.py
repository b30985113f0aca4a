# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refusals of the API server: what they are about, completed from the live object, with a way out. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change
from ansible_collections.mcpops.platform.plugins.module_utils.text import listed

INVALID = 422
TRIAL = "mcpops-trial-"
"""What the names of objects begin with that are made in dry runs only."""

HOLDS_OTHERS = frozenset(
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
    told = [str(cause.get("message")) for cause in _causes(refused)] or [refused.reason]
    return all(IMMUTABLE.search(one) for one in told)


def is_inexpressible(refused: ServiceError) -> bool:
    """Whether server-side apply cannot say what the API server takes: two items of one key."""
    return "duplicate entries for key" in refused.reason


def headless(declared: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
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


def headless_refusal(who: Identity) -> ServiceError:
    told = "spec.clusterIP: field is immutable: the Service is headless (None) and is declared with an address"
    causes = [{"field": "spec.clusterIP", "message": "field is immutable"}]
    return ServiceError(f"apply {who}", told, code="Invalid", status=INVALID, body={"details": {"causes": causes}})


def stands_in_the_way(refused: ServiceError) -> bool:
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


def not_deleted(who: Identity, refused: ServiceError) -> ServiceError:
    """The refusal of a trial under another name, as one of the object itself."""
    reason = re.sub(rf"{TRIAL}\w+", who.name, refused.reason)
    told = f"it was not deleted, because it could not be recreated: {reason}"
    return _with(refused, told, refused.hint, f"apply {who}")


def holds_others(who: Identity) -> bool:
    return (who.group, who.kind) in HOLDS_OTHERS


def _causes(refused: ServiceError) -> list[Mapping[str, Any]]:
    details = refused.body.get("details") if isinstance(refused.body, Mapping) else None
    return list((details or {}).get("causes") or [])


def with_remedy(who: Identity, refused: ServiceError, asked: bool, remedy: str = "") -> ServiceError:
    """The refusal with the way out; `asked` says that recreation was asked for and is not done for this kind."""
    if remedy:
        hint = remedy
    elif asked:
        hint = (
            f"A {who.kind} is not recreated, because its contents would be lost: set it back to the current "
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


def explained(
    refused: ServiceError,
    changes: Callable[[], Iterable[Change]],
    foreign: Callable[[], Iterable[tuple[str, str]]],
) -> ServiceError:
    """The same refusal, with the fields that it is about or the managers that brought them, where they can be known.

    `changes` are those that the declaration makes, `foreign` the paths of others in the live object with their owners.
    """
    causes = (refused.body.get("details") or {}).get("causes") if isinstance(refused.body, Mapping) else None
    for cause in causes or ():
        message = str(cause.get("message"))
        if _ALL_BUT.search(message):
            return _naming(refused, _changed(changes(), message))
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


def _naming(refused: ServiceError, paths: list[str]) -> ServiceError:
    if not paths:
        return refused
    return _with(refused, f"{listed(paths, _MOST)} would change: {refused.reason}", refused.hint)


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
