# SPDX-License-Identifier: GPL-3.0-or-later
"""`values_secret` belongs to the values that were written with it, and is remembered with them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

Run = Callable[..., dict[str, Any]]
FIRST, SECOND, THIRD = {"sizes": [47119911, 3]}, {"sizes": [55001177, 4]}, {"sizes": [66002288, 5]}


@pytest.fixture
def with_extra(release: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """The release with a value that no name and no form tells to be secret."""

    def declared(extra: dict[str, Any], secret: bool | None = None, **options: Any) -> dict[str, Any]:
        stated = {} if secret is None else {"values_secret": secret}
        return {**release, "wait": False, "values": {**release["values"], "extra": extra}, **stated, **options}

    return declared


@pytest.fixture
def reader(cluster: Any, namespace: str) -> Iterator[str]:
    """A user who may read everything, and patch no Secret."""
    name = f"reader-{namespace}"
    cluster.kubectl("create", "clusterrole", name, "--verb=get,list", "--resource=*.*")
    cluster.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--user={name}")
    yield name
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", name)


def label(cluster: Any, namespace: str, revision: int) -> str | None:
    record = cluster.get("secret", f"sh.helm.release.v1.hello.v{revision}", "-n", namespace)
    found: str | None = record["metadata"]["labels"].get("mcpops.io/values")
    return found


def old_helm(cloud: Any, directory: Path) -> Path:
    """A helm that says to be older than labels, and gets none."""
    script = directory / "helm"
    script.write_text(
        f'#!/bin/sh\nif [ "$1" = version ]; then echo v3.12.3; exit; fi\n'
        f'case "$*" in *--labels*) exit 3;; esac\nexec {cloud.environment["helm"]} "$@"\n'
    )
    script.chmod(0o755)
    return script


def test_what_was_secret_once_is_not_shown_by_a_task_without_the_option(
    cluster: Any, namespace: str, direct: Run, with_extra: Any
) -> None:
    direct(with_extra(FIRST, True))
    assert label(cluster, namespace, 1) == "secret"
    # the option alone is no reason for a revision
    assert not direct(with_extra(FIRST))["changed"]

    results = [direct(with_extra(SECOND), check=True), direct(with_extra(SECOND))]
    for result in results:
        assert "values.extra.sizes[0]: ********" in result["diff"][0]["before"]
        assert not [one for one in ("47119911", "55001177", ": 3") if one in str(result["diff"])]
    assert label(cluster, namespace, 2) == "shown"

    # these were given openly
    opened = direct(with_extra(THIRD), check=True)["diff"][0]
    assert "values.extra.sizes[0]: 55001177" in opened["before"] and "66002288" in opened["after"]
    back = direct(with_extra(THIRD, True))
    assert "66002288" not in str(back) and "55001177" not in str(back)
    assert label(cluster, namespace, 3) == "secret"
    assert not direct(with_extra(THIRD, True))["changed"]


def test_what_stands_openly_is_marked_without_a_revision(
    cluster: Any, namespace: str, direct: Run, with_extra: Any
) -> None:
    direct(with_extra(FIRST))
    planned, done, again = (direct(with_extra(FIRST, True), check=check) for check in (True, False, False))
    assert (planned["changed"], done["changed"], again["changed"]) == (True, True, False)
    assert planned["diff"] == done["diff"]
    assert done["release"]["revision"] == again["release"]["revision"] == 1
    assert label(cluster, namespace, 1) == "secret"
    assert "47119911" not in str(direct(with_extra(SECOND), check=True))


def test_who_may_not_mark_a_record_is_warned(
    cluster: Any, namespace: str, direct: Run, with_extra: Any, reader: str
) -> None:
    direct(with_extra(FIRST))
    # what stands is the same to those who look at it without a dry run
    direct(with_extra(FIRST))
    for check in (True, False):
        reported = direct({**with_extra(FIRST, True), "impersonate_user": reader}, check=check)
        assert not reported["changed"]
        (warning,) = reported["warnings"]
        assert f"Allow patch of Secrets in namespace {namespace}" in warning
        assert "47119911" not in str(reported)
    assert label(cluster, namespace, 1) is None


def test_values_that_stay_with_another_chart_or_beside_others_stay_secret(
    cluster: Any, namespace: str, direct: Run, with_extra: Any, package: Callable[..., Path]
) -> None:
    direct(with_extra(FIRST, True))
    unstated = {key: value for key, value in with_extra(FIRST).items() if key != "values"}
    direct({**unstated, "chart_ref": str(package("greeting", "1.0.1"))})
    assert label(cluster, namespace, 2) == "secret"
    direct({**unstated, "values": {"more": "open"}, "purge_values": False})
    assert label(cluster, namespace, 3) == "secret"
    assert "47119911" not in str(direct(with_extra(SECOND), check=True))


def test_drift_of_what_a_chart_makes_of_them_is_told_without_them(
    cluster: Any, namespace: str, direct: Run, run_task: Run, with_extra: Any
) -> None:
    declared = with_extra(FIRST, True)
    direct({**declared, "values": {**declared["values"], "text": "a-phrase-55"}})
    cluster.kubectl("patch", "configmap", "hello-text", "-n", namespace, "-p", '{"data":{"text":"bye"}}')
    unstated = {key: value for key, value in declared.items() if key not in ("values", "values_secret")}
    # with what adapters mask
    repaired = run_task("helm_release", unstated)
    assert repaired["changed"] and "a-phrase-55" not in str(repaired)
    assert "bye" in str(repaired["diff"])


def test_the_mark_goes_with_the_values_when_somebody_goes_back(
    cluster: Any, namespace: str, direct: Run, with_extra: Any, helm: Callable[..., list[str]]
) -> None:
    direct(with_extra(FIRST, True))
    direct(with_extra(SECOND))
    subprocess.run(helm("rollback", "hello", "1"), check=True, capture_output=True)
    assert label(cluster, namespace, 3) == "secret"
    assert "47119911" not in str(direct(with_extra(SECOND)))


@pytest.mark.slow
def test_a_failed_upgrade_and_the_way_back_are_marked_with_any_helm(
    cloud: Any, cluster: Any, namespace: str, direct: Run, with_extra: Any, helm4: Path, tmp_path: Path
) -> None:
    broken = {"image": f"{cloud.registry}/pause:no-such-tag"}
    revision = 0
    for binary in (cloud.environment["helm"], str(helm4), str(old_helm(cloud, tmp_path))):
        how = {"helm_binary": binary}
        direct(with_extra({**FIRST, "by": binary}, True, **how))
        assert label(cluster, namespace, revision + 1) == "secret"
        failed = with_extra(SECOND, True, wait=True, wait_timeout=20, atomic=True, **how)
        reported = direct({**failed, "values": {**failed["values"], **broken}}, fails=True)
        assert reported["rolled_back_to"] == revision + 1
        assert [label(cluster, namespace, revision + number) for number in (2, 3)] == ["secret", "secret"]
        assert "55001177" not in str(reported)
        direct(with_extra(THIRD, **how))
        assert label(cluster, namespace, revision + 4) in ("shown", "secret")
        revision += 4
