# SPDX-License-Identifier: GPL-3.0-or-later
"""Declarations that have lost a part, and what the object ought to be then: as if it had been made from them."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from typing import Any

from support.drift_rounds import MADE_AGAIN, substance
from support.kube_http import Api
from support.mutations import ROOTS, Place, Step, changed_places

Steps = tuple[Step, ...]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def drops(declared: Mapping[str, Any], chance: random.Random) -> list[Steps]:
    """Every field and list item below spec and the like, and each declared label and annotation, in some order."""
    found = [steps for root in (*ROOTS, "stringData") for steps in _below(declared.get(root), (root,))]
    found += [
        ("metadata", root, key) for root in ("labels", "annotations") for key in (declared["metadata"].get(root) or {})
    ]
    return chance.sample(found, len(found))


def _below(value: Any, steps: Steps) -> Iterator[Steps]:
    places = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for step, below in places:
        yield (*steps, step)
        yield from _below(below, (*steps, step))


def reduced(declared: Mapping[str, Any], steps: Steps) -> dict[str, Any]:
    """The declaration without what is at this place."""
    copied: Any = copy.deepcopy(dict(declared))
    place = copied
    for step in steps[:-1]:
        place = place[step]
    del place[steps[-1]]
    return dict(copied)


def made_from(api: Api, item: Mapping[str, Any], namespace: str) -> dict[str, Any] | None:
    """What the API server would make of this declaration where nothing stands; None where it refuses."""
    duplicate = copy.deepcopy(dict(item))
    duplicate["metadata"] |= {"name": f"{item['metadata']['name']}-twin"}
    path, namespaced = api.path_of(duplicate, namespace)
    if namespaced:
        duplicate["metadata"]["namespace"] = namespace
    status, made = api.request("POST", path.rpartition("/")[0], duplicate, dryRun="All")
    return made if status == 201 else None


def unlike(expected: Mapping[str, Any], live: Mapping[str, Any]) -> set[Place]:
    """Where the object is not what it would be if it had been made so, beside name and addresses."""
    found = changed_places(_comparable(expected), _comparable(live))
    return {place for place in found if place not in MADE_AGAIN}


def _comparable(live: Mapping[str, Any]) -> dict[str, Any]:
    found = substance(live)
    # a Job without labels of its own is given those of its template, once
    once = ("name", "labels") if live.get("kind") == "Job" else ("name",)
    metadata = {key: value for key, value in found["metadata"].items() if key not in once}
    annotations = {
        key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key != LAST_APPLIED
    }
    return {**found, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}
