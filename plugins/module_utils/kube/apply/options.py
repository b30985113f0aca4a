# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a bundle is applied, for all objects or for some, and what became of each object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ...errors import Failure, ServiceError
from ...plan import Plan
from ...text import listed
from ..fields import FIELD_MANAGER, REPLACING_MANAGER
from ..manifests import Object, ObjectRef, ObjectSelector
from ..readiness.judge import Condition
from ..writers import IgnoredDifference, Tolerated, Writer, ignored_paths, tolerated

OPTION = "object_options"
NEVER, ON_IMMUTABLE = "never", "on_immutable"


@dataclass(frozen=True)
class Settings:
    """How one object is applied.

    `force_conflicts`: declared fields of other managers are taken over. `exclusive`: what others wrote is drift.
    `recreate`: `never`, or `on_immutable` to delete and create anew what cannot be changed in place.
    `roll_on_config_change`: pods are replaced when a Secret or ConfigMap that they use has changed. `wait`: where the
    bundle is waited for, so is this object.
    """

    force_conflicts: bool = False
    exclusive: bool = False
    recreate: str = NEVER
    roll_on_config_change: bool = True
    wait: bool = True


@dataclass(frozen=True)
class ObjectOptions(ObjectSelector):
    """One row of the option: for which objects, and what holds for them instead of what holds for the bundle."""

    settings: Mapping[str, Any] = field(default_factory=dict)


def object_options(options: Sequence[Mapping[str, Any]] | None) -> tuple[ObjectOptions, ...]:
    """The rows as they were validated by the argument spec."""
    return tuple(
        ObjectOptions(
            row.get("kind"),
            row.get("name"),
            row.get("namespace"),
            {one.name: row[one.name] for one in fields(Settings) if row.get(one.name) is not None},
        )
        for row in options or []
    )


def settings_for(rows: Iterable[ObjectOptions], whole: Settings, ref: ObjectRef) -> Settings:
    """The settings of one object: those of the whole bundle, changed by each row that chooses it; the last one wins."""
    chosen = [row.settings for row in rows if row.fits(ref)]
    return replace(whole, **{name: value for settings in chosen for name, value in settings.items()})


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

    def expected(self, ref: ObjectRef, declared: Object) -> Tolerated:
        """Who may write where in this object."""
        paths = tuple(ignored_paths(self.ignored, ref.kind, ref.name))
        return tolerated(ref.kind, self.writers, paths, frozenset(declared))

    def settings(self, ref: ObjectRef) -> Settings:
        """What holds for this object."""
        whole = Settings(self.force_conflicts, self.exclusive, self.recreate, self.roll_on_config_change)
        return settings_for(self.per_object, whole, ref) if self.per_object else whole


@dataclass(frozen=True)
class ObjectOutcome:
    """One object: its plan, how it stands (or would stand) now, and why it does not.

    `pruned`: it was not declared, and went for that.
    """

    ref: ObjectRef
    plan: Plan
    live: Object | None = None
    failure: Failure | None = None
    pruned: bool = False


def not_reached(ref: ObjectRef, failure: ServiceError, doing: str) -> ObjectOutcome:
    """The outcome of an object whose API does not answer; the failure is its own, to be reported with its name."""
    own = ServiceError(
        f"{doing} {ref}",
        failure.reason,
        code=failure.code,
        status=failure.status,
        hint=failure.hint,
        body=failure.body,
    )
    return ObjectOutcome(ref, Plan(str(ref)), failure=own)


@dataclass(frozen=True)
class BundleOutcome:
    """All objects in the order of their declaration, then those that were pruned; `notes` are about the whole."""

    outcomes: tuple[ObjectOutcome, ...]
    notes: tuple[str, ...] = ()

    @property
    def plans(self) -> tuple[Plan, ...]:
        plans = tuple(outcome.plan for outcome in self.outcomes if outcome.failure is None)
        return (*plans, Plan("bundle", notes=self.notes)) if self.notes else plans

    @property
    def objects(self) -> list[Object]:
        """The objects as they stand now (in check mode: as they would), without those that could not be read."""
        return [outcome.live for outcome in self.outcomes if outcome.live is not None and outcome.failure is None]

    @property
    def failures(self) -> tuple[ObjectOutcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.failure is not None)

    @property
    def changed(self) -> bool:
        return any(plan.changed for plan in self.plans)

    def rows(self) -> list[dict[str, Any]]:
        """One short row an object for a task's result."""
        return [
            {
                "api_version": outcome.ref.api_version,
                "kind": outcome.ref.kind,
                "name": outcome.ref.name,
                **({"namespace": outcome.ref.namespace} if outcome.ref.namespace else {}),
                "changed": outcome.plan.changed and outcome.failure is None,
                **({"pruned": True} if outcome.pruned else {}),
                **({"error": outcome.failure.message()} if outcome.failure is not None else {}),
            }
            for outcome in self.outcomes
        ]

    def summary(self, subject: str = "objects", deleted: bool = False) -> str:
        changed = [plan for plan in self.plans if plan.changed]
        if not changed:
            return f"{len(self.outcomes)} {subject} as declared"
        if len(changed) == 1 and not deleted:
            return changed[0].summary()
        names = listed([plan.subject for plan in changed], 5)
        return f"{len(changed)} of {len(self.outcomes)} {subject} {'deleted' if deleted else 'changed'}: {names}"

    def raise_failures(self, action: str) -> None:
        """Fail with every failure at once; what did succeed is in the error's values."""
        failed = self.failures
        if not failed:
            return
        # what was made anew halfway is changed although it failed
        changed = self.changed or any(one.failure and one.failure.values.get("changed") for one in failed)
        values = {"changed": changed, "objects": self.rows()}
        if self.notes:
            values["notes"] = list(self.notes)
        first = failed[0].failure
        if len(failed) == 1 and first is not None:
            first.values.update(values)
            raise first
        listed = "\n".join(f"  {number}. {outcome.failure}" for number, outcome in enumerate(failed, 1))
        raise ServiceError(
            action,
            f"{len(failed)} of {len(self.outcomes)} objects failed, the others were dealt with:\n{listed}\n",
            values=values,
        )
