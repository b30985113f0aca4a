# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_objects against a real API server: from nothing to there, unchanged, drifted, repaired and gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.workloads import box_definition

from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import Object

TaskRunner = Callable[..., dict[str, Any]]


def config_map(name: str = "settings", **values: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": values or {"mode": "fast"}}


def deployment(registry: str, *, env: tuple[str, ...] = ("ONE",), replicas: int = 0) -> Object:
    container = {
        "name": "main",
        "image": f"{registry}/echo-mcp:1.0.0",
        "ports": [{"containerPort": 3000}],
        "env": [{"name": name, "value": "x"} for name in env],
        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        },
    }


def after(result: dict[str, Any]) -> str:
    return "".join(part["after"] for part in result["diff"])


def before(result: dict[str, Any]) -> str:
    return "".join(part["before"] for part in result["diff"])


def test_check_apply_repeat_drift_repair_absent(run_task: TaskRunner, cluster: Any, namespace: str) -> None:
    args = {"namespace": namespace, "force_conflicts": True, "definitions": [config_map(mode="fast", size="2")]}

    would = run_task("k8s_objects", args, check=True)
    assert would["changed"]
    assert 'data.mode: "fast"' in after(would)
    assert not cluster.get("configmap", "-n", namespace, "--field-selector=metadata.name=settings")["items"]

    assert run_task("k8s_objects", args)["changed"]
    again = run_task("k8s_objects", args)
    assert not again["changed"]
    assert again["diff"] == []

    cluster.kubectl("patch", "configmap", "settings", "-n", namespace, "--type=merge", "-p", '{"data":{"mode":"slow"}}')
    shown = run_task("k8s_objects", args, check=True)
    assert shown["changed"]
    assert 'data.mode: "slow"' in before(shown)
    assert "set by kubectl" in before(shown)
    assert cluster.get("configmap", "settings", "-n", namespace)["data"]["mode"] == "slow"

    assert run_task("k8s_objects", args)["changed"]
    assert cluster.get("configmap", "settings", "-n", namespace)["data"] == {"mode": "fast", "size": "2"}

    gone = {**args, "state": "absent"}
    assert run_task("k8s_objects", gone, check=True)["changed"]
    assert cluster.get("configmap", "settings", "-n", namespace)
    assert run_task("k8s_objects", gone)["changed"]
    assert not run_task("k8s_objects", gone)["changed"]


def test_a_conflict_names_field_and_manager(run_task: TaskRunner, cluster: Any, namespace: str) -> None:
    args = {"namespace": namespace, "definitions": [config_map(mode="fast")]}
    run_task("k8s_objects", args)
    cluster.kubectl("patch", "configmap", "settings", "-n", namespace, "--type=merge", "-p", '{"data":{"mode":"slow"}}')
    for check in (True, False):
        refused = run_task("k8s_objects", args, fails=True, check=check)
        assert ".data.mode belongs to kubectl-patch" in refused["msg"]
        assert "force_conflicts" in refused["msg"]


def test_what_leaves_the_declaration_leaves_the_object(
    run_task: TaskRunner, cluster: Any, cloud: Any, namespace: str
) -> None:
    args = {"namespace": namespace}
    run_task("k8s_objects", {**args, "definitions": [deployment(cloud.registry, env=("ONE", "TWO"))]})
    fewer = {**args, "definitions": [deployment(cloud.registry, env=("TWO",))]}
    shown = run_task("k8s_objects", fewer, check=True)
    assert "spec.template.spec.containers[main].env[ONE]" in before(shown)
    assert run_task("k8s_objects", fewer)["changed"]
    live = cluster.get("deployment", "web", "-n", namespace)
    assert [entry["name"] for entry in live["spec"]["template"]["spec"]["containers"][0]["env"]] == ["TWO"]
    # quantities in another form and zero values that the API does not store are no change
    assert not run_task("k8s_objects", fewer)["changed"]


def test_exclusive_removes_what_others_wrote(run_task: TaskRunner, cluster: Any, cloud: Any, namespace: str) -> None:
    definitions = [config_map(mode="fast"), deployment(cloud.registry)]
    args = {"namespace": namespace, "exclusive": True, "definitions": definitions}
    run_task("k8s_objects", args)
    cluster.kubectl("patch", "configmap", "settings", "-n", namespace, "--type=merge", "-p", '{"data":{"extra":"1"}}')
    cluster.kubectl("set", "env", "deployment/web", "-n", namespace, "EXTRA=1")
    cluster.kubectl("label", "configmap", "settings", "-n", namespace, "team=them")

    assert not run_task("k8s_objects", {**args, "exclusive": False})["changed"]
    shown = run_task("k8s_objects", args, check=True)
    assert 'data.extra: "1"  # set by kubectl-patch' in before(shown)
    assert "env[EXTRA]" in before(shown)
    assert "kubectl-set" in before(shown)
    assert run_task("k8s_objects", args)["changed"]
    assert not run_task("k8s_objects", args)["changed"]
    live = cluster.get("configmap", "settings", "-n", namespace)
    assert live["data"] == {"mode": "fast"}
    assert live["metadata"]["labels"] == {"team": "them"}


@pytest.mark.slow
def test_a_changed_port_number_is_restored(run_task: TaskRunner, cluster: Any, namespace: str) -> None:
    """Another port of the same name: it can neither stand beside the declared one nor go before it."""
    ports = [{"name": "http", "port": 80, "targetPort": 3000}]
    spec = {"selector": {"app": "web"}, "ports": ports}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}
    args = {"namespace": namespace, "exclusive": True, "definitions": [service]}
    run_task("k8s_objects", args)
    address = cluster.get("service", "web", "-n", namespace)["spec"]["clusterIP"]
    changed = '[{"op":"replace","path":"/spec/ports/0/port","value":81}]'
    cluster.kubectl("patch", "service", "web", "-n", namespace, "--type=json", "-p", changed)

    shown = run_task("k8s_objects", args, check=True)
    assert "spec.ports[81,TCP].port: 81" in before(shown)
    assert "spec.ports[80,TCP].port: 80" in after(shown)
    repaired = run_task("k8s_objects", args)
    assert repaired["diff"] == shown["diff"]
    assert not repaired.get("notes")
    live = cluster.get("service", "web", "-n", namespace)
    assert [port["port"] for port in live["spec"]["ports"]] == [80]
    assert live["spec"]["clusterIP"] == address
    assert not run_task("k8s_objects", args)["changed"]

    # what was written in one piece goes like any other item once it is declared no more
    other = {**service, "spec": {**spec, "ports": [{"name": "other", "port": 90}]}}
    assert run_task("k8s_objects", {**args, "definitions": [other]})["changed"]
    live = cluster.get("service", "web", "-n", namespace)
    assert [port["port"] for port in live["spec"]["ports"]] == [90]
    assert not run_task("k8s_objects", {**args, "definitions": [other]})["changed"]


def test_definitions_and_their_objects_in_one_bundle(run_task: TaskRunner, cluster: Any, namespace: str) -> None:
    group = f"{namespace[-6:]}.example.com"
    box = {"apiVersion": f"{group}/v1", "kind": "Box", "metadata": {"name": "one"}, "spec": {"size": 1}}
    args = {"namespace": namespace, "definitions": [box, box_definition(group)]}
    would = run_task("k8s_objects", args, check=True)
    assert would["changed"]
    assert any("depends on the CustomResourceDefinition" in note for note in would["notes"])
    assert run_task("k8s_objects", args)["changed"]
    assert not run_task("k8s_objects", args)["changed"]
    assert cluster.get(f"boxes.{group}", "one", "-n", namespace)["spec"] == {"size": 1}
    gone = run_task("k8s_objects", {**args, "state": "absent", "wait": True})
    assert [row["changed"] for row in gone["objects"]] == [True, True]


def test_check_mode_from_nothing(run_task: TaskRunner, tmp_path: Any) -> None:
    args = {"definitions": [{**config_map(), "metadata": {"name": "settings", "namespace": "not-there-yet"}}]}
    missing = run_task("k8s_objects", {**args, "kubeconfig": str(tmp_path / "none")}, check=True)
    assert missing["changed"]
    assert "does not exist yet" in missing["notes"][0]
    refused = run_task("k8s_objects", {**args, "kubeconfig": str(tmp_path / "none")}, fails=True)
    assert "write it with aks_kubeconfig" in refused["msg"]


def test_a_namespace_or_a_kind_that_is_not_there_yet(run_task: TaskRunner, cluster: Any) -> None:
    lost = {**config_map(), "metadata": {"name": "settings", "namespace": "not-there-yet"}}
    custom = {"apiVersion": "no.example.com/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "default"}}
    would = run_task("k8s_objects", {"definitions": [lost, custom]}, check=True)
    assert [row["changed"] for row in would["objects"]] == [True, True]
    assert "depends on the namespace not-there-yet" in would["notes"][0]
    assert "depends on the CustomResourceDefinition of Thing" in would["notes"][1]
    refused = run_task("k8s_objects", {"definitions": [lost]}, fails=True)
    assert 'namespaces "not-there-yet" not found' in refused["msg"]
    unknown = run_task("k8s_objects", {"definitions": [custom]}, fails=True)
    assert "no kind Thing in no.example.com/v1: install its CustomResourceDefinition first" in unknown["msg"]


def test_absent_is_not_said_of_a_kind_that_is_written_wrongly(
    run_task: TaskRunner, cloud: Any, cluster: Any, namespace: str
) -> None:
    args = {"namespace": namespace, "state": "absent"}
    web = deployment(cloud.registry)
    run_task("k8s_objects", {"namespace": namespace, "definitions": [web]})
    wrong = [{**web, "apiVersion": "v1"}, {**web, "apiVersion": "app/v1"}, {**config_map(), "kind": "ConfigMapz"}]
    for check in (True, False):
        refused = run_task("k8s_objects", {**args, "definitions": wrong}, check=check, fails=True)
        assert "3 problems, nothing was changed" in refused["msg"]
        for api_version in ("v1", "app/v1"):
            assert f"no kind Deployment in {api_version}; it has apps/v1 Deployment: write it so" in refused["msg"]
        assert "no kind ConfigMapz in v1, and none of that name elsewhere: check the spelling" in refused["msg"]
    assert cluster.get("deployment", "web", "-n", namespace)

    thing = {"apiVersion": "no.example.com/v1", "kind": "Thing", "metadata": {"name": "a"}}
    done = run_task("k8s_objects", {**args, "definitions": [thing, web]})
    assert [row["changed"] for row in done["objects"]] == [False, True]
    (note,) = done["notes"]
    assert note.startswith("no.example.com/v1 Thing is not installed in this cluster, so there is none: check the")


def test_one_failure_does_not_keep_the_others(run_task: TaskRunner, cluster: Any, namespace: str) -> None:
    wrong = {**config_map("wrong"), "binaryData": {"port": 80}}
    nameless = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"type": "Nope"}}
    args = {"namespace": namespace, "definitions": [wrong, config_map("right"), nameless]}
    failed = run_task("k8s_objects", args, fails=True)
    assert failed["changed"]
    assert [row["changed"] for row in failed["objects"]] == [False, True, False]
    assert "2 of 3 objects failed" in failed["msg"]
    assert "expected string, got 80" in failed["msg"]
    assert 'Unsupported value: "Nope"' in failed["msg"]
    assert cluster.get("configmap", "right", "-n", namespace)


@pytest.mark.parametrize("check", [True, False], ids=["check", "apply"])
def test_secret_values_are_in_no_result(run_task: TaskRunner, cluster: Any, namespace: str, check: bool) -> None:
    canary = "canary-8d1f"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": canary}}
    result = run_task("k8s_objects", {"namespace": namespace, "definitions": [secret]}, check=check)
    assert result["changed"]
    assert canary not in str({key: value for key, value in result.items() if key != "invocation"})
    assert "data.password: ********" in after(result)


def test_many_objects_are_read_by_one_list(run_task: TaskRunner, cluster: Any, namespace: str) -> None:
    args = {"namespace": namespace, "definitions": [config_map(f"many-{number}") for number in range(30)]}
    assert run_task("k8s_objects", args)["changed"]
    cluster.kubectl("delete", "configmap", "many-7", "-n", namespace)
    shown = run_task("k8s_objects", args, check=True)
    assert [row["name"] for row in shown["objects"] if row["changed"]] == ["many-7"]
    assert run_task("k8s_objects", args)["msg"].startswith(f"ConfigMap {namespace}/many-7")


def test_yaml_text_and_files(run_task: TaskRunner, cluster: Any, namespace: str, tmp_path: Any) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n"
    text = "---\n".join([manifest.format("a"), manifest.format("b")])
    (tmp_path / "more.yaml").write_text(manifest.format("c"))
    result = run_task("k8s_objects", {"namespace": namespace, "definitions": text, "src": str(tmp_path)})
    assert [row["name"] for row in result["objects"]] == ["a", "b", "c"]
    (tmp_path / "broken.yaml").write_text("a: [")
    refused = run_task("k8s_objects", {"definitions": [{"kind": "X"}], "src": str(tmp_path)}, fails=True)
    assert "broken.yaml line 2: is not YAML" in refused["msg"]
    assert "apiVersion is missing" in refused["msg"]


def test_a_namespace_that_is_being_deleted_is_made_anew(run_task: TaskRunner, cluster: Any) -> None:
    name = "it-deleted-and-made-anew"
    args = {"definitions": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}], "wait": True}
    try:
        run_task("k8s_objects", args)
        before = cluster.get("namespace", name)["metadata"]["uid"]
        cluster.kubectl("delete", "namespace", name, "--wait=false")
        assert run_task("k8s_objects", args)["changed"]
        after = cluster.get("namespace", name)
        assert after["metadata"]["uid"] != before
        assert after["status"]["phase"] == "Active"
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
