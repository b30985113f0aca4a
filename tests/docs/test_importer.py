# SPDX-License-Identifier: GPL-3.0-or-later
"""What Galaxy and a private hub say of the tarball when they import it: nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from gate.checkout import CHECKOUT

# With ansible-lint and antsibull of its own: it wants older libraries than other tools of ours.
REQUIREMENTS = ("galaxy-importer>=0.4.44,<0.5", "ansible-core>=2.19,<2.22")
COMPLAINT = re.compile(r"^(WARNING|ERROR|CRITICAL)\b|Traceback", re.MULTILINE)


@pytest.fixture(scope="module")
def importer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("importer")
    subprocess.run([sys.executable, "-m", "venv", str(place / "venv")], check=True)
    pip = [str(place / "venv/bin/python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *REQUIREMENTS], check=True)
    return place / "venv" / "bin"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("built")
    galaxy = Path(sys.prefix) / "bin" / "ansible-galaxy"
    argv = [galaxy, "collection", "build", "--output-path", directory]
    subprocess.run(argv, cwd=CHECKOUT, check=True, capture_output=True)
    (archive,) = directory.glob("*.tar.gz")
    return archive


def run(argv: list[str], importer: Path, cwd: Path, **environment: str) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment = {**clean, **environment, "PATH": f"{importer}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_importer_has_no_complaint(importer: Path, built: Path, tmp_path: Path) -> None:
    # its own call of ansible-lint ends after three minutes, which says more of the machine: see the next test
    settings = tmp_path / "importer.cfg"
    settings.write_text("[galaxy-importer]\nRUN_ANSIBLE_LINT = False\n", encoding="utf-8")
    argv = [str(importer / "python"), "-m", "galaxy_importer.main", str(built)]
    output = run(argv, importer, tmp_path, GALAXY_IMPORTER_CONFIG=str(settings))
    assert "Importer processing completed successfully" in output
    assert not COMPLAINT.search(output), output


@pytest.mark.slow
def test_ansible_lint_as_the_importer_calls_it_has_no_complaint(importer: Path, built: Path, tmp_path: Path) -> None:
    collection = tmp_path / "ansible_collections" / "mcpops" / "platform"
    with tarfile.open(built) as archive:
        archive.extractall(collection, filter="data")
    skipped = "yaml,var-naming,avoid-dot-notation,import-task-no-when,single-entry-point,use-loop"
    options = ["--profile", "production", "--format=pep8", "--nocolor", "-x", skipped, "--offline"]
    argv = [str(importer / "ansible-lint"), *options]
    output = run(argv, importer, collection, ANSIBLE_COLLECTIONS_PATH=str(tmp_path))
    assert "Failed to find" not in output, output
