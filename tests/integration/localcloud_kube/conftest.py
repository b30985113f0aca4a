# SPDX-License-Identifier: GPL-3.0-or-later
"""A local cloud of these tests' own beside the shared one: they take it down, which nobody else should notice."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.kube.backend import LocalClusters
from localcloud.settings import Settings

PACKAGES = Path(__file__).resolve().parents[2]
LocalCloud = Callable[..., subprocess.CompletedProcess[str]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_network() -> str:
    """A /16 that no interface has an address in, and no lane of the gate: one of those may begin at any time."""
    addresses = subprocess.run(["ip", "-o", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    return next(f"10.{second}.0.0/16" for second in range(150, 200) if f" 10.{second}." not in addresses)


@pytest.fixture(scope="module")
def own_settings() -> Iterator[Settings]:
    # Not pytest's own directory: its path may be too long for a socket, and it is kept after the test.
    with tempfile.TemporaryDirectory(prefix="localcloud-") as directory:
        shared = Settings.load()
        yield Settings(
            cache=shared.cache,
            state=Path(directory) / "state",
            network=free_network(),
            azure_port=free_port(),
            registry_port=free_port(),
            binaries=shared.binaries,
        )


@pytest.fixture(scope="module")
def localcloud(own_settings: Settings) -> Iterator[LocalCloud]:
    """Run the command as a user would; the cloud is up before the first test and gone after the last."""

    def command(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **own_settings.environment(), "PYTHONPATH": str(PACKAGES)}
        argv = [sys.executable, "-m", "localcloud", *arguments]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=900, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done

    command("up", "--no-azure")
    yield command
    command("reset")


@pytest.fixture(scope="module")
def clusters(own_settings: Settings, localcloud: LocalCloud) -> LocalClusters:
    return LocalClusters(own_settings)


class Kubectl:
    """The real kubectl, as administrator of one cluster."""

    def __init__(self, settings: Settings, clusters: LocalClusters, name: str, directory: Path) -> None:
        self.binary = settings.tools / "kubectl"
        self.kubeconfig = directory / f"{name}.kubeconfig"
        self.kubeconfig.write_text(json.dumps(clusters.admin_kubeconfig(name)))

    def __call__(self, *arguments: str, stdin: Any = None, check: bool = True) -> str:
        done = subprocess.run(
            [self.binary, "--kubeconfig", self.kubeconfig, *arguments],
            input=None if stdin is None else json.dumps(stdin),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout if done.returncode == 0 else done.stderr


@pytest.fixture(scope="module")
def kubectl_for(own_settings: Settings, clusters: LocalClusters, tmp_path_factory: pytest.TempPathFactory) -> Any:
    directory = tmp_path_factory.mktemp("kubeconfigs")
    return lambda name: Kubectl(own_settings, clusters, name, directory)
