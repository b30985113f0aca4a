# SPDX-License-Identifier: GPL-3.0-or-later
"""helm_release against a real cluster: the whole life of a release of a small chart of our own."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

CHART = Path(__file__).parent / "charts" / "greeting"
CANARY = "canary-7f3a-password"
Run = Callable[..., dict[str, Any]]


def paths(result: dict[str, Any]) -> list[str]:
    """`subject: line` of every line that the diff shows on either side."""
    return [
        f"{part['before_header']}: {line}"
        for part in result["diff"]
        for line in (part["before"] + part["after"]).splitlines()
    ]


def each(run_all: Callable[..., Any], *steps: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of several helm_release tasks in one playbook; `check` and `fails` belong to the step."""
    tasks = []
    for step in steps:
        options = {key: value for key, value in step.items() if key not in ("check", "fails")}
        task: dict[str, Any] = {"mcpops.platform.helm_release": options}
        if "check" in step:
            task["check_mode"] = step["check"]
        if step.get("fails"):
            task["ignore_errors"] = True
        tasks.append(task)
    results = [entry["result"] for entry in run_all(tasks).ok().results]
    assert ["error" in result for result in results] == [bool(step.get("fails")) for step in steps]
    return results


def test_the_life_of_a_release(
    cluster: Any, namespace: str, release: dict[str, Any], run_task: Run, run_all: Callable[..., Any]
) -> None:
    planned = run_task("helm_release", release, check=True)
    assert planned["changed"]
    assert planned["release"] is None
    assert cluster.get("secrets", "-n", namespace, "-l", "owner=helm")["items"] == []
    assert 'version: "1.0.0"' in planned["diff"][0]["after"]

    made, again = each(run_all, release, release)
    assert made["changed"]
    assert (made["release"]["revision"], made["release"]["status"]) == (1, "deployed")
    assert cluster.get("deployment", "hello", "-n", namespace)["status"]["readyReplicas"] == 1
    assert CANARY not in str(planned) + str(made)
    assert not again["changed"]
    assert again["release"]["revision"] == 1

    changed = {**release, "values": {**release["values"], "text": "hello there"}}
    unstated = {key: value for key, value in release.items() if key != "values"}
    planned, upgraded, unchanged = each(run_all, {**changed, "check": True}, changed, unstated)
    assert planned["release"]["revision"] == 1
    assert upgraded["release"]["revision"] == 2
    assert cluster.get("configmap", "hello-text", "-n", namespace)["data"]["text"] == "hello there"
    assert not unchanged["changed"]

    gone = {"name": "hello", "namespace": namespace, "state": "absent"}
    assert run_task("helm_release", gone, check=True)["changed"]
    assert cluster.get("deployment", "hello", "-n", namespace)
    removed, again = each(run_all, gone, gone)
    assert removed["changed"]
    assert any("Deployment" in line for line in paths(removed))
    assert cluster.get("deployment", "-n", namespace)["items"] == []
    assert not again["changed"]


def _scale(cluster: Any, namespace: str) -> None:
    cluster.kubectl("scale", "deployment", "hello", "--replicas=0", "-n", namespace)


def _add_environment(cluster: Any, namespace: str) -> None:
    cluster.kubectl("set", "env", "deployment/hello", "EXTRA=1", "-n", namespace)


def _add_container(cluster: Any, namespace: str) -> None:
    side = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"example.org/side:1"}]}}}}'
    cluster.kubectl("patch", "deployment", "hello", "-n", namespace, "-p", side)


def _edit_data(cluster: Any, namespace: str) -> None:
    cluster.kubectl("patch", "configmap", "hello-text", "-n", namespace, "-p", '{"data":{"text":"bye","more":"x"}}')


def _edit_secret(cluster: Any, namespace: str) -> None:
    value = base64.b64encode(b"canary-other-value").decode()
    cluster.kubectl("patch", "secret", "hello-login", "-n", namespace, "-p", f'{{"data":{{"password":"{value}"}}}}')


def _delete_service(cluster: Any, namespace: str) -> None:
    cluster.kubectl("delete", "service", "hello", "-n", namespace)


def _delete_role(cluster: Any, namespace: str) -> None:
    cluster.kubectl("delete", "clusterrole", f"{namespace}-hello")


def _change_port(cluster: Any, namespace: str) -> None:
    port = '[{"op":"replace","path":"/spec/ports/0/port","value":81}]'
    cluster.kubectl("patch", "service", "hello", "-n", namespace, "--type=json", "-p", port)


EDITED = (
    (_scale, "spec.replicas: 0"),
    (_add_environment, 'env[EXTRA].value: "1"  # set by kubectl-set'),
    (_add_container, 'containers[side].image: "example.org/side:1"  # set by kubectl-patch'),
    (_edit_data, 'data.more: "x"  # set by kubectl-patch'),
    (_edit_secret, "data.password: ********"),
    (_change_port, "spec.ports[81,TCP].port: 81  # set by kubectl-patch"),
    (_delete_role, 'kind: "ClusterRole"'),
)
DELETED = ((_delete_service, 'kind: "Service"'),)


@pytest.mark.parametrize(
    "disturbances", [pytest.param(EDITED, id="edited"), pytest.param(DELETED, id="deleted", marks=pytest.mark.slow)]
)
def test_what_is_changed_behind_its_back_is_shown_and_repaired(
    cluster: Any,
    namespace: str,
    release: dict[str, Any],
    run_task: Run,
    run_all: Callable[..., Any],
    disturbances: tuple[tuple[Callable[[Any, str], None], str], ...],
) -> None:
    release = {**release, "wait": False}
    run_task("helm_release", release)
    before = _substance(cluster, namespace)
    for disturb, _shown in disturbances:
        disturb(cluster, namespace)
    disturbed = _substance(cluster, namespace)

    planned = run_task("helm_release", release, check=True)
    assert planned["changed"]
    for _disturb, shown in disturbances:
        assert any(shown in line for line in paths(planned)), (shown, paths(planned))
    assert "canary" not in str(planned)
    assert _substance(cluster, namespace) == disturbed != before

    repaired, again = each(run_all, release, release)
    assert paths(repaired) == paths(planned)
    assert repaired["release"]["revision"] == 1
    assert _substance(cluster, namespace) == before
    assert not again["changed"]


def _substance(cluster: Any, namespace: str) -> list[Any]:
    """Everything of the release that is not the server's own bookkeeping."""
    found = [
        *cluster.get("deployment,service,configmap", "-n", namespace)["items"],
        cluster.get("secret", "hello-login", "-n", namespace),
        *[item for item in cluster.get("clusterrole")["items"] if item["metadata"]["name"].startswith(namespace)],
    ]
    keep = ("spec", "data", "rules")
    picked = [
        (item["kind"], item["metadata"]["name"], {key: item[key] for key in keep if key in item})
        for item in found
        if item["metadata"]["name"] != "kube-root-ca.crt"
    ]
    for _kind, _name, body in picked:
        for assigned in ("clusterIP", "clusterIPs"):
            body.get("spec", {}).pop(assigned, None)
    return sorted(picked, key=lambda item: item[:2])


@pytest.mark.slow
def test_metadata_of_others_and_ignored_leaves_are_left_alone(
    cluster: Any, namespace: str, release: dict[str, Any], run_task: Run
) -> None:
    ignoring = [{"kind": "Deployment", "name": "hello", "paths": ["spec.replicas"]}]
    release = {**release, "wait": False, "ignore_differences": ignoring}
    run_task("helm_release", release)
    cluster.kubectl("label", "service", "hello", "team=blue", "-n", namespace)
    cluster.kubectl("annotate", "deployment", "hello", "note=mine", "-n", namespace)
    _scale(cluster, namespace)
    assert not run_task("helm_release", release)["changed"]

    # another repair of the same object does not take the ignored leaf back
    _add_environment(cluster, namespace)
    assert run_task("helm_release", release)["changed"]
    assert cluster.get("deployment", "hello", "-n", namespace)["spec"]["replicas"] == 0


def test_a_helm_that_was_killed_is_recovered(
    cluster: Any,
    namespace: str,
    release: dict[str, Any],
    run_task: Run,
    helm: Callable[..., list[str]],
    killed: Callable[[list[str], int], None],
) -> None:
    release = {**release, "wait": False, "stale_after": 2}
    run_task("helm_release", release)
    killed(helm("upgrade", "hello", str(CHART), "--reuse-values", "--set", "hold=true,text=half"), 2)

    planned = run_task("helm_release", release, check=True)
    assert any("goes back to revision 1" in note for note in planned["notes"])
    assert 'status: "pending-upgrade"' in planned["diff"][0]["before"]

    recovered = run_task("helm_release", release)
    assert recovered["release"]["status"] == "deployed"
    assert any("goes back to revision 1" in note for note in recovered["notes"])
    assert cluster.get("configmap", "hello-text", "-n", namespace)["data"]["text"] == "hi"
    assert not run_task("helm_release", release)["changed"]


@pytest.mark.slow
def test_a_first_install_that_was_killed_is_recovered(
    release: dict[str, Any],
    run_task: Run,
    helm: Callable[..., list[str]],
    killed: Callable[[list[str], int], None],
) -> None:
    release = {**release, "wait": False, "stale_after": 2}
    killed(helm("install", "hello", str(CHART), "--set", "hold=true"), 1)
    recovered = run_task("helm_release", release)
    assert (recovered["release"]["revision"], recovered["release"]["status"]) == (1, "deployed")
    assert any("record is deleted" in note for note in recovered["notes"])
    assert not run_task("helm_release", release)["changed"]


@pytest.mark.slow
def test_a_failed_upgrade_is_repeated(
    cluster: Any, namespace: str, release: dict[str, Any], run_task: Run, helm: Callable[..., list[str]]
) -> None:
    run_task("helm_release", {**release, "wait": False})
    failed = helm("upgrade", "hello", str(CHART), "--reuse-values", "--set", "hold=true", "--timeout", "1s")
    assert subprocess.run(failed, capture_output=True, check=False).returncode != 0
    planned = run_task("helm_release", {**release, "wait": False}, check=True)
    assert 'status: "failed"' in planned["diff"][0]["before"]
    assert run_task("helm_release", {**release, "wait": False})["release"]["status"] == "deployed"


@pytest.mark.slow
def test_pods_that_cannot_start_are_explained(release: dict[str, Any], cloud: Any, run_task: Run) -> None:
    image = f"{cloud.registry}/pause:no-such-tag"
    result = run_task("helm_release", {**release, "values": {"image": image}}, fails=True)
    assert image in result["msg"]
    assert "deadline exceeded" not in result["msg"]


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "chart not found": (
        {"chart_ref": "oci://{registry}/no/such/chart", "chart_version": "1.0.0", "ca_file": "{ca}"},
        ["no version 1.0.0", "ChartVersionNotFound"],
    ),
    "chart version not found": (
        {"chart_ref": "oci://{registry}/kagent-dev/kmcp/helm/kmcp", "chart_version": "9.9.9", "ca_file": "{ca}"},
        ["kmcp has no version 9.9.9", "ChartVersionNotFound"],
    ),
    "registry down": (
        {"chart_ref": "oci://127.0.0.1:1/charts/web", "chart_version": "1.0.0"},
        ["127.0.0.1:1 does not answer", "RegistryUnreachable"],
    ),
    "authority not given": (
        {"chart_ref": "oci://{registry}/kagent-dev/kmcp/helm/kmcp", "chart_version": "0.3.0", "ca_file": "{chart}"},
        ["ca_file"],
    ),
    "values refused by the chart": ({"values": {"refuse": "choose a colour"}}, ["choose a colour", "ChartRefused"]),
    "two problems": ({"chart_version": "1.0", "name": "Hello"}, ["2 problems", "all three numbers", "1 to 53"]),
    "no helm": ({"helm_binary": "/nonexistent/helm"}, ["not an executable file"]),
    "no namespace": ({"namespace": "it-not-there"}, ["no namespace it-not-there", "create_namespace"]),
}


def test_what_cannot_work_is_told(cloud: Any, release: dict[str, Any], run_all: Callable[..., Any]) -> None:
    places = {
        "registry": cloud.registry,
        "ca": cloud.environment["registry_ca_file"],
        "chart": str(CHART / "Chart.yaml"),
    }
    steps = []
    for change, _texts in WRONG.values():
        filled = {
            key: value.format(**places) if isinstance(value, str) and "{" in value else value
            for key, value in change.items()
        }
        steps.append({**release, **filled, "fails": True})
    results = each(run_all, *steps)
    for (case, (_change, texts)), result in zip(WRONG.items(), results):
        for text in texts:
            assert text in result["msg"], (case, result["msg"])


@pytest.mark.slow
def test_an_object_of_another_release(cluster: Any, namespace: str, release: dict[str, Any], run_task: Run) -> None:
    run_task("helm_release", {**release, "wait": False})
    other = {**release, "name": "other", "wait": False}
    cluster.kubectl("create", "configmap", "other-text", "-n", namespace)
    result = run_task("helm_release", other, fails=True)
    assert "OwnedByAnotherRelease" in result["msg"]
    assert "meta.helm.sh/release-name" in result["msg"]


def test_check_mode_without_the_namespace(release: dict[str, Any], run_task: Run) -> None:
    planned = run_task("helm_release", {**release, "namespace": "it-not-there"}, check=True)
    assert planned["changed"]
    assert any("depends on the namespace it-not-there" in note for note in planned["notes"])


def test_check_mode_without_the_cluster(release: dict[str, Any], run_task: Run, tmp_path: Path) -> None:
    nowhere = {**release, "kubeconfig": str(tmp_path / "none")}
    planned = run_task("helm_release", nowhere, check=True)
    assert planned["changed"]
    assert any("does not exist yet" in note for note in planned["notes"])
    assert not run_task("helm_release", {**nowhere, "state": "absent"}, check=True)["changed"]


def test_no_secret_is_seen_by_helm_or_by_a_reader(
    cloud: Any, release: dict[str, Any], run_all: Callable[..., Any], tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    spy = tmp_path / "helm"
    spy.write_text(f'#!/bin/sh\necho "$@" >> {seen}\nenv >> {seen}\nexec {cloud.environment["helm"]} "$@"\n')
    spy.chmod(0o755)
    login = {"registry_username": "reader", "registry_password": "canary-registry"}
    args = {**release, **login, "wait": False, "helm_binary": str(spy)}
    done = run_all([{"mcpops.platform.helm_release": args}], verbosity=4).ok()
    assert "upgrade" in seen.read_text()
    assert "canary" not in seen.read_text()
    assert CANARY not in done.output
    assert CANARY not in str(done.results)
    assert "canary-registry" not in done.output
