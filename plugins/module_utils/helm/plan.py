# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release's chart (its version, and its content on disk) and values would change.

From the record and the declaration.
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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..compare import overlay
from ..errors import ServiceError
from ..masking import forms
from ..plan import ABSENT, Change, Plan, join, leaves
from ..secrets import looks_secret, name_beside
from .chart import UNREADABLE, yaml_documents
from .release_record import DEPLOYED, UNINSTALLED, Release, is_kept_on_uninstall
from .spec import ReleaseSpec, is_number, stored_number

CONTENT_LABEL = "mcpops.io/chart"
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
        return f"r{revision}-{self.digest[:40]}"


def read_content(path: Path) -> Content:
    """The chart in a directory, without what its .helmignore names, or in an archive."""
    try:
        found = dict(_directory(path) if path.is_dir() else _archive(path.read_bytes()))
        return Content({name: content.removeprefix(_BOM) for name, content in found.items()})
    except UNREADABLE as failure:
        raise ServiceError(f"Reading the chart {path}", str(failure), code="ChartNotReadable") from failure


def content_changes(content: Content, release: Release) -> list[Change]:
    """What is different in a chart of the same name and version, file by file as far as the record knows them. Pure."""
    existing = _labelled(release)
    digest = content.label(release.revision).partition("-")[2]
    if existing == digest:
        return []
    found = _recorded(content, release)
    if not found and existing is not None:
        found = [Change("chart.charts", existing[:_SHOWN], digest[:_SHOWN], note="of subcharts no record tells more")]
    return found


def _labelled(release: Release) -> str | None:
    """The digest of the chart that this very revision was made of, if we made it."""
    match = re.fullmatch(r"r(\d+)-([0-9a-f]+)", str(release.labels.get(CONTENT_LABEL, "")))
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
    action = f"Reading {name} of chart {release.chart_name} {release.chart_version}"
    found = [one for one in yaml_documents(action, text) if isinstance(one, Mapping)]
    return found[0] if found else {}


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


def plan_release(
    spec: ReleaseSpec, release: Release | None, namespace_missing: bool = False, known: Collection[str] = ()
) -> Plan:
    """The changes that only helm can make. `body` is the user values for helm, `known` the secrets that stand."""
    subject = f"release {spec.namespace}/{spec.name}"
    changes: list[Change] = []
    notes: list[str] = []
    if namespace_missing and spec.create_namespace:
        changes.append(Change("namespace", ABSENT, spec.namespace))
    if release is None:
        changes.append(Change("chart", ABSENT, spec.chart.name))
        changes.append(Change("version", ABSENT, spec.chart.shown_version))
        notes.append(f"The objects of {subject} come from chart {spec.chart.name} {spec.chart.shown_version}.")
    else:
        if release.chart_name != spec.chart.name:
            changes.append(Change("chart", release.chart_name, spec.chart.name))
        if release.chart_version != spec.chart.version:
            changes.append(Change("version", release.chart_version, spec.chart.version))
        elif spec.content is not None and release.chart_name == spec.chart.name:
            changes.extend(content_changes(spec.content, release))
        if release.status != DEPLOYED:
            changes.append(Change("status", release.status, DEPLOYED))
    existing = release.values if release is not None else {}
    values = effective_values(spec, release)
    before_secret = release is not None and release.values_secret
    changes.extend(document_changes(existing, values, "values", spec.values_secret, known, before_secret))
    return Plan(subject, tuple(changes), body=dict(values), notes=tuple(notes), is_new=release is None)


def effective_values(spec: ReleaseSpec, release: Release | None) -> Mapping[str, Any]:
    """The whole of the user values that helm is to be given."""
    existing = release.values if release is not None else {}
    if spec.values is None:
        return existing
    return spec.values if spec.purge_values else overlay(existing, spec.values)


def plan_removal(spec_name: str, namespace: str, release: Release, objects: Sequence[Mapping[str, Any]]) -> Plan:
    """Everything an uninstall takes away."""
    changes = [Change("release", f"{release.chart_name} {release.chart_version}", ABSENT)]
    notes = []
    # a kept record lists objects that went with the uninstallation
    for item in objects if release.status != UNINSTALLED else ():
        metadata = item.get("metadata") or {}
        place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        called = f"{item.get('kind')} {place}{metadata.get('name')}"
        if is_kept_on_uninstall(item):
            notes.append(f"{called} stays: its chart asks to keep it.")
        else:
            changes.append(Change(f"objects[{called}]", "present", ABSENT))
    return Plan(f"release {namespace}/{spec_name}", tuple(changes), notes=tuple(notes))


def document_changes(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    path: str,
    secret: bool = False,
    known: Collection[str] = (),
    before_secret: bool = False,
) -> list[Change]:
    """Two whole documents leaf by leaf: unlike a merge, what is not in `after` goes, and null is a value.

    With `before_secret` nothing of `before` is shown, nor what comes in its place.
    """
    existing = dict(leaves(before, path)) if before else {}
    wanted = dict(leaves(after, path)) if after else {}
    both = {**existing, **wanted}
    secrets = _Secrets(existing if before_secret else _places(existing, known))
    return [
        Change(
            leaf,
            existing.get(leaf, ABSENT),
            wanted.get(leaf, ABSENT),
            secret or _hidden(leaf, existing, wanted) or secrets.cover(leaf),
        )
        for leaf in sorted(both)
        if not _same(existing.get(leaf, ABSENT), wanted.get(leaf, ABSENT))
    ]


def successors(before: Release, after: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """What comes in place of a secret that stands: as secret as that, though its name says nothing."""
    existing = dict(leaves(before.values)) if before.values else {}
    secrets = _Secrets(existing if before.values_secret else _places(existing, known))
    wanted = leaves(after) if after and secrets else []
    return [str(value) for leaf, value in wanted if isinstance(value, (str, int, float)) and secrets.cover(leaf)]


def _places(existing: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """Where one of the known secrets stands, whatever that is called, in any of its forms."""
    secrets = {form for one in known for form in forms(one)}
    texts = {leaf: str(value) for leaf, value in existing.items() if isinstance(value, (str, int, float))}
    return [leaf for leaf, text in texts.items() if secrets and not secrets.isdisjoint(forms(text))]


class _Secrets:
    """Places of secrets, to ask what comes there: the same place, one below it, or one instead of what it was in."""

    def __init__(self, places: Iterable[str]) -> None:
        self._places = frozenset(places)
        self._above = frozenset(above for place in self._places for above in _above(place))

    def __bool__(self) -> bool:
        return bool(self._places)

    def cover(self, leaf: str) -> bool:
        return leaf in self._places or leaf in self._above or not self._places.isdisjoint(_above(leaf))


def _above(leaf: str) -> Iterator[str]:
    return (leaf[:index] for index, sign in enumerate(leaf) if sign in ".[")


def _hidden(leaf: str, *sides: Mapping[str, Any]) -> bool:
    """A leaf that is secret on one side at least, where it stands or by the name beside it."""
    return any(leaf in side and looks_secret(leaf, side[leaf], name_beside(leaf, side)) for side in sides)


def _same(before: Any, after: Any) -> bool:
    """JSON equality: 1 and 1.0 are one number, 1 and true are not, and numbers are as exact as helm keeps them."""
    if is_number(before) and is_number(after):
        return stored_number(before) == stored_number(after)
    return bool(before == after) and isinstance(before, bool) == isinstance(after, bool)
