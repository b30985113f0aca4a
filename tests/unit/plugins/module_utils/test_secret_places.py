# SPDX-License-Identifier: GPL-3.0-or-later
"""Places where a secret may stand and that a name alone does not tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm import compare
from ansible_collections.mcpops.platform.plugins.module_utils.masking import declared_values, mask
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan
from ansible_collections.mcpops.platform.plugins.module_utils.secret_names import secret_name
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import credentials_in, redact

INNER = {
    "plain": "hunter-22",
    "with a quote": 'hunter"-22',
    "with a backslash": "hunter\\-22",
    "with a line": "hunter\n-22",
    "with spaces": "hunter x -22",
}


@pytest.mark.parametrize("value", INNER.values(), ids=INNER.keys())
def test_json_inside_a_line_of_json_is_read(value: str) -> None:
    line = json.dumps({"level": "info", "message": json.dumps({"db_password": value, "user": "anna"})})
    shown = redact(line)
    assert "hunter" not in shown
    assert "-22" not in shown
    assert "anna" in shown


def test_a_value_that_is_cut_off_behind_its_quote() -> None:
    assert redact('{"password": "hunter-22') == '{"password": ********'
    assert credentials_in('{\\"password\\": \\"hunter-22')[0].endswith("hunter-22")


def test_nothing_stays_nothing() -> None:
    for text in ('{"password": "", "a": 1}', '{\\"password\\": \\"\\", \\"a\\": 1}'):
        assert redact(text) == text


def test_names_in_results_are_masked_and_fields_are_not() -> None:
    result: dict[str, Any] = {"msg": "x", "values": {"hunter-22": 1, "of hunter-22": {"a": "b"}}, "my_word": 2}
    shown = mask(result, {"hunter-22", "my_word"})
    assert "hunter" not in str(shown)
    assert shown["my_word"] == 2


@pytest.mark.parametrize(
    "properties",
    [
        {"protectedSettings": {"pin": 91827364}},
        {"protectedSettings": {"deep": [{"pin": 91827364}]}},
        {"configuration": {"secrets": [{"name": "a", "value": 91827364}]}},
        {"osProfile": {"customData": "91827364"}},
        {"sasUrl": "https://a.example/91827364"},
    ],
)
def test_secrets_of_azure_in_every_type(properties: dict[str, Any]) -> None:
    assert "91827364" not in str(compare.redact_body(properties))
    assert any("91827364" in value for value in compare.secret_values(properties))
    assert any("91827364" in value for value in declared_values([properties]))


def test_what_azure_alone_calls_a_secret_is_one_everywhere() -> None:
    assert all(map(secret_name, ("custom_data", "osProfile.customData", "diagnostics.sasUrl", "protectedSettings.a")))
    assert not any(map(secret_name, ("settings.a", "data", "customDataSource", "url")))


def test_a_name_beside_a_value_may_be_called_key() -> None:
    before = {"options": [{"key": "DB_PASSWORD", "value": "hunter-22"}]}
    diff = str(Plan("x", (Change("spec", before, ABSENT), Change("spec.b", ABSENT, before))).diff())
    assert "hunter" not in diff
