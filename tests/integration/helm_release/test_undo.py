# SPDX-License-Identifier: GPL-3.0-or-later
"""What failed and what was killed: going back, going on, and how much of the past is kept."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

CHART = Path(__file__).parent / "charts" / "greeting"
Run = Callable[..., dict[str, Any]]


def text(cluster: Any, namespace: str) -> str:
    found: str = cluster.get("configmap", "hello-text", "-n", namespace)["data"]["text"]
    return found


@pytest.mark.slow
def test_atomic_goes_back_to_what_worked(
    cloud: Any, cluster: Any, namespace: str, release: dict[str, Any], direct: Run
) -> None:
    broken = {**release, "atomic": True, "values": {"image": f"{cloud.registry}/pause:no-such-tag", "text": "broken"}}
    first = direct(broken, fails=True)
    assert "no-such-tag" in first["msg"]
    assert "was uninstalled again (atomic)" in first["msg"]
    assert first["rolled_back_to"] is None
    assert cluster.get("deployment", "-n", namespace)["items"] == []

    assert direct(release)["release"]["revision"] == 1
    second = direct(broken, fails=True)
    assert "went back to revision 1 (atomic)" in second["msg"]
    assert (second["rolled_back_to"], second["changed"]) == (1, True)
    assert text(cluster, namespace) == "hi"
    after = direct(release)
    assert (after["changed"], after["release"]["status"], after["release"]["revision"]) == (False, "deployed", 3)


@pytest.mark.slow
def test_atomic_goes_back_when_helm_itself_fails(
    cluster: Any, namespace: str, release: dict[str, Any], direct: Run
) -> None:
    direct({**release, "wait": False})
    held = {**release, "atomic": True, "wait_timeout": 2, "values": {**release["values"], "hold": True, "text": "half"}}
    failed = direct(held, fails=True)
    assert failed["error"]["code"] == "HookNotFinished"
    assert failed["rolled_back_to"] == 1
    assert text(cluster, namespace) == "hi"
    assert not direct({**release, "wait": False, "helm_binary": "/nonexistent/helm"})["changed"]


@pytest.mark.slow
def test_atomic_leaves_alone_what_helm_has_not_touched(release: dict[str, Any], direct: Run) -> None:
    nowhere = {**release, "atomic": True, "chart_ref": "oci://127.0.0.1:9/greeting", "chart_version": "9.9.9"}
    for before in ("no release", "a release"):
        failed = direct(nowhere, fails=True)
        assert "rolled_back_to" not in failed and "Going back" not in failed["msg"] and not failed["changed"]
        after = direct(release)
        assert after["release"]["revision"] == 1, before


@pytest.mark.slow
def test_without_atomic_what_was_done_stays(cloud: Any, cluster: Any, release: dict[str, Any], direct: Run) -> None:
    broken = {**release, "values": {"image": f"{cloud.registry}/pause:no-such-tag", "text": "broken"}}
    failed = direct(broken, fails=True)
    assert "rolled_back_to" not in failed
    assert text(cluster, release["namespace"]) == "broken"


@pytest.mark.slow
def test_a_rollback_that_was_killed_is_recovered(
    cluster: Any,
    namespace: str,
    release: dict[str, Any],
    direct: Run,
    helm: Callable[..., list[str]],
    killed: Callable[[list[str], int], None],
) -> None:
    release = {**release, "wait": False, "stale_after": 2}
    direct({**release, "values": {**release["values"], "holdAt": "pre-rollback"}})
    direct({**release, "values": {**release["values"], "text": "second"}})
    killed(helm("rollback", "hello", "1"), 3)
    wanted = {**release, "values": {**release["values"], "text": "third"}}
    planned = direct(wanted, check=True)
    assert 'status: "pending-rollback"' in planned["diff"][0]["before"]
    recovered = direct(wanted)
    assert any("left pending-rollback" in note and "revision 2" in note for note in recovered["notes"])
    assert recovered["release"]["status"] == "deployed"
    assert text(cluster, namespace) == "third"
    assert not direct(wanted)["changed"]


@pytest.mark.slow
def test_an_uninstall_that_was_killed_is_taken_up_again(
    cluster: Any,
    namespace: str,
    release: dict[str, Any],
    direct: Run,
    helm: Callable[..., list[str]],
    killed: Callable[[list[str], int], None],
) -> None:
    release = {**release, "wait": False, "stale_after": 2}
    direct({**release, "values": {**release["values"], "holdAt": "pre-delete"}})
    killed(helm("uninstall", "hello"), 1)
    recovered = direct(release)
    assert any("left uninstalling" in note for note in recovered["notes"])
    assert recovered["release"]["status"] == "deployed"
    assert text(cluster, namespace) == "hi"


@pytest.mark.slow
def test_a_failed_first_install_is_repeated(
    release: dict[str, Any], direct: Run, helm: Callable[..., list[str]]
) -> None:
    failed = helm("install", "hello", str(CHART), "--set", "hold=true", "--timeout", "1s")
    assert subprocess.run(failed, capture_output=True, check=False).returncode != 0
    planned = direct({**release, "wait": False}, check=True)
    assert 'status: "failed"' in planned["diff"][0]["before"]
    assert direct({**release, "wait": False})["release"]["status"] == "deployed"


@pytest.mark.slow
def test_no_more_revisions_are_kept_than_asked_for(
    cluster: Any, namespace: str, release: dict[str, Any], direct: Run
) -> None:
    for number in range(4):
        done = direct({**release, "wait": False, "history_max": 2, "values": {"text": str(number)}})
    records = cluster.get("secrets", "-n", namespace, "-l", "owner=helm")["items"]
    assert len(records) == 2
    assert (done["previous"]["revision"], done["release"]["revision"]) == (3, 4)


@pytest.mark.slow
def test_values_that_are_not_purged_and_files(
    cluster: Any, namespace: str, release: dict[str, Any], direct: Run, tmp_path: Path
) -> None:
    direct({**release, "wait": False})
    file = tmp_path / "values.yaml"
    file.write_text("text: from the file\n")
    merged = {**release, "wait": False, "values": None, "values_files": [str(file)], "purge_values": False}
    planned = direct(merged, check=True)
    assert planned["diff"][0]["before"] == 'values.text: "hi"\n'
    direct(merged)
    assert text(cluster, namespace) == "from the file"
    assert cluster.get("secret", "hello-login", "-n", namespace)["data"]["password"]
    assert not direct(merged)["changed"]


@pytest.mark.slow
def test_objects_that_were_there_are_taken_over_when_told(
    cluster: Any, namespace: str, release: dict[str, Any], direct: Run
) -> None:
    cluster.kubectl("create", "configmap", "hello-text", "-n", namespace, "--from-literal=text=mine")
    refused = direct({**release, "wait": False}, fails=True)
    assert refused["error"]["code"] == "OwnedByAnotherRelease"
    taken = direct({**release, "wait": False, "take_ownership": True})
    assert taken["release"]["status"] == "deployed"
    assert text(cluster, namespace) == "hi"
    marks = cluster.get("configmap", "hello-text", "-n", namespace)["metadata"]["annotations"]
    assert marks["meta.helm.sh/release-name"] == "hello"
    assert not direct({**release, "wait": False})["changed"]
