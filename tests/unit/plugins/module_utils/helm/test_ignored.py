# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.helm.drift import may_be_missing, release_rows
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import IgnoredDifference


def thing(kind: str, name: str = "web", **body: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **body}


def test_a_charts_own_autoscaler_sets_the_replicas() -> None:
    scaler = thing("HorizontalPodAutoscaler", "any", spec={"scaleTargetRef": {"kind": "StatefulSet", "name": "web"}})
    assert release_rows([thing("StatefulSet"), scaler]) == (
        IgnoredDifference("StatefulSet", "web", ("spec.replicas",)),
    )


def test_an_empty_secret_is_a_place_to_write_to() -> None:
    rows = release_rows([thing("Secret"), thing("Secret", "full", stringData={"a": "b"}), thing("ConfigMap", data={})])
    assert [(row.kind, row.name) for row in rows] == [("Secret", "web"), ("ConfigMap", "web")]


def test_a_job_that_cleans_itself_up_is_not_missed() -> None:
    assert may_be_missing(thing("Job", spec={"ttlSecondsAfterFinished": 60}))
    assert not may_be_missing(thing("Job", spec={}))
    assert not may_be_missing(thing("Service", spec={"ttlSecondsAfterFinished": 60}))
