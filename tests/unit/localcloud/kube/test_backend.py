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


def test_given_binaries_are_of_one_version(cloud_settings: Settings, tmp_path: Path) -> None:
    given = backend.LocalClusters(dataclasses.replace(cloud_settings, binaries=tmp_path))
    assert given.versions() == [given.default_version()]
    assert len(backend.LocalClusters(cloud_settings).versions()) > 1


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


def existing_config(name: str, user: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example.org:6443"}}],
        "users": [{"name": f"{name}-user", "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-user"}}],
    }


def test_of_a_kubeconfig_with_many_clusters_the_current_one_plays(tmp_path: Path) -> None:
    first, current = existing_config("first", {"token": "1"}), existing_config("current", {"token": "2"})
    both = {**current, **{key: first[key] + current[key] for key in ("clusters", "users", "contexts")}}
    (tmp_path / "config").write_text(json.dumps(both))
    assert ExistingCluster(tmp_path / "config").admin_kubeconfig("any") == current


def test_files_that_a_kubeconfig_names_are_handed_out_with_it(tmp_path: Path) -> None:
    (tmp_path / "me.crt").write_bytes(b"certificate")
    (tmp_path / "config").write_text(json.dumps(existing_config("x", {"client-certificate": "me.crt"})))
    (user,) = ExistingCluster(tmp_path / "config").admin_kubeconfig("any")["users"]
    assert user["user"] == {"client-certificate-data": "Y2VydGlmaWNhdGU="}


def without(config: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != key}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (without(existing_config("x", {}), "current-context"), "has no current-context"),
        (without(existing_config("x", {}), "users"), "has no 'x-user' among its users"),
        ({**existing_config("x", {}), "current-context": "y"}, "has no 'y' among its contexts"),
        (existing_config("x", {"client-key": "gone.key"}), "gone.key, which cannot be read: No such file"),
    ],
    ids=["no current context", "no user", "unknown context", "file is gone"],
)
def test_a_kubeconfig_that_cannot_serve_says_why(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    (tmp_path / "config").write_text(json.dumps(config))
    with pytest.raises(ClusterError, match=message):
        ExistingCluster(tmp_path / "config").admin_kubeconfig("any")


def test_a_cluster_of_the_user_is_handed_out_and_left_alone(cloud_settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "config"
    config = existing_config("x", {"token": "t"})
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
