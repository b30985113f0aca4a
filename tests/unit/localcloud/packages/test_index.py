# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers of the two package registries."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from localcloud.packages import archives
from localcloud.packages.index import Index
from localcloud.packages.process import NPM_PACKAGES, PYTHON_PACKAGES

BASE = "http://registry.example:3141"


@pytest.fixture
def index(tmp_path: Path) -> Index:
    made = [*map(archives.wheel, PYTHON_PACKAGES), *map(archives.tarball, NPM_PACKAGES)]
    about = {"name": "@own/words", "version": "0.10.0", "files": []}
    for version in ("0.9.0", "0.10.0"):
        (tmp_path / "package.json").write_text(json.dumps({**about, "version": version}))
        made.append(archives.tarball(tmp_path))
    for name, content in made:
        (tmp_path / name).write_bytes(content)
    return Index(tmp_path)


def test_the_simple_index_leads_to_a_wheel_with_its_checksum_and_metadata(index: Index) -> None:
    assert '<a href="units-mcp/">' in index.answer("/pypi/simple/", BASE).body.decode()
    page = index.answer("/pypi/simple/units-mcp/", BASE).body.decode()
    link = re.search(r'href="([^"#]+)#sha256=(\w+)" data-requires-python="&gt;=3.10" data-core-metadata="sha256=', page)
    assert link
    wheel = index.answer(link[1], BASE).body
    assert hashlib.sha256(wheel).hexdigest() == link[2]
    assert b"Name: units-mcp\n" in index.answer(f"{link[1]}.metadata", BASE).body


def test_a_packument_leads_to_a_tarball_with_its_checksum(index: Index) -> None:
    packument = json.loads(index.answer("/npm/words-mcp", BASE).body)
    version = packument["versions"][packument["dist-tags"]["latest"]]
    assert version["bin"] == {"words-mcp": "server.js"}
    tarball = index.answer(version["dist"]["tarball"].removeprefix(BASE), BASE).body
    assert version["dist"]["integrity"] == f"sha512-{base64.b64encode(hashlib.sha512(tarball).digest()).decode()}"


def test_a_scoped_package_of_two_versions(index: Index) -> None:
    packument = json.loads(index.answer("/npm/@own%2fwords", BASE).body)
    assert packument["dist-tags"] == {"latest": "0.10.0"} and sorted(packument["versions"]) == ["0.10.0", "0.9.0"]


@pytest.mark.parametrize(
    "path", ["/", "/pypi/simple/unknown/", "/pypi/files/../secret", "/npm/unknown", "/npm/words-mcp/-/other.tgz"]
)
def test_what_is_not_there(index: Index, path: str) -> None:
    assert index.answer(path, BASE).status == 404
