# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from support import mesh, metrics

from ansible_collections.mcpops.platform.plugins.modules import mesh_agent


@pytest.fixture
def module() -> ModuleType:
    return mesh_agent


@pytest.fixture(scope="session")
def mesh_images(cloud: Any) -> None:
    """The registry of the local cloud holds them."""
    mesh.provide(cloud)


@pytest.fixture
def registry(cloud: Any, cluster: Any, namespace: str, mesh_images: None) -> str:
    """The namespace of a real registry that keeps its agents in a file."""
    mesh.apply(cluster, mesh.registry(cloud, namespace))
    mesh.rolled_out(cluster, namespace, mesh.REGISTRY_SERVICE)
    return namespace


@pytest.fixture
def metered(cloud: Any, cluster: Any, run_task: Any) -> Iterator[None]:
    """metrics-server runs, and goes again: an API that nobody serves keeps namespaces from ending."""
    metrics.provide(cloud)
    release = metrics.release(cloud)
    run_task("helm_release", release)
    yield
    run_task("helm_release", {name: release[name] for name in ("name", "namespace")} | {"state": "absent"})
