# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments for what cannot live in that of the checkout: made once, kept by what is in them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcloud.files import key_of, locked

INDEX = "Is a package index reachable? `pip config list` shows which one is used."


class EnvironmentMissing(Exception):
    """What could not be installed, why, and what to do."""


def with_packages(place: Path, name: str, requirements: Sequence[str], compiled: bool = True) -> Path:
    """The directory of an environment with what these lines of a requirements file name, below `place`."""
    listed = "".join(f"{line}\n" for line in requirements)
    target = place / f"{name}-{key_of(listed, sys.version, platform.machine())}"
    place.mkdir(parents=True, exist_ok=True)
    with locked(place / f"{target.name}.lock"):
        if not (target / ".complete").exists():
            shutil.rmtree(target, ignore_errors=True)
            # a virtual environment names its own place, so that it is made where it stays
            run([sys.executable, "-m", "venv", str(target)], f"make a virtual environment for {name}", "")
            (target / "requirements.txt").write_text(listed, encoding="utf-8")
            pip = [f"{target}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            bytecode = [] if compiled else ["--no-compile"]
            run([*pip, *bytecode, "-r", str(target / "requirements.txt")], f"install the packages of {name}", INDEX)
            (target / ".complete").touch()
    return target


def run(
    argv: Sequence[str],
    what: str,
    remedy: str,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> str:
    """The output of a program that installs or builds something."""
    related = dict(os.environ if environment is None else environment)
    # what is installed depends on the requirements alone
    for name in ("PYTHONPATH", "PYTHONHOME"):
        related.pop(name, None)
    try:
        done = subprocess.run(argv, env=related, cwd=directory, capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise EnvironmentMissing(f"Could not {what}: {argv[0]} is not there. {remedy}".strip()) from exc
    if done.returncode:
        raise EnvironmentMissing(
            f"Could not {what}: {Path(argv[0]).name} ended with {done.returncode}. {remedy}\n{done.stderr.strip()}"
        )
    return done.stdout
