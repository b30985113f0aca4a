# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import read_values


def test_later_files_and_the_task_itself_win(tmp_path: Path) -> None:
    first, second, empty = tmp_path / "1.yaml", tmp_path / "2.yaml", tmp_path / "3.yaml"
    first.write_text("a: {x: 1, w: 1, z: 1}\ntime: 12:30\n")
    second.write_text("a: {w: 2, z: 2}\n")
    empty.write_text("# nothing\n")
    values, problems = read_values({"a": {"z": 3}}, [str(first), str(second), str(empty)])
    assert problems == []
    assert values == {"a": {"x": 1, "w": 2, "z": 3}, "time": "12:30"}


def test_nothing_declared_is_not_an_empty_declaration() -> None:
    assert read_values(None, []) == (None, [])
    assert read_values({}, []) == ({}, [])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a: [", "is not YAML"),
        ("- a\n", "not one mapping"),
        ("a: 1\n---\nb: 1\n", "not one mapping"),
        ("a: 1\nb: {c: 1, c: 2}\n", "values.yaml: the key 'c' is given twice in one mapping (line 2)"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6134\n", "encrypted by ansible-vault"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: str, text: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(content)
    _values, problems = read_values(None, [str(file), str(tmp_path / "missing")])
    assert [problem.path for problem in problems] == ["values_files[0]", "values_files[1]"]
    assert text in problems[0].message
    assert "cannot be read" in problems[1].message


def test_what_no_reader_takes_is_a_problem_of_the_values(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("a: {b: .inf}\n")
    _values, problems = read_values({"c": ["\udfff"]}, [str(file)])
    assert [problem.path for problem in problems] == ["values.a.b", "values.c[0]"]


def test_a_word_that_helm_reads_as_a_boolean_key_is_read_so(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("on: {push: y}\n")
    assert read_values(None, [str(file)]) == ({"true": {"push": True}}, [])
