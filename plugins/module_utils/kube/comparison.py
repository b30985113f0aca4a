# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One live object held against its declaration, under the options of its bundle. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ansible_collections.mcpops.platform.plugins.module_utils.kube import explained
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions, Settings
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import differences
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import Route, field_step, route_path, value_at
from ansible_collections.mcpops.platform.plugins.module_utils.kube.judgement import Verdict, contested, digest, verdict
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object, holds_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.kube.one_piece import replacement, unkept
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import (
    foreign_fields,
    own_routes,
    owned_fields,
    owners,
    undeclared_foreign,
    undeclared_own,
    whole_structures,
    writers_by_path,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.shared_fields import to_apply
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import Tolerated
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change

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
        return self.options.settings(self.declared.who)

    @cached_property
    def expected(self) -> Tolerated:
        """Who may write where in this object."""
        return self.options.expected(self.declared.who, self.declared.declared)

    @cached_property
    def target(self) -> Target:
        """The target without what is left to others."""
        whole, options = self.declared, self.options
        kept = to_apply(
            whole.declared, self.live, options.our_managers, options.manager, whole.structure, self.expected
        )
        return whole if kept == whole.declared else replace(whole, declared=kept)

    def of(self, live: Object) -> Comparison:
        """The same declaration and another state of the object."""
        return replace(self, live=live)

    @property
    def values(self) -> Verdict:
        """Whether the values stand, and their ownership, whatever others have added."""
        target, options = self.target, self.options
        found = verdict(self.live, target.declared, options.manager, target.structure, adopt=options.adopt)
        return Verdict.UNSURE if found is Verdict.STANDS and self.is_contested else found

    @cached_property
    def verdict(self) -> Verdict:
        """Whether anything is to be done, as far as reading tells."""
        found = self.values
        if found is not Verdict.DIFFERS and self.is_headless:
            return Verdict.DIFFERS
        return Verdict.UNSURE if found is Verdict.STANDS and self.foreign else found

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
        return self.settings.exclusive and contested(
            self.live, target.declared, self.options.our_managers, target.structure, self.expected
        )

    @property
    def is_headless(self) -> bool:
        """A Service that others made headless, or that was declared so once: the API server keeps it so."""
        if not explained.headless(self.target.declared, self.live):
            return False
        return self.settings.exclusive or _CLUSTER_IP in own_routes(self.live, self.options.manager)

    @property
    def digest(self) -> str:
        """One text for this declaration, in this state of the object, applied in this way."""
        settings, options = self.settings, self.options
        ignored = [str(row) for row in options.ignored]
        how = [options.manager, options.adopt, settings.exclusive, settings.force_conflicts, *ignored]
        return digest(self.live, self.target.declared, *how, *sorted(options.our_managers))

    @cached_property
    def managers(self) -> dict[str, str]:
        """Who wrote what stands at a path and is not ours."""
        return writers_by_path(self.live, self.options.our_managers)

    @property
    def foreign_paths(self) -> list[tuple[str, str]]:
        return foreign_fields(self.live, self.options.our_managers)

    @property
    def dropped(self) -> list[Route]:
        """What was declared once and is no more."""
        target = self.target
        return undeclared_own(self.live, target.declared, self.options.manager, target.structure)

    @property
    def doomed(self) -> list[Route]:
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
            for one in unkept(target.declared, self.live, target.structure)
            for path in [route_path(one.route)]
        ]
        return (*lost, *self.removals(self.foreign_structures))

    def notes(self, final: Object) -> tuple[str, ...]:
        """What the declaration has dropped and stays, and what it says and the server has not kept."""
        # the values are not told: one of them may be a secret
        not_kept = [
            f"{self.target.who}: {route_path(one.route)} was sent and not kept: the API server or an admission webhook "
            "sets another value"
            for one in unkept(self.target.declared, final, self.target.structure)[:NOTED]
        ]
        return (*self._kept_by_others(final), *not_kept)

    def _kept_by_others(self, final: Object) -> list[str]:
        if self.settings.exclusive:
            # removed, or spoken of where it cannot be
            return []
        ours = {*self.options.our_managers, *LEGACY_MANAGERS}
        everybody = owners(final)
        found = []
        for route in self.dropped:
            path = route_path(route)
            below = [names - ours for one, names in everybody.items() if one[: len(route)] == route]
            others = sorted({name for names in below for name in names if not self.expected.expects(name, path)})
            if others and value_at(final, route) is not None:
                told = f"{path} is declared no more and stays: {', '.join(others)} owns it as well"
                found.append(f"{self.target.who}: {told}")
        return found


def writers_at(path: str, managers: Mapping[str, str]) -> str:
    """Who wrote what stands at, above or below this path."""
    return ", ".join(sorted({manager for place, manager in managers.items() if _same_place(place, path)}))


def _same_place(one: str, other: str) -> bool:
    return one == other or one.startswith((f"{other}.", f"{other}[")) or other.startswith((f"{one}.", f"{one}["))
