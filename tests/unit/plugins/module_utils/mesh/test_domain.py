# SPDX-License-Identifier: GPL-3.0-or-later
"""What the domain of MCP Mesh says of its resource, which nothing acts upon."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.domain import judges_of
from ansible_collections.mcpops.platform.plugins.module_utils.domains import DOMAINS
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis.snapshot import Snapshot
from ansible_collections.mcpops.platform.plugins.module_utils.kube.k8s_diagnosis_info import classify
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.judge import readiness_reasons

AGENT: dict[str, Any] = {
    "apiVersion": "mesh.mcp.io/v1alpha1",
    "kind": "MCPAgent",
    "metadata": {"name": "weather", "namespace": "mesh"},
}


def test_whoever_waits_for_an_mcpagent_is_told_at_once() -> None:
    [reason] = readiness_reasons(AGENT, judges_of(DOMAINS))
    assert (reason.code, reason.terminal) == ("InertAgent", True)
    assert "mesh_agent" in reason.hint
    assert readiness_reasons({**AGENT, "apiVersion": "other.io/v1"}, judges_of(DOMAINS)) == []


def test_diagnosis_finds_one_that_stands() -> None:
    snapshot = Snapshot({"MCPAgent": [AGENT]}, datetime.now(timezone.utc))
    [found] = classify(snapshot, DOMAINS)
    assert (found.code, found.severity) == ("InertAgent", "warning")
    assert "controller" in found.advice
    assert ("mesh.mcp.io/v1alpha1", "MCPAgent") in [kind for domain in DOMAINS for kind in domain.kinds]
