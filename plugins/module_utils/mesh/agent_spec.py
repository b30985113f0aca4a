# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a declared agent of an MCP Mesh to the objects that run it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Problem
from ..kube.apply.owned_objects import CLAIM, named_object
from ..kube.manifests import Object
from ..kube.policy_peers import NAMESPACE_NAME, api_server_peers, range_problems, way_to_names
from ..kube.workload_parts import (
    CONTAINER_SECURITY,
    autoscaler_spec,
    environment,
    least_replicas,
    most_replicas,
    placement,
    pod_security,
    program,
)
from ..text import texts_of_mapping
from .agent_code import Code
from .exposure import EXPOSED, exposed_name, exposed_service, peers
from .registry_readiness import Expected

DEFAULT_IMAGE = "mcpmesh/python-runtime:3.8.0"
DEFAULT_PORT = 8080
CODE_DIRECTORY = "/app/agent"
DEFAULT_MOUNT = "/data"
OWNER_LABEL = "mcpops.io/mesh-agent"
"""On every object of an agent, with its name: what tells ours from others."""
SET_LABEL = "mcpops.io/mesh-agents"
"""The set of agents that are declared together."""
CODE_ANNOTATION = "mcpops.io/agent-code"
NAME_LABEL, COMPONENT_LABEL = "app.kubernetes.io/name", "app.kubernetes.io/component"
PART_LABEL = "app.kubernetes.io/part-of"
MESH, AGENT, REGISTRY = "mcp-mesh", "agent", "registry"
MANAGED = (
    "MCP_MESH_AGENT_ID",
    "MCP_MESH_AGENT_NAME",
    "MCP_MESH_HTTP_HOST",
    "MCP_MESH_HTTP_PORT",
    "MCP_MESH_REGISTRY_URL",
)
"""Variables that follow from the declaration: another value would make others call the wrong address."""
RESOURCES: Mapping[str, Any] = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"cpu": "1", "memory": "512Mi"},
}
MIN_READY_SECONDS = 10
"""A pod is ready before it is registered, which takes up to 5 s: until then the one that it replaces stays."""
DRAIN_SECONDS = 10
"""A pod that goes stays registered for so long: a drain takes the next one as soon as what replaces the first is ready,
which then has yet to register, and callers are led to it until every node has heard that it goes."""
_MESH_PEERS = {"podSelector": {"matchLabels": {PART_LABEL: MESH, COMPONENT_LABEL: AGENT}}}
API_SERVER_CIDRS = "api_server_cidrs"
CHILDREN = (
    *("ServiceAccount", "ConfigMap", CLAIM, "Service", "Deployment"),
    *("PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy"),
)
"""The kinds that an agent may consist of, each of its name."""


@dataclass(frozen=True)
class Mesh:
    """Where the agents of a task live, and the registry that they share."""

    namespace: str
    registry_url: str
    registry_namespace: str
    registry_port: int
    set_name: str = ""
    api_server_cidrs: tuple[str, ...] = ()
    remote_cidrs: tuple[str, ...] = ()
    """Where the registry and agents of other clusters are called."""


@dataclass(frozen=True)
class DeclaredAgent:
    """One entry of `agents`, with its code where it comes without an image of its own."""

    options: Mapping[str, Any]
    code: Code | None = None
    where: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        return str(self.options["name"])

    @property
    def port(self) -> int:
        return self.options.get("port") or DEFAULT_PORT

    @property
    def replicas(self) -> int:
        """How many pods there are at least."""
        return least_replicas(self.options)

    @property
    def most_replicas(self) -> int:
        """How many pods there may be."""
        return most_replicas(self.options)

    @property
    def exposed(self) -> Mapping[str, Any] | None:
        """How other clusters call it, where they do."""
        return self.options.get(EXPOSED)

    def host(self, namespace: str) -> str:
        """What it announces: the Service's name, under which others call it from wherever in the cluster, or what
        others call from wherever."""
        return str(self.exposed["host"]) if self.exposed else f"{self.name}.{namespace}"

    def expected(self, namespace: str) -> Expected:
        """What the registry must say of it."""
        return Expected(
            name=self.name,
            replicas=self.replicas,
            host=self.host(namespace),
            capabilities=tuple(
                (one["name"], one.get("version") or "") for one in self.options.get("capabilities") or ()
            ),
            dependencies=tuple(
                (one["capability"], one.get("version") or "", bool(one.get("optional")))
                for one in self.options.get("dependencies") or ()
            ),
        )


def agent_objects(agent: DeclaredAgent, mesh: Mesh) -> list[Object]:
    """Everything that runs one agent."""
    found = [
        _object("ServiceAccount", agent, mesh, automountServiceAccountToken=False),
        _service(agent, mesh),
        _deployment(agent, mesh),
    ]
    if agent.exposed:
        found.append(exposed_service(_service(agent, mesh), agent.exposed))
    if agent.code is not None:
        found.append(_object("ConfigMap", agent, mesh, **agent.code.data()))
    if agent.options.get("persistence"):
        found.append(_claim(agent, mesh))
    if agent.most_replicas > 1:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": selector(agent)}}
        found.append(_object("PodDisruptionBudget", agent, mesh, spec=spec))
    if agent.options.get("autoscaling"):
        found.append(_autoscaler(agent, mesh))
    if agent.options.get("network_policy") is not False:
        found.append(_network_policy(agent, mesh))
    return found


def children(name: str) -> list[tuple[str, str]]:
    """(kind, name) of all that an agent may consist of."""
    return [*((kind, name) for kind in CHILDREN), ("Service", exposed_name(name))]


def undeclared_children(name: str, declared: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What an agent does not consist of now, and may have before."""
    present = {(str(item["kind"]), str(item["metadata"]["name"])) for item in declared}
    return [one for one in children(name) if one not in present and one[0] != CLAIM]


def selector(agent: DeclaredAgent) -> dict[str, str]:
    """By which the Service and others find its pods; it can never change."""
    return {NAME_LABEL: agent.name, COMPONENT_LABEL: AGENT}


def _labels(agent: DeclaredAgent, mesh: Mesh) -> dict[str, str]:
    version = agent.options.get("version")
    return {
        **selector(agent),
        PART_LABEL: MESH,
        OWNER_LABEL: agent.name,
        **({"app.kubernetes.io/version": version} if version else {}),
        **({SET_LABEL: mesh.set_name} if mesh.set_name else {}),
    }


def _object(kind: str, agent: DeclaredAgent, mesh: Mesh, **content: Any) -> Object:
    named = named_object(kind, agent.name, mesh.namespace)
    return {**named, "metadata": {**named["metadata"], "labels": _labels(agent, mesh)}, **content}


def _service(agent: DeclaredAgent, mesh: Mesh) -> Object:
    ports = [{"name": "http", "port": agent.port, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}]
    return _object("Service", agent, mesh, spec={"type": "ClusterIP", "selector": selector(agent), "ports": ports})


def _deployment(agent: DeclaredAgent, mesh: Mesh) -> Object:
    options = agent.options
    annotations = dict(texts_of_mapping(options.get("annotations") or {}))
    if agent.code is not None:
        annotations[CODE_ANNOTATION] = agent.code.digest
    metadata: dict[str, Any] = {"labels": {**texts_of_mapping(options.get("labels") or {}), **_labels(agent, mesh)}}
    if annotations:
        metadata["annotations"] = annotations
    strategy: dict[str, Any] = (
        {"type": "Recreate"}
        if _is_alone(options)
        else {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    )
    spec: dict[str, Any] = {
        "selector": {"matchLabels": selector(agent)},
        "minReadySeconds": MIN_READY_SECONDS,
        "revisionHistoryLimit": 3,
        "strategy": strategy,
        "template": {"metadata": metadata, "spec": _pod(agent, mesh)},
    }
    if not options.get("autoscaling"):
        spec["replicas"] = agent.replicas
    return _object("Deployment", agent, mesh, spec=spec)


def _pod(agent: DeclaredAgent, mesh: Mesh) -> dict[str, Any]:
    options = agent.options
    group = 999 if options.get("persistence") else None
    return {
        "serviceAccountName": agent.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": pod_security(options.get("run_as_user"), group),
        "containers": [_container(agent, mesh)],
        "volumes": _volumes(agent),
        **placement(options, selector(agent)),
    }


def _container(agent: DeclaredAgent, mesh: Mesh) -> dict[str, Any]:
    options = agent.options
    # without code the image says itself what it runs
    arguments = options.get("args")
    if arguments is None and agent.code is not None:
        arguments = [f"{CODE_DIRECTORY}/{agent.code.entrypoint}"]
    container: dict[str, Any] = {
        "name": AGENT,
        "image": options.get("image") or DEFAULT_IMAGE,
        "ports": [{"name": "http", "containerPort": agent.port, "protocol": "TCP"}],
        "env": _environment(agent, mesh),
        "resources": options.get("resources") or RESOURCES,
        "securityContext": CONTAINER_SECURITY,
        "startupProbe": _probe("/startupz", periodSeconds=2, failureThreshold=60),
        "livenessProbe": _probe("/livez", periodSeconds=10, failureThreshold=3),
        "readinessProbe": _probe("/ready", periodSeconds=5, failureThreshold=2),
        "volumeMounts": _mounts(agent),
    }
    if not _is_alone(options):
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}}
    container.update(program(options, arguments))
    return container


def _environment(agent: DeclaredAgent, mesh: Mesh) -> list[dict[str, Any]]:
    own = {
        "MCP_MESH_AGENT_NAME": agent.name,
        "MCP_MESH_HTTP_HOST": agent.host(mesh.namespace),
        "MCP_MESH_HTTP_PORT": str(agent.port),
        "MCP_MESH_REGISTRY_URL": mesh.registry_url,
    }
    return environment(agent.options.get("env"), agent.options.get("secret_env"), own)


def _probe(path: str, **timing: int) -> dict[str, Any]:
    """Never /health: it restarts agents when something behind them is away."""
    return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5, **timing}


def _volumes(agent: DeclaredAgent) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {}}]
    if agent.code is not None:
        found.append({"name": "code", "configMap": {"name": agent.name, "items": agent.code.items()}})
    if agent.options.get("persistence"):
        found.append({"name": "data", "persistentVolumeClaim": {"claimName": agent.name}})
    return found


def _mounts(agent: DeclaredAgent) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"name": "tmp", "mountPath": "/tmp"}]
    if agent.code is not None:
        found.append({"name": "code", "mountPath": CODE_DIRECTORY, "readOnly": True})
    persistence = agent.options.get("persistence")
    if persistence:
        found.append({"name": "data", "mountPath": persistence.get("mount_path") or DEFAULT_MOUNT})
    return found


def _access_mode(options: Mapping[str, Any]) -> str:
    return str((options.get("persistence") or {}).get("access_mode") or "ReadWriteOnce")


def _is_alone(options: Mapping[str, Any]) -> bool:
    """A volume of one node cannot be at two pods: the old one goes first, and there is a gap, which is to be short."""
    return bool(options.get("persistence")) and _access_mode(options) != "ReadWriteMany"


def _claim(agent: DeclaredAgent, mesh: Mesh) -> Object:
    persistence = agent.options["persistence"]
    spec: dict[str, Any] = {
        "accessModes": [_access_mode(agent.options)],
        "resources": {"requests": {"storage": persistence["size"]}},
    }
    if persistence.get("storage_class"):
        spec["storageClassName"] = persistence["storage_class"]
    return _object(CLAIM, agent, mesh, spec=spec)


def _autoscaler(agent: DeclaredAgent, mesh: Mesh) -> Object:
    spec = autoscaler_spec(agent.name, agent.options["autoscaling"])
    return _object("HorizontalPodAutoscaler", agent, mesh, spec=spec)


def _network_policy(agent: DeclaredAgent, mesh: Mesh) -> Object:
    """In: other agents of the namespace, the registry, the API server. Out: the same agents, the registry, DNS."""
    options = agent.options
    registry = {
        "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: mesh.registry_namespace}},
        "podSelector": {"matchLabels": {PART_LABEL: MESH, COMPONENT_LABEL: REGISTRY}},
    }
    own = [{"port": agent.port, "protocol": "TCP"}]
    api_server = api_server_peers(mesh.api_server_cidrs)
    spec = {
        "podSelector": {"matchLabels": selector(agent)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"from": [_MESH_PEERS, registry, *api_server], "ports": own},
            *([{"from": peers(agent.exposed["source_ranges"]), "ports": own}] if agent.exposed else ()),
            *(options.get("ingress") or ()),
        ],
        "egress": [
            way_to_names(),
            {"to": [registry], "ports": [{"port": mesh.registry_port, "protocol": "TCP"}]},
            # whatever port the others have
            {"to": [_MESH_PEERS]},
            *([{"to": peers(mesh.remote_cidrs)}] if mesh.remote_cidrs else ()),
            *(options.get("egress") or ()),
        ],
    }
    return _object("NetworkPolicy", agent, mesh, spec=spec)


def api_server_ranges(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The peers that the option api_server_cidrs adds to the API server's own."""
    return api_server_peers(options.get(API_SERVER_CIDRS) or ())


def cidr_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What is no range of addresses in `api_server_cidrs`; for a removal they do not matter."""
    if params["state"] != "absent":
        yield from range_problems(API_SERVER_CIDRS, params.get(API_SERVER_CIDRS) or ())
