# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of the controller's chart: from typed options, and which version knows which. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem
from ansible_collections.mcpops.platform.plugins.module_utils.helm.versions import exact_version, order
from ansible_collections.mcpops.platform.plugins.module_utils.merge import overlay
from ansible_collections.mcpops.platform.plugins.module_utils.scalars import texts_of_mapping

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
            values = overlay(values, _nested(path, _texts(option, _said(params[option]))))
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
            problems.append(Problem(option, f"is set twice: omit values.{'.'.join(path)} out"))
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
        yield Problem("adapter_version", f"is set twice: omit {ADAPTER_VARIABLE} out of env")
    if value_at(declared, ("controller", "env")) is not None:
        yield Problem("adapter_version", "cannot be joined with values.controller.env: move these variables to env")
    if not _ADAPTER_VERSION.fullmatch(version):
        # the controller would log a warning and take its own
        yield Problem("adapter_version", f"{version!r} is not a version: letters, digits, dots and - only")
    elif version.endswith(_ADAPTER_SUFFIX):
        own = version.removesuffix(_ADAPTER_SUFFIX)
        yield Problem("adapter_version", f"{version!r}: the controller adds {_ADAPTER_SUFFIX} itself; write {own}")
    elif (found := exact_version(version)) and (order(found) >= order("1.0.0")) != version.startswith("v"):
        right = f"v{found}" if order(found) >= order("1.0.0") else found
        yield Problem("adapter_version", f"{version!r}: agentgateway's images have a v from 1.0.0 on; write {right}")


def version_problems(values: Mapping[str, Any], version: str | None) -> list[Problem]:
    """Values that this version's chart refuses, ignores, or takes and breaks on; of no version, what all break on."""
    problems = []
    for known in _KNOWN:
        if version is None or value_at(values, known.path) in (None, []):
            continue
        path = f"values.{'.'.join(known.path)}"
        if known.before and order(version) >= order(known.before):
            problems.append(Problem(path, f"does not exist since {known.before}: {known.remedy}"))
        elif order(version) < order(known.since):
            problems.append(
                Problem(path, f"does not exist before {known.since}, and {version} ignores it: {known.remedy}")
            )
    tag = value_at(values, ("image", "tag"))
    if isinstance(tag, str) and tag.startswith("v") and exact_version(tag):
        problems.append(
            Problem("values.image.tag", f'images carry no leading v: "{tag[1:]}"; leave it out for the chart\'s own')
        )
    return problems


def notes(values: Mapping[str, Any], version: str) -> Iterator[str]:
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
    if not isinstance(listed, list) or not listed or order(version) < order("0.2.8"):
        return None
    if order(version) < order("0.3.0") and value_at(values, ("rbac", "clusterScoped")) is not False:
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
    switch = {"clusterScoped": not namespaces} if order("0.2.8") <= order(version) < order("0.3.0") else {}
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


def _said(value: Any) -> Any:
    """A dict option without the suboptions nobody set."""
    return {key: below for key, below in value.items() if below is not None} if isinstance(value, Mapping) else value
