# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of the objects of a bundle, one by one and as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.text import listed


@dataclass(frozen=True)
class ObjectOutcome:
    """One object: its plan, how it stands (or would stand) now, and why it does not.

    `pruned`: it was not declared, and went for that.
    """

    who: Identity
    plan: Plan
    live: Object | None = None
    failure: Failure | None = None
    pruned: bool = False


def not_reached(who: Identity, failure: ServiceError, doing: str) -> ObjectOutcome:
    """The outcome of an object whose API does not answer; the failure is its own, to be told with its name."""
    own = ServiceError(
        f"{doing} {who}",
        failure.reason,
        code=failure.code,
        status=failure.status,
        hint=failure.hint,
        body=failure.body,
    )
    return ObjectOutcome(who, Plan(str(who)), failure=own)


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
                "api_version": outcome.who.api_version,
                "kind": outcome.who.kind,
                "name": outcome.who.name,
                **({"namespace": outcome.who.namespace} if outcome.who.namespace else {}),
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
