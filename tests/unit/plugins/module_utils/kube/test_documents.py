# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube import objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.documents import read_documents


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"),
        ("1:20:30.5", "1:20:30.5"),
        ("2026-11-20", "2026-11-20"),
        ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
        ("0644", 420),
        ("0o644", 420),
        ("0x10", 16),
        ("15", 15),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("123e4", 1230000.0),
        ("'15'", "15"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("true", True),
        ("1_000", 1000),
        ("~", None),
    ],
)
def test_yaml_is_read_as_go_reads_it(text: str, value: object) -> None:
    [item] = read_documents(f"v: {text}\n---\n")
    assert item == {"v": value}
    assert type(item["v"]) is type(value)


def test_declarations_are_read_so_as_well() -> None:
    assert objects.read("file", "schedule: 12:30\n") == ([{"schedule": "12:30"}], [])


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ('{"a": "12:30", "b": 1}', [{"a": "12:30", "b": 1}]),
        (' [{"a": 1}, {"a": 2}]\n', [[{"a": 1}, {"a": 2}]]),
        ("{a: 1}\n", [{"a": 1}]),
        ('{"a": 1}\n---\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ("{}", [{}]),
    ],
    ids=["json", "a json list", "yaml that begins like json", "several json documents", "an empty object"],
)
def test_json_is_read(text: str, documents: list[object]) -> None:
    assert read_documents(text) == documents


def test_large_json_takes_no_yaml_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def called(*args: object, **options: object) -> None:
        raise AssertionError("the YAML parser was asked")

    monkeypatch.setattr("yaml.load_all", called)
    assert read_documents('{"a": 1}') == [{"a": 1}]
