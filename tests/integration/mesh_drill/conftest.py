# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import mesh

from ansible_collections.mcpops.platform.plugins.modules import mesh_registry


@pytest.fixture
def module() -> ModuleType:
    return mesh_registry


@pytest.fixture(scope="session")
def mesh_images(cloud: Any) -> None:
    """The registry of the local cloud holds them."""
    mesh.provide(cloud)


@pytest.fixture(scope="session")
def other_cluster(make_cluster: Callable[..., Any]) -> Any:
    """A second one, where nothing of the mesh is."""
    return make_cluster("drill")
