# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests about objects: reading many of a kind by one LIST, few by name, concurrently.

And writing one by server-side apply, JSON patch or replacement; CRDs are waited for.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from ...errors import Failure, NotReady, Problem, Reason, ServiceError
from ...task import Task
from ...waiting import Backoff, Deadline, poll
from ..client import APPLY, Kube, ListExpired
from ..diff import TRIAL
from ..discovery import ResourceType, is_aggregated_api_down, not_served
from ..fields import FIELD_MANAGER, Route, from_the_end, json_pointer, resolve_route, value_at, without_entries
from ..manifests import Object, ObjectRef, is_built_in, object_ref
from ..readiness.judge import readiness_reasons
from ..schema import UNKNOWN, Structure, with_default_keys, without_nulls
from ..transport import POOL_SIZE

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
CONFLICT, INVALID = 409, 422
ATTEMPTS = 4
"""A controller may write between our reading and our writing; then it is read again."""


@dataclass(frozen=True)
class Target:
    """One declared object, where it lives and how it is structured."""

    ref: ObjectRef
    resource: ResourceType
    declared: Object
    structure: Structure = UNKNOWN

    @property
    def path(self) -> str:
        return self.resource.path(self.ref.namespace, self.ref.name)


def target_of(resource: ResourceType, declared: Object, structure: Structure = UNKNOWN) -> Target:
    return Target(object_ref(declared), resource, declared, structure)


def server_side_apply(
    kube: Kube,
    target: Target,
    *,
    force: bool = False,
    dry_run: bool = False,
    manager: str = FIELD_MANAGER,
) -> Object:
    """The object as it stands (or would stand) after `manager` has applied the declaration."""
    query = {"fieldManager": manager, "fieldValidation": "Strict"}
    if force:
        query["force"] = "true"
    if dry_run:
        query["dryRun"] = "All"
    response = kube.request(
        "PATCH",
        target.path,
        query=query,
        body=target.declared,
        content_type=APPLY,
        timeout=60.0,
        action=f"apply {target.ref}",
    )
    return cast(Object, response.json())


def put_object(kube: Kube, target: Target, whole: Object, *, manager: str, dry_run: bool) -> Object:
    """The object after it was put in one piece; its resourceVersion makes sure that nobody wrote in between."""
    query = {"fieldManager": manager} | ({"dryRun": "All"} if dry_run else {})
    answer = kube.request("PUT", target.path, query=query, body=whole, action=f"restore {target.ref}")
    return cast(Object, answer.json())


def try_creation(kube: Kube, target: Target, manager: str) -> Object:
    """A new object of this declaration, as a dry run under a name of its own shows it."""
    name = f"{TRIAL}{uuid.uuid4().hex[:8]}"
    declared = {**target.declared, "metadata": {**target.declared["metadata"], "name": name}}
    return server_side_apply(kube, target_of(target.resource, declared), dry_run=True, manager=manager)


def remove_leaves(kube: Kube, target: Target, live: Object, routes: Collection[Route], *, dry_run: bool) -> Object:
    """The object without these leaves; refused when it has changed since `live` was read."""
    places = [place for place in (resolve_route(live, route) for route in routes) if place is not None]
    # from the end of lists, so that an earlier removal does not move a later one
    patch = [{"op": "remove", "path": json_pointer(place)} for place in sorted(places, key=from_the_end, reverse=True)]
    query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
    return _patched(kube, target, live, patch, query, f"remove what others added to {target.ref}")


def set_leaves(kube: Kube, target: Target, live: Object, values: Mapping[Route, Any], manager: str) -> Object:
    """The object with these values at these leaves; refused when it has changed since `live` was read."""
    places = [(resolve_route(live, route, target.structure), value) for route, value in values.items()]
    patch = [{"op": "replace", "path": json_pointer(place), "value": value} for place, value in places if place]
    return _patched(kube, target, live, patch, {"fieldManager": manager}, f"restore {target.ref}")


def _patched(
    kube: Kube, target: Target, live: Object, patch: list[dict[str, Any]], query: Mapping[str, str], action: str
) -> Object:
    unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": version_of(live)}
    body = json.dumps([unchanged, *patch])
    answer = kube.request("PATCH", target.path, query=query, body=body, content_type=JSON_PATCH, action=action)
    return cast(Object, answer.json())


def version_of(item: Object) -> Any:
    return (item.get("metadata") or {}).get("resourceVersion")


def removable_routes(
    kube: Kube, target: Target, live: Object, routes: Mapping[Route, str]
) -> tuple[list[Route], dict[Route, ServiceError]]:
    """(routes that would go, routes the API refuses to give up with its refusals), found by dry runs.

    A leaf that comes back by itself (a default that its creator happens to own) is neither: it is no drift.
    """
    try:
        return _gone(live, remove_leaves(kube, target, live, list(routes), dry_run=True), routes), {}
    except ServiceError as refused:
        if refused.status != INVALID:
            raise
        if len(routes) == 1:
            return [], dict.fromkeys(routes, refused)
    gone: list[Route] = []
    kept: dict[Route, ServiceError] = {}
    for route in routes:
        one_gone, one_kept = removable_routes(kube, target, live, {route: routes[route]})
        gone += one_gone
        kept |= one_kept
    return gone, kept


def _gone(live: Object, after: Object, routes: Collection[Route]) -> list[Route]:
    # a default may take the place of the value: then it is that value which goes
    return [route for route in routes if value_at(live, route) not in (None, value_at(after, route))]


def drop_field_manager(kube: Kube, target: Target, live: Object, managers: Collection[str]) -> Object:
    """The object without the ownership of `managers`, whose values have been written by others since."""

    def without(live: Object) -> Object:
        kept = without_entries(live, managers)
        if kept is None:
            return live
        body = {"metadata": {"resourceVersion": version_of(live), "managedFields": kept}}
        action = f"restore {target.ref}"
        return cast(
            Object, kube.request("PATCH", target.path, body=body, content_type=MERGE_PATCH, action=action).json()
        )

    return written(kube, target, live, without, CONFLICT)


def written(kube: Kube, target: Target, live: Object, write: Callable[[Object], Object], clash: int) -> Object:
    """What `write` makes of the object; with what it is by then, where somebody else wrote since `live` was read.

    `clash` is how the API server refuses a request for a version that is gone.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return write(live)
        except ServiceError as refused:
            fresh = kube.get(target.path) if refused.status == clash and attempt < ATTEMPTS else None
            if fresh is None or version_of(fresh) == version_of(live):
                raise
            live = fresh
    raise AssertionError("the last attempt returns or raises")


def placed(
    item: Object, resource: ResourceType, namespace: str | None, structure: Structure = UNKNOWN
) -> Target | Problem:
    """The object where it lives: in its own namespace or else the default one; none for what is cluster-wide."""
    metadata = dict(item["metadata"])
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif metadata.get("namespace") or namespace:
        metadata["namespace"] = metadata.get("namespace") or namespace
    else:
        return Problem(
            f"{item['kind']} {metadata['name']}", "is namespaced: set metadata.namespace or the option namespace"
        )
    return target_of(resource, declared_for(resource, {**item, "metadata": metadata}, structure), structure)


def declared_for(resource: ResourceType, item: Object, structure: Structure) -> Object:
    """The declaration without what stands for nothing: nulls, and empty keys of Kubernetes' own kinds."""
    clean = without_nulls(item, structure)
    declared: Object = with_default_keys(clean, structure) if is_built_in(resource.group) else clean
    return declared


def stray_namespaces(items: Iterable[tuple[Object, ResourceType | None]]) -> list[str]:
    """A warning of cluster-wide objects that name a namespace: it is left out, as kubectl and the API server do."""
    stray = [
        f"{item['kind']} {item['metadata']['name']} ({item['metadata']['namespace']})"
        for item, resource in items
        if resource is not None and not resource.namespaced and item["metadata"].get("namespace")
    ]
    if not stray:
        return []
    return [f"{', '.join(stray)}: objects of this kind are of no namespace, so the one in metadata is left out."]


def unknown_kind(kube: Kube, item: Object) -> Problem:
    """The cluster does not serve this kind; it may serve another version of it."""
    place = f"{item['kind']} {item['metadata']['name']}"
    return Problem(place, not_served(kube.kinds(), str(item["apiVersion"]), str(item["kind"])))


LIST_FROM = 4
"""As many objects of a kind and namespace are read by one LIST; fewer are cheaper by name."""
OTHERS_PER_NAME = 50
"""As many objects more come by LIST in the time that one takes by its name."""

FORBIDDEN = 403

Get = Callable[[Target], "Object | None"]
One = TypeVar("One")
Other = TypeVar("Other")


def map_concurrently(work: Callable[[One], Other], things: Sequence[One], at_once: int = POOL_SIZE) -> list[Other]:
    """`work` on all things, at most `at_once` at a time; the order is kept."""
    if len(things) <= 1 or at_once <= 1:
        return [work(thing) for thing in things]
    with ThreadPoolExecutor(max_workers=min(at_once, len(things))) as pool:
        return list(pool.map(work, things))


@dataclass(frozen=True)
class Read:
    """What was found, why others could not be read, and what this identity may not read."""

    found: dict[ObjectRef, Object]
    unread: dict[ObjectRef, ServiceError]
    refused: frozenset[ObjectRef]

    @property
    def complete(self) -> dict[ObjectRef, Object]:
        """What was found, where everything could be read."""
        for failure in self.unread.values():
            raise failure
        return self.found


def read_live(kube: Kube, targets: Iterable[Target], beside: Iterable[Target] = ()) -> Read:
    """The live objects of both; read together, they cost one LIST.

    What only helps to decide (`beside`) must not end the work on the targets.
    """
    wanted = {target.ref: target for target in targets}
    lenient = {target.ref: target for target in beside if target.ref not in wanted}
    refused: set[ObjectRef] = set()

    def get(target: Target) -> Object | None:
        try:
            return kube.get(target.path, action=f"read {target.ref}")
        except ServiceError as failure:
            if failure.status != FORBIDDEN or target.ref not in lenient:
                raise
            refused.add(target.ref)
            return None

    groups: dict[tuple[ResourceType, str | None], list[Target]] = {}
    for target in [*wanted.values(), *lenient.values()]:
        groups.setdefault((target.resource, target.ref.namespace), []).append(target)
    by_list = [group for group in groups.values() if len(group) >= LIST_FROM]
    by_name = [target for group in groups.values() if len(group) < LIST_FROM for target in group]
    found: dict[ObjectRef, Object] = {}
    unread: dict[ObjectRef, ServiceError] = {}
    for group, listed in zip(
        by_list, map_concurrently(lambda group: unless_down(lambda: _list(kube, group, get)), by_list)
    ):
        if isinstance(listed, ServiceError):
            unread.update((target.ref, listed) for target in group)
        else:
            found.update(listed)
    at_once = kube.connections_for(len(by_name))
    for target, live in zip(by_name, map_concurrently(lambda one: unless_down(lambda: get(one)), by_name, at_once)):
        if isinstance(live, ServiceError):
            unread[target.ref] = live
        elif live is not None:
            found[target.ref] = live
    return Read(found, unread, frozenset(refused))


def unless_down(work: Callable[[], Other]) -> Other | ServiceError:
    """What the work yields, or the failure of an aggregated API that does not answer."""
    try:
        return work()
    except ServiceError as failure:
        if not is_aggregated_api_down(failure):
            raise
        return failure


def _list(kube: Kube, group: list[Target], get: Get) -> dict[ObjectRef, Object]:
    """The objects of one kind and namespace, by as much of its list as is needed; nothing else is kept."""
    resource, namespace = group[0].resource, group[0].ref.namespace
    missing = {target.ref.name: target for target in group}
    found: dict[ObjectRef, Object] = {}
    try:
        for page in kube.pages(resource, namespace):
            for item in page.items:
                target = missing.pop(item["metadata"]["name"], None)
                if target is not None:
                    found[target.ref] = item
            # among very many others those that are left are cheaper by name
            if not missing or page.remaining > OTHERS_PER_NAME * len(missing):
                break
        else:
            return found
    except ListExpired:
        # the rest by name
        pass
    except ServiceError as refused:
        if refused.status == 404:
            # its CustomResourceDefinition went since the kinds were discovered
            return {}
        if refused.status != FORBIDDEN:
            raise
        # an identity may be allowed to read objects it knows by name, and not to list
    rest = list(missing.values())
    live = map_concurrently(get, rest)
    return found | {target.ref: item for target, item in zip(rest, live) if item is not None}


POLLING = Backoff(first=0.1, longest=0.1)


def served_types(definition: Mapping[str, object]) -> list[ResourceType]:
    """The resource types that a CustomResourceDefinition declares; what is malformed is the API server's to refuse."""
    spec = definition.get("spec")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("names"), Mapping):
        return []
    names, versions = spec["names"], spec.get("versions")
    return [
        ResourceType(
            f"{spec.get('group')}/{version.get('name')}",
            str(names.get("kind")),
            str(names.get("plural")),
            spec.get("scope") == "Namespaced",
        )
        for version in (versions if isinstance(versions, list) else [])
        if isinstance(version, Mapping) and version.get("served")
    ]


def wait_for_crds(kube: Kube, task: Task, definitions: Sequence[Object], timeout: float) -> dict[str, Failure]:
    """Wait until every definition is Established and in discovery; the failures by the definition's name."""
    deadline = Deadline(timeout)
    failed: dict[str, Failure] = {}
    for definition in definitions:
        missing = _awaited(kube, task, definition, deadline)
        if missing:
            label = f"CustomResourceDefinition {definition['metadata']['name']}"
            failed[str(definition["metadata"]["name"])] = NotReady(label, missing, waited=deadline.elapsed)
    return failed


def _awaited(kube: Kube, task: Task, definition: Object, deadline: Deadline) -> list[Reason]:
    """What is missing from it in the end. The first look is at what the caller knows."""
    name = definition["metadata"]["name"]

    def look() -> list[Reason]:
        where = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        return _missing(kube, kube.get(where) or definition)

    def words(missing: list[Reason]) -> str | None:
        final = not missing or any(reason.terminal for reason in missing)
        return None if final else f"waiting for CustomResourceDefinition {name}"

    return poll(look, words, deadline, task.progress, POLLING, seen=_missing(kube, definition))


def _missing(kube: Kube, definition: Object) -> list[Reason]:
    found = readiness_reasons(definition)
    if found:
        return found
    # what the run knew of this group is older than the definition
    return [
        Reason("", "NotServed", f"{resource.api_version} {resource.kind} is not in the API server's discovery yet")
        for resource in served_types(definition)
        if kube.resource_type_now(resource.api_version, resource.kind) is None
    ]
