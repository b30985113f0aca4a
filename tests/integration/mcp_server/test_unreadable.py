# SPDX-License-Identifier: GPL-3.0-or-later
"""One MCPServer that KMCP's types cannot hold stops the real controller for all servers: it is found and named."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.usefixtures("kmcp")]

CRD = "mcpservers.kagent.dev"
SOUND = {"transportType": "http", "httpTransport": {"targetPort": 3000}, "deployment": {"image": "a:1", "port": 3000}}

# what somebody stored → its place
POISONOUS: dict[str, tuple[dict[str, Any], str]] = {
    "port": ({"deployment": {"image": "a:1", "port": 70000}}, "spec.deployment.port is 70000"),
    "target": ({"httpTransport": {"targetPort": -1}}, "spec.httpTransport.targetPort is -1"),
    "timeout": ({"timeout": "soon"}, "spec.timeout is 'soon'"),
    "amount": (
        {"deployment": {"image": "a:1", "resources": {"limits": {"cpu": "1e1.5"}}}},
        "spec.deployment.resources.limits.cpu is '1e1.5'",
    ),
    "replicas": ({"deployment": {"image": "a:1", "replicas": 2**31}}, "spec.deployment.replicas is 2147483648"),
    "probe": (
        {
            "deployment": {
                "image": "a:1",
                "sidecars": [{"name": "s", "image": "a:1", "livenessProbe": {"tcpSocket": {"port": 2**40}}}],
            }
        },
        "spec.deployment.sidecars[0].livenessProbe.tcpSocket.port",
    ),
}


@pytest.fixture
def elsewhere(cluster: Any) -> Iterator[str]:
    """A namespace of somebody else's; what is in it goes at once, so that the controller works again."""
    name = f"it-elsewhere-{uuid.uuid4().hex[:6]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("-n", name, "delete", CRD, "--all", "--wait=true")
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize(("spec", "words"), POISONOUS.values(), ids=POISONOUS)
def test_somebodys_server_that_stops_the_controller_is_named(
    run_task: Any, cloud: Any, cluster: Any, namespace: str, elsewhere: str, spec: dict[str, Any], words: str
) -> None:
    stored = {
        "apiVersion": "kagent.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": "poison"},
        "spec": {**SOUND, **spec},
    }
    cluster.kubectl("-n", elsewhere, "create", "-f", "-", stdin=json.dumps(stored))
    declared = {"name": "echo", "namespace": namespace, "image": f"{cloud.registry}/echo-mcp:1.0.0"}
    failed = run_task("mcp_server", {**declared, "wait_timeout": 60}, fails=True)
    assert f"MCPServer {elsewhere}/poison: the KMCP controller cannot read it" in failed["msg"]
    assert words in failed["msg"]
    assert "will not become ready by waiting" in failed["msg"]
    cluster.kubectl("-n", elsewhere, "delete", CRD, "poison")
    healed = run_task("mcp_server", {**declared, "wait_timeout": 180})
    assert healed["servers"][0]["ready_replicas"] == 1


# the API server itself keeps numbers to 64 bits
IN_RANGE: dict[str, dict[str, Any]] = {
    "user": {"securityContext": {"runAsUser": 2**63}},
    "seconds": {"tolerations": [{"key": "a", "tolerationSeconds": 2**64}]},
}


@pytest.mark.parametrize("deployment", IN_RANGE.values(), ids=IN_RANGE)
def test_what_the_api_server_refuses_itself_needs_no_rule_of_ours(
    cluster: Any, namespace: str, deployment: dict[str, Any]
) -> None:
    spec = {**SOUND, "deployment": {"image": "a:1", **deployment}}
    stored = {
        "apiVersion": "kagent.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": "poison"},
        "spec": spec,
    }
    cluster.kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(stored), check=False)
    assert cluster.get(CRD, "-n", namespace)["items"] == []
