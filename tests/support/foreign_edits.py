# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways in which somebody else writes an edit into an object, and edits beside those of mutations.py."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from typing import Any

from support.kube_http import JSON_PATCH, Api
from support.mutations import ROOTS, Mutation, Steps, sample
from support.openapi import Schema

MANAGERS = (
    "kubectl-edit",
    "kubectl-patch",
    "kubectl-client-side-apply",
    "manager",
    "controller",
    "terraform",
    "argocd",
)
INTRUDER = "intruder"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
DEPTH = 4

_SERVERS_OWN = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
_JOBS_OWN = ("batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name")
_ALLOCATED = ("clusterIP", "clusterIPs", "healthCheckNodePort", "ipFamilies", "ipFamilyPolicy")


def more_mutations(declared: Mapping[str, Any], live: Mapping[str, Any], schema: Schema | None) -> list[Mutation]:
    """Whole structures where none is: below what is declared null or empty, and beside what is declared."""
    found: list[Mutation] = []
    for root in ROOTS:
        if schema is not None and isinstance(declared.get(root), Mapping) and isinstance(live.get(root), Mapping):
            below = schema.below(root)
            if below is not None:
                found += _filled(declared[root], live[root], below, (root,), None)
    return found


def _filled(declared: Any, live: Any, schema: Schema, steps: Steps, owner: Steps | None) -> Iterator[Mutation]:
    owner = owner or (steps if schema.in_one_piece else None)
    if isinstance(declared, list) and isinstance(live, list) and len(declared) == len(live) and schema.item:
        for at, (item, existing) in enumerate(zip(declared, live)):
            yield from _filled(item, existing, schema.item, (*steps, at), owner)
    if not isinstance(declared, Mapping) or not isinstance(live, Mapping):
        return
    for key in schema.properties:
        below, here = schema.below(key), (*steps, key)
        if below is None:
            continue
        if declared.get(key) and live.get(key):
            yield from _filled(declared[key], live[key], below, here, owner)
        elif below.type in ("array", "object") and not live.get(key):
            value = deep_sample(below)
            if value:
                what = "fill what is declared empty" if key in declared else "add an undeclared structure"
                patch = ({"op": "add", "path": _pointer(here), "value": value},)
                yield Mutation(what, here, patch, owner or here)


def deep_sample(schema: Schema, depth: int = DEPTH) -> Any:
    """A value with its required fields, or with the first one that can be made up."""
    simple = sample(schema)
    if simple is not None or depth == 0:
        return simple
    if schema.type == "array" and schema.item is not None:
        item = deep_sample(schema.item, depth - 1)
        return None if item is None else [item]
    wanted = [key for key in schema.properties if key in schema.required] or list(schema.properties)
    found = {}
    for key in wanted:
        below = schema.below(key)
        value = deep_sample(below, depth - 1) if below is not None else None
        if value is not None:
            found[key] = value
            if not schema.required:
                break
    return found or None


def write(api: Api, path: str, before: Mapping[str, Any], mutation: Mutation, chance: random.Random) -> tuple[str, int]:
    """(how it was written, the status of the answer): one way of several, under one of many names."""
    after = patched(before, mutation)
    manager = chance.choice(MANAGERS)
    merge = merge_patch(before, after)
    ways = ["json", "json", "put", "merge"]
    if not _holds_list(merge) and "." not in str(before["apiVersion"]).removesuffix(".k8s.io").partition("/")[0]:
        ways.append("strategic")
    if mutation.patch[0]["op"] != "remove":
        ways += ["apply", "apply"]
    if chance.random() < 0.08:
        return f"made again by {manager}", _made_again(api, path, after, manager)
    way = chance.choice(ways)
    if way == "json":
        status, _ = api.request("PATCH", path, list(mutation.patch), JSON_PATCH, fieldManager=manager)
    elif way == "put":
        status, _ = api.request("PUT", path, after, fieldManager=manager)
    elif way == "apply":
        body = partial(after, mutation, api.schema(str(before["apiVersion"]), str(before["kind"])))
        status, _ = api.request("PATCH", path, body, APPLY, fieldManager=manager, force="true")
    else:
        kind = MERGE_PATCH if way == "merge" else STRATEGIC
        status, _ = api.request("PATCH", path, merge, kind, fieldManager=manager)
    return f"{way} by {manager}", status


def plainly(
    api: Api, path: str, _before: Mapping[str, Any], mutation: Mutation, _chance: random.Random
) -> tuple[str, int]:
    """The same by one way and one name only, which leaves the object where it is."""
    status, _ = api.patch(path, mutation.patch, INTRUDER)
    return f"json by {INTRUDER}", status


def patched(before: Mapping[str, Any], mutation: Mutation) -> dict[str, Any]:
    """The object with the edit in it."""
    after: Any = copy.deepcopy(dict(before))
    for operation in mutation.patch:
        *above, last = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
        place = after
        for step in above:
            place = place[int(step)] if isinstance(place, list) else place[step]
        if isinstance(place, list) and last == "-":
            place.append(copy.deepcopy(operation["value"]))
        elif operation["op"] == "remove":
            del place[int(last) if isinstance(place, list) else last]
        else:
            place[int(last) if isinstance(place, list) else last] = copy.deepcopy(operation["value"])
    return dict(after)


def merge_patch(before: Any, after: Any) -> Any:
    """RFC 7386: what turns one into the other."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return after
    return {
        **{key: None for key in before if key not in after},
        **{
            key: merge_patch(before[key], value) if key in before else value
            for key, value in after.items()
            if key not in before or before[key] != value
        },
    }


def partial(after: Mapping[str, Any], mutation: Mutation, schema: Schema | None) -> dict[str, Any]:
    """What another manager applies to make the edit: the place alone, or the structure that is one piece."""
    named = {key: after["metadata"][key] for key in ("name", "namespace") if key in after["metadata"]}
    body = {"apiVersion": after["apiVersion"], "kind": after["kind"], "metadata": named}
    steps = mutation.owner if len(mutation.owner) < len(mutation.steps) else mutation.steps
    if mutation.patch[0]["path"].endswith("/-"):
        steps = (*mutation.owner, -1) if mutation.owner == mutation.steps else mutation.owner
    only = _only(after, steps, schema)
    return {**body, **only, "metadata": {**named, **(only.get("metadata") or {})}}


def _only(value: Any, steps: Steps, schema: Schema | None) -> Any:
    if not steps:
        return value
    step = steps[0]
    if isinstance(value, list):
        if schema is None or schema.list_type != "map":
            return value
        item = value[int(step)]
        keys = {key: item[key] for key in schema.list_keys if key in item}
        below = _only(item, steps[1:], schema.item)
        return [{**keys, **below}]
    return {step: _only(value[step], steps[1:], schema.below(str(step)) if schema else None)}


def _made_again(api: Api, path: str, after: Mapping[str, Any], manager: str) -> int:
    """Deleted, and created with the edit in it."""
    # one that could not be made in place cannot be taken back in place
    status, _ = api.request("PUT", path, after, fieldManager=manager, dryRun="All")
    if status >= 400:
        return status
    api.request("DELETE", path, {"gracePeriodSeconds": 0, "propagationPolicy": "Background"})
    for _attempt in range(200):
        status, _ = api.request("POST", path.rpartition("/")[0], creatable(after), fieldManager=manager)
        if status != 409:
            return status
    raise AssertionError(f"{path} does not go")


def creatable(live: Mapping[str, Any]) -> dict[str, Any]:
    """A live object as it could be created once more: without what the server hands out."""
    body = copy.deepcopy({key: value for key, value in live.items() if key != "status"})
    body["metadata"] = {key: value for key, value in body["metadata"].items() if key not in _SERVERS_OWN}
    spec = body.get("spec")
    if body["kind"] == "Service" and spec.get("clusterIP") != "None":
        body["spec"] = {key: value for key, value in spec.items() if key not in _ALLOCATED}
        for port in body["spec"].get("ports") or []:
            port.pop("nodePort", None)
    if body["kind"] == "Job":
        spec.pop("selector", None)
        for key in _JOBS_OWN:
            spec["template"]["metadata"]["labels"].pop(key, None)
        if set(_JOBS_OWN) & set(body["metadata"].get("labels") or {}):
            # the server has copied them from the template, for want of others
            del body["metadata"]["labels"]
    return body


def _holds_list(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_list(below) for below in value.values())
    return isinstance(value, list)


def _pointer(steps: Steps) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
