# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declaration drops is gone, or back at the server's default, or the result says why not."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest
from support.dropped_leaves import drops, made_from, reduced, unlike
from support.kube_http import Api
from support.mutations import names
from support.random_custom_resources import GROUP
from support.random_objects import Object

# others than the usual ones for whoever looks for more: MCPOPS_DRIFT_SEEDS="7 8 9"
OTHER_SEEDS = tuple(map(int, os.environ.get("MCPOPS_DRIFT_SEEDS", "").split()))
ROUNDS = 5
TRIES = 6
GATE_KINDS = {"ConfigMap", "Secret", "PodDisruptionBudget", "StatefulSet", "Ingress", "Gadget", "Widget"}


def test_some_drops(made_up: Any, as_objects: Any, api: Api, namespace: str) -> None:
    few = [(label, item) for label, item in made_up(1) if label in GATE_KINDS]
    assert _rounds(few, as_objects, api, namespace, 1, 2) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", OTHER_SEEDS or (2, 3, 5))
def test_drops_of_every_kind(made_up: Any, as_objects: Any, api: Api, namespace: str, seed: int) -> None:
    assert _rounds(made_up(seed), as_objects, api, namespace, seed, ROUNDS) >= 20 * ROUNDS


EMPTY: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Gadget", {"rooms": [{"name": "b", "chairs": [{"id": 1}]}]}, {"rooms": [{"name": "b", "chairs": []}]}),
    ("Gadget", {"rooms": [{"name": "b"}]}, {"rooms": []}),
    ("Gizmo", {"hall": {"lamps": {"one": 1}}}, {"hall": {"lamps": {}}}),
    ("Gizmo", {"hall": {"lamps": {"one": {"watts": 5}}}}, {"hall": {}}),
    ("Widget", {"free": {"rows": [1], "map": {"x": {"y": "z"}}}}, {"free": {"rows": [], "map": {"x": {}}}}),
]


def texts(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What goes and what comes, leaf by leaf; as data, a structure may go as a whole."""
    return [(diff["before"], diff["after"]) for diff in result["diff"]]


@pytest.mark.parametrize(("kind", "full", "empty"), EMPTY)
@pytest.mark.parametrize("exclusive", [False, True])
def test_what_is_declared_empty_is_empty_and_not_null(
    custom_kinds: None,
    as_objects: Any,
    api: Api,
    namespace: str,
    kind: str,
    full: dict[str, Any],
    empty: dict[str, Any],
    exclusive: bool,
) -> None:
    """Where no schema knows the fields: server-side apply leaves null in the place of what became empty."""
    item = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": f"empty-{namespace}"}}
    path, namespaced = api.path_of(item, namespace)
    try:
        as_objects([(kind, {**item, "spec": full})], exclusive=exclusive)()
        keep = as_objects([(kind, {**item, "spec": empty})], exclusive=exclusive, force_conflicts=True)
        planned, done = keep(check=True), keep()
        assert texts(planned) == texts(done) and done["changed"]
        assert api.read(path)["spec"] == {**api.read(path)["spec"], **empty}
        assert not keep()["changed"]
        # and null that somebody else has set is a difference
        field = next(iter(empty))
        api.patch(path, [{"op": "replace", "path": f"/spec/{field}", "value": None}], "somebody")
        assert keep(check=True)["changed"] and keep()["changed"]
        assert api.read(path)["spec"][field] == empty[field]
        assert not keep()["changed"]
    finally:
        if not namespaced:
            api.delete([path])


def _rounds(
    declared: list[tuple[str, Object]], as_objects: Any, api: Api, namespace: str, seed: int, rounds: int
) -> int:
    whole = as_objects(declared, exclusive=False)
    assert not whole().get("failed")
    faults: list[str] = []
    dropped = 0
    chance = random.Random(seed)
    queues = {label: drops(item, chance) for label, item in declared}
    for _round in range(rounds):
        less, expected = [], {}
        for label, item in declared:
            smaller, what, made = _next(api, item, queues[label], namespace)
            less.append((label, smaller))
            if made is not None:
                expected[label] = (what, made)
        dropped += len(expected)
        keep = as_objects(less, exclusive=False)
        shown = keep(check=True)
        done = keep()
        reported = json.dumps([done.get("msg"), done.get("notes")])
        refused = _refused(done)
        for label, item in less:
            if label not in expected:
                continue
            path, _ = api.path_of(item, namespace)
            what, made = expected[label]
            left = unlike(made, api.read(path))
            name = item["metadata"]["name"]
            if left and name not in refused and name not in reported:
                faults.append(f"{label} without {what}: {left} is left; {reported}")
        if shown.get("failed") != done.get("failed"):
            faults.append(f"check mode says {shown.get('msg')}, the run {done.get('msg')}")
        again = keep()
        if not done.get("failed") and (again.get("failed") or again["changed"]):
            faults.append(f"the second run: {again.get('msg')} {again.get('diff')}")
        back = whole()
        if back.get("failed"):
            faults.append(f"what was dropped cannot be declared once more: {back['msg']}")
        elif whole()["changed"]:
            faults.append(f"what was dropped does not stand once more: {whole()}")
    assert faults == [], "\n".join(faults)
    return dropped


def _refused(result: dict[str, Any]) -> set[str]:
    return {row["name"] for row in result.get("objects") or [] if row.get("error")}


def _next(api: Api, item: dict[str, Any], queue: list[Any], namespace: str) -> tuple[dict[str, Any], str, Any]:
    for _ in range(TRIES):
        if not queue:
            break
        steps = queue.pop(0)
        smaller = reduced(item, steps)
        made = made_from(api, smaller, namespace) if item["kind"] != "CustomResourceDefinition" else None
        if made is not None:
            return smaller, ".".join(map(str, names(steps))), made
    return item, "", None
