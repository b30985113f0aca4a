# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback keeps of results, as ansible-playbook hands them to it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.callback.site_collected import CallbackModule
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change, Plan


@pytest.fixture
def collecting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[CallbackModule, Path]:
    file = tmp_path / "results.jsonl"
    callback = CallbackModule()
    monkeypatch.setattr(callback, "get_option", lambda name: {"file": str(file)}[name])
    return callback, file


def result(reported: dict[str, Any], *, ignore_errors: bool = False) -> SimpleNamespace:
    task = SimpleNamespace(get_name=lambda: "Run", action="m", tags=["always", "setup"], ignore_errors=ignore_errors)
    return SimpleNamespace(_result=reported, _host=SimpleNamespace(get_name=lambda: "c"), _task=task)


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("ignored", [False, True])
def test_a_failure_is_kept_also_where_the_playbook_ignores_it(
    collecting: tuple[CallbackModule, Path], ignored: bool
) -> None:
    callback, file = collecting
    callback.v2_runner_on_failed(result({"msg": "no"}, ignore_errors=ignored), ignore_errors=ignored)
    callback.v2_runner_item_on_failed(result({"msg": "no", "item": "a"}, ignore_errors=ignored))
    assert [(row["failed"], row["ignored"], row["stage"]) for row in rows(file)] == [(True, ignored, "setup")] * 2


def test_of_a_loop_only_its_items_are_kept(collecting: tuple[CallbackModule, Path]) -> None:
    callback, file = collecting
    callback.v2_runner_item_on_ok(result({"changed": True, "item": "a"}))
    callback.v2_runner_on_ok(result({"changed": True, "results": [{"item": "a"}]}))
    callback.v2_runner_on_failed(result({"results": [{"item": "a"}]}))
    assert [row["item"] for row in rows(file)] == ["a"]


def test_warnings_are_kept(collecting: tuple[CallbackModule, Path]) -> None:
    callback, file = collecting
    callback.v2_runner_on_ok(result({"warnings": ["strange"]}))
    assert [row["warnings"] for row in rows(file)] == [["strange"]]


def test_of_a_diff_the_data_is_kept_and_of_other_modules_the_texts(collecting: tuple[CallbackModule, Path]) -> None:
    callback, file = collecting
    foreign = {"before": "a", "after": "b", "changes": "none"}
    callback.v2_runner_on_ok(result({"diff": [Plan("X", (Change("a", 1, 2),)).diff(), foreign]}))
    callback.v2_runner_on_ok(result({"diff": foreign}))
    data = {"after_header": "X", "is_new": False, "changes": [{"path": "a", "before": 1, "after": 2}]}
    assert [row["diff"] for row in rows(file)] == [[data, foreign], [foreign]]


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ({"name": "login", "stringData": {"x": "hunter2x"}}, "login"),
        ({"key": "db", "value": {"pwd": "hunter2x"}}, "db"),
        ({"dbPwd": "hunter2x"}, "{'dbPwd': ********}"),
        ("postgres://app:hunter2x@db/x", "postgres://********@db/x"),
    ],
)
def test_an_item_without_a_label_is_kept_without_its_secrets(
    collecting: tuple[CallbackModule, Path], item: Any, shown: str
) -> None:
    callback, file = collecting
    callback.v2_runner_item_on_ok(result({"changed": True, "item": item}))
    assert [row["item"] for row in rows(file)] == [shown]
