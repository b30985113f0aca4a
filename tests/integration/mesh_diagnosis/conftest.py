# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from support import mesh as support

from ansible_collections.mcpops.platform.plugins.modules import k8s_diagnosis_info


@pytest.fixture
def module() -> ModuleType:
    return k8s_diagnosis_info


@pytest.fixture(scope="session")
def mesh_images(cloud: Any) -> None:
    """The registry of the local cloud holds them."""
    support.provide(cloud)
