# SPDX-License-Identifier: GPL-3.0-or-later
"""The same with Helm 4, and one release in the hands of both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CHART = Path(__file__).parent / "charts" / "greeting"
Run = Callable[..., dict[str, Any]]


def test_the_life_of_a_release(
    cloud: Any, cluster: Any, namespace: str, release: dict[str, Any], direct: Run, helm4: Path
) -> None:
    release = {**release, "helm_binary": str(helm4)}
    made = direct(release)
    assert (made["release"]["revision"], made["release"]["status"]) == (1, "deployed")
    assert not direct(release)["changed"]

    cluster.kubectl("scale", "deployment", "hello", "--replicas=0", "-n", namespace)
    cluster.kubectl("delete", "service", "hello", "-n", namespace)
    cluster.kubectl("patch", "configmap", "hello-text", "-n", namespace, "-p", '{"data":{"text":"bye","more":"x"}}')
    repaired = direct(release)
    assert repaired["changed"]
    assert repaired["release"]["revision"] == 1
    assert cluster.get("configmap", "hello-text", "-n", namespace)["data"] == {"text": "hi", "started": "12:30"}
    assert not direct(release)["changed"]

    upgraded = direct({**release, "values": {**release["values"], "text": "hello there"}})
    assert upgraded["release"]["revision"] == 2
    broken = {**release, "atomic": True, "values": {"image": f"{cloud.registry}/pause:no-such-tag"}}
    assert direct(broken, fails=True)["rolled_back_to"] == 2
    assert direct({**release, "state": "absent"})["changed"]
    assert cluster.get("deployment", "-n", namespace)["items"] == []


def test_one_release_in_the_hands_of_both(
    cloud: Any, cluster: Any, namespace: str, release: dict[str, Any], direct: Run, helm4: Path
) -> None:
    helm3 = cloud.environment["helm"]
    text = None
    for number, binary in enumerate((helm3, str(helm4), helm3, str(helm4)), 1):
        values = {**release["values"], "text": f"from {number}"}
        done = direct({**release, "helm_binary": binary, "values": values, "wait": False})
        assert (done["release"]["revision"], done["release"]["status"]) == (number, "deployed")
        assert not direct({**release, "helm_binary": "/nonexistent/helm", "values": values, "wait": False})["changed"]
        text = cluster.get("configmap", "hello-text", "-n", namespace)["data"]["text"]
        assert text == f"from {number}"
    assert text == "from 4"


def test_what_another_manager_applied_is_taken_back(
    cluster: Any, namespace: str, release: dict[str, Any], direct: Run, helm4: Path
) -> None:
    release = {**release, "helm_binary": str(helm4), "wait": False}
    direct(release)
    other = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"hello-text"},"data":{"text":"theirs"}}'
    cluster.kubectl(
        *("apply", "-n", namespace, "--server-side", "--force-conflicts", "--field-manager=somebody", "-f", "-"),
        stdin=other,
    )
    done = direct({**release, "values": {**release["values"], "text": "ours"}})
    assert done["release"]["revision"] == 2
    assert cluster.get("configmap", "hello-text", "-n", namespace)["data"]["text"] == "ours"


@pytest.mark.parametrize("state", ["pending-upgrade", "pending-install"])
def test_what_was_killed_is_recovered(
    release: dict[str, Any],
    direct: Run,
    helm: Callable[..., list[str]],
    killed: Callable[[list[str], int], None],
    helm4: Path,
    state: str,
) -> None:
    release = {**release, "wait": False, "stale_after": 2, "helm_binary": str(helm4)}
    if state == "pending-install":
        _three, *arguments = helm("install", "hello", str(CHART), "--set", "hold=true")
        killed([str(helm4), *arguments], 1)
    else:
        direct(release)
        _three, *arguments = helm("upgrade", "hello", str(CHART), "--reuse-values", "--set", "hold=true")
        killed([str(helm4), *arguments], 2)
    recovered = direct(release)
    assert any(f"left {state}" in note for note in recovered["notes"])
    assert recovered["release"]["status"] == "deployed"
    assert not direct(release)["changed"]


def test_what_helm_4_says_is_understood(cloud: Any, release: dict[str, Any], direct: Run, helm4: Path) -> None:
    base = {**release, "helm_binary": str(helm4), "ca_file": cloud.environment["registry_ca_file"]}
    chart = f"oci://{cloud.registry}/kagent-dev/kmcp/helm/kmcp"
    codes = {
        "ChartVersionNotFound": {"chart_ref": chart, "chart_version": "9.9.9"},
        "RegistryUnreachable": {"chart_ref": "oci://127.0.0.1:1/charts/web", "chart_version": "1.0.0"},
        "ChartRefusedValues": {"values": {"refuse": "choose a colour"}},
    }
    found = {code: direct({**base, **change}, fails=True) for code, change in codes.items()}
    assert {code: result["error"].get("code") for code, result in found.items()} == {code: code for code in codes}
