# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from support import mesh as support

from ansible_collections.mcpops.platform.plugins.modules import mesh_registry_info


@pytest.fixture
def module() -> ModuleType:
    return mesh_registry_info


@pytest.fixture(scope="session")
def mesh_images(cloud: Any) -> None:
    """The registry of the local cloud holds them."""
    support.provide(cloud)


@pytest.fixture
def registry(cloud: Any, cluster: Any, namespace: str) -> str:
    """The namespace of a real registry that keeps its agents in a file."""
    # this one alone: it is what a path of the gate needs
    support.provide(cloud, "mesh-registry")
    support.apply(cluster, support.registry(cloud, namespace, settings=support.PATIENT))
    support.rolled_out(cluster, namespace, support.REGISTRY_SERVICE)
    return namespace
