# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a cluster's objects is a mesh, whoever made it: registries and agents, and how they are set. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..kube.manifests import release_of
from ..kube.syntax import selector_matches
from .agent_spec import AGENT, COMPONENT_LABEL, MESH, NAME_LABEL, PART_LABEL, REGISTRY
from .exposure import SUFFIX
from .registry_observe import DEFAULT_PORT, DEFAULT_SERVICE, Registry

Object = Mapping[str, Any]
URL, HOST, PORT, NAME = "MCP_MESH_REGISTRY_URL", "MCP_MESH_HTTP_HOST", "MCP_MESH_HTTP_PORT", "MCP_MESH_AGENT_NAME"
DATABASE = "DATABASE_URL"
POLICY, KEEP = "helm.sh/resource-policy", "keep"
_OF_CHART = "mcp-mesh-registry"
"""The name label of the registry in the official charts, and in the manifests before them."""
_LONGEST_CLUSTER_NAME = 2


@dataclass(frozen=True)
class Place:
    """A host in the cluster: a Service and its namespace."""

    namespace: str
    service: str
    port: int | None = None


@dataclass(frozen=True)
class SeenAgent:
    """A workload whose pods are agents of a mesh."""

    workload: Object
    variables: Mapping[str, str]
    """Those with a value in the pod's specification; what comes from Secrets and ConfigMaps is not known."""

    @property
    def namespace(self) -> str:
        return str(self.workload["metadata"].get("namespace"))

    @property
    def name(self) -> str:
        """Under which it registers; its code says so where no variable does, mostly with the workload's name."""
        return self.variables.get(NAME) or str(self.workload["metadata"]["name"])

    @property
    def labels(self) -> Mapping[str, str]:
        found: Mapping[str, str] = _template(self.workload).get("metadata", {}).get("labels") or {}
        return found

    @property
    def registry(self) -> Place | None:
        return place_of(self.variables.get(URL, ""), self.namespace)

    @property
    def announced(self) -> Place | None:
        """What others are told to call."""
        host, port = self.variables.get(HOST, ""), self.variables.get(PORT, "")
        found = place_of(f"http://{host}", self.namespace) if host else None
        if found is None:
            return None
        return Place(found.namespace, found.service, int(port) if port.isdigit() else None)


def place_of(url: str, namespace: str) -> Place | None:
    """The Service that an address names, seen from a namespace; None where it is none of this cluster's."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    labels = host.removesuffix(".").split(".")
    if not host or ":" in host or labels[-1].isdigit() or labels == ["localhost"]:
        return None
    if len(labels) > _LONGEST_CLUSTER_NAME and labels[_LONGEST_CLUSTER_NAME] != "svc":
        return None
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return Place(labels[1] if len(labels) > 1 else namespace, labels[0], port or usual)


def agents_in(workloads: Sequence[Object]) -> list[SeenAgent]:
    """Those whose pods are told of a registry, or labelled as agents."""
    found = []
    for one in workloads:
        variables = variables_of(one)
        labels = _template(one).get("metadata", {}).get("labels") or {}
        if URL in variables or (labels.get(PART_LABEL) == MESH and labels.get(COMPONENT_LABEL) == AGENT):
            found.append(SeenAgent(one, variables))
    return found


def registries_in(services: Sequence[Object], agents: Sequence[SeenAgent]) -> list[Registry]:
    """The Services of registries: by their labels, and those that agents are told of."""
    told = {(one.registry.namespace, one.registry.service): one.registry.port for one in agents if one.registry}
    found = []
    for one in services:
        metadata = one["metadata"]
        key = str(metadata.get("namespace")), str(metadata["name"])
        labels = metadata.get("labels") or {}
        ours = labels.get(PART_LABEL) == MESH and labels.get(COMPONENT_LABEL) == REGISTRY
        named = labels.get(NAME_LABEL) == _OF_CHART or key[1] == DEFAULT_SERVICE
        if key[1].endswith(f"-{SUFFIX}") and ours:
            # another way to one that is found by its own Service
            continue
        if key in told or ours or named:
            ports = ports_of(one)
            wanted = told.get(key)
            port = wanted if wanted in ports else DEFAULT_PORT if DEFAULT_PORT in ports or not ports else ports[0]
            found.append(Registry(*key, port or DEFAULT_PORT))
    return found


def ports_of(service: Object) -> list[int]:
    return [int(one["port"]) for one in (service.get("spec") or {}).get("ports") or ()]


def selects(service: Object, labels: Mapping[str, str]) -> bool:
    """Whether a Service leads to pods with these labels."""
    selector: Mapping[str, Any] = (service.get("spec") or {}).get("selector") or {}
    return bool(selector) and selector_matches(selector, labels)


def variables_of(workload: Object) -> dict[str, str]:
    """The variables of all containers that have a value; the first container that has one counts."""
    found: dict[str, str] = {}
    for container in (_template(workload).get("spec") or {}).get("containers") or ():
        for one in container.get("env") or ():
            if one.get("value") is not None:
                found.setdefault(str(one["name"]), str(one["value"]))
    return found


def has_database(workload: Object) -> bool:
    """Whether a registry is told of a database, be it by a value, a Secret, or all that a Secret holds."""
    containers = (_template(workload).get("spec") or {}).get("containers") or ()
    return any(
        container.get("envFrom") or any(one.get("name") == DATABASE for one in container.get("env") or ())
        for container in containers
    )


def named(items: Sequence[Object], namespace: str, name: str) -> Object | None:
    return next(_named(items, namespace, name), None)


def goes_with_its_release(namespace: Object) -> bool:
    """Whether a Namespace is an object of a Helm release, which may delete it with everything in it."""
    annotations = namespace["metadata"].get("annotations") or {}
    return bool(release_of(namespace)) and annotations.get(POLICY) != KEEP


def _named(items: Sequence[Object], namespace: str, name: str) -> Iterator[Object]:
    for one in items:
        if one["metadata"]["name"] == name and one["metadata"].get("namespace") == namespace:
            yield one


def _template(workload: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (workload.get("spec") or {}).get("template") or {}
    return found
