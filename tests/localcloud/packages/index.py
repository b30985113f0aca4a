# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two registries answer, from the files of one directory. No input or output but reading them.

Python: the simple repository API in HTML (PEP 503), with metadata of wheels beside them (PEP 658).
npm: the packument of a package, and its tarballs (docs/REGISTRY-API.md and docs/responses/package-metadata.md of npm's
registry).
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

HTML, JSON, BYTES = "text/html; charset=utf-8", "application/json", "application/octet-stream"


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: bytes


NOTHING = Answer(404, JSON, b'{"error":"not found"}')


def normalised(name: str) -> str:
    """PEP 503: how a project is spelt in the index."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Index:
    """The wheels and npm tarballs of a directory, read once."""

    def __init__(self, directory: Path) -> None:
        self.files = {path.name: path for path in sorted(directory.iterdir()) if path.suffix in (".whl", ".tgz")}
        self.projects: dict[str, list[str]] = {}
        self.packages: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for name, path in self.files.items():
            if path.suffix == ".whl":
                self.projects.setdefault(normalised(name.split("-")[0]), []).append(name)
            else:
                about = _package_json(path)
                self.packages.setdefault(about["name"], []).append((name, about))

    def answer(self, path: str, base: str) -> Answer:
        """`base` is the address the client came by: npm wants whole addresses."""
        if path.startswith("/pypi/simple/"):
            return self._simple(path.removeprefix("/pypi/simple/").rstrip("/"))
        if path.startswith("/pypi/files/"):
            return self._file(path.removeprefix("/pypi/files/"))
        if path.startswith("/npm/"):
            name, dash, file = unquote(path.removeprefix("/npm/")).partition("/-/")
            return self._file(file) if dash else self._packument(name, base)
        return NOTHING

    def _simple(self, project: str) -> Answer:
        if not project:
            return _page(f'<a href="{name}/">{name}</a>' for name in sorted(self.projects))
        if project not in self.projects:
            return NOTHING
        return _page(_link(name, self.files[name]) for name in self.projects[project])

    def _file(self, name: str) -> Answer:
        wheel = name.removesuffix(".metadata")
        if wheel not in self.files:
            return NOTHING
        content = self.files[wheel].read_bytes() if wheel == name else metadata(self.files[wheel])
        return Answer(200, BYTES, content)

    def _packument(self, name: str, base: str) -> Answer:
        if name not in self.packages:
            return NOTHING
        versions = {}
        for file, about in self.packages[name]:
            content = self.files[file].read_bytes()
            dist = {
                "tarball": f"{base}/npm/{name}/-/{file}",
                "shasum": hashlib.sha1(content).hexdigest(),
                "integrity": f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}",
            }
            versions[about["version"]] = {**about, "_id": f"{name}@{about['version']}", "dist": dist}
        latest = max(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])
        document = {"_id": name, "name": name, "dist-tags": {"latest": latest}, "versions": versions}
        return Answer(200, JSON, json.dumps(document).encode())


def _page(lines: Any) -> Answer:
    return Answer(200, HTML, ("<!DOCTYPE html>\n" + "<br/>\n".join(lines) + "\n").encode())


def _link(name: str, path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    beside = f"sha256={hashlib.sha256(metadata(path)).hexdigest()}"
    needs = re.search(r"^Requires-Python: *(.+)$", metadata(path).decode(), re.MULTILINE)
    python = f' data-requires-python="{html.escape(needs[1])}"' if needs else ""
    return f'<a href="/pypi/files/{name}#sha256={digest}"{python} data-core-metadata="{beside}">{name}</a>'


def metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        return archive.read(name)


def _package_json(tarball: Path) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(tarball.read_bytes())) as archive:
        file = archive.extractfile("package/package.json")
        assert file is not None
        about: dict[str, Any] = json.loads(file.read())
        return about
