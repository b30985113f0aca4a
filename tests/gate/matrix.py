# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m gate.matrix CORE`: sanity and unit tests on another ansible-core than the one in `.venv`."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gate.checkout import CACHE, CHECKOUT

REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")


@dataclass(frozen=True)
class Row:
    """A supported ansible-core and the Pythons it runs on, the one to prefer first."""

    core: str
    pythons: tuple[str, ...]


# The oldest Python with the oldest core, the newest with the others: the corners of what is supported.
ROWS = (
    Row("2.19", ("3.11", "3.12", "3.13")),
    Row("2.20", ("3.13", "3.12")),
    Row("2.21", ("3.13", "3.12")),
)


class NoPython(Exception):
    """No interpreter for a row. Its text says which would do."""


def find_python(row: Row, search_path: str, version_directories: Path) -> str:
    """An interpreter that really starts as one of the row's versions: shims on PATH may refuse to."""
    for version in row.pythons:
        for candidate in _candidates(version, search_path, version_directories):
            probe = [candidate, "-c", "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"]
            answer = subprocess.run(probe, capture_output=True, text=True, check=False)
            if answer.stdout.strip() == version:
                return candidate
    wanted = ", ".join(row.pythons)
    raise NoPython(f"ansible-core {row.core} needs one of Python {wanted} with venv and ensurepip; none was found")


def _candidates(version: str, search_path: str, version_directories: Path) -> Iterator[str]:
    for directory in search_path.split(os.pathsep):
        found = shutil.which(f"python{version}", path=directory)
        if found:
            yield found
    yield from map(str, version_directories.glob(f"{version}*/bin/python{version}"))


def environment(row: Row, python: str, cache: Path) -> Path:
    """A virtual environment with everything a checkout needs and the row's core; made once for the same packages."""
    content = b"".join((CHECKOUT / name).read_bytes() for name in REQUIREMENTS)
    version = subprocess.run([python, "-VV"], capture_output=True, check=True).stdout
    target = cache / f"{row.core}-{hashlib.sha256(content + version).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / ".complete").exists():
            shutil.rmtree(target, ignore_errors=True)
            subprocess.run([python, "-m", "venv", target], check=True)
            named = [argument for name in REQUIREMENTS for argument in ("-r", str(CHECKOUT / name))]
            pip = [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *named, f"ansible-core=={row.core}.*"], check=True)
            (target / ".complete").touch()
    return target


def run(row: Row) -> int:
    """The first exit code that is not zero, or zero."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    try:
        python = find_python(row, os.environ.get("PATH", os.defpath), versions)
    except NoPython as exc:
        print(f"matrix: {exc}", file=sys.stderr)
        return 1
    cache = CACHE / "matrix"
    bin_directory = environment(row, python, cache) / "bin"
    interpreter = str(bin_directory / "python")
    print(f"matrix: ansible-core {row.core} on {python}", flush=True)
    surroundings = {
        **os.environ,
        "PATH": os.pathsep.join((str(bin_directory), os.environ.get("PATH", os.defpath))),
        "PYTHONPATH": str(CHECKOUT / "tests"),
    }
    commands = (
        [interpreter, "-m", "gate.sanity"],
        [interpreter, "-m", "pytest", "-q", "-n", "2", "-m", "not slow", "tests/unit"],
        # what a run shows depends on the core's callbacks: with every one of them
        [interpreter, "-m", "pytest", "-q", "-m", "slow", "tests/unit/plugins/plugin_utils/test_canaries.py"],
    )
    codes = [subprocess.run(command, cwd=CHECKOUT, env=surroundings, check=False).returncode for command in commands]
    return next((code for code in codes if code), 0)


def main(arguments: Sequence[str]) -> int:
    by_core = {row.core: row for row in ROWS}
    if len(arguments) != 1 or arguments[0] not in by_core:
        print(f"usage: python -m gate.matrix {{{','.join(by_core)}}}", file=sys.stderr)
        return 2
    return run(by_core[arguments[0]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
