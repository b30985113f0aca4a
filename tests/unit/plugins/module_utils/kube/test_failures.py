# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.errors import from_response

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


def int_or_string(field: str, given: str) -> list[dict[str, str]]:
    """What an API server answers to a value of another type, for one field of a definition that uses anyOf."""
    head = f'Invalid value: "{given}": {field} in body must be of type'
    return [
        {"field": field, "message": f'{head} integer,string: "{given}"', "reason": "FieldValueTypeInvalid"},
        {"field": "<nil>", "message": f'Invalid value: "": "{field}" must validate at least one schema (anyOf)'},
        {"field": field, "message": f'{head} integer: "{given}"', "reason": "FieldValueTypeInvalid"},
    ]


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
    "text for a number": (
        500,
        "",
        "failed to create typed patch object (a/b; v1, Kind=C): .spec.n: expected numeric (int or float), got string",
        [],
        ["got string (HTTP 500). Write it without quotes."],
    ),
    "null in a list": (
        500,
        "",
        "failed to create typed patch object (a/b; v1, Kind=P): .spec.containers: element 0: associative list with "
        "keys may not have a null element",
        [],
        ["A list item without a value (a dash alone) is null"],
    ),
    "an item twice": (
        500,
        "",
        'failed to create typed patch object (a/b; v1, Kind=P): .spec.containers: duplicate entries for key [name="c"]',
        [],
        ["Two items of this list have the same key"],
    ),
    "integer or text": (
        422,
        "Invalid",
        "long text",
        [*int_or_string("spec.cpu", "number"), *int_or_string("spec.m.a", "boolean"), FIELDS[0]],
        [
            "apply x: spec.a: Required value; spec.cpu: must be of type integer/string, and is a number; "
            "spec.m.a: must be of type integer/string, and is a boolean (Invalid). Quote it, for example '0.5'"
        ],
    ),
    "null for a type": (
        422,
        "Invalid",
        "long text",
        [
            {
                "field": "spec.size",
                "message": 'Invalid value: "null": spec.size in body must be of type integer: "null"',
                "reason": "FieldValueTypeInvalid",
            }
        ],
        ["apply x: spec.size: must be of type integer, and is null (Invalid). Give it a value, or leave it out."],
    ),
    "one of several": (
        422,
        "Invalid",
        "long text",
        [{"field": "<nil>", "message": 'Invalid value: "": "spec.a" must validate one and only one schema (oneOf)'}],
        ['apply x: Invalid value: "": "spec.a" must validate one and only one schema (oneOf) (Invalid).'],
    ),
    "webhook": (500, "InternalError", 'failed calling webhook "w": no endpoints', [], ["pods behind it"]),
    "too large": (413, "RequestEntityTooLarge", "limit is 3145728", [], ["split it"]),
}


@pytest.mark.parametrize("case", CASES)
def test_refusals_say_why_and_what_to_do(case: str) -> None:
    status, reason, message, causes, reported = CASES[case]
    body = json.dumps(status_object(status, reason, message, causes)).encode()
    failure = from_response("apply x", status, body, "a test")
    for words in reported:
        assert words in failure.message()
    assert failure.message().startswith("apply x: ")
    assert failure.status == status


def test_managers_are_named_in_one_order_whatever_the_servers_is() -> None:
    other = {**CONFLICT, "message": 'conflict with "another" using v1'}
    told = {
        from_response(
            "apply x", 409, json.dumps(status_object(409, "Conflict", "no", causes)).encode(), "a test"
        ).reason
        for causes in itertools.permutations([CONFLICT, SCALE, other])
    }
    assert [one.partition(": ")[2] for one in told] == [
        ".data.mode belongs to another; .data.mode belongs to kubectl-edit; .spec.replicas belongs to kubectl"
    ]


def test_what_is_wrong_is_told_in_one_order_whatever_the_servers_is() -> None:
    """The API server walks the properties of a schema in another order in each request."""
    fields = ["spec.b", "spec.items[10].a", "spec.items[2].a", "<nil>", "spec.a"]
    causes = [
        {"reason": "FieldValueInvalid", "field": field, "message": f"Required value: {field}"} for field in fields
    ]
    told = set()
    for rotated in range(len(causes)):
        shuffled = causes[rotated:] + causes[:rotated]
        body = json.dumps(status_object(422, "Invalid", "wrong", shuffled)).encode()
        told.add(from_response("apply Box x", 422, body, "a test").reason)
    (one,) = told
    assert [part.split(":")[0] for part in one.split("; ")] == [
        "spec.a",
        "spec.b",
        "spec.items[2].a",
        "spec.items[10].a",
        "Required value",
    ]


def test_a_kind_that_has_gone_is_no_proxys_answer() -> None:
    failure = from_response("apply x", 404, b"404 page not found\n", "option host")
    assert "serves no such kind any more (option host) (HTTP 404)" in failure.message()
    assert "run again" in failure.message()


def test_an_answer_of_something_else() -> None:
    failure = from_response("read x", 502, b"<html>Bad gateway</html>", "option host")
    assert "did not come from a Kubernetes API server (option host) (HTTP 502)" in failure.message()
    assert "<html>" not in failure.message()
    assert "<html>" in failure.details()["body"]


@pytest.mark.parametrize(
    "reason",
    [
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        "unable to parse quantity's suffix",
        "unable to parse numeric part of quantity",
    ],
)
def test_an_amount_that_is_none_is_told_although_the_server_names_no_field(reason: str) -> None:
    message = f'Deployment in version "v1" cannot be handled as a Deployment: {reason}'
    refused = from_response(
        "apply Deployment a/web", 400, json.dumps(status_object(400, "BadRequest", message)).encode(), "x"
    )
    assert "500m or 1Gi" in refused.hint
