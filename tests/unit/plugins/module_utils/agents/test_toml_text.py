# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written as TOML is read again as the same values, whatever their order, and what cannot be said is named."""

from __future__ import annotations

import datetime
import random
from typing import Any

import pytest
import tomllib

from ansible_collections.mcpops.platform.plugins.module_utils.agents.file_spec import toml_problems, toml_text

VALUES: dict[str, Any] = {
    "agent": {
        "system_prompt": 'two\nlines, a "quote", a \\ and a tab\t\x7f',
        "log_level": "INFO",
        "nothing": [],
        "azure_openai": {"endpoint": "https://a.test", "temperature": 0.5, "retries": 3, "strict": True},
        "mcp": [
            {"name": "echo", "url": "http://echo.mcp:3000/mcp", "headers": {"X-Key": "k"}},
            {"name": "words", "enabled": False, "args": ["a", "b"]},
        ],
        "tools": {"mixed": [1, {"a": 2}], "odd key": {"ünïcode": "ö"}, "empty": {}},
    },
    "big": 2**63 - 1,
    "ratio": 1e300,
    "since": datetime.date(2026, 12, 1),
}


def shuffled(value: Any, seed: int) -> Any:
    if isinstance(value, dict):
        rows = [(key, shuffled(below, seed)) for key, below in value.items()]
        random.Random(seed).shuffle(rows)
        return dict(rows)
    return [shuffled(one, seed) for one in value] if isinstance(value, list) else value


def test_what_is_written_is_read_again() -> None:
    assert tomllib.loads(toml_text(VALUES)) == VALUES
    assert tomllib.loads(toml_text({"inf": float("inf"), "low": float("-inf")})) == {
        "inf": float("inf"),
        "low": float("-inf"),
    }
    assert toml_text({}) == "\n"


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_keys_does_not_matter(seed: int) -> None:
    assert toml_text(shuffled(VALUES, seed)) == toml_text(VALUES)


@pytest.mark.parametrize(
    ("values", "path", "words"),
    [
        ({"a": {"b": None}}, "t.a.b", "null"),
        ({"a": [1, None]}, "t.a[1]", "null"),
        ({1: "x"}, "t.1", "must be text"),
        ({"a": 2**63}, "t.a", "64 bits"),
        ({"a": {1, 2}}, "t.a", "does not have"),
    ],
)
def test_what_toml_cannot_say_is_named(values: Any, path: str, words: str) -> None:
    [(place, message)] = toml_problems("t", values)
    assert place == path
    assert words in message
    assert list(toml_problems("t", VALUES)) == []
