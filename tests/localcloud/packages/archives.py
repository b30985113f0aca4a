# SPDX-License-Identifier: GPL-3.0-or-later
"""A wheel and an npm package from their sources, the same bytes on every machine.

The usual tools (a build backend, npm) would be fetched for it; what pure packages need of them is a page of code.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from localcloud.images.builder import gzip_stored

# The first moment that a zip can name; npm's own is 1985.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
NPM_TIME = 499162500


def project(source: Path) -> dict[str, Any]:
    """The table `project` of a package's pyproject.toml."""
    import tomllib  # type: ignore[import-not-found,unused-ignore]  # not at the top: the collection supports 3.10

    found: dict[str, Any] = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    return found


def wheel(source: Path) -> tuple[str, bytes]:
    """(file name, content) of the pure package in `source`: a pyproject.toml and a directory of the package's name."""
    about = project(source)
    name, version = re.sub(r"[-_.]+", "_", about["name"]).lower(), about["version"]
    info = f"{name}-{version}.dist-info"
    files = {path.relative_to(source).as_posix(): path.read_bytes() for path in sorted((source / name).rglob("*.py"))}
    files[f"{info}/METADATA"] = _metadata(about).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: localcloud\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    scripts = "".join(f"{command} = {target}\n" for command, target in sorted(about.get("scripts", {}).items()))
    files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{scripts}".encode()
    rows = [f"{path},sha256={_urlsafe(content)},{len(content)}\n" for path, content in files.items()]
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, ZIP_TIME), content)
    return f"{name}-{version}-py3-none-any.whl", buffer.getvalue()


def _metadata(about: dict[str, Any]) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {about['name']}", f"Version: {about['version']}"]
    lines.append(f"Requires-Python: {about['requires-python']}")
    lines += [f"Requires-Dist: {requirement}" for requirement in about.get("dependencies", [])]
    return "\n".join(lines) + "\n"


def _urlsafe(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def tarball(source: Path) -> tuple[str, bytes]:
    """(file name, content) of the npm package in `source`: its package.json and the files that this one names."""
    about = json.loads((source / "package.json").read_text())
    name = about["name"].removeprefix("@").replace("/", "-")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in ("package.json", *sorted(about["files"])):
            content = (source / file).read_bytes()
            entry = tarfile.TarInfo(f"package/{file}")
            entry.size, entry.mode, entry.mtime = len(content), 0o644, NPM_TIME
            archive.addfile(entry, io.BytesIO(content))
    return f"{name}-{about['version']}.tgz", gzip_stored(buffer.getvalue())
