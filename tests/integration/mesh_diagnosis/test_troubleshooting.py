# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a mesh, each fault caused for real and found: the troubleshooting chapters of its guide."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from support import mesh
from support.playbook import CHECKOUT, LOCAL_HOST, run_playbook

pytestmark = [pytest.mark.integration, pytest.mark.slow]

KEY = "opaque-Wq62-58201934"


def findings(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{one['object']['name']} {one['code']}": one for one in result["findings"]}


def await_findings(look: Any, wanted: set[str], seconds: float) -> dict[str, dict[str, Any]]:
    """What is found once it holds all that is wanted."""
    seen: list[dict[str, dict[str, Any]]] = []

    def complete() -> bool:
        seen.append(findings(look()))
        return wanted <= set(seen[-1])

    try:
        mesh.until(complete, seconds)
    except AssertionError:
        assert wanted - set(seen[-1]) == set(), sorted(seen[-1])
    return seen[-1]


def variables(workload: dict[str, Any], **values: str) -> None:
    """Other values of an agent's environment."""
    [container] = workload["spec"]["template"]["spec"]["containers"]
    container["env"] = [
        {"name": one["name"], "value": values.get(one["name"], one["value"])} for one in container["env"]
    ]


def agent(cloud: Any, namespace: str, name: str, **values: str) -> list[dict[str, Any]]:
    """The agent `dates` under another name, as a user would have written it."""
    text = (
        json.dumps(mesh.agent(cloud, namespace, "dates")).replace('"dates', f'"{name}').replace("/dates.", f"/{name}.")
    )
    made: list[dict[str, Any]] = json.loads(text)
    variables(made[1], **values)
    return made


def test_agents_that_do_not_start_or_are_set_wrongly(
    cloud: Any, cluster: Any, namespace: str, direct: Any, run_task: Any, mesh_images: None, tmp_path: Path
) -> None:
    registry = mesh.image(cloud, "mcpmesh/registry:3.7.1")
    runtime = mesh.image(cloud, "mcpmesh/python-runtime:3.8.0")
    sqlite = {"type": "sqlite", "size": "64Mi"}
    run_task("mesh_registry", {"namespace": namespace, "image": registry, "database": sqlite, "wait_timeout": 240})
    (tmp_path / "broken.py").write_text(f"print('api_key={KEY}')\nraise SystemExit('cannot open the ledger')\n")
    code = {"image": runtime, "script": "broken.py"}
    declared = [
        {
            "name": "hungry",
            **code,
            "resources": {"requests": {"cpu": "900", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
        },
        {"name": "classless", **code, "persistence": {"size": "64Mi", "storage_class": "no-such-class"}},
        {"name": "secretless", **code, "secret_env": {"API_KEY": {"name": "no-such-secret", "key": "api-key"}}},
        {"name": "configless", **code, "config_map_refs": ["no-such-config"]},
        {"name": "crashing", **code},
    ]
    run_task("mesh_agent", {"namespace": namespace, "code": str(tmp_path), "agents": declared, "wait": False})
    # by hand, as the guide has it: the host that is announced is the label of the pods, and the Service another one
    service = f"http://{mesh.REGISTRY_SERVICE}.{namespace}"
    renamed = agent(cloud, namespace, "renamed", MCP_MESH_HTTP_HOST=f"mcp-mesh-renamed.{namespace}")
    ported = agent(cloud, namespace, "ported", MCP_MESH_HTTP_PORT="9090")
    lost = agent(cloud, namespace, "lost", MCP_MESH_REGISTRY_URL=f"{service}:8080")
    claimless = agent(cloud, namespace, "claimless")
    [volume] = [one for one in claimless[1]["spec"]["template"]["spec"]["volumes"] if one["name"] == "code"]
    volume.pop("configMap")
    volume["persistentVolumeClaim"] = {"claimName": "no-such-claim"}
    for objects in (renamed, ported, lost, claimless):
        mesh.apply(cluster, objects)

    wanted = {
        "hungry Unschedulable",
        "classless Unbound",
        "claimless MissingObject",
        "secretless MissingObject",
        "configless MissingObject",
        "crashing CrashLoop",
        "renamed WrongEndpoint",
        "ported NotPassingProbes",
        "ported WrongEndpoint",
        "lost RegistryNotFound",
    }
    asked = {"namespaces": [namespace], "cluster_scope": False, "probe": True}
    found = await_findings(lambda: direct(asked), wanted, 200)
    assert "cpu" in found["hungry Unschedulable"]["summary"]
    assert "no-such-class" in found["classless Unbound"]["summary"]
    assert "no-such-claim" in found["claimless MissingObject"]["summary"]
    assert "no-such-secret" in found["secretless MissingObject"]["summary"]
    assert "no-such-config" in found["configless MissingObject"]["summary"]
    assert "its own is renamed" in found["renamed WrongEndpoint"]["summary"]
    assert "no port 8080, but 8000" in found["lost RegistryNotFound"]["summary"]
    log = [one["text"] for one in found["crashing CrashLoop"]["evidence"] if one["source"] == "log"]
    assert "cannot open the ledger" in log[0]
    assert KEY not in json.dumps(found)
    # the one that does reach the registry is there, whatever it announces
    assert "renamed AgentNotRegistered" not in found
    mesh.until(lambda: "lost AgentNotRegistered" not in findings(direct(asked)), 5)

    # one command, for a person and for a program
    hosts, report = tmp_path / "hosts.json", tmp_path / "found.json"
    host = {**LOCAL_HOST, "mcpops_kubeconfig": str(cluster.kubeconfig)}
    hosts.write_text(json.dumps({"all": {"children": {"clusters": {"hosts": {"one": host}}}}}), encoding="utf-8")
    options = {"diagnose_namespaces": namespace, "diagnose_report_file": str(report)}
    run = run_playbook(CHECKOUT / "playbooks/diagnose.yml", "-i", hosts, "-e", json.dumps(options))
    run.ok()
    assert f"ERROR WrongEndpoint: Deployment {namespace}/renamed" in run.output
    written = json.loads(report.read_text(encoding="utf-8"))
    assert wanted <= set(findings(written))
    assert KEY not in run.output + report.read_text(encoding="utf-8")


def test_a_registry_without_its_database_or_its_pods(
    cloud: Any, cluster: Any, namespace: str, direct: Any, run_task: Any, mesh_images: None
) -> None:
    database = {"image": mesh.image(cloud, "library/postgres:15"), "size": "64Mi"}
    task = {"namespace": namespace, "image": mesh.image(cloud, "mcpmesh/registry:3.7.1"), "database": database}
    run_task("mesh_registry", {**task, "wait_timeout": 240})
    asked = {"namespaces": [namespace], "cluster_scope": False, "probe": True}
    name = mesh.REGISTRY_SERVICE
    registry, stateful_set = f"deployment/{name}", f"statefulset/{name}-db"
    data = cluster.get("-n", namespace, "secret", f"{name}-database")["data"]
    down = {f"{name} RegistryDatabaseDown"}
    assert direct(asked)["findings"] == []

    # killed while the registry runs: its pod says so, though its Service leads to none that is ready
    cluster.kubectl("-n", namespace, "scale", stateful_set, "--replicas=0")
    found = await_findings(lambda: direct(asked), down, 60)
    [fault] = [found[one] for one in down]
    assert f"StatefulSet {namespace}/{name}-db is scaled to none" in json.dumps(fault)
    # and when it has ended since, what it wrote at its start does, without what it wrote of the password
    cluster.kubectl("-n", namespace, "rollout", "restart", registry)
    cluster.kubectl("-n", namespace, "delete", "pod", "-l", "app.kubernetes.io/component=registry", "--wait=false")
    mesh.until(lambda: "ends at its start" in json.dumps(findings(direct(asked)).get(*down, {})), 120)
    assert base64.b64decode(data["password"]).decode() not in json.dumps(direct(asked))

    run_task("mesh_registry", {**task, "wait_timeout": 300})
    cluster.kubectl("-n", namespace, "scale", registry, "--replicas=0")
    gone = await_findings(lambda: direct(asked), {f"{name} RegistryNotReady"}, 90)
    assert not down & set(gone)
    run_task("mesh_registry", {**task, "wait_timeout": 240})
    mesh.until(lambda: direct(asked)["findings"] == [], 60)


def test_names_that_nobody_resolves(cluster: Any, namespace: str, direct: Any) -> None:
    """DNS is the cluster's, so it is looked for there."""
    asked = {"namespaces": [namespace, "kube-system"], "cluster_scope": True}
    cluster.kubectl("-n", "kube-system", "scale", "deployment/coredns", "--replicas=0")
    try:
        mesh.until(lambda: "DnsDown" in [one["code"] for one in direct(asked)["findings"]], 60)
    finally:
        cluster.kubectl("-n", "kube-system", "scale", "deployment/coredns", "--replicas=1")
    mesh.until(lambda: "DnsDown" not in [one["code"] for one in direct(asked)["findings"]], 60)


def test_a_resource_that_nothing_acts_upon(cluster: Any, namespace: str, direct: Any, run_task: Any) -> None:
    names = {"plural": "mcpagents", "singular": "mcpagent", "kind": "MCPAgent", "listKind": "MCPAgentList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "mcpagents.mesh.mcp.io"},
        "spec": {
            "group": "mesh.mcp.io",
            "scope": "Namespaced",
            "names": names,
            "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": schema}],
        },
    }
    agent_resource = {
        "apiVersion": "mesh.mcp.io/v1alpha1",
        "kind": "MCPAgent",
        "metadata": {"name": "weather", "namespace": namespace},
        "spec": {"script": "print()", "replicas": 2},
    }
    task = {"definitions": [definition, agent_resource], "wait": True, "wait_timeout": 60}
    try:
        failed = run_task("k8s_objects", task, fails=True)
        assert [one["code"] for one in failed["error"]["reasons"]] == ["InertAgent"]
        assert "mesh_agent" in failed["msg"]
        run_task("k8s_objects", {**task, "wait": False})
        asked = {"namespaces": [namespace], "cluster_scope": False}
        assert [one["code"] for one in direct(asked)["findings"]] == ["InertAgent"]
    finally:
        cluster.kubectl("delete", "crd", "mcpagents.mesh.mcp.io", "--ignore-not-found", "--wait=false")


def test_what_the_official_charts_leave_behind(cloud: Any, cluster: Any, namespace: str, direct: Any) -> None:
    cluster.kubectl("annotate", "namespace", namespace, "meta.helm.sh/release-name=mcp-core")
    objects = mesh.registry(cloud, namespace)
    [container] = objects[0]["spec"]["template"]["spec"]["containers"]
    container["env"] = [one for one in container["env"] if one["name"] != "DATABASE_URL"]
    mesh.apply(cluster, objects)
    asked = {"namespaces": [namespace], "cluster_scope": True}
    traps = {f"{namespace} NamespaceOfRelease"}
    traps |= {f"{mesh.REGISTRY_SERVICE} {code}" for code in ("RegistryWithoutDatabase", "AdminExposed")}
    assert traps <= set(findings(direct(asked)))
    cluster.kubectl("annotate", "namespace", namespace, "helm.sh/resource-policy=keep")
    assert f"{namespace} NamespaceOfRelease" not in findings(direct(asked))
