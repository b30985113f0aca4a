# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a declared agent workload to the objects that run it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kube.apply.owned_objects import TYPES as COMMON_TYPES
from ..kube.apply.requests import Target
from ..kube.discovery import ResourceType
from ..kube.manifests import Object, object_ref
from ..kube.policy_peers import api_server_peers, peer_of, way_to_names
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
from .file_spec import CA_DIRECTORY, FILES, files_of, volumes_of

OWNER_LABEL = "mcpops.io/agent-workload"
"""On every object of an agent, with its name: what tells ours from others."""
SET_LABEL = "mcpops.io/agent-workloads"
"""The set of agents that are declared together."""
HEALTH_ANNOTATION = "mcpops.io/health-path"
"""On the Service, where it is not the usual one."""
DEFAULT_HEALTH = "/health"
NAME_LABEL, COMPONENT_LABEL = "app.kubernetes.io/name", "app.kubernetes.io/component"
AGENT = "agent"
DEFAULT_PORT, DEFAULT_SERVICE_PORT = 8000, 80
DEFAULT_USER = 1000
DEFAULT_TIMEOUT = 300
DRAIN_SECONDS = 10
"""A pod that goes answers for so long, until every node has heard that it goes."""
RESOURCES: Mapping[str, Any] = {
    "requests": {"cpu": "100m", "memory": "256Mi"},
    "limits": {"cpu": "2", "memory": "1Gi"},
}
CA_FILE = f"{CA_DIRECTORY}/ca.crt"
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""By which the programs of Python (httpx, requests) and Node are told of authorities."""
CLUSTER_NAMES = ("localhost", "127.0.0.1", ".svc", ".cluster.local")
"""What is never asked for by a proxy."""
IDENTITY_LABEL = "azure.workload.identity/use"
CLIENT_ID, TENANT_ID = "azure.workload.identity/client-id", "azure.workload.identity/tenant-id"
SPOT = {"key": "kubernetes.azure.com/scalesetpriority", "operator": "Equal", "value": "spot", "effect": "NoSchedule"}
"""The taint of AKS' spot pools (Microsoft Learn, "Add an Azure Spot node pool")."""
MONITORING_GROUPS = ("monitoring.coreos.com", "azmonitoring.coreos.com")
"""Of the Prometheus operator, and of Azure's managed Prometheus, which does not look at the other."""
MONITOR = "ServiceMonitor"
PLAIN, EXISTING = "plain", "existing"
SECRETS = "-secrets"
PROBES: Mapping[str, Mapping[str, Any]] = {
    "startup": {"path": "/health/live", "period": 5, "failures": 60},
    "liveness": {"path": "/health/live", "period": 20, "failures": 3},
    "readiness": {"path": "/health/ready", "period": 10, "failures": 3},
}
CHILDREN = (
    *(("ServiceAccount", ""), ("ConfigMap", ""), ("Secret", FILES), ("Secret", SECRETS)),
    *(("Service", ""), ("Deployment", ""), ("PodDisruptionBudget", "")),
    *(("HorizontalPodAutoscaler", ""), ("NetworkPolicy", "")),
)
"""(kind, suffix of the name) of all that an agent may consist of, but for what tells Prometheus of it."""


@dataclass(frozen=True)
class Place:
    """What the agents of a task have in common."""

    namespace: str
    set_name: str = ""
    api_server_cidrs: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeclaredWorkload:
    """One entry of `agents`."""

    options: Mapping[str, Any]
    place: Place
    where: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        return str(self.options["name"])

    @property
    def namespace(self) -> str:
        return str(self.options.get("namespace") or self.place.namespace)

    @property
    def port(self) -> int:
        return self.options.get("port") or DEFAULT_PORT

    @property
    def service_port(self) -> int:
        return self.options.get("service_port") or DEFAULT_SERVICE_PORT

    @property
    def metrics_port(self) -> int | None:
        return self.options.get("metrics_port")

    @property
    def url(self) -> str:
        """The address of its Service, from wherever in the cluster."""
        port = "" if self.service_port == DEFAULT_SERVICE_PORT else f":{self.service_port}"
        return f"http://{self.name}.{self.namespace}.svc{port}"


def monitor_type(group: str) -> ResourceType:
    return ResourceType(f"{group}/v1", MONITOR, "servicemonitors", True)


def target_of_child(kind: str, agent: DeclaredWorkload, suffix: str = "", group: str = "") -> Target:
    """What an agent may consist of, whether it is declared or not."""
    resource = monitor_type(group) if kind == MONITOR else COMMON_TYPES[kind]
    metadata = {
        "name": f"{agent.name}{suffix}",
        "namespace": agent.namespace,
        "labels": {OWNER_LABEL: agent.name},
    }
    declared = {"apiVersion": resource.api_version, "kind": kind, "metadata": metadata}
    return Target(object_ref(declared), resource, declared)


def type_of(item: Object) -> ResourceType:
    if item["kind"] == MONITOR:
        return monitor_type(str(item["apiVersion"]).partition("/")[0])
    return COMMON_TYPES[str(item["kind"])]


def workload_objects(agent: DeclaredWorkload) -> list[Object]:
    """Everything that runs one agent."""
    options = agent.options
    found = [_service_account(agent), _service(agent), _deployment(agent)]
    plain, hidden = files_of(options)
    if plain:
        found.append(_object("ConfigMap", agent, data=plain))
    if hidden:
        found.append(_object("Secret", agent, FILES, type="Opaque", stringData=hidden))
    secrets = options.get("secrets") or {}
    if secrets.get("backend") == PLAIN:
        values = texts_of_mapping(secrets.get("values") or {})
        found.append(_object("Secret", agent, SECRETS, type="Opaque", stringData=values))
    budget = _disruption_budget(agent)
    if budget:
        found.append(budget)
    if options.get("autoscaling"):
        spec = autoscaler_spec(agent.name, options["autoscaling"])
        found.append(_object("HorizontalPodAutoscaler", agent, spec=spec))
    if options.get("network_policy") is not False:
        found.append(_network_policy(agent))
    if (options.get("monitoring") or {}).get("group"):
        found.append(_monitor(agent))
    return found


def undeclared_children(agent: DeclaredWorkload, declared: Sequence[Object]) -> list[tuple[str, str]]:
    """(kind, suffix) of what an agent could consist of, and as it is declared does not."""
    there = {(item["kind"], item["metadata"]["name"]) for item in declared}
    return [(kind, suffix) for kind, suffix in CHILDREN if (kind, f"{agent.name}{suffix}") not in there]


def selector(agent: DeclaredWorkload) -> dict[str, str]:
    """By which the Service and others find its pods; it can never change."""
    return {NAME_LABEL: agent.name, COMPONENT_LABEL: AGENT}


def secret_places(agent: DeclaredWorkload) -> dict[str, dict[str, str]]:
    """Variables from Secrets: what `secret_env` says, and those of `secrets`."""
    found = dict(agent.options.get("secret_env") or {})
    secrets = agent.options.get("secrets") or {}
    if secrets.get("backend") == PLAIN:
        name = f"{agent.name}{SECRETS}"
        found.update((str(one), {"name": name, "key": str(one)}) for one in secrets.get("values") or {})
    elif secrets.get("backend") == EXISTING:
        keys = (secrets.get("keys") or {}).items()
        found.update((str(one), {"name": secrets["name"], "key": str(key or one)}) for one, key in keys)
    return found


def _labels(agent: DeclaredWorkload) -> dict[str, str]:
    version = agent.options.get("version")
    return {
        **selector(agent),
        OWNER_LABEL: agent.name,
        **({"app.kubernetes.io/version": version} if version else {}),
        **({SET_LABEL: agent.place.set_name} if agent.place.set_name else {}),
    }


def _object(kind: str, agent: DeclaredWorkload, suffix: str = "", **content: Any) -> Object:
    declared = target_of_child(kind, agent, suffix).declared
    return {**declared, "metadata": {**declared["metadata"], "labels": _labels(agent)}, **content}


def _service_account(agent: DeclaredWorkload) -> Object:
    made = _object("ServiceAccount", agent, automountServiceAccountToken=False)
    identity = agent.options.get("identity")
    if identity:
        tenant = {TENANT_ID: identity["tenant_id"]} if identity.get("tenant_id") else {}
        made["metadata"]["annotations"] = {CLIENT_ID: identity["client_id"], **tenant}
    return made


def _service(agent: DeclaredWorkload) -> Object:
    ports = [{"name": "http", "port": agent.service_port, "targetPort": "http", "protocol": "TCP"}]
    if agent.metrics_port:
        ports.append({"name": "metrics", "port": agent.metrics_port, "targetPort": "metrics", "protocol": "TCP"})
    spec: dict[str, Any] = {"type": "ClusterIP", "selector": selector(agent), "ports": ports}
    if agent.options.get("session_affinity"):
        spec["sessionAffinity"] = "ClientIP"
    made = _object("Service", agent, spec=spec)
    annotations = texts_of_mapping(agent.options.get("service_annotations") or {})
    if agent.options.get("health_path"):
        annotations[HEALTH_ANNOTATION] = agent.options["health_path"]
    if annotations:
        made["metadata"]["annotations"] = annotations
    return made


def _deployment(agent: DeclaredWorkload) -> Object:
    options = agent.options
    own = {**_labels(agent), **({IDENTITY_LABEL: "true"} if options.get("identity") else {})}
    metadata: dict[str, Any] = {"labels": {**texts_of_mapping(options.get("labels") or {}), **own}}
    annotations = texts_of_mapping(options.get("annotations") or {})
    seconds = (options.get("identity") or {}).get("token_seconds")
    if seconds is not None:
        annotations["azure.workload.identity/service-account-token-expiration"] = str(seconds)
    if annotations:
        metadata["annotations"] = annotations
    spec: dict[str, Any] = {
        "selector": {"matchLabels": selector(agent)},
        "revisionHistoryLimit": 3,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": metadata, "spec": _pod(agent)},
    }
    if not options.get("autoscaling"):
        spec["replicas"] = least_replicas(options)
    return _object("Deployment", agent, spec=spec)


def _pod(agent: DeclaredWorkload) -> dict[str, Any]:
    options = agent.options
    user = options.get("run_as_user") or DEFAULT_USER
    timeout = options.get("request_timeout")
    volumes, mounts = volumes_of(agent.name, options)
    tolerations = [*(options.get("tolerations") or ()), *([SPOT] if options.get("spot") else [])]
    pod: dict[str, Any] = {
        "serviceAccountName": agent.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # the longest request that it may have taken just before it was told to go
        "terminationGracePeriodSeconds": DRAIN_SECONDS + (DEFAULT_TIMEOUT if timeout is None else timeout),
        "securityContext": pod_security(user),
        "containers": [_container(agent, mounts)],
        "volumes": volumes,
        **placement({**options, "tolerations": tolerations}, selector(agent)),
    }
    if options.get("priority_class"):
        pod["priorityClassName"] = options["priority_class"]
    dns = options.get("dns") or {}
    if dns.get("policy"):
        pod["dnsPolicy"] = dns["policy"]
    config = {name: list(dns[name]) for name in ("nameservers", "searches") if dns.get(name)}
    if dns.get("options"):
        rows = sorted(texts_of_mapping(dns["options"]).items())
        config["options"] = [{"name": name, **({"value": value} if value else {})} for name, value in rows]
    if config:
        pod["dnsConfig"] = config
    return pod


def _container(agent: DeclaredWorkload, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    options = agent.options
    ports = [{"name": "http", "containerPort": agent.port, "protocol": "TCP"}]
    if agent.metrics_port:
        ports.append({"name": "metrics", "containerPort": agent.metrics_port, "protocol": "TCP"})
    return {
        "name": AGENT,
        "image": options["image"],
        "ports": ports,
        "env": environment(options.get("env"), secret_places(agent), own_environment(options)),
        "resources": options.get("resources") or RESOURCES,
        "securityContext": CONTAINER_SECURITY,
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
        "volumeMounts": mounts,
        **{f"{name}Probe": made for name in PROBES if (made := _probe(name, options))},
        **program(options, options.get("args")),
    }


def own_environment(options: Mapping[str, Any]) -> dict[str, str]:
    """The variables that follow from a proxy and from an authority of one's own."""
    found: dict[str, str] = {}
    proxy = options.get("proxy") or {}
    for option, name in (("http", "HTTP_PROXY"), ("https", "HTTPS_PROXY")):
        if proxy.get(option):
            found[name] = found[name.lower()] = proxy[option]
    if found:
        around = ",".join(dict.fromkeys((*CLUSTER_NAMES, *(proxy.get("no_proxy") or ()))))
        found["NO_PROXY"] = found["no_proxy"] = around
    if options.get("ca"):
        found.update(dict.fromkeys(CA_VARIABLES, CA_FILE))
    return found


def _probe(name: str, options: Mapping[str, Any]) -> dict[str, Any] | None:
    default = PROBES[name]
    given = options.get(f"{name}_probe") or {}
    kind = given.get("kind") or "http"
    if kind == "none":
        return None
    path = given.get("path") or default["path"]
    asks = {"tcpSocket": {"port": "http"}} if kind == "tcp" else {"httpGet": {"path": path, "port": "http"}}
    return {
        **asks,
        "timeoutSeconds": given.get("timeout") or 5,
        "periodSeconds": given.get("period") or default["period"],
        "failureThreshold": given.get("failures") or default["failures"],
    }


def _disruption_budget(agent: DeclaredWorkload) -> Object | None:
    """Where there are several pods; one that does not get ready keeps no node from being emptied."""
    budget = agent.options.get("disruption_budget") or {}
    least = budget.get("min_available")
    if least is None and most_replicas(agent.options) < 2:
        return None
    most = budget.get("max_unavailable")
    bound = {"minAvailable": least} if least is not None else {"maxUnavailable": 1 if most is None else most}
    spec = {
        **bound,
        "selector": {"matchLabels": selector(agent)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return _object("PodDisruptionBudget", agent, spec=spec)


def _network_policy(agent: DeclaredWorkload) -> Object:
    """In: declared callers, what scrapes, and the API server. Out: DNS and what is declared."""
    options = agent.options
    ports = _ports([agent.port])
    ingress = [
        {"from": [peer_of(caller)], "ports": _ports(caller.get("ports") or [agent.port])}
        for caller in options.get("callers") or ()
    ]
    ingress.append({"from": api_server_peers(agent.place.api_server_cidrs), "ports": ports})
    scrapers = (options.get("monitoring") or {}).get("scrapers") or ()
    if scrapers:
        scraped = _ports([agent.metrics_port or agent.port])
        ingress.append({"from": [peer_of(one) for one in scrapers], "ports": scraped})
    egress = [
        {"to": [peer_of(called)], **({"ports": _ports(called["ports"])} if called.get("ports") else {})}
        for called in options.get("calls") or ()
    ]
    spec = {
        "podSelector": {"matchLabels": selector(agent)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress,
        "egress": [way_to_names(), *egress],
    }
    return _object("NetworkPolicy", agent, spec=spec)


def _ports(numbers: Sequence[int]) -> list[dict[str, Any]]:
    return [{"port": number, "protocol": "TCP"} for number in numbers]


def _monitor(agent: DeclaredWorkload) -> Object:
    monitoring = agent.options["monitoring"]
    declared = target_of_child(MONITOR, agent, group=monitoring["group"]).declared
    endpoint = {
        "port": "metrics" if agent.metrics_port else "http",
        "path": monitoring.get("path") or "/metrics",
        "interval": monitoring.get("interval") or "30s",
    }
    labels = {**texts_of_mapping(monitoring.get("labels") or {}), **_labels(agent)}
    spec = {"selector": {"matchLabels": {OWNER_LABEL: agent.name}}, "endpoints": [endpoint]}
    return {**declared, "metadata": {**declared["metadata"], "labels": labels}, "spec": spec}
