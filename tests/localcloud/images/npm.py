# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of the npm registry, by npm's own client and against a checksum."""

from __future__ import annotations

import tarfile
from pathlib import Path

from localcloud.command import CommandError, run
from localcloud.files import sha256_of


def unpack_package(name: str, version: str, checksum: str, into: Path) -> Path:
    """The content of a package, below `into`. No script of it runs."""
    argv = ["npm", "pack", "--silent", "--ignore-scripts", f"{name}@{version}", "--pack-destination", str(into)]
    run(argv, why=f"download {name}@{version}", cwd=into, remedy="It needs npm, and the npm registry.")
    (archive,) = into.glob("*.tgz")
    found = sha256_of(archive)
    if found != checksum:
        raise CommandError(f"{name}@{version} has the checksum {found}, and {checksum} was expected. It is not used.")
    with tarfile.open(archive) as content:
        content.extractall(into, filter="data")
    return into / "package"
