# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm.ignored import (
    Ignored,
    ignored_paths,
    may_be_missing,
)
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import IgnoredDifference


def thing(kind: str, name: str = "web", **body: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **body}


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("spec.replicas", "spec.replicas", True),
        ("spec.replicas", "spec.replicasMax", False),
        ("spec.template", "spec.template.spec.containers[main].image", True),
        ("data.*", "data.cache", True),
        ("data.**", "data.a.b", True),
        ("spec.containers[*].image", "spec.containers[main].image", True),
        ("spec.containers[*].image", "spec.containers[main].env[A].value", False),
        ("spec.containers[main].image", "spec.containers[side].image", False),
        ('metadata.annotations."a/b"', 'metadata.annotations."a/b"', True),
    ],
)
def test_a_path_covers_itself_and_what_is_below(pattern: str, path: str, covered: bool) -> None:
    assert Ignored([pattern]).covers(path) is covered


def test_covered_leaves_are_neither_compared_nor_written() -> None:
    spec = {"replicas": 2, "containers": [{"name": "main", "image": "a", "args": ["x"]}]}
    pruned = Ignored(["spec.replicas", "spec.containers[main].image"]).prune(thing("Deployment", spec=spec))
    assert pruned["spec"] == {"containers": [{"name": "main", "args": ["x"]}]}
    assert spec["replicas"] == 2


SCALED_BY_HPA = thing("Deployment")
SCALED_BY_HPA["metadata"]["managedFields"] = [{"manager": "kube-controller-manager", "subresource": "scale"}]
SCALED_BY_HAND = thing("Deployment")
SCALED_BY_HAND["metadata"]["managedFields"] = [{"manager": "kubectl", "subresource": "scale"}]
SCALER = thing("HorizontalPodAutoscaler", spec={"scaleTargetRef": {"kind": "Deployment", "name": "web"}})


@pytest.mark.parametrize(
    ("declared", "live", "manifest", "path", "covered"),
    [
        pytest.param(thing("Deployment"), SCALED_BY_HPA, [], "spec.replicas", True, id="scaled by an autoscaler"),
        pytest.param(thing("Deployment"), SCALED_BY_HAND, [], "spec.replicas", False, id="scaled by a person"),
        pytest.param(thing("Deployment"), None, [SCALER], "spec.replicas", True, id="the chart's own autoscaler"),
        pytest.param(thing("Deployment", "api"), None, [SCALER], "spec.replicas", False, id="another's autoscaler"),
        pytest.param(
            thing("ValidatingWebhookConfiguration"),
            None,
            [],
            "webhooks[w].clientConfig.caBundle",
            True,
            id="injected CA",
        ),
        pytest.param(thing("Secret"), None, [], "data.tls.crt", True, id="a Secret to be filled"),
        pytest.param(thing("Secret", data={"a": "eA=="}), None, [], "data.a", False, id="a Secret of the chart"),
        pytest.param(thing("Service"), None, [], "spec.clusterIP", True, id="asked for"),
        pytest.param(thing("Service", "api"), None, [], "spec.clusterIP", False, id="asked for another"),
    ],
)
def test_what_a_release_tolerates(declared: Any, live: Any, manifest: list[Any], path: str, covered: bool) -> None:
    asked = [IgnoredDifference("Service", "web", ("spec.clusterIP",))]
    assert ignored_paths(declared, live, manifest, asked).covers(path) is covered


def test_a_job_that_cleans_itself_up_is_not_missed() -> None:
    assert may_be_missing(thing("Job", spec={"ttlSecondsAfterFinished": 60}))
    assert not may_be_missing(thing("Job", spec={}))
    assert not may_be_missing(thing("Service", spec={"ttlSecondsAfterFinished": 60}))
