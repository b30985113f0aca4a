# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writing an object in one piece, for what server-side apply cannot express (see one_piece for the cases)."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import (
    CONFLICT,
    Target,
    give_up,
    put,
    server_side_apply,
    written,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.comparison import LEGACY_MANAGERS, Comparison
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import differences
from ansible_collections.mcpops.platform.plugins.module_utils.kube.failures import conflicting
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import Route, value_at
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.one_piece import (
    beside_other_branches,
    emptied,
    rebuilt,
    unkept,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import REPLACING_MANAGER, owners


def apply_declared(kube: Kube, options: BundleOptions, target: Target, *, dry: bool) -> Object:
    """The object as it is (or would be) when its declaration was applied.

    What we have written in one piece ourselves is no reason for a conflict: a list that the server has completed since
    differs from the declared one, and a run that was broken off has not given it up.
    """
    settings = options.settings(target.who)
    force = settings.force_conflicts or settings.exclusive
    try:
        after = server_side_apply(kube, target, force=force, dry_run=dry, manager=options.manager)
    except ServiceError as refused:
        if conflicting(refused) != {REPLACING_MANAGER}:
            raise
        after = server_side_apply(kube, target, force=True, dry_run=dry, manager=options.manager)
    return after if dry or not options.adopt else give_up(kube, target, after, {REPLACING_MANAGER})


class WholeObjects:
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
        target, others = found.target, owners(after)
        ours = {*self._options.our_managers, *LEGACY_MANAGERS}
        dropped = [
            route for route in found.dropped if value_at(after, route) is not None and others.get(route, set()) <= ours
        ]
        moved = [one.route for one in unkept(target.declared, found.live, target.structure)]
        return [
            *dropped,
            *(one.route for one in unkept(target.declared, after, target.structure)),
            *emptied(target.declared, found.live, after, target.structure),
            *beside_other_branches(after, target.declared, moved, target.structure),
        ]

    def without_leftover(
        self, target: Target, base: Object, after: Object, doomed: Sequence[Route], beside: Sequence[Route]
    ) -> Object | None:
        """The object that a dry run of writing it in one piece shows, or None where that is of no use."""
        try:
            whole = self._put(target, base, doomed, beside, dry_run=True)
        except ServiceError:
            return None
        return None if not differences(after, whole, target.structure) else whole

    def _whole(self, target: Target, base: Object, doomed: Sequence[Route], beside: Sequence[Route]) -> Object:
        """The object in one piece: what is declared, what others own, and defaults made afresh near `beside`."""
        writers = {self._options.manager, *LEGACY_MANAGERS}
        return rebuilt(base, target.declared, doomed, target.structure, beside, writers)

    @property
    def _writer(self) -> str:
        return REPLACING_MANAGER if self._options.adopt else self._options.manager

    def _put(
        self, target: Target, base: Object, doomed: Sequence[Route], beside: Sequence[Route], *, dry_run: bool
    ) -> Object:
        """The object as it is (or would be) when it was written in one piece."""

        def whole(live: Object) -> Object:
            body = self._whole(target, live, doomed, beside)
            return put(self._kube, target, body, manager=self._writer, dry_run=dry_run)

        return written(self._kube, target, base, whole, CONFLICT)

    def write(self, target: Target, standing: Object, doomed: Sequence[Route], beside: Sequence[Route]) -> Object:
        whole = self._put(target, standing, doomed, beside, dry_run=False)
        if not self._options.adopt:
            return whole
        # applied once more, the declaration owns what was written
        return apply_declared(self._kube, self._options, target, dry=False)

    def in_one_piece(self, found: Comparison, refused: ServiceError) -> Object:
        """What server-side apply cannot express, by writing the whole; the first refusal counts if that fails, too.

        First with all that the server derived, then without what stands beside the declared leaves that differ.
        """
        target, standing = found.target, found.live
        differing = [one.route for one in unkept(target.declared, standing, target.structure)]
        for beside in ([], differing):
            try:
                after = self._put(target, standing, found.doomed, beside, dry_run=True)
            except ServiceError:
                continue
            if not unkept(target.declared, after, target.structure):
                unchanged = not differences(standing, after, target.structure)
                return after if self._dry or unchanged else self.write(target, standing, found.doomed, beside)
        raise refused
