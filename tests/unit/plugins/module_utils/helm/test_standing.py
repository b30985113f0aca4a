# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm.standing import stands


@pytest.mark.parametrize(
    ("declared", "live", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1, "b": 2}, True, id="more is no matter"),
        pytest.param({"a": 1}, {"a": 2}, False, id="changed"),
        pytest.param({"a": 1}, {}, False, id="removed"),
        pytest.param({"a": False}, {}, False, id="false is not absent"),
        pytest.param({"a": 1}, {"a": True}, False, id="one is not true"),
        pytest.param({"a": {}, "b": [], "c": None}, {}, True, id="empty values are not stored"),
        pytest.param(
            {"limits": {"cpu": 0.1, "memory": "1Gi"}},
            {"limits": {"cpu": "100m", "memory": "1024Mi"}},
            True,
            id="quantities",
        ),
        pytest.param({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, False, id="another quantity"),
        pytest.param({"limits": {"cpu": "1"}}, {"limits": {}}, False, id="no quantity"),
        pytest.param(
            {"l": [{"name": "a", "v": 1}, {"name": "b"}]},
            {"l": [{"name": "b"}, {"name": "a", "v": 1, "d": 2}]},
            True,
            id="items by name in any order",
        ),
        pytest.param({"l": [{"name": "a", "v": 1}]}, {"l": [{"name": "a", "v": 2}]}, False, id="an item changed"),
        pytest.param({"l": [{"name": "a"}]}, {"l": [{"name": "a"}, {"name": "b"}]}, False, id="an item more"),
        pytest.param({"l": ["a", "b"]}, {"l": ["b", "a"]}, False, id="the order of plain values"),
        pytest.param(
            {"l": [{"apiGroups": [""], "verbs": ["get"]}]},
            {"l": [{"apiGroups": [""], "verbs": ["get"]}]},
            True,
            id="items without a name in order",
        ),
        pytest.param(
            {"ports": [{"port": 1}, {"port": 2}]},
            {"ports": [{"port": 1, "protocol": "TCP"}, {"port": 2}]},
            True,
            id="items by port",
        ),
        pytest.param({"m": {"a": 1}}, {"m": "text"}, False, id="another type"),
    ],
)
def test_a_declaration_stands_or_needs_a_question(declared: Any, live: Any, expected: bool) -> None:
    assert stands(declared, live) is expected
