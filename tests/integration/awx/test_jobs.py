# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook as a job of AWX: credentials in both spellings, artifacts without secrets, and cancelled halfway."""

from __future__ import annotations

import base64
import json

import pytest
from support.awx_job import Job

from .conftest import CLUSTER, PLANTED, PLATFORM, Controller

pytestmark = pytest.mark.integration

SPELLINGS = ("awx", "sdk")
PLAYBOOKS = ("preflight", "site", "verify", "drift", "diagnose")
LEASE_TASK = "Take the cluster's lease"


def no_secrets(controller: Controller, job: Job) -> None:
    assert job.leaks(controller.secrets) == []


def test_the_first_job_converges_and_leaves_no_secret(controller: Controller, converged: Job) -> None:
    assert converged.status == "successful", converged.output
    no_secrets(controller, converged)
    # it was there to leak
    stored = json.loads(controller.kubectl("get", "secret", "planted", "-n", "default", "-o", "json"))["data"]["pin"]
    assert base64.b64decode(stored).decode() == PLANTED


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_is_a_job(controller: Controller, converged: Job, playbook: str, spelling: str) -> None:
    assert converged.status == "successful", converged.output
    job = controller.job(playbook, spelling).run()
    assert job.status == "successful", job.output
    assert job.changed == []
    no_secrets(controller, job)
    json.dumps(job.published)
    if playbook == "drift":
        assert job.published["drift_summary"]["verdict"] == "clean"


def test_drift_fails_the_job_and_says_what_a_workflow_needs(controller: Controller, converged: Job) -> None:
    assert converged.status == "successful", converged.output
    controller.kubectl("patch", "secret", "planted", "-n", "default", "-p", '{"stringData": {"pin": "somebody-elses"}}')
    found = controller.job("drift").run()
    assert found.status == "failed", found.output
    summary = found.published["drift_summary"]
    assert (summary["verdict"], summary["drifted"]) == ("drift", 1)
    # as the node after the approval says it: a survey's answer is a text
    repaired = controller.job("drift", drift_repair="true").run()
    assert repaired.status == "successful", repaired.output
    assert repaired.published["drift_summary"]["repaired"] == 1
    for job in (found, repaired):
        no_secrets(controller, job)


def test_a_cancelled_job_leaves_what_the_next_one_converges(controller: Controller, converged: Job) -> None:
    assert converged.status == "successful", converged.output
    controller.kubectl("delete", "mcpservers.kagent.dev", "echo", "-n", "mcp")
    cancelled = controller.job("site").start()
    cancelled.cancel_when(lambda: cancelled.reached(LEASE_TASK)).wait()
    assert cancelled.status == "canceled"
    lease = json.loads(controller.kubectl("get", "lease", "-n", "kube-system", "-o", "json"))["items"]
    assert any("mcpops" in item["metadata"]["name"] for item in lease), "it was cancelled with the lease in hand"

    following = controller.job("site").run()
    assert following.status == "successful", following.output
    assert "the lease of a run that died was taken over" in " ".join(following.output.split())
    # the cancelled one may have come so far before the runner looked for the order to stop
    assert "echo" in controller.kubectl("get", "mcpservers.kagent.dev", "echo", "-n", "mcp")
    again = controller.job("site").run()
    assert (again.status, again.changed) == ("successful", []), again.output
    for job in (cancelled, following, again):
        no_secrets(controller, job)


def test_teardown_removes_what_was_confirmed_and_nothing_without(controller: Controller, converged: Job) -> None:
    assert converged.status == "successful", converged.output
    refused = controller.job("teardown").run()
    assert refused.status == "failed"
    assert CLUSTER in controller.kubectl("config", "view")
    for spelling in SPELLINGS:
        job = controller.job("teardown", spelling, teardown_confirm=f"{CLUSTER},{PLATFORM}").run()
        assert job.status == "successful", job.output
        no_secrets(controller, job)
