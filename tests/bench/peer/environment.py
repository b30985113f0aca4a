# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer's virtual environment, made once for its requirements and the Python that runs this."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements.txt"


def ensure() -> Path:
    """Its directory of programs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcpops-platform" / "peer"
    wanted = REQUIREMENTS.read_bytes() + platform.python_version().encode()
    directory = cache / hashlib.sha256(wanted).hexdigest()[:16]
    complete = directory / ".complete"
    if not complete.exists():
        print("installing the peer's packages (some minutes, once)", flush=True)
        venv.create(directory, with_pip=True, clear=True, symlinks=True)
        argv: list[str | Path] = [
            directory / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        subprocess.run([*argv, "-r", REQUIREMENTS], check=True, env=clean)
        complete.touch()
    return directory / "bin"


def versions(programs: Path) -> str:
    """What is compared with, for the head of the table."""
    script = (
        "import importlib.metadata as m, pathlib, json, ansible_collections.kubernetes.core as c;"
        "manifest = json.loads((pathlib.Path(list(c.__path__)[0]) / 'MANIFEST.json').read_text());"
        "print('ansible', m.version('ansible') + ', kubernetes.core', manifest['collection_info']['version'])"
    )
    done = subprocess.run([programs / "python", "-c", script], capture_output=True, text=True, check=True)
    return f"{done.stdout.strip()}, Python {platform.python_version()} ({sys.implementation.name})"
