# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KMCP's two charts as published, and what a task declares about installing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.helm import chart as charts
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import (
    ReleaseSpec,
    ignored_differences,
    namespace_problems,
    number_problems,
    registry,
    registry_problems,
    release_name_problems,
)

DEFAULT_VERSION = "0.3.0"
DEFAULT_NAMESPACE = "kmcp-system"
DEFAULT_REPOSITORY = "oci://ghcr.io/kagent-dev/kmcp/helm"
OLDEST_VERSION = (0, 2, 6)
"""The first release whose MCPServer has every field that mcp_server offers; an older one drops them silently."""

DEFINITION = "mcpservers.kagent.dev"
API_VERSION = "kagent.dev/v1alpha1"
KIND = "MCPServer"


@dataclass(frozen=True)
class KmcpSpec:
    """The definitions and the controller, as two releases of one version in one namespace."""

    version: str
    definitions: ReleaseSpec
    controller: ReleaseSpec

    @property
    def namespace(self) -> str:
        return self.controller.namespace


def kmcp_spec(params: Mapping[str, Any]) -> KmcpSpec:
    """From the options of kmcp_install; raises InvalidInput with every problem."""
    version = charts.exact_version(params["version"])
    problems = [] if version else [charts.version_problem("version", params["version"])]
    if version and _numbers(version) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        problems.append(Problem("version", f"{version} is older than {oldest}, whose MCPServer lacks fields"))
    problems += name_problems(params)
    problems += registry_problems(params) + number_problems(params, "wait_timeout", "stale_after")
    problems += _reserved_values(params.get("values") or {}, version)
    ignored, wrong = ignored_differences(params.get("ignore_differences") or [])
    problems += wrong
    repository = str(params["chart_repository"]).rstrip("/")
    found = []
    for option in ("crds_chart", "controller_chart"):
        chart, wrong = charts.resolve(f"{repository}/{params[option]}", version or DEFAULT_VERSION)
        problems += [Problem("chart_repository", problem.message) for problem in wrong]
        if chart is not None:
            found.append(chart)
    if problems or version is None:
        raise InvalidInput("kmcp", _once(problems))
    common: dict[str, Any] = {
        "namespace": params["namespace"],
        "create_namespace": params["create_namespace"],
        "registry": registry(params),
        "ignored": ignored,
        "helm_binary": params.get("helm_binary"),
        "wait": params["wait"],
        "wait_timeout": params["wait_timeout"],
        "stale_after": params["stale_after"],
    }
    return KmcpSpec(
        version,
        ReleaseSpec(name=params["crds_release_name"], chart=found[0], values={}, **{**common, "wait": True}),
        ReleaseSpec(name=params["release_name"], chart=found[1], values=params.get("values"), **common),
    )


def name_problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the namespace and the two release names."""
    problems = namespace_problems("namespace", params["namespace"])
    problems += release_name_problems("release_name", params["release_name"])
    problems += release_name_problems("crds_release_name", params["crds_release_name"])
    if params["release_name"] == params["crds_release_name"]:
        problems.append(Problem("crds_release_name", "must differ from release_name: they are two releases"))
    return problems


def _reserved_values(values: Mapping[str, Any], version: str | None) -> list[Problem]:
    """Values that this version's chart refuses, or takes and breaks on."""
    rbac = values.get("rbac")
    if version and _numbers(version) >= (0, 3, 0) and isinstance(rbac, Mapping) and "clusterScoped" in rbac:
        return [Problem("values.rbac.clusterScoped", "does not exist since 0.3.0: set values.rbac.namespaces instead")]
    image = values.get("image")
    tag = image.get("tag") if isinstance(image, Mapping) else None
    if isinstance(tag, str) and tag.startswith("v") and charts.exact_version(tag):
        return [
            Problem("values.image.tag", f'images carry no leading v: "{tag[1:]}"; leave it out for the chart\'s own')
        ]
    return []


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].split("+")[0].split("."))


def _once(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
