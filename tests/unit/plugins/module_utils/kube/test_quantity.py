# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import same_quantity


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1000m", "1", True),
        ("0.5", "500m", True),
        (1, "1", True),
        ("1024Mi", "1Gi", True),
        ("1e3", "1k", True),
        ("1E3", "1000", True),
        ("128974848", "129e6", False),
        ("1G", "1Gi", False),
        ("100m", "0.1", True),
        (True, 1, True),
        (True, "1", False),
        ("big", "big", True),
        ("big", "1", False),
    ],
)
def test_same_quantity(one: Any, other: Any, same: bool) -> None:
    assert same_quantity(one, other) is same
