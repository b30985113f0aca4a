# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import kmcp as kmcp_support
from support import mesh as support

from ansible_collections.mcpops.platform.plugins.modules import agent_workload


@pytest.fixture
def module() -> ModuleType:
    return agent_workload


@pytest.fixture(scope="session")
def cluster(make_cluster: Callable[..., Any]) -> Any:
    """One that enforces policies, which the shared one does not."""
    return make_cluster("agents", network={"plugin": "azure", "policy": "azure"})


@pytest.fixture(scope="session")
def kmcp(cloud: Any, cluster: Any) -> None:
    """It has the KMCP controller."""
    kmcp_support.install(cloud, cluster)


@pytest.fixture(scope="session")
def images(cloud: Any) -> None:
    """The registry of the local cloud holds the agent, and what stands for its model."""
    support.provide(cloud, "agents")
