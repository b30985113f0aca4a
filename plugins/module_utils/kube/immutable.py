# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes that the API accepts only at creation: recognised, and turned into a refusal that says what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity

INVALID = 422

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

    It tells all causes at once: with another one among them, the declaration could not be created anew either.
    """
    if refused.status != INVALID:
        return False
    told = [str(cause.get("message")) for cause in _causes(refused)] or [refused.reason]
    return all(IMMUTABLE.search(one) for one in told)


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


def not_deleted(who: Identity, refused: ServiceError, trial: str) -> ServiceError:
    """The refusal of a trial under the name `trial`, as one of the object itself."""
    return ServiceError(
        f"apply {who}",
        f"it was not deleted, because it could not be recreated: {refused.reason.replace(trial, who.name)}",
        code=refused.code,
        status=refused.status,
        hint=refused.hint,
        body=refused.body,
    )


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
    return ServiceError(
        refused.action, refused.reason, code=refused.code, status=refused.status, hint=hint, body=refused.body
    )
