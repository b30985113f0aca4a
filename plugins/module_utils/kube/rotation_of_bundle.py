# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workloads of a bundle and what their pods use: one run changes a Secret and rolls the pods that use it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ansible_collections.mcpops.platform.plugins.module_utils.kube import rotation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.config_digest import Content, Record
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ignored import ignored_paths
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome, ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.references import Reference
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import tolerated
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

OPTION = "roll_on_config_change"


class BundleRotation:
    """The records of a bundle's workloads. `beside` is to be read with the bundle's own objects."""

    def __init__(self, kube: Kube, task: Task, options: BundleOptions, targets: Sequence[Target], *, dry: bool) -> None:
        self._task = task
        self._options = options
        self._dry = dry
        self._declared = {target.who: target.declared for target in targets}
        self._memory = rotation.Memory(kube, task)
        self._used: dict[Identity, tuple[Reference, ...]] = {}
        self._frozen: set[Identity] = set()
        self._covered: dict[str, list[Identity]] = {}
        for target in targets:
            if not rotation.has_template(target.who):
                continue
            used_by_pods = rotation.used_by(target.declared)
            if not options.settings(target.who).roll_on_config_change:
                self._frozen.add(target.who)
            elif used_by_pods and (row := _covering(options, target.who, rotation.RECORD_PATH)):
                # what nobody looks at is not written either: the record could not reach the pods
                self._frozen.add(target.who)
                self._covered.setdefault(row, []).append(target.who)
            else:
                self._used[target.who] = used_by_pods
        self.beside = [
            held
            for who, used in self._used.items()
            for held in rotation.held_in(who.namespace, used)
            if held.who not in self._declared
        ]
        # later tasks of a check mode run may ask for what this bundle makes of any of them
        used = {rotation.identity_of(who.namespace, one) for who, all_of in self._used.items() for one in all_of}
        self._wanted = used | ({who for who in self._declared if rotation.is_held(who)} if task.check_mode else set())
        self._before: dict[Identity, Content | None] = {}
        self._planned: dict[Identity, Content | None] = {}
        self._leaving: tuple[Identity, ...] = ()
        self._records: dict[Identity, Record] = {}

    def found(
        self, live: Mapping[Identity, Object], unreadable: Collection[Identity], leaving: Iterable[Identity]
    ) -> None:
        """What was read before anything is changed, and what the bundle will delete."""
        self._before = rotation.contents(self._wanted, live, unreadable)
        self._planned = self._memory.recall(self._before)
        self._leaving = tuple(leaving)
        if unreadable:
            self._task.warn(rotation.unreadable_warning(unreadable, OPTION))
        for path, workloads in self._covered.items():
            self._task.warn(rotation.covered_warning(path, workloads, OPTION))

    def recorded(
        self, group: list[Target], live: Mapping[Identity, Object], done: Mapping[Identity, ObjectOutcome]
    ) -> list[Target]:
        """The workloads of a phase with their records; all that their pods use has had its turn before."""
        if not any(target.who in self._used or target.who in self._frozen for target in group):
            return group
        around = rotation.Surroundings(self._now(done.values()), self._before)
        return [self._with_record(target, live.get(target.who), around) for target in group]

    def explained(self, outcome: ObjectOutcome) -> ObjectOutcome:
        """The outcome with a note of what makes it replace pods."""
        record = self._records.get(outcome.who)
        if record is None or not record.rolled or outcome.failure is not None or not outcome.plan.changed:
            return outcome
        stands = outcome.live if outcome.live is not None else self._declared[outcome.who]
        note = rotation.told(outcome.who, record, dry=self._dry, kept=rotation.kept_by(stands))
        return replace(outcome, plan=outcome.plan.with_notes(note))

    def remember(self, outcome: BundleOutcome) -> None:
        """Let later tasks of a check mode run know what this one would change."""
        if self._task.check_mode:
            self._memory.remember(self._before, self._now(outcome.outcomes))

    def _now(self, outcomes: Iterable[ObjectOutcome]) -> dict[Identity, Content | None]:
        wanted = [one for one in outcomes if one.who in self._wanted]
        after = rotation.after_bundle(wanted, self._declared, dry=self._dry)
        gone = dict.fromkeys(who for who in self._leaving if who in self._wanted)
        return {**self._before, **self._planned, **gone, **after}

    def _with_record(self, target: Target, live: Object | None, around: rotation.Surroundings) -> Target:
        who = target.who
        standing = rotation.standing_of(live)
        if who in self._frozen and standing is not None:
            return replace(target, declared=rotation.with_record(target.declared, standing.kept()))
        if who not in self._used:
            return target
        record = rotation.record_for(who.namespace, self._used[who], around, standing)
        self._records[who] = record
        if record.beside and (row := _covering(self._options, who, rotation.BESIDE_PATH)):
            self._task.warn(rotation.covered_warning(row, [who], OPTION))
        return replace(target, declared=rotation.with_record(target.declared, record))


def _covering(options: BundleOptions, who: Identity, record: str) -> str:
    """The path of ignore_differences that covers this place of the record, if there is one."""
    for path in ignored_paths(options.ignored, who.kind, who.name):
        if tolerated(who.kind, paths=(path,)).is_ignored(record):
            return path
    return ""
