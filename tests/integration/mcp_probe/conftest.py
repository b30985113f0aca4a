# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from support import kmcp as support


@pytest.fixture(scope="session")
def kmcp(cloud: Any, cluster: Any) -> None:
    """The shared cluster has the KMCP controller."""
    support.install(cloud, cluster)
