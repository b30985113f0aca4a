# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that go in and never come out: not compared, not shown, sent when something is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm import compare
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import secret_property

CANARY = "c4nary-0815"

NAMES = {
    "adminPassword": True,
    "administratorLoginPassword": True,
    "secret": True,
    "clientSecret": True,
    "sharedKey": True,
    "storageAccountAccessKey": True,
    "connectionString": True,
    "customData": True,
    "admin_password": True,
    "adminUsername": False,
    "secretName": False,
    "passwordExpiryDays": False,
    "tokenAudience": False,
    "keyId": False,
    "keyData": False,
    "enableSecretRotation": False,
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_secrets(name: str) -> None:
    assert secret_property(name, "a value") == NAMES[name]
    assert not secret_property(name, "true")


def test_a_password_of_digits_is_one_and_a_number_of_tokens_is_none() -> None:
    declared = {"adminPassword": 12345678, "maxTokens": 4096, "tokens": 4096}
    assert list(compare.secret_values(declared)) == ["12345678"]


STANDING: dict[str, Any] = {
    "properties": {"windowsProfile": {"adminUsername": "a"}, "secrets": [{"name": "one"}], "masked": {"apiKey": "****"}}
}
DECLARED: dict[str, tuple[Any, list[str]]] = {
    "left out of the answer": (
        {"windowsProfile": {"adminUsername": "a", "adminPassword": CANARY}},
        ["properties.windowsProfile.adminPassword"],
    ),
    "stars in its place": ({"masked": {"apiKey": CANARY}}, ["properties.masked.apiKey"]),
    "a list of named secrets": ({"secrets": [{"name": "one", "value": CANARY}]}, ["properties.secrets[0].value"]),
    "nothing but secrets": ({"login": {"password": CANARY}}, ["properties.login"]),
    "settings that are all secret": ({"protectedSettings": {"script": CANARY}}, ["properties.protectedSettings"]),
}


@pytest.mark.parametrize(("properties", "paths"), DECLARED.values(), ids=DECLARED.keys())
def test_what_is_never_answered_is_not_compared(properties: Any, paths: list[str]) -> None:
    compared, found = compare.comparable_part({"properties": properties}, STANDING)
    assert found == paths
    assert CANARY not in json.dumps(compared)
    assert paths[0] in compare.write_only_note(found)[0]
    assert list(compare.secret_values({"properties": properties})) == [CANARY]
    assert CANARY not in json.dumps(compare.redact_body({"properties": properties}))


def test_what_is_answered_is_compared() -> None:
    declared = {"properties": {"shown": {"apiKey": "new", "name": "x"}}}
    assert compare.comparable_part(declared, {"properties": {"shown": {"apiKey": "old"}}}) == (declared, [])


SHOWN = {
    "a leaf": Change("properties.windowsProfile.adminPassword", ABSENT, CANARY),
    "inside a larger value": Change("properties.windowsProfile", ABSENT, {"adminPassword": CANARY}),
    "inside an item of a list": Change("properties.secrets", [], [{"name": "a", "value": CANARY}]),
    "a key with dots": Change('properties.config."a.b/password"', "old", CANARY),
}


@pytest.mark.parametrize("change", SHOWN.values(), ids=SHOWN.keys())
def test_no_secret_is_shown(change: Change) -> None:
    (shown,) = compare.redact_changes([change])
    assert shown.secret or CANARY not in json.dumps(shown.after)
