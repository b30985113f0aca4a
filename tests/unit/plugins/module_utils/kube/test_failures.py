# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.failures import from_response

from .conftest import status_object

CONFLICT = {
    "reason": "FieldManagerConflict",
    "message": 'conflict with "kubectl-edit" using v1',
    "field": ".data.mode",
}
SCALE = {
    "reason": "FieldManagerConflict",
    "message": 'conflict with "kubectl" with subresource "scale" using apps/v1',
    "field": ".spec.replicas",
}
FIELDS = [{"field": "spec.a", "message": "Required value"}, {"field": "spec.b", "message": "Invalid value: 1"}]

CASES: dict[str, tuple[int, str, str, Sequence[Mapping[str, str]], list[str]]] = {
    "conflict": (
        409,
        "Conflict",
        "Apply failed",
        [CONFLICT, SCALE],
        [
            ".data.mode belongs to kubectl-edit; .spec.replicas belongs to kubectl",
            "(Conflict)",
            "force_conflicts: true",
        ],
    ),
    "credentials": (401, "Unauthorized", "Unauthorized", [], ["does not accept the credentials", "aks_kubeconfig"]),
    "rbac": (403, "Forbidden", 'User "u" cannot list resource "pods"', [], ['User "u" cannot list', "ClusterRole"]),
    "pod security": (
        403,
        "Forbidden",
        'pods "p" is forbidden: violates PodSecurity "x"',
        [],
        ["securityContext as named"],
    ),
    "quota": (403, "Forbidden", "is forbidden: exceeded quota: q", [], ["ResourceQuota"]),
    "terminating": (403, "Forbidden", "because it is being terminated", [], ["wait until it is gone"]),
    "namespace": (404, "NotFound", 'namespaces "n" not found', [], ["Create the namespace first"]),
    "two fields": (422, "Invalid", "long text", FIELDS, ["spec.a: Required value; spec.b: Invalid value: 1"]),
    "immutable": (422, "Invalid", "spec.selector: field is immutable", [], ["delete the object first"]),
    "unknown field": (
        500,
        "",
        "failed to create typed patch object (a/b; v1, Kind=C): .spec.foo: field not declared in schema",
        [],
        ["apply x: .spec.foo: field not declared in schema (HTTP 500)", "Correct the field's name"],
    ),
    "number for text": (
        500,
        "",
        "failed to create typed patch object (a/b; /v1, Kind=C): .data.a: expected string, "
        "got &value.valueUnstructured{Value:80}",
        [],
        ["apply x: .data.a: expected string, got 80", "Quote numbers"],
    ),
    "webhook": (500, "InternalError", 'failed calling webhook "w": no endpoints', [], ["pods behind it"]),
    "too large": (413, "RequestEntityTooLarge", "limit is 3145728", [], ["split it"]),
}


@pytest.mark.parametrize("case", CASES)
def test_refusals_say_why_and_what_to_do(case: str) -> None:
    status, reason, message, causes, told = CASES[case]
    body = json.dumps(status_object(status, reason, message, causes)).encode()
    failure = from_response("apply x", status, body, "a test")
    for words in told:
        assert words in failure.message()
    assert failure.message().startswith("apply x: ")
    assert failure.status == status


def test_a_kind_that_has_gone_is_no_proxys_answer() -> None:
    failure = from_response("apply x", 404, b"404 page not found\n", "option host")
    assert "serves no such kind any more (option host) (HTTP 404)" in failure.message()
    assert "run again" in failure.message()


def test_an_answer_of_something_else() -> None:
    failure = from_response("read x", 502, b"<html>Bad gateway</html>", "option host")
    assert "did not come from a Kubernetes API server (option host) (HTTP 502)" in failure.message()
    assert "<html>" not in failure.message()
    assert "<html>" in failure.details()["body"]
