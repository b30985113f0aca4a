# SPDX-License-Identifier: GPL-3.0-or-later
"""diagnose.yml as a user runs it: what is read on the console, what is written, and when it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.playbook import CHECKOUT, LOCAL_HOST, run_playbook
from support.workloads import SLEEP, deployment, pod_spec

from .conftest import apply

pytestmark = [pytest.mark.integration]


@pytest.fixture
def inventory(cluster: Any, tmp_path: Path) -> Path:
    path = tmp_path / "hosts.json"
    variables = {**LOCAL_HOST, "mcpops_kubeconfig": str(cluster.kubeconfig)}
    path.write_text(json.dumps({"all": {"children": {"clusters": {"hosts": {"one": variables}}}}}), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_report_a_file_and_a_failing_run(
    cluster: Any, cloud: Any, namespace: str, inventory: Path, tmp_path: Path
) -> None:
    held = deployment(pod_spec(cloud.registry, SLEEP))
    apply(cluster, namespace, [{**held, "spec": {**held["spec"], "paused": True}}])
    report = tmp_path / "found.json"
    # of this namespace only: what other tests do to the cluster is not this one's business
    options = {"diagnose_namespaces": namespace, "diagnose_fail_on": "warning", "diagnose_report_file": str(report)}
    options |= {"site_diagnostics_cluster_scope": "false"}
    run = run_playbook(CHECKOUT / "playbooks/diagnose.yml", "-i", inventory, "-e", json.dumps(options))
    assert run.returncode != 0, run.output
    assert f"WARNING Paused: Deployment {namespace}/web" in run.output
    assert "this run fails on warning" in run.output
    written = json.loads(report.read_text(encoding="utf-8"))
    assert written["cluster"] == "one"
    assert f"Paused/{namespace}/Deployment/web" in [one["id"] for one in written["findings"]]
    assert report.stat().st_mode & 0o777 == 0o600

    options["diagnose_fail_on"] = "error"
    run_playbook(CHECKOUT / "playbooks/diagnose.yml", "-i", inventory, "-e", json.dumps(options)).ok()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"diagnose_fail_on": "always"}, "value of diagnose_fail_on must be one of: error, warning, never"),
        ({"diagnose_namespaces": "no-such-namespace"}, "there is no namespace no-such-namespace"),
        ({"site_diagnostics_log_lines": 500}, "log_lines: 500 is outside 0 to 100"),
    ],
    ids=["fail-on", "namespace", "log-lines"],
)
def test_bad_options(inventory: Path, cluster: Any, options: dict[str, Any], words: str) -> None:
    run = run_playbook(CHECKOUT / "playbooks/diagnose.yml", "-i", inventory, "-e", json.dumps(options))
    assert run.returncode != 0
    assert words in " ".join(run.output.split())
