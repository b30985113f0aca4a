# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a bundle is applied, and what holds for some of its objects only. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem
from ansible_collections.mcpops.platform.plugins.module_utils.kube.conditions import Condition
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ignored import (
    IgnoredDifference,
    ignored_paths,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import FIELD_MANAGER, REPLACING_MANAGER
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import Tolerated, Writer, tolerated

OPTION = "object_options"
NEVER, ON_IMMUTABLE = "never", "on_immutable"


@dataclass(frozen=True)
class Settings:
    """How one object is applied.

    `force_conflicts`: declared fields of other managers are taken over. `exclusive`: what others wrote is drift.
    `recreate`: `never`, or `on_immutable` to delete and create anew what cannot be changed in place.
    `roll_on_config_change`: pods are replaced when a Secret or ConfigMap that they use has changed.
    """

    force_conflicts: bool = False
    exclusive: bool = False
    recreate: str = NEVER
    roll_on_config_change: bool = True


@dataclass(frozen=True)
class ObjectOptions:
    """One row of the option: which objects, and what holds for them; None leaves it as it is for the bundle."""

    kind: str | None = None
    name: str | None = None
    namespace: str | None = None
    force_conflicts: bool | None = None
    exclusive: bool | None = None
    recreate: str | None = None
    roll_on_config_change: bool | None = None

    def chooses(self, who: Identity) -> bool:
        return all(
            wanted in (None, own)
            for wanted, own in ((self.kind, who.kind), (self.name, who.name), (self.namespace, who.namespace))
        )

    def __str__(self) -> str:
        chosen = (("kind", self.kind), ("name", self.name), ("namespace", self.namespace))
        return ", ".join(f"{key} {value}" for key, value in chosen if value is not None)


def object_options(options: Sequence[Mapping[str, Any]] | None) -> tuple[ObjectOptions, ...]:
    """The rows as they were validated by the argument spec."""
    keys = ("kind", "name", "namespace", "force_conflicts", "exclusive", "recreate", "roll_on_config_change")
    return tuple(ObjectOptions(**{key: row.get(key) for key in keys}) for row in options or [])


def settings_for(rows: Iterable[ObjectOptions], whole: Settings, who: Identity) -> Settings:
    """The settings of one object: those of the whole bundle, changed by each row that chooses it; the last one wins."""
    found = whole
    for row in rows:
        if row.chooses(who):
            found = Settings(
                found.force_conflicts if row.force_conflicts is None else row.force_conflicts,
                found.exclusive if row.exclusive is None else row.exclusive,
                row.recreate or found.recreate,
                found.roll_on_config_change if row.roll_on_config_change is None else row.roll_on_config_change,
            )
    return found


def object_option_problems(rows: Sequence[ObjectOptions], declared: Sequence[Identity]) -> list[Problem]:
    """Rows that choose nothing: a misspelt name would leave its object with the wrong setting silently."""
    return [
        Problem(f"{OPTION}[{number}]", f"no declared object has {row}")
        for number, row in enumerate(rows)
        if not any(row.chooses(who) for who in declared)
    ]


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
