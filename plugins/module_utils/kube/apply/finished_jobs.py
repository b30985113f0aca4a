# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs that delete themselves (ttlSecondsAfterFinished), and the record that keeps them from running again."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from ...errors import ServiceError
from ...plan import Plan
from ...task import Task
from ..client import Kube
from ..config_digest import as_mapping
from ..manifests import Object, ObjectRef, object_ref
from ..readiness.reasons import condition_of, is_condition_true, time_of
from .options import ObjectOutcome
from .requests import MERGE_PATCH, Target, map_concurrently

RECORD = "mcpops-finished-jobs"
APPLIED, COMPLETE, FAILED, UNSEEN = "applied", "complete", "failed", "unseen"

# what Kubernetes lets one change while a Job runs (ValidateJobSpecUpdate): it is how the Job runs, not what it does
_MUTABLE = frozenset({"ttlSecondsAfterFinished", "suspend", "parallelism", "activeDeadlineSeconds", "backoffLimit"})
_SLACK = timedelta(seconds=2)
_STATES = frozenset({APPLIED, COMPLETE, FAILED, UNSEEN})
# ttlSecondsAfterFinished is an int32
_LONGEST = 2**31 - 1


@dataclass(frozen=True)
class JobEntry:
    """What is known of one Job's last run."""

    digest: str
    state: str = APPLIED
    """How it ended, as far as it was seen."""
    ttl: int = 0
    finished: str = ""
    uid: str = ""
    version: str = ""
    """The resourceVersion that it was last seen at: from there on the API server can be asked what became of it."""
    bundle: str = ""


def is_job(ref: ObjectRef) -> bool:
    return ref.group == "batch" and ref.kind == "Job"


def cleans_itself_up(job: Mapping[str, Any]) -> bool:
    return as_mapping(job.get("spec")).get("ttlSecondsAfterFinished") is not None


def has_ended(job: Object) -> bool:
    return is_condition_true(job, "Complete") or is_condition_true(job, "Failed")


def job_digest(declared: Object, uid: str) -> str:
    """Of what the declaration has the Job do, keyed with the uid of the Job that did it.

    The declaration may hold values of environment variables: those of two Jobs cannot be compared by their digests, nor
    looked up in a table.
    """
    spec = {key: value for key, value in as_mapping(declared.get("spec")).items() if key not in _MUTABLE}
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return hmac.new(uid.encode(), text.encode(), hashlib.sha256).hexdigest()[:40]


def entry_of(declared: Object, live: Object, bundle: str | None) -> JobEntry:
    """The entry of a Job as it stands, or stood when the API server saw it last."""
    metadata, status = live["metadata"], live.get("status") or {}
    uid = str(metadata.get("uid") or "")
    complete, failed = condition_of(live, "Complete"), condition_of(live, "Failed")
    state = (
        COMPLETE if is_condition_true(live, "Complete") else FAILED if is_condition_true(live, "Failed") else APPLIED
    )
    ended = status.get("completionTime") or ((complete or failed or {}).get("lastTransitionTime"))
    return JobEntry(
        digest=job_digest(declared, uid),
        state=state,
        ttl=int((live.get("spec") or {}).get("ttlSecondsAfterFinished") or 0),
        finished=str(ended or "") if state != APPLIED else "",
        uid=uid,
        version=str(metadata.get("resourceVersion") or ""),
        bundle=bundle or "",
    )


def has_news(entry: JobEntry, known: JobEntry | None) -> bool:
    """Whether an entry says something that the record does not; a version alone is no news."""
    return known is None or entry != replace(known, version=entry.version, finished=entry.finished)


def has_run(entry: JobEntry | None, declared: Object, now: datetime | None) -> bool:
    """Whether a Job that is missing is missing because it has done what is declared, and cleaned itself up.

    One that failed is tried again; so is one that went before its time, which nobody but a person deletes.
    """
    if entry is None or entry.digest != job_digest(declared, entry.uid) or entry.state == FAILED:
        return False
    if not entry.finished or now is None:
        return True
    return now - time_of(entry.finished) >= timedelta(seconds=entry.ttl) - _SLACK


def already_ran_note(ref: ObjectRef, entry: JobEntry) -> str:
    """Why nothing is done about a Job that is missing."""
    ttl = f"its ttlSecondsAfterFinished ({entry.ttl}) has removed it since"
    if entry.state == COMPLETE:
        return f"{ref}: has completed at {entry.finished or 'an unknown time'}; {ttl}, so it is not run again"
    return (
        f"{ref}: was applied and {ttl}; how it ended is not known, and it is not run again. To run it again, take its "
        f"key out of ConfigMap {ref.namespace}/{RECORD}"
    )


def parse_record(record: Mapping[str, Any] | None) -> dict[str, JobEntry]:
    """The entries of a record by the Job's name; one that is not as we write it (an edit by hand) is none."""
    known = {one.name for one in fields(JobEntry)}
    found = {}
    for name, text in ((record or {}).get("data") or {}).items():
        try:
            content = json.loads(text)
            entry = JobEntry(**{key: value for key, value in content.items() if key in known})
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        if _is_sound(entry):
            found[str(name)] = entry
    return found


def _is_sound(entry: JobEntry) -> bool:
    texts = [value for name, value in asdict(entry).items() if name != "ttl"]
    if not all(isinstance(text, str) for text in texts) or entry.state not in _STATES:
        return False
    if isinstance(entry.ttl, bool) or not isinstance(entry.ttl, int) or not 0 <= entry.ttl <= _LONGEST:
        return False
    try:
        return not entry.finished or bool(time_of(entry.finished))
    except ValueError:
        return False


def record_body(namespace: str) -> Object:
    """The ConfigMap, still without entries."""
    about = "Jobs that k8s_objects has run and that have cleaned themselves up: they are not run again."
    metadata = {
        "name": RECORD,
        "namespace": namespace,
        "labels": {"app.kubernetes.io/managed-by": "mcpops"},
        "annotations": {"mcpops.io/about": about},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def record_data(entries: Mapping[str, JobEntry | None]) -> dict[str, str | None]:
    """The part of the ConfigMap's data that says so; None takes an entry out."""
    return {
        name: json.dumps({key: value for key, value in asdict(entry).items() if value != ""}) if entry else None
        for name, entry in entries.items()
    }


def last_state(stream: bytes, uid: str) -> Object | None:
    """How a Job of this uid stood at its end, from the answer to a watch that began before it."""
    found = None
    for line in stream.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        item = event.get("object") or {}
        if event.get("type") in ("MODIFIED", "DELETED") and (item.get("metadata") or {}).get("uid") == uid:
            found = item
    return found


_NO_ENTRY = JobEntry("", "")


class JobRecord:
    """What one run knows of the Jobs of a bundle; nothing is asked while there are none that clean themselves up."""

    def __init__(self, kube: Kube, task: Task, bundle: str | None, *, dry: bool) -> None:
        self._kube = kube
        self._task = task
        self._bundle = bundle
        self._dry = dry
        self._known: dict[str, dict[str, JobEntry]] = {}
        self._jobs: dict[ObjectRef, Target] = {}
        self._seen: dict[ObjectRef, Object] = {}
        self._notes: dict[ObjectRef, str] = {}
        self._news: set[ObjectRef] = set()

    def look(self, targets: Iterable[Target], live: Mapping[ObjectRef, Object], also: Collection[str] = ()) -> None:
        """Read the records that matter: of Jobs that are missing or clean themselves up, and of namespaces `also`."""
        for target in targets:
            if is_job(target.ref) and target.ref.namespace:
                self._jobs[target.ref] = target
        wanted = {
            str(ref.namespace)
            for ref, target in self._jobs.items()
            if _gone(live.get(ref)) or cleans_itself_up(target.declared) or cleans_itself_up(live.get(ref) or {})
        }
        self._known = read_records(self._kube, {*wanted, *also})
        self._ask_about(
            [
                target
                for ref, target in self._jobs.items()
                if _gone(live.get(ref)) and (self._entry(ref) or _NO_ENTRY).state == APPLIED
            ]
        )

    def _ask_about(self, missing: list[Target]) -> None:
        """How Jobs have ended that an earlier run applied and did not wait for, while the API server remembers it."""
        news: dict[ObjectRef, JobEntry] = {}
        for target, entry in [(one, self._entry(one.ref)) for one in missing]:
            if entry is None:
                continue
            known = {"metadata": {"uid": entry.uid, "resourceVersion": entry.version}}
            last = last_seen_job(self._kube, target, known)
            now = replace(entry, state=UNSEEN)
            if last is not None and has_ended(last):
                now = replace(entry_of(target.declared, last, entry.bundle), digest=entry.digest)
            self._known[str(target.ref.namespace)][target.ref.name] = now
            news[target.ref] = now
        self._news.update(news)
        self._write_all(news)

    def has_run(self, target: Target, live: Object | None) -> ObjectOutcome | None:
        """The outcome of a Job that is missing (or on its way out) because it has done its work."""
        if target.ref not in self._jobs or not _gone(live):
            return None
        entry = self._entry(target.ref)
        if entry is None or not has_run(entry, target.declared, self._kube.now):
            return None
        self._notes[target.ref] = f"{already_ran_note(target.ref, entry)}."
        return ObjectOutcome(target.ref, Plan(str(target.ref)))

    def explained(self, outcome: ObjectOutcome, *, changed: bool) -> ObjectOutcome:
        """The outcome with a note of why a Job is missing, where it is news or the run has `changed` something.

        A run that finds everything as before has nothing to say.
        """
        note = self._notes.get(outcome.ref)
        if note is None or not (changed or outcome.ref in self._news):
            return outcome
        return replace(outcome, plan=outcome.plan.with_notes(note))

    def remember(self, outcomes: Iterable[ObjectOutcome]) -> None:
        """Keep what these outcomes show of Jobs that clean themselves up."""
        shown = {one.ref: one.live for one in outcomes if one.ref in self._jobs and one.failure is None and one.live}
        self._seen.update({ref: live for ref, live in shown.items() if cleans_itself_up(live)})
        self._save(self._seen)

    def saw(self, objects: Iterable[Object]) -> None:
        """Keep how these objects stood when they were waited for; of Jobs that are gone, nobody can read it again."""
        found = {object_ref(item): item for item in objects}
        self._seen.update({ref: item for ref, item in found.items() if ref in self._seen})
        self._save(self._seen)

    def conclude(self) -> None:
        """Look how the other Jobs of this run have ended, also when they were waited for in vain."""
        open_ones = [ref for ref in self._seen if (self._entry(ref) or _NO_ENTRY).state == APPLIED]
        ended = map_concurrently(lambda ref: last_seen_job(self._kube, self._jobs[ref], self._seen[ref]), open_ones)
        self._seen.update({ref: live for ref, live in zip(open_ones, ended) if live is not None})
        self._save(self._seen)

    def forget_undeclared(self) -> None:
        """Drop the bundle's entries of Jobs that it declares no more, as pruning would delete those that stand."""
        for namespace, entries in self._known.items():
            declared = {ref.name for ref in self._jobs if ref.namespace == namespace}
            gone = [name for name, one in entries.items() if one.bundle == self._bundle and name not in declared]
            self._write(namespace, dict.fromkeys(gone))

    def _entry(self, ref: ObjectRef) -> JobEntry | None:
        return self._known.get(str(ref.namespace), {}).get(ref.name)

    def _save(self, seen: Mapping[ObjectRef, Object]) -> None:
        found = {ref: entry_of(self._jobs[ref].declared, live, self._bundle) for ref, live in seen.items()}
        self._write_all({ref: entry for ref, entry in found.items() if has_news(entry, self._entry(ref))})

    def _write_all(self, news: Mapping[ObjectRef, JobEntry]) -> None:
        for namespace in {str(ref.namespace) for ref in news}:
            self._write(namespace, {ref.name: one for ref, one in news.items() if str(ref.namespace) == namespace})

    def _write(self, namespace: str, entries: Mapping[str, JobEntry | None]) -> None:
        if not entries or self._dry:
            return
        write_record(self._kube, self._task, namespace, entries)
        known = {**self._known.get(namespace, {}), **entries}
        self._known[namespace] = {name: entry for name, entry in known.items() if entry is not None}


def read_records(kube: Kube, namespaces: Collection[str]) -> dict[str, dict[str, JobEntry]]:
    """The records of these namespaces; who may not read ConfigMaps has none."""
    ordered = sorted(namespaces)
    return dict(zip(ordered, map_concurrently(lambda namespace: _read(kube, namespace), ordered)))


def forget_jobs(kube: Kube, task: Task, jobs: Iterable[ObjectRef]) -> None:
    """Jobs that were deleted run again when they are declared again."""
    wanted: dict[str, set[str]] = {}
    for ref in jobs:
        if is_job(ref) and ref.namespace:
            wanted.setdefault(ref.namespace, set()).add(ref.name)
    for namespace, entries in read_records(kube, wanted).items():
        gone: dict[str, JobEntry | None] = dict.fromkeys(wanted[namespace] & set(entries))
        if gone:
            write_record(kube, task, namespace, gone)


def write_record(kube: Kube, task: Task, namespace: str, entries: Mapping[str, JobEntry | None]) -> None:
    """Change these entries and no others: several runs may be at work in a namespace."""
    data = record_data(entries)
    where = f"/api/v1/namespaces/{namespace}/configmaps"
    action = f"remember in ConfigMap {namespace}/{RECORD} which Jobs have run"
    patch: dict[str, Any] = {"body": {"data": data}, "content_type": MERGE_PATCH, "action": action}
    query = {"fieldManager": "mcpops"}
    try:
        answer = kube.request("PATCH", f"{where}/{RECORD}", query=query, accept_status=(404,), **patch)
        if answer.status == 404 and any(data.values()):
            whole = {**record_body(namespace), "data": {name: text for name, text in data.items() if text}}
            made = kube.request("POST", where, query=query, body=whole, accept_status=(409,), action=action)
            if made.status == 409:
                kube.request("PATCH", f"{where}/{RECORD}", query=query, **patch)
    except ServiceError as refused:
        # the objects are as declared; what is lost is only the memory of it
        task.warn(f"{refused} Without it these Jobs run again once they have cleaned themselves up: {', '.join(data)}.")


def last_seen_job(kube: Kube, target: Target, known: Object) -> Object | None:
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
            target.resource.path(target.ref.namespace),
            query={
                "watch": "true",
                "fieldSelector": f"metadata.name={target.ref.name}",
                "resourceVersion": metadata.get("resourceVersion", ""),
                "timeoutSeconds": 1,
            },
            check=False,
            quiet=True,
        )
    except ServiceError:
        return None
    return last_state(watched.body, str(metadata.get("uid"))) if watched.status == 200 else None


def _read(kube: Kube, namespace: str) -> dict[str, JobEntry]:
    where = f"/api/v1/namespaces/{namespace}/configmaps/{RECORD}"
    answer = kube.request("GET", where, accept_status=(403, 404), action=f"read ConfigMap {namespace}/{RECORD}")
    return parse_record(answer.json()) if answer.status == 200 else {}


def _gone(live: Object | None) -> bool:
    return live is None or bool(live["metadata"].get("deletionTimestamp"))
