# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles used alone, from a playbook of the user's own: they work on the host's cluster and on no other."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.other_cluster import everything_of, playing
from support.playbook import LOCAL_HOST, run_tasks

ROLES = ("cluster_setup", "kmcp", "mcp_servers", "site_verify", "site_diagnostics")


@pytest.fixture
def namespace_to_be(cluster: Any) -> Iterator[str]:
    name = f"it-alone-{uuid.uuid4().hex[:6]}"
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)


def test_every_role_alone_works_on_the_cluster_of_its_host(
    cloud: Any, cluster: Any, namespace_to_be: str, tmp_path: Path
) -> None:
    variables = {
        "mcpops_kubeconfig": str(cluster.kubeconfig),
        "mcpops_mcp_namespace": namespace_to_be,
        "mcpops_kmcp_chart_repository": f"oci://{cloud.registry}/kagent-dev/kmcp/helm",
        "mcpops_registry_ca_file": cloud.environment["registry_ca_file"],
        "mcpops_mcp_servers": [{"name": "echo", "image": f"{cloud.registry}/echo-mcp:1.0.0", "port": 3000}],
        "mcpops_mcp_calls": [{"server": "echo", "tool": "echo", "arguments": {"text": "here"}, "expect": "here"}],
        "site_diagnostics_namespaces": [namespace_to_be],
        "site_diagnostics_cluster_scope": False,
    }
    tasks = [{"name": role, "ansible.builtin.import_role": {"name": f"mcpops.platform.{role}"}} for role in ROLES]
    with playing() as other:
        run = run_tasks(
            tasks,
            hosts={"a": {**LOCAL_HOST, **variables}},
            env={**everything_of(other, tmp_path), **cloud.process_environment()},
        ).ok()
        assert other.asked == []
    assert cluster.get("mcpserver", "echo", "-n", namespace_to_be)["spec"]["deployment"]["port"] == 3000
    probe = run.of("a", "mcpops.platform.mcp_servers : Ask every MCP server for its tools and call what is declared")
    assert probe["servers"][0]["answer"] == "here"
    found = run.of("a", "mcpops.platform.site_diagnostics : Look for what is wrong")
    assert found["counts"]["error"] == 0
