# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of the collection's own small charts, and what disturbs them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.modules import helm_release

CHARTS = Path(__file__).parent / "charts"
CHART = CHARTS / "greeting"
CANARY = "canary-7f3a-password"


@pytest.fixture
def release(cloud: Any, cluster: Any, namespace: str) -> Iterator[dict[str, Any]]:
    """A declaration whose pods really run."""
    values = {"text": "hi", "password": CANARY, "image": f"{cloud.registry}/pause:1.0"}
    yield {"name": "hello", "namespace": namespace, "chart_ref": str(CHART), "values": values, "wait_timeout": 120}
    cluster.kubectl("delete", "clusterrole", f"{namespace}-hello", f"{namespace}-other", check=False)


@pytest.fixture
def chart(namespace: str, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """`chart(template, **values)` -> a declaration of a release of a chart with this one template."""

    def made(template: str, **options: Any) -> dict[str, Any]:
        directory = tmp_path / "chart"
        (directory / "templates").mkdir(parents=True, exist_ok=True)
        (directory / "Chart.yaml").write_text("apiVersion: v2\nname: formats\nversion: 1.0.0\n")
        (directory / "templates" / "all.yaml").write_text(template)
        return {"name": "formats", "namespace": namespace, "chart_ref": str(directory), **options}

    return made


@pytest.fixture
def helm(cluster: Any, cloud: Any, namespace: str) -> Callable[..., list[str]]:
    """The command line of a person's own helm."""

    def command(*arguments: str) -> list[str]:
        place = ["--namespace", namespace, "--kubeconfig", str(cluster.kubeconfig)]
        return [cloud.environment["helm"], *arguments, *place]

    return command


@pytest.fixture
def module() -> ModuleType:
    return helm_release


@pytest.fixture
def package(cloud: Any, tmp_path: Path) -> Callable[..., Path]:
    """`package(chart, version, {file: (old, new)})` -> the archive of one of our charts at another version."""

    def packed(chart: str, version: str, changes: dict[str, tuple[str, str]] | None = None) -> Path:
        source = tmp_path / "sources" / f"{chart}-{version}" / chart
        shutil.copytree(CHARTS / chart, source)
        for name, (old, new) in (changes or {}).items():
            text = (source / name).read_text()
            assert old in text
            (source / name).write_text(text.replace(old, new))
        archives = tmp_path / "archives"
        argv = [cloud.environment["helm"], "package", source, "--version", version, "--destination", archives]
        subprocess.run(argv, check=True, capture_output=True)
        return archives / f"{chart}-{version}.tgz"

    return packed


@pytest.fixture
def killed(cluster: Any, namespace: str) -> Callable[[list[str], int], None]:
    """Start helm, and kill it once its record says that it is at work on this revision."""

    def kill(command: list[str], revision: int) -> None:
        started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 120
            name = f"sh.helm.release.v1.hello.v{revision}"
            while not cluster.kubectl("get", "job", "hello-hold", "-n", namespace, "-o", "name", check=False):
                assert started.poll() is None, "helm ended before it could be killed"
                assert time.monotonic() < deadline, "helm did not come to its hook"
                time.sleep(0.1)
            status = cluster.get("secret", name, "-n", namespace)["metadata"]["labels"]["status"]
            assert status.startswith("pending") or status == "uninstalling"
        finally:
            os.kill(started.pid, signal.SIGKILL)
            started.wait()

    return kill


@pytest.fixture(scope="session")
def helm4(cloud: Any) -> Path:
    """Helm 4, built from its Go module at the first use."""
    from localcloud.extra_programs import HELM4, ensure_program

    return ensure_program(HELM4, cloud.settings, print)
