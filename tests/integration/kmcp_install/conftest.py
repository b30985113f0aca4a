# SPDX-License-Identifier: GPL-3.0-or-later
"""KMCP in a cluster of which nothing is known, and its charts at versions of our own making."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ansible_collections.mcpops.platform.plugins.modules import kmcp_install

CRD = "mcpservers.kagent.dev"
Run = Callable[..., dict[str, Any]]
GONE = {"state": "absent", "delete_crds": True, "delete_servers": True}


@pytest.fixture
def module() -> ModuleType:
    return kmcp_install


@pytest.fixture
def wanted(cloud: Any) -> dict[str, Any]:
    return {
        "chart_repository": f"oci://{cloud.registry}/kagent-dev/kmcp/helm",
        "ca_file": cloud.environment["registry_ca_file"],
        "wait_timeout": 120,
    }


@pytest.fixture
def nothing(cluster: Any, direct: Run) -> Iterator[None]:
    """No KMCP before the test and none after it, whatever it did."""

    def clean() -> None:
        direct(GONE)
        cluster.kubectl("delete", "crd", CRD, "--ignore-not-found", "--wait")

    clean()
    yield
    clean()


@pytest.fixture
def helm(cluster: Any, cloud: Any) -> Callable[..., str]:
    """A person's own helm."""

    def run(*arguments: str) -> str:
        argv = [cloud.environment["helm"], *arguments, "--kubeconfig", str(cluster.kubeconfig)]
        env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **cloud.process_environment()}
        return subprocess.run(argv, check=True, capture_output=True, text=True, env=env).stdout

    return run


@pytest.fixture
def charts(cloud: Any, tmp_path: Path) -> Callable[..., Path]:
    """`charts(version, change)` -> a directory with both charts at this version, after `change(definition, directory)`.

    They are the real ones but for the change: older releases of them cannot be had from the package indexes.
    """
    sources = cloud.settings.cache / "charts"
    (real,) = sources.glob("kmcp-*-sources")

    def packed(version: str, change: Callable[[dict[str, Any], Path], None]) -> Path:
        place = tmp_path / f"sources-{version}"
        shutil.copytree(real, place)
        file = place / "kmcp-crds" / "templates" / "mcpserver-crd.yaml"
        definition = yaml.safe_load(file.read_text())
        change(definition, place / "kmcp")
        file.write_text(json.dumps(definition))
        for chart in ("kmcp-crds", "kmcp"):
            argv = [cloud.environment["helm"], "package", place / chart, "--destination", tmp_path / "charts"]
            argv += ["--version", version, "--app-version", "0.3.0"]
            subprocess.run(argv, check=True, capture_output=True)
        return tmp_path / "charts"

    return packed


@pytest.fixture
def put_server(cluster: Any) -> Callable[..., str]:
    """`put_server(namespace, name, **spec)` -> `namespace/name` of an MCPServer that needs no pod."""

    def put(namespace: str, name: str = "kept", **spec: Any) -> str:
        manifest = {
            "apiVersion": "kagent.dev/v1alpha1",
            "kind": "MCPServer",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "transportType": "http",
                "httpTransport": {"targetPort": 3000},
                "deployment": {"image": "example.org/none:1", "port": 3000, "replicas": 0},
                **spec,
            },
        }
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
        return f"{namespace}/{name}"

    return put
