# SPDX-License-Identifier: GPL-3.0-or-later
"""The run inside the run: its environment, the play behind its playbook, and what that tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.splitter import parse_kv

from ansible_collections.mcpops.platform.plugins.plugin_utils.site_run import (
    END,
    environment_of,
    extra_variables,
    parted,
    with_end,
)

# what the user has set → what the inner run gets instead
SETTINGS = {
    "ANSIBLE_ANY_ERRORS_FATAL": ("true", "false"),
    "ANSIBLE_RUN_TAGS": ("mcp", "all"),
    "ANSIBLE_SKIP_TAGS": ("mcp", "preflight,verify"),
    "ANSIBLE_FORKS": ("7", "7"),
}


@pytest.mark.parametrize(("name", "given", "kept"), [(name, *values) for name, values in SETTINGS.items()])
def test_no_setting_leaves_hosts_or_tasks_out(name: str, given: str, kept: str) -> None:
    assert environment_of({name: given}, Path("collected"), ["preflight", "verify"])[name] == kept


HOST = {"host": "a", "stage": "setup", "task": "Compare"}
ENDS: dict[str, tuple[list[dict[str, Any]], set[str]]] = {
    "nobody told": ([HOST], set()),
    "some came to the end": ([HOST, {"host": "a", "stage": END, "msg": ["a", "b"]}], {"a", "b"}),
    "told without names": ([HOST, {"host": "a", "stage": END}], set()),
}


@pytest.mark.parametrize(("rows", "ended"), ENDS.values(), ids=ENDS.keys())
def test_the_end_is_no_row_of_the_site(rows: list[dict[str, Any]], ended: set[str]) -> None:
    results = parted(rows)
    assert (list(results.rows), set(results.ended)) == ([HOST], ended)


def test_a_playbook_is_imported_by_full_name_or_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.yml").touch()
    monkeypatch.chdir(tmp_path)
    given = {"mcpops.platform.site": "mcpops.platform.site", "site.yml": str(tmp_path / "site.yml")}
    assert {name: with_end(name)[0]["import_playbook"] for name in given} == given


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("db_password=hunter2x level='a b'", {"db_password": "hunter2x", "level": "a b"}),
        ('{"db_password": "hunter2x", "many": [1]}', {"db_password": "hunter2x", "many": [1]}),
    ],
)
def test_extra_variables_are_on_no_command_line(given: str, values: dict[str, Any], tmp_path: Path) -> None:
    file, kept = extra_variables([given, "@vars.yml"], tmp_path)
    assert "hunter2x" not in file and kept == "@vars.yml"
    written = Path(file.removeprefix("@"))
    assert json.loads(written.read_text()) == values
    assert written.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "given",
    [
        "{at: 2026-01-31T10:20:30Z, day: 2026-01-31}",
        '{"at": 2026-01-31T10:20:30.5+02:00, "many": [2026-02-01, 1_000, 0o17, on]}',
        "{limit: .inf, none: ~, kinds: !!set {a}}",
        "at=2026-01-31T10:20:30Z count=1",
    ],
)
def test_the_inner_run_has_the_values_of_the_outer(given: str, tmp_path: Path) -> None:
    outer = DataLoader().load(given) if given.startswith("{") else parse_kv(given)
    [file] = extra_variables([given], tmp_path)
    inner = DataLoader().load_from_file(file.removeprefix("@"))
    # the types as well: what a date becomes in a text depends on where it is used
    assert repr(inner) == repr(outer)
