# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that somebody else has made: everything the playbooks do is done in it, and Azure has no part in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.other_cluster import Server, playing
from support.playbook import LOCAL_HOST, Run, run_playbook

pytestmark = pytest.mark.integration

HOST = "theirs"
# what says so when something imports it, and cannot be used
SHIM = "import pathlib\npathlib.Path({place!r}).write_text(__name__)\nraise ImportError('there is no ' + __name__)\n"
LIBRARIES = ("azure", "msal")
CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "mcp"},
    "data": {"text": "ours"},
}
LARGE = {"name": "large", "image": "large:1", "resources": {"requests": {"cpu": "500", "memory": "1Ti"}}}
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "mcp"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


@dataclass(frozen=True)
class Existing:
    directory: Path
    cluster: Any
    other: Server
    variables: dict[str, Any]

    @property
    def imported(self) -> Path:
        return self.directory / "imported"

    def play(self, playbook: str, *arguments: str) -> Run:
        place = f"drift_report_directory={self.directory / 'drift-report'}"
        env = {"PYTHONPATH": str(self.directory / "shim"), "KUBECONFIG": str(self.directory / "nowhere")}
        inventory = self.directory / "hosts.json"
        return run_playbook(f"mcpops.platform.{playbook}", "-i", inventory, "-e", place, *arguments, env=env)


def two_contexts(directory: Path, cluster: Any, other: Server) -> Path:
    """A kubeconfig as people have them: of several clusters, and the current context is another one."""
    config = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
    config["contexts"][0]["name"] = "here"
    elsewhere = json.loads(other.kubeconfig(directory / "other", "elsewhere").read_text(encoding="utf-8"))
    for section in ("contexts", "clusters", "users"):
        config[section] += elsewhere[section]
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump({**config, "current-context": "elsewhere"}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def existing(cloud: Any, cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Existing]:
    directory = tmp_path_factory.mktemp("existing")
    for library in LIBRARIES:
        (directory / "shim" / library).mkdir(parents=True)
        text = SHIM.format(place=str(directory / "imported"))
        (directory / "shim" / library / "__init__.py").write_text(text, encoding="utf-8")
    with playing() as other:
        variables = {
            **LOCAL_HOST,
            "aks_cluster_backend": "existing",
            "mcpops_kubeconfig": {"path": str(two_contexts(directory, cluster, other)), "context": "here"},
            "mcpops_process_environment": {"NO_PROXY": cloud.process_environment()["NO_PROXY"]},
            "mcpops_kmcp_chart_repository": f"oci://{cloud.registry}/kagent-dev/kmcp/helm",
            "mcpops_registry_ca_file": cloud.environment["registry_ca_file"],
            "mcpops_mcp_servers": [{"name": "echo", "image": f"{cloud.registry}/echo-mcp:1.0.0", "port": 3000}],
            "mcpops_mcp_calls": [{"server": "echo", "tool": "echo", "arguments": {"text": "hi"}, "expect": "hi"}],
            "cluster_setup_objects": [CONFIG_MAP],
        }
        hosts = {"clusters": {"hosts": {HOST: variables}}}
        (directory / "hosts.json").write_text(json.dumps({"all": {"children": hosts}}), encoding="utf-8")
        yield Existing(directory, cluster, other, variables)
    for namespace in ("mcp", "kmcp-system"):
        cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false", check=False)


@pytest.fixture(scope="module")
def converged(existing: Existing) -> Run:
    return existing.play("site").ok()


def test_the_preflight_names_all_that_is_lacking_before_anything_is_applied(existing: Existing) -> None:
    more = {"mcpops_mcp_servers": [LARGE], "cluster_setup_objects": [CLAIM], "site_preflight_require": ["metrics_api"]}
    refused = existing.play("site", "-e", json.dumps({**more, "mcpops_mcp_calls": []}))
    assert refused.returncode != 0
    found = refused.of(
        HOST, "mcpops.platform.site_preflight : See whether the existing cluster can take what is declared"
    )
    assert [reason["code"] for reason in found["error"]["reasons"]] == ["Unschedulable", "NoMetrics"]
    # the local cloud has one
    assert found["default_storage_class"]
    assert "workload large: a pod asks for 500 of cpu" in found["msg"]
    assert found["permissions"]["refused"] == [] and found["permissions"]["asked"] > 40
    assert existing.cluster.kubectl("get", "namespace", "mcp", "--ignore-not-found", "-o", "name") == ""


def test_rights_that_an_identity_lacks_are_told_by_namespace(existing: Existing) -> None:
    kubectl = existing.cluster.kubectl
    kubectl("create", "serviceaccount", "reader", "-n", "default")
    try:
        token = kubectl("create", "token", "reader", "-n", "default").strip()
        config = yaml.safe_load(existing.cluster.kubeconfig.read_text(encoding="utf-8"))
        config["users"][0]["user"] = {"token": token}
        text = {"content": yaml.safe_dump(config), "context": config["current-context"]}
        refused = existing.play("preflight", "-e", json.dumps({"mcpops_kubeconfig": text}))
    finally:
        kubectl("delete", "serviceaccount", "reader", "-n", "default")
    assert refused.returncode != 0
    found = refused.of(
        HOST, "mcpops.platform.site_preflight : See whether the existing cluster can take what is declared"
    )
    assert "system:serviceaccount:default:reader may not" in found["msg"]
    places = {reason["subject"] for reason in found["error"]["reasons"]}
    assert {"nodes", "permissions in the whole cluster", "permissions in namespace mcp"} <= places
    assert "get, create, patch configmaps" in found["msg"]
    secrets = [token, *(part for part in token.split(".") if len(part) > 40)]
    assert not [secret for secret in secrets if secret in refused.output + json.dumps(refused.results)]


def test_the_site_is_converged_and_a_second_run_changes_nothing(existing: Existing, converged: Run) -> None:
    assert converged.of(HOST, "Show what answers")["msg"][1].split()[0] == HOST
    assert existing.cluster.get("mcpserver", "echo", "-n", "mcp")["spec"]["deployment"]["port"] == 3000
    again = existing.play("site").ok()
    assert again.changed == []


@pytest.mark.usefixtures("converged")
def test_what_differs_is_shown_and_repaired(existing: Existing) -> None:
    kubectl = existing.cluster.kubectl
    kubectl("patch", "configmap", "settings", "-n", "mcp", "-p", '{"data": {"text": "theirs"}}')
    drifted = existing.play("drift")
    assert drifted.returncode == 2, drifted.output
    (host,) = json.loads((existing.directory / "drift-report" / "drift-report.json").read_text(encoding="utf-8"))[
        "hosts"
    ]
    (difference,) = host["differences"]
    assert (host["state"], difference["object"]) == ("drifted", "ConfigMap mcp/settings")
    existing.play("drift", "-e", "drift_repair=true").ok()
    assert existing.cluster.get("configmap", "settings", "-n", "mcp")["data"] == {"text": "ours"}


@pytest.mark.usefixtures("converged")
def test_it_is_verified_and_diagnosed(existing: Existing) -> None:
    verified = existing.play("verify").ok()
    assert "hi" in verified.output
    diagnosed = existing.play("diagnose", "-e", "diagnose_namespaces=mcp,kmcp-system").ok()
    assert diagnosed.of(HOST, "mcpops.platform.site_diagnostics : Look for what is wrong")["counts"]["error"] == 0


@pytest.mark.usefixtures("converged")
def test_teardown_removes_what_is_the_sites_own_and_leaves_the_cluster(existing: Existing) -> None:
    kubectl, get = existing.cluster.kubectl, existing.cluster.get
    kubectl("create", "configmap", "theirs", "-n", "mcp")
    before = {item["metadata"]["name"] for item in get("nodes")["items"]}
    dry = existing.play("teardown", "-e", f"teardown_confirm={HOST}", "--check").ok()
    assert get("mcpserver", "echo", "-n", "mcp")
    done = existing.play("teardown", "-e", f"teardown_confirm={HOST}").ok()
    assert [name for name in done.changed if "lease" not in name] == [
        name for name in dry.changed if "lease" not in name
    ]
    left = kubectl("get", "configmap,deployment,service", "-n", "mcp", "-o", "name").split()
    assert sorted(left) == ["configmap/kube-root-ca.crt", "configmap/theirs"]
    assert kubectl("get", "deployment,secret", "-n", "kmcp-system", "-o", "name") == ""
    assert kubectl("get", "crd", "mcpservers.kagent.dev", "--ignore-not-found") == ""
    assert {item["metadata"]["name"] for item in get("nodes")["items"]} == before
    assert Path(existing.variables["mcpops_kubeconfig"]["path"]).exists()
    assert existing.play("teardown", "-e", f"teardown_confirm={HOST}").ok().changed in (
        [],
        ["Take the cluster's lease"],
    )


def test_azure_had_no_part_in_any_of_it(existing: Existing) -> None:
    assert not existing.imported.exists(), existing.imported.read_text(encoding="utf-8")
    assert existing.other.asked == []
