# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest
import tomllib

from localcloud.kube import addons, cgroups, node_config, policies, volumes
from localcloud.kube.api import PATHS
from localcloud.kube.layout import ClusterLayout


@pytest.fixture
def files(layout: ClusterLayout) -> dict[str, str]:
    return node_config.files(layout, Path("/parts"), "10.213.0.1:5000", "pause:1.0", "overlayfs")


def test_kubelet_lets_nobody_in_who_did_not_authenticate(files: dict[str, str]) -> None:
    kubelet = json.loads(files["kubelet.yaml"])
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    assert kubelet["authorization"] == {"mode": "Webhook"}
    assert kubelet["readOnlyPort"] == 0


def test_the_audit_log_holds_no_bodies(files: dict[str, str]) -> None:
    levels = {rule["level"] for rule in json.loads(files["audit/policy.yaml"])["rules"]}
    assert levels == {"None", "Metadata"}


def test_the_audit_log_holds_every_request_of_people_and_writes_of_controllers(files: dict[str, str]) -> None:
    rules = json.loads(files["audit/policy.yaml"])["rules"]
    assert rules[-1] == {"level": "Metadata"}
    silent = [rule for rule in rules if rule["level"] == "None"]
    assert all("users" in rule or "userGroups" in rule or "nonResourceURLs" in rule for rule in silent)
    for rule in silent:
        if "system:serviceaccounts" in rule.get("userGroups", []):
            assert rule.get("verbs") == ["get", "list", "watch"] or rule["resources"][0]["resources"] == ["leases"]


@pytest.mark.parametrize("public", ["ghcr.io", "docker.io"])
def test_containerd_pulls_from_our_registry_only(files: dict[str, str], public: str) -> None:
    hosts = tomllib.loads(files[f"certs.d/{public}/hosts.toml"])
    assert hosts["server"] == "https://10.213.0.1:5000"
    assert list(hosts["host"]) == ["https://10.213.0.1:5000"]
    assert hosts["host"]["https://10.213.0.1:5000"]["capabilities"] == ["pull", "resolve"]
    containerd = tomllib.loads(files["containerd.toml"])
    assert containerd["plugins"]["io.containerd.grpc.v1.cri"]["sandbox_image"] == "10.213.0.1:5000/pause:1.0"


def test_every_addon_is_of_a_kind_that_can_be_applied() -> None:
    documents = [*addons.cluster_dns("image"), *volumes.objects(), *policies.objects()]
    assert {document["kind"] for document in documents} <= set(PATHS)


def test_storage_classes_have_the_names_and_the_default_of_aks() -> None:
    classes = [one["metadata"] for one in volumes.objects() if one["kind"] == "StorageClass"]
    default = "storageclass.kubernetes.io/is-default-class"
    assert {one["name"] for one in classes} >= {"managed-csi", "managed-csi-premium", "azurefile-csi"}
    assert [one["name"] for one in classes if one["annotations"][default] == "true"] == ["default"]


def test_the_provisioner_knows_every_class(layout: ClusterLayout) -> None:
    names = {one["metadata"]["name"] for one in volumes.objects() if one["kind"] == "StorageClass"}
    configuration = json.loads(volumes.files(layout, "image")["volume-provisioner/config.json"])
    assert set(configuration["storageClassConfigs"]) == names


def test_a_description_of_an_older_local_cloud_is_read(layout: ClusterLayout) -> None:
    older = json.loads(layout.to_json())
    del older["network_policy"]
    assert ClusterLayout.from_json(json.dumps(older)) == layout


def test_a_cgroup_of_version_2_gets_the_controllers_and_goes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a directory that looks like the hierarchy; a kernel has not been tried."""
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    assert cgroups.create("localcloud-1-a") == [tmp_path / "localcloud-1-a"]
    assert (tmp_path / "cgroup.subtree_control").read_text().startswith("+")
    (tmp_path / "localcloud-1-a" / "kubepods" / "pod1").mkdir(parents=True)
    assert cgroups.existing("localcloud-1-") == [tmp_path / "localcloud-1-a"]
    assert cgroups.remove("localcloud-1-a") == []
    assert cgroups.existing("localcloud-1-") == []


def test_cgroup_hierarchies_of_version_1_are_read_from_mounts() -> None:
    mounts = (
        "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n"
        "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
        "cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n"
        "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
    )
    assert cgroups.hierarchies(mounts) == [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/systemd")]
