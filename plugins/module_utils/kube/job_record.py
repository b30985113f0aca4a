# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading and keeping the record of finished Jobs (finished_jobs.py) while a bundle is applied or deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import finished_jobs
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import MERGE_PATCH, Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.finished_jobs import RECORD, Entry
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object, identity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import at_once
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

_NO_ENTRY = Entry("", "")


class JobRecord:
    """What one run knows of the Jobs of a bundle; nothing is asked while there are none that clean themselves up."""

    def __init__(self, kube: Kube, task: Task, bundle: str | None, *, dry: bool) -> None:
        self._kube = kube
        self._task = task
        self._bundle = bundle
        self._dry = dry
        self._known: dict[str, dict[str, Entry]] = {}
        self._jobs: dict[Identity, Target] = {}
        self._seen: dict[Identity, Object] = {}
        self._notes: dict[Identity, str] = {}
        self._news: set[Identity] = set()

    def look(self, targets: Iterable[Target], live: Mapping[Identity, Object], also: Collection[str] = ()) -> None:
        """Read the records that matter: of Jobs that are missing or clean themselves up, and of namespaces `also`."""
        for target in targets:
            if finished_jobs.is_job(target.who) and target.who.namespace:
                self._jobs[target.who] = target
        wanted = {
            str(who.namespace)
            for who, target in self._jobs.items()
            if _gone(live.get(who)) or finished_jobs.cleans_itself_up(target.declared) or _cleans_up(live.get(who))
        }
        self._known = read(self._kube, {*wanted, *also})
        self._ask_about(
            [
                target
                for who, target in self._jobs.items()
                if _gone(live.get(who)) and (self._entry(who) or _NO_ENTRY).state == finished_jobs.APPLIED
            ]
        )

    def _ask_about(self, missing: list[Target]) -> None:
        """How Jobs have ended that an earlier run applied and did not wait for, while the API server remembers it."""
        news: dict[str, dict[str, Entry | None]] = {}
        for target, entry in [(one, self._entry(one.who)) for one in missing]:
            if entry is None:
                continue
            known = {"metadata": {"uid": entry.uid, "resourceVersion": entry.version}}
            last = last_seen(self._kube, target, known)
            now = replace(entry, state=finished_jobs.UNSEEN)
            if last is not None and finished_jobs.has_ended(last):
                now = replace(finished_jobs.seen(target.declared, last, entry.bundle), digest=entry.digest)
            self._known[str(target.who.namespace)][target.who.name] = now
            self._news.add(target.who)
            news.setdefault(str(target.who.namespace), {})[target.who.name] = now
        for namespace, entries in news.items():
            self._write(namespace, entries)

    def has_run(self, target: Target, live: Object | None) -> ObjectOutcome | None:
        """The outcome of a Job that is missing (or on its way out) because it has done its work."""
        if target.who not in self._jobs or not _gone(live):
            return None
        entry = self._entry(target.who)
        if entry is None or not finished_jobs.has_run(entry, target.declared, self._kube.now):
            return None
        self._notes[target.who] = f"{finished_jobs.told(target.who, entry)}."
        return ObjectOutcome(target.who, Plan(str(target.who)))

    def explained(self, outcome: ObjectOutcome, *, changed: bool) -> ObjectOutcome:
        """The outcome with a note of why a Job is missing, where it is news or the run has `changed` something.

        A run that finds everything as before has nothing to say.
        """
        note = self._notes.get(outcome.who)
        if note is None or not (changed or outcome.who in self._news):
            return outcome
        return replace(outcome, plan=outcome.plan.with_notes(note))

    def remember(self, outcomes: Iterable[ObjectOutcome]) -> None:
        """Keep what these outcomes show of Jobs that clean themselves up."""
        shown = {one.who: one.live for one in outcomes if one.who in self._jobs and one.failure is None and one.live}
        self._seen.update({who: live for who, live in shown.items() if finished_jobs.cleans_itself_up(live)})
        self._save(self._seen)

    def saw(self, objects: Iterable[Object]) -> None:
        """Keep how these objects stood when they were waited for; of Jobs that are gone, nobody can read it again."""
        found = {identity(item): item for item in objects}
        self._seen.update({who: item for who, item in found.items() if who in self._seen})
        self._save(self._seen)

    def conclude(self) -> None:
        """Look how the other Jobs of this run have ended, also when they were waited for in vain."""
        open_ones = [who for who in self._seen if (self._entry(who) or _NO_ENTRY).state == finished_jobs.APPLIED]
        ended = at_once(lambda who: last_seen(self._kube, self._jobs[who], self._seen[who]), open_ones)
        self._seen.update({who: live for who, live in zip(open_ones, ended) if live is not None})
        self._save(self._seen)

    def forget_undeclared(self) -> None:
        """Drop the bundle's entries of Jobs that it declares no more, as pruning would delete those that stand."""
        for namespace, entries in self._known.items():
            declared = {who.name for who in self._jobs if who.namespace == namespace}
            gone = [name for name, one in entries.items() if one.bundle == self._bundle and name not in declared]
            self._write(namespace, dict.fromkeys(gone))

    def _entry(self, who: Identity) -> Entry | None:
        return self._known.get(str(who.namespace), {}).get(who.name)

    def _save(self, seen: Mapping[Identity, Object]) -> None:
        news: dict[str, dict[str, Entry | None]] = {}
        for who, live in seen.items():
            entry = finished_jobs.seen(self._jobs[who].declared, live, self._bundle)
            if finished_jobs.news(entry, self._entry(who)):
                news.setdefault(str(who.namespace), {})[who.name] = entry
        for namespace, entries in news.items():
            self._write(namespace, entries)

    def _write(self, namespace: str, entries: Mapping[str, Entry | None]) -> None:
        if not entries or self._dry:
            return
        write(self._kube, self._task, namespace, entries)
        known = self._known.setdefault(namespace, {})
        for name, entry in entries.items():
            known.pop(name, None)
            if entry is not None:
                known[name] = entry


def read(kube: Kube, namespaces: Collection[str]) -> dict[str, dict[str, Entry]]:
    """The records of these namespaces; who may not read ConfigMaps has none."""
    ordered = sorted(namespaces)
    return dict(zip(ordered, at_once(lambda namespace: _read(kube, namespace), ordered)))


def forget(kube: Kube, task: Task, jobs: Iterable[Identity]) -> None:
    """Jobs that were deleted run again when they are declared again."""
    wanted: dict[str, set[str]] = {}
    for who in jobs:
        if finished_jobs.is_job(who) and who.namespace:
            wanted.setdefault(who.namespace, set()).add(who.name)
    for namespace, entries in read(kube, wanted).items():
        gone: dict[str, Entry | None] = dict.fromkeys(wanted[namespace] & set(entries))
        if gone:
            write(kube, task, namespace, gone)


def write(kube: Kube, task: Task, namespace: str, entries: Mapping[str, Entry | None]) -> None:
    """Change these entries and no others: several runs may be at work in a namespace."""
    data = finished_jobs.data(entries)
    where = f"/api/v1/namespaces/{namespace}/configmaps"
    action = f"remember in ConfigMap {namespace}/{RECORD} which Jobs have run"
    patch: dict[str, Any] = {"body": {"data": data}, "content_type": MERGE_PATCH, "action": action}
    query = {"fieldManager": "mcpops"}
    try:
        answer = kube.request("PATCH", f"{where}/{RECORD}", query=query, accept_status=(404,), **patch)
        if answer.status == 404 and any(data.values()):
            whole = {**finished_jobs.body(namespace), "data": {name: text for name, text in data.items() if text}}
            made = kube.request("POST", where, query=query, body=whole, accept_status=(409,), action=action)
            if made.status == 409:
                kube.request("PATCH", f"{where}/{RECORD}", query=query, **patch)
    except ServiceError as refused:
        # the objects are as declared; what is lost is only the memory of it
        task.warn(f"{refused} Without it these Jobs run again once they have cleaned themselves up: {', '.join(data)}.")


def last_seen(kube: Kube, target: Target, known: Object) -> Object | None:
    """A Job as it stands or, if it is gone, as it stood at its end; None when nobody can tell any more.

    A watch from the version that was seen last tells what happened since, for as long as the API server remembers it.
    """
    try:
        live = kube.get(target.path)
        metadata = known["metadata"]
        if live is not None and live["metadata"].get("uid") == metadata.get("uid"):
            return live
        watched = kube.request(
            "GET",
            target.resource.path(target.who.namespace),
            query={
                "watch": "true",
                "fieldSelector": f"metadata.name={target.who.name}",
                "resourceVersion": metadata.get("resourceVersion", ""),
                "timeoutSeconds": 1,
            },
            check=False,
            quiet=True,
        )
    except ServiceError:
        return None
    return finished_jobs.last_state(watched.body, str(metadata.get("uid"))) if watched.status == 200 else None


def _read(kube: Kube, namespace: str) -> dict[str, Entry]:
    where = f"/api/v1/namespaces/{namespace}/configmaps/{RECORD}"
    answer = kube.request("GET", where, accept_status=(403, 404), action=f"read ConfigMap {namespace}/{RECORD}")
    return finished_jobs.parse(answer.json()) if answer.status == 200 else {}


def _gone(live: Object | None) -> bool:
    return live is None or bool(live["metadata"].get("deletionTimestamp"))


def _cleans_up(live: Object | None) -> bool:
    return live is not None and finished_jobs.cleans_itself_up(live)
