# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user waits for beyond the built-in verdicts: conditions by type, or the values at a JSONPath. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem, Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube import jsonpath
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, holds_secrets, identity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import condition_reasons, has_verdict

OPTION = "wait_conditions"


@dataclass(frozen=True)
class Condition:
    """One thing that must hold before the wait ends.

    Either `type` and `status` (an entry of status.conditions), or `path` with a `value` all its results must equal, a
    `regex` that must be found in all of them, or neither: then there must be a result that is not empty. `kind`, `name`
    and `namespace` choose the objects; a condition that chooses none is about kinds without a readiness of their own.
    """

    kind: str | None = None
    name: str | None = None
    namespace: str | None = None
    type: str | None = None
    status: str = "True"
    path_text: str = ""
    path: jsonpath.Path = ()
    value: str | None = None
    regex: str | None = None

    def chooses(self, live: Mapping[str, Any]) -> bool:
        """Whether this object has to meet the condition."""
        who = identity(live)
        if self.kind is None and self.name is None and self.namespace is None:
            return not has_verdict(live)
        return self.names(who)

    def names(self, who: Identity) -> bool:
        """Whether kind, name and namespace, as far as given, are this object's."""
        return (
            self.kind in (None, who.kind) and self.name in (None, who.name) and self.namespace in (None, who.namespace)
        )

    def selectors(self) -> tuple[tuple[str, str | None], ...]:
        return ("kind", self.kind), ("name", self.name), ("namespace", self.namespace)

    def unmet(self, live: Mapping[str, Any]) -> str | None:
        """What is missing from this object, in words; None when the condition holds."""
        found = self.reasons(live)
        return found[0].message if found else None

    def reasons(self, live: Mapping[str, Any]) -> list[Reason]:
        """The same as a reason with its code."""
        if self.type is not None:
            return condition_reasons(live, self.type, self.status)
        who = str(identity(live))
        if _status_is_old(live):
            return [Reason(who, "NotObserved", "its controller has not seen the latest change yet")]
        found = [_text(one) for one in jsonpath.find(self.path, live)]
        shown = "nothing" if not found else "a secret value" if holds_secrets(live) else ", ".join(map(repr, found[:5]))
        if self.value is not None:
            wanted, met = repr(self.value), bool(found) and all(one == self.value for one in found)
        elif self.regex is not None:
            wanted = f"text matching {self.regex!r}"
            met = bool(found) and all(re.search(self.regex, one) for one in found)
        else:
            wanted, met = "a value", any(one not in ("", "null", "[]", "{}") for one in found)
        if met:
            return []
        return [Reason(who, "ConditionNotMet", f"{self.path_text} is {shown}; waiting for {wanted}")]


def parse(options: Sequence[Mapping[str, Any]] | None) -> list[Condition]:
    """The conditions of the option `wait_conditions`; everything wrong with them in one InvalidInput."""
    conditions: list[Condition] = []
    wrong: list[Problem] = []
    for number, given in enumerate(options or []):
        place = f"{OPTION}[{number}]"
        problems = list(_problems(given, place))
        path: jsonpath.Path = ()
        if given.get("path") is not None:
            try:
                path = jsonpath.parse(str(given["path"]))
            except jsonpath.BadPath as exc:
                problems.append(Problem(f"{place}.path", f"{given['path']!r} is not a valid path: {exc}"))
        wrong += problems
        if not problems:
            conditions.append(
                Condition(
                    **{key: given.get(key) for key in ("kind", "name", "namespace", "type", "value", "regex")},
                    status=given.get("status") or "True",
                    path_text=str(given.get("path") or ""),
                    path=path,
                )
            )
    if wrong:
        raise InvalidInput("k8s_objects", wrong)
    return conditions


def unmet(conditions: Sequence[Condition], live: Mapping[str, Any]) -> list[Reason]:
    """What is missing from one object of all the conditions that choose it."""
    return [reason for condition in conditions if condition.chooses(live) for reason in condition.reasons(live)]


def problems(rows: Sequence[Condition], declared: Sequence[Identity]) -> list[Problem]:
    """Rows that name objects and fit none: nobody would wait for them."""
    return [
        Problem(f"{OPTION}[{number}]", f"no declared object has {', '.join(named)}")
        for number, row in enumerate(rows)
        if (named := [f"{key} {value}" for key, value in row.selectors() if value is not None])
        and not any(row.names(who) for who in declared)
    ]


def _problems(given: Mapping[str, Any], place: str) -> list[Problem]:
    found = []
    if (given.get("type") is None) == (given.get("path") is None):
        found.append(Problem(place, "needs either type, a condition of the object's status, or path, a JSONPath"))
    if given.get("path") is None and (given.get("value") is not None or given.get("regex") is not None):
        found.append(Problem(place, "value and regex compare what path leads to: set path"))
    if given.get("type") is None and given.get("status") is not None:
        found.append(Problem(place, "status belongs to type: set type, or value for a path"))
    if given.get("value") is not None and given.get("regex") is not None:
        found.append(Problem(place, "takes value or regex, not both"))
    if given.get("regex") is not None:
        try:
            re.compile(given["regex"])
        except re.error as exc:
            found.append(Problem(f"{place}.regex", f"{given['regex']!r} is not a valid regular expression: {exc}"))
    return found


def _status_is_old(live: Mapping[str, Any]) -> bool:
    generation = (live.get("metadata") or {}).get("generation")
    observed = (live.get("status") or {}).get("observedGeneration")
    return generation is not None and observed is not None and int(observed) < int(generation)


def _text(value: Any) -> str:
    """A value as JSON writes it, text without its quotes: what a user can write as `value`."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list)):
        return json.dumps(value)
    return str(value)
