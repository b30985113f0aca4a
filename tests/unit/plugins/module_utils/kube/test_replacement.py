# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.replacement import replacement

LIVE: dict[str, Any] = {
    "metadata": {"name": "web", "resourceVersion": "7", "labels": {"team": "blue"}},
    "spec": {
        "clusterIP": "10.0.0.9",
        "ports": [{"name": "https", "port": 9443, "protocol": "TCP"}, {"name": "http", "port": 80, "nodePort": 31000}],
        "tolerations": [{"key": "x"}],
        "finalizers": ["theirs", "ours"],
    },
}
FOREIGN = [
    ("f:spec", "f:ports", 'k:{"port":9443,"protocol":"TCP"}'),
    ("f:spec", "f:tolerations"),
    ("f:spec", "f:finalizers", 'v:"theirs"'),
]


def test_declared_leaves_replace_foreign_ones_and_the_rest_stays() -> None:
    before = copy.deepcopy(LIVE)
    declared = {"metadata": {"name": "web"}, "spec": {"ports": [{"name": "https", "port": 8443}, {"name": "http"}]}}
    assert replacement(LIVE, declared, FOREIGN) == {
        "metadata": {"name": "web", "resourceVersion": "7", "labels": {"team": "blue"}},
        "spec": {
            "clusterIP": "10.0.0.9",
            "ports": [{"name": "https", "port": 8443}, {"name": "http", "port": 80, "nodePort": 31000}],
            "finalizers": ["ours"],
        },
    }
    assert before == LIVE


def test_plain_lists_are_replaced_as_a_whole() -> None:
    assert replacement({"spec": {"args": ["a", "b"]}}, {"spec": {"args": ["c"]}}, []) == {"spec": {"args": ["c"]}}


def test_a_leaf_by_its_place() -> None:
    assert replacement({"l": ["a", "b"]}, {}, [("f:l", "i:0")]) == {"l": ["b"]}
