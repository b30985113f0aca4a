# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of a chart on disk compared with the chart that a release was made of.

The version alone does not tell.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import ServiceError
from ..plan import ABSENT, Change, join
from .chart import UNREADABLE, first_mapping
from .release_record import Release

CONTENT_LABEL = "mcpops.io/chart"
DIGEST_LABEL = "mcpops.io/chart-digest"
"""Of the archive that a revision was made of, where the task said which one it must be."""
IGNORE_FILE = ".helmignore"

_BOM = b"\xef\xbb\xbf"
# `helm dependency` writes the time into it, and it says nothing that charts/ does not hold
_LOCKS = frozenset({"Chart.lock", "requirements.lock"})
# kept in the record in another form than as files, or not at all
_NO_FILES = frozenset({"Chart.yaml", "values.yaml", "values.schema.json", "requirements.yaml", *_LOCKS})
_SHOWN = 12


@dataclass(frozen=True)
class Content:
    """The files of a chart by their path in it, as helm reads them."""

    files: Mapping[str, bytes]

    @cached_property
    def digest(self) -> str:
        lines = [f"{name} {_digest(self.files[name])}\n" for name in sorted(self.files) if name not in _LOCKS]
        return _digest("".join(lines).encode())

    def label(self, revision: int) -> str:
        """The label's value for a revision made of this chart; a label has room for 63 characters."""
        return digest_label(self.digest, revision)


def digest_label(digest: str, revision: int) -> str:
    return f"r{revision}-{digest[:40]}"


def digest_changes(digest: str, release: Release) -> list[Change]:
    """That a revision was made of another archive of the same version; what nobody noted is not known."""
    existing = _labelled(release, DIGEST_LABEL)
    if existing is None or existing == digest[:40]:
        return []
    return [Change("digest", existing[:_SHOWN], digest[:_SHOWN])]


def read_content(path: Path) -> Content:
    """The chart in a directory, without what its .helmignore names, or in an archive."""
    try:
        found = dict(_directory(path) if path.is_dir() else _archive(path.read_bytes()))
        return Content({name: content.removeprefix(_BOM) for name, content in found.items()})
    except UNREADABLE as failure:
        raise ServiceError(f"Reading the chart {path}", str(failure), code="ChartNotReadable") from failure


def content_changes(content: Content, release: Release) -> list[Change]:
    """What is different in a chart of the same name and version, file by file as far as the record knows them. Pure."""
    existing = _labelled(release, CONTENT_LABEL)
    digest = content.label(release.revision).partition("-")[2]
    if existing == digest:
        return []
    found = _recorded(content, release)
    if not found and existing is not None:
        found = [Change("chart.charts", existing[:_SHOWN], digest[:_SHOWN], note="of subcharts no record tells more")]
    return found


def _labelled(release: Release, label: str) -> str | None:
    """The digest of the chart that this very revision was made of, if we made it."""
    match = re.fullmatch(r"r(\d+)-([0-9a-f]+)", str(release.labels.get(label, "")))
    return match[2] if match and int(match[1]) == release.revision else None


def _recorded(content: Content, release: Release) -> list[Change]:
    chart = release.chart
    existing = {
        str(file.get("name")): _decoded(file.get("data"))
        for part in ("templates", "files")
        for file in chart.get(part) or []
    }
    existing = {name: data for name, data in existing.items() if name not in _NO_FILES}
    wanted = {name: data for name, data in content.files.items() if name not in _NO_FILES and not _of_subchart(name)}
    if chart.get("schema") or "values.schema.json" in content.files:
        existing["values.schema.json"] = _decoded(chart.get("schema"))
        wanted["values.schema.json"] = content.files.get("values.schema.json", b"")
    found = [
        Change(join("chart", name), _short(existing.get(name)), _short(wanted.get(name)))
        for name in sorted({*existing, *wanted})
        if existing.get(name) != wanted.get(name)
    ]
    described = _document(content, "Chart.yaml", release)
    metadata = chart.get("metadata") or {}
    before, after = str(metadata.get("appVersion") or ""), str(described.get("appVersion") or "")
    if before != after:
        found.append(Change("chart.appVersion", before, after))
    # those of dependencies are mixed into the values that the record has
    dependencies = described.get("dependencies") or any(_of_subchart(name) for name in content.files)
    if not dependencies and "requirements.yaml" not in content.files:
        values = _document(content, "values.yaml", release)
        if values != (chart.get("values") or {}):
            shown = _short(content.files.get("values.yaml"))
            found.append(Change(join("chart", "values.yaml"), "other defaults", shown))
    return found


def _of_subchart(name: str) -> bool:
    return name.startswith("charts/")


def _decoded(data: Any) -> bytes:
    try:
        return base64.b64decode(data or "")
    except (TypeError, ValueError, binascii.Error):
        return b""


def _document(content: Content, name: str, release: Release) -> Mapping[str, Any]:
    text = content.files.get(name, b"").decode("utf-8", "replace")
    return first_mapping(f"Reading {name} of chart {release.chart_name} {release.chart_version}", text)


def _short(content: bytes | None) -> Any:
    return ABSENT if content is None else f"sha256:{_digest(content)[:_SHOWN]}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _directory(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file that helm would read, links followed."""
    ignored = Ignore(_text(root / IGNORE_FILE))
    seen: set[str] = set()
    for place, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        below = Path(place).relative_to(root)
        folders[:] = sorted(one for one in folders if not ignored.matches((below / one).as_posix(), folder=True))
        for name in files:
            path = (below / name).as_posix()
            if not ignored.matches(path, folder=False):
                yield from _opened(path, (root / path).read_bytes())


def _archive(content: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            name = member.name.removeprefix("./").partition("/")[2]
            if file is not None and name:
                yield from _opened(name, file.read())


def _opened(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """A file, or what is in the archive of a subchart: the same archive packed again has other bytes."""
    if _of_subchart(name) and name.endswith((".tgz", ".tar.gz")):
        try:
            yield from [(f"{name}/{inner}", data) for inner, data in _archive(content)]
            return
        except UNREADABLE:
            # helm will say what is wrong with it
            pass
    yield name, content


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


class Ignore:
    """The rules of a .helmignore, as helm's pkg/ignore reads them: nearly git's, without `**`."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self._rules = [line for line in lines if line and not line.startswith("#")] + ["templates/.?*"]

    def matches(self, path: str, folder: bool) -> bool:
        for rule in self._rules:
            pattern = rule.removeprefix("!")
            only_folders, pattern = pattern.endswith("/"), pattern.rstrip("/")
            fits = _fits(pattern, path)
            if rule.startswith("!"):
                # helm's own reading: what a negated rule does not choose is left out
                if not fits or (only_folders and not folder):
                    return True
            elif fits and (folder or not only_folders):
                return True
        return False


def _fits(pattern: str, path: str) -> bool:
    """A pattern with a slash is one of the whole path, else of the last part; `*` never crosses a slash."""
    pattern = pattern.replace("[^", "[!")
    if "/" not in pattern:
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern)
    wanted, parts = pattern.removeprefix("/").split("/"), path.split("/")
    return len(wanted) == len(parts) and all(map(fnmatch.fnmatchcase, parts, wanted))
