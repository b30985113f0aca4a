# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which chart is meant: a reference in an OCI registry or a chart on disk, and one exact version."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem
from ansible_collections.mcpops.platform.plugins.module_utils.kube import sdk

_VERSION = re.compile(r"v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)")
_OCI = re.compile(r"oci://(?P<host>[A-Za-z0-9.-]+(?::\d+)?)/(?P<path>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)")


@dataclass(frozen=True)
class Chart:
    """A chart and its exact version."""

    location: str
    """What helm is given: oci://host/path/name, or a path."""
    name: str
    version: str

    @property
    def registry(self) -> str:
        """The registry's host (and port); empty for a chart on disk."""
        match = _OCI.fullmatch(self.location)
        return match.group("host") if match else ""


def exact_version(text: str) -> str | None:
    """`1.2.3` for `1.2.3` and `v1.2.3`; None for what is not one full version.

    Helm reads a blank version as "the newest", a range as "the newest that fits" and takes `v1.2.3` or `1.2` literally
    as a tag: none of these names the same chart tomorrow.
    """
    match = _VERSION.fullmatch(text.strip())
    return match.group(1) if match else None


def version_problem(path: str, text: str) -> Problem:
    return Problem(
        path,
        f'"{text}" is not one exact version. Give all three numbers, such as 1.2.3 (a leading v is accepted); '
        "ranges and blanks would install something else tomorrow",
    )


def resolve(chart_ref: str, chart_version: str | None) -> tuple[Chart | None, list[Problem]]:
    """The chart, or everything that is wrong with its reference and version."""
    problems = []
    version = exact_version(chart_version) if chart_version else None
    if chart_version and version is None:
        problems.append(version_problem("chart_version", chart_version))
    if "://" in chart_ref:
        match = _OCI.fullmatch(chart_ref)
        if match is None:
            problems.append(Problem("chart_ref", _reference_advice(chart_ref)))
        if not chart_version:
            problems.append(Problem("chart_version", "is required for a chart from a registry"))
        if problems or version is None:
            return None, problems
        return Chart(chart_ref, chart_ref.rsplit("/", 1)[-1], version), []
    return _on_disk(chart_ref, version, problems)


def _reference_advice(chart_ref: str) -> str:
    if not chart_ref.startswith("oci://"):
        return f'"{chart_ref}" is neither oci://registry/path/chart nor a path to a chart on the controller'
    last = chart_ref.rsplit("/", 1)[-1]
    if ":" in last or "@" in last:
        return f'"{chart_ref}" carries a tag or digest; leave it out and set chart_version'
    return f'"{chart_ref}" is not of the form oci://registry/path/chart (the path is lower case)'


def _on_disk(chart_ref: str, version: str | None, problems: list[Problem]) -> tuple[Chart | None, list[Problem]]:
    path = Path(chart_ref).expanduser()
    try:
        described = _description(path)
    except (OSError, ValueError, tarfile.TarError) as failure:
        return None, [*problems, Problem("chart_ref", f"{path} is not a readable chart: {failure}")]
    name, standing = str(described.get("name", "")), exact_version(str(described.get("version", "")))
    if not name or standing is None:
        problems.append(Problem("chart_ref", f"{path}: its Chart.yaml has no name or no exact version"))
    elif version is not None and version != standing:
        problems.append(Problem("chart_version", f"{version} is asked for, but the chart at {path} is {standing}"))
    if problems or standing is None:
        return None, problems
    return Chart(str(path), name, standing), []


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
        described = sdk.yaml.safe_load(text)
    except sdk.yaml.YAMLError as failure:
        raise ValueError(f"Chart.yaml is not YAML ({failure})") from failure
    if not isinstance(described, Mapping):
        raise ValueError("Chart.yaml is not a mapping")
    return described
