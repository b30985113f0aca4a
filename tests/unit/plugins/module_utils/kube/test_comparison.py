# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.comparison import ApplyNeeded
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.correction import Comparison
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change

from .conftest import described


def compared(live: dict[str, Any], declared: dict[str, Any], **options: Any) -> Comparison:
    kind = declared["kind"]
    resource = ResourceType("v1", kind, f"{kind.lower()}s", True)
    return Comparison(BundleOptions(**options), target_of(resource, declared, described("v1", kind)), live)


def applied(live: dict[str, Any], declared: dict[str, Any]) -> tuple[Change, ...]:
    return compared(live, declared).applied()


def live(**data: str) -> dict[str, Any]:
    owned = {"f:data": {f"f:{key}": {} for key in ("a", "b")}}
    managed = [{"manager": "mcpops", "operation": "Apply", "apiVersion": "v1", "fieldsV1": owned}]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "m", "managedFields": managed},
        "data": data,
    }


def declared(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": data}


ESTIMATES: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, Any, Any]]]] = {
    "stands": (live(a="1", b="2"), declared(a="1", b="2"), []),
    "a value": (live(a="1", b="2"), declared(a="9", b="2"), [("data.a", "1", "9")]),
    "what we declare no more": (live(a="1", b="2"), declared(a="1"), [("data.b", "2", ABSENT)]),
    "what others added": (live(a="1", b="2", c="3"), declared(a="1", b="2"), []),
    "text that looks like an amount": (
        live(a="1Gi", b="2"),
        declared(a="1024Mi", b="2"),
        [("data.a", "1Gi", "1024Mi")],
    ),
}


@pytest.mark.parametrize("case", ESTIMATES)
def test_estimates(case: str) -> None:
    before, wanted, expected = ESTIMATES[case]
    found = applied(before, wanted)
    assert [(change.path, change.before, change.after) for change in found] == expected


def test_an_amount_in_another_spelling_is_no_change() -> None:
    def pod(memory: str) -> dict[str, Any]:
        spec = {"containers": [{"name": "a", "resources": {"limits": {"memory": memory}}}]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "m"}, "spec": spec}

    assert applied(pod("1Gi"), pod("1024Mi")) == ()
    assert applied(pod("1Gi"), pod("1025Mi")) != ()


def _ports(*ports: dict[str, Any]) -> dict[str, Any]:
    containers = [{"name": "a", "ports": list(ports)}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "m"}, "spec": {"containers": containers}}


TWINS = ({"containerPort": 53, "name": "one"}, {"containerPort": 53, "name": "two"})


def test_items_of_one_key_are_told_apart_by_their_places() -> None:
    stands = [{**port, "protocol": "TCP"} for port in TWINS]
    completed = compared(_ports(*stands), _ports(*TWINS), adopt=False)
    assert completed.verdict is ApplyNeeded.UNSURE
    assert completed.estimate() == ()
    moved = compared(_ports(stands[0], {**stands[1], "name": "three"}), _ports(*TWINS), adopt=False)
    assert [(change.before, change.after) for change in moved.estimate()] == [("three", "two")]
