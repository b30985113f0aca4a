# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels as they are on PyPI, for the Python of the images, whichever Python runs this."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from localcloud.binaries import machine
from localcloud.command import run


def download_wheels(requirements: Sequence[str], version: str, into: Path, *, dependencies: bool = True) -> None:
    architecture = {"amd64": "x86_64", "arm64": "aarch64"}[machine()]
    argv: list[str | Path] = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", into]
    argv += ["--only-binary=:all:", "--python-version", version]
    for platform in (f"manylinux_2_28_{architecture}", f"manylinux2014_{architecture}"):
        argv += ["--platform", platform]
    argv += [*([] if dependencies else ["--no-deps"]), *requirements]
    run(argv, why=f"download {', '.join(requirements)}", remedy="It needs PyPI.")
