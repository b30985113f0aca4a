# SPDX-License-Identifier: GPL-3.0-or-later
"""Rounds of foreign edits, one an object: shown, repaired, and then nothing more to do.

Many objects at once, because a run of a module costs more than a request; one edit an object, so that every line of a
diff belongs to one edit.
"""

from __future__ import annotations

import copy
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.foreign_edits import more_mutations, write
from support.kube_http import Api
from support.mutations import Mutation, Place, belongs, changed_places, mutations, shown_places

Converge = Callable[..., dict[str, Any]]
"""`converge(check=)` -> the module's result."""
Write = Callable[[Api, str, Mapping[str, Any], Mutation, random.Random], tuple[str, int]]
"""Makes an edit; what it says is how, and the status of the answer."""

TRIES = 8
SETTLING_SECONDS = 3.0

# what can be set once, and never taken back
ONE_WAY = {("spec", "volumeName")}

# what the server and controllers write by themselves, or hand out once more to an object that was made again
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")
_CONTROLLERS = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
MADE_AGAIN = (
    ("spec", "clusterIP"),
    ("spec", "clusterIPs"),
    ("spec", "healthCheckNodePort"),
    ("spec", "ports", "nodePort"),
    ("spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"),
    *(
        (*above, "metadata", "labels", key)
        for above in ((), ("spec", "template"))
        for key in ("batch.kubernetes.io/controller-uid", "controller-uid", "batch.kubernetes.io/job-name", "job-name")
    ),
)


@dataclass
class Subject:
    """One declared object, and the edits that it has not had yet."""

    label: str
    declared: Mapping[str, Any]
    header: str
    path: str
    queue: list[Mutation]
    chance: random.Random


@dataclass(frozen=True)
class Disturbed:
    """An object that somebody else has just edited."""

    subject: Subject
    mutation: Mutation
    how: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def changed(self) -> set[Place]:
        return changed_places(substance(self.before), substance(self.after))

    @property
    def differs(self) -> bool:
        return not _only_made_again(self.before, self.after)

    @property
    def made_another_item(self) -> bool:
        return "list item" in self.mutation.what or self.mutation.steps[-1] in ("port", "protocol")

    def __str__(self) -> str:
        value = self.mutation.patch[0].get("value")
        return f"{self.subject.header}: {self.mutation} ({self.how}, {value!r:.120})"


@dataclass
class Findings:
    """What became of all edits."""

    made: Counter[str] = field(default_factory=Counter)
    """Accepted edits by what was edited."""
    kinds: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.made.total()} edits of {len(self.kinds)} kinds, {self.refused.total()} refused by the API; "
            f"{dict(self.made)}; {dict(self.kinds)}"
        )


def substance(live: Mapping[str, Any]) -> dict[str, Any]:
    """The object without what nobody declares."""
    kept = {key: value for key, value in copy.deepcopy(dict(live)).items() if key != "status"}
    if kept.get("aggregationRule"):
        # the aggregation controller writes them whenever a role that it gathers changes, in its own time
        kept.pop("rules", None)
    kept["metadata"] = {key: value for key, value in kept["metadata"].items() if key not in _BOOKKEEPING}
    annotations = kept["metadata"].pop("annotations", None) or {}
    annotations = {key: value for key, value in annotations.items() if key not in _CONTROLLERS}
    return {**kept, "metadata": {**kept["metadata"], **({"annotations": annotations} if annotations else {})}}


def subjects(
    api: Api, declared: Iterable[tuple[str, Mapping[str, Any]]], namespace: str, seed: str, *, structures: bool = True
) -> deque[Subject]:
    """`declared`: (label, object) of what stands already; `structures`: with edits that add whole structures."""
    found: deque[Subject] = deque()
    for label, item in declared:
        path, namespaced = api.path_of(item, namespace)
        where = f"{item['metadata'].get('namespace') or namespace}/" if namespaced else ""
        chance = random.Random(f"{seed} {label}")
        live, schema = api.read(path), api.schema(item["apiVersion"], item["kind"])
        more = more_mutations(item, live, schema) if structures else []
        chance.shuffle(more)
        queue = mutations(item, live, schema, chance)
        # every third one from the other pile, as long as there are any
        for place, extra in enumerate(more):
            queue.insert(min(3 * place + 1, len(queue)), extra)
        queue = [edit for edit in queue if edit.place not in ONE_WAY]
        found.append(Subject(label, item, f"{item['kind']} {where}{item['metadata']['name']}", path, queue, chance))
    return found


def run_rounds(
    converge: Converge,
    api: Api,
    waiting: deque[Subject],
    rounds: int,
    findings: Findings,
    *,
    at_once: int | None = None,
    how: Write = write,
) -> bool:
    """Whether there were edits left for every round; with `at_once`, of so many objects, which take turns."""
    for _number in range(rounds):
        disturbed: list[Disturbed] = []
        for _turn in range(len(waiting)):
            if len(disturbed) == at_once:
                break
            waiting.rotate(-1)
            edited = _edit(waiting[-1], api, findings, how)
            if edited is not None:
                disturbed.append(edited)
        if not disturbed:
            return False
        one_round(converge, api, disturbed, findings)
    return True


def _edit(subject: Subject, api: Api, findings: Findings, make: Write) -> Disturbed | None:
    """The next edit of the object that the API server takes."""
    for _ in range(TRIES):
        if not subject.queue:
            return None
        mutation = subject.queue.pop(0)
        before = api.read(subject.path)
        try:
            how, status = make(api, subject.path, before, mutation, subject.chance)
        except (LookupError, TypeError):
            # made for an earlier state of the object
            continue
        after = api.read(subject.path)
        if status >= 400:
            findings.refused[subject.label] += 1
        elif substance(after) != substance(before) and not _only_made_again(before, after):
            findings.made[mutation.what] += 1
            findings.kinds[subject.label] += 1
            return Disturbed(subject, mutation, how, before, after)
        elif before["metadata"]["uid"] != after["metadata"]["uid"]:
            # as it was, but another's
            return Disturbed(subject, mutation, how, before, after)
    return None


def _only_made_again(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return differing(before, after) == set()


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[Place]:
    """Where two states differ in substance; an object that was made again has other addresses."""
    found = changed_places(substance(before), substance(after))
    if before["metadata"]["uid"] != after["metadata"]["uid"]:
        found -= set(MADE_AGAIN)
    return found


def one_round(converge: Converge, api: Api, disturbed: list[Disturbed], findings: Findings) -> None:
    shown = converge(check=True)
    for item in disturbed:
        if substance(api.read(item.subject.path)) != substance(item.after):
            findings.faults.append(f"{item}: check mode wrote")
    findings.faults += faults_of_check(shown, disturbed)
    repaired = converge()
    if repaired.get("failed"):
        findings.faults.append(f"the repair failed: {repaired['msg']}")
    elif not repaired["changed"] and any(item.differs for item in disturbed):
        findings.faults.append(f"nothing was repaired after {', '.join(map(str, disturbed))}")
    for item in disturbed:
        left, after = _left(item, api)
        if left:
            findings.faults.append(f"{item}: not repaired at {_readable(left)}")
            _put_back(item, after, api)
    again = converge()
    if again.get("failed") or again["changed"]:
        reported = again.get("msg") or ""
        findings.faults.append(f"after the repair there is more to do: {reported} {readable_diff(again)}")


def _left(item: Disturbed, api: Api) -> tuple[set[Place], Mapping[str, Any]]:
    """Where the object is still not what it was; a controller, such as that of aggregated roles, takes a moment."""
    deadline = time.monotonic() + SETTLING_SECONDS
    while True:
        after = api.read(item.subject.path)
        left = differing(item.before, after)
        if item.made_another_item:
            # the port of a Service that was missing for a while is given another one of the nodes
            left -= {("spec", "ports", "nodePort")}
        if not left or time.monotonic() > deadline:
            return left, after
        time.sleep(0.2)


def faults_of_check(result: Mapping[str, Any], disturbed: list[Disturbed]) -> list[str]:
    if result.get("failed"):
        return [f"the comparison failed: {result['msg']}"]
    faults = []
    shown: dict[str, set[Place]] = {}
    for part in result.get("diff") or []:
        places = shown_places(part["before"]) | shown_places(part["after"])
        shown.setdefault(part["before_header"], set()).update(places)
    for item in disturbed:
        places = shown.pop(item.subject.header, set())
        if not places and item.differs:
            faults.append(f"{item}: not shown")
        if item.how.startswith("made again"):
            # it has to become ours once more
            places -= {("metadata", "managedFields")}
        wrong = {place for place in places if not belongs(place, item.mutation, item.changed)}
        if wrong:
            faults.append(f"{item}: shown at {_readable(wrong)}, which it did not touch")
    for header, places in shown.items():
        faults.append(f"{header} is shown at {_readable(places)}, and nobody touched it")
    return faults


def _put_back(item: Disturbed, now: Mapping[str, Any], api: Api) -> None:
    """As it was, for the rounds to come."""
    body = copy.deepcopy(dict(item.before))
    del body["metadata"]["managedFields"]
    body["metadata"] |= {key: now["metadata"][key] for key in ("resourceVersion", "uid")}
    api.request("PUT", item.subject.path, body, fieldManager="helm")


def _readable(places: set[Place]) -> str:
    return ", ".join(".".join(place) for place in sorted(places)[:5])


def readable_diff(result: Mapping[str, Any]) -> str:
    return " | ".join(
        f"{part['before_header']}: {(part['before'] + '=>' + part['after']).strip()[:400]}"
        for part in result.get("diff") or []
    )
