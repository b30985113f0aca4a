# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a Job that has cleaned itself up: when it is news, or beside a change, and not on every run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import finished_jobs
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.finished_jobs import (
    RECORD,
    JobEntry,
    JobRecord,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import ObjectRef

from .conftest import Answer, FakeTask, Server

WHO = ObjectRef("batch/v1", "Job", "index", "a")
DECLARED: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "index", "namespace": "a"},
    "spec": {"ttlSecondsAfterFinished": 5, "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}},
}
COMPLETE = JobEntry(finished_jobs.job_digest(DECLARED, "u1"), "complete", 5, "2020-01-01T00:00:00Z", "u1", "7")
UNSEEN = replace(COMPLETE, state="unseen", finished="")
APPLIED = replace(UNSEEN, state="applied")
# entry, whether the run changes something else, what is said
CASES = {
    "complete, nothing changes": (COMPLETE, False, ""),
    "complete, beside a change": (COMPLETE, True, "has completed at 2020"),
    "unseen, nothing changes": (UNSEEN, False, ""),
    "unseen, beside a change": (UNSEEN, True, "how it ended is not known"),
    "found out now": (APPLIED, False, "how it ended is not known"),
}


@pytest.mark.parametrize("case", CASES)
def test_when_it_is_said(case: str, server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    entry, changed, words = CASES[case]
    where = f"/api/v1/namespaces/a/configmaps/{RECORD}"
    server.on(where, Answer(body={"data": finished_jobs.record_data({"index": entry})}))
    jobs = JobRecord(connect(task), task, None, dry=True)
    target = Target(WHO, ResourceType("batch/v1", "Job", "jobs", True), DECLARED)
    jobs.look([target], {})
    outcome = jobs.has_run(target, None)
    assert outcome is not None
    notes = jobs.explained(outcome, changed=changed).plan.notes
    assert bool(notes) is bool(words)
    assert words in "".join(notes)
