# SPDX-License-Identifier: GPL-3.0-or-later
"""Every field of an MCPServer on the real definition and controller: made, left alone, repaired, removed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import mcpserver_schema

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("kmcp")]

CRD = "mcpservers.kagent.dev"
CLIENT = "01234567-89ab-4cde-8f01-23456789abcd"
TENANT = "89abcdef-0123-4cde-9f01-0123456789ab"
LEAST_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
CHILDREN = "deployment,service,configmap,serviceaccount,networkpolicy"


def test_the_schema_that_unit_tests_hold_options_against_is_that_of_the_chart(cluster: Any) -> None:
    definition = cluster.get("crd", CRD)
    [version] = definition["spec"]["versions"]
    served = mcpserver_schema.without_descriptions(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    assert served == mcpserver_schema.schema()


def full(registry: str) -> dict[str, Any]:
    """Every option that a server which speaks HTTP can have, with values that make its pod run."""
    image = f"{registry}/echo-mcp:1.0.0"
    return {
        "name": "full",
        "image": image,
        "image_pull_policy": "Always",
        "port": 3100,
        "path": "/mcp",
        "tls": {"secret_ref": "client-cert", "insecure_skip_verify": False},
        "command": "python",
        "args": ["/app/server.py"],
        "env": {"PORT": 3100, "DEBUG": True, "EMPTY": None},
        "secret_refs": ["keys"],
        "config_map_refs": ["settings"],
        "labels": {"team": "tools", "tier": 1},
        "annotations": {"example.com/note": "any text, é 💎"},
        "server_labels": {"owner": "platform"},
        "server_annotations": {"example.com/ticket": 4711},
        "replicas": 1,
        "stateless": False,
        "resources": {"limits": {"cpu": 1, "memory": "256Mi"}, "requests": {"cpu": "0.05", "memory": "64Mi"}},
        "security_context": {"readOnlyRootFilesystem": True, "runAsUser": 1000},
        "pod_security_context": {"fsGroup": 1000},
        "service_account": {"annotations": {"example.com/purpose": "echo"}, "labels": {"team": "tools"}},
        "workload_identity": {"client_id": CLIENT, "tenant_id": TENANT},
        "image_pull_secrets": ["nobody"],
        "node_selector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 50,
                        "podAffinityTerm": {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {"matchLabels": {"team": "tools"}},
                        },
                    }
                ]
            }
        },
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}}],
        "volume_mounts": [{"name": "scratch", "mountPath": "/tmp"}],
        "sidecars": [
            {
                "name": "sleeper",
                "image": image,
                "command": ["python", "-c", "import time; time.sleep(100000)"],
                "env": [{"name": "LEVEL", "value": "info"}],
                "ports": [{"containerPort": 9001, "protocol": "UDP"}, {"containerPort": 9001}],
                "securityContext": LEAST_SECURITY,
            }
        ],
        "init_container": {"imagePullPolicy": "IfNotPresent"},
        "timeout": "45s",
        "callers": [{"namespace": "agents", "pod_labels": {"app": "triage"}}, {"cidr": "10.0.0.0/8"}],
        "allow_api_server": True,
        "roll_on_config_change": True,
        "spec": {"deployment": {"resources": {"limits": {"ephemeral-storage": "1Gi"}}}},
    }


def prepared(cluster: Any, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "create", "secret", "generic", "keys", "--from-literal=API_KEY=hunter2-hunter2")
    cluster.kubectl("-n", namespace, "create", "configmap", "settings", "--from-literal=a=1")


def shown(result: dict[str, Any]) -> str:
    return "".join(part["before"] + part["after"] for part in result["diff"])


def test_a_server_with_every_field_from_nothing_to_gone(
    run_task: Any, cloud: Any, cluster: Any, namespace: str
) -> None:
    prepared(cluster, namespace)
    declared = {**full(cloud.registry), "namespace": namespace, "wait_timeout": 120}

    planned = run_task("mcp_server", declared, check=True)
    assert planned["changed"]
    assert "mcp-bundle" not in shown(planned)
    assert 'kind: "NetworkPolicy"' in shown(planned)
    assert cluster.get(CRD, "-n", namespace)["items"] == []

    made = run_task("mcp_server", declared)
    assert made["servers"][0]["ready_replicas"] == 1
    live = cluster.get(CRD, "full", "-n", namespace)
    existing = {**live["spec"], **live["spec"].pop("deployment"), **live["spec"]["httpTransport"]}
    unset = {"deployment", "httpTransport", "stdioTransport", "serviceAccountName"}
    fields = mcpserver_schema.schema()["properties"]
    wanted = {*fields, *fields["deployment"]["properties"], *fields["httpTransport"]["properties"]} - unset
    assert wanted - set(existing) == set()
    template = cluster.get("deployment", "full", "-n", namespace)["spec"]["template"]
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    account = cluster.get("serviceaccount", "full", "-n", namespace)["metadata"]
    assert account["annotations"]["azure.workload.identity/client-id"] == CLIENT
    assert account["annotations"]["azure.workload.identity/tenant-id"] == TENANT

    for check in (True, False):
        again = run_task("mcp_server", declared, check=check)
        assert not again["changed"], shown(again)
        assert again["diff"] == []

    _edited(cluster, namespace)
    drifted = shown(run_task("mcp_server", declared, check=True))
    container = "Deployment.spec.template.spec.containers"
    for line in (
        "spec.timeout",
        f"{container}[sleeper].ports[9001,UDP].protocol",
        f"{container}[mcp-server].securityContext.readOnlyRootFilesystem",
        "Deployment.spec.template.spec.tolerations",
        'ServiceAccount.metadata.annotations."azure.workload.identity/client-id"',
        "spec.ingress",
    ):
        assert line in drifted, line
    assert run_task("mcp_server", declared)["changed"]
    assert not run_task("mcp_server", declared)["changed"]
    peers = cluster.get("networkpolicy", "full-callers", "-n", namespace)["spec"]["ingress"]
    assert len(peers) == 3

    assert run_task("mcp_server", {**declared, "state": "absent"}, check=True)["changed"]
    assert run_task("mcp_server", {**declared, "state": "absent"})["changed"]
    left = [item["metadata"]["name"] for item in cluster.get(CHILDREN, "-n", namespace)["items"]]
    assert [name for name in left if name.startswith("full")] == []
    assert not run_task("mcp_server", {**declared, "state": "absent"})["changed"]


def _edited(cluster: Any, namespace: str) -> None:
    """As people edit: a field of the server, fields of what KMCP has made, and the policy opened for everybody."""
    cluster.kubectl("-n", namespace, "wait", f"{CRD}/full", "--for=condition=Ready", "--timeout=60s")
    patch = ("-n", namespace, "patch", "--type=merge", "-p")
    cluster.kubectl(*patch, json.dumps({"spec": {"timeout": "99s"}}), CRD, "full")
    # what is edited before the controller has seen this, it would put right by itself
    generation = cluster.get(CRD, "full", "-n", namespace)["metadata"]["generation"]
    seen = f"--for=jsonpath={{.status.observedGeneration}}={generation}"
    cluster.kubectl("-n", namespace, "wait", f"{CRD}/full", seen, "--timeout=60s")
    deployment = cluster.get("deployment", "full", "-n", namespace)
    pod = deployment["spec"]["template"]["spec"]
    main, sleeper = pod["containers"]
    del sleeper["ports"][0], pod["tolerations"]
    main["securityContext"]["readOnlyRootFilesystem"] = False
    cluster.kubectl("-n", namespace, "replace", "-f", "-", stdin=json.dumps(deployment))
    removed = {"metadata": {"annotations": {"azure.workload.identity/client-id": None}}}
    cluster.kubectl(*patch, json.dumps(removed), "serviceaccount", "full")
    cluster.kubectl(*patch, json.dumps({"spec": {"ingress": [{}]}}), "networkpolicy", "full-callers")


def test_a_field_that_is_declared_no_more_goes_and_so_does_the_policy(
    run_task: Any, cloud: Any, cluster: Any, namespace: str
) -> None:
    declared = {"name": "echo", "namespace": namespace, "image": f"{cloud.registry}/echo-mcp:1.0.0", "wait": False}
    run_task("mcp_server", {**declared, "tls": {"secret_ref": "cert"}, "callers": []})
    policy = cluster.get("networkpolicy", "echo-callers", "-n", namespace)
    assert len(policy["spec"]["ingress"]) == 1
    planned = run_task("mcp_server", declared, check=True)
    assert "NetworkPolicy" in shown(planned)
    assert "tls" in shown(planned)
    assert run_task("mcp_server", declared)["changed"]
    assert cluster.get("networkpolicy", "-n", namespace)["items"] == []
    assert "tls" not in cluster.get(CRD, "echo", "-n", namespace)["spec"]["httpTransport"]
    assert not run_task("mcp_server", declared, check=True)["changed"]


def test_a_stdio_server_has_every_field_that_it_can_have(
    run_task: Any, cloud: Any, cluster: Any, namespace: str
) -> None:
    """The API's part alone: whether one runs is another test's matter."""
    prepared(cluster, namespace)
    http_only = ("tls", "port", "command", "args", "stateless")
    options = {key: value for key, value in full(cloud.registry).items() if key not in http_only}
    declared = {
        **options,
        "namespace": namespace,
        "transport": "stdio",
        "command": "uvx",
        "args": ["a==1"],
        "wait": False,
    }
    declared["env"] = {**options["env"], "HOME": "/tmp"}
    declared["init_container"] = {
        "image": f"{cloud.registry}/no-adapter:1.0.0",
        "imagePullPolicy": "Never",
        "resources": {"limits": {"cpu": "100m"}},
        "securityContext": LEAST_SECURITY,
    }
    assert run_task("mcp_server", declared, check=True)["changed"]
    assert run_task("mcp_server", declared)["changed"]
    spec = cluster.get(CRD, "full", "-n", namespace)["spec"]
    assert spec["deployment"]["initContainer"] == declared["init_container"]
    assert spec["deployment"]["port"] == 3000
    assert not run_task("mcp_server", declared, check=True)["changed"]
    assert run_task("mcp_server", {**declared, "state": "absent"})["changed"]


def test_a_variable_that_a_secret_sets_too_is_refused_before_anything_is_written(
    run_task: Any, cloud: Any, cluster: Any, namespace: str
) -> None:
    prepared(cluster, namespace)
    declared = {"name": "echo", "namespace": namespace, "image": f"{cloud.registry}/echo-mcp:1.0.0"}
    declared |= {"env": {"API_KEY": "another-one"}, "secret_refs": ["keys"]}
    for check in (True, False):
        refused = run_task("mcp_server", declared, check=check, fails=True)
        assert "env.API_KEY" in refused["msg"]
        assert "hunter2" not in json.dumps(refused)
    assert cluster.get(CRD, "-n", namespace)["items"] == []


def test_a_policy_of_somebody_else_is_not_taken_over(run_task: Any, cloud: Any, cluster: Any, namespace: str) -> None:
    theirs = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "echo-callers"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    cluster.kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(theirs))
    declared = {"name": "echo", "namespace": namespace, "image": f"{cloud.registry}/echo-mcp:1.0.0", "wait": False}
    refused = run_task("mcp_server", {**declared, "callers": []}, fails=True)
    assert "NetworkPolicy/echo-callers" in refused["msg"]
    assert run_task("mcp_server", declared)["changed"]
    assert run_task("mcp_server", {**declared, "state": "absent"})["changed"]
    assert cluster.get("networkpolicy", "echo-callers", "-n", namespace)["spec"]["podSelector"] == {}


# what the definition of MCPServer takes and Kubernetes refuses in the Deployment → words of the refusal
REFUSED_PODS: dict[str, tuple[dict[str, Any], str]] = {
    "operator of a toleration": ({"tolerations": [{"key": "gpu", "operator": "exists"}]}, "tolerations[0].operator"),
    "name of a volume": (
        {"volumes": [{"name": "A_b", "emptyDir": {}}], "volume_mounts": [{"name": "A_b", "mountPath": "/a"}]},
        "volumes[1].name",
    ),
    "sidecar without an image": ({"sidecars": [{"name": "sleeper"}]}, "containers[1].image"),
    "user below 0": ({"security_context": {"runAsUser": -1}}, "runAsUser"),
}


@pytest.mark.parametrize(("options", "words"), REFUSED_PODS.values(), ids=REFUSED_PODS)
def test_what_kubernetes_would_refuse_of_the_pods_is_told_before_the_server_is_written(
    run_task: Any, cloud: Any, cluster: Any, namespace: str, options: dict[str, Any], words: str
) -> None:
    declared = {"name": "echo", "namespace": namespace, "image": f"{cloud.registry}/echo-mcp:1.0.0", **options}
    for check in (True, False):
        refused = run_task("mcp_server", declared, check=check, fails=True)
        assert "Kubernetes would refuse the Deployment that KMCP makes of it" in refused["msg"]
        assert words in refused["msg"]
    assert cluster.get(CRD, "-n", namespace)["items"] == []
