# SPDX-License-Identifier: GPL-3.0-or-later
"""An older Kubernetes is built when a cluster of it is asked for, and a cluster keeps its objects on the way up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from localcloud.kube.backend import LocalClusters

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAME = "older"


def server_version(kubectl: Any) -> str:
    return str(json.loads(kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"])


def test_a_cluster_goes_from_an_older_minor_to_the_newest(
    clusters: LocalClusters, kubectl_for: Callable[[str], Any]
) -> None:
    older, newest = clusters.versions()[0], clusters.versions()[-1]
    assert older != newest
    try:
        clusters.create(NAME, older)
        kubectl = kubectl_for(NAME)
        assert server_version(kubectl) == f"v{older}"
        node = json.loads(kubectl("get", "nodes", "-o", "json"))["items"][0]
        assert node["status"]["nodeInfo"]["kubeletVersion"] == f"v{older}"
        kubectl("create", "configmap", "kept", "--from-literal=a=b")
        clusters.stop(NAME)
        clusters.create(NAME, newest)
        assert server_version(kubectl) == f"v{newest}"
        assert json.loads(kubectl("get", "configmap", "kept", "-o", "json"))["data"] == {"a": "b"}
    finally:
        clusters.delete(NAME)
