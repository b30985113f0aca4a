# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a bundle is applied."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.mcpops.platform.plugins.module_utils.kube.conditions import Condition
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ignored import (
    IgnoredDifference,
    ignored_paths,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.object_options import (
    NEVER,
    ObjectOptions,
    Settings,
    settings_for,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import FIELD_MANAGER, REPLACING_MANAGER
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import Tolerated, Writer, tolerated


@dataclass(frozen=True)
class Pruning:
    """What is deleted because the bundle declares it no more.

    `max_percent`: more than this share of the bundle's objects is refused. `wait`: until they are gone.
    """

    max_percent: int = 50
    wait: bool = False


@dataclass(frozen=True)
class BundleOptions:
    """How a bundle is applied.

    `exclusive`: leaves of substance that other managers wrote are drift; declared ones are taken back, others
    removed. `our_managers` are those whose leaves are not foreign. `roll_on_config_change`: pods follow the Secrets and
    ConfigMaps that they use. `per_object` rows change this, force_conflicts, exclusive and recreate for the objects
    they choose. A row of `wait_conditions` that fits no object is refused. `propagation` is Kubernetes'
    propagationPolicy for what is deleted on the way. `bundle` is the name in the label of objects that belong together.
    `ignored` are paths that a user named: neither compared nor written. `writers` are rows beside the common ones of
    who may write where. Without `adopt` the values alone count, whoever owns them. `remedy` is what helps where an
    object cannot be changed in place.
    """

    subject: str = "objects"
    namespace: str | None = None
    force_conflicts: bool = False
    exclusive: bool = False
    recreate: str = NEVER
    roll_on_config_change: bool = True
    per_object: tuple[ObjectOptions, ...] = ()
    manager: str = FIELD_MANAGER
    our_managers: frozenset[str] = field(default_factory=lambda: frozenset({FIELD_MANAGER, REPLACING_MANAGER}))
    wait_timeout: float = 120.0
    wait_conditions: tuple[Condition, ...] = ()
    propagation: str = "Background"
    bundle: str | None = None
    pruning: Pruning | None = None
    ignored: tuple[IgnoredDifference, ...] = ()
    writers: tuple[Writer, ...] = ()
    adopt: bool = True
    remedy: str = ""

    def expected(self, who: Identity, declared: Object) -> Tolerated:
        """Who may write where in this object."""
        paths = tuple(ignored_paths(self.ignored, who.kind, who.name))
        return tolerated(who.kind, self.writers, paths, frozenset(declared))

    def settings(self, who: Identity) -> Settings:
        """What holds for this object."""
        whole = Settings(self.force_conflicts, self.exclusive, self.recreate, self.roll_on_config_change)
        return settings_for(self.per_object, whole, who) if self.per_object else whole
