# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which chart is meant: from an OCI registry, from an HTTP repository or on disk, and which version of it."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm.versions import (
    VersionRange,
    exact_version,
    version_range,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube import sdk
from ansible_collections.mcpops.platform.plugins.module_utils.kube.documents import read_documents

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


def resolve(
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
    return Chart(chart_ref, chart_ref.rsplit("/", 1)[-1], version or "", range=allowed), []


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
    name, standing = str(described.get("name", "")), exact_version(str(described.get("version", "")))
    if not name or standing is None:
        problems.append(Problem("chart_ref", f"{path}: its Chart.yaml has no name or no exact version"))
    elif (version is not None and version != standing) or (allowed is not None and not allowed.allows(standing)):
        asked = version or (allowed.text if allowed else "")
        problems.append(Problem("chart_version", f"{asked} is asked for, but the chart at {path} is {standing}"))
    if problems or standing is None:
        return None, problems
    return Chart(str(path), name, standing), []


def documents(action: str, text: str) -> list[Any]:
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
