# SPDX-License-Identifier: GPL-3.0-or-later
"""KMCP on the cluster that integration tests share, installed by the module under test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from support.playbook import run_tasks


def install(cloud: Any, cluster: Any) -> None:
    """Idempotent: the first test that needs KMCP pays for it."""
    options = {
        "chart_repository": f"oci://{cloud.registry}/kagent-dev/kmcp/helm",
        "ca_file": cloud.environment["registry_ca_file"],
        "wait_timeout": 180,
    }
    run(cloud, cluster, {"mcpops.platform.kmcp_install": options})


def run(cloud: Any, cluster: Any, task: Mapping[str, Any]) -> None:
    """One task against the shared cluster, for fixtures that live longer than a test."""
    groups = {"group/mcpops.platform.kubernetes": {"kubeconfig": str(cluster.kubeconfig)}}
    run_tasks([task], play={"environment": cloud.process_environment(), "module_defaults": groups}).ok()
