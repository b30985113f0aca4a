# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of MCP servers that their status hides, each caused for real: real controller, real pods, real answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.playbook import CHECKOUT, LOCAL_HOST, run_playbook
from support.workloads import until

from .conftest import Diagnose, apply, found, shown

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.usefixtures("kmcp")]

SECONDS = 150.0
CRD = "mcpservers.kagent.dev"
CONTROLLER = ("deployment/kmcp-controller-manager", "-n", "kmcp-system")
# a server of the SDK, with the settings that make the fault
SERVER = """
from mcp.server.fastmcp import FastMCP
from mcp.server.transport_security import TransportSecuritySettings as Security
server = FastMCP(
    "told", host="0.0.0.0", port={port}, streamable_http_path="/mcp", stateless_http={stateless},
    transport_security=Security(enable_dns_rebinding_protection={guarded}, allowed_hosts=["localhost:*"]),
)
@server.tool()
def echo(text: str) -> str:
    return text
server.run(transport="streamable-http")
"""


def program(*, port: int = 3000, stateless: bool = True, guarded: bool = False) -> list[str]:
    return ["-c", SERVER.format(port=port, stateless=stateless, guarded=guarded)]


def server(cloud: Any, name: str, **fields: Any) -> dict[str, Any]:
    """An MCPServer over HTTP whose program is given with `args`, the echo server's without."""
    deployment: dict[str, Any] = {"image": f"{cloud.registry}/echo-mcp:1.0.0", "port": 3000, **fields}
    if "args" in fields:
        deployment["cmd"] = "python"
    return {
        "apiVersion": "kagent.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": name},
        "spec": {
            "transportType": "http",
            "httpTransport": {"targetPort": 3000, "path": "/mcp"},
            "deployment": deployment,
        },
    }


def await_ready(cluster: Any, namespace: str, *names: str) -> None:
    """What the controller says; that it is not to be believed is what these tests are about."""
    for name in names:
        cluster.kubectl("wait", f"{CRD}/{name}", "-n", namespace, "--for=condition=Ready", "--timeout=120s")


def look_for(diagnose: Diagnose, identifier: str, **args: Any) -> dict[str, Any]:
    result = until(lambda: diagnose(**args), lambda seen: found(seen, identifier) is not None, SECONDS)
    one = found(result, identifier)
    assert one is not None, [each["id"] for each in result["findings"]]
    assert one["advice"] and one["evidence"], one
    return one


def codes(result: dict[str, Any]) -> set[str]:
    return {one["code"] for one in result["findings"] if one["object"]["kind"] == "MCPServer"}


def test_a_ready_that_stays_although_nothing_is_left(
    diagnose: Diagnose, cloud: Any, cluster: Any, make_namespace: Callable[..., str]
) -> None:
    namespace = make_namespace("sticky")
    apply(cluster, namespace, [server(cloud, name) for name in ("gone", "cut", "well")])
    await_ready(cluster, namespace, "gone", "cut", "well")
    assert codes(diagnose(namespaces=[namespace], probe=True)) == set()
    cluster.kubectl("delete", "deployment", "gone", "-n", namespace)
    cluster.kubectl("delete", "service", "cut", "-n", namespace)
    gone = look_for(diagnose, f"StickyReady/{namespace}/MCPServer/gone", namespaces=[namespace])
    assert "its Deployment does not exist" in gone["summary"]
    assert "Ready=True since" in shown(gone)
    cut = look_for(diagnose, f"StickyReady/{namespace}/MCPServer/cut", namespaces=[namespace])
    assert "its Service does not exist" in cut["summary"]
    after = diagnose(namespaces=[namespace])
    assert found(after, f"StickyReady/{namespace}/MCPServer/well") is None
    # and the controller still says so
    await_ready(cluster, namespace, "gone", "cut")


def test_a_ready_that_stays_while_the_pods_crash(
    diagnose: Diagnose, cloud: Any, cluster: Any, make_namespace: Callable[..., str]
) -> None:
    namespace = make_namespace("crashing")
    apply(cluster, namespace, [server(cloud, "dies")])
    await_ready(cluster, namespace, "dies")
    # an edit after which no pod starts any more
    edit = [
        {"op": "replace", "path": "/spec/strategy", "value": {"type": "Recreate"}},
        {"op": "add", "path": "/spec/template/spec/containers/0/command", "value": ["sh", "-c", "exit 3"]},
    ]
    cluster.kubectl("patch", "deployment", "dies", "-n", namespace, "--type=json", "-p", json.dumps(edit))
    dies = look_for(diagnose, f"StickyReady/{namespace}/MCPServer/dies", namespaces=[namespace])
    assert "0 of 1 replicas of its Deployment are available" in dies["summary"]
    await_ready(cluster, namespace, "dies")


@contextmanager
def definition_without(cluster: Any, *fields: str) -> Iterator[None]:
    """CustomResourceDefinition as an older release has it: without these fields of spec."""
    place = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties"
    (version,) = cluster.get("crd", CRD)["spec"]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]

    def patch(*operations: dict[str, Any]) -> None:
        cluster.kubectl("patch", "crd", CRD, "--type=json", "-p", json.dumps(operations))

    patch(*({"op": "remove", "path": f"{place}/{field}"} for field in fields))
    try:
        yield
    finally:
        patch(*({"op": "add", "path": f"{place}/{field}", "value": properties[field]} for field in fields))


def test_fields_that_an_old_definition_drops(
    diagnose: Diagnose, cloud: Any, cluster: Any, make_namespace: Callable[..., str]
) -> None:
    namespace = make_namespace("pruned")
    with definition_without(cluster, "timeout"):
        slow = server(cloud, "slow", replicas=0)
        slow["spec"]["timeout"] = "90s"

        def stored() -> dict[str, Any]:
            # until every part of the API server has the new definition, the old one may take it
            cluster.kubectl("delete", CRD, "slow", "-n", namespace, "--ignore-not-found")
            cluster.kubectl("apply", "-n", namespace, "--validate=false", "-f", "-", stdin=json.dumps(slow))
            found: dict[str, Any] = cluster.get(CRD, "slow", "-n", namespace)["spec"]
            return found

        assert "timeout" not in until(stored, lambda seen: "timeout" not in seen, SECONDS)
        old = look_for_any(diagnose, f"OldDefinition/CustomResourceDefinition/{CRD}", namespaces=[namespace])
        assert "lacks spec.timeout" in old["summary"]
        pruned = look_for_any(diagnose, f"FieldsPruned/{namespace}/MCPServer/slow", namespaces=[namespace])
        assert "was applied with spec.timeout" in pruned["summary"]
        assert "the definition does not have them" in pruned["summary"]
    back = until(
        lambda: diagnose(namespaces=[namespace]), lambda seen: "OldDefinition" not in every_code(seen), SECONDS
    )
    assert "OldDefinition" not in every_code(back)


def every_code(result: dict[str, Any]) -> set[str]:
    return {one["code"] for one in result["findings"]}


def look_for_any(diagnose: Diagnose, identifier: str, **args: Any) -> dict[str, Any]:
    """As look_for; the summary itself is what shows it."""
    result = until(lambda: diagnose(**args), lambda seen: found(seen, identifier) is not None, SECONDS)
    one = found(result, identifier)
    assert one is not None, [each["id"] for each in result["findings"]]
    assert one["advice"]
    return one


def test_a_server_that_listens_elsewhere(
    diagnose: Diagnose, cloud: Any, cluster: Any, make_namespace: Callable[..., str]
) -> None:
    namespace = make_namespace("ports")
    elsewhere = server(cloud, "elsewhere", env={"PORT": "8080"})
    decorated = server(cloud, "decorated")
    decorated["spec"]["httpTransport"]["targetPort"] = 8080
    apply(cluster, namespace, [elsewhere, decorated])
    await_ready(cluster, namespace, "elsewhere", "decorated")
    unasked = look_for(diagnose, f"PortMismatch/{namespace}/MCPServer/decorated", namespaces=[namespace])
    assert (unasked["severity"], "httpTransport.targetPort is 8080" in unasked["summary"]) == ("warning", True)
    asked = look_for(diagnose, f"PortMismatch/{namespace}/MCPServer/elsewhere", namespaces=[namespace], probe=True)
    refused = until(
        lambda: diagnose(namespaces=[namespace], probe=True),
        lambda seen: (found(seen, asked["id"]) or {}).get("severity") == "error",
        SECONDS,
    )
    one = found(refused, asked["id"])
    assert one is not None
    assert "does not listen on port 3000" in one["summary"] and "PORT=8080" in one["summary"]
    assert "ConnectionRefused" in shown(one)
    # of one that answers, a number that KMCP does not use is no fault
    assert found(refused, f"PortMismatch/{namespace}/MCPServer/decorated") is None


def test_an_adapter_whose_image_cannot_be_pulled_is_not_blamed_on_the_server(
    diagnose: Diagnose, cloud: Any, cluster: Any, make_namespace: Callable[..., str]
) -> None:
    namespace = make_namespace("adapter")
    stdio = server(
        cloud, "behind", cmd="python", args=["-m", "server"], initContainer={"image": f"{cloud.registry}/no/adapter:1"}
    )
    stdio["spec"] |= {"transportType": "stdio", "stdioTransport": {}}
    del stdio["spec"]["httpTransport"]
    apply(cluster, namespace, [stdio])
    one = look_for_any(diagnose, f"ImagePull/{namespace}/Deployment/behind/copy-binary", namespaces=[namespace])
    assert "KMCP's adapter for stdio servers" in one["summary"]
    assert "no/adapter:1" in shown(one)
    assert "This is not the server's own image" in one["advice"]


def test_sessions_that_replicas_do_not_share(
    diagnose: Diagnose, cloud: Any, cluster: Any, make_namespace: Callable[..., str]
) -> None:
    namespace = make_namespace("sessions")
    keeps = server(cloud, "keeps", args=program(stateless=False), replicas=2)
    apply(cluster, namespace, [keeps, server(cloud, "none", replicas=2)])
    await_ready(cluster, namespace, "keeps", "none")
    lost = look_for(diagnose, f"SessionLost/{namespace}/MCPServer/keeps", namespaces=[namespace], probe=True)
    assert lost["severity"] == "error"
    assert "SessionLost" in shown(lost)
    answers = diagnose(namespaces=[namespace], probe=True)
    assert found(answers, f"SessionLost/{namespace}/MCPServer/none") is None


def test_a_server_that_refuses_the_name_of_its_service(
    diagnose: Diagnose, cloud: Any, cluster: Any, make_namespace: Callable[..., str]
) -> None:
    namespace = make_namespace("hosts")
    apply(cluster, namespace, [server(cloud, "guarded", args=program(guarded=True))])
    await_ready(cluster, namespace, "guarded")
    one = look_for(diagnose, f"HostRefused/{namespace}/MCPServer/guarded", namespaces=[namespace], probe=True)
    assert "HTTP 421" in one["summary"]
    assert "Misdirected" in shown(one)


def test_a_server_of_another_era_than_its_clients(
    diagnose: Diagnose, cloud: Any, cluster: Any, make_namespace: Callable[..., str], tmp_path: Path
) -> None:
    namespace = make_namespace("eras")
    apply(cluster, namespace, [server(cloud, "old"), server(cloud, "fits")])
    await_ready(cluster, namespace, "old", "fits")
    stated = [{"name": "old", "namespace": namespace, "era": "modern"}, {"name": "fits", "era": "legacy"}]
    one = look_for(
        diagnose,
        f"EraMismatch/{namespace}/MCPServer/old",
        namespaces=[namespace],
        probe=True,
        probe_servers=stated,
    )
    assert "EraMismatch" in shown(one)
    assert (
        found(diagnose(namespaces=[namespace], probe=True, probe_servers=stated), one["id"].replace("old", "fits"))
        is None
    )

    # the playbook takes it from the declared calls
    inventory = tmp_path / "hosts.json"
    variables = {
        **LOCAL_HOST,
        "mcpops_kubeconfig": str(cluster.kubeconfig),
        "mcpops_mcp_namespace": namespace,
        "mcpops_mcp_servers": [{"name": "old"}, {"name": "fits"}],
        "mcpops_mcp_calls": [{"server": "old", "era": "modern"}],
        "diagnose_namespaces": namespace,
    }
    hosts = {"all": {"children": {"clusters": {"hosts": {"one": variables}}}}}
    inventory.write_text(json.dumps(hosts), encoding="utf-8")
    run = run_playbook(CHECKOUT / "playbooks/diagnose.yml", "-i", inventory).ok()
    assert f"ERROR EraMismatch: MCPServer {namespace}/old" in run.output
    assert f"MCPServer {namespace}/fits" not in run.output


def test_one_server_that_nobody_can_read_stops_all_and_is_named_from_another_namespace(
    diagnose: Diagnose, cloud: Any, cluster: Any, make_namespace: Callable[..., str]
) -> None:
    theirs, ours = make_namespace("theirs"), make_namespace("ours")
    poison = server(cloud, "poison", replicas=0)
    poison["spec"]["timeout"] = "soon"
    apply(cluster, theirs, [poison])
    try:
        # a controller that starts now never gets its list
        cluster.kubectl("rollout", "restart", *CONTROLLER)
        apply(cluster, ours, [server(cloud, "waiting", replicas=0)])
        culprit = f"UnreadableServer/{theirs}/MCPServer/poison"
        one = look_for(diagnose, culprit, namespaces=[ours])
        assert "spec.timeout is 'soon'" in one["summary"]
        assert f"MCPServer {ours}/waiting waits for it" in shown(one)
        behind = look_for_any(diagnose, f"ControllerBehind/{ours}/MCPServer/waiting", namespaces=[ours])
        assert behind["caused_by"] == [culprit]
        # the controller's own words, where its pods may be looked at
        reported = until(lambda: diagnose(), lambda seen: "soon" in shown_log(found(seen, culprit)), SECONDS)
        assert "soon" in shown_log(found(reported, culprit))
    finally:
        cluster.kubectl("delete", CRD, "poison", "-n", theirs)
        cluster.kubectl("rollout", "restart", *CONTROLLER)
        cluster.kubectl("rollout", "status", *CONTROLLER, "--timeout=120s")
    healed = until(lambda: diagnose(namespaces=[ours]), lambda seen: not every_code(seen) & KMCP, SECONDS)
    assert every_code(healed) & KMCP == set()


KMCP = {"UnreadableServer", "ControllerBehind"}


def shown_log(finding: dict[str, Any] | None) -> str:
    rows = [one["text"] for one in (finding or {}).get("evidence", []) if one["source"] == "log"]
    return "\n".join(rows)
