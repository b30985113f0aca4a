# SPDX-License-Identifier: GPL-3.0-or-later
"""The finder that has Python keep the bytecode of what plugins import."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from ansible_collections.mcpops.platform.plugins.plugin_utils.bytecode import BytecodeFinder, keep_bytecode

PACKAGE = "of_a_collection"


class OtherLoader(Loader):
    """One that compiles each time, as Ansible's does."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with a module, a package with one in it, and a directory that is not a package."""
    files = {
        "plain.py": "VALUE = 1",
        "inner/__init__.py": "",
        "inner/deep.py": "from ..plain import VALUE",
        "bare/x.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "__init__.py").touch()
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("plain", "plain.py", id="a module"),
        pytest.param("inner", "inner/__init__.py", id="a package"),
        pytest.param("inner.deep", "inner/deep.py", id="a module of a package"),
        pytest.param("bare", None, id="a directory without __init__"),
        pytest.param("missing", None, id="what is not there"),
    ],
)
def test_what_lies_in_the_directory_is_found_and_nothing_else(place: Path, name: str, found: str | None) -> None:
    spec = BytecodeFinder(PACKAGE, place).find_spec(f"{PACKAGE}.{name}")
    assert (spec and spec.origin) == (found and str(place / found))
    assert not spec or isinstance(spec.loader, SourceFileLoader)


@pytest.mark.parametrize("name", [PACKAGE, f"{PACKAGE}_and_more.plain", "plain"])
def test_names_of_others_are_left_to_others(place: Path, name: str) -> None:
    assert BytecodeFinder(PACKAGE, place).find_spec(name) is None


def test_bytecode_is_kept_until_the_source_changes(place: Path) -> None:
    sys.meta_path.append(BytecodeFinder(PACKAGE, place.parent / "nowhere"))
    keep_bytecode(PACKAGE, place, OtherLoader())
    sys.modules[PACKAGE] = type(sys)(PACKAGE)
    sys.modules[PACKAGE].__path__ = []
    assert import_module(f"{PACKAGE}.inner.deep").VALUE == 1
    kept = [file.parent for file in place.rglob("*.pyc")]
    assert sorted({*kept}) == [place / "__pycache__", place / "inner" / "__pycache__"]
    for name in ("plain", "inner.deep", "inner"):
        del sys.modules[f"{PACKAGE}.{name}"]
    (place / "plain.py").write_text("VALUE = 'another'", encoding="utf-8")
    assert import_module(f"{PACKAGE}.inner.deep").VALUE == "another"


def test_pythons_own_loader_keeps_it_anyway(place: Path) -> None:
    before = [*sys.meta_path]
    keep_bytecode(PACKAGE, place, SourceFileLoader(PACKAGE, str(place / "__init__.py")))
    assert sys.meta_path == before
