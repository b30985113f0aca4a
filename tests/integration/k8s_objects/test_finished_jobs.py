# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that clean themselves up have run once, and are neither missed nor run again; what is declared anew runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.workloads import job, pod_spec, until

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import finished_jobs

Apply = Callable[..., dict[str, Any]]
Look = Callable[[], list[str]]
RECORD = "mcpops-finished-jobs"
OK, WRONG = "print('migrated')", "import sys; sys.exit('no such table')"


@pytest.fixture
def declared(cloud: Any) -> Callable[..., dict[str, Any]]:
    def one(code: str = OK, *, ttl: int = 0, name: str = "migrate", **more: Any) -> dict[str, Any]:
        return job(pod_spec(cloud.registry, code), name, ttlSecondsAfterFinished=ttl, **more)

    return one


@pytest.fixture
def record(cluster: Any, namespace: str) -> Callable[[], dict[str, Any]]:
    """The entries by the Job's name."""

    def read() -> dict[str, Any]:
        text = cluster.kubectl("get", "configmap", RECORD, "-n", namespace, "-o", "json", check=False)
        return {
            name: json.loads(entry) for name, entry in ((json.loads(text).get("data") or {}) if text else {}).items()
        }

    return read


@pytest.fixture
def gone(cluster: Any, namespace: str) -> Callable[[], None]:
    """Wait until no Job is left."""

    def wait() -> None:
        left = until(lambda: cluster.get("job", "-n", namespace)["items"], lambda items: not items, 30, 0.3)
        assert not left

    return wait


@pytest.mark.parametrize("ttl", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_what_has_completed_is_not_run_again(
    apply: Apply, declared: Any, record: Any, gone: Any, cluster: Any, namespace: str, ttl: int
) -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "beside"}, "data": {"a": "1"}}
    objects = [other, declared(ttl=ttl)]
    assert apply(definitions=objects, wait=True)["changed"]
    assert record()["migrate"]["state"] == "complete"
    gone()
    for check in (True, False):
        again = apply(definitions=objects, check=check, wait=True)
        # a run that finds all as before says nothing
        assert (again["changed"], again["warnings"], again.get("notes", [])) == (False, [], [])
    beside = apply(definitions=[{**other, "data": {"a": "2"}}, objects[1]], check=True)
    assert "it is not run again" in beside["notes"][0]
    assert cluster.get("job", "-n", namespace)["items"] == []
    # another declaration of the name is another Job; how long it may stay is not what it does
    assert not apply(definitions=[other, declared(ttl=ttl + 7)], check=True)["changed"]
    assert apply(definitions=[other, declared("print(2)", ttl=ttl)], check=True)["changed"]
    assert apply(definitions=[other, declared("print(2)", ttl=ttl)], wait=True)["changed"]
    gone()
    assert not apply(definitions=[other, declared("print(2)", ttl=ttl)], wait=True)["changed"]


def test_what_has_failed_is_told_and_tried_again(apply: Apply, declared: Any, record: Any, gone: Any) -> None:
    failed = apply(definitions=[declared(WRONG)], wait=True, fails=True)
    assert failed["error"]["reasons"][0]["code"] == "JobFailed"
    assert failed["changed"]
    assert record()["migrate"]["state"] == "failed"
    gone()
    assert apply(definitions=[declared(WRONG)], check=True)["changed"]


def test_how_a_job_ended_that_nobody_waited_for_is_asked_afterwards(
    apply: Apply, declared: Any, record: Any, gone: Any
) -> None:
    both = [declared(), declared(WRONG, name="seed")]
    apply(definitions=both)
    assert {one["state"] for one in record().values()} == {"applied"}
    gone()
    again = apply(definitions=both, check=True)
    assert [row["changed"] for row in again["objects"]] == [False, True]
    assert not apply(definitions=both[:1])["changed"]
    assert record()["migrate"]["state"] == "complete"


@pytest.mark.slow
def test_where_nobody_knows_how_a_job_ended_it_is_said(
    apply: Apply, declared: Any, record: Any, gone: Any, cluster: Any, namespace: str
) -> None:
    apply(definitions=[declared()])
    gone()
    # a Job that the API server has never heard of: it cannot say what became of it
    uid = "of-another-life"
    entry = {**record()["migrate"], "uid": uid, "digest": finished_jobs.job_digest(declared(), uid)}
    patch = json.dumps({"data": {"migrate": json.dumps(entry)}})
    cluster.kubectl("patch", "configmap", RECORD, "-n", namespace, "--type=merge", "-p", patch)
    again = apply(definitions=[declared()])
    assert not again["changed"]
    assert "how it ended is not known" in again["notes"][0]
    assert record()["migrate"]["state"] == "unseen"
    # it is said once
    assert not apply(definitions=[declared()]).get("notes")


@pytest.mark.slow
def test_a_job_that_a_person_deletes_before_its_time_runs_again(
    apply: Apply, declared: Any, record: Any, cluster: Any, namespace: str
) -> None:
    apply(definitions=[declared(ttl=600)], wait=True)
    assert not apply(definitions=[declared(ttl=600)])["changed"]
    cluster.kubectl("delete", "job", "migrate", "-n", namespace)
    assert apply(definitions=[declared(ttl=600)], check=True)["changed"]


@pytest.mark.slow
def test_what_is_deleted_or_pruned_runs_again(
    apply: Apply, declared: Any, record: Any, gone: Any, namespace: str
) -> None:
    both = [declared(), declared(name="seed")]
    bundle = {"bundle": namespace, "prune": True, "prune_max_percent": 100, "wait": True}
    apply(definitions=both, **bundle)
    gone()
    apply(definitions=both[:1], **bundle, check=True)
    assert set(record()) == {"migrate", "seed"}
    assert not apply(definitions=both[:1], **bundle)["changed"]
    assert set(record()) == {"migrate"}
    assert not apply(definitions=both[:1], state="absent")["changed"]
    assert record() == {}
    assert apply(definitions=both, **bundle, check=True)["changed"]
