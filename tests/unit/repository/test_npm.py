# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests run on Node: where it is installed, that its lock is whole, and what a machine without npm is told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from gate import npm


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another list than the committed one, an empty cache, and only the npm that a test puts on the path."""
    listed = tmp_path / "node"
    listed.mkdir()
    for name in npm.INPUTS:
        (listed / name).write_text("{}\n", encoding="utf-8")
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setattr(npm, "LISTED", listed)
    monkeypatch.setattr(npm, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tools))
    return listed


def put_npm(listed: Path, script: str) -> None:
    path = listed.parent / "bin" / "npm"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


INSTALLS = "echo $@ >> ../../calls; /bin/mkdir -p node_modules/{0}/bin; : > node_modules/{0}/bin/node".format(
    npm.NODE_PACKAGES.get(npm.platform.machine(), "node")
)


def test_a_lock_is_installed_once_and_a_changed_one_elsewhere(listed: Path) -> None:
    put_npm(listed, INSTALLS)
    first = npm.installed()
    assert npm.installed() == first
    assert npm.node(first).exists()
    (listed / "package-lock.json").write_text('{"lockfileVersion": 3}\n', encoding="utf-8")
    assert npm.installed() != first
    assert first.exists()
    calls = (listed.parent / "cache" / "calls").read_text().splitlines()
    assert calls == ["ci --ignore-scripts --no-audit --no-fund"] * 2


def test_a_broken_off_install_is_begun_again(listed: Path) -> None:
    put_npm(listed, "exit 1")
    with pytest.raises(npm.NpmError):
        npm.installed()
    (npm.directory() / "half").touch()
    put_npm(listed, INSTALLS)
    npm.installed()
    assert not (npm.directory() / "half").exists()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("", "npm is not there. Install Node and npm: apt-get install nodejs npm"),
        ("echo ECONNREFUSED >&2; exit 7", "npm ended with 7. Is a package registry reachable.*ECONNREFUSED"),
        ("exit 0", "Does `npm config` omit `optional`"),
    ],
    ids=["no-npm", "no-registry", "no-node"],
)
def test_what_went_wrong_says_what_to_do(script: str, message: str, listed: Path) -> None:
    if script:
        put_npm(listed, script)
    with pytest.raises(npm.NpmError, match=re.compile(message, re.DOTALL)):
        npm.installed()


def test_the_lock_names_no_registry_and_has_a_checksum_for_every_package() -> None:
    packages = json.loads((npm.LISTED / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert "omit-lockfile-registry-resolved=true" in (npm.LISTED / ".npmrc").read_text(encoding="utf-8")
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert [name for name, package in packages.items() if "integrity" not in package] == [""]


def test_versions_are_exact_and_node_is_there_for_every_machine() -> None:
    manifest = json.loads((npm.LISTED / "package.json").read_text(encoding="utf-8"))
    versions = {**manifest["dependencies"], **manifest["optionalDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+(-[\w.]+)?", version) for version in versions.values()), versions
    assert versions["@modelcontextprotocol/conformance"] == "0.2.0-alpha.12"
    assert set(manifest["optionalDependencies"]) == set(npm.NODE_PACKAGES.values())
