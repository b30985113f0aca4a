# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP servers on the real controller, with real pods: made, left alone, repaired, explained, removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("kmcp")]

Apply = Callable[..., dict[str, Any]]
CHILDREN = "deployment,service,configmap,serviceaccount"


@pytest.fixture
def apply(run_task: Any, cloud: Any, namespace: str) -> Apply:
    """`apply(name, image, check=, ...options)` declares one server in this test's namespace."""

    def run(
        name: str = "echo", image: str = "echo-mcp:1.0.0", *, check: bool = False, fails: bool = False, **options: Any
    ) -> dict[str, Any]:
        declared = {"name": name, "namespace": namespace, "image": f"{cloud.registry}/{image}", "wait_timeout": 90}
        result: dict[str, Any] = run_task("mcp_server", {**declared, **options}, check=check, fails=fails)
        return result

    return run


def shown(result: dict[str, Any]) -> str:
    return "".join(part["before"] + part["after"] for part in result["diff"])


def left_alone(cluster: Any, namespace: str) -> None:
    """Until its condition Ready is true, the controller looks every ten seconds and repairs by itself; then never."""
    ready = ("mcpservers.kagent.dev/echo", "--for=condition=Ready", "--timeout=60s")
    cluster.kubectl("-n", namespace, "wait", *ready)


def test_a_server_from_nothing_to_gone(apply: Apply, cluster: Any, namespace: str) -> None:
    planned = apply(check=True)
    assert planned["changed"]
    assert 'kind: "MCPServer"' in shown(planned)
    assert cluster.get("mcpservers.kagent.dev", "-n", namespace)["items"] == []

    made = apply()
    assert made["changed"]
    assert made["servers"][0]["ready_replicas"] == 1
    # ready means ready: no pod may still be starting now
    [pod] = cluster.get("pods", "-n", namespace)["items"]
    assert pod["status"]["containerStatuses"][0]["ready"]

    for check in (True, False):
        again = apply(check=check)
        assert not again["changed"]
        assert again["diff"] == []

    left_alone(cluster, namespace)
    cluster.kubectl("-n", namespace, "delete", "service", "echo")
    cluster.kubectl("-n", namespace, "scale", "deployment", "echo", "--replicas=0")
    drifted = apply(check=True)
    assert drifted["changed"]
    assert "Deployment.spec.replicas: 0" in shown(drifted)
    assert "Service:" in shown(drifted)
    assert cluster.kubectl("-n", namespace, "get", "service", "echo", check=False) == ""

    repaired = apply()
    assert repaired["changed"]
    assert repaired["servers"][0]["ready_replicas"] == 1
    assert cluster.get("service", "echo", "-n", namespace)["spec"]["ports"][0]["port"] == 3000
    assert not apply()["changed"]

    assert apply(check=True, state="absent")["changed"]
    assert cluster.get("mcpservers.kagent.dev", "-n", namespace)["items"] != []
    assert apply(state="absent")["changed"]
    assert cluster.get("pods", "-n", namespace)["items"] == []
    left = [item["metadata"]["name"] for item in cluster.get(CHILDREN, "-n", namespace)["items"]]
    assert "echo" not in left
    assert not apply(state="absent")["changed"]


@pytest.mark.slow
def test_what_others_put_into_a_server_and_its_children_is_named_and_removed(
    apply: Apply, cluster: Any, namespace: str
) -> None:
    apply(env={"LOG_LEVEL": "info"})
    left_alone(cluster, namespace)

    def patch(kind: str, body: dict[str, Any]) -> None:
        cluster.kubectl("-n", namespace, "patch", kind, "echo", "--type=merge", "-p", json.dumps(body))

    cluster.kubectl("-n", namespace, "set", "env", "deployment/echo", "LOG_LEVEL=debug", "EXTRA=1")
    patch("service", {"spec": {"sessionAffinity": "ClientIP"}})
    patch("configmap", {"data": {"extra": "1"}})
    # edited to and fro: the value is KMCP's, the owner is not
    patch("deployment", {"spec": {"revisionHistoryLimit": 5}})
    patch("deployment", {"spec": {"revisionHistoryLimit": 10}})

    text = shown(apply(env={"LOG_LEVEL": "info"}, check=True))
    assert 'env[LOG_LEVEL].value: "debug"  # set by kubectl-set' in text
    assert 'env[EXTRA].value: "1"  # set by kubectl-set' in text
    assert 'Service.spec.sessionAffinity: "ClientIP"  # set by kubectl-patch' in text
    assert 'ConfigMap.data.extra: "1"  # set by kubectl-patch' in text

    assert apply(env={"LOG_LEVEL": "info"})["changed"]
    assert not apply(env={"LOG_LEVEL": "info"})["changed"]
    deployment = cluster.get("deployment", "echo", "-n", namespace)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "LOG_LEVEL", "value": "info"}]
    assert "extra" not in cluster.get("configmap", "echo", "-n", namespace)["data"]
    assert cluster.get("service", "echo", "-n", namespace)["spec"]["sessionAffinity"] == "None"

    patch("mcpservers.kagent.dev", {"spec": {"timeout": "99s"}})
    assert 'spec.timeout: "99s"  # set by kubectl-patch' in shown(apply(env={"LOG_LEVEL": "info"}))
    assert cluster.get("mcpservers.kagent.dev", "echo", "-n", namespace)["spec"]["timeout"] == "30s"
    assert not apply(env={"LOG_LEVEL": "info"})["changed"]


def replace(cluster: Any, namespace: str, kind: str, edit: Callable[[dict[str, Any]], Any]) -> None:
    """As somebody does it who edits a file and replaces the object: what is taken out has no owner any more."""
    existing = cluster.get(kind, "echo", "-n", namespace)
    edit(existing)
    cluster.kubectl("-n", namespace, "replace", "-f", "-", stdin=json.dumps(existing))


def test_a_security_context_that_was_taken_out_is_restored_before_pods_are_judged(
    apply: Apply, cluster: Any, namespace: str
) -> None:
    apply()
    left_alone(cluster, namespace)

    def insecure(deployment: dict[str, Any]) -> None:
        pod = deployment["spec"]["template"]["spec"]
        for part in (pod, *pod["containers"]):
            del part["securityContext"]

    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted", "--overwrite")
    replace(cluster, namespace, "deployment", insecure)
    cluster.kubectl("-n", namespace, "wait", "deployment/echo", "--for=condition=ReplicaFailure", "--timeout=30s")

    planned = apply(check=True)
    assert planned["changed"]
    pod = "Deployment.spec.template.spec"
    assert f"{pod}.securityContext.runAsNonRoot: true  # changed by another program" in shown(planned)
    assert f"{pod}.containers[mcp-server].securityContext.allowPrivilegeEscalation: false" in shown(planned)

    repaired = apply()
    assert repaired["changed"]
    assert repaired["servers"][0]["ready_replicas"] == 1
    spec = cluster.get("deployment", "echo", "-n", namespace)["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not apply()["changed"]


@pytest.mark.slow
def test_whatever_is_taken_out_of_what_kmcp_made_comes_back(apply: Apply, cluster: Any, namespace: str) -> None:
    options: dict[str, Any] = {
        "resources": {"limits": {"cpu": 1, "memory": "256Mi"}, "requests": {"cpu": "0.1"}},
        "config_map_refs": ["settings"],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}}],
        "volume_mounts": [{"name": "scratch", "mountPath": "/scratch"}],
        "labels": {"team": "tools"},
        "node_selector": {"kubernetes.io/os": "linux"},
        "image_pull_secrets": ["nobody"],
        "service_account": {"annotations": {"team": "tools"}},
    }
    cluster.kubectl("-n", namespace, "create", "configmap", "settings", "--from-literal=a=1")
    apply(**options)
    assert not apply(**options)["changed"]
    left_alone(cluster, namespace)
    made = cluster.get("deployment", "echo", "-n", namespace)["spec"]["template"]

    def bare(deployment: dict[str, Any]) -> None:
        template = deployment["spec"]["template"]
        for field in ("volumes", "nodeSelector", "imagePullSecrets", "securityContext"):
            del template["spec"][field]
        for field in ("volumeMounts", "resources", "securityContext"):
            del template["spec"]["containers"][0][field]
        del template["metadata"]["labels"]["team"]

    def tokenless(account: dict[str, Any]) -> None:
        account["automountServiceAccountToken"] = False
        del account["metadata"]["annotations"]

    replace(cluster, namespace, "deployment", bare)
    replace(cluster, namespace, "configmap", lambda found: found.pop("data"))
    replace(cluster, namespace, "serviceaccount", tokenless)
    # the name that the controller's own requests have
    body = {"spec": {"template": {"spec": {"containers": [{"name": "mcp-server", "imagePullPolicy": "Always"}]}}}}
    patch = ("patch", "deployment", "echo", "--field-manager=manager", "-p", json.dumps(body))
    cluster.kubectl("-n", namespace, *patch)

    text = shown(apply(**options, check=True))
    container = "Deployment.spec.template.spec.containers[mcp-server]"
    for line in (
        f'{container}.resources.limits.memory: "256Mi"  # changed by another program',
        f'{container}.volumeMounts[2].name: "scratch"  # changed by another program',
        f'{container}.imagePullPolicy: "Always"  # changed by another program',
        'Deployment.spec.template.spec.volumes[1].configMap.name: "settings"',
        'Deployment.spec.template.spec.imagePullSecrets[0].name: "nobody"',
        'ConfigMap.data."local.yaml": "(made by KMCP)"  # changed by another program',
        "ServiceAccount.automountServiceAccountToken: false  # set by kubectl-replace",
        'ServiceAccount.metadata.annotations.team: "tools"',
    ):
        assert line in text
    assert apply(**options)["changed"]
    assert not apply(**options)["changed"]
    assert cluster.get("deployment", "echo", "-n", namespace)["spec"]["template"] == made
    assert "automountServiceAccountToken" not in cluster.get("serviceaccount", "echo", "-n", namespace)


def test_an_autoscaler_is_nobodys_drift(apply: Apply, cluster: Any, namespace: str) -> None:
    apply()
    left_alone(cluster, namespace)
    # as the controller of HorizontalPodAutoscalers does it
    scale = cluster.kubectl("get", "--raw", f"/apis/apps/v1/namespaces/{namespace}/deployments/echo/scale")
    scaled = json.loads(scale) | {"spec": {"replicas": 2}}
    place = f"/apis/apps/v1/namespaces/{namespace}/deployments/echo/scale?fieldManager=kube-controller-manager"
    cluster.kubectl("replace", "--raw", place, "-f", "-", stdin=json.dumps(scaled))
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/echo", "--timeout=60s")
    for check in (True, False):
        again = apply(check=check)
        assert not again["changed"], shown(again)
        assert any("KMCP sets it back to 1" in note for note in again["notes"])
    assert cluster.get("deployment", "echo", "-n", namespace)["spec"]["replicas"] == 2


def test_an_option_that_is_declared_no_more_goes(apply: Apply, cluster: Any, namespace: str) -> None:
    apply(env={"A": "1", "B": "2"}, labels={"team": "tools"}, wait=False)
    changed = apply(env={"A": "1"}, wait=False)
    assert changed["changed"]
    spec = cluster.get("mcpservers.kagent.dev", "echo", "-n", namespace)["spec"]["deployment"]
    assert spec["env"] == {"A": "1"}
    assert "labels" not in spec


@pytest.mark.slow
def test_an_image_that_is_not_there_is_told_early_and_a_right_one_heals(
    apply: Apply, cluster: Any, namespace: str
) -> None:
    failed = apply(image="no-such-image:9.9.9", fails=True, wait_timeout=300)
    assert "will not become ready by waiting" in failed["msg"]
    assert "no-such-image:9.9.9 cannot be pulled" in failed["msg"]
    assert failed["error"]["reasons"][0]["code"] == "ImagePull"
    assert failed["changed"]
    # pods of the broken revision must not fail the one that replaces it
    assert apply()["servers"][0]["ready_replicas"] == 1


@pytest.mark.slow
def test_a_crash_loop_is_told_with_its_last_log_lines(apply: Apply) -> None:
    failed = apply("crash", "mcp-misbehaving:1.0.0", env={"MODE": "crash"}, fails=True, wait_timeout=25)
    assert "FATAL: the setting UPSTREAM_URL is missing" in failed["msg"]
    assert "exit code 3" in failed["msg"]


@pytest.mark.slow
def test_a_server_that_crashes_after_a_moment_is_not_called_ready(apply: Apply, cluster: Any, namespace: str) -> None:
    """Without probes its pod is ready whenever it happens to run."""
    # A shell, because an interpreter's own start takes longer than the moment on a busy machine.
    options = {"command": "sh", "args": ["-c", "echo about to fail; sleep 1; exit 7"]}
    failed = apply("moment", "mcp-misbehaving:1.0.0", fails=True, wait_timeout=20, **options)
    assert "about to fail" in failed["msg"]
    assert "exit code 7" in failed["msg"]


@pytest.mark.slow
def test_whether_the_controller_runs_is_asked_when_the_wait_has_failed_and_not_before(
    apply: Apply, run_all: Any, cloud: Any, cluster: Any, namespace: str
) -> None:
    declared = {"name": "echo", "namespace": namespace, "image": f"{cloud.registry}/echo-mcp:1.0.0", "wait_timeout": 2}
    controller = ("-n", "kmcp-system", "deployment/kmcp-controller-manager")
    cluster.kubectl("scale", *controller, "--replicas=0")
    try:
        cluster.kubectl("rollout", "status", *controller)
        run = run_all([{"mcpops.platform.mcp_server": declared}])
    finally:
        cluster.kubectl("scale", *controller, "--replicas=1")
        cluster.kubectl("rollout", "status", *controller)
    (progress,) = (line for line in run.output.splitlines() if "waiting for 1 of 1 MCP servers" in line)
    assert progress.endswith("the KMCP controller has not reconciled the latest change yet.")
    assert "Is the controller running? kmcp_install installs it." in run.last["msg"]
    assert "kmcp-system/kmcp-controller-manager has no available pod" in run.last["msg"]
    apply(wait_timeout=90)


@pytest.mark.slow
def test_two_servers_that_fail_are_both_told(run_task: Any, cloud: Any, namespace: str) -> None:
    image = f"{cloud.registry}/mcp-misbehaving:1.0.0"
    servers = [
        {"name": "crash", "image": image, "env": {"MODE": "crash"}},
        {"name": "unpullable", "image": f"{cloud.registry}/no-such-image:9.9.9"},
    ]
    failed = run_task("mcp_server", {"namespace": namespace, "servers": servers, "wait_timeout": 25}, fails=True)
    assert "UPSTREAM_URL" in failed["msg"]
    assert "no-such-image" in failed["msg"]


def test_an_object_of_somebody_else_with_the_servers_name_is_not_taken_over(
    apply: Apply, cluster: Any, namespace: str
) -> None:
    cluster.kubectl("-n", namespace, "create", "configmap", "echo", "--from-literal=mine=1")
    for check in (True, False):
        refused = apply(check=check, fails=True)
        assert refused["error"]["kind"] == "refused"
        assert "ConfigMap/echo" in refused["msg"]
    assert cluster.get("configmap", "echo", "-n", namespace)["data"] == {"mine": "1"}


def test_check_mode_before_namespace_and_kubeconfig_exist(run_task: Any, cluster: Any, tmp_path: Any) -> None:
    declared = {"name": "echo", "image": "registry.example.com/echo:1.0.0"}
    early = run_task("mcp_server", {**declared, "namespace": "not-there-yet"}, check=True)
    assert early["changed"]
    assert any("not-there-yet" in note for note in early["notes"])
    missing = str(tmp_path / "kubeconfig")
    earlier = run_task("mcp_server", {**declared, "namespace": "mcp", "kubeconfig": missing}, check=True)
    assert earlier["changed"]
    assert any(missing in note for note in earlier["notes"])
