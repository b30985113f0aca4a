# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube import manifests
from ansible_collections.mcpops.platform.plugins.module_utils.kube.yaml_loader import read_declaration, read_documents


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
        ("1e3", 1000),
        ("123e4", 1230000),
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
    assert manifests.read_manifests("file", "schedule: 12:30\n") == ([{"schedule": "12:30"}], [])


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


TWICE = {
    "yaml": (
        "a: 1\nlabels: {x: y}\nb: 2\nlabels: {z: y}\n",
        ["the key 'labels' is given twice in one mapping (lines 2 and 4)"],
    ),
    "below a list": ("- a:\n    b: 1\n    c: 2\n    b: 1\n", ["'b' is given twice in one mapping (lines 2 and 4)"]),
    "in two documents": ("a: 1\na: 2\n---\nb: 1\nb: 2\n", ["(lines 1 and 2)", "(lines 4 and 5)"]),
    "three times": ("a: 1\na: 2\na: 3\n", ["(lines 1 and 2)", "(lines 2 and 3)"]),
    "spelled otherwise": ("on: 1\n'true': 2\n", ["the keys on and 'true' (lines 1 and 2) are both read as 'true'"]),
    "one number": ("8: 1\n0o10: 2\n", ["the keys 8 and 0o10 (lines 1 and 2) are both read as '8'"]),
    "quotes that help": ("on: 1\n'true': 2\n", ["read as 'true': quote them, or remove one"]),
    "quotes that do not help": ('k: 1\n"k": 2\n', ["k and \"k\" (lines 1 and 2) are both read as 'k': remove one"]),
    "a number and its text": ("8: 1\n'8': 2\n", ["both read as '8': remove one"]),
    "on one line": ('{"a": 1, "b": {"c": 1, "c": 2}}', ["'c' is given twice in one mapping (line 1): remove one"]),
    "on a later line": ("a: 1\nb: {c: 1, c: 2}\n", ["twice in one mapping (line 2): remove one"]),
    "json": ('{"a": 1,\n "b": {"c": 1,\n "c": 2}}', ["'c' is given twice in one mapping (lines 2 and 3)"]),
    "json that is no yaml": (
        '{"a": "\\ud83d\\udc8e", "b": 1, "b": 1}',
        ["the key 'b' is given twice in one mapping: remove"],
    ),
}


@pytest.mark.parametrize("case", TWICE)
def test_keys_that_are_given_twice_are_found(case: str) -> None:
    text, reported = TWICE[case]
    _documents, duplicates = read_declaration(text)
    assert len(duplicates) == len(reported)
    for duplicate, words in zip(duplicates, reported):
        assert words in str(duplicate)


def test_a_declaration_with_keys_that_are_given_twice_is_refused() -> None:
    _documents, [problem] = manifests.read_manifests("web.yaml", TWICE["yaml"][0])
    assert str(problem).startswith("web.yaml: the key 'labels' is given twice in one mapping (lines 2 and 4)")


@pytest.mark.parametrize("text", ["a: 1\nb: {x: 1}\na: 2\n", '{"a": 1, "a": 2, "b": {"x": 1}}'], ids=["yaml", "json"])
def test_of_what_others_wrote_the_last_wins_as_for_helm(text: str) -> None:
    assert read_documents(text) == [{"a": 2, "b": {"x": 1}}]


@pytest.mark.parametrize(
    "text", ["b: &b {a: 1}\nc:\n  <<: *b\n  a: 2\n", "a: {x: 1}\nb: {x: 1}\n", '[{"a": 1}, {"a": 1}]']
)
def test_what_is_no_duplicate(text: str) -> None:
    assert read_declaration(text)[1] == []


def test_large_json_takes_no_yaml_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def called(*args: object, **options: object) -> None:
        raise AssertionError("the YAML parser was asked")

    monkeypatch.setattr("yaml.compose_all", called)
    assert read_documents('{"a": 1}') == [{"a": 1}]


def test_half_a_surrogate_pair_is_told_in_words() -> None:
    _documents, [problem] = manifests.read_manifests("definitions[0]", "a: x\ud83d\n")
    assert str(problem) == "definitions[0]: is not YAML: it holds U+D83D, half of a surrogate pair and no character"
