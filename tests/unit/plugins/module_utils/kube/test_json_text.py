# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from support.characters import ODD, PLANES

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import json_problems, json_text
from ansible_collections.mcpops.platform.plugins.module_utils.kube.yaml_loader import load_documents, read_documents

from .go_scalars import helm_reads


def test_every_character_is_what_json_says_it_is() -> None:
    assert json.loads(json_text(PLANES)) == PLANES


def test_every_character_is_the_same_to_a_yaml_reader() -> None:
    [(read, _duplicates)] = load_documents(json_text(PLANES))
    assert read == PLANES


def test_every_character_is_the_same_to_helm(tmp_path: Path) -> None:
    read = helm_reads(str(Path(sys.executable).with_name("helm")), tmp_path)
    assert read(json_text({"d": PLANES})) == PLANES


ODD_KEYS = dict.fromkeys(("<<", "=", "y", "~", "", "1", "12:30", "null", "-", "a: b", "#", "💎", "\u2028", "{}"), "v")
ODD_VALUES = {"n": [0, -1, 1.5, 1e-7, 1e21, 2**53, None, True], "t": [" a ", "\t", "\r\n", "'", '"', "\\ud83d\\udc8e"]}


def test_keys_and_scalars_are_the_same_to_helm(tmp_path: Path) -> None:
    read = helm_reads(str(Path(sys.executable).with_name("helm")), tmp_path)
    assert read(json_text({"d": {**ODD_KEYS, **ODD_VALUES}})) == {**ODD_KEYS, **ODD_VALUES}


WRONG: dict[str, tuple[Any, str]] = {
    "half a pair": ({"a": [{"b": "x\ud83dy"}]}, "place.a[0].b: holds U+D83D, half of a surrogate pair"),
    "the other half": ({"a": "\udc80"}, "place.a: holds U+DC80"),
    "in a key": ({"a": {"\ud800": 1}}, "place.a: the key '\\ud800' holds U+D800"),
    "not a number": ({"a": {"b.c": float("nan")}}, 'place.a."b.c": is NaN, which JSON does not have'),
    "infinity": ([1, float("-inf")], "place[1]: is infinity"),
    "a number beyond all": ({"a": 10**400}, "place.a: is a number too large"),
    "a set": ({"a": {1}}, "place.a: is of the type set"),
    "bytes": ({"a": b"x"}, "place.a: is of the type bytes"),
    "a key of another kind": ({"a": {(1,): 1}}, "place.a: the key (1,) is not text"),
    "a long key": ({"a": {"k" * 1022: 1}}, "place.a: the key kkkkkkkkkkkkkkkkkkkk... has 1022 characters"),
    "a key that is long when it is escaped": ({"\x7f" * 171: 1}, "has 171 characters"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_no_reader_takes_is_told_with_its_place(case: str) -> None:
    value, reported = WRONG[case]
    [problem] = json_problems(value, "place")
    assert reported in str(problem)


@pytest.mark.parametrize("case", [name for name in WRONG if "long" not in name and "beyond" not in name])
def test_it_is_never_sent(case: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        json_text(WRONG[case][0])
    assert "Nothing was changed." in failure.value.message()


def test_values_are_not_shown() -> None:
    assert "canary" not in str(json_problems({"a": "canary\ud800"}, "place")[0])


def test_all_else_can_be_written() -> None:
    assert (
        json_problems({"k" * 1021: [1, 1.5, None, True, {"💎": "\x00\x85"}], "long": "x" * 5000, "1": {2: "3"}}, "")
        == []
    )


def test_depth_is_a_problem() -> None:
    deep: Any = "x"
    for _level in range(100_000):
        deep = [deep]
    assert "nested too deeply" in str(json_problems(deep, "place")[0])


def test_what_was_written_is_read_again() -> None:
    assert read_documents(json_text({ODD: ODD})) == [{ODD: ODD}]


def test_programs_are_given_nothing_that_was_written_otherwise() -> None:
    plugins = Path(json_text.__code__.co_filename).parents[2]
    written = re.compile(r"(?:stdin|input)=json\.dumps|write_text\(json\.dumps|_private\([^)]*json\.dumps")
    files = [*plugins.rglob("*.py")]
    assert len(files) > 100
    # files that only the collection itself reads, and evidence, which is read as JSON
    own = {"cluster_token.py", "discovery.py", "gateway_trial.py", "lease.py", "run_cache.py"}
    assert {file.name for file in files if written.search(file.read_text(encoding="utf-8"))} == own
