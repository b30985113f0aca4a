# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import selector_matches, selector_text

EXPRESSIONS = [
    {"key": "tier", "operator": "In", "values": ["a", "b"]},
    {"key": "old", "operator": "DoesNotExist"},
    {"key": "new", "operator": "Exists"},
    {"key": "env", "operator": "NotIn", "values": ["x"]},
]


def test_selectors_as_text() -> None:
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": EXPRESSIONS}
    assert selector_text(selector) == "app=web,tier in (a,b),!old,new,env notin (x)"
    assert selector_text({"app": "web", "b": "c"}) == "app=web,b=c"


@pytest.mark.parametrize(
    ("selector", "labels", "chosen"),
    [
        ({"app": "web"}, {"app": "web", "x": "y"}, True),
        ({"app": "web"}, {"app": "db"}, False),
        ({"app": "web"}, None, False),
        ({"matchLabels": {"app": "web"}}, {"app": "web"}, True),
        ({"matchExpressions": EXPRESSIONS}, {"tier": "b", "new": ""}, True),
        ({"matchExpressions": EXPRESSIONS}, {"tier": "c", "new": ""}, False),
        ({"matchExpressions": EXPRESSIONS}, {"tier": "a", "new": "", "old": ""}, False),
        ({"matchExpressions": EXPRESSIONS}, {"tier": "a"}, False),
        ({"matchExpressions": EXPRESSIONS}, {"tier": "a", "new": "", "env": "x"}, False),
    ],
)
def test_selectors_held_against_labels(selector: dict[str, Any], labels: dict[str, str] | None, chosen: bool) -> None:
    assert selector_matches(selector, labels) is chosen
