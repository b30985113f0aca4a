# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refusals that the API server words without the field or its owner, completed from the live object. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change
from ansible_collections.mcpops.platform.plugins.module_utils.text import listed

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


def _with(refused: ServiceError, reason: str, hint: str) -> ServiceError:
    values: dict[str, Any] = refused.values
    return ServiceError(
        refused.action, reason, code=refused.code, status=refused.status, hint=hint, body=refused.body, values=values
    )
