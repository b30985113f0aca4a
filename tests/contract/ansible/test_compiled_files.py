# SPDX-License-Identifier: GPL-3.0-or-later
"""What is imported with a plugin is compiled once, as of any other package, and again when it has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest
from gate.checkout import CHECKOUT

from ansible_collections.mcpops.platform import plugins

OURS = "ansible_collections.mcpops.platform.plugins"
# in an interpreter of its own, as Ansible's command lines begin
IMPORTS = """
import sys
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
_AnsibleCollectionFinder(paths=[sys.argv[1]])._install()
from ansible_collections.mcpops.platform.plugins.module_utils import one
from ansible_collections.mcpops.platform.plugins.module_utils.deep import other
print(one.VALUE, other.VALUE, one.__file__)
"""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("module_utils.here", True),
        ("plugin_utils.here", True),
        ("modules.here", True),
        ("module_utils.absent", False),
        ("module_utils.package", False),
        # Ansible itself keeps the compiled form of plugins
        ("action.here", False),
        ("here", False),
    ],
)
def test_only_files_that_ansible_would_compile_each_time(tmp_path: Path, name: str, found: bool) -> None:
    (tmp_path / "here.py").touch()
    (tmp_path / "package").mkdir()
    (tmp_path / "package.py").touch()
    spec = plugins.CompiledFiles().find_spec(f"{OURS}.{name}", [str(tmp_path)])
    assert (spec is not None) == found
    if spec is not None:
        assert isinstance(spec.loader, SourceFileLoader) and spec.origin == str(tmp_path / "here.py")


def test_other_collections_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "here.py").touch()
    for name in ("ansible_collections.other.platform.plugins.module_utils.here", f"{OURS}_more.module_utils.here"):
        assert plugins.CompiledFiles().find_spec(name, [str(tmp_path)]) is None


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """One of the same name, of two files."""
    root = tmp_path / "ansible_collections" / "mcpops" / "platform"
    (root / "meta").mkdir(parents=True)
    (root / "meta" / "runtime.yml").write_text("requires_ansible: '>=2.19'\n")
    (root / "plugins" / "module_utils" / "deep").mkdir(parents=True)
    (root / "plugins" / "__init__.py").write_text((CHECKOUT / "plugins" / "__init__.py").read_text())
    for file in ("one.py", "deep/other.py"):
        (root / "plugins" / "module_utils" / file).write_text("VALUE = 1\n")
    return root


def imported(collection: Path, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    argv = [sys.executable, "-c", IMPORTS, str(collection.parents[2])]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={**inherited, **environment})
    return done.stdout.strip()


def compiled(collection: Path) -> list[str]:
    return sorted(path.name.partition(".")[0] for path in collection.rglob("module_utils/**/*.pyc"))


def test_what_was_compiled_is_kept_and_follows_its_source(collection: Path) -> None:
    one = collection / "plugins" / "module_utils" / "one.py"
    assert imported(collection) == f"1 1 {one}"
    assert compiled(collection) == ["one", "other"]
    kept = next(one.parent.glob("__pycache__/one.*.pyc"))
    written = kept.stat().st_mtime_ns
    assert imported(collection) == f"1 1 {one}"
    assert kept.stat().st_mtime_ns == written
    one.write_text("VALUE = 'another'\n")
    assert imported(collection) == f"another 1 {one}"


def test_nothing_is_kept_where_that_is_not_wanted(collection: Path) -> None:
    assert imported(collection, PYTHONDONTWRITEBYTECODE="1").startswith("1 1 ")
    assert compiled(collection) == []
