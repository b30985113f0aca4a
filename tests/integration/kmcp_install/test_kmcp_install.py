# SPDX-License-Identifier: GPL-3.0-or-later
"""kmcp_install against a real cluster, with the real charts and the real controller.

There is one KMCP a cluster: every test begins by installing it (nothing to do, mostly), and the last leaves it there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.integration

CRD = "mcpservers.kagent.dev"
NAMESPACE = "kmcp-system"
CONTROLLER = "kmcp-controller-manager"
METRICS = "kmcp-controller-manager-metrics-service"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def installed(wanted: dict[str, Any], cluster: Any, run_task: Run) -> dict[str, Any]:
    run_task("kmcp_install", wanted)
    return wanted


@pytest.fixture
def server(namespace: str, installed: dict[str, Any], put_server: Callable[..., str]) -> str:
    return put_server(namespace)


def lines(result: dict[str, Any]) -> list[str]:
    return [line for part in result["diff"] for line in (part["before"] + part["after"]).splitlines()]


def results(run_all: Callable[..., Any], *steps: dict[str, Any]) -> list[dict[str, Any]]:
    """What several tasks of one playbook gave."""
    return [
        entry["result"] for entry in run_all([{"mcpops.platform.kmcp_install": step} for step in steps]).ok().results
    ]


def exists(cluster: Any, *what: str) -> bool:
    return bool(cluster.kubectl("get", *what, "--ignore-not-found", "-o", "name"))


def test_from_nothing_to_a_running_controller(
    cluster: Any, wanted: dict[str, Any], run_task: Run, run_all: Callable[..., Any]
) -> None:
    run_task("kmcp_install", {"state": "absent", "delete_crds": True, "delete_servers": True})
    planned = run_task("kmcp_install", wanted, check=True)
    assert planned["changed"]
    assert planned["releases"] == {"crds": None, "controller": None}
    assert not exists(cluster, "crd", CRD)

    made, again = results(run_all, {**wanted, "version": "v0.3.0"}, wanted)
    assert made["version"] == "0.3.0"
    assert [made["releases"][part]["chart_version"] for part in ("crds", "controller")] == ["0.3.0", "0.3.0"]
    assert made["controller_image"] == "ghcr.io/kagent-dev/kmcp/controller:0.3.0"
    assert cluster.get("deployment", CONTROLLER, "-n", NAMESPACE)["status"]["readyReplicas"] == 1

    assert not again["changed"]
    assert again["controller_image"] == made["controller_image"]


@pytest.mark.slow
def test_a_run_that_ended_between_definitions_and_controller(
    cluster: Any, cloud: Any, installed: dict[str, Any], run_all: Callable[..., Any]
) -> None:
    place = ["--namespace", NAMESPACE, "--kubeconfig", str(cluster.kubeconfig)]
    subprocess.run([cloud.environment["helm"], "uninstall", "kmcp", *place], check=True, capture_output=True)
    done, again = results(run_all, installed, installed)
    assert [part["before_header"] for part in done["diff"]] == [f"release {NAMESPACE}/kmcp (absent)"]
    assert not again["changed"]


def test_what_is_changed_behind_its_back_is_shown_and_repaired(
    cluster: Any, installed: dict[str, Any], run_task: Run, run_all: Callable[..., Any]
) -> None:
    def substance() -> list[Any]:
        return [
            cluster.get("deployment", CONTROLLER, "-n", NAMESPACE)["spec"],
            cluster.get("service", METRICS, "-n", NAMESPACE)["spec"]["ports"],
            cluster.get("clusterrole", "kmcp-manager-role")["rules"],
            cluster.get("crd", CRD)["spec"]["names"],
        ]

    before = substance()
    argument = '[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--zap-log-level=debug"}]'
    cluster.kubectl("patch", "deployment", CONTROLLER, "-n", NAMESPACE, "--type=json", "-p", argument)
    port = '[{"op":"replace","path":"/spec/ports/0/port","value":9443}]'
    cluster.kubectl("patch", "service", METRICS, "-n", NAMESPACE, "--type=json", "-p", port)
    cluster.kubectl("delete", "clusterrole", "kmcp-manager-role")
    short = '[{"op":"add","path":"/spec/names/shortNames","value":["mcps"]}]'
    cluster.kubectl("patch", "crd", CRD, "--type=json", "-p", short)

    planned = run_task("kmcp_install", installed, check=True)
    shown = "\n".join(lines(planned))
    for part in (
        "--zap-log-level=debug",
        "spec.ports[9443,TCP].port: 9443  # set by kubectl-patch",
        "kmcp-manager-role",
        "spec.names.shortNames",
    ):
        assert part in shown
    assert "set by kubectl-patch" in shown
    assert cluster.get("service", METRICS, "-n", NAMESPACE)["spec"]["ports"][0]["port"] == 9443
    assert not exists(cluster, "clusterrole", "kmcp-manager-role")

    repaired, again = results(run_all, installed, installed)
    assert lines(repaired) == lines(planned)
    assert substance() == before
    assert {part["revision"] for part in repaired["releases"].values()} == {
        part["revision"] for part in planned["releases"].values()
    }
    assert not again["changed"]


def test_definitions_of_another_release_are_found_before_helm_starts(installed: dict[str, Any], run_task: Run) -> None:
    other = {**installed, "namespace": "it-other", "helm_binary": "/nonexistent/helm"}
    for check in (True, False):
        result = run_task("kmcp_install", other, fails=True, check=check)
        assert result["error"]["kind"] == "refused"
        assert f"release {NAMESPACE}/kmcp-crds" in result["msg"]
        assert "namespace: kmcp-system" in result["msg"]


WRONG: tuple[tuple[dict[str, Any], list[str]], ...] = (
    ({"version": "0.3"}, ["all three numbers"]),
    ({"version": "9.9.9"}, ["kmcp-crds has no version 9.9.9", "ChartVersionNotFound"]),
    (
        {"version": "0.3", "namespace": "Kmcp", "values": {"image": {"tag": "v0.3.0"}}},
        ["3 problems", "all three numbers", "1 to 63", "no leading v"],
    ),
    (
        {"version": "0.2.9", "chart_repository": "oci://127.0.0.1:1/kmcp"},
        ["127.0.0.1:1 does not answer", "RegistryUnreachable"],
    ),
    (
        {"watch_namespaces": ["default", "it-not-there"], "helm_binary": "/nonexistent/helm"},
        ["roles belong into namespaces that do not exist: it-not-there (NamespaceNotFound)", "out of watch_namespaces"],
    ),
)


def test_what_cannot_work_is_told(installed: dict[str, Any], run_all: Callable[..., Any]) -> None:
    tasks = [{"mcpops.platform.kmcp_install": {**installed, **change}, "ignore_errors": True} for change, _ in WRONG]
    results = [entry["result"] for entry in run_all(tasks).ok().results]
    assert len(results) == len(WRONG)
    for (_change, texts), result in zip(WRONG, results):
        for text in texts:
            assert text in result["msg"]


def test_options_that_contradict_each_other(installed: dict[str, Any], run_task: Run) -> None:
    both = {"state": "absent", "orphan_servers": True, "delete_servers": True}
    assert "orphan_servers: contradicts delete_servers" in run_task("kmcp_install", both, fails=True)["msg"]


@pytest.mark.slow
def test_removal_spares_servers_until_told(
    cluster: Any, installed: dict[str, Any], server: str, run_task: Run, run_all: Callable[..., Any]
) -> None:
    refused = run_task("kmcp_install", {"state": "absent", "delete_crds": True}, fails=True)
    assert server in refused["msg"]
    assert "delete_servers" in refused["msg"]
    both = {"state": "absent", "delete_crds": True, "orphan_servers": True}
    reported = run_task("kmcp_install", both, fails=True)["msg"]
    assert server in reported and "leave delete_crds out" in reported
    for check in (True, False):
        kept = run_task("kmcp_install", {"state": "absent"}, check=check, fails=True)
        assert kept["error"]["kind"] == "refused"
        assert server in kept["msg"] and "go on running" in kept["msg"] and "orphan_servers: true" in kept["msg"]
    assert run_task("kmcp_install", {"state": "absent", "orphan_servers": True}, check=True)["changed"]
    assert exists(cluster, "deployment", CONTROLLER, "-n", NAMESPACE)

    # without a controller there is nothing to guard: the second time no option is needed
    gone, again = results(run_all, {"state": "absent", "orphan_servers": True}, {"state": "absent"})
    assert any(server in note and "no controller reconciles" in note for note in gone["notes"])
    assert any(server in warning and "no controller reconciles" in warning for warning in gone["warnings"])
    assert not exists(cluster, "deployment", CONTROLLER, "-n", NAMESPACE)
    assert exists(cluster, CRD, "kept", "-n", server.split("/")[0])
    assert not again["changed"]

    everything = {"state": "absent", "delete_crds": True, "delete_servers": True}
    gone, again = results(run_all, everything, everything)
    assert any(server in line for line in lines(gone))
    assert not exists(cluster, "crd", CRD)
    assert not again["changed"]
    assert run_task("kmcp_install", installed)["changed"]
