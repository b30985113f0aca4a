# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import mesh


@pytest.fixture(scope="session")
def mesh_images(cloud: Any) -> None:
    """The registry of the local cloud holds them."""
    mesh.provide(cloud)


@pytest.fixture(scope="session")
def first(make_cluster: Callable[..., Any]) -> Any:
    """Where the registry is. Policies are enforced."""
    return make_cluster("mesh-first", network={"plugin": "azure", "policy": "azure"})


@pytest.fixture(scope="session")
def second(make_cluster: Callable[..., Any]) -> Any:
    """Where the other agents are."""
    return make_cluster("mesh-second", network={"plugin": "azure", "policy": "azure"})
