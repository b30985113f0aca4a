# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that ends and comes back: clusters are started again, interrupted operations are finished."""

from __future__ import annotations

from pathlib import Path

from localcloud.azure.store import IN_PROGRESS, Operation

from .conftest import Azure, RememberedClusters, cluster_body, cluster_path, launch, make_config, until


def health(azure: Azure) -> dict[str, object]:
    body: dict[str, object] = azure.http.get("/localcloud/health").json()
    return body


def test_running_clusters_start_again_and_stopped_ones_do_not(tmp_path: Path, pki: Path) -> None:
    config = make_config(tmp_path, pki)
    first = launch(config, pki)
    first.group()
    first.cluster("runs")
    first.cluster("stopped")
    first.finish(first.request("POST", f"{cluster_path('stopped')}/stop"))
    first.server.stop()

    backend = RememberedClusters()
    second = launch(config, pki, backend)
    try:
        until(lambda: None if health(second)["starting"] else True)
        names = {cluster["name"]: cluster for cluster in second.request("GET", cluster_path("")[:-1]).json()["value"]}
        assert set(names) == {"runs", "stopped"}
        assert [(call[0], call[2]) for call in backend.calls] == [("create", "1.34.4")]
        assert health(second) == {"status": "ok", "starting": [], "failed": {}}
    finally:
        second.server.stop()


def test_a_cluster_that_does_not_start_again_is_named(tmp_path: Path, pki: Path) -> None:
    config = make_config(tmp_path, pki)
    first = launch(config, pki)
    first.group()
    first.cluster()
    first.server.stop()
    backend = RememberedClusters()
    backend.fails = "no room"
    second = launch(config, pki, backend)
    try:
        until(lambda: None if health(second)["starting"] else True)
        assert health(second)["failed"] == {"c1": "no room"}
    finally:
        second.server.stop()


def test_an_interrupted_operation_is_finished(tmp_path: Path, pki: Path) -> None:
    """The process ends while the operation waits: what a kill leaves is the stored operation alone."""
    config = make_config(tmp_path, pki, operation_seconds=3600)
    first = launch(config, pki)
    first.group()
    accepted = first.request("PUT", cluster_path(), cluster_body())
    first.server.stop()
    assert first.backend.calls == []

    second = launch(make_config(tmp_path, pki, port=config.port), pki)
    second.token = first.token
    try:
        assert second.finish(accepted)["status"] == "Succeeded"
        assert second.request("GET", cluster_path()).json()["properties"]["provisioningState"] == "Succeeded"
        assert len(second.backend.clusters) == 1
    finally:
        second.server.stop()


def test_what_fails_because_the_server_ends_is_tried_again(tmp_path: Path, pki: Path) -> None:
    config = make_config(tmp_path, pki)
    first = launch(config, pki)
    first.group()
    first.backend.gate.clear()
    first.backend.fails = "killed"
    accepted = first.request("PUT", cluster_path(), cluster_body())
    until(lambda: first.backend.calls or None)
    first.cloud.operations._stopping.set()
    first.backend.gate.set()
    first.server.stop()

    second = launch(config, pki)
    second.token = first.token
    try:
        assert second.finish(accepted)["status"] == "Succeeded"
    finally:
        second.server.stop()


def test_an_operation_on_something_gone_ends(azure: Azure) -> None:
    azure.group()
    azure.cluster()
    gone = Operation("11111111-1111-1111-1111-111111111111", "put cluster", "/gone", "eastus", IN_PROGRESS, "now")
    azure.cloud.store.put_operation(gone)
    azure.cloud.operations.resume()
    path = f"/providers/Microsoft.ContainerService/locations/eastus/operations/{gone.id}"
    until(lambda: None if azure.request("GET", path).json()["status"] == IN_PROGRESS else True)
    status = azure.request("GET", path).json()
    assert (status["status"], status["error"]["code"]) == ("Failed", "NotFound")
