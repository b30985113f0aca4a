# SPDX-License-Identifier: GPL-3.0-or-later
"""An object written whole: what is declared, what others own, and defaults made afresh."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.replacement import (
    dropped_leaves,
    rebuilt_object,
    replacement,
)

from .conftest import described

SERVICE, DEPLOYMENT, POLICY = (
    described("v1", "Service"),
    described("apps/v1", "Deployment"),
    described("networking.k8s.io/v1", "NetworkPolicy"),
)
LIVE: dict[str, Any] = {
    "metadata": {"name": "web", "resourceVersion": "7", "labels": {"team": "blue"}, "finalizers": ["theirs", "ours"]},
    "spec": {
        "clusterIP": "10.0.0.9",
        "ports": [
            {"name": "https", "port": 9443, "protocol": "TCP"},
            {"name": "http", "port": 80, "protocol": "TCP", "nodePort": 31000},
        ],
        "selector": {"app": "web", "theirs": "x"},
    },
}
FOREIGN = [("f:spec", "f:ports", 'k:{"port":9443,"protocol":"TCP"}'), ("f:metadata", "f:finalizers", 'v:"theirs"')]


def test_declared_leaves_replace_foreign_ones_and_the_rest_stays() -> None:
    before = copy.deepcopy(LIVE)
    ports = [{"name": "https", "port": 8443}, {"name": "http", "port": 80}]
    declared = {"metadata": {"name": "web"}, "spec": {"ports": ports, "selector": {"app": "web"}}}
    assert replacement(LIVE, declared, FOREIGN, SERVICE) == {
        "metadata": {"name": "web", "resourceVersion": "7", "labels": {"team": "blue"}, "finalizers": ["ours"]},
        "spec": {
            "clusterIP": "10.0.0.9",
            "ports": [
                {"name": "https", "port": 8443},
                {"name": "http", "port": 80, "protocol": "TCP", "nodePort": 31000},
            ],
            # one piece: what others put in goes
            "selector": {"app": "web"},
        },
    }
    assert before == LIVE


def test_plain_lists_are_replaced_as_a_whole() -> None:
    assert replacement({"spec": {"args": ["a", "b"]}}, {"spec": {"args": ["c"]}}, []) == {"spec": {"args": ["c"]}}


def test_a_leaf_by_its_place() -> None:
    assert replacement({"l": ["a", "b"]}, {}, [("f:l", "i:0")]) == {"l": ["b"]}


def deployment(spec: dict[str, Any], *managers: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    entries = [{"manager": name, "operation": "Update", "fieldsV1": {"f:spec": fields}} for name, fields in managers]
    return {"metadata": {"name": "web", "managedFields": entries}, "spec": spec}


STRATEGY = ("f:spec", "f:strategy", "f:type")
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}


@pytest.mark.parametrize(
    ("managers", "kept"),
    [
        pytest.param((), False, id="a default goes"),
        pytest.param((("mcpops", {"f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}}),), False, id="our own goes"),
        pytest.param((("argo", {"f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}}),), True, id="another's stays"),
    ],
)
def test_what_nobody_asked_for_beside_a_changed_leaf_is_made_afresh(managers: Any, kept: bool) -> None:
    live = deployment({"replicas": 1, "progressDeadlineSeconds": 600, "strategy": ROLLING}, *managers)
    declared = {"metadata": {"name": "web"}, "spec": {"replicas": 1, "strategy": {"type": "Recreate"}}}
    made = rebuilt_object(live, declared, [], DEPLOYMENT, [STRATEGY], {"mcpops"})
    assert made["spec"]["strategy"]["type"] == "Recreate"
    assert ("rollingUpdate" in made["spec"]["strategy"]) is kept
    # not beside the leaf: untouched
    assert made["spec"]["progressDeadlineSeconds"] == 600


def test_the_other_spelling_of_a_dropped_field_goes_with_it() -> None:
    pod = {"serviceAccountName": "foo", "serviceAccount": "foo", "dnsPolicy": "ClusterFirst", "containers": []}
    live = deployment({"template": {"spec": pod}})
    declared = {"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": []}}}}
    dropped = ("f:spec", "f:template", "f:spec", "f:serviceAccountName")
    made = rebuilt_object(live, declared, [dropped], DEPLOYMENT, [dropped], {"mcpops"})
    assert made["spec"]["template"]["spec"] == {"containers": []}


def test_the_source_of_a_volume_changes_with_what_its_default_left() -> None:
    volumes = [{"name": "other", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]
    live = deployment({"template": {"spec": {"volumes": volumes}}})
    wanted = [{"name": "other"}, {"name": "v", "secret": {"secretName": "s"}}]
    declared = {"metadata": {"name": "web"}, "spec": {"template": {"spec": {"volumes": wanted}}}}
    differing = [one.route for one in dropped_leaves(declared, live, DEPLOYMENT)]
    made = rebuilt_object(live, declared, [], DEPLOYMENT, differing, {"mcpops"})
    assert made["spec"]["template"]["spec"]["volumes"] == [
        {"name": "other", "emptyDir": {}},
        {"name": "v", "secret": {"secretName": "s"}},
    ]


UNKEPT: dict[str, tuple[Any, Any, list[str]]] = {
    "all stands": ({"replicas": 2}, {"replicas": 2, "paused": True}, []),
    "another value": ({"replicas": 2}, {"replicas": 3}, ["replicas"]),
    "a value that is not there": ({"replicas": 2}, {}, ["replicas"]),
    "a zero that is not stored": ({"paused": False, "minReadySeconds": 0}, {}, []),
    "an empty value that has become a default": (
        {"template": {"spec": {"dnsPolicy": "", "terminationGracePeriodSeconds": 0, "tolerations": []}}},
        {"template": {"spec": {"dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30, "tolerations": [{}]}}},
        [],
    ),
    "a false that has become true": (
        {"template": {"spec": {"automountServiceAccountToken": False}}},
        {"template": {"spec": {"automountServiceAccountToken": True}}},
        ["automountServiceAccountToken"],
    ),
    "an amount in another spelling": (
        {"template": {"spec": {"overhead": {"cpu": "1000m"}}}},
        {"template": {"spec": {"overhead": {"cpu": "1"}}}},
        [],
    ),
    "an item that a default completes": (
        {"template": {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]}}},
        {"template": {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}}},
        [],
    ),
    "an item of one piece that is completed": (
        {"template": {"spec": {"tolerations": [{"key": "a"}]}}},
        {"template": {"spec": {"tolerations": [{"key": "a", "operator": "Equal"}]}}},
        [],
    ),
    "an empty list that stands as null": (
        {"template": {"spec": {"tolerations": []}}},
        {"template": {"spec": {"tolerations": None}}},
        [],
    ),
    "an item of one piece too many": (
        {"template": {"spec": {"tolerations": [{"key": "a"}]}}},
        {"template": {"spec": {"tolerations": [{"key": "a"}, {"key": "b"}]}}},
        ["tolerations"],
    ),
}


@pytest.mark.parametrize("case", UNKEPT)
def test_what_was_sent_and_not_kept(case: str) -> None:
    declared, existing, expected = UNKEPT[case]
    found = dropped_leaves({"metadata": {}, "spec": declared}, {"metadata": {"a": 1}, "spec": existing}, DEPLOYMENT)
    assert [one.route[-1].removeprefix("f:") for one in found] == expected
