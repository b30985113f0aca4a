# SPDX-License-Identifier: GPL-3.0-or-later
"""A site's own releases and objects, before the platform and after it: checked, applied, kept, repaired, removed."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.playbook import LOCAL_HOST, Run, run_playbook

pytestmark = pytest.mark.integration

HOST = "own"
CHART = Path(__file__).parent.parent / "helm_release" / "charts" / "greeting"
HIDDEN = "only-for-the-chart-88"
SETUP, EXTRAS = "extras-first", "extras-last"
TEMPLATE = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: from-template
  namespace: {{ own_namespace }}
data:
  host: {{ inventory_hostname }}
"""


@dataclass(frozen=True)
class Own:
    directory: Path
    cluster: Any

    def play(self, playbook: str, *arguments: str) -> Run:
        place = f"drift_report_directory={self.directory / 'drift-report'}"
        return run_playbook(f"mcpops.platform.{playbook}", "-i", self.directory / "hosts.json", "-e", place, *arguments)

    def site(self, *arguments: str) -> Run:
        return self.play("site", *arguments)

    def data(self, name: str, namespace: str = EXTRAS) -> Any:
        return self.cluster.get("configmap", name, "-n", namespace)["data"]


def releases(directory: Path, cloud: Any) -> dict[str, Any]:
    """One for each of the two stages, of an archive with its digest."""
    argv = [cloud.environment["helm"], "package", CHART, "--version", "1.0.0", "--destination", directory]
    subprocess.run(argv, check=True, capture_output=True)
    archive = directory / "greeting-1.0.0.tgz"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    pinned = {"chart_ref": str(archive), "chart_version": "1.0.0", "chart_digest": f"sha256:{digest}"}
    values = {"image": f"{cloud.registry}/pause:1.0", "password": "x"}
    own = {"name": "own", "values": values, "secret_values": {"text": HIDDEN}, "create_namespace": True}
    return {
        "cluster_setup_releases": [{**own, **pinned, "namespace": SETUP, "name": "first"}],
        "extras_releases": [{**own, **pinned, "namespace": EXTRAS}],
    }


@pytest.fixture(scope="module")
def own(cloud: Any, cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    directory = tmp_path_factory.mktemp("extras")
    template = directory / "own.yml.j2"
    template.write_text(TEMPLATE, encoding="utf-8")
    in_namespace = {"name": "from-variable", "namespace": EXTRAS}
    variables = {
        **LOCAL_HOST,
        "aks_cluster_backend": "existing",
        "mcpops_kubeconfig": str(cluster.kubeconfig),
        "mcpops_process_environment": {"NO_PROXY": cloud.process_environment()["NO_PROXY"]},
        "mcpops_kmcp_chart_repository": f"oci://{cloud.registry}/kagent-dev/kmcp/helm",
        "mcpops_registry_ca_file": cloud.environment["registry_ca_file"],
        "own_namespace": EXTRAS,
        "extras_objects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": in_namespace, "data": {"a": "1"}}],
        "extras_templates": [str(template)],
        "extras_exclusive": True,
        **releases(directory, cloud),
    }
    hosts = {"clusters": {"hosts": {HOST: variables}}}
    (directory / "hosts.json").write_text(json.dumps({"all": {"children": hosts}}), encoding="utf-8")
    yield Own(directory, cluster)
    namespaces = (SETUP, EXTRAS, "mcp", "kmcp-system")
    cluster.kubectl("delete", "namespace", *namespaces, "--ignore-not-found", "--wait=false", check=False)
    roles = (f"{namespace}-{name}" for namespace, name in ((SETUP, "first"), (EXTRAS, "own")))
    cluster.kubectl("delete", "clusterrole", *roles, "--ignore-not-found", check=False)


@pytest.fixture(scope="module")
def applied(own: Own) -> Run:
    return own.site().ok()


def test_check_mode_shows_all_of_it_and_makes_nothing(own: Own) -> None:
    shown = own.site("--check", "--diff").ok()
    for word in (f"{SETUP}/first", f"{EXTRAS}/own", "from-variable", "from-template"):
        assert word in shown.output, shown.output
    assert HIDDEN not in shown.output + json.dumps(shown.results)
    assert own.cluster.kubectl("get", "namespace", SETUP, EXTRAS, "--ignore-not-found", "-o", "name") == ""


def test_a_second_run_changes_nothing(own: Own, applied: Run) -> None:
    order = [task for task in applied.changed if "eleases" in task or "objects" in task]
    assert order == [
        "mcpops.platform.cluster_setup : Apply namespaces and objects",
        "mcpops.platform.cluster_setup : Keep the releases",
        "mcpops.platform.extras : Keep the releases",
        "mcpops.platform.extras : Apply the objects",
    ]
    assert own.data("from-template") == {"host": HOST} and own.data("from-variable") == {"a": "1"}
    again = own.site("-vv").ok()
    assert again.changed == []
    for run in (applied, again):
        assert HIDDEN not in run.output + json.dumps(run.results)
    found = again.of(HOST, "mcpops.platform.extras : Look for what is wrong where the extras are")
    assert found["counts"]["error"] == 0


@pytest.mark.usefixtures("applied")
def test_what_differs_is_drift_with_its_stage_and_is_repaired(own: Own) -> None:
    kubectl = own.cluster.kubectl
    kubectl("patch", "configmap", "from-variable", "-n", EXTRAS, "-p", '{"data": {"more": "by hand"}}')
    kubectl("delete", "configmap", "from-template", "-n", EXTRAS)
    kubectl("delete", "service,deployment", "--all", "-n", SETUP)
    drifted = own.play("drift")
    assert drifted.returncode == 2, drifted.output
    (host,) = json.loads((own.directory / "drift-report" / "drift-report.json").read_text(encoding="utf-8"))["hosts"]
    found = {(one["stage"], one["object"].partition(" ")[2]) for one in host["differences"]}
    assert {("extras", f"{EXTRAS}/from-variable"), ("extras", f"{EXTRAS}/from-template")} <= found
    assert any(stage == "setup" and SETUP in name for stage, name in found), found
    own.play("drift", "-e", "drift_repair=true").ok()
    assert own.data("from-variable") == {"a": "1"} and own.data("from-template") == {"host": HOST}
    assert own.site().ok().changed == []


@pytest.mark.usefixtures("applied")
def test_an_entry_can_be_taken_back_and_teardown_takes_all(own: Own) -> None:
    kubectl = own.cluster.kubectl
    gone = own.play("teardown", "-e", f"teardown_confirm={HOST}").ok()
    removed = [task.rpartition(" : ")[2] for task in gone.changed if "emove" in task]
    assert removed[:2] == ["Remove the objects", "Remove the releases, the last one first"], gone.output
    for namespace in (SETUP, EXTRAS):
        left = kubectl("get", "configmap,deployment,service,secret", "-n", namespace, "-o", "name").split()
        assert left == ["configmap/kube-root-ca.crt"], (namespace, left)
