# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import argument_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.masking import WHOLE, declared_values, forms, mask


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app", "namespace": "shop"}, **fields}


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(secret(stringData={"anything": "canary-1"}), id="stringData"),
        pytest.param(secret(data={"anything": base64_of("canary-1")}), id="data"),
        pytest.param(
            {"kind": "List", "items": [{"kind": "SecretList", "items": [secret(data={"x": base64_of("canary-1")})]}]},
            id="list in a list",
        ),
        pytest.param([[secret(stringData={"x": "canary-1"})]], id="lists of documents"),
        pytest.param(
            {"kind": "SecretList", "items": [{"metadata": {"name": "a"}, "data": {"x": base64_of("canary-1")}}]},
            id="items of a list of one kind, which do not say what they are",
        ),
    ],
)
def test_every_value_of_a_secret_counts(item: Any) -> None:
    found = declared_values([item])
    assert "canary-1" in found
    shown = str(
        mask({"a": "see canary-1", "b": [base64_of("canary-1")], "canary": 1}, {f for v in found for f in forms(v)})
    )
    assert "canary-1" not in shown and base64_of("canary-1") not in shown


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(secret(stringData={"x": "canary-1"})),
        json.dumps(secret(data={"x": base64_of("canary-1")}), indent=2),
        "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {x: canary-1}}",
        "apiVersion: v1\n'kind' : Secret\nmetadata: {name: a}\nstringData: {x: canary-1}\n",
    ],
)
def test_every_value_of_a_secret_in_a_text_among_the_options_counts(text: str) -> None:
    assert argument_secrets({"definitions": [text]}) == ["canary-1"]
    assert argument_secrets({"values": {"extraObjects": [text]}}) == ["canary-1"]


def test_words_switches_numbers_and_names_of_objects_stay_readable() -> None:
    values = {
        "enabled": "true",
        "replicas": "1",
        "user": "admin",
        "short": "ab-12",
        "namespace": "shop-eu",
        "level": "x",
    }
    objects = [secret(stringData=values), {"kind": "Deployment", "metadata": {"name": "shop-eu-web"}}]
    assert declared_values(objects) == []
    # a custom resource that names the Secret beside it
    login = {"kind": "Secret", "metadata": {"name": "pg-login"}, "stringData": {"x": "canary-1"}}
    database = {"kind": "Database", "metadata": {"name": "db"}, "spec": {"superuserSecret": "pg-login"}}
    assert declared_values([login, database]) == ["canary-1"]
    assert declared_values([database]) == ["pg-login"]
    # short, but of a key that says what it is
    assert declared_values([secret(stringData={"password": "ab12"})]) == ["ab12"]


def test_a_registrys_login_is_known_in_all_its_parts() -> None:
    login = base64_of("joe:hunter2-canary")
    text = json.dumps({"auths": {"registry.example.com": {"auth": login, "username": "joe"}}})
    item = secret(type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": base64_of(text)})
    known = {form for value in declared_values([item]) for form in forms(value)}
    assert {login, "hunter2-canary", "joe:hunter2-canary", base64_of(text), text} <= known


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("postgres://app:hunter2-x@db/shop", "hunter2-x"),
        ("DB_HOST=db\nDB_PASSWORD=hunter2-x\n", "hunter2-x"),
        ("users:\n- name: a\n  user:\n    token: hunter2-x\n", "hunter2-x"),
        ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBkg1Q0a\n-----END EC PRIVATE KEY-----\n", "MHcCAQEEIBkg1Q0a"),
        ('he said "p&ss w0rd"', quote('he said "p&ss w0rd"', safe="")),
        ("trailing-1\n", "trailing-1"),
        # as Go writes JSON: a program's refusal may repeat an object so
        ("p<ss&w0rd>", r"p\u003css\u0026w0rd\u003e"),
    ],
)
def test_what_can_be_used_without_the_rest_is_a_secret_too(value: str, part: str) -> None:
    assert part in forms(value)


def test_nothing_is_left_of_a_secret_that_another_is_a_part_of() -> None:
    assert mask("x abcd-efgh y abcd", {"abcd", "abcd-efgh"}) == "x ******** y ********"
    assert mask({"a": ["abcd", 1, None, True]}, {"abcd"}) == {"a": [WHOLE, 1, None, True]}


def test_a_thousand_secrets_cost_little_where_none_is_shown() -> None:
    known = {f"secret-{number:06d}-{part}" for number in range(1000) for part in range(6)}
    result = {"objects": [{"kind": "ConfigMap", "name": f"one-{number}", "changed": False} for number in range(1000)]}
    started = time.process_time()
    assert mask(result, known) == result
    assert time.process_time() - started < 2.0
