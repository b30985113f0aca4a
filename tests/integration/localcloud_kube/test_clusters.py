# SPDX-License-Identifier: GPL-3.0-or-later
"""Real clusters: they run pods, keep their data, stand side by side, reach only what they may, and leave nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud import lifecycle
from localcloud.images.catalog import ECHO_MCP, KMCP_CONTROLLER, MISBEHAVING_MCP
from localcloud.kube.backend import LocalClusters
from localcloud.processes import Server, start_time
from localcloud.registry.charts import helm_environment
from localcloud.settings import Settings

# Whatever the gate runs on a cluster fails if the cluster is none; what it owes besides is looked at here.
pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAME = "MC_rg_first"
RESTRICTED = {
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

# Run in a pod: a name of the cluster, then the registry, another service of the host, and the world.
REACH = """
import socket
print(socket.gethostbyname("kubernetes.default.svc.cluster.local"))
for address in (("{host}", {registry}), ("{host}", {other}), ("1.1.1.1", 443)):
    try:
        socket.create_connection(address, 2).close()
        print("open")
    except OSError:
        print("closed")
"""


def namespace(name: str) -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(name: str, image: str, **container: Any) -> dict[str, Any]:
    security = {"securityContext": container.pop("securityContext", CONTAINER)}
    mounts = {"volumes": container.pop("volumes", [])}
    spec = {
        "securityContext": {**RESTRICTED, "fsGroup": 1000},
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": image, **security, **container}],
        **mounts,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "work"}, "spec": spec}


@pytest.fixture(scope="module")
def kubectl(clusters: LocalClusters, kubectl_for: Callable[[str], Any]) -> Iterator[Any]:
    """A running cluster with a namespace under Pod Security restricted."""
    clusters.create(NAME, clusters.versions()[-1])
    kubectl = kubectl_for(NAME)
    kubectl("apply", "-f", "-", stdin=namespace("work"))
    yield kubectl
    clusters.delete(NAME)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)


def test_it_is_the_kubernetes_it_says(clusters: LocalClusters, kubectl: Any) -> None:
    found = clusters.get(NAME)
    assert found is not None and found.state == "running"
    assert json.loads(kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"] == f"v{found.kubernetes_version}"
    assert clusters.create(NAME, found.kubernetes_version) == found


def test_a_server_pulled_from_the_registry_answers_under_pod_security_restricted(
    own_settings: Settings, kubectl: Any
) -> None:
    probe = {"readinessProbe": {"httpGet": {"path": "/healthz", "port": 3000}, "periodSeconds": 1}}
    kubectl("apply", "-f", "-", stdin=pod("echo", f"{own_settings.registry}/{ECHO_MCP}", **probe))
    kubectl("-n", "work", "wait", "pod/echo", "--for=condition=Ready", "--timeout=60s")
    assert "ok" in kubectl("get", "--raw", "/api/v1/namespaces/work/pods/echo:3000/proxy/healthz")
    assert "Uvicorn running" in kubectl("-n", "work", "logs", "echo")
    ref = kubectl("-n", "work", "exec", "echo", "--", "python", "-c", "import os; print(os.getuid())")
    assert ref.strip() == "1000"


def test_a_pod_that_would_be_root_is_refused(own_settings: Settings, kubectl: Any) -> None:
    document = pod("root", f"{own_settings.registry}/{ECHO_MCP}", securityContext={"privileged": True})
    assert "violates PodSecurity" in kubectl("apply", "-f", "-", stdin=document, check=False)


def test_ghcr_is_answered_by_the_registry_and_nothing_else_is(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=pod("mirrored", f"ghcr.io/{KMCP_CONTROLLER}", args=["--help"]))
    kubectl("apply", "-f", "-", stdin=pod("absent", "ghcr.io/kagent-dev/no-such-image:1.0"))

    def state(name: str) -> str:
        return str(kubectl("-n", "work", "get", "pod", name, "-o", "jsonpath={.status.containerStatuses[0]}"))

    wait_for(lambda: "imageID" in state("mirrored") and json.loads(state("mirrored"))["imageID"] != "")
    wait_for(lambda: "ErrImagePull" in state("absent") or "ImagePullBackOff" in state("absent"))
    kubectl("-n", "work", "delete", "pod", "mirrored", "absent", "--wait=false")


def test_a_crash_leaves_its_last_words(own_settings: Settings, kubectl: Any) -> None:
    crash = [{"name": "MODE", "value": "crash"}]
    kubectl("apply", "-f", "-", stdin=pod("crash", f"{own_settings.registry}/{MISBEHAVING_MCP}", env=crash))
    wait_for(lambda: "UPSTREAM_URL is missing" in kubectl("-n", "work", "logs", "crash", check=False))


def test_names_are_resolved_and_only_the_cloud_is_in_reach(own_settings: Settings, kubectl: Any) -> None:
    kubectl("-n", "work", "wait", "pod/echo", "--for=condition=Ready", "--timeout=60s")
    with socket.create_server((own_settings.host_address, 0)) as service_of_the_host:
        other = service_of_the_host.getsockname()[1]
        socket.create_connection((own_settings.host_address, other), 2).close()
        script = REACH.format(host=own_settings.host_address, registry=own_settings.registry_port, other=other)
        lines = kubectl("-n", "work", "exec", "echo", "--", "python", "-c", script).split()
    assert lines == ["10.96.0.1", "open", "closed", "closed"]


def test_helm_pulls_the_charts_from_the_registry(own_settings: Settings, localcloud: Any, tmp_path: Path) -> None:
    for chart in ("kmcp-crds", "kmcp"):
        argv = [own_settings.tools / "helm", "pull", f"oci://{own_settings.registry}/kagent-dev/kmcp/helm/{chart}"]
        argv += ["--version", "0.3.0", "--ca-file", own_settings.ca_file, "--destination", tmp_path]
        subprocess.run(argv, env=helm_environment(own_settings), check=True, capture_output=True)
        assert (tmp_path / f"{chart}-0.3.0.tgz").exists()


def audit(clusters: LocalClusters) -> list[dict[str, Any]]:
    layout = clusters.layout(NAME)
    assert layout is not None
    return [json.loads(line) for line in layout.audit_log.read_text().splitlines()]


def test_the_audit_log_shows_writes_and_no_secrets(clusters: LocalClusters, kubectl: Any) -> None:
    kubectl("-n", "work", "create", "secret", "generic", "token", "--from-literal=token=c2VjcmV0LWNhbmFyeQ")
    kubectl("-n", "work", "get", "secret", "token")
    mine = [event for event in audit(clusters) if event.get("objectRef", {}).get("name") == "token"]
    assert [(event["verb"], event["user"]["username"]) for event in mine] == [
        ("create", "kubernetes-admin"),
        ("get", "kubernetes-admin"),
    ]
    layout = clusters.layout(NAME)
    assert layout is not None and "c2VjcmV0LWNhbmFyeQ" not in layout.audit_log.read_text()


def test_a_second_cluster_stands_beside_it(
    own_settings: Settings, clusters: LocalClusters, kubectl: Any, kubectl_for: Callable[[str], Any]
) -> None:
    clusters.create("second", clusters.versions()[-1])
    second = kubectl_for("second")
    try:
        assert "work" not in second("get", "namespaces", "-o", "name")
        assert "work" in kubectl("get", "namespaces", "-o", "name")
    finally:
        clusters.delete("second")
    assert clusters.get("second") is None
    found = [one for one in lifecycle.leftovers(own_settings) if "second" in one or one.endswith("-2")]
    assert found == []
    found_first = clusters.get(NAME)
    assert found_first is not None and found_first.state == "running"


def test_data_survive_a_stop(own_settings: Settings, clusters: LocalClusters, kubectl: Any) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "work"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    program = "import pathlib, time; f = pathlib.Path('/data/f'); f.open('a').write('once '); time.sleep(3600)"
    writer = pod(
        "writer",
        f"{own_settings.registry}/{ECHO_MCP}",
        command=["python", "-c", program],
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    )
    read = ("-n", "work", "exec", "writer", "--", "cat", "/data/f")
    kubectl("apply", "-f", "-", stdin=claim)
    kubectl("apply", "-f", "-", stdin=writer)
    wait_for(lambda: kubectl(*read, check=False) == "once ")

    clusters.stop(NAME)
    stopped = clusters.get(NAME)
    assert stopped is not None and stopped.state == "stopped"
    assert [one for one in lifecycle.leftovers(own_settings) if NAME.lower().replace("_", "-") in one] == []

    clusters.create(NAME, clusters.versions()[-1])
    wait_for(lambda: kubectl(*read, check=False) == "once once ")


def test_a_killed_helper_is_started_again_and_clusters_do_not_notice(
    own_settings: Settings, clusters: LocalClusters, localcloud: Any, kubectl: Any
) -> None:
    helper = Server(own_settings, "node-helper").pid()
    assert helper is not None
    os.kill(helper, signal.SIGKILL)
    wait_for(lambda: start_time(helper) is None, 10)
    assert "work" in kubectl("get", "namespaces", "-o", "name")
    localcloud("up", "--no-azure")
    assert clusters.create(NAME, clusters.versions()[-1]).state == "running"


def test_down_leaves_files_only_and_up_finds_everything_again(
    own_settings: Settings, clusters: LocalClusters, localcloud: Any, kubectl: Any
) -> None:
    assert lifecycle.leftovers(own_settings) != []
    localcloud("down")
    assert lifecycle.leftovers(own_settings) == []
    assert localcloud("status", check=False).returncode == 3
    localcloud("down")

    localcloud("up", "--no-azure")
    found = clusters.get(NAME)
    assert found is not None and found.state == "stopped"
    clusters.create(NAME, clusters.versions()[-1])
    assert "work" in kubectl("get", "namespaces", "-o", "name")
