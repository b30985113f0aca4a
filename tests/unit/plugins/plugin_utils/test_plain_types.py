# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from ansible.module_utils.common.json import Direction, get_module_encoder

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.plugin_utils.plain_types import plain_arguments

UTC = datetime.timezone.utc
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
ARGUMENTS: dict[str, Any] = {
    "date": datetime.date(2026, 1, 31),
    "moment": datetime.datetime(2026, 1, 31, 10, 20, 30, tzinfo=UTC),
    "elsewhere": [{"at": datetime.datetime(2026, 1, 31, 10, 20, 30, 500000, tzinfo=EAST)}],
    "naive": datetime.datetime(2026, 1, 31, 0, 0),
    "keys": {2: "a", True: "b", None: "c", 1.5: "d"},
    "others": [1, 1.5, None, True, "text", ("a", "b")],
}


def test_they_are_what_a_module_gets() -> None:
    encoder = get_module_encoder("legacy", Direction.CONTROLLER_TO_MODULE)
    assert plain_arguments("m", ARGUMENTS).arguments == json.loads(json.dumps(ARGUMENTS, cls=encoder))


def test_dates_are_text_as_ansible_writes_it() -> None:
    plain = plain_arguments("m", ARGUMENTS).arguments
    assert plain["date"] == "2026-01-31"
    assert plain["moment"] == "2026-01-31T10:20:30+00:00"


def test_each_date_is_told_with_its_place_and_without_its_value() -> None:
    warnings = plain_arguments("m", {"a": {"b.c": [ARGUMENTS["moment"]]}, "d": datetime.date(1815, 12, 10)}).warnings
    assert [warning.partition(":")[0] for warning in warnings] == ['a."b.c"[0]', "d"]
    assert "Quote it" in warnings[0]
    assert "1815" not in warnings[1]


def test_nothing_is_told_of_json() -> None:
    assert plain_arguments("m", {"a": ["2026-01-31", 1]}).warnings == []


@pytest.mark.parametrize(
    ("value", "reported"),
    [
        ({"a": [{"b": {"x", "y"}}]}, "a[0].b: is a set, which JSON does not have: write a list"),
        ({"a": b"\xff"}, "a: is bytes, which JSON does not have: write text"),
        ({"a": {datetime.date(2026, 1, 31): 1}}, "a: the key 2026-01-31 is a date to YAML: quote it"),
        ({"a": {(1, 2): 1}}, "a: the key (1, 2) is of type tuple"),
    ],
)
def test_what_has_no_form_in_json_is_refused_with_its_place(value: dict[str, Any], reported: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        plain_arguments("mcpops.platform.m", value)
    assert failure.value.message().startswith(f"mcpops.platform.m: {reported}")
