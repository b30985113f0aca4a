# SPDX-License-Identifier: GPL-3.0-or-later
"""Our reader of YAML held against what helm and kubectl made of the same words (go_scalars.py)."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.sdk import yaml
from ansible_collections.mcpops.platform.plugins.module_utils.kube.yaml_loader import read_documents

from .go_scalars import ERROR, RECORD, as_key, as_value, helm_reads, rounded

ROWS = next(iter(json.loads(RECORD.read_text(encoding="utf-8")).values()))


def ours(text: str) -> Any:
    try:
        [document] = read_documents(text)
    except yaml.YAMLError:
        return ERROR
    value = document["d"].get("v") if isinstance(document["d"], dict) else None
    # that JSON has no such number is said with its place, when the objects are checked
    return ERROR if isinstance(value, float) and not math.isfinite(value) else document["d"]


def test_words_are_read_as_helm_and_kubectl_read_them() -> None:
    # as JSON, since 1 and true and 1.0 are equal in Python
    found = [[word, json.dumps(ours(as_value(word))), json.dumps(ours(as_key(word)))] for word, _value, _key in ROWS]
    assert found == [[word, json.dumps(value), json.dumps(key)] for word, value, key in ROWS]
    assert len(ROWS) > 150


def test_the_record_is_what_this_helm_says(tmp_path: Path) -> None:
    read = helm_reads(str(Path(sys.executable).with_name("helm")), tmp_path)
    sound = [(word, value["v"]) for word, value, _key in ROWS if value != ERROR and "*" not in word]
    found = read("d:\n" + "".join(f"  k{index}: {word}\n" for index, (word, _value) in enumerate(sound)))
    assert found is not None
    assert [rounded(found[f"k{index}"]) for index in range(len(sound))] == [rounded(value) for _word, value in sound]


MERGES = {
    "what is said later wins": ("b: &b {a: 1}\nd:\n  <<: *b\n  a: 2\n", {"a": 2}),
    "what is merged later wins, too": ("b: &b {a: 1, z: 9}\nd:\n  a: 2\n  <<: *b\n", {"a": 1, "z": 9}),
    "the first of a list wins": ("b: &b {a: 1}\nc: &c {a: 3, e: 4}\nd:\n  <<: [*b, *c]\n", {"a": 1, "e": 4}),
}


@pytest.mark.parametrize("case", MERGES)
def test_merges(case: str) -> None:
    text, expected = MERGES[case]
    [document] = read_documents(text)
    assert document["d"] == expected


@pytest.mark.parametrize(
    "text", ["d: &d [*d]\n", "d: &d {a: *d}\n", "d: {<<: 1}\n", "d: {? [a] : b}\n", "d: !!binary x\n"]
)
def test_what_go_refuses_is_an_error_of_the_text(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        read_documents(text)


@pytest.mark.parametrize("text", ["[" * 9000, '{"a":' * 200_000], ids=["yaml", "json"])
def test_depth_is_an_error_of_the_text(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        read_documents(text)


def test_an_anchor_is_one_value() -> None:
    [document] = read_documents("a: &a {x: 1}\nb: *a\nc: [*a, *a]\n")
    assert document == {"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}


def test_a_byte_order_mark_is_not_part_of_the_first_key() -> None:
    assert read_documents("\ufeffa: 1\n") == [{"a": 1}]
    assert read_documents('\ufeff{"a": 1}') == [{"a": 1}]


@pytest.mark.parametrize("digits", [401, 5000])
@pytest.mark.parametrize("text", ["v: {}", "- v: -{}", '{{"v": {}}}', "? {}\n: 1"])
def test_a_number_beyond_every_float_is_text(text: str, digits: int) -> None:
    # strconv.ParseFloat gives ErrRange, and goyaml.v2 leaves the word as it is; Python reads no integer of 4301 digits
    number = "9" * digits
    found = json.dumps(read_documents(text.format(number)))
    if digits > 4300 or not text.startswith("{"):
        assert f'{number}"' in found


def test_a_long_octal_number_is_what_it_says() -> None:
    assert read_documents(f"v: {'0' * 5000}17") == [{"v": 15}]


def test_what_is_declared_an_integer_must_be_one() -> None:
    with pytest.raises(yaml.YAMLError, match="is not an integer"):
        read_documents(f"v: !!int {'9' * 5000}")
