# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign edits of a release's objects, several objects at a time: shown, repaired, and then nothing more to do.

One edit an object, so that every line of a diff belongs to one edit; several objects at once, because a run of the
module costs more than a request.
"""

from __future__ import annotations

import copy
import os
import random
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.kube_http import Api
from support.mutations import Mutation, Place, belongs, changed_places, mutations, shown_places

from .releases import Release

# As many as bring a chart to this many edits, but not fewer than the one nor more than the other.
EDITS = 30
FEWEST_ROUNDS = 2
MOST_ROUNDS = 6
AT_ONCE = 15
TRIES = 8
INTRUDER = "intruder"
SETTLING_SECONDS = 3.0
# The same edits in every run, unless somebody looks for others.
SEED = os.environ.get("MCPOPS_CHARTS_SEED", "")

# What the server and controllers write by themselves; the annotations are a Deployment's and a DaemonSet's revisions.
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")
_REVISIONS = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")


@dataclass
class Subject:
    """One object of the release, and the edits that it has not had yet."""

    header: str
    path: str
    queue: deque[Mutation]


@dataclass(frozen=True)
class Disturbed:
    """An object that somebody else has just edited."""

    subject: Subject
    mutation: Mutation
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def changed(self) -> set[Place]:
        return changed_places(substance(self.before), substance(self.after))

    def __str__(self) -> str:
        return f"{self.subject.header}: {self.mutation}"


@dataclass
class Findings:
    """What became of all edits of a chart."""

    made: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    without_effect: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{number} {what}" for what, number in sorted(self.made.items()))
        skipped = f"{self.refused} refused by the API, {self.without_effect} without effect"
        return f"{self.made.total()} edits ({skipped}): {kinds}"


def substance(live: Mapping[str, Any]) -> dict[str, Any]:
    """The object without what nobody declares."""
    kept = {key: value for key, value in copy.deepcopy(dict(live)).items() if key != "status"}
    kept["metadata"] = {key: value for key, value in kept["metadata"].items() if key not in _BOOKKEEPING}
    annotations = kept["metadata"].pop("annotations", None) or {}
    kept["metadata"]["annotations"] = {key: value for key, value in annotations.items() if key not in _REVISIONS}
    return kept


def run_rounds(release: Release, api: Api) -> Findings:
    findings = Findings()
    waiting = deque(_subjects(release, api))
    for number in range(MOST_ROUNDS):
        if number >= FEWEST_ROUNDS and findings.made.total() >= EDITS:
            break
        disturbed: list[Disturbed] = []
        for _ in range(len(waiting)):
            if len(disturbed) == AT_ONCE:
                break
            waiting.rotate(-1)
            edited = _edit(waiting[-1], api, findings)
            if edited:
                disturbed.append(edited)
        if not disturbed:
            break
        _one_round(release, api, disturbed, findings)
    return findings


def _subjects(release: Release, api: Api) -> list[Subject]:
    """The objects in an order in which each kind has its turn."""
    by_kind: dict[str, list[Subject]] = {}
    for item in release.objects():
        path, namespaced = api.path_of(item, release.namespace)
        where = f"{item['metadata'].get('namespace') or release.namespace}/" if namespaced else ""
        header = f"{item['kind']} {where}{item['metadata']['name']}"
        chance = random.Random(f"{SEED}{release.chart.name}: {header}")
        schema = api.schema(item["apiVersion"], item["kind"])
        edits = mutations(item, api.read(path), schema, chance)
        by_kind.setdefault(item["kind"], []).append(Subject(header, path, deque(edits)))
    rows = list(by_kind.values())
    return [row[at] for at in range(max(map(len, rows))) for row in rows if at < len(row)]


def _edit(subject: Subject, api: Api, findings: Findings) -> Disturbed | None:
    """The next edit of the object that the API server takes."""
    for _ in range(TRIES):
        if not subject.queue:
            return None
        mutation = subject.queue.popleft()
        before = api.read(subject.path)
        status, after = api.patch(subject.path, mutation.patch, INTRUDER)
        if status >= 400:
            findings.refused += 1
        elif substance(after) == substance(before):
            findings.without_effect += 1
        else:
            findings.made[mutation.what] += 1
            return Disturbed(subject, mutation, before, after)
    return None


def _one_round(release: Release, api: Api, disturbed: list[Disturbed], findings: Findings) -> None:
    shown, asked = release.converge(check=True)
    if asked.writes:
        findings.faults.append(f"check mode wrote: {', '.join(asked.writes)}")
    findings.faults += _faults_of_check(shown, disturbed)
    repaired, _asked = release.converge()
    if repaired.get("failed"):
        findings.faults.append(f"the repair failed: {repaired['msg']}")
    for item in disturbed:
        left = _left(item, api)
        if left:
            findings.faults.append(f"{item}: not repaired at {_readable(left)}")
            _put_back(item, api)
    again, _asked = release.converge()
    if again.get("failed") or again["changed"]:
        said = again.get("msg") or _readable_diff(again)
        findings.faults.append(f"after the repair of {', '.join(map(str, disturbed))} there is more to do: {said}")


def _left(item: Disturbed, api: Api) -> set[Place]:
    """Where the object is still not what it was; a controller, such as that of aggregated roles, takes a moment."""
    deadline = time.monotonic() + SETTLING_SECONDS
    while True:
        left = changed_places(substance(item.before), substance(api.read(item.subject.path)))
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def _faults_of_check(result: Mapping[str, Any], disturbed: list[Disturbed]) -> Iterator[str]:
    if result.get("failed"):
        yield f"the comparison failed after {', '.join(map(str, disturbed))}: {result['msg']}"
        return
    shown: dict[str, set[Place]] = {}
    for part in result.get("diff") or []:
        places = shown_places(part["before"]) | shown_places(part["after"])
        shown.setdefault(part["before_header"], set()).update(places)
    for item in disturbed:
        places = shown.pop(item.subject.header, set())
        if not places:
            yield f"{item}: not shown"
        wrong = {place for place in places if not belongs(place, item.mutation, item.changed)}
        if wrong:
            yield f"{item}: shown at {_readable(wrong)}, which it did not touch"
    for header, places in shown.items():
        yield f"{header} is shown at {_readable(places)}, and nobody touched it"


def _put_back(item: Disturbed, api: Api) -> None:
    """As it was, for the rounds to come."""
    body = copy.deepcopy(dict(item.before))
    del body["metadata"]["managedFields"]
    body["metadata"]["resourceVersion"] = api.read(item.subject.path)["metadata"]["resourceVersion"]
    status, answer = api.request("PUT", item.subject.path, body, fieldManager="helm")
    assert status == 200, answer


def _readable(places: set[Place]) -> str:
    return ", ".join(".".join(place) for place in sorted(places)[:5])


def _readable_diff(result: Mapping[str, Any]) -> str:
    return " | ".join(
        f"{part['before_header']}: {(part['before'] + part['after']).strip()[:400]}"
        for part in result.get("diff") or []
    )
