# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.clusters import ClusterError
from localcloud.kube import backend
from localcloud.kube.existing import ExistingCluster
from localcloud.settings import Settings


@pytest.fixture
def clusters(cloud_settings: Settings) -> backend.LocalClusters:
    return backend.LocalClusters(cloud_settings)


def test_clusters_get_addresses_of_their_own_and_keep_them(clusters: backend.LocalClusters) -> None:
    version = clusters.versions()[-1]
    layouts = [clusters._ensure_layout(name, version) for name in ("a", "MC_rg_b", "c")]
    assert [layout.index for layout in layouts] == [1, 2, 3]
    assert clusters._ensure_layout("MC_rg_b", version) == layouts[1]
    (layouts[0].path / "cluster.json").unlink()
    assert clusters._ensure_layout("d", version).index == 1


def test_a_cluster_that_does_not_run_is_stopped(clusters: backend.LocalClusters) -> None:
    layout = clusters._ensure_layout("a", clusters.versions()[-1])
    layout.process_file.write_text(json.dumps({"pid": 1, "start_time": "wrong", "started_at": ""}))
    found = clusters.get("a")
    assert found is not None and (found.name, found.state) == ("a", "stopped")
    assert clusters.get("b") is None


def test_a_version_that_is_not_built_is_refused(clusters: backend.LocalClusters) -> None:
    with pytest.raises(ClusterError, match=clusters.versions()[-1]):
        clusters.create("a", "1.2.3")
    assert clusters.get("a") is None


def test_absent_may_be_stopped_and_deleted(clusters: backend.LocalClusters) -> None:
    clusters.stop("a")
    clusters.delete("a")


def test_without_the_node_helper_the_error_says_what_to_run(clusters: backend.LocalClusters) -> None:
    certificate = clusters.settings.ca_file
    certificate.parent.mkdir()
    certificate.touch()
    with pytest.raises(ClusterError, match="localcloud up"):
        clusters.create("a", clusters.versions()[-1])
    with pytest.raises(ClusterError, match="localcloud up"):
        clusters.delete("a")


def test_a_cluster_of_the_user_is_handed_out_and_left_alone(cloud_settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "config"
    config = {"clusters": [{"name": "x", "cluster": {"server": "https://192.0.2.1:6443"}}]}
    file.write_text(json.dumps(config))
    chosen = backend.from_settings(dataclasses.replace(cloud_settings, kubeconfig=file))
    assert isinstance(chosen, ExistingCluster)
    chosen.stop("any")
    chosen.delete("any")
    assert chosen.admin_kubeconfig("any") == config


@pytest.mark.parametrize("content", ["", "kind: Config", "{"])
def test_a_kubeconfig_without_a_cluster_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config"
    file.write_text(content)
    with pytest.raises(ClusterError, match="LOCALCLOUD_KUBECONFIG"):
        ExistingCluster(file).admin_kubeconfig("any")


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("/dev/vda / ext4 rw 0 0\n", "overlayfs"),
        ("overlay / overlay rw 0 0\n", "native"),
        ("overlay / overlay rw 0 0\n/dev/vdb /state ext4 rw 0 0\n", "overlayfs"),
    ],
)
def test_layers_are_copied_where_an_overlay_cannot_lie(
    mounts: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path, *_: Any, **__: Any) -> str:
        assert path == Path("/proc/mounts")
        return mounts

    monkeypatch.setattr(Path, "read_text", read)
    assert backend.snapshotter(Path("/state/clusters/a")) == expected
