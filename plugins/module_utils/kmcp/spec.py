# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task declares about KMCP: its two charts, and the values of the controller by typed options."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..compare import overlay
from ..errors import Check, InvalidInput, Problem, Rule, check
from ..helm import chart as charts
from ..helm.chart import Chart, exact_version, version_key
from ..helm.spec import RULES, TIMES, Params, ReleaseSpec, common_settings, file_problems, release_name_problems
from ..kube.kubeconfig import CONNECTION
from ..kube.writers import ignored_differences
from ..names import namespace_problems
from ..text import texts_of_mapping

# Which agentgateway the controller puts before stdio servers: pkg/controller/transportadapter of KMCP 0.3.0, which
# refuses other characters and adds the suffix.
ADAPTER_VARIABLE = "TRANSPORT_ADAPTER_VERSION"
_ADAPTER_VERSION = re.compile(r"[a-zA-Z0-9.\-]+")
_ADAPTER_SUFFIX = "-musl"

# option → place among the values, for what is passed on as it is
_PASSED: Mapping[str, tuple[str, ...]] = {
    "image_repository": ("image", "repository"),
    "image_tag": ("image", "tag"),
    "image_pull_policy": ("image", "pullPolicy"),
    "replicas": ("controller", "replicaCount"),
    "leader_election": ("controller", "leaderElection", "enabled"),
    "metrics": ("controller", "metrics", "enabled"),
    "resources": ("resources",),
    "node_selector": ("nodeSelector",),
    "tolerations": ("tolerations",),
    "affinity": ("affinity",),
    "pod_annotations": ("podAnnotations",),
    "service_account": ("serviceAccount",),
}


@dataclass(frozen=True)
class KnownValue:
    """A value that only some versions of the chart have."""

    path: tuple[str, ...]
    since: str
    """The first version that has it."""
    before: str | None
    """The first version that has it no more; None when every later one has it."""
    remedy: str


_KNOWN = (
    KnownValue(
        ("rbac", "clusterScoped"), "0.2.8", "0.3.0", "leave it out; values.rbac.namespaces (watch_namespaces) decides"
    ),
    # an older chart ignores it, and the controller gets the rights of the whole cluster
    KnownValue(("rbac", "namespaces"), "0.2.8", None, "take a newer version, or do without"),
)


def typed_values(params: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The values that the typed options stand for; only those that are set."""
    values: dict[str, Any] = {}
    for option, path in _PASSED.items():
        if params.get(option) is not None:
            values = overlay(values, _nested(path, _texts(option, _without_unset(params[option]))))
    if params.get("image_pull_secrets") is not None:
        values["imagePullSecrets"] = [{"name": name} for name in params["image_pull_secrets"]]
    if params.get("env") is not None or params.get("adapter_version"):
        env = texts_of_mapping(params.get("env") or {})
        if params.get("adapter_version"):
            env[ADAPTER_VARIABLE] = params["adapter_version"]
        entries = [{"name": name, "value": "" if value is None else value} for name, value in env.items()]
        values = overlay(values, {"controller": {"env": entries}})
    if params.get("watch_namespaces") is not None:
        values["rbac"] = _rbac(params["watch_namespaces"], params["namespace"], version)
    return values


def typed_problems(params: Mapping[str, Any], values: Mapping[str, Any]) -> list[Problem]:
    """Options that contradict each other, and options that say what `values` says, too."""
    problems = []
    declared = params.get("values") or {}
    options = {**_PASSED, "image_pull_secrets": ("imagePullSecrets",), "env": ("controller", "env")}
    for option, path in {**options, "watch_namespaces": ("rbac", "namespaces")}.items():
        if params.get(option) is not None and value_at(declared, path) is not None:
            problems.append(Problem(option, f"is set twice: leave values.{'.'.join(path)} out"))
    replicas = value_at(values, ("controller", "replicaCount"))
    if isinstance(replicas, int) and replicas < 0:
        problems.append(Problem("replicas", f"{replicas} is not a number of pods"))
    elected = value_at(values, ("controller", "leaderElection", "enabled"))
    if isinstance(replicas, int) and replicas > 1 and elected is False:
        problems.append(Problem("leader_election", f"must be on for {replicas} replicas: all would work at once"))
    for name in params.get("watch_namespaces") or []:
        if not name:
            problems.append(Problem("watch_namespaces", "holds an empty name"))
    return [*problems, *_adapter_problems(params, declared)]


def _adapter_problems(params: Mapping[str, Any], declared: Mapping[str, Any]) -> Iterator[Problem]:
    version = params.get("adapter_version")
    if version is None:
        return
    if ADAPTER_VARIABLE in (params.get("env") or {}):
        yield Problem("adapter_version", f"is set twice: leave {ADAPTER_VARIABLE} out of env")
    if value_at(declared, ("controller", "env")) is not None:
        yield Problem("adapter_version", "cannot be joined with values.controller.env: move these variables to env")
    if not _ADAPTER_VERSION.fullmatch(version):
        # the controller would log a warning and take its own
        yield Problem("adapter_version", f"{version!r} is not a version: letters, digits, dots and - only")
    elif version.endswith(_ADAPTER_SUFFIX):
        own = version.removesuffix(_ADAPTER_SUFFIX)
        yield Problem("adapter_version", f"{version!r}: the controller adds {_ADAPTER_SUFFIX} itself; write {own}")
    elif (found := exact_version(version)) and (version_key(found) >= version_key("1.0.0")) != version.startswith("v"):
        right = f"v{found}" if version_key(found) >= version_key("1.0.0") else found
        yield Problem("adapter_version", f"{version!r}: agentgateway's images have a v from 1.0.0 on; write {right}")


def version_problems(values: Mapping[str, Any], version: str | None) -> list[Problem]:
    """Values that this version's chart refuses, ignores, or takes and breaks on; of no version, what all break on."""
    problems = []
    for known in _KNOWN:
        if version is None or value_at(values, known.path) in (None, []):
            continue
        path = f"values.{'.'.join(known.path)}"
        if known.before and version_key(version) >= version_key(known.before):
            problems.append(Problem(path, f"does not exist since {known.before}: {known.remedy}"))
        elif version_key(version) < version_key(known.since):
            problems.append(
                Problem(path, f"does not exist before {known.since}, and {version} ignores it: {known.remedy}")
            )
    tag = value_at(values, ("image", "tag"))
    if isinstance(tag, str) and tag.startswith("v") and exact_version(tag):
        problems.append(
            Problem("values.image.tag", f'images carry no leading v: "{tag[1:]}"; leave it out for the chart\'s own')
        )
    return problems


def value_notes(values: Mapping[str, Any], version: str) -> Iterator[str]:
    """What may be meant and often is not."""
    tag = value_at(values, ("image", "tag"))
    if tag is not None and str(tag) != version:
        yield f"The controller's image has the tag {tag}, and both charts are {version} (values.image.tag)."
    if value_at(values, ("controller", "replicaCount")) == 0:
        yield "The controller has no pod (values.controller.replicaCount is 0): no MCPServer is reconciled."
    if value_at(values, ("rbac", "create")) is False:
        yield "The controller gets no RBAC rights (values.rbac.create is false): grant them yourself."


def watched_namespaces(values: Mapping[str, Any], version: str) -> frozenset[str] | None:
    """The namespaces whose MCPServers a controller of these values works on; None for all of the cluster."""
    listed = value_at(values, ("rbac", "namespaces"))
    if not isinstance(listed, list) or not listed or version_key(version) < version_key("0.2.8"):
        return None
    if version_key(version) < version_key("0.3.0") and value_at(values, ("rbac", "clusterScoped")) is not False:
        return None
    return frozenset(map(str, listed))


def value_at(values: Any, path: tuple[str, ...]) -> Any:
    """The value at a place, or None."""
    for key in path:
        if not isinstance(values, Mapping):
            return None
        values = values.get(key)
    return values


def _rbac(watched: list[str], own: str, version: str) -> dict[str, Any]:
    """The controller's own namespace is always watched: the chart demands it."""
    namespaces = sorted({*watched, own}) if watched else []
    switch = (
        {"clusterScoped": not namespaces} if version_key("0.2.8") <= version_key(version) < version_key("0.3.0") else {}
    )
    return {"namespaces": namespaces, **switch}


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    result: dict[str, Any] = value
    return result


def _texts(option: str, value: Any) -> Any:
    """The option's value with text where the chart puts it into a field of text."""
    if option in ("node_selector", "pod_annotations"):
        return texts_of_mapping(value)
    if option == "service_account" and isinstance(value.get("annotations"), Mapping):
        return {**value, "annotations": texts_of_mapping(value["annotations"])}
    return value


def _without_unset(value: Any) -> Any:
    """A dict option without the suboptions nobody set."""
    return {key: below for key, below in value.items() if below is not None} if isinstance(value, Mapping) else value


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
    wrong = problems(params)
    found, unread = _charts(params, {problem.path for problem in wrong})
    wrong += [*file_problems(params), *unread]
    version = exact_version(params["version"])
    if wrong or version is None:
        raise InvalidInput("kmcp", list(dict.fromkeys(wrong)))
    typed, values = _values(params)
    ignored = ignored_differences(params.get("ignore_differences"))[0]
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


def problems(params: Params) -> list[Problem]:
    """What is wrong with the options of kmcp_install, as far as it shows without reading files."""
    return check((*CONNECTION, *(_ABSENT if params.get("state") == "absent" else _PRESENT)), params)


def _version(params: Params) -> Iterator[Problem]:
    version = exact_version(params["version"])
    if version is None:
        yield charts.version_problem("version", params["version"])
    elif _numbers(version) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        yield Problem("version", f"{version} is older than {oldest}, whose MCPServer lacks fields")


def _values(params: Params) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the typed options stand for, and the values of the chart with it."""
    typed = typed_values(params, exact_version(params["version"]) or DEFAULT_VERSION)
    return typed, overlay(params.get("values") or {}, typed)


def _value_problems(params: Params) -> Iterator[Problem]:
    values = _values(params)[1]
    yield from typed_problems(params, values)
    yield from version_problems(values, exact_version(params["version"]))


def _remote_charts(params: Params) -> list[Problem]:
    named = check((name_problems, chart_problems), params)
    return _charts(params, {problem.path for problem in named})[1] if "://" in params["chart_repository"] else []


def _charts(params: Params, wrong: Collection[str]) -> tuple[list[Chart], list[Problem]]:
    """The two charts, without those of wrong names, and what is wrong with where they are."""
    version = exact_version(params["version"]) or DEFAULT_VERSION
    named = [params[option] for option in ("crds_chart", "controller_chart") if option not in wrong]
    found = [_chart(str(params["chart_repository"]), name, version) for name in named]
    elsewhere = [Problem("chart_repository", problem.message) for _chart_, reported in found for problem in reported]
    return [chart for chart, _reported in found if chart is not None], list(dict.fromkeys(elsewhere))


def file_options(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The options of a task whose relative paths are searched for on the controller."""
    return () if given.get("state") == "absent" else ("chart_repository",)


def _chart(repository: str, name: str, version: str) -> tuple[Chart | None, list[Problem]]:
    """A chart of this name below an OCI path, in an HTTP repository, or in a directory, unpacked or as an archive."""
    base = repository.rstrip("/")
    if base.startswith(("http://", "https://")):
        return charts.resolve_chart(name, version, base)
    if "://" in base:
        return charts.resolve_chart(f"{base}/{name}", version)
    archive = Path(base).expanduser() / f"{name}-{version}.tgz"
    return charts.resolve_chart(str(archive) if archive.is_file() else f"{base}/{name}", version)


def name_problems(params: Params) -> Iterator[Problem]:
    """What is wrong with the namespace and the two release names."""
    yield from namespace_problems("namespace", params["namespace"])
    yield from release_name_problems("release_name", params["release_name"])
    yield from release_name_problems("crds_release_name", params["crds_release_name"])
    if params["release_name"] == params["crds_release_name"]:
        yield Problem("crds_release_name", "must differ from release_name: they are two releases")


def chart_problems(params: Params) -> Iterator[Problem]:
    """What is wrong with the names of the two charts, wherever they lie."""
    in_registry = str(params.get("chart_repository") or "").startswith("oci://")
    for option in ("crds_chart", "controller_chart"):
        name = str(params[option])
        if not _CHART_NAME.fullmatch(name):
            reported = f'"{name}" is not the name of a chart (letters, digits, "-", "_" and ".")'
            if re.search(r":|@", name):
                reported += ": its version comes from version, and where it lies from chart_repository"
            yield Problem(option, reported)
        elif in_registry and name != name.lower():
            yield Problem(option, f'"{name}" has upper-case letters, which no registry takes')
    if params["crds_chart"] == params["controller_chart"]:
        yield Problem("crds_chart", "must differ from controller_chart: they are two charts")


_PRESENT: tuple[Rule[Params], ...] = (_version, name_problems, chart_problems, *RULES, _value_problems, _remote_charts)
_ABSENT: tuple[Rule[Params], ...] = (
    name_problems,
    *TIMES,
    Check(
        "orphan_servers",
        lambda params: params["orphan_servers"] and params["delete_servers"],
        "contradicts delete_servers: either the MCPServers stay, or they go",
    ),
)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].split("+")[0].split("."))
