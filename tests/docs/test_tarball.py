# SPDX-License-Identifier: GPL-3.0-or-later
"""What users install: the files that were decided on, and the documentation of every module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from gate.checkout import CHECKOUT
from gate.rules import modules, tarball


def ansible(command: str, *arguments: object, cwd: Path) -> str:
    argv = [Path(sys.prefix) / "bin" / command, *map(str, arguments)]
    # Only what was installed there, and not the checkout.
    environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(cwd)}
    return subprocess.run(argv, cwd=cwd, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("built")
    ansible("ansible-galaxy", "collection", "build", "--output-path", directory, cwd=CHECKOUT)
    (archive,) = directory.glob("*.tar.gz")
    return archive


def test_users_get_the_files_that_were_decided_on(built: Path) -> None:
    with tarfile.open(built) as archive:
        members = [member.name for member in archive if not member.isdir()]
    unexpected = tarball.unexpected(members)
    assert not unexpected, "\n".join(unexpected)
    assert tarball.lacking(members) == []


def test_what_users_get_installs_and_documents_itself(built: Path, tmp_path: Path) -> None:
    ansible("ansible-galaxy", "collection", "install", "--offline", "-p", tmp_path, built, cwd=tmp_path)
    listed = ansible("ansible-doc", "--list", "--json", "mcpops.platform", cwd=tmp_path)
    found = {name.removeprefix("mcpops.platform.") for name in json.loads(listed)}
    assert found == set(modules.module_names(CHECKOUT))
