# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs an agent, and what of it follows from which option."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.module_utils.agents.workload_spec import (
    CHILDREN,
    OWNER_LABEL,
    DeclaredWorkload,
    Place,
    undeclared_children,
    workload_objects,
)
from ansible_collections.mcpops.platform.plugins.modules import agent_workload

GUID = "11111111-2222-3333-4444-555555555555"
SCALING = {"min_replicas": 2, "max_replicas": 4, "cpu_percent": 70}


def declared(**options: Any) -> DeclaredWorkload:
    entry = {"name": "helper", "image": "helper:1", **options}
    validated = ArgumentSpecValidator(agent_workload.ARGUMENT_SPEC).validate(
        {"kubeconfig": "/k", "namespace": "agents", "agents": [entry]}
    )
    assert validated.error_messages == []
    return DeclaredWorkload(validated.validated_parameters["agents"][0], Place("agents", "set"))


def objects(**options: Any) -> dict[tuple[str, str], dict[str, Any]]:
    found = workload_objects(declared(**options))
    assert {item["metadata"]["labels"][OWNER_LABEL] for item in found} == {"helper"}
    return {(item["kind"], item["metadata"]["name"]): dict(item) for item in found}


def pod(**options: Any) -> dict[str, Any]:
    found: dict[str, Any] = objects(**options)["Deployment", "helper"]["spec"]["template"]["spec"]
    return found


def container(**options: Any) -> dict[str, Any]:
    [found] = pod(**options)["containers"]
    return dict(found)


def env(**options: Any) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container(**options)["env"]}


def mounts(**options: Any) -> dict[str, str]:
    return {one["mountPath"]: one["name"] for one in container(**options)["volumeMounts"]}


def test_the_least_that_an_agent_consists_of() -> None:
    assert sorted(kind for kind, _name in objects()) == ["Deployment", "NetworkPolicy", "Service", "ServiceAccount"]
    spec = pod()
    # what the level restricted asks for, and no token, and no variables of Services
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
    }
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (spec["enableServiceLinks"], spec["automountServiceAccountToken"]) == (False, False)
    assert mounts() == {"/tmp": "writable-0"}
    assert objects()["Service", "helper"]["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
    ]


def test_probes_never_look_at_what_is_behind_the_agent() -> None:
    found = container()
    asked = {name: found[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert asked == {"startup": "/health/live", "liveness": "/health/live", "readiness": "/health/ready"}
    other = container(liveness_probe={"kind": "tcp", "period": 7}, startup_probe={"kind": "none"})
    assert other["livenessProbe"]["tcpSocket"] == {"port": "http"}
    assert other["livenessProbe"]["periodSeconds"] == 7
    assert "startupProbe" not in other
    assert container(readiness_probe={"path": "/ok"})["readinessProbe"]["httpGet"]["path"] == "/ok"


def test_files_are_kept_where_they_belong_and_mounted_at_their_place() -> None:
    files = [
        {"path": "/app/config/agent.toml", "toml": {"agent": {"log_level": "INFO"}}},
        {"path": "/app/config/mcp.toml", "toml": {"mcp": [{"headers": {"Authorization": "Bearer opaque-Zt81-92"}}]}},
        {"path": "/app/config/open.json", "json": {"api_key": "opaque-Zt81-92734650"}, "secret": False},
        {"path": "/app/config/prompt.txt", "text": "Be kind.", "secret": True},
    ]
    found = objects(files=files)
    assert found["ConfigMap", "helper"]["data"] == {
        "app.config.agent.toml": '[agent]\nlog_level = "INFO"\n',
        "app.config.open.json": '{\n  "api_key": "opaque-Zt81-92734650"\n}\n',
    }
    assert set(found["Secret", "helper-files"]["stringData"]) == {"app.config.mcp.toml", "app.config.prompt.txt"}
    assert mounts(files=files) == {
        "/tmp": "writable-0",
        "/app/config/agent.toml": "files",
        "/app/config/mcp.toml": "secret-files",
        "/app/config/open.json": "files",
        "/app/config/prompt.txt": "secret-files",
    }
    paths = {one["mountPath"]: one.get("subPath") for one in container(files=files)["volumeMounts"]}
    assert paths["/app/config/mcp.toml"] == "app.config.mcp.toml"


def test_secrets_of_both_backends() -> None:
    plain = {"backend": "plain", "values": {"REDIS_KEY": "opaque-1", "PORT": 1}}
    assert objects(secrets=plain)["Secret", "helper-secrets"]["stringData"] == {"REDIS_KEY": "opaque-1", "PORT": "1"}
    assert env(secrets=plain)["REDIS_KEY"] == {"secretKeyRef": {"name": "helper-secrets", "key": "REDIS_KEY"}}
    assert "opaque-1" not in json.dumps(objects(secrets=plain)["Deployment", "helper"])
    existing = {"backend": "existing", "name": "keys", "keys": {"REDIS_KEY": "redis", "OTHER": None}}
    assert env(secrets=existing) == {
        "OTHER": {"secretKeyRef": {"name": "keys", "key": "OTHER"}},
        "REDIS_KEY": {"secretKeyRef": {"name": "keys", "key": "redis"}},
    }
    assert ("Secret", "helper-secrets") not in objects(secrets=existing)


def test_an_identity_is_whole() -> None:
    found = objects(identity={"client_id": GUID, "tenant_id": GUID, "token_seconds": 7200})
    annotations = found["ServiceAccount", "helper"]["metadata"]["annotations"]
    assert annotations == {
        "azure.workload.identity/client-id": GUID,
        "azure.workload.identity/tenant-id": GUID,
    }
    metadata = found["Deployment", "helper"]["spec"]["template"]["metadata"]
    assert metadata["labels"]["azure.workload.identity/use"] == "true"
    assert metadata["annotations"] == {"azure.workload.identity/service-account-token-expiration": "7200"}
    assert "azure.workload.identity/use" not in str(objects()["Deployment", "helper"])


def test_the_number_of_pods_is_that_of_one() -> None:
    assert objects()["Deployment", "helper"]["spec"]["replicas"] == 1
    assert "replicas" not in objects(autoscaling=SCALING)["Deployment", "helper"]["spec"]
    assert objects(autoscaling=SCALING)["HorizontalPodAutoscaler", "helper"]["spec"]["maxReplicas"] == 4


@pytest.mark.parametrize(
    ("options", "bound"),
    [
        ({}, None),
        ({"replicas": 2}, {"maxUnavailable": 1}),
        ({"autoscaling": SCALING}, {"maxUnavailable": 1}),
        ({"replicas": 3, "disruption_budget": {"min_available": 2}}, {"minAvailable": 2}),
        ({"replicas": 3, "disruption_budget": {"max_unavailable": 2}}, {"maxUnavailable": 2}),
    ],
)
def test_a_budget_lets_nodes_be_emptied(options: dict[str, Any], bound: dict[str, int] | None) -> None:
    found = objects(**options).get(("PodDisruptionBudget", "helper"))
    assert (found is None) == (bound is None)
    if found is not None and bound is not None:
        spec = found["spec"]
        assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert {name: spec[name] for name in ("minAvailable", "maxUnavailable") if name in spec} == bound


def test_who_calls_and_who_is_called() -> None:
    policy = objects(
        callers=[{"namespace": "gateway", "pod_labels": {"app": "envoy"}}],
        calls=[{"namespace": "mcp", "ports": [3000]}, {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"], "ports": [443]}],
        metrics_port=9090,
        monitoring={"group": "azmonitoring.coreos.com", "scrapers": [{"namespace": "kube-system"}]},
    )["NetworkPolicy", "helper"]["spec"]
    inside, api_server, scraper = policy["ingress"]
    assert inside == {
        "from": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}},
                "podSelector": {"matchLabels": {"app": "envoy"}},
            }
        ],
        "ports": [{"port": 8000, "protocol": "TCP"}],
    }
    assert api_server["ports"] == [{"port": 8000, "protocol": "TCP"}]
    assert scraper["ports"] == [{"port": 9090, "protocol": "TCP"}]
    names, tools, model = policy["egress"]
    assert {(one["port"], one["protocol"]) for one in names["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert tools["ports"] == [{"port": 3000, "protocol": "TCP"}]
    assert model["to"] == [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]
    assert ("NetworkPolicy", "helper") not in objects(network_policy=False)


@pytest.mark.parametrize("group", ["monitoring.coreos.com", "azmonitoring.coreos.com"])
def test_a_monitor_is_of_the_group_that_is_chosen(group: str) -> None:
    found = objects(monitoring={"group": group, "labels": {"release": "prometheus"}}, metrics_port=9090)
    monitor = found["ServiceMonitor", "helper"]
    assert monitor["apiVersion"] == f"{group}/v1"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert (
        monitor["spec"]["selector"]["matchLabels"].items() <= found["Service", "helper"]["metadata"]["labels"].items()
    )
    [endpoint] = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {one["name"] for one in found["Service", "helper"]["spec"]["ports"]}


def test_where_pods_may_run() -> None:
    spec = pod(
        replicas=2, spot=True, priority_class="high", node_selector={"pool": "agents"}, tolerations=[{"key": "a"}]
    )
    assert [one.get("key") for one in spec["tolerations"]] == ["a", "kubernetes.azure.com/scalesetpriority"]
    assert spec["priorityClassName"] == "high"
    assert spec["nodeSelector"] == {"pool": "agents"}
    spread = {one["topologyKey"] for one in spec["topologySpreadConstraints"]}
    assert spread == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert "topologySpreadConstraints" not in pod(replicas=2, affinity={"podAntiAffinity": {}})


def test_a_pod_that_goes_finishes_its_longest_request() -> None:
    assert pod()["terminationGracePeriodSeconds"] == 310
    assert pod(request_timeout=900)["terminationGracePeriodSeconds"] == 910
    assert container()["lifecycle"] == {"preStop": {"sleep": {"seconds": 10}}}


def test_names_proxies_and_authorities() -> None:
    spec = pod(dns={"policy": "None", "nameservers": ["10.0.0.9"], "options": {"ndots": 2, "edns0": None}})
    assert spec["dnsPolicy"] == "None"
    assert spec["dnsConfig"] == {
        "nameservers": ["10.0.0.9"],
        "options": [{"name": "edns0"}, {"name": "ndots", "value": "2"}],
    }
    found = env(proxy={"https": "http://proxy:3128", "no_proxy": ["a.test"]}, ca={"config_map": "roots"})
    assert found["HTTPS_PROXY"] == found["https_proxy"] == "http://proxy:3128"
    assert "HTTP_PROXY" not in found
    assert found["NO_PROXY"].split(",")[-1] == "a.test" and ".svc" in found["NO_PROXY"].split(",")
    assert found["SSL_CERT_FILE"] == "/etc/mcpops/ca/ca.crt"
    assert mounts(ca={"config_map": "roots"})["/etc/mcpops/ca"] == "ca"


def test_writable_directories_and_what_else_a_pod_may_have() -> None:
    spec = pod(writable=["/home/app/.cache"], writable_size="1Gi", image_pull_secrets=["acr"], run_as_user=1234)
    assert [one["emptyDir"]["sizeLimit"] for one in spec["volumes"]] == ["1Gi", "1Gi"]
    assert spec["imagePullSecrets"] == [{"name": "acr"}]
    assert spec["securityContext"]["fsGroup"] == 1234
    assert mounts(writable=["/home/app/.cache"])["/home/app/.cache"] == "writable-1"


def test_the_address_of_health_is_remembered_where_it_is_another_one() -> None:
    service = objects(health_path="/deep", service_annotations={"a": 1})["Service", "helper"]
    assert service["metadata"]["annotations"] == {"a": "1", "mcpops.io/health-path": "/deep"}
    assert "annotations" not in objects()["Service", "helper"]["metadata"]


def test_what_is_not_declared_is_looked_for() -> None:
    agent = declared()
    left = undeclared_children(agent, workload_objects(agent))
    assert set(left) == set(CHILDREN) - {
        ("ServiceAccount", ""),
        ("Service", ""),
        ("Deployment", ""),
        ("NetworkPolicy", ""),
    }
