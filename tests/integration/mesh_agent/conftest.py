# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from support import mesh as support

from ansible_collections.mcpops.platform.plugins.modules import mesh_agent


@pytest.fixture
def module() -> ModuleType:
    return mesh_agent


@pytest.fixture(scope="session")
def mesh_images(cloud: Any) -> None:
    """The registry of the local cloud holds them."""
    support.provide(cloud)


@pytest.fixture
def registry(cloud: Any, cluster: Any, namespace: str, mesh_images: None) -> str:
    """The namespace of a real registry that keeps its agents in a file."""
    support.apply(cluster, support.registry(cloud, namespace))
    support.rolled_out(cluster, namespace, support.REGISTRY_SERVICE)
    return namespace
