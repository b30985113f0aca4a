# SPDX-License-Identifier: GPL-3.0-or-later
"""A real mesh registry in a cluster, agents that only say so, and agents that run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from gate.checkout import CHECKOUT

from localcloud.extra_images import provide_set
from localcloud.images import mesh, postgres

REGISTRY_SERVICE = "mcp-mesh-registry"
EXAMPLES = CHECKOUT / "examples" / "mesh-agents"
POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 999,
    "fsGroup": 999,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
# Of an agent that only says once that it is there, the registry must not think that it has died meanwhile.
PATIENT = {"DEFAULT_TIMEOUT_THRESHOLD": "3600"}


def provide(cloud: Any, images: str = "mesh") -> None:
    """The registry of the local cloud holds this set of images."""
    provide_set(images, cloud.settings, print)


def image(cloud: Any, name: str) -> str:
    return f"{cloud.registry}/{name}"


def workload(
    name: str, namespace: str, image_name: str, port: int, ready: Mapping[str, Any], **container: Any
) -> list[dict[str, Any]]:
    """A Deployment of one pod as the level `restricted` demands, and its Service."""
    labels = {"app": name}
    volumes = container.pop("volumes", [])
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, *container.pop("volumeMounts", [])]
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": 5,
        "volumes": [{"name": "tmp", "emptyDir": {}}, *volumes],
        "containers": [
            {
                "name": "main",
                "image": image_name,
                "imagePullPolicy": "Always",
                "securityContext": CONTAINER_SECURITY,
                "ports": [{"containerPort": port}],
                "readinessProbe": {"periodSeconds": 1, **ready},
                "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
                "volumeMounts": mounts,
                **container,
            }
        ],
    }
    metadata = {"name": name, "namespace": namespace}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": port}]},
        },
    ]


def registry(
    cloud: Any, namespace: str, database: str = "/data/registry.db", settings: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    return workload(
        REGISTRY_SERVICE,
        namespace,
        image(cloud, mesh.REGISTRY),
        mesh.REGISTRY_PORT,
        {"httpGet": {"path": "/health", "port": mesh.REGISTRY_PORT}},
        env=environment(
            {"DATABASE_URL": database, "HOST": "0.0.0.0", "PORT": str(mesh.REGISTRY_PORT), **(settings or {})}
        ),
        volumes=[{"name": "data", "emptyDir": {}}],
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
    )


def database(cloud: Any, namespace: str, password: str) -> list[dict[str, Any]]:
    return workload(
        "postgres",
        namespace,
        image(cloud, postgres.IMAGE),
        5432,
        {"exec": {"command": ["pg_isready", "-h", "127.0.0.1", "-U", "mesh"]}},
        env=environment({"POSTGRES_USER": "mesh", "POSTGRES_PASSWORD": password, "PGDATA": f"{postgres.DATA}/pg"}),
        volumes=[{"name": "data", "emptyDir": {}}],
        volumeMounts=[{"name": "data", "mountPath": postgres.DATA}],
    )


def agent(cloud: Any, namespace: str, name: str, **variables: str) -> list[dict[str, Any]]:
    """One of the example agents, as the code in a ConfigMap."""
    code = f"{name}-code"
    content = {f"{name}.py": (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")}
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": code, "namespace": namespace},
        "data": content,
    }
    settings = {
        "MCP_MESH_REGISTRY_URL": f"http://{REGISTRY_SERVICE}.{namespace}:{mesh.REGISTRY_PORT}",
        "MCP_MESH_HTTP_HOST": f"{name}.{namespace}",
        "MCP_MESH_HTTP_PORT": str(mesh.AGENT_PORT),
        **variables,
    }
    running = workload(
        name,
        namespace,
        image(cloud, mesh.RUNTIMES[0]),
        mesh.AGENT_PORT,
        {"httpGet": {"path": "/ready", "port": mesh.AGENT_PORT}},
        args=[f"/agent/{name}.py"],
        env=environment(settings),
        volumes=[{"name": "code", "configMap": {"name": code}}],
        volumeMounts=[{"name": "code", "mountPath": "/agent", "readOnly": True}],
    )
    return [config, *running]


def environment(variables: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in variables.items()]


def apply(cluster: Any, objects: Sequence[Mapping[str, Any]]) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(listed))


def rolled_out(cluster: Any, namespace: str, *names: str, seconds: int = 110) -> None:
    for name in names:
        cluster.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", f"--timeout={seconds}s")


def heartbeat(cluster: Any, namespace: str, agent_id: str, name: str, tools: Sequence[Mapping[str, Any]]) -> None:
    """What an agent sends every few seconds."""
    beat = {
        "agent_id": agent_id,
        "name": name,
        "agent_type": "mcp_agent",
        "http_host": f"{name}.{namespace}.svc.cluster.local",
        "http_port": mesh.AGENT_PORT,
        "version": "1.0.0",
        "tools": list(tools),
    }
    path = f"/api/v1/namespaces/{namespace}/services/http:{REGISTRY_SERVICE}:{mesh.REGISTRY_PORT}/proxy/heartbeat"
    answer = json.loads(cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(beat)))
    assert answer["status"] == "success", answer


def unregister(cluster: Any, namespace: str, agent_id: str) -> None:
    """What an agent sends when it ends."""
    path = (
        f"/api/v1/namespaces/{namespace}/services/http:{REGISTRY_SERVICE}:{mesh.REGISTRY_PORT}/proxy/agents/{agent_id}"
    )
    cluster.kubectl("delete", "--raw", path)


def until(condition: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.5)
