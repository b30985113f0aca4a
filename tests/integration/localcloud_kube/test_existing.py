# SPDX-License-Identifier: GPL-3.0-or-later
"""LOCALCLOUD_KUBECONFIG: a whole `up` and a whole site on a cluster somebody else runs, here another local cloud."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.playbook import CHECKOUT, run_playbook

from localcloud.kube.backend import LocalClusters
from localcloud.settings import Settings

from .conftest import PACKAGES, free_network, free_port

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAME = "somebody-elses"


@pytest.fixture
def on_top(own_settings: Settings, clusters: LocalClusters) -> Iterator[Settings]:
    """A second local cloud, whose only cluster is one of the first."""
    clusters.create(NAME, clusters.default_version())
    with tempfile.TemporaryDirectory(prefix="localcloud-") as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        kubeconfig.write_text(json.dumps(clusters.admin_kubeconfig(NAME)))
        kubeconfig.chmod(0o600)
        settings = dataclasses.replace(
            own_settings,
            state=Path(directory) / "state",
            network=free_network(),
            azure_port=free_port(),
            registry_port=free_port(),
            kubeconfig=kubeconfig,
        )
        yield settings
        localcloud(settings, "reset")
    clusters.delete(NAME)


def localcloud(settings: Settings, *arguments: str) -> str:
    environment = {**os.environ, **settings.environment(), "PYTHONPATH": str(PACKAGES)}
    argv = [sys.executable, "-m", "localcloud", *arguments]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_site_converges_on_it_and_is_torn_down_without_it(
    own_settings: Settings, clusters: LocalClusters, on_top: Settings
) -> None:
    localcloud(on_top, "up")
    assert "not ours" in localcloud(on_top, "status")
    # the cluster pulls from the registry it knows, and its pods reach the packages of its own network
    known = {
        "mcpops_registry": own_settings.registry,
        "local_login_server": own_settings.registry,
        "local_packages": own_settings.packages,
        "azure_platform_registries": [],
        "azure_platform_images": [],
        "aks_cluster_registries": [],
    }
    site = ("-i", CHECKOUT / "inventories" / "local", "-e", json.dumps(known))
    first = run_playbook(*site, CHECKOUT / "site.yml", env=on_top.environment()).ok()
    assert "hello from the platform" in first.output
    assert run_playbook(*site, CHECKOUT / "site.yml", env=on_top.environment()).ok().changed == []
    gone = ("-e", "teardown_confirm=local-1")
    run_playbook(*site, CHECKOUT / "playbooks" / "teardown.yml", *gone, env=on_top.environment()).ok()
    left = clusters.get(NAME)
    assert left is not None and left.state == "running"
