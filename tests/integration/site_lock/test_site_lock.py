# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time on a cluster, with several runs in this process: each has a directory of its own."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure
from ansible_collections.mcpops.platform.plugins.module_utils.kube import lease
from ansible_collections.mcpops.platform.plugins.module_utils.kube import site_lock as lease_renewal
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.lease import Holder
from ansible_collections.mcpops.platform.plugins.module_utils.kube.transport import Transport
from ansible_collections.mcpops.platform.plugins.modules import site_lock

pytestmark = pytest.mark.integration

PATIENCE = 120
DEAD = 2**22 + 1  # above the largest process number there is


class OneRun:
    """A run of ansible-playbook: its tasks share a directory that names its process."""

    def __init__(self, directory: Path, kubeconfig: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self._kubeconfig = kubeconfig
        self.warnings: list[str] = []
        self.reported: list[str] = []

    def task(self, check: bool = False, **options: Any) -> FakeTask:
        given = {"kubeconfig": str(self._kubeconfig), **options}
        validated = ArgumentSpecValidator(site_lock.ARGUMENT_SPEC).validate(given)
        assert not validated.error_messages
        task = FakeTask(validated.validated_parameters, check_mode=check, run_directory=self.directory)
        task.warnings, task.reported = self.warnings, self.reported
        return task

    def take(self, **options: Any) -> dict[str, Any]:
        try:
            return site_lock.OPERATION(self.task(playbook="site", **options)).to_dict(True)
        except Failure as failure:
            return failure.to_result()

    def give_back(self) -> dict[str, Any]:
        return site_lock.OPERATION(self.task(state="absent")).to_dict(True)


Runs = Callable[..., OneRun]


@pytest.fixture
def run(cluster: Any, tmp_path: Path) -> Iterator[Runs]:
    made: list[OneRun] = []

    def make(pid: int = os.getpid()) -> OneRun:
        made.append(OneRun(tmp_path / f"ansible-local-{pid}r{len(made):07}", cluster.kubeconfig))
        return made[-1]

    yield make
    for one in made:
        one.give_back()
    cluster.kubectl("delete", "lease", lease.LEASE_NAME, "-n", lease.LEASE_NAMESPACE, "--ignore-not-found")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every request that leaves, as `METHOD path`."""
    sent: list[str] = []
    send = Transport.send

    def noted(self: Transport, method: str, target: str, **options: Any) -> Any:
        sent.append(f"{method} {target.partition('?')[0]}")
        return send(self, method, target, **options)

    monkeypatch.setattr(Transport, "send", noted)
    return sent


def existing(cluster: Any) -> dict[str, Any] | None:
    found = cluster.kubectl("get", "lease", lease.LEASE_NAME, "-n", lease.LEASE_NAMESPACE, "-o", "json", check=False)
    return json.loads(found) if found else None


def left_by(cluster: Any, holder: Holder, seconds_ago: float) -> None:
    """The lease of a run that was here."""
    body = lease.lease_body(lease.LEASE_NAMESPACE, holder, datetime.now(timezone.utc) - timedelta(seconds=seconds_ago))
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(body))


def test_two_requests_and_nothing_left(cluster: Any, run: Runs, requests: list[str]) -> None:
    one = run()
    taken = one.take()
    assert taken["changed"] is False and taken["lease"]["taken_over"] is False
    assert one.give_back()["changed"] is False
    assert requests == [
        f"POST {lease.lease_path('kube-system')}",
        f"DELETE {lease.lease_path('kube-system', lease.LEASE_NAME)}",
    ]
    assert existing(cluster) is None


def test_the_second_run_is_told_who_works_and_since_when(cluster: Any, run: Runs) -> None:
    first, second = run(), run()
    first.take()
    refused = second.take()
    assert refused["failed"] and refused["error"]["code"] == "LeaseHeld"
    assert f"(site, run {first.directory.name.removeprefix('ansible-local-')}, process {os.getpid()})" in refused["msg"]
    assert "works on it since" in refused["msg"] and "site_lock_timeout" in refused["msg"]
    second.give_back()
    assert existing(cluster) is not None, "who was refused must not give back what another holds"


def test_who_may_wait_works_next(run: Runs) -> None:
    first, second = run(), run()
    first.take()
    outcome: dict[str, Any] = {}
    waiting = threading.Thread(target=lambda: outcome.update(second.take(wait_timeout=60)))
    waiting.start()
    while not second.reported and waiting.is_alive():
        time.sleep(0.02)
    assert "works on it since" in second.reported[0]
    first.give_back()
    waiting.join()
    assert "failed" not in outcome and outcome["lease"]["taken_over"] is False
    assert second.warnings == []


ELSEWHERE = Holder("alice", "another-controller", "77ab", "site", 77, "1", "another boot")


@pytest.mark.parametrize(("seconds_ago", "free"), [(10, False), (61, True)], ids=["heard of", "silent"])
def test_a_run_elsewhere_is_believed_for_a_minute(cluster: Any, run: Runs, seconds_ago: float, free: bool) -> None:
    left_by(cluster, ELSEWHERE, seconds_ago)
    one = run()
    taken = one.take()
    assert ("failed" not in taken) == free, taken
    if free:
        assert taken["lease"]["taken_over"] is True
        (warning,) = one.warnings
        assert "alice@another-controller (site, run 77ab, process 77)" in warning
        assert "not heard of for 60 s or more" in warning


def test_a_dead_process_of_this_machine_lets_go_at_once(cluster: Any, run: Runs) -> None:
    first, second = run(), run()
    first.take()
    mine = lease.read_lease(existing(cluster) or {}).holder
    first.give_back()
    left_by(cluster, Holder(**{**mine.__dict__, "pid": DEAD, "run": f"{DEAD}x"}), 1)
    assert second.take()["lease"]["taken_over"] is True
    assert "whose process has ended" in second.warnings[0]


def test_of_many_who_find_a_stale_lease_one_works(cluster: Any, run: Runs) -> None:
    left_by(cluster, ELSEWHERE, 600)
    many = [run() for _number in range(6)]
    outcomes: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda one=one: outcomes.append(one.take())) for one in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.get("error", {}).get("code", "") for outcome in outcomes) == ["", *["LeaseHeld"] * 5]


def test_check_mode_asks_nothing(run: Runs, requests: list[str]) -> None:
    one = run()
    for state in ("present", "absent"):
        result = site_lock.OPERATION(one.task(check=True, state=state)).to_dict(True)
        assert result["changed"] is False
    assert requests == []


def test_a_task_at_work_keeps_all_leases_of_its_run(cluster: Any, run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_renewal, "RENEW_SECONDS", 0.2)
    monkeypatch.setattr(lease_renewal, "LOOK_SECONDS", 0.05)
    one = run()
    one.take()
    before = existing(cluster)
    lease_renewal.start_renewal(one.task(), one.directory)
    _until(lambda: (existing(cluster) or {})["spec"]["renewTime"] > (before or {})["spec"]["renewTime"])
    one.give_back()
    assert existing(cluster) is None


@pytest.mark.parametrize("how", ["taken over", "deleted"])
def test_a_run_that_lost_its_lease_stops(cluster: Any, run: Runs, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(lease_renewal, "RENEW_SECONDS", 0.2)
    monkeypatch.setattr(lease_renewal, "LOOK_SECONDS", 0.05)
    one = run()
    one.take()
    cluster.kubectl("delete", "lease", lease.LEASE_NAME, "-n", lease.LEASE_NAMESPACE)
    if how == "taken over":
        left_by(cluster, ELSEWHERE, 0)
    lease_renewal.start_renewal(one.task(), one.directory)
    (file,) = lease.record_files(one.directory)
    _until(lambda: bool((lease.load_record(file) or lease.LeaseRecord("", {}, {}, 0)).lost))
    with pytest.raises(Failure) as stopped:
        Kube.connect(one.task())
    assert ("alice@another-controller" if how == "taken over" else "was deleted") in str(stopped.value)
    assert "LeaseLost" in str(stopped.value)
    one.give_back()
    assert (existing(cluster) is not None) == (how == "taken over")


def test_connection_secrets_of_the_record_are_private(run: Runs) -> None:
    one = run()
    one.take()
    (file,) = lease.record_files(one.directory)
    assert file.stat().st_mode & 0o077 == 0 and file.parent.stat().st_mode & 0o077 == 0


def test_an_unreachable_cluster_at_the_end_fails_nothing(run: Runs, tmp_path: Path) -> None:
    one = run()
    one.take()
    nowhere = tmp_path / "nowhere"
    nowhere.write_text("not a kubeconfig", encoding="utf-8")
    result = site_lock.OPERATION(one.task(state="absent", kubeconfig=str(nowhere))).to_dict(True)
    assert result["msg"] == "not given back" and "lapses in 60 s" in one.warnings[-1]


def test_a_namespace_that_is_not_there_is_told(run: Runs) -> None:
    refused = run().take(namespace="nowhere")
    assert 'namespaces "nowhere" not found' in refused["msg"]


def _until(reached: Callable[[], bool]) -> None:
    # only what never happens takes this long
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE} s"
        time.sleep(0.05)
