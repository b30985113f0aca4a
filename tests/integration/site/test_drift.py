# SPDX-License-Identifier: GPL-3.0-or-later
"""drift.yml as a user runs it, on what was really changed by hand."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.identity import ClientSecretCredential
from azure.mgmt.containerservice import ContainerServiceClient
from support.playbook import BIN
from support.snapshot import snapshot

from ..conftest import Cloud
from .conftest import Site
from .drift_runs import Drift, inventory_of

pytestmark = pytest.mark.integration


def test_drift_is_reported_redacted_and_not_touched_then_repaired(site: Site, drift: Drift) -> None:
    site.settle()
    clean = snapshot(site.kubectl)
    # not all that tests of one drift have: an edited server makes KMCP look at it again, and restore the Service itself
    site.kubectl("delete", "service", "echo", "-n", "mcp")
    site.kubectl("label", "namespace", "mcp", "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    try:
        drifted, azure, cluster = snapshot(site.kubectl), site.azure_writes(), site.cluster_writes()
        run = drift.run()
        assert run.returncode == 2, run.output
        assert snapshot(site.kubectl) == drifted
        assert (site.azure_writes(), site.cluster_writes()) == (azure, cluster)
        assert drift.host("local")["state"] == "in_sync"
        reported = {difference["object"]: difference for difference in drift.host("local-1")["differences"]}
        (leaf,) = reported["Namespace mcp"]["leaves"]
        assert (leaf["before"], leaf["after"]) == ("privileged", "restricted")
        assert "Service" in json.dumps(reported["MCPServer mcp/echo"]["leaves"])
        # what a person sees: the summary, and no task of the site
        assert '"privileged" → "restricted"' in run.output
        assert "1 of 2 hosts is as declared; 1 drifted." in run.output
        assert "Create or update the cluster" not in run.output
        assert "Verdict: drift." in run.output
        assert "local-1: drift: 2 objects not as declared" in run.output
        secret = (site.state / "client-secret").read_text(encoding="ascii").strip()
        page = (drift.directory / "report/drift-report.html").read_text(encoding="utf-8")
        assert secret not in page + run.output + json.dumps(drift.report)
        assert "privileged" in page
        assert {path.stat().st_mode & 0o777 for path in (drift.directory / "report").iterdir()} == {0o600}
    except BaseException:
        site.run().ok()
        raise
    site.shows_and_repairs(clean, ["Service", "echo", "pod-security.kubernetes.io/enforce", "privileged", "restricted"])


@pytest.mark.slow
def test_a_site_as_declared_ends_well(site: Site, drift: Drift) -> None:
    run = drift.run().ok()
    assert run.changed == []
    assert (drift.report["summary"]["fine"], drift.report["summary"]["verdict"]) == (True, "clean")
    assert "2 of 2 hosts are as declared." in run.output


@pytest.mark.slow
def test_repair_makes_it_as_declared_and_says_what_it_was(site: Site, drift: Drift) -> None:
    site.settle()
    clean = snapshot(site.kubectl)
    patch = '{"spec":{"deployment":{"env":{"X":"1"}}}}'
    site.kubectl("patch", "mcpserver", "echo", "-n", "mcp", "--type=merge", "-p", patch)
    run = drift.run("-e", "drift_repair=true").ok()
    assert "Repairing local-1" in run.output
    assert drift.host("local-1")["state"] == "repaired"
    (difference,) = drift.host("local-1")["differences"]
    assert difference["changed_by"] == ["kubectl-patch"]
    assert snapshot(site.kubectl) == clean
    drift.run().ok()


@pytest.mark.slow
def test_repair_in_check_mode_repairs_nothing(site: Site, drift: Drift) -> None:
    site.kubectl("delete", "service", "echo", "-n", "mcp")
    drifted, writes = snapshot(site.kubectl), site.cluster_writes()
    assert drift.run("--check", "-e", "drift_repair=true").returncode == 2
    assert snapshot(site.kubectl) == drifted and site.cluster_writes() == writes
    site.run().ok()


@pytest.fixture
def odd_clusters(site: Site, tmp_path: Path) -> Iterator[Path]:
    """Beside local-1: a cluster that never was, one whose group is gone, and one whose kubeconfig leads nowhere."""
    kubeconfig = {"mcpops_kubeconfig": str(tmp_path / "{{ inventory_hostname }}.kubeconfig")}
    yield inventory_of(
        tmp_path / "inventory",
        **{
            "local-1": {},
            "never-made": kubeconfig,
            "group-gone": {**kubeconfig, "mcpops_resource_group": "rg-that-is-gone"},
        },
    )


@pytest.mark.slow
def test_a_cluster_that_is_gone_is_reported_and_the_others_are_compared(
    site: Site, drift: Drift, odd_clusters: Path
) -> None:
    writes = site.azure_writes()
    run = drift.run("-e", "drift_repair=true", inventory=odd_clusters)
    assert run.returncode == 2, run.output
    assert {host["name"]: host["state"] for host in drift.report["hosts"]} == {
        "local": "in_sync",
        "local-1": "in_sync",
        "never-made": "gone",
        "group-gone": "gone",
    }
    assert site.azure_writes() == writes, "repair must not create a cluster anew"
    assert "never-made: drift: the cluster is gone. ansible-playbook mcpops.platform.site" in run.output


@pytest.mark.slow
def test_a_stopped_cluster_is_reported(site: Site, drift: Drift, cloud: Cloud) -> None:
    group, name = "rg-mcpops-local", "local-1"
    with clusters_of(cloud) as clusters:
        clusters.begin_stop(group, name).result()
        try:
            run = drift.run()
            assert run.returncode == 4
            assert "local-1: unknown: could not be compared, the cluster is stopped." in run.output
            assert drift.host(name)["state"] == "stopped", run.output
            assert drift.host(name)["command"] == f"az aks start --name {name} --resource-group {group}"
            assert drift.host("local")["state"] == "in_sync"
        finally:
            clusters.begin_start(group, name).result()
    site.run().ok()


@pytest.mark.slow
def test_an_unreachable_cluster_is_reported(cloud: Cloud, site: Site, drift: Drift) -> None:
    behind_a_proxy = {
        "REQUESTS_CA_BUNDLE": "{{ local_cloud.ca_file }}",
        "SSL_CERT_FILE": "{{ local_cloud.ca_file }}",
        # Azure and the registry are on this machine, the cluster is behind a proxy that is down
        "NO_PROXY": f"127.0.0.1,{cloud.registry.rpartition(':')[0]}",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    away = json.dumps({"mcpops_process_environment": behind_a_proxy})
    run = drift.run("-e", away)
    assert run.returncode == 4, run.output
    host = drift.host("local-1")
    assert (host["state"], host["verdict"], host["differences"]) == ("unreachable", "unknown", [])
    assert "cannot be reached through the proxy" in host["message"]
    assert (drift.host("local")["state"], drift.report["summary"]["verdict"]) == ("in_sync", "unknown")
    assert "Verdict: unknown. Nothing is known to have drifted, but local-1 could not be compared." in run.output
    assert re.search(r"^local-1 +: .*unreachable=1 +failed=0", run.output, re.M), run.output

    # what is known to have drifted is not covered by what is not known
    run = drift.run("-e", away, "-e", json.dumps({"azure_platform_tags": {"env": "other"}}))
    assert run.returncode == 2, run.output
    assert {host["name"]: host["verdict"] for host in drift.report["hosts"]} == {"local": "drift", "local-1": "unknown"}
    assert "Verdict: drift. Besides, local-1 could not be compared to the end." in run.output


@contextmanager
def clusters_of(cloud: Cloud) -> Iterator[Any]:
    """The Azure SDK's own client: what an administrator's tools do."""
    endpoint = cloud.environment["azure_endpoint"]
    authority = cloud.environment["ca_file"]
    credential = ClientSecretCredential(
        cloud.environment["tenant_id"],
        cloud.environment["client_id"],
        cloud.secret,
        authority=endpoint,
        disable_instance_discovery=True,
        connection_verify=authority,
    )
    with ContainerServiceClient(
        credential,
        cloud.subscription_id,
        base_url=endpoint,
        credential_scopes=[f"{endpoint}/.default"],
        connection_verify=authority,
    ) as client:
        yield client.managed_clusters


@pytest.mark.slow
def test_vault_extra_variables_and_a_limit_reach_the_comparison(site: Site, drift: Drift, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("of the tests", encoding="utf-8")
    place = inventory_of(tmp_path / "inventory", **{"local-1": {}, "other": {}})
    variables = place / "host_vars" / "local-1.yml"
    variables.parent.mkdir()
    variables.write_text("mcpops_location: eastus2\n", encoding="utf-8")
    vault = [f"--vault-password-file={password}"]
    subprocess.run([BIN / "ansible-vault", "encrypt", variables, *vault], check=True)
    tags = json.dumps({"mcpops_tags": {"env": "other", "system": "mcp"}})
    run = drift.run("--limit", "local-1", "-e", tags, *vault, inventory=place)
    assert run.returncode == 2, run.output
    (host,) = drift.report["hosts"]
    assert host["name"] == "local-1"
    (leaf,) = host["differences"][0]["leaves"]
    assert (leaf["path"], leaf["before"], leaf["after"]) == ("tags.env", "local", "other")


@pytest.mark.slow
def test_what_is_wrong_with_the_inventory_is_told_as_such(site: Site, drift: Drift) -> None:
    run = drift.run("-e", "mcpops_loction=nowhere")
    assert run.returncode != 0
    assert "mcpops_loction: is not known: did you mean mcpops_location?" in run.output
    assert not (drift.directory / "report/drift-report.json").exists()
