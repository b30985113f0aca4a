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

from ...errors import Problem, Reason, refuse
from ...plan import ABSENT
from ..manifests import ObjectSelector, holds_secrets, object_ref
from . import cluster, containers, workloads
from .reasons import Object, condition_of, condition_text, group_of, is_status_outdated, reason_about

Step = Callable[[Any], Sequence[Any]]
"""One step of a path: the values that it leads to from one."""
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
        found = [below for one in found for below in step(one)]
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
            steps.append(_every if name == "*" else _key(re.sub(r"\\(.)", r"\1", name)))
        else:
            raise BadPath(f"it cannot be read from {text[place:]!r} on")
        place = (bracket or field).end()  # type: ignore[union-attr]
    return tuple(steps)


def _bracket(match: re.Match[str]) -> Step:
    if match["index"] is not None:
        return _index(int(match["index"]))
    if match["every"] is not None:
        return _every
    if match["filter"] is not None:
        return _filter(match["filter"].strip())
    return _key(match["single"] if match["single"] is not None else match["double"])


def _key(name: str) -> Step:
    """A field of a mapping."""
    return lambda value: [value[name]] if isinstance(value, Mapping) and name in value else []


def _index(place: int) -> Step:
    """An item of a list, from its end when negative."""
    return lambda value: [value[place]] if isinstance(value, list) and -len(value) <= place < len(value) else []


def _every(value: Any) -> Sequence[Any]:
    """All items of a list, or all values of a mapping."""
    return list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []


def _filter(text: str) -> Step:
    """Those items of a list at whose path the first value compares so; without an operator: that have one."""
    match = _COMPARISON.fullmatch(text)
    if match is None:
        raise BadPath(f"the filter {text!r} is not of the form @.field, @.field==value or @.field!=value")
    path, operator = _steps(match["path"].strip()), match["operator"]
    wanted = _literal(match["value"].strip()) if operator else ABSENT

    def fits(item: Any) -> bool:
        first = next(iter(find_values(path, item)), ABSENT)
        return bool(first != wanted if operator != "==" else first == wanted)

    return lambda value: list(filter(fits, value)) if isinstance(value, list) else []


def _literal(text: str) -> Any:
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        raise BadPath(f"{text} in a filter is neither a quoted text nor a number, true or false") from None


Judge = Callable[[Object], list[Reason]]
"""What keeps an object of a kind from being ready, as far as it tells itself."""

Judges = Mapping[tuple[str, str], Judge]
"""By API group and kind."""

JUDGES: Judges = {
    ("apps", "Deployment"): workloads.judge_deployment,
    ("apps", "StatefulSet"): workloads.judge_stateful_set,
    ("apps", "DaemonSet"): workloads.judge_daemon_set,
    ("apps", "ReplicaSet"): workloads.judge_replica_set,
    ("batch", "Job"): workloads.judge_job,
    ("", "Pod"): containers.judge_pod,
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


def readiness_reasons(item: Object, judges: Judges | None = None) -> list[Reason]:
    """What keeps this object from being ready, as far as it tells itself; most kinds are ready by existing."""
    if (item.get("metadata") or {}).get("deletionTimestamp"):
        return cluster.judge_deleting(item)
    judge = (JUDGES if judges is None else judges).get((group_of(item), str(item.get("kind"))))
    return judge(item) if judge else []


def has_verdict(item: Object, judges: Judges | None = None) -> bool:
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
class Condition(ObjectSelector):
    """One thing that must hold before the wait ends.

    Either `type` and `status` (an entry of status.conditions), or `path` with a `value` all its results must equal, a
    `regex` that must be found in all of them, or neither: then there must be a result that is not empty. `kind`, `name`
    and `namespace` choose the objects; a condition that chooses none is about kinds without a readiness of their own.
    """

    type: str | None = None
    status: str = "True"
    path_text: str = ""
    path: JsonPath = ()
    value: str | None = None
    regex: str | None = None

    def chooses(self, live: Mapping[str, Any], judges: Judges | None = None) -> bool:
        """Whether this object has to meet the condition."""
        return self.fits(object_ref(live)) if self.chosen else not has_verdict(live, judges)

    def reasons(self, live: Mapping[str, Any]) -> list[Reason]:
        """What is missing from this object; nothing when the condition holds."""
        if self.type is not None:
            return condition_reasons(live, self.type, self.status)
        ref = str(object_ref(live))
        if is_status_outdated(live):
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
    refuse("k8s_objects", wrong)
    return conditions


def unmet_conditions(
    conditions: Sequence[Condition], live: Mapping[str, Any], judges: Judges | None = None
) -> list[Reason]:
    """What is missing from one object of all the conditions that choose it."""
    chosen = [condition for condition in conditions if condition.chooses(live, judges)]
    return [reason for condition in chosen for reason in condition.reasons(live)]


def _problems(given: Mapping[str, Any], place: str) -> list[Problem]:
    kind, path, status, value, regex = (
        given.get(name) is not None for name in ("type", "path", "status", "value", "regex")
    )
    rules = (
        (kind == path, "needs either type, a condition of the object's status, or path, a JSONPath"),
        (not path and (value or regex), "value and regex compare what path leads to: set path"),
        (not kind and status, "status belongs to type: set type, or value for a path"),
        (value and regex, "takes value or regex, not both"),
    )
    found = [Problem(place, message) for is_broken, message in rules if is_broken]
    if regex:
        try:
            re.compile(given["regex"])
        except re.error as exc:
            found.append(Problem(f"{place}.regex", f"{given['regex']!r} is not a valid regular expression: {exc}"))
    return found


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
