# SPDX-License-Identifier: GPL-3.0-or-later
"""What converging many servers does in which order, and what one of them cannot spoil for the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.errors import (
    Failure,
    NotReady,
    Reason,
    Refused,
    ServiceError,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import mcp_server as server
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import mcp_server as server_remove
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import observe
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.observe import Waited
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import BUNDLE_LABEL
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import delete
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import BundleOutcome, ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import Read
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import ObjectRef, object_ref
from ansible_collections.mcpops.platform.plugins.module_utils.kube.schema import UNKNOWN
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result
from ansible_collections.mcpops.platform.plugins.modules import mcp_server

NEW = (Change("", ABSENT, {}),)


@dataclass
class Cluster:
    """Objects by kind and name, what the API server refuses, what does not run; and everything that was done."""

    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    members: list[dict[str, Any]] = field(default_factory=list)
    refuses: Mapping[str, ServiceError] = field(default_factory=dict)
    broken: Mapping[str, Reason] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    server: str = "https://cluster.example"

    def resource_type(self, _api_version: str, _kind: str) -> str:
        return "served"

    def structure(self, _api_version: str, _kind: str) -> Any:
        return UNKNOWN

    def list_objects(self, _resource: Any, _namespace: str | None = None, *, label_selector: str) -> list[Any]:
        assert label_selector == f"{BUNDLE_LABEL}=tools"
        return self.members

    def read(self, _kube: Any, _servers: Any, beside: Any, *, resource_served: bool) -> Any:
        assert resource_served
        wanted = [target.ref for target in beside]
        kinds = ("Service", "ConfigMap", "ServiceAccount", "Deployment", "MCPServer")
        found = {}
        for (kind, name), item in self.objects.items():
            ref = ObjectRef(item["apiVersion"], kind, name, "mcp")
            if kind in kinds or ref in wanted:
                found[ref] = item
        return Read(found, {}, frozenset())

    def apply(self, _kube: Any, _task: Any, items: list[dict[str, Any]], _options: Any) -> BundleOutcome:
        outcomes = []
        for item in items:
            ref = object_ref(item)
            self.done.append(f"apply {ref.kind} {ref.name}")
            refused = self.refuses.get(f"{ref.kind} {ref.name}")
            outcomes.append(ObjectOutcome(ref, Plan(str(ref), () if refused else NEW), None, refused))
        return BundleOutcome(tuple(outcomes))

    def wait(self, _kube: Any, _task: Any, servers: Any, _seen: Any, _timeout: float) -> Waited:
        self.done.append(f"wait for {', '.join(one.name for one in servers)}")
        reasons = {one.key: [self.broken[one.name]] for one in servers if one.name in self.broken}
        return Waited({}, reasons, 12.0)

    def delete(self, _kube: Any, _task: Any, targets: Any, _live: Any, _options: Any, *, dry: bool) -> Any:
        self.done += [
            f"{'would delete' if dry else 'delete'} {target.ref.kind} {target.ref.name}" for target in targets
        ]
        return [ObjectOutcome(target.ref, Plan(str(target.ref), (Change("", {}, ABSENT),)), None) for target in targets]

    def remove(self, _kube: Any, _task: Any, servers: Any, _served: bool) -> Result:
        self.done.append(f"remove {', '.join(one.name for one in servers)}")
        plans = tuple(Plan(one.label, (Change("", {}, ABSENT),)) for one in servers)
        rows = [{"name": one.name, "namespace": one.namespace, "changed": True} for one in servers]
        return Result(changed=True, plans=plans, values={"servers": rows})


@pytest.fixture
def converge(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(cluster: Cluster, *, check: bool = False, **options: Any) -> tuple[Result | None, Failure | None]:
        monkeypatch.setattr(Kube, "connect", lambda _task: cluster)
        monkeypatch.setattr(observe, "read_servers", cluster.read)
        monkeypatch.setattr(server, "apply_bundle", cluster.apply)
        monkeypatch.setattr(observe, "wait_until_running", cluster.wait)
        monkeypatch.setattr(observe, "controller_trouble", lambda _kube: "")
        monkeypatch.setattr(delete, "delete_existing", cluster.delete)
        monkeypatch.setattr(server_remove, "remove_servers", cluster.remove)
        given = {"namespace": "mcp", **options}
        validated = ArgumentSpecValidator(mcp_server.ARGUMENT_SPEC, **mcp_server.RULES).validate(given)
        assert validated.error_messages == []
        task = FakeTask(validated.validated_parameters)
        task.check_mode = check
        try:
            return server.converge(task), None
        except Failure as failure:
            return None, failure

    return run


def servers(*names: str, **options: Any) -> list[dict[str, Any]]:
    return [{"name": name, "image": "registry.example.com/a:1", **options} for name in names]


def theirs(kind: str, name: str, **metadata: Any) -> dict[tuple[str, str], dict[str, Any]]:
    api_version = {"NetworkPolicy": "networking.k8s.io/v1"}.get(kind, "v1")
    return {(kind, name): {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}}}


def test_the_policy_comes_before_the_server_that_it_is_about(converge: Any) -> None:
    cluster = Cluster()
    result, failure = converge(cluster, servers=[*servers("a", callers=[]), *servers("b")])
    assert failure is None
    assert result.changed
    assert cluster.done == ["apply NetworkPolicy a-callers", "apply MCPServer a", "apply MCPServer b", "wait for a, b"]


def test_a_collision_keeps_its_own_server_from_being_written_and_no_other(converge: Any) -> None:
    cluster = Cluster(theirs("ServiceAccount", "default"))
    _result, failure = converge(cluster, servers=servers("a", "default", "b", callers=[]))
    assert isinstance(failure, ServiceError)
    assert "1 of 3 MCP servers failed" in failure.message()
    assert "ServiceAccount/default" in failure.message()
    assert "apply MCPServer default" not in cluster.done
    assert "apply NetworkPolicy default-callers" not in cluster.done
    assert cluster.done[-1] == "wait for a, b"
    assert [("error" in row, row["changed"]) for row in failure.values["servers"]] == [
        (False, True),
        (True, False),
        (False, True),
    ]


def test_when_every_server_is_refused_nothing_is_written(converge: Any) -> None:
    cluster = Cluster({**theirs("ConfigMap", "a"), **theirs("Service", "b")})
    _result, failure = converge(cluster, servers=servers("a", "b"))
    assert isinstance(failure, Refused)
    assert "1. MCPServer mcp/a: ConfigMap/a" in failure.message()
    assert "2. MCPServer mcp/b: Service/b" in failure.message()
    assert cluster.done == []


def test_what_the_api_server_refuses_and_what_does_not_run_is_told_together(converge: Any) -> None:
    cluster = Cluster(
        refuses={"MCPServer b": ServiceError("apply MCPServer mcp/b", "denied", code="Forbidden")},
        broken={"c": Reason("Pod mcp/c-1", "Crashing", "is in CrashLoopBackOff")},
    )
    _result, failure = converge(cluster, servers=servers("a", "b", "c"))
    assert "2 of 3 MCP servers failed" in failure.message()
    assert "denied (Forbidden)" in failure.message()
    assert "CrashLoopBackOff" in failure.message()
    assert cluster.done[-1] == "wait for a, c"


def test_a_policy_that_is_refused_is_its_servers_failure(converge: Any) -> None:
    refused = ServiceError("apply NetworkPolicy mcp/a-callers", "forbidden", status=403)
    cluster = Cluster(refuses={"NetworkPolicy a-callers": refused})
    _result, failure = converge(cluster, servers=servers("a", callers=[]) + servers("b"))
    # it must not run for everybody
    assert cluster.done == ["apply NetworkPolicy a-callers", "apply MCPServer b", "wait for b"]
    assert failure is refused
    assert ["error" in row for row in failure.values["servers"]] == [True, False]


OURS = {"labels": {"mcpops.io/callers-of": "a"}}


@pytest.mark.parametrize(
    ("metadata", "check", "last"),
    [
        (OURS, False, "delete NetworkPolicy a-callers"),
        (OURS, True, "would delete NetworkPolicy a-callers"),
        ({}, False, "apply MCPServer a"),
    ],
    ids=["ours", "check mode", "somebody else's"],
)
def test_a_policy_that_is_declared_no_more_goes(
    converge: Any, metadata: dict[str, Any], check: bool, last: str
) -> None:
    cluster = Cluster(theirs("NetworkPolicy", "a-callers", **metadata))
    result, failure = converge(cluster, servers=servers("a"), wait=False, check=check)
    assert failure is None
    assert cluster.done[-1] == last
    assert result.changed


def test_somebody_elses_policy_of_that_name_is_refused(converge: Any) -> None:
    cluster = Cluster(theirs("NetworkPolicy", "a-callers"))
    _result, failure = converge(cluster, servers=servers("a", callers=[]))
    assert isinstance(failure, Refused)
    assert "NetworkPolicy/a-callers" in failure.message()
    assert cluster.done == []


def member(name: str) -> dict[str, Any]:
    owned = {"f:metadata": {"f:labels": {f"f:{BUNDLE_LABEL}": {}}}}
    metadata = {"name": name, "namespace": "mcp", "labels": {BUNDLE_LABEL: "tools"}}
    entry = {"manager": "mcpops", "operation": "Apply", "fieldsV1": owned}
    return {"metadata": {**metadata, "managedFields": [entry]}}


def test_what_is_listed_no_more_goes_last(converge: Any) -> None:
    cluster = Cluster(members=[member("a"), member("old")])
    result, failure = converge(cluster, servers=servers("a"), bundle="tools", prune=True)
    assert failure is None
    assert cluster.done == ["apply MCPServer a", "wait for a", "remove old"]
    assert [(row["name"], row.get("pruned")) for row in result.values["servers"]] == [("a", None), ("old", True)]


def test_nothing_goes_while_another_fails(converge: Any) -> None:
    cluster = Cluster(members=[member("a"), member("old")], broken={"a": Reason("Pod", "Crashing", "crashes")})
    _result, failure = converge(cluster, servers=servers("a"), bundle="tools", prune=True)
    assert "remove old" not in cluster.done
    assert failure.values["notes"] == ["Not pruned, because others failed: MCPServer mcp/old."]


def test_what_cannot_be_pruned_takes_nothing_from_what_is_said_of_the_others(
    converge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(members=[member("a"), member("old")])
    stuck = NotReady("MCPServer mcp/old", [Reason("Pod mcp/old-1", "Terminating", "does not end")])

    def remove(*_given: Any) -> Result:
        raise stuck

    monkeypatch.setattr(cluster, "remove", remove)
    _result, failure = converge(cluster, servers=servers("a"), bundle="tools", prune=True)
    assert failure is stuck
    assert [(row["name"], row["changed"]) for row in failure.values["servers"]] == [("a", True)]
    assert [one["after_header"] for one in failure.to_result(diff_mode=True)["diff"]] == ["MCPServer mcp/a"]


def test_an_empty_list_changes_nothing(converge: Any) -> None:
    cluster = Cluster(members=[member("a")])
    _result, failure = converge(cluster, servers=[], bundle="tools", prune=True)
    assert isinstance(failure, Refused)
    assert cluster.done == []
    result, failure = converge(Cluster(), servers=[], bundle="tools", prune=True)
    assert failure is None
    assert not result.changed
