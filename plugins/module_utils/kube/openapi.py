# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a machine keeps of API servers between runs: their OpenAPI v3 documents, and what they have confirmed.

Documents are addressed by the hash of their content, which the API server itself puts into their address: one that was
read once is never out of date, and clusters of one version share it. Neither holds values of objects. A directory that
cannot be written costs requests and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ansible_collections.mcpops.platform.plugins.module_utils.private_files import MODE, write_private

INDEX = "/openapi/v3"
CONFIRMED_DAYS = 30
_LONGEST_RECORD = 4_000_000
_DAY_SECONDS = 86_400


def cache_directory() -> Path | None:
    """`mcpops.platform` in the user's cache directory; None where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "mcpops.platform"
    except RuntimeError:
        return None


def document_path(api_version: str) -> str:
    """The key of a group version in the index."""
    return f"apis/{api_version}" if "/" in api_version else f"api/{api_version}"


def addresses(index: Mapping[str, Any]) -> dict[str, str]:
    """The address of each document by group version."""
    return {path: str(row.get("serverRelativeURL")) for path, row in (index.get("paths") or {}).items()}


class Documents:
    """Trimmed documents by the address that names their content."""

    FORM = "1"
    """Part of every name: another form of what is kept must not be read as this one."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory / "openapi" if directory is not None else None

    def read(self, address: str) -> Any | None:
        file = self._file(address)
        if file is None:
            return None
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, address: str, document: Any) -> None:
        file = self._file(address)
        if file is None:
            return
        with contextlib.suppress(OSError):
            write_private(file, json.dumps(document, ensure_ascii=False, separators=(",", ":")))

    def _file(self, address: str) -> Path | None:
        parts = urlsplit(address)
        # without a hash the address says nothing of the content
        if self._directory is None or not parse_qs(parts.query).get("hash"):
            return None
        name = hashlib.sha256(f"{self.FORM} {address}".encode()).hexdigest()
        return self._directory / f"{name}.json"


class Confirmed:
    """Digests of pairs of a declaration and an object of which a dry run has said that they are the same.

    A declaration that the API server completes (a list that is one piece, with defaults inside) differs from the object
    for ever, as far as reading tells. Once a dry run has shown that applying it changes nothing, it need not be asked
    again as long as both are what they were.
    """

    def __init__(self, directory: Path | None, server: str) -> None:
        name = hashlib.sha256(server.encode()).hexdigest()[:32]
        self._file = directory / "confirmed" / name if directory is not None else None
        self._digests: set[str] | None = None

    def __contains__(self, digest: str) -> bool:
        return digest in self._known()

    def add(self, digest: str) -> None:
        known = self._known()
        if digest in known:
            return
        known.add(digest)
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._file.exists() and self._file.stat().st_size > _LONGEST_RECORD:
                self._file.unlink()
            # one short write in append mode: several workers may do so at once
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, MODE)
            try:
                os.write(descriptor, f"{digest} {int(time.time())}\n".encode())
            finally:
                os.close(descriptor)

    def _known(self) -> set[str]:
        if self._digests is None:
            self._digests = self._read()
        return self._digests

    def _read(self) -> set[str]:
        if self._file is None:
            return set()
        since = time.time() - CONFIRMED_DAYS * _DAY_SECONDS
        try:
            rows = [line.split() for line in self._file.read_text(encoding="ascii").splitlines()]
        except (OSError, ValueError):
            return set()
        return {row[0] for row in rows if len(row) == 2 and row[1].isdigit() and int(row[1]) > since}
