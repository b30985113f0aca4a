# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KMCP's two charts as published, and what a task declares about installing them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.helm import chart as charts
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import (
    ReleaseSpec,
    common_settings,
    helm_problems,
    registry_problems,
    release_name_problems,
)
from ansible_collections.mcpops.platform.plugins.module_utils.helm.versions import exact_version
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.controller_values import (
    typed_problems,
    typed_values,
    version_problems,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ignored import ignored_differences
from ansible_collections.mcpops.platform.plugins.module_utils.merge import overlay
from ansible_collections.mcpops.platform.plugins.module_utils.names import namespace_problems

DEFAULT_VERSION = "0.3.0"
DEFAULT_NAMESPACE = "kmcp-system"
DEFAULT_REPOSITORY = "oci://ghcr.io/kagent-dev/kmcp/helm"
OLDEST_VERSION = (0, 2, 6)
"""The first release whose MCPServer has every field that mcp_server offers; an older one drops them silently."""

DEFAULT_NAMES: Mapping[str, str] = {
    "crds_chart": "kmcp-crds",
    "controller_chart": "kmcp",
    "crds_release_name": "kmcp-crds",
    "release_name": "kmcp",
}
"""Option → what upstream calls it. A mirror may call its charts otherwise, and an installation its releases."""
# a mirror may keep the two below different paths
_CHART_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class KmcpSpec:
    """The definitions and the controller, as two releases of one version in one namespace."""

    version: str
    definitions: ReleaseSpec
    controller: ReleaseSpec
    manage_crds: bool = True
    """The definitions are this installation's; else somebody else installs them."""
    accept_field_loss: bool = False

    @property
    def namespace(self) -> str:
        return self.controller.namespace


def kmcp_spec(params: Mapping[str, Any]) -> KmcpSpec:
    """From the options of kmcp_install; raises InvalidInput with every problem."""
    version = exact_version(params["version"])
    problems = [] if version else [charts.version_problem("version", params["version"])]
    if version and _numbers(version) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        problems.append(Problem("version", f"{version} is older than {oldest}, whose MCPServer lacks fields"))
    problems += name_problems(params) + chart_problems(params)
    wrong_names = {problem.path for problem in problems}
    problems += registry_problems(params) + helm_problems(params)
    typed = typed_values(params, version or DEFAULT_VERSION)
    values = overlay(params.get("values") or {}, typed)
    problems += typed_problems(params, values) + version_problems(values, version)
    ignored, wrong = ignored_differences(params.get("ignore_differences") or [])
    problems += wrong
    found = []
    for option in ("crds_chart", "controller_chart"):
        if option in wrong_names:
            continue
        chart, wrong = _chart(str(params["chart_repository"]), params[option], version or DEFAULT_VERSION)
        problems += [Problem("chart_repository", problem.message) for problem in wrong]
        if chart is not None:
            found.append(chart)
    if problems or version is None:
        raise InvalidInput("kmcp", _once(problems))
    common: dict[str, Any] = {"namespace": params["namespace"], **common_settings(params, ignored)}
    declared = params.get("values") is not None
    if typed and not declared:
        # the options say something about these values only, and nothing about the others of the release
        common["purge_values"] = False
    return KmcpSpec(
        version,
        # no controller works without the definition, so it is waited for in any case; going back from it would not be
        # safe, because it may have been in use already
        ReleaseSpec(
            name=params["crds_release_name"],
            chart=found[0],
            values={},
            **{**common, "wait": True, "atomic": False, "purge_values": True},
        ),
        ReleaseSpec(
            name=params["release_name"], chart=found[1], values=values if declared or typed else None, **common
        ),
        manage_crds=params["manage_crds"],
        accept_field_loss=params["accept_field_loss"],
    )


def _chart(repository: str, name: str, version: str) -> tuple[Chart | None, list[Problem]]:
    """A chart of this name below an OCI path, in an HTTP repository, or in a directory, unpacked or as an archive."""
    base = repository.rstrip("/")
    if base.startswith(("http://", "https://")):
        return charts.resolve(name, version, base)
    if "://" in base:
        return charts.resolve(f"{base}/{name}", version)
    archive = Path(base).expanduser() / f"{name}-{version}.tgz"
    return charts.resolve(str(archive) if archive.is_file() else f"{base}/{name}", version)


def name_problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the namespace and the two release names."""
    problems = namespace_problems("namespace", params["namespace"])
    problems += release_name_problems("release_name", params["release_name"])
    problems += release_name_problems("crds_release_name", params["crds_release_name"])
    if params["release_name"] == params["crds_release_name"]:
        problems.append(Problem("crds_release_name", "must differ from release_name: they are two releases"))
    return problems


def chart_problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the names of the two charts, wherever they lie."""
    problems = []
    in_registry = str(params.get("chart_repository") or "").startswith("oci://")
    for option in ("crds_chart", "controller_chart"):
        name = str(params[option])
        if not _CHART_NAME.fullmatch(name):
            told = f'"{name}" is not the name of a chart (letters, digits, "-", "_" and ".")'
            if re.search(r":|@", name):
                told += ": its version comes from version, and where it lies from chart_repository"
            problems.append(Problem(option, told))
        elif in_registry and name != name.lower():
            problems.append(Problem(option, f'"{name}" has upper-case letters, which no registry takes'))
    if params["crds_chart"] == params["controller_chart"]:
        problems.append(Problem("crds_chart", "must differ from controller_chart: they are two charts"))
    return problems


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].split("+")[0].split("."))


def _once(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
