# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.dry_run import estimate, refusing_webhook
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT

from .conftest import described

SAID = {
    "the API server": ('admission webhook "w.example.com" does not support dry run', "w.example.com"),
    "the webhook itself": (
        'admission webhook "w.example.com" denied the request: dry-run requests are not supported',
        "w.example.com",
    ),
    "another refusal": ('admission webhook "w.example.com" denied the request: no owner label', None),
    "something else": ("namespaces not found", None),
}


@pytest.mark.parametrize("case", SAID)
def test_who_refuses_dry_runs(case: str) -> None:
    reason, expected = SAID[case]
    assert refusing_webhook(ServiceError("apply x", reason, status=400)) == expected


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
    found = estimate(before, wanted, "mcpops", described("v1", "ConfigMap"))
    assert [(change.path, change.before, change.after) for change in found] == expected


def test_an_amount_in_another_spelling_is_no_change() -> None:
    def pod(memory: str) -> dict[str, Any]:
        spec = {"containers": [{"name": "a", "resources": {"limits": {"memory": memory}}}]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "m"}, "spec": spec}

    assert estimate(pod("1Gi"), pod("1024Mi"), "mcpops", described("v1", "Pod")) == ()
    assert estimate(pod("1Gi"), pod("1025Mi"), "mcpops", described("v1", "Pod")) != ()
