# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the live objects are still what the release's manifest says, and making them so again without helm.

A release owns its objects whole: a leaf under spec, data or rules that somebody else added is drift as well as one
that somebody changed. Repairs go by server-side apply under helm's own field manager, so that helm stays the owner.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import manifest
from ansible_collections.mcpops.platform.plugins.module_utils.helm.ignored import (
    Ignored,
    ignored_paths,
    may_be_missing,
)
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import IgnoredDifference
from ansible_collections.mcpops.platform.plugins.module_utils.helm.standing import stands
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import (
    Route,
    Target,
    removable,
    remove_leaves,
    server_side_apply,
    undeclared_foreign,
    value_at,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.definitions import served_types
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import creation, differences
from ansible_collections.mcpops.platform.plugins.module_utils.kube.exclusive import CONFLICT, INVALID, put_whole
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import (
    Identity,
    Object,
    holds_secrets,
    phase,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import (
    FIELD_MANAGER,
    foreign_fields,
    route_path,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import at_once, read_objects
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan

HELM_MANAGER = "helm"
OUR_MANAGERS = (HELM_MANAGER, FIELD_MANAGER)
_NOT_COMPARED = ("apiVersion", "kind")
UNKNOWN_FIELD = (400, INVALID, 500)  # what API servers say to a field their definition does not have
DEFINITION = "CustomResourceDefinition"
DEFINITION_SECONDS = 10.0
_ATTEMPTS = 5


@dataclass(frozen=True)
class Drift:
    """One object that is not as the manifest says."""

    target: Target
    live: Object | None
    changes: tuple[Change, ...]
    to_apply: bool
    to_remove: tuple[Route, ...] = ()
    notes: tuple[str, ...] = ()
    in_one_piece: bool = False
    """Repaired by replacing the object, because its changes depend on each other."""
    after_definition: bool = False
    """Not comparable until its definition is restored, and so applied without knowing whether it differs."""

    @property
    def plan(self) -> Plan:
        return Plan(str(self.target.who), self.changes, notes=self.notes, is_new=self.live is None)


@dataclass(frozen=True)
class Inspection:
    """The objects of a release as they are."""

    targets: tuple[Target, ...]
    live: Mapping[Identity, Object]
    drifts: tuple[Drift, ...]
    unserved: tuple[Object, ...]
    """Objects of kinds the cluster does not serve: their CustomResourceDefinition is gone."""

    @property
    def plans(self) -> tuple[Plan, ...]:
        gone = tuple(
            Plan(
                f"{item['kind']} {item['metadata'].get('name')}",
                creation(item),
                notes=(f"The cluster does not serve {item['apiVersion']} {item['kind']} (any more).",),
                is_new=True,
            )
            for item in self.unserved
        )
        return tuple(drift.plan for drift in self.drifts) + gone


def inspect(
    kube: Kube, release: Release, asked: Sequence[IgnoredDifference] = (), definitions: bool = False
) -> Inspection:
    """Reads every object of the manifest; only what cannot be judged by reading is asked of the API server.

    With `definitions` what the chart has in crds/ is held to it as well.
    """
    objects = manifest.parse(release)
    targets, unserved = manifest.place(objects, kube, release)
    if definitions:
        targets += manifest.definitions(release.definitions, kube)
    live = read_objects(kube, targets)
    definitions_first = [target for target in targets if target.who.kind == DEFINITION]
    others = [target for target in targets if target.who.kind != DEFINITION]
    found = at_once(lambda target: _inspect_one(kube, target, live.get(target.who), objects, asked), definitions_first)
    moving = {(kind.api_version, kind.kind) for drift in found if drift for kind in served_types(drift.target.declared)}
    found += at_once(lambda target: _inspect_one(kube, target, live.get(target.who), objects, asked, moving), others)
    return Inspection(tuple(targets), live, tuple(drift for drift in found if drift), tuple(unserved))


def repair(kube: Kube, drifts: Iterable[Drift]) -> None:
    """Make the drifted objects what the manifest says; namespaces and definitions first."""
    phases: dict[int, list[Drift]] = {}
    for drift in drifts:
        phases.setdefault(phase(drift.target.who), []).append(drift)
    for number in sorted(phases):
        at_once(lambda drift: _repair_one(kube, drift), phases[number])


def _inspect_one(
    kube: Kube,
    target: Target,
    live: Object | None,
    objects: list[Object],
    asked: Sequence[IgnoredDifference],
    moving: Collection[tuple[str, str]] = (),
) -> Drift | None:
    """`moving` are the kinds whose definition has drifted itself."""
    if live is None:
        if may_be_missing(target.declared):
            return None
        return Drift(target, None, creation(target.declared), to_apply=True)
    ignored = ignored_paths(target.declared, live, objects, asked)
    target = replace(target, declared=ignored.prune(target.declared))
    foreign = _foreign(live, target.declared, ignored)
    body = {key: value for key, value in target.declared.items() if key not in _NOT_COMPARED}
    if not foreign and stands(body, live):
        return None
    try:
        after = server_side_apply(kube, target, force=True, dry_run=True, manager=HELM_MANAGER)
    except ServiceError as refused:
        if refused.status in UNKNOWN_FIELD and (target.resource.api_version, target.who.kind) in moving:
            note = f"{target.who} can be compared only when its definition is restored."
            return Drift(target, live, (), to_apply=True, notes=(note,), after_definition=True)
        if refused.status != INVALID or not foreign:
            raise
        return _in_one_piece(kube, target, live, foreign)
    changed = attributed(differences(live, after), live)
    gone, kept = removable(kube, target, live, foreign) if foreign else ([], [])
    if kept:
        # a refusal may only mean that a controller has written its status since the object was read
        newer = kube.get(target.path)
        if newer is not None and _version(newer) != _version(live):
            return _inspect_one(kube, target, newer, objects, asked, moving)
    secret = holds_secrets(live)
    removed = tuple(
        Change(route_path(route), value_at(live, route), ABSENT, secret, f"set by {foreign[route]}") for route in gone
    )
    notes = tuple(
        f"{target.who}: {route_path(route)} was set by {foreign[route]} and the API does not let it go."
        for route in kept
    )
    if not changed and not removed:
        return None
    return Drift(target, live, changed + removed, bool(changed), tuple(gone), notes)


def _in_one_piece(kube: Kube, target: Target, live: Object, foreign: Mapping[Route, str]) -> Drift:
    after = put_whole(kube, target, live, foreign, HELM_MANAGER, dry_run=True)
    by = f"set by {', '.join(sorted(set(foreign.values())))}"
    changes = tuple(replace(change, note=change.note or by) for change in attributed(differences(live, after), live))
    return Drift(target, live, changes, False, tuple(foreign), in_one_piece=True)


def _version(live: Object) -> str:
    return str((live.get("metadata") or {}).get("resourceVersion"))


def _foreign(live: Object, declared: Object, ignored: Ignored) -> dict[Route, str]:
    found = undeclared_foreign(live, declared, OUR_MANAGERS)
    return {route: manager for route, manager in found.items() if not ignored.covers(route_path(route))}


def attributed(changes: Iterable[Change], live: Object) -> tuple[Change, ...]:
    """The changes with the name of the manager who set what stands now, as far as managedFields knows."""
    managers = foreign_fields(live, OUR_MANAGERS)
    result = []
    for change in changes:
        by = sorted({manager for path, manager in managers if _same_place(path, change.path)})
        result.append(replace(change, note=f"set by {', '.join(by)}") if by and not change.note else change)
    return tuple(result)


def _same_place(one: str, other: str) -> bool:
    return one == other or one.startswith((f"{other}.", f"{other}[")) or other.startswith((f"{one}.", f"{one}["))


def _apply(kube: Kube, drift: Drift) -> Object:
    """An API server takes a moment to go by a definition that was changed, and nothing tells when it does."""
    deadline = time.monotonic() + DEFINITION_SECONDS
    while True:
        try:
            return server_side_apply(kube, drift.target, force=True, manager=HELM_MANAGER)
        except ServiceError as refused:
            old = drift.after_definition and refused.status in UNKNOWN_FIELD
            if not old or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _repair_one(kube: Kube, drift: Drift) -> None:
    standing = drift.live
    if drift.to_apply:
        standing = _apply(kube, drift)
    for attempt in range(1, _ATTEMPTS + 1):
        routes = [route for route in drift.to_remove if standing and value_at(standing, route) is not None]
        if standing is None or not (routes or drift.in_one_piece):
            return
        try:
            if drift.in_one_piece:
                put_whole(kube, drift.target, standing, routes, HELM_MANAGER, dry_run=False)
            else:
                remove_leaves(kube, drift.target, standing, routes, dry_run=False)
            return
        except ServiceError as refused:
            # this holds for one version of the object, and a controller may just have written its status
            if refused.status not in (CONFLICT, INVALID) or attempt == _ATTEMPTS:
                raise
            standing = kube.get(drift.target.path)
