# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How one live object differs from its declaration, and how that is corrected.

Removal of fields that others added, and writing it as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ...errors import ServiceError
from ...plan import ABSENT, Change
from .. import diff
from ..client import Kube
from ..diff import differences
from ..errors import conflicting_managers
from ..fields import (
    REPLACING_MANAGER,
    Route,
    field_step,
    own_routes,
    owned_fields,
    owners_by_route,
    route_path,
    undeclared_foreign,
    undeclared_own,
    value_at,
    whole_structures,
    writers_by_path,
)
from ..manifests import Object, holds_secrets
from ..writers import Tolerated
from .comparison import ApplyNeeded, apply_needed, confirmation_digest, declaration_to_apply, is_contested
from .options import BundleOptions, Settings
from .replacement import beside_other_branches, dropped_leaves, emptied, rebuilt_object, replacement
from .requests import (
    ATTEMPTS,
    CONFLICT,
    INVALID,
    Target,
    drop_field_manager,
    put_object,
    removable_routes,
    remove_leaves,
    server_side_apply,
    set_leaves,
    try_creation,
    version_of,
    written,
)

LEGACY_MANAGERS = frozenset({"kubectl-client-side-apply", "before-first-apply"})
"""What kubectl applied before it knew field managers: a declaration that takes the object over takes this over, too."""
OWNERSHIP = "metadata.managedFields"
NOTED = 3
_CLUSTER_IP: Route = (field_step("spec"), field_step("clusterIP"))


@dataclass(frozen=True)
class Comparison:
    """`declared` is the target as it was declared, `live` the object as it was read (or has been written since)."""

    options: BundleOptions
    declared: Target
    live: Object

    @cached_property
    def settings(self) -> Settings:
        return self.options.settings(self.declared.ref)

    @cached_property
    def expected(self) -> Tolerated:
        """Who may write where in this object."""
        return self.options.expected(self.declared.ref, self.declared.declared)

    @cached_property
    def target(self) -> Target:
        """The target without what is left to others."""
        whole, options = self.declared, self.options
        kept = declaration_to_apply(
            whole.declared, self.live, options.our_managers, options.manager, whole.structure, self.expected
        )
        return whole if kept == whole.declared else replace(whole, declared=kept)

    def of(self, live: Object) -> Comparison:
        """The same declaration and another state of the object."""
        return replace(self, live=live)

    @property
    def values(self) -> ApplyNeeded:
        """Whether the values stand, and their ownership, whatever others have added."""
        target, options = self.target, self.options
        found = apply_needed(self.live, target.declared, options.manager, target.structure, adopt=options.adopt)
        return ApplyNeeded.UNSURE if found is ApplyNeeded.STANDS and self.is_contested else found

    @cached_property
    def verdict(self) -> ApplyNeeded:
        """Whether anything is to be done, as far as reading tells."""
        found = self.values
        if found is not ApplyNeeded.DIFFERS and self.is_headless:
            return ApplyNeeded.DIFFERS
        return ApplyNeeded.UNSURE if found is ApplyNeeded.STANDS and self.foreign else found

    @cached_property
    def foreign(self) -> dict[Route, str]:
        """What others added to an object that is ours alone, with their managers."""
        if not self.settings.exclusive:
            return {}
        target = self.target
        return undeclared_foreign(
            self.live, target.declared, self.options.our_managers, target.structure, self.expected
        )

    @cached_property
    def is_contested(self) -> bool:
        """Whether others own a declared structure of an object that is ours alone, and have changed it."""
        target = self.target
        return self.settings.exclusive and is_contested(
            self.live, target.declared, self.options.our_managers, target.structure, self.expected
        )

    @property
    def is_headless(self) -> bool:
        """A Service that others made headless, or that was declared so once: the API server keeps it so."""
        if not diff.became_headless(self.target.declared, self.live):
            return False
        return self.settings.exclusive or _CLUSTER_IP in own_routes(self.live, self.options.manager)

    @property
    def digest(self) -> str:
        """One text for this declaration, in this state of the object, applied in this way."""
        settings, options = self.settings, self.options
        ignored = [str(row) for row in options.ignored]
        how = [options.manager, options.adopt, settings.exclusive, settings.force_conflicts, *ignored]
        return confirmation_digest(self.live, self.target.declared, *how, *sorted(options.our_managers))

    @cached_property
    def managers(self) -> dict[str, str]:
        """Who wrote what stands at a path and is not ours."""
        return writers_by_path(self.live, self.options.our_managers)

    @property
    def dropped(self) -> list[Route]:
        """What was declared once and is no more."""
        target = self.target
        return undeclared_own(self.live, target.declared, self.options.manager, target.structure)

    @property
    def to_remove(self) -> list[Route]:
        """What is to go from an object that is written in one piece."""
        # without their last part, structures that nobody declares would be left empty
        return [*self.dropped, *self.foreign_structures]

    @property
    def foreign_structures(self) -> dict[Route, str]:
        target = self.target
        return whole_structures(self.foreign, self.live, target.declared, target.structure)

    def changes(self, after: Object) -> list[Change]:
        """Differing leaves, each with the manager who wrote the value that goes; at least the change of ownership."""
        manager = self.options.manager
        found = [
            replace(change, changed_by=writers_at(change.path, self.managers))
            for change in differences(self.live, after, self.target.structure)
        ]
        mine = owned_fields(self.live, manager)
        if self.options.adopt and not found and mine != owned_fields(after, manager):
            owner = "somebody else" if mine is None else f"{manager}, in part"
            return [Change(OWNERSHIP, owner, manager, note="the same values, owned by this declaration from now on")]
        return found

    def removals(self, routes: Mapping[Route, str]) -> list[Change]:
        """The end of these leaves, which others have added."""
        secret = holds_secrets(self.live)
        return [
            Change(route_path(route), value_at(self.live, route), ABSENT, secret, changed_by=manager)
            for route, manager in routes.items()
        ]

    def applied(self) -> tuple[Change, ...]:
        """What applying changes as far as the declaration tells: no defaults, no webhooks."""
        target = self.target
        return differences(
            self.live, replacement(self.live, target.declared, self.dropped, target.structure), target.structure
        )

    def estimate(self) -> tuple[Change, ...]:
        """What converging changes, cautiously: for who may not ask for a dry run."""
        target, secret = self.target, holds_secrets(self.live)
        lost = [
            Change(path, one.got, one.wanted, secret, changed_by=writers_at(path, self.managers))
            for one in dropped_leaves(target.declared, self.live, target.structure)
            for path in [route_path(one.route)]
        ]
        return (*lost, *self.removals(self.foreign_structures))

    def notes(self, final: Object) -> tuple[str, ...]:
        """What the declaration has dropped and stays, and what it says and the server has not kept."""
        # the values are not shown: one of them may be a secret
        not_kept = [
            f"{self.target.ref}: {route_path(one.route)} was sent and not kept: the API server or an admission webhook "
            "sets another value"
            for one in dropped_leaves(self.target.declared, final, self.target.structure)[:NOTED]
        ]
        return (*self._kept_by_others(final), *not_kept)

    def _kept_by_others(self, final: Object) -> list[str]:
        if self.settings.exclusive:
            # removed, or spoken of where it cannot be
            return []
        ours = {*self.options.our_managers, *LEGACY_MANAGERS}
        everybody = owners_by_route(final)
        found = []
        for route in self.dropped:
            path = route_path(route)
            below = [names - ours for one, names in everybody.items() if one[: len(route)] == route]
            others = sorted({name for names in below for name in names if not self.expected.expects(name, path)})
            if others and value_at(final, route) is not None:
                reported = f"{path} is declared no more and stays: {', '.join(others)} owns it as well"
                found.append(f"{self.target.ref}: {reported}")
        return found


def writers_at(path: str, managers: Mapping[str, str]) -> str:
    """Who wrote what stands at, above or below this path."""
    return ", ".join(sorted({manager for place, manager in managers.items() if _same_place(place, path)}))


def _same_place(one: str, other: str) -> bool:
    return one == other or one.startswith((f"{other}.", f"{other}[")) or other.startswith((f"{one}.", f"{one}["))


@dataclass(frozen=True)
class RemovedFields:
    """What became of what others had added."""

    changes: tuple[Change, ...]
    kept: Mapping[str, ServiceError]
    """Notes on what is kept, with the refusals."""
    returned: tuple[Route, ...]
    """What came back by itself: a default, or what another field still says (serviceAccount)."""
    live: Object


def remove_foreign_fields(kube: Kube, found: Comparison, *, dry_run: bool) -> RemovedFields:
    """Undeclared leaves of substance that others wrote are removed."""
    target, removed = found.target, list[Change]()
    for attempt in range(1, ATTEMPTS + 1):
        live, foreign = found.live, found.foreign_structures
        if not foreign:
            return RemovedFields(tuple(removed), {}, (), live)
        kept: dict[Route, ServiceError] = {}
        try:
            routes, kept = removable_routes(kube, target, live, foreign)
            after = remove_leaves(kube, target, live, routes, dry_run=False) if routes and not dry_run else live
        except ServiceError as refused:
            if refused.status != INVALID or attempt == ATTEMPTS:
                raise
            routes, kept, after = [], dict.fromkeys(foreign, refused), live
        if routes and not dry_run:
            after = _without_emptied(kube, found.of(after))
        changes = found.removals({route: foreign[route] for route in routes})
        if kept and attempt < ATTEMPTS:
            # refused, or meant for a version that is no longer there?
            fresh = kube.get(target.path)
            if fresh is not None and version_of(fresh) != version_of(after):
                removed += [] if dry_run else changes
                found = found.of(fresh)
                continue
        notes = {
            f"{target.ref}: {route_path(route)} of {foreign[route]} cannot be removed": refused
            for route, refused in kept.items()
        }
        returned = tuple(route for route in foreign if route not in routes and route not in kept)
        return RemovedFields((*removed, *changes), notes, returned, after)
    raise AssertionError("the last attempt returns or raises")


def _without_emptied(kube: Kube, found: Comparison) -> Object:
    """Without its last item a map is empty and still the other manager's: it goes as well, level by level."""
    for _level in range(ATTEMPTS):
        emptied = [route for route in found.foreign if value_at(found.live, route) in ({}, [])]
        if not emptied:
            break
        try:
            after = remove_leaves(kube, found.target, found.live, emptied, dry_run=False)
        except ServiceError as refused:
            if refused.status != INVALID:
                raise
            after = kube.get(found.target.path) or found.live
        found = found.of(after)
    return found.live


def fresh_values(kube: Kube, target: Target, live: Object, routes: Collection[Route], manager: str) -> dict[Route, Any]:
    """Route → value, for the leaves that would have another value in a new object; {} where none can be tried.

    A leaf that comes back by itself when it is removed is a default, or a value that an update without it leaves as it
    is (`ipFamilyPolicy` of a Service). Only an object that is made afresh tells them apart: dry runs make two. What
    differs between the two is handed out by chance, such as an address, and says nothing.
    """
    try:
        one, other = (try_creation(kube, target, manager) for _trial in range(2))
    except ServiceError:
        # a name that its kind prescribes, a quota, a port that the standing object holds
        return {}
    structure = target.structure
    found = {}
    for route in routes:
        value = value_at(one, route, structure)
        if value not in (None, value_at(live, route, structure)) and value == value_at(other, route, structure):
            found[route] = value
    return found


def set_fresh(kube: Kube, target: Target, live: Object, values: Mapping[Route, Any], manager: str) -> Object:
    """The object with these values."""
    return written(kube, target, live, lambda one: set_leaves(kube, target, one, values, manager), INVALID)


def apply_declared(kube: Kube, options: BundleOptions, target: Target, *, dry: bool) -> Object:
    """The object as it is (or would be) when its declaration was applied.

    What we have written in one piece ourselves is no reason for a conflict: a list that the server has completed since
    differs from the declared one, and a run that was broken off has not given it up.
    """
    settings = options.settings(target.ref)
    force = settings.force_conflicts or settings.exclusive
    try:
        after = server_side_apply(kube, target, force=force, dry_run=dry, manager=options.manager)
    except ServiceError as refused:
        if conflicting_managers(refused) != {REPLACING_MANAGER}:
            raise
        after = server_side_apply(kube, target, force=True, dry_run=dry, manager=options.manager)
    return after if dry or not options.adopt else drop_field_manager(kube, target, after, {REPLACING_MANAGER})


class WholeObjectWriter:
    """Writes objects in one piece under the options of one bundle."""

    def __init__(self, kube: Kube, options: BundleOptions, dry: bool) -> None:
        self._kube = kube
        self._options = options
        self._dry = dry

    def beside(self, found: Comparison, after: Object) -> list[Route]:
        """Places where an apply has left something although the declaration says otherwise.

        Dropped leaves that nobody else wants, declared ones that were not kept, and those that stand beside a structure
        which nobody owns: the defaults of another branch.
        """
        target, others = found.target, owners_by_route(after)
        ours = {*self._options.our_managers, *LEGACY_MANAGERS}
        dropped = [
            route for route in found.dropped if value_at(after, route) is not None and others.get(route, set()) <= ours
        ]
        moved = [one.route for one in dropped_leaves(target.declared, found.live, target.structure)]
        return [
            *dropped,
            *(one.route for one in dropped_leaves(target.declared, after, target.structure)),
            *emptied(target.declared, found.live, after, target.structure),
            *beside_other_branches(after, target.declared, moved, target.structure),
        ]

    def without_leftover(
        self, target: Target, base: Object, after: Object, to_remove: Sequence[Route], beside: Sequence[Route]
    ) -> Object | None:
        """The object that a dry run of writing it in one piece shows, or None where that is of no use."""
        try:
            whole = self._put(target, base, to_remove, beside, dry_run=True)
        except ServiceError:
            return None
        return None if not differences(after, whole, target.structure) else whole

    def _put(
        self, target: Target, base: Object, to_remove: Sequence[Route], beside: Sequence[Route], *, dry_run: bool
    ) -> Object:
        """The object as it is (or would be) when it was written in one piece.

        That is what is declared, what others own, and defaults made afresh near `beside`.
        """
        manager = self._options.manager
        writer = REPLACING_MANAGER if self._options.adopt else manager

        def whole(live: Object) -> Object:
            body = rebuilt_object(
                live, target.declared, to_remove, target.structure, beside, {manager, *LEGACY_MANAGERS}
            )
            return put_object(self._kube, target, body, manager=writer, dry_run=dry_run)

        return written(self._kube, target, base, whole, CONFLICT)

    def write(self, target: Target, existing: Object, to_remove: Sequence[Route], beside: Sequence[Route]) -> Object:
        whole = self._put(target, existing, to_remove, beside, dry_run=False)
        if not self._options.adopt:
            return whole
        # applied once more, the declaration owns what was written
        return apply_declared(self._kube, self._options, target, dry=False)

    def in_one_piece(self, found: Comparison, refused: ServiceError) -> Object:
        """What server-side apply cannot express, by writing the whole; the first refusal counts if that fails, too.

        First with all that the server derived, then without what stands beside the declared leaves that differ.
        """
        target, existing = found.target, found.live
        differing = [one.route for one in dropped_leaves(target.declared, existing, target.structure)]
        for beside in ([], differing):
            try:
                after = self._put(target, existing, found.to_remove, beside, dry_run=True)
            except ServiceError:
                continue
            if not dropped_leaves(target.declared, after, target.structure):
                unchanged = not differences(existing, after, target.structure)
                return after if self._dry or unchanged else self.write(target, existing, found.to_remove, beside)
        raise refused
