# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support import gateway_calls

from ansible_collections.mcpops.platform.plugins.modules import gateway_trial


@pytest.fixture
def module() -> ModuleType:
    return gateway_trial


@pytest.fixture(scope="session")
def cluster(make_cluster: Callable[..., Any]) -> Any:
    """One that enforces policies, which the shared one does not."""
    return make_cluster("trials", network={"plugin": "azure", "policy": "azure"})


@pytest.fixture(scope="session")
def installed(cloud: Any, cluster: Any) -> Any:
    """Envoy Gateway and cert-manager run with a server of both eras behind them; an issuer has published its keys."""
    gateway_calls.install(cloud, cluster)
    return gateway_calls.Issuer.published(cluster)
