# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from localcloud.kube.readiness import dns_reason, node_reason

BEFORE, SINCE, AFTER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"


def node(status: str, heartbeat: str) -> dict[str, Any]:
    ready = {"type": "Ready", "status": status, "lastHeartbeatTime": heartbeat, "message": "container runtime down"}
    return {"status": {"conditions": [{"type": "DiskPressure", "status": "False"}, ready]}}


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        pytest.param(None, "registered", id="absent"),
        pytest.param({"status": {}}, "not reported", id="no condition yet"),
        pytest.param(node("True", BEFORE), "not reported", id="ready before the restart"),
        pytest.param(node("False", AFTER), "container runtime down", id="not ready"),
        pytest.param(node("Unknown", AFTER), "not Ready", id="unknown"),
    ],
)
def test_a_node_that_is_not_ready_has_a_reason(observed: dict[str, Any] | None, reason: str) -> None:
    assert reason in node_reason(observed, SINCE)


@pytest.mark.parametrize("heartbeat", [SINCE, AFTER])
def test_a_fresh_heartbeat_is_ready(heartbeat: str) -> None:
    assert node_reason(node("True", heartbeat), SINCE) == ""


def pod(ready: str, **state: Any) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": "Ready", "status": ready}], "containerStatuses": [{"state": state}]}}


def test_dns_is_ready_when_a_container_of_this_start_is() -> None:
    assert dns_reason([pod("True", running={"startedAt": AFTER})], SINCE) == ""
    assert (
        dns_reason([pod("True", running={"startedAt": BEFORE}), pod("True", running={"startedAt": AFTER})], SINCE) == ""
    )


@pytest.mark.parametrize(
    "pods",
    [
        pytest.param([], id="no pod"),
        pytest.param([{"status": {}}], id="not scheduled"),
        pytest.param([pod("False", running={"startedAt": AFTER})], id="not ready"),
        pytest.param([pod("True", running={"startedAt": BEFORE})], id="what was true before the restart"),
    ],
)
def test_dns_is_not_ready(pods: list[dict[str, Any]]) -> None:
    assert dns_reason(pods, SINCE) == "CoreDNS is not ready"


def test_why_dns_waits_is_told() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "connection refused"}
    assert "ImagePullBackOff: connection refused" in dns_reason([pod("False", waiting=waiting)], SINCE)
