# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which chart is meant (OCI registry, HTTP repository or disk) and which version.

Exact, or a range in Helm's notation.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import Problem, ServiceError
from ..kube import sdk
from ..kube.yaml_loader import read_documents

_EXACT = re.compile(r"v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)")
_PART = r"(?:\d+|[xX*])"
_TERM = re.compile(
    rf"(?P<sign>>=|=>|<=|=<|~>|!=|[=<>~^])?\s*v?(?P<numbers>{_PART}(?:\.{_PART}){{0,2}})(?:-(?P<pre>[0-9A-Za-z.-]+))?"
)
_BETWEEN = re.compile(rf"v?({_PART}(?:\.{_PART}){{0,2}})\s+-\s+v?({_PART}(?:\.{_PART}){{0,2}})")

Numbers = tuple[int, int, int]
Key = tuple[Numbers, int, tuple[tuple[int, int, str], ...]]


@dataclass(frozen=True)
class VersionRange:
    """Which versions fit: any of the alternatives, each of which is several terms that all must hold."""

    text: str
    alternatives: tuple[tuple[Callable[[str], bool], ...], ...] = field(compare=False)

    def allows(self, version: str) -> bool:
        return any(all(term(version) for term in terms) for terms in self.alternatives)

    def newest(self, versions: Iterable[str]) -> str | None:
        """The highest exact version that fits, as it was written; None when none does."""
        fitting = [version for version in versions if exact_version(version) and self.allows(version)]
        return max(fitting, key=version_key, default=None)


def exact_version(text: str) -> str | None:
    """`1.2.3` for `1.2.3` and `v1.2.3`; None for what is not one full version.

    Helm reads a blank version as "the newest" and takes `v1.2.3` or `1.2` literally as a tag: neither names what it
    seems to name.
    """
    match = _EXACT.fullmatch(text.strip())
    return match.group(1) if match else None


def version_range(text: str) -> VersionRange | None:
    """`~1.2`, `^2`, `>=1.0 <1.4 || 2.x`, `1.2 - 1.4`; None for anything else, an exact or a partial version too."""
    if exact_version(text) or re.fullmatch(r"v?\d+(\.\d+)?", text.strip()):
        return None
    alternatives = [_terms(part.strip()) for part in text.split("||")]
    if any(terms is None for terms in alternatives):
        return None
    return VersionRange(text.strip(), tuple(terms for terms in alternatives if terms is not None))


def version_key(version: str) -> Key:
    """A sort key: a pre-release is before its release, numbers in it count as numbers, build metadata not at all."""
    whole = version.strip().removeprefix("v").partition("+")[0]
    core, _dash, pre = whole.partition("-")
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".") if pre)
    return _numbers(core), 0 if pre else 1, parts


def _terms(text: str) -> tuple[Callable[[str], bool], ...] | None:
    between = _BETWEEN.fullmatch(text)
    if between is not None:
        text = f">={between.group(1)} <={between.group(2)}"
    terms = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            return None
        terms.append(_term(match.group("sign") or "=", match.group("numbers"), match.group("pre") or ""))
        position = match.end()
        gap = re.compile(r"\s*,?\s*").match(text, position)
        if gap is not None and gap.end() == position and position < len(text):
            return None
        position = gap.end() if gap is not None else position
    return tuple(terms) or None


def _term(sign: str, written: str, pre: str) -> Callable[[str], bool]:
    """One comparison. A pre-release fits only where the comparison itself names one, as helm has it."""
    given = [int(part) for part in re.split(r"\.", re.sub(r"\.?[xX*].*$", "", written)) if part]
    low: Numbers = _numbers(".".join(map(str, given)))
    end = _after(given, sign)
    least = version_key(f"{'.'.join(map(str, low))}{f'-{pre}' if pre else ''}")

    def holds(version: str) -> bool:
        key = version_key(version)
        if not pre and not key[1]:
            return False
        if sign in ("=", "~", "~>", "^"):
            return key[0] == low and key == least if sign == "=" and len(given) == 3 else least <= key and key[0] < end
        if sign == "!=":
            return not (key == least if len(given) == 3 else low <= key[0] < end)
        if sign in (">=", "=>"):
            return key >= least
        if sign == "<":
            return key < least
        if sign in ("<=", "=<"):
            return key <= least if len(given) == 3 else key[0] < end
        return key > least if len(given) == 3 else key[0] >= end

    return holds


_NO_END: Numbers = (1 << 62, 0, 0)


def _after(given: list[int], sign: str) -> Numbers:
    """The first numbers beyond what the sign allows."""
    if not given:
        return _NO_END
    kept = len(given) if sign not in ("~", "~>") else min(len(given), 2)
    if sign == "^":
        # the leftmost number that is not zero must stay
        kept = next((place for place, number in enumerate(given, 1) if number), len(given))
    raised = [*given[: kept - 1], given[kept - 1] + 1]
    return _numbers(".".join(map(str, raised)))


def _numbers(core: str) -> Numbers:
    parts = [int(part) for part in core.split(".") if part.isdigit()]
    major, minor, patch = (*parts, 0, 0, 0)[:3]
    return major, minor, patch


_OCI = re.compile(r"oci://(?P<host>[A-Za-z0-9.-]+(?::\d+)?)/(?P<path>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

UNREADABLE = (OSError, EOFError, tarfile.TarError, zlib.error)
"""What reading a chart's directory or archive raises; of one that ends too early, what gzip says."""


@dataclass(frozen=True)
class Chart:
    """A chart and its version."""

    location: str
    """What helm is given: oci://host/path/name, or a path. The chart's name while it is in an HTTP repository."""
    name: str
    version: str
    """Exact; empty until the range is resolved."""
    repository: str = ""
    """The address of the HTTP repository; empty for every other chart."""
    range: VersionRange | None = None
    tag: str = ""
    """In a registry, where the declared version carries a leading v: charts are tagged with one, or without."""

    @property
    def registry(self) -> str:
        """The OCI registry's host (and port); empty for any other chart."""
        match = _OCI.fullmatch(self.location)
        return match.group("host") if match else ""

    @property
    def host(self) -> str:
        """Who is asked for it."""
        return self.registry or urlsplit(self.repository).netloc

    @property
    def on_disk(self) -> Path | None:
        """Where the chart is, if it needs no fetching."""
        return None if self.repository or "://" in self.location else Path(self.location)

    @property
    def shown_version(self) -> str:
        """The version, or the range while it is not resolved."""
        return self.version or (self.range.text if self.range else "")


def version_problem(path: str, text: str) -> Problem:
    return Problem(
        path,
        f'"{text}" is not one exact version. Give all three numbers, such as 1.2.3 (a leading v is accepted); '
        "ranges and blanks would install something else tomorrow",
    )


def resolve_chart(
    chart_ref: str, chart_version: str | None, repo_url: str | None = None
) -> tuple[Chart | None, list[Problem]]:
    """The chart, or everything that is wrong with its reference and version."""
    problems = []
    version = exact_version(chart_version) if chart_version else None
    allowed = version_range(chart_version) if chart_version else None
    if chart_version and version is None and allowed is None:
        problems.append(_neither_version_nor_range(chart_version))
    if repo_url:
        return _in_repository(repo_url, chart_ref, chart_version, version, allowed, problems)
    if "://" not in chart_ref:
        return _on_disk(chart_ref, version, allowed, problems)
    match = _OCI.fullmatch(chart_ref)
    if match is None:
        problems.append(Problem("chart_ref", _reference_advice(chart_ref)))
    if not chart_version:
        problems.append(Problem("chart_version", "is required for a chart from a registry"))
    if problems:
        return None, problems
    tag = (chart_version or "").strip()
    tagged = tag if version and tag.startswith("v") else ""
    return Chart(chart_ref, chart_ref.rsplit("/", 1)[-1], version or "", range=allowed, tag=tagged), []


def _neither_version_nor_range(text: str) -> Problem:
    partial = re.fullmatch(r"v?(\d+(?:\.\d+)?)", text.strip())
    advice = f", or ~{partial.group(1)} for the newest that begins so" if partial else ", or a range such as ~1.2"
    return Problem(
        "chart_version",
        f'"{text}" is neither one exact version nor a range. Give all three numbers, such as 1.2.3 (a leading v is '
        f"accepted){advice}",
    )


def _reference_advice(chart_ref: str) -> str:
    if chart_ref.startswith(("http://", "https://")):
        return f'"{chart_ref}" is neither oci://registry/path/chart nor a path; for an HTTP repository set repo_url'
    if not chart_ref.startswith("oci://"):
        return f'"{chart_ref}" is neither oci://registry/path/chart nor a path to a chart on the controller'
    last = chart_ref.rsplit("/", 1)[-1]
    if ":" in last or "@" in last:
        return f'"{chart_ref}" carries a tag or digest; leave it out and set chart_version'
    return f'"{chart_ref}" is not of the form oci://registry/path/chart (the path is lower case)'


def _in_repository(
    repo_url: str,
    chart_ref: str,
    chart_version: str | None,
    version: str | None,
    allowed: VersionRange | None,
    problems: list[Problem],
) -> tuple[Chart | None, list[Problem]]:
    parts = urlsplit(repo_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        problems.append(Problem("repo_url", f'"{repo_url}" is not the http(s) address of a chart repository'))
    elif parts.username or parts.password:
        problems.append(
            Problem(
                "repo_url", "carries credentials, which end up in logs: set registry_username and registry_password"
            )
        )
    if not _NAME.fullmatch(chart_ref):
        problems.append(Problem("chart_ref", f'"{chart_ref}" is not the name of a chart in the repository of repo_url'))
    if not chart_version:
        problems.append(Problem("chart_version", "is required for a chart from a repository"))
    if problems:
        return None, problems
    return Chart(chart_ref, chart_ref, version or "", repo_url.rstrip("/"), allowed), []


def _on_disk(
    chart_ref: str, version: str | None, allowed: VersionRange | None, problems: list[Problem]
) -> tuple[Chart | None, list[Problem]]:
    path = Path(chart_ref).expanduser()
    try:
        described = _description(path)
    except (*UNREADABLE, ValueError) as failure:
        where = "" if path.is_absolute() else f" in {Path.cwd()}, where relative paths begin,"
        why = failure if path.exists() else "there is no such file or directory"
        return None, [*problems, Problem("chart_ref", f"{path}{where} is not a readable chart: {why}")]
    name, existing = str(described.get("name", "")), exact_version(str(described.get("version", "")))
    if not name or existing is None:
        problems.append(Problem("chart_ref", f"{path}: its Chart.yaml has no name or no exact version"))
    elif (version is not None and version != existing) or (allowed is not None and not allowed.allows(existing)):
        asked = version or (allowed.text if allowed else "")
        problems.append(Problem("chart_version", f"{asked} is asked for, but the chart at {path} is {existing}"))
    if problems or existing is None:
        return None, problems
    return Chart(str(path), name, existing), []


def yaml_documents(action: str, text: str) -> list[Any]:
    """The YAML that a chart holds or renders to; a ServiceError when it is none."""
    try:
        return read_documents(text)
    except sdk.yaml.YAMLError as failure:
        raise ServiceError(
            action,
            f"it is not YAML ({failure})",
            code="ChartNotReadable",
            hint="Fix the chart, or declare another version of it; helm lint shows what is wrong with it.",
        ) from failure


def first_mapping(action: str, text: str) -> Mapping[str, Any]:
    """The first of these documents that is a mapping, as Chart.yaml and values.yaml are; an empty one for none."""
    return next((one for one in yaml_documents(action, text) if isinstance(one, Mapping)), {})


def _description(path: Path) -> Mapping[str, Any]:
    """Chart.yaml of a chart directory or archive."""
    sdk.require()
    if path.is_dir():
        text = (path / "Chart.yaml").read_bytes()
    else:
        with tarfile.open(path) as archive:
            member = next((item for item in archive if re.fullmatch(r"[^/]+/Chart\.yaml", item.name)), None)
            file = archive.extractfile(member) if member else None
            if file is None:
                raise ValueError("the archive holds no Chart.yaml")
            text = file.read()
    try:
        documents = read_documents(text.decode())
    except (sdk.yaml.YAMLError, UnicodeDecodeError) as failure:
        raise ValueError(f"Chart.yaml is not YAML ({failure})") from failure
    described = documents[0] if documents else None
    if not isinstance(described, Mapping):
        raise ValueError("Chart.yaml is not a mapping")
    return described
