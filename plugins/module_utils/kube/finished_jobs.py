# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs that clean themselves up (ttlSecondsAfterFinished) and are not to run again for that. Pure.

Once such a Job is gone nothing in the cluster tells that it ever ran. So its namespace has a ConfigMap with an entry a
Job: a digest of what was to be done, and how it ended. Another declaration of the same name is another Job, and runs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.references import mapping
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import condition, holds, time_of

RECORD = "mcpops-finished-jobs"
APPLIED, COMPLETE, FAILED, UNSEEN = "applied", "complete", "failed", "unseen"

# what Kubernetes lets one change while a Job runs (ValidateJobSpecUpdate): it is how the Job runs, not what it does
_MUTABLE = frozenset({"ttlSecondsAfterFinished", "suspend", "parallelism", "activeDeadlineSeconds", "backoffLimit"})
_SLACK = timedelta(seconds=2)
_STATES = frozenset({APPLIED, COMPLETE, FAILED, UNSEEN})
# ttlSecondsAfterFinished is an int32
_LONGEST = 2**31 - 1


@dataclass(frozen=True)
class Entry:
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


def is_job(who: Identity) -> bool:
    return who.group == "batch" and who.kind == "Job"


def cleans_itself_up(job: Mapping[str, Any]) -> bool:
    return mapping(job.get("spec")).get("ttlSecondsAfterFinished") is not None


def has_ended(job: Object) -> bool:
    return holds(job, "Complete") or holds(job, "Failed")


def digest(declared: Object, uid: str) -> str:
    """Of what the declaration has the Job do, keyed with the uid of the Job that did it.

    The declaration may hold values of environment variables: those of two Jobs cannot be compared by their digests, nor
    looked up in a table.
    """
    spec = {key: value for key, value in mapping(declared.get("spec")).items() if key not in _MUTABLE}
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return hmac.new(uid.encode(), text.encode(), hashlib.sha256).hexdigest()[:40]


def seen(declared: Object, live: Object, bundle: str | None) -> Entry:
    """The entry of a Job as it stands, or stood when the API server saw it last."""
    metadata, status = live["metadata"], live.get("status") or {}
    uid = str(metadata.get("uid") or "")
    complete, failed = condition(live, "Complete"), condition(live, "Failed")
    state = COMPLETE if holds(live, "Complete") else FAILED if holds(live, "Failed") else APPLIED
    ended = status.get("completionTime") or ((complete or failed or {}).get("lastTransitionTime"))
    return Entry(
        digest=digest(declared, uid),
        state=state,
        ttl=int((live.get("spec") or {}).get("ttlSecondsAfterFinished") or 0),
        finished=str(ended or "") if state != APPLIED else "",
        uid=uid,
        version=str(metadata.get("resourceVersion") or ""),
        bundle=bundle or "",
    )


def news(entry: Entry, known: Entry | None) -> bool:
    """Whether an entry says something that the record does not; a version alone is no news."""
    return known is None or (entry.digest, entry.state, entry.uid, entry.ttl, entry.bundle) != (
        known.digest,
        known.state,
        known.uid,
        known.ttl,
        known.bundle,
    )


def has_run(entry: Entry | None, declared: Object, now: datetime | None) -> bool:
    """Whether a Job that is missing is missing because it has done what is declared, and cleaned itself up.

    One that failed is tried again; so is one that went before its time, which nobody but a person deletes.
    """
    if entry is None or entry.digest != digest(declared, entry.uid) or entry.state == FAILED:
        return False
    if not entry.finished or now is None:
        return True
    return now - time_of(entry.finished) >= timedelta(seconds=entry.ttl) - _SLACK


def told(who: Identity, entry: Entry) -> str:
    """Why nothing is done about a Job that is missing."""
    ttl = f"its ttlSecondsAfterFinished ({entry.ttl}) has removed it since"
    if entry.state == COMPLETE:
        return f"{who}: has completed at {entry.finished or 'an unknown time'}; {ttl}, so it is not run again"
    return (
        f"{who}: was applied and {ttl}; how it ended is not known, and it is not run again. To run it again, take its "
        f"key out of ConfigMap {who.namespace}/{RECORD}"
    )


def parse(record: Mapping[str, Any] | None) -> dict[str, Entry]:
    """The entries of a record by the Job's name; one that is not as we write it (an edit by hand) is none."""
    known = {one.name for one in fields(Entry)}
    found = {}
    for name, text in ((record or {}).get("data") or {}).items():
        try:
            content = json.loads(text)
            entry = Entry(**{key: value for key, value in content.items() if key in known})
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        if _is_sound(entry):
            found[str(name)] = entry
    return found


def _is_sound(entry: Entry) -> bool:
    texts = [value for name, value in asdict(entry).items() if name != "ttl"]
    if not all(isinstance(text, str) for text in texts) or entry.state not in _STATES:
        return False
    if isinstance(entry.ttl, bool) or not isinstance(entry.ttl, int) or not 0 <= entry.ttl <= _LONGEST:
        return False
    try:
        return not entry.finished or bool(time_of(entry.finished))
    except ValueError:
        return False


def body(namespace: str) -> Object:
    """The ConfigMap, still without entries."""
    about = "Jobs that k8s_objects has run and that have cleaned themselves up: they are not run again."
    metadata = {
        "name": RECORD,
        "namespace": namespace,
        "labels": {"app.kubernetes.io/managed-by": "mcpops"},
        "annotations": {"mcpops.io/about": about},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def data(entries: Mapping[str, Entry | None]) -> dict[str, str | None]:
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
