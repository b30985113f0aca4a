# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an object is ready, and if not, why.

The table of checks by kind, and the conditions and JSONPaths that a user waits for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import InvalidInput, Problem, Reason
from ...plan import ABSENT
from ..manifests import ObjectRef, holds_secrets, object_ref
from . import cluster, workloads
from .reasons import Object, condition_of, condition_text, group_of, is_status_outdated, reason_about


class Step:
    """One step of a path."""


@dataclass(frozen=True)
class Key(Step):
    """A field of a mapping."""

    name: str


@dataclass(frozen=True)
class Index(Step):
    """An item of a list, from its end when negative."""

    place: int


@dataclass(frozen=True)
class Every(Step):
    """All items of a list, or all values of a mapping."""


@dataclass(frozen=True)
class Filter(Step):
    """Those items of a list at whose `path` the value compares so; without an operator: that have it."""

    path: JsonPath
    operator: str = ""
    value: Any = None


JsonPath = tuple[Step, ...]

_FIELD = re.compile(r"\.?((?:[\w/-]|\\.)+|\*)")
_BRACKET = re.compile(
    r"""\[(?:
        (?P<index>-?\d+) | (?P<every>\*) | '(?P<single>[^']*)' | "(?P<double>[^"]*)"
        | \?\((?P<filter>(?:[^()'"]|'[^']*'|"[^"]*")*)\)
    )\]""",
    re.VERBOSE,
)
_COMPARISON = re.compile(r"@(?P<path>[^=!]*?)\s*(?:(?P<operator>==|!=)\s*(?P<value>.+))?")


class BadPath(ValueError):
    """The text is no JSONPath of this kind; the message says where it stops being one."""


def parse_path(text: str) -> JsonPath:
    """The steps of a path; BadPath when it has none or something else in it."""
    inner = text.strip()
    if inner.startswith("{") != inner.endswith("}"):
        raise BadPath("its braces do not match")
    inner = inner[1:-1].strip() if inner.startswith("{") else inner
    inner = inner[1:] if inner.startswith("$") else inner
    steps = _steps(inner)
    if not steps:
        raise BadPath("it names no field")
    return steps


def find_values(path: JsonPath, value: Any) -> list[Any]:
    """Every value the path leads to, in order; none where something on the way is missing."""
    found = [value]
    for step in path:
        found = [below for one in found for below in _below(step, one)]
    return found


def _steps(text: str) -> JsonPath:
    steps: list[Step] = []
    place = 0
    while place < len(text):
        bracket = _BRACKET.match(text, place)
        field = None if bracket else _FIELD.match(text, place)
        if bracket is not None:
            steps.append(_bracket(bracket))
        elif field is not None and (text[place] == "." or place == 0):
            name = field.group(1)
            steps.append(Every() if name == "*" else Key(re.sub(r"\\(.)", r"\1", name)))
        else:
            raise BadPath(f"it cannot be read from {text[place:]!r} on")
        place = (bracket or field).end()  # type: ignore[union-attr]
    return tuple(steps)


def _bracket(match: re.Match[str]) -> Step:
    if match["index"] is not None:
        return Index(int(match["index"]))
    if match["every"] is not None:
        return Every()
    if match["filter"] is not None:
        return _filter(match["filter"].strip())
    return Key(match["single"] if match["single"] is not None else match["double"])


def _filter(text: str) -> Filter:
    match = _COMPARISON.fullmatch(text)
    if match is None:
        raise BadPath(f"the filter {text!r} is not of the form @.field, @.field==value or @.field!=value")
    path = _steps(match["path"].strip())
    if match["operator"] is None:
        return Filter(path)
    return Filter(path, match["operator"], _literal(match["value"].strip()))


def _literal(text: str) -> Any:
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        raise BadPath(f"{text} in a filter is neither a quoted text nor a number, true or false") from None


def _below(step: Step, value: Any) -> Sequence[Any]:
    if isinstance(step, Key):
        return [value[step.name]] if isinstance(value, Mapping) and step.name in value else []
    if isinstance(step, Every) and isinstance(value, Mapping):
        return list(value.values())
    if not isinstance(value, list):
        return []
    if isinstance(step, Index):
        return [value[step.place]] if -len(value) <= step.place < len(value) else []
    if isinstance(step, Filter):
        return [item for item in value if _fits(step, item)]
    return value


def _fits(step: Filter, item: Any) -> bool:
    found = find_values(step.path, item)
    first = found[0] if found else ABSENT
    if step.operator == "==":
        return bool(first == step.value)
    if step.operator == "!=":
        return bool(first != step.value)
    return bool(found)


Judge = Callable[[Object], list[Reason]]
"""What keeps an object of a kind from being ready, as far as it tells itself."""

JUDGES: Mapping[tuple[str, str], Judge] = {
    ("apps", "Deployment"): workloads.judge_deployment,
    ("apps", "StatefulSet"): workloads.judge_stateful_set,
    ("apps", "DaemonSet"): workloads.judge_daemon_set,
    ("apps", "ReplicaSet"): workloads.judge_replica_set,
    ("batch", "Job"): workloads.judge_job,
    ("", "Pod"): workloads.judge_pod,
    ("", "PersistentVolumeClaim"): cluster.judge_claim,
    ("", "Service"): cluster.judge_service,
    ("discovery.k8s.io", "EndpointSlice"): cluster.judge_endpoint_slice,
    ("networking.k8s.io", "Ingress"): cluster.judge_load_balancer,
    ("autoscaling", "HorizontalPodAutoscaler"): cluster.judge_autoscaler,
    ("policy", "PodDisruptionBudget"): cluster.judge_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): cluster.judge_crd,
    ("apiregistration.k8s.io", "APIService"): cluster.judge_api_service,
    ("", "Namespace"): cluster.judge_namespace,
    ("", "Node"): cluster.judge_node,
}


def readiness_reasons(item: Object, judges: Mapping[tuple[str, str], Judge] | None = None) -> list[Reason]:
    """What keeps this object from being ready, as far as it tells itself; most kinds are ready by existing."""
    if (item.get("metadata") or {}).get("deletionTimestamp"):
        return cluster.judge_deleting(item)
    judge = (JUDGES if judges is None else judges).get((group_of(item), str(item.get("kind"))))
    return judge(item) if judge else []


def has_verdict(item: Object, judges: Mapping[tuple[str, str], Judge] | None = None) -> bool:
    """Whether waiting for this kind means anything."""
    return (group_of(item), str(item.get("kind"))) in (JUDGES if judges is None else judges)


def condition_reasons(item: Object, wanted: str, status: str = "True") -> list[Reason]:
    """A condition that the caller names: for custom resources, whose conditions mean what their authors say."""
    found = condition_of(item, wanted)
    generation = (item.get("metadata") or {}).get("generation", 0)
    of_old = found is not None and int(found.get("observedGeneration", generation)) < int(generation)
    if is_status_outdated(item) or of_old:
        return reason_about(item, "NotObserved", "its controller has not seen the latest change yet")
    if found is None:
        return reason_about(item, "NoCondition", f"has no condition {wanted} yet")
    if found.get("status") == status:
        return []
    return reason_about(item, str(found.get("reason") or wanted), f"condition {wanted}: {condition_text(found)}")


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
    path: JsonPath = ()
    value: str | None = None
    regex: str | None = None

    def chooses(self, live: Mapping[str, Any]) -> bool:
        """Whether this object has to meet the condition."""
        ref = object_ref(live)
        if self.kind is None and self.name is None and self.namespace is None:
            return not has_verdict(live)
        return self.names(ref)

    def names(self, ref: ObjectRef) -> bool:
        """Whether kind, name and namespace, as far as given, are this object's."""
        return (
            self.kind in (None, ref.kind) and self.name in (None, ref.name) and self.namespace in (None, ref.namespace)
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
        ref = str(object_ref(live))
        if _status_is_old(live):
            return [Reason(ref, "NotObserved", "its controller has not seen the latest change yet")]
        found = [_text(one) for one in find_values(self.path, live)]
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
        return [Reason(ref, "ConditionNotMet", f"{self.path_text} is {shown}; waiting for {wanted}")]


def parse_conditions(options: Sequence[Mapping[str, Any]] | None) -> list[Condition]:
    """The conditions of the option `wait_conditions`; everything wrong with them in one InvalidInput."""
    conditions: list[Condition] = []
    wrong: list[Problem] = []
    for number, given in enumerate(options or []):
        place = f"{OPTION}[{number}]"
        problems = list(_problems(given, place))
        path: JsonPath = ()
        if given.get("path") is not None:
            try:
                path = parse_path(str(given["path"]))
            except BadPath as exc:
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


def unmet_conditions(conditions: Sequence[Condition], live: Mapping[str, Any]) -> list[Reason]:
    """What is missing from one object of all the conditions that choose it."""
    return [reason for condition in conditions if condition.chooses(live) for reason in condition.reasons(live)]


def condition_problems(rows: Sequence[Condition], declared: Sequence[ObjectRef]) -> list[Problem]:
    """Rows that name objects and fit none: nobody would wait for them."""
    return [
        Problem(f"{OPTION}[{number}]", f"no declared object has {', '.join(named)}")
        for number, row in enumerate(rows)
        if (named := [f"{key} {value}" for key, value in row.selectors() if value is not None])
        and not any(row.names(ref) for ref in declared)
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
