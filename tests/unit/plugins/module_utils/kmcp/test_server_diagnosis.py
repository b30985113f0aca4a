# SPDX-License-Identifier: GPL-3.0-or-later
"""What an MCPServer's status hides, and what only an answer shows, become findings with code, evidence and advice."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import diagnosis, readiness
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.diagnosis import Facts
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.domain import NAME, REASONS
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import known_fields
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis.snapshot import Snapshot, in_order
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.reasons import REASON_CODES
from ansible_collections.mcpops.platform.plugins.module_utils.kube.schema import UNKNOWN, structure_of, trimmed_schemas
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import targets_from

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=timezone.utc)
Item = dict[str, Any]


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def server(name: str = "echo", *, ready: bool = True, spec: Item | None = None, **metadata: Any) -> Item:
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": ago(600), "message": "available"}]
    own = {"name": name, "namespace": "mcp", "generation": 2, "creationTimestamp": ago(900), **metadata}
    default = {"transportType": "http", "httpTransport": {"targetPort": 3000}, "deployment": {"port": 3000}}
    return {
        "apiVersion": "kagent.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": own,
        "spec": {**default, **(spec or {})},
        "status": {"observedGeneration": 2, "conditions": conditions},
    }


def deployment(available: int = 1, replicas: int = 1, since: float = 600, name: str = "echo") -> Item:
    stands = {"type": "Available", "status": str(available >= replicas), "lastTransitionTime": ago(since)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "mcp", "creationTimestamp": ago(900)},
        "spec": {"replicas": replicas},
        "status": {"availableReplicas": available, "conditions": [stands]},
    }


def service(name: str = "echo") -> Item:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "mcp"}}


def leads(ready: bool = True) -> Item:
    labels = {"kubernetes.io/service-name": "echo"}
    ends = [{"conditions": {"ready": ready}}]
    return {"kind": "EndpointSlice", "metadata": {"name": "x", "namespace": "mcp", "labels": labels}, "endpoints": ends}


def controller() -> Item:
    labels = {"app.kubernetes.io/name": "kmcp", "control-plane": "controller-manager"}
    found = deployment(name="kmcp-controller-manager")
    return {**found, "metadata": {"name": "kmcp-controller-manager", "namespace": "kmcp-system", "labels": labels}}


def snapshot(*items: Item, namespaces: frozenset[str] | None = None, **facts: Any) -> Snapshot:
    kinds = ("MCPServer", "Deployment", "Service", "EndpointSlice", "Pod", "Node")
    objects: dict[str, list[Item]] = {kind: [] for kind in kinds}
    for one in (*items, controller()):
        objects[one["kind"]].append(one)
    return Snapshot(objects, NOW, namespaces, facts={NAME: Facts(**facts)}, codes={**REASON_CODES, **REASONS})


def found(*items: Item, **facts: Any) -> dict[str, Item]:
    seen = snapshot(*items, **facts)
    rows = [one.to_dict() for one in in_order(diagnosis.kmcp_findings(seen), seen.codes)]
    return {row["id"]: row for row in rows}


WHOLE = (deployment(), service(), leads())
STICKY: dict[str, tuple[tuple[Item, ...], str]] = {
    "no Deployment": ((service(), leads()), "its Deployment does not exist"),
    "no Service": ((deployment(), leads()), "its Service does not exist"),
    "nothing at all": ((), "its Deployment and its Service do not exist"),
    "crashed pods": ((deployment(0), service(), leads(False)), "0 of 1 replicas of its Deployment are available"),
    "one of two": ((deployment(1, 2), service(), leads()), "1 of 2 replicas"),
    "scaled by hand": ((deployment(0, 0), service(), leads(False)), "its Deployment is scaled to none"),
    "endpoints that are not ready": ((deployment(), service(), leads(False)), "selects none of its pods"),
}


@pytest.mark.parametrize(("children", "words"), STICKY.values(), ids=STICKY.keys())
def test_a_ready_that_nobody_takes_back(children: tuple[Item, ...], words: str) -> None:
    [(identifier, row)] = found(server(), *children).items()
    assert identifier == "StickyReady/mcp/MCPServer/echo"
    assert words in row["summary"] and "KMCP does not look at it again" in row["summary"]
    assert row["evidence"][0]["text"].startswith(f"Ready=True since {ago(600)}: available")
    assert "mcp_servers" in row["advice"]


NOT_STICKY: dict[str, tuple[Item, ...]] = {
    "all is there": (server(), *WHOLE),
    "not ready, and says so": (server(ready=False),),
    "pods that were just replaced": (server(), deployment(0, since=10), service(), leads(False)),
    "a change that was not looked at yet": (server(generation=3, creationTimestamp=ago(1)),),
}


@pytest.mark.parametrize("items", NOT_STICKY.values(), ids=NOT_STICKY.keys())
def test_what_is_so_or_passes_is_no_finding(items: tuple[Item, ...]) -> None:
    assert found(*items) == {}


def test_one_that_the_controller_cannot_read_is_named_and_the_others_follow_from_it() -> None:
    poison = server("theirs", ready=False, spec={"deployment": {"port": 70000}}, namespace="other")
    poison["status"] = {}
    waiting = server("ours", generation=3)
    rows = found(poison, waiting, deployment(name="ours"), service("ours"), namespaces=frozenset({"mcp"}))
    assert list(rows) == ["ControllerBehind/mcp/MCPServer/ours", "UnreadableServer/other/MCPServer/theirs"]
    behind, culprit = rows.values()
    assert behind["caused_by"] == ["UnreadableServer/other/MCPServer/theirs"]
    assert behind["advice"] == "Deal with what it follows from."
    assert "spec.deployment.port is 70000" in culprit["summary"]
    assert culprit["evidence"] == [{"source": "status", "text": "MCPServer mcp/ours waits for it"}]


def applied(**spec: Any) -> dict[str, str]:
    text = json.dumps({"apiVersion": "kagent.dev/v1alpha1", "kind": "MCPServer", "spec": spec})
    return {diagnosis.LAST_APPLIED: text}


PRUNED: dict[str, tuple[Item, tuple[str, ...], str]] = {
    "an old definition": (
        {"timeout": "45s", "deployment": {"port": 3000}},
        ("spec.timeout",),
        "spec.timeout, and lacks: the definition does not have them",
    ),
    "below a field that it lacks": (
        {"deployment": {"port": 3000, "resources": {"limits": {"cpu": "1"}}}},
        ("spec.deployment.resources",),
        "spec.deployment.resources, and lacks: the definition",
    ),
    "a misspelt field": (
        {"deployment": {"port": 3000, "imgae": "x:1"}},
        (),
        "spec.deployment.imgae, and lacks: it has no such fields",
    ),
}


@pytest.mark.parametrize(("spec", "lacking", "words"), PRUNED.values(), ids=PRUNED.keys())
def test_fields_that_were_applied_and_are_not_stored(spec: Item, lacking: tuple[str, ...], words: str) -> None:
    rows = found(server(annotations=applied(**spec)), *WHOLE, lacking=lacking)
    row = rows["FieldsPruned/mcp/MCPServer/echo"]
    assert words in row["summary"]


@pytest.mark.parametrize(
    "spec",
    [
        {"transportType": "http", "deployment": {"port": 3000, "args": [], "env": {}}},
        {"httpTransport": {"targetPort": 3000, "tls": {"insecureSkipVerify": False}}, "deployment": {"port": 3000}},
    ],
    ids=["empty values", "false"],
)
def test_what_is_stored_or_says_nothing_is_not_called_pruned(spec: Item) -> None:
    stored = server(annotations=applied(**spec))
    stored["spec"]["httpTransport"] = {"targetPort": 3000, "tls": {}}
    assert found(stored, *WHOLE) == {}
    assert found(server(annotations={diagnosis.LAST_APPLIED: "{cut off"}), *WHOLE) == {}


def definition(*without: str) -> Any:
    """The structure of an MCPServer that has all known fields but these."""
    root: Item = {"type": "object", "properties": {}}
    root["x-kubernetes-group-version-kind"] = [{"group": "kagent.dev", "version": "v1alpha1", "kind": "MCPServer"}]
    for path in known_fields():
        place = root
        for step in path.split("."):
            if path in without and step == path.rpartition(".")[2]:
                break
            place = place["properties"].setdefault(step, {"type": "object", "properties": {}})
    schemas = trimmed_schemas({"components": {"schemas": {"MCPServer": root}}})
    return structure_of(lambda: schemas, "kagent.dev/v1alpha1", "MCPServer")


def test_an_old_definition_is_told_by_the_fields_that_it_lacks() -> None:
    assert diagnosis.missing_fields(definition()) == []
    assert diagnosis.missing_fields(UNKNOWN) == []
    old = diagnosis.missing_fields(definition("spec.timeout", "spec.deployment.sidecars"))
    assert old == ["spec.timeout", "spec.deployment.sidecars"]
    row = found(server(), *WHOLE, lacking=tuple(old))["OldDefinition/CustomResourceDefinition/mcpservers.kagent.dev"]
    assert (row["severity"], "lacks spec.timeout, spec.deployment.sidecars" in row["summary"]) == ("warning", True)


PORTS: dict[str, tuple[Item, list[str]]] = {
    "one port": ({"deployment": {"port": 3000, "args": ["--port", "3000"], "env": {"PORT": "3000"}}}, []),
    "target port": (
        {"httpTransport": {"targetPort": 8080}},
        ["httpTransport.targetPort is 8080, and KMCP's Service leads to deployment.port, 3000"],
    ),
    "the default port": (
        {"httpTransport": {"targetPort": 8080}, "deployment": {}},
        ["httpTransport.targetPort is 8080, and KMCP's Service leads to deployment.port, 3000"],
    ),
    "arguments": ({"deployment": {"port": 3000, "args": ["--port", "8080"]}}, ["its arguments set --port 8080"]),
    "argument in one": (
        {"deployment": {"port": 3000, "args": ["--http-port=81"]}},
        ["its arguments set --http-port=81"],
    ),
    "ports of something else": (
        {"deployment": {"port": 3000, "args": ["--metrics-port", "9090"], "env": {"DB_PORT": "5432", "REPORT": "1"}}},
        [],
    ),
    "environment": (
        {"deployment": {"port": 3000, "env": {"FASTMCP_PORT": "8000", "REPORT": "1"}}},
        ["its environment sets FASTMCP_PORT=8000"],
    ),
    "behind the adapter, which has its own": (
        {"transportType": "stdio", "deployment": {"port": 3000, "args": ["--port", "8080"]}},
        [],
    ),
}


@pytest.mark.parametrize(("spec", "stated"), PORTS.values(), ids=PORTS.keys())
def test_ports_that_do_not_agree(spec: Item, stated: list[str]) -> None:
    assert readiness.declared_ports(server(spec=spec)) == stated
    rows = found(server(spec=spec), *WHOLE)
    assert [(row["code"], row["severity"]) for row in rows.values()] == (
        [("PortMismatch", "warning")] if stated else []
    )


def answer(code: str, message: str = "why", hint: str = "Do this.") -> Item:
    error = {"code": code, "message": message, "hint": hint}
    return {"name": "echo", "namespace": "mcp", "reachable": False, "error": error}


ANSWERS = {
    "SessionLost": "SessionLost",
    "Misdirected": "HostRefused",
    "EraMismatch": "EraMismatch",
    "ProtocolVersion": "EraMismatch",
    "ConnectionRefused": "PortMismatch",
    "NotMcp": "NotAnswering",
    "ReplicasDiffer": "NotAnswering",
    "Timeout": "NotAnswering",
}


@pytest.mark.parametrize(("verdict", "code"), ANSWERS.items())
def test_an_answer_becomes_a_finding(verdict: str, code: str) -> None:
    rows = found(server(), *WHOLE, answers={("mcp", "echo"): answer(verdict)})
    [(identifier, row)] = rows.items()
    assert identifier == f"{code}/mcp/MCPServer/echo"
    assert row["evidence"][0] == {"source": "call", "text": f"asked at port 3000 of its Service ({verdict}): why"}
    assert (row["severity"], row["advice"]) == ("error", "Do this.")


@pytest.mark.parametrize("verdict", ["Unauthorized", "Forbidden", "NoEndpoints", "ProxyForbidden", "Busy"])
def test_what_says_nothing_of_the_server_is_no_finding(verdict: str) -> None:
    assert found(server(), *WHOLE, answers={("mcp", "echo"): answer(verdict)}) == {}


def test_a_refused_connection_names_the_port_that_the_settings_say() -> None:
    spec = {"deployment": {"port": 3000, "args": ["--port", "8080"]}}
    rows = found(server(spec=spec), *WHOLE, answers={("mcp", "echo"): answer("ConnectionRefused")})
    [row] = rows.values()
    assert row["severity"] == "error"
    assert row["summary"].endswith(
        "does not listen on port 3000, where KMCP's Service leads: its arguments set --port 8080"
    )
    answered = {"name": "echo", "namespace": "mcp", "reachable": True}
    assert found(server(spec=spec), *WHOLE, answers={("mcp", "echo"): answered}) == {}


@pytest.mark.parametrize("verdict", ["ConnectionRefused", "Timeout", "NotMcp"])
def test_a_program_that_starts_is_given_time(verdict: str) -> None:
    young = (deployment(since=5), service(), leads())
    assert found(server(), *young, answers={("mcp", "echo"): answer(verdict)}) == {}
    rows = found(server(), *young, answers={("mcp", "echo"): answer("Misdirected")})
    assert list(rows) == ["HostRefused/mcp/MCPServer/echo"]


def test_who_may_not_ask_is_told() -> None:
    refused = {("mcp", "echo"): answer("ProxyForbidden")}
    assert diagnosis.unread_note(refused) == "may not be asked through the API server's proxy"
    assert diagnosis.unread_note({}) == ""


def test_only_servers_whose_pods_run_are_asked_as_their_declaration_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def converge(task: Any) -> Any:
        asked.extend(task.params["servers"])
        assert task.check_mode is True

        class Result:
            values = {"servers": [{**one, "reachable": True} for one in task.params["servers"]]}

        return Result()

    monkeypatch.setattr(diagnosis.mcp_probe, "converge", converge)
    items = [
        server("on", spec={"httpTransport": {"targetPort": 81, "path": "/x"}, "deployment": {"port": 81}}),
        server("off"),
        server("gone", deletionTimestamp=ago(1)),
        server("new", generation=9),
        *(deployment(name=name) for name in ("on", "gone", "new")),
        deployment(0, name="off"),
    ]
    hints = [
        {"name": "on", "namespace": "elsewhere", "era": "modern"},
        {"name": "on", "namespace": "mcp", "era": "legacy", "headers": {"X-Key": "k"}, "tool": "t"},
    ]

    rows = diagnosis.ask_servers(FakeTask({"kubeconfig": "x"}), snapshot(*items), hints)
    entry = {"name": "on", "namespace": "mcp", "port": 81, "path": "/x", "era": "legacy", "headers": {"X-Key": "k"}}
    assert asked == [entry]
    assert list(rows) == [("mcp", "on")]


@pytest.mark.parametrize(
    ("path", "asked"), [("mcp", "/mcp"), ("/a/../b", "/mcp"), ("/a b", "/mcp"), ("//x", "/mcp"), ("/api", "/api")]
)
def test_a_server_with_a_path_that_nobody_can_ask_does_not_end_the_diagnosis_of_others(path: str, asked: str) -> None:
    entry = diagnosis._entry(server(spec={"httpTransport": {"path": path}}), [])
    [target] = targets_from({"servers": [entry], "wait_timeout": 0, "timeout": 5})
    assert target.path == asked
