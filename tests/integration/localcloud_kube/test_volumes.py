# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims get a volume when a pod wants it, what pods write outlives them, and the volume goes with the claim."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.restricted_pods import namespace, python_pod

from localcloud.kube.backend import LocalClusters
from localcloud.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAME = "volumes"
APPEND = "import pathlib, time; f = pathlib.Path('/data/f'); f.open('a').write('once '); time.sleep(3600)"
READ = "import pathlib; print(pathlib.Path('/data/f').read_text())"


@pytest.fixture(scope="module")
def kubectl(clusters: LocalClusters, kubectl_for: Callable[[str], Any]) -> Iterator[Any]:
    clusters.create(NAME, clusters.default_version())
    kubectl = kubectl_for(NAME)
    kubectl("apply", "-f", "-", stdin=namespace("work"))
    yield lambda *arguments, **options: kubectl("-n", "work", *arguments, **options)
    clusters.delete(NAME)


def claim(name: str, storage_class: str | None, mode: str = "ReadWriteOnce") -> dict[str, Any]:
    spec: dict[str, Any] = {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}
    if storage_class:
        spec["storageClassName"] = storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def pod(settings: Settings, name: str, claim_name: str) -> dict[str, Any]:
    mounts = [{"name": "data", "mountPath": "/data"}]
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}]
    return python_pod(settings, name, APPEND, volumeMounts=mounts, volumes=volumes)


def content(kubectl: Any, name: str) -> str:
    return str(kubectl("exec", name, "--", "python", "-c", READ)).strip()


@pytest.mark.parametrize("storage_class", [None, "managed-csi", "managed-csi-premium"])
def test_what_a_pod_wrote_outlives_it(kubectl: Any, own_settings: Settings, storage_class: str | None) -> None:
    name = storage_class or "by-default"
    kubectl("apply", "-f", "-", stdin=claim(name, storage_class))
    for written in ("once", "once once"):
        kubectl("apply", "-f", "-", stdin=pod(own_settings, f"writer-{name}", name))
        kubectl("wait", f"pod/writer-{name}", "--for=condition=Ready", "--timeout=90s")
        assert content(kubectl, f"writer-{name}") == written
        kubectl("delete", "pod", f"writer-{name}")
    found = json.loads(kubectl("get", "pvc", name, "-o", "json"))
    assert found["spec"]["storageClassName"] == (storage_class or "default")
    assert found["status"]["capacity"] == {"storage": "1Gi"}


def test_a_share_is_bound_without_a_pod_and_serves_two(kubectl: Any, own_settings: Settings) -> None:
    kubectl("apply", "-f", "-", stdin=claim("share", "azurefile-csi", "ReadWriteMany"))
    kubectl("wait", "pvc/share", "--for=jsonpath={.status.phase}=Bound", "--timeout=60s")
    for name in ("one", "two"):
        kubectl("apply", "-f", "-", stdin=pod(own_settings, name, "share"))
        kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s")
    assert content(kubectl, "one") == "once once"


def test_the_volume_goes_with_its_claim(kubectl: Any, clusters: LocalClusters, own_settings: Settings) -> None:
    kubectl("apply", "-f", "-", stdin=claim("short", None))
    kubectl("apply", "-f", "-", stdin=pod(own_settings, "short", "short"))
    kubectl("wait", "pod/short", "--for=condition=Ready", "--timeout=90s")
    volume = kubectl("get", "pvc", "short", "-o", "jsonpath={.spec.volumeName}")
    path = Path(json.loads(kubectl("get", "pv", volume, "-o", "json"))["spec"]["local"]["path"])
    layout = clusters.layout(NAME)
    assert layout is not None and path.is_relative_to(layout.volumes) and path.is_dir()
    kubectl("delete", "pod/short", "pvc/short")
    kubectl("wait", f"pv/{volume}", "--for=delete", "--timeout=60s")
    deadline = time.monotonic() + 60
    while path.exists():
        assert time.monotonic() < deadline
