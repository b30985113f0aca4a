# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import finished_jobs
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.finished_jobs import JobEntry
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import ObjectRef

NOON = datetime(2026, 11, 29, 12, 0, 0, tzinfo=timezone.utc)


def job(ttl: int | None = 60, image: str = "a:1", **spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "main", "image": image}], "restartPolicy": "Never"}
    own = {} if ttl is None else {"ttlSecondsAfterFinished": ttl}
    metadata = {"name": "index", "namespace": "a", "uid": "u1", "resourceVersion": "7"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"template": {"spec": pod}, **own, **spec},
    }


def ended(condition: str) -> dict[str, Any]:
    when = {"type": condition, "status": "True", "lastTransitionTime": "2026-11-29T11:58:00Z"}
    return {**job(), "status": {"conditions": [when]}}


DIGEST = finished_jobs.job_digest(job(), "")
RUN: dict[str, tuple[JobEntry | None, dict[str, Any], bool]] = {
    "completed and cleaned up": (JobEntry(DIGEST, "complete", 60, "2026-11-29T11:58:00Z"), job(), True),
    "longer kept now": (JobEntry(DIGEST, "complete", 60, "2026-11-29T11:58:00Z"), job(600, backoffLimit=2), True),
    "without a time to live now": (JobEntry(DIGEST, "complete", 60, "2026-11-29T11:58:00Z"), job(None), True),
    "gone before its time": (JobEntry(DIGEST, "complete", 600, "2026-11-29T11:58:00Z"), job(600), False),
    "of another image": (JobEntry(DIGEST, "complete", 60, "2026-11-29T11:58:00Z"), job(image="a:2"), False),
    "of more completions": (JobEntry(DIGEST, "complete", 60, "2026-11-29T11:58:00Z"), job(completions=3), False),
    "failed": (JobEntry(DIGEST, "failed", 60, "2026-11-29T11:58:00Z"), job(), False),
    "ended unseen": (JobEntry(DIGEST, "unseen", 60), job(), True),
    "never run": (None, job(), False),
}


@pytest.mark.parametrize("case", RUN)
def test_what_has_run(case: str) -> None:
    entry, declared, run = RUN[case]
    assert finished_jobs.has_run(entry, declared, NOON) is run


@pytest.mark.parametrize(
    ("condition", "state"), [("Complete", "complete"), ("Failed", "failed"), ("SuccessCriteriaMet", "applied")]
)
def test_how_it_ended_is_kept(condition: str, state: str) -> None:
    entry = finished_jobs.entry_of(job(), ended(condition), "shop")
    assert (entry.state, entry.ttl, entry.uid, entry.bundle) == (state, 60, "u1", "shop")
    record = {"data": finished_jobs.record_data({"index": entry})}
    assert finished_jobs.parse_record(record) == {"index": entry}
    assert not finished_jobs.has_news(entry, finished_jobs.parse_record(record)["index"])


def test_what_others_wrote_into_the_record_is_left_alone() -> None:
    good = json.dumps({"digest": "d", "state": "complete", "of_a_later_version": 1})
    record = {"data": {"index": good, "note": "by hand", "list": "[1]", "half": "{}"}}
    assert finished_jobs.parse_record(record) == {"index": JobEntry("d", "complete")}
    assert finished_jobs.parse_record(None) == finished_jobs.parse_record({"kind": "ConfigMap"}) == {}


def test_the_last_sight_is_of_the_same_life() -> None:
    other = {**ended("Failed"), "metadata": {"name": "index", "uid": "u2"}}
    events = [("ADDED", job()), ("MODIFIED", ended("Complete")), ("DELETED", ended("Complete")), ("DELETED", other)]
    stream = b"\n".join(json.dumps({"type": kind, "object": item}).encode() for kind, item in events)
    assert finished_jobs.last_state(stream, "u1") == ended("Complete")
    expired = {"type": "ERROR", "object": {"kind": "Status", "code": 410}}
    assert finished_jobs.last_state(json.dumps(expired).encode() + b"\n{", "u1") is None


def test_what_is_said() -> None:
    ref = ObjectRef("batch/v1", "Job", "index", "a")
    assert "has completed at 2026" in finished_jobs.already_ran_note(
        ref, JobEntry("d", "complete", 0, "2026-11-29T11:58:00Z")
    )
    assert "key out of ConfigMap a/mcpops-finished-jobs" in finished_jobs.already_ran_note(
        ref, JobEntry("d", "unseen", 0)
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"ttl": None},
        {"ttl": "60"},
        {"ttl": True},
        {"ttl": -1},
        {"ttl": 10**30},
        {"finished": "yesterday"},
        {"finished": "2026-11-29"},
        {"finished": 7},
        {"state": ["complete"]},
        {"state": "done"},
        {"digest": 5},
        {"version": 7},
        {"bundle": None},
    ],
)
def test_an_entry_that_a_person_has_spoilt_is_none(fields: dict[str, Any]) -> None:
    sound = {"digest": DIGEST, "state": "complete", "ttl": 60, "finished": "2026-11-29T11:58:00Z"}
    record = {"data": {"index": json.dumps({**sound, **fields}), "other": json.dumps(sound)}}
    entries = finished_jobs.parse_record(record)
    assert list(entries) == ["other"]
    assert finished_jobs.has_run(entries["other"], job(), NOON)


def test_the_digest_of_one_job_says_nothing_of_another() -> None:
    spec = job(image="db:1", parallelism=2)
    one, other = (
        finished_jobs.entry_of(spec, {**spec, "metadata": {**spec["metadata"], "uid": uid}}, None)
        for uid in ("u1", "u2")
    )
    assert one.digest != other.digest
    assert all(finished_jobs.has_run(entry, spec, NOON) for entry in (one, other))
    assert not finished_jobs.has_run(one, job(image="db:2"), NOON)
