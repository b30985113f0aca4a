# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the declaration of a mesh registry to its objects and those of its database. Pure."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.apply.owned_objects import CLAIM, named_object
from ..kube.manifests import Object
from ..kube.policy_peers import NAMESPACE_NAME, way_to_names
from ..text import texts_of_mapping
from .agent_spec import (
    AGENT,
    COMPONENT_LABEL,
    MESH,
    NAME_LABEL,
    PART_LABEL,
    REGISTRY,
    api_server_ranges,
)
from .exposure import EXPOSED, exposed_name, exposed_service, way_in, way_to_agents

OWNER_LABEL = "mcpops.io/mesh-registry"
"""On every object of a registry and of its database, with the registry's name."""
DEFAULT_IMAGE = "mcpmesh/registry:3.7.1"
DEFAULT_DATABASE_IMAGE = "postgres:15"
PORT, ADMIN_PORT, DATABASE_PORT = 8000, 8001, 5432
"""/admin is moved to a port of its own, which no Service leads to and no policy opens."""
BUNDLED, SQLITE, EXISTING = "bundled", "sqlite", "existing"
URL_KEY, PASSWORD_KEY = "database-url", "password"
FILE = "/data/mcp_mesh_registry.db"
_DATABASE, BACKUP = "database", "backup"
# otherwise a pod that never gets ready would keep the correction from being rolled out (Kubernetes, "Forced rollback")
_AT_ONCE = "Parallel"
_USER = "mcpmesh"
_UID = 999
RESOURCES: Mapping[str, Any] = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"cpu": "1", "memory": "512Mi"},
}
SECURITY: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True)
class DeclaredRegistry:
    """The options of mesh_registry, the password of the database that is made with it, or the ports of another one."""

    options: Mapping[str, Any]
    password: str = ""
    database_ports: tuple[int, ...] = (DATABASE_PORT,)

    @property
    def name(self) -> str:
        return str(self.options["name"])

    @property
    def namespace(self) -> str:
        return str(self.options["namespace"])

    @property
    def database(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.options["database"]
        return found

    @property
    def kind(self) -> str:
        return str(self.database["type"])

    @property
    def replicas(self) -> int:
        return int(self.options["replicas"])

    @property
    def database_name(self) -> str:
        return f"{self.name}-db"

    @property
    def backup_name(self) -> str:
        return f"{self.name}-backup"

    @property
    def restore_name(self) -> str:
        return f"{self.name}-restore"

    @property
    def azure_secret_name(self) -> str:
        """Of the Secret that the role mcp_mesh makes of a database of Azure."""
        return f"{self.name}-azure"

    @property
    def secret_name(self) -> str:
        """Of the Secret with the address of the database, the user's own or ours."""
        given = self.database.get("existing_secret")
        return str(given["name"]) if given else f"{self.name}-database"

    @property
    def secret_key(self) -> str:
        given = self.database.get("existing_secret")
        return str(given["key"]) if given else URL_KEY

    @property
    def database_url(self) -> str:
        """Whatever is no address of PostgreSQL the registry takes for the path of a file."""
        if self.kind == SQLITE:
            return FILE
        host = f"{self.database_name}.{self.namespace}"
        # both are in one namespace, behind policies of their own; the image of PostgreSQL has no certificate
        return f"postgres://{_USER}:{self.password}@{host}:{DATABASE_PORT}/{_USER}?sslmode=disable"


def new_password() -> str:
    """Letters and digits alone: it stands in an address."""
    return secrets.token_hex(24)


def password_in(secret: Mapping[str, Any] | None) -> str:
    """The password that a Secret of ours holds; empty where there is none."""
    encoded = ((secret or {}).get("data") or {}).get(PASSWORD_KEY)
    try:
        return base64.b64decode(encoded, validate=True).decode() if encoded else ""
    except ValueError:
        return ""


def url_in(secret: Mapping[str, Any], key: str) -> str | None:
    """The address of the database in a Secret; None where the key is missing or no text."""
    encoded = (secret.get("data") or {}).get(key)
    try:
        return None if encoded is None else base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        return None


def registry_objects(registry: DeclaredRegistry) -> list[Object]:
    """Everything that runs a registry."""
    found = [
        registry_object(registry, "ServiceAccount", registry.name, REGISTRY, automountServiceAccountToken=False),
        _service(registry, registry.name, REGISTRY, PORT),
        _workload(registry),
    ]
    if registry.kind != EXISTING:
        data = {URL_KEY: registry.database_url}
        if registry.password:
            # beside a file as well: the volume of a database that was here before stays
            data[PASSWORD_KEY] = registry.password
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
        found.append(registry_object(registry, "Secret", registry.secret_name, _DATABASE, type="Opaque", data=encoded))
    if registry.options.get(EXPOSED):
        found.append(exposed_service(_service(registry, registry.name, REGISTRY, PORT), registry.options[EXPOSED]))
    if registry.replicas > 1:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": selector_of(registry, REGISTRY)}}
        found.append(registry_object(registry, "PodDisruptionBudget", registry.name, REGISTRY, spec=spec))
    if registry.kind == BUNDLED:
        found += [
            registry_object(
                registry, "ServiceAccount", registry.database_name, _DATABASE, automountServiceAccountToken=False
            ),
            _service(registry, registry.database_name, _DATABASE, DATABASE_PORT),
            _database(registry),
        ]
    if registry.options["network_policy"]:
        found += _network_policies(registry)
    return found


def in_order(objects: Sequence[Object]) -> list[list[Object]]:
    """The database before what is restored to it, and that before the registry."""
    turns = {_DATABASE: 0, BACKUP: 1, REGISTRY: 2}
    placed = [(turns[item["metadata"]["labels"][COMPONENT_LABEL]], item) for item in objects]
    split = [[item for turn, item in placed if turn == wanted] for wanted in turns.values()]
    return [some for some in split if some]


def every_object(registry: DeclaredRegistry) -> list[tuple[str, str]]:
    """(kind, name) of all that a registry may consist of, whatever it is declared as; volumes are not among them."""
    own = ("ServiceAccount", "Service", "Deployment", "StatefulSet", "PodDisruptionBudget", "NetworkPolicy")
    database = ("ServiceAccount", "Service", "StatefulSet", "NetworkPolicy")
    backup = ("ServiceAccount", "CronJob", "NetworkPolicy")
    return [
        *((kind, registry.name) for kind in own),
        ("Service", exposed_name(registry.name)),
        *((kind, registry.database_name) for kind in database),
        *((kind, registry.backup_name) for kind in backup),
        ("Job", registry.restore_name),
        ("Secret", f"{registry.name}-database"),
        ("Secret", registry.azure_secret_name),
    ]


def claims(registry: DeclaredRegistry) -> list[tuple[str, str]]:
    """The volumes of the StatefulSets and of the dumps."""
    names = (f"data-{registry.name}-0", f"data-{registry.database_name}-0", registry.backup_name)
    return [(CLAIM, name) for name in names]


def selector_of(registry: DeclaredRegistry, component: str) -> dict[str, str]:
    name = {REGISTRY: registry.name, _DATABASE: registry.database_name}.get(component, registry.backup_name)
    return {NAME_LABEL: name, COMPONENT_LABEL: component}


def registry_object(registry: DeclaredRegistry, kind: str, name: str, component: str, **content: Any) -> Object:
    named = named_object(kind, name, registry.namespace)
    return {**named, "metadata": {**named["metadata"], "labels": labels_of(registry, component)}, **content}


def labels_of(registry: DeclaredRegistry, component: str) -> dict[str, str]:
    return {**selector_of(registry, component), PART_LABEL: MESH, OWNER_LABEL: registry.name}


def _service(registry: DeclaredRegistry, name: str, component: str, port: int) -> Object:
    protocol = "http" if component == REGISTRY else "postgres"
    ports = [{"name": protocol, "port": port, "targetPort": protocol, "protocol": "TCP"}]
    spec = {"type": "ClusterIP", "selector": selector_of(registry, component), "ports": ports}
    return registry_object(registry, "Service", name, component, spec=spec)


def _workload(registry: DeclaredRegistry) -> Object:
    """A Deployment; with a file for a database, a StatefulSet of one pod."""
    options = registry.options
    container: dict[str, Any] = {
        "name": REGISTRY,
        "image": options.get("image") or DEFAULT_IMAGE,
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "env": _environment(registry),
        "resources": options.get("resources") or RESOURCES,
        "securityContext": dict(SECURITY),
        "startupProbe": _probe("/health", periodSeconds=1, failureThreshold=60),
        "livenessProbe": _probe("/health", periodSeconds=10, failureThreshold=3),
        # the one address that tells whether its database is there; restarting the registry would not bring it back
        "readinessProbe": _probe("/agents", periodSeconds=5, failureThreshold=2),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = pod_of(registry, registry.name, container)
    template = {"metadata": {"labels": labels_of(registry, REGISTRY)}, "spec": pod}
    spec: dict[str, Any] = {
        "replicas": registry.replicas,
        "selector": {"matchLabels": selector_of(registry, REGISTRY)},
        "revisionHistoryLimit": 3,
        "template": template,
    }
    if registry.kind == SQLITE:
        container["volumeMounts"].append({"name": "data", "mountPath": "/data"})
        spec.update(
            serviceName=registry.name,
            podManagementPolicy=_AT_ONCE,
            volumeClaimTemplates=[_claim(registry, REGISTRY)],
        )
        return registry_object(registry, "StatefulSet", registry.name, REGISTRY, spec=spec)
    # /data is the working directory of the image
    container["volumeMounts"].append({"name": "tmp", "mountPath": "/data", "subPath": "data"})
    spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    if registry.replicas > 1:
        pod["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector_of(registry, REGISTRY)},
            }
            for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
        ]
    return registry_object(registry, "Deployment", registry.name, REGISTRY, spec=spec)


def _environment(registry: DeclaredRegistry) -> list[dict[str, Any]]:
    own = {
        "HOST": "0.0.0.0",
        "PORT": str(PORT),
        "MCP_MESH_ADMIN_PORT": str(ADMIN_PORT),
        "MCP_MESH_LOG_LEVEL": registry.options["log_level"],
        "MCP_MESH_DEBUG_MODE": "false",
    }
    plain = {**texts_of_mapping(registry.options.get("env") or {}), **own}
    found: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in plain.items()]
    reference = {"secretKeyRef": {"name": registry.secret_name, "key": registry.secret_key}}
    found.append({"name": "DATABASE_URL", "valueFrom": reference})
    return sorted(found, key=lambda one: str(one["name"]))


def _probe(path: str, **timing: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5, **timing}


def pod_of(registry: DeclaredRegistry, account: str, container: dict[str, Any]) -> dict[str, Any]:
    options = registry.options
    if options.get("image_pull_policy"):
        container["imagePullPolicy"] = options["image_pull_policy"]
    pod: dict[str, Any] = {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _UID,
            "runAsGroup": _UID,
            "fsGroup": _UID,
            # a large volume is not walked through at every start
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    if options.get("node_selector"):
        pod["nodeSelector"] = texts_of_mapping(options["node_selector"])
    if options.get("tolerations"):
        pod["tolerations"] = options["tolerations"]
    if options.get("image_pull_secrets"):
        pod["imagePullSecrets"] = [{"name": name} for name in options["image_pull_secrets"]]
    return pod


def _claim(registry: DeclaredRegistry, component: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": registry.database["size"]}},
    }
    if registry.database.get("storage_class"):
        spec["storageClassName"] = registry.database["storage_class"]
    return {"metadata": {"name": "data", "labels": labels_of(registry, component)}, "spec": spec}


def _database(registry: DeclaredRegistry) -> Object:
    database = registry.database
    ready = {"exec": {"command": ["pg_isready", "-q", "-h", "127.0.0.1", "-U", _USER]}, "timeoutSeconds": 5}
    password = {"secretKeyRef": {"name": registry.secret_name, "key": PASSWORD_KEY}}
    container: dict[str, Any] = {
        "name": _DATABASE,
        "image": database.get("image") or DEFAULT_DATABASE_IMAGE,
        "ports": [{"name": "postgres", "containerPort": DATABASE_PORT, "protocol": "TCP"}],
        "env": [
            # below the mount: what a disk brings along (lost+found) would keep it from being initialised
            {"name": "PGDATA", "value": "/var/lib/postgresql/data/pgdata"},
            {"name": "POSTGRES_DB", "value": _USER},
            {"name": "POSTGRES_PASSWORD", "valueFrom": password},
            {"name": "POSTGRES_USER", "value": _USER},
        ],
        "resources": database.get("resources") or RESOURCES,
        "securityContext": dict(SECURITY),
        "startupProbe": {**ready, "periodSeconds": 2, "failureThreshold": 60},
        "livenessProbe": {**ready, "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 2},
        "volumeMounts": [
            {"name": "data", "mountPath": "/var/lib/postgresql/data"},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "tmp", "mountPath": "/var/run/postgresql", "subPath": "run"},
        ],
    }
    spec = {
        "replicas": 1,
        "serviceName": registry.database_name,
        "podManagementPolicy": _AT_ONCE,
        "selector": {"matchLabels": selector_of(registry, _DATABASE)},
        "revisionHistoryLimit": 3,
        "template": {
            "metadata": {"labels": labels_of(registry, _DATABASE)},
            "spec": pod_of(registry, registry.database_name, container),
        },
        "volumeClaimTemplates": [_claim(registry, _DATABASE)],
    }
    return registry_object(registry, "StatefulSet", registry.database_name, _DATABASE, spec=spec)


def _network_policies(registry: DeclaredRegistry) -> list[Object]:
    """To the registry: agents and the API server. From it: its database and DNS. To the database: the registry."""
    namespaces = sorted({registry.namespace, *(registry.options.get("agent_namespaces") or ())})
    agents = [
        {
            "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: namespace}},
            "podSelector": {"matchLabels": {PART_LABEL: MESH, COMPONENT_LABEL: AGENT}},
        }
        for namespace in namespaces
    ]
    database = [{"port": DATABASE_PORT, "protocol": "TCP"}]
    exposed = registry.options.get(EXPOSED)
    callers = [*agents, *api_server_ranges(registry.options), *way_in(exposed)]
    own = {
        "podSelector": {"matchLabels": selector_of(registry, REGISTRY)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": callers, "ports": [{"port": PORT, "protocol": "TCP"}]}],
        "egress": [*way_to_database(registry), *way_to_agents(exposed)],
    }
    found = [registry_object(registry, "NetworkPolicy", registry.name, REGISTRY, spec=own)]
    if registry.kind == BUNDLED:
        only = {
            "podSelector": {"matchLabels": selector_of(registry, _DATABASE)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [
                        {"podSelector": {"matchLabels": selector_of(registry, one)}}
                        for one in (REGISTRY, *((BACKUP,) if is_dumped(registry) else ()))
                    ],
                    "ports": database,
                }
            ],
        }
        found.append(registry_object(registry, "NetworkPolicy", registry.database_name, _DATABASE, spec=only))
    return found


def way_to_database(registry: DeclaredRegistry) -> list[dict[str, Any]]:
    """Out to DNS and the database, and nowhere else."""
    database = [{"port": port, "protocol": "TCP"} for port in registry.database_ports]
    egress = [way_to_names()]
    if registry.kind == BUNDLED:
        egress.append({"to": [{"podSelector": {"matchLabels": selector_of(registry, _DATABASE)}}], "ports": database})
    elif registry.kind == EXISTING:
        # wherever it is: its address is in a Secret
        egress.append({"ports": database})
    return egress


def is_dumped(registry: DeclaredRegistry) -> bool:
    """Whether something beside the registry works on its database."""
    return bool(registry.options.get("backup") or registry.options.get("restore"))
