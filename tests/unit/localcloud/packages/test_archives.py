# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages made from their sources are what the usual tools make of them."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

from localcloud.packages import archives
from localcloud.packages.process import NPM_PACKAGES, PYTHON_PACKAGES


def python_package(directory: Path) -> Path:
    (directory / "my_tools").mkdir()
    (directory / "my_tools" / "__init__.py").write_text("def main(): ...\n")
    (directory / "pyproject.toml").write_text(
        '[project]\nname = "My-Tools"\nversion = "2.1"\nrequires-python = ">=3.9"\ndependencies = ["mcp<2"]\n'
        '[project.scripts]\nmy-tools = "my_tools:main"\n'
    )
    return directory


def test_a_wheel_holds_code_metadata_and_commands(tmp_path: Path) -> None:
    name, content = archives.wheel(python_package(tmp_path))
    assert name == "my_tools-2.1-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("my_tools/__init__.py") == b"def main(): ...\n"
        metadata = archive.read("my_tools-2.1.dist-info/METADATA").decode().splitlines()
        assert {"Name: My-Tools", "Version: 2.1", "Requires-Dist: mcp<2", "Requires-Python: >=3.9"} <= set(metadata)
        scripts = archive.read("my_tools-2.1.dist-info/entry_points.txt").decode()
        assert scripts == "[console_scripts]\nmy-tools = my_tools:main\n"
        record = archive.read("my_tools-2.1.dist-info/RECORD").decode().splitlines()
        assert sorted(line.split(",")[0] for line in record) == sorted(archive.namelist())


def test_an_npm_package_holds_what_package_json_names(tmp_path: Path) -> None:
    about = {"name": "@own/words", "version": "1.2.3", "files": ["main.js"]}
    (tmp_path / "package.json").write_text(json.dumps(about))
    (tmp_path / "main.js").write_text("// words\n")
    (tmp_path / "notes.txt").write_text("stays here")
    name, content = archives.tarball(tmp_path)
    assert name == "own-words-1.2.3.tgz"
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == ["package/package.json", "package/main.js"]


def test_the_bytes_are_the_same_each_time() -> None:
    for package in PYTHON_PACKAGES:
        assert archives.wheel(package) == archives.wheel(package)
    for package in NPM_PACKAGES:
        assert archives.tarball(package) == archives.tarball(package)
