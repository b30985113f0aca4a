# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory the registries serve, and the process that does."""

from __future__ import annotations

import http.client
import os
import sys
import time
from pathlib import Path

from localcloud.binaries import machine
from localcloud.files import Progress, fresh_directory, key_of
from localcloud.images import python_base
from localcloud.images.wheels import download_wheels
from localcloud.packages.archives import project, tarball, wheel
from localcloud.processes import Server
from localcloud.settings import Settings

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
PYTHON_PACKAGES = (EXAMPLES / "units-mcp",)
NPM_PACKAGES = (EXAMPLES / "words-mcp",)
SOURCES = Path(__file__).resolve().parents[2]
START_SECONDS = 15.0


def _requirements() -> list[str]:
    return sorted({one for package in PYTHON_PACKAGES for one in project(package).get("dependencies", [])})


def ensure_packages(settings: Settings, progress: Progress) -> Path:
    """A directory with our packages and, from PyPI, all that they depend on. The caller holds the build lock."""
    own = [*map(wheel, PYTHON_PACKAGES), *map(tarball, NPM_PACKAGES)]
    requirements, version = _requirements(), python_base.python_version()
    parts = [part for name, content in own for part in (name, content)]
    target = settings.cache / "packages" / key_of(machine(), version, *requirements, *parts)
    if not target.exists():
        progress("filling the index of packages for npx and uvx")
        with fresh_directory(target) as directory:
            download_wheels(requirements, version, directory)
            for name, content in own:
                (directory / name).write_bytes(content)
    return target


def server(settings: Settings) -> Server:
    return Server(settings, "packages")


def answers(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(settings.host_address, settings.packages_port, timeout=2)
    try:
        connection.request("GET", "/pypi/simple/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def ensure_running(settings: Settings, directory: Path) -> None:
    """Start it; start it again for another directory or other code."""
    process = server(settings)
    code = key_of(*(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))
    argv = [sys.executable, "-m", "localcloud.packages.server", str(directory)]
    record = process.record()
    if process.pid() is not None and (record.get("command") != argv or record.get("sources") != code):
        process.stop()
    if process.pid() is None:
        process.start(argv, {**os.environ, **settings.environment(), "PYTHONPATH": str(SOURCES)}, code)
    deadline = time.monotonic() + START_SECONDS
    while not answers(settings):
        if process.pid() is None:
            raise process.failure(f"ended right after its start; is {settings.packages} taken by another program?")
        if time.monotonic() > deadline:
            raise process.failure(f"does not answer at {settings.packages} within {START_SECONDS:.0f} s")
        time.sleep(0.05)
