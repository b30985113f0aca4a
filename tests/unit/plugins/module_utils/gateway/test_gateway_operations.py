# SPDX-License-Identifier: GPL-3.0-or-later
"""gateway and gateway_route against a played cluster: what is applied, refused and removed, and in which order."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from support.gateways import AUTH, gateway_options, route_options
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady, Refused
from ansible_collections.mcpops.platform.plugins.module_utils.gateway import gateway, gateway_route, observe
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.gateway_spec import OWNER_LABEL
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import BundleOutcome, ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import ObjectRef, object_ref
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change, Plan

ACCEPTED = {"status": {"conditions": [{"type": "Accepted", "status": "True"}]}}


class Cluster:
    """Keeps what is applied, and in which order everything happened."""

    def __init__(self) -> None:
        self.objects: dict[ObjectRef, dict[str, Any]] = {}
        self.done: list[str] = []
        self.served = True
        self.gateway_class: dict[str, Any] | None = ACCEPTED

    def resource_type(self, _version: str, _kind: str) -> Any:
        return self.served or None

    def get(self, _path: str, **_options: Any) -> Any:
        return self.gateway_class

    def list_objects(self, resource: Any, namespace: str | None = None, *, label_selector: str) -> list[Any]:
        name, _equals, value = label_selector.partition("=")
        return [
            item
            for ref, item in self.objects.items()
            if ref.kind == resource.kind
            and namespace in (None, ref.namespace)
            and (item["metadata"].get("labels") or {}).get(name) == value
        ]

    def read(self, _kube: Any, targets: Any) -> Any:
        return SimpleNamespace(complete={one.ref: self.objects[one.ref] for one in targets if one.ref in self.objects})

    def apply(self, _kube: Any, task: Any, items: Any, _options: Any, _settle: Any) -> BundleOutcome:
        outcomes = []
        for item in items:
            ref = object_ref(item)
            changed = self.objects.get(ref) != item
            if changed and not task.check_mode:
                self.objects[ref] = copy.deepcopy(item)
                self.done.append(f"+{ref.kind}/{ref.name}")
            outcomes.append(ObjectOutcome(ref, Plan(str(ref), (Change("", 0, 1),) if changed else ()), item))
        return BundleOutcome(tuple(outcomes))

    def delete(self, _kube: Any, task: Any, _subject: str, targets: Any, live: Any) -> list[ObjectOutcome]:
        going = [one for one in targets if one.ref in live]
        for one in () if task.check_mode else going:
            del self.objects[one.ref]
            self.done.append(f"-{one.ref.kind}/{one.ref.name}")
        return [ObjectOutcome(one.ref, Plan(str(one.ref), (Change("", 1, 0),))) for one in going]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    played = Cluster()
    monkeypatch.setattr(Kube, "connect", lambda _task: played)
    monkeypatch.setattr(observe, "apply_bundle", played.apply)
    monkeypatch.setattr(observe, "read_live", played.read)
    monkeypatch.setattr(observe, "delete_owned", played.delete)
    monkeypatch.setattr(observe, "wait_until_ready", lambda _kube, _task, items, _deadline: list(items))
    return played


def make(check: bool = False, **given: Any) -> dict[str, Any]:
    task = FakeTask(gateway_options(**{"wait_timeout": 1, **given}), check_mode=check)
    return gateway.converge(task).to_dict(diff_mode=True)


def route(check: bool = False, **given: Any) -> dict[str, Any]:
    task = FakeTask(route_options(**{"wait_timeout": 1, **given}), check_mode=check)
    return gateway_route.converge(task).to_dict(diff_mode=True)


def test_a_second_run_changes_nothing_and_check_mode_writes_nothing(cluster: Cluster) -> None:
    assert make(check=True)["changed"]
    assert cluster.done == []
    assert make()["changed"]
    assert not make()["changed"]
    assert route(check=True)["changed"]
    assert [one for one in cluster.done if "HTTPRoute" in one] == []
    assert route()["changed"]
    assert not route()["changed"]


def test_what_closes_stands_first_and_goes_last(cluster: Cluster) -> None:
    make()
    route()
    order = cluster.done
    assert order.index("+SecurityPolicy/mcp-default-deny") < order.index("+Gateway/mcp")
    assert order.index("+SecurityPolicy/echo") < order.index("+HTTPRoute/echo")
    cluster.done = []
    route(state="absent", routes=None)
    make(state="absent")
    order = cluster.done
    assert order.index("-HTTPRoute/echo") < order.index("-SecurityPolicy/echo")
    assert order.index("-Gateway/mcp") < order.index("-SecurityPolicy/mcp-default-deny")
    assert cluster.objects == {}


def test_no_route_behind_a_gateway_that_nothing_closes(cluster: Cluster) -> None:
    with pytest.raises(Refused, match="mcp-default-deny"):
        route()
    make()
    deny = next(item for ref, item in cluster.objects.items() if ref.name == "mcp-default-deny")
    deny["spec"]["authorization"]["rules"] = [{"action": "Allow"}]
    with pytest.raises(Refused, match="denies no more"):
        route()
    assert not [ref for ref in cluster.objects if ref.kind == "HTTPRoute"]


def test_a_route_that_is_declared_no_more_goes_where_that_is_asked_for(cluster: Cluster) -> None:
    make()
    two = [{"name": "echo", "host": "e.test"}, {"name": "other", "host": "o.test", "namespace": "elsewhere"}]
    route(routes=two)
    one = {"routes": two[:1]}
    assert not route(**one)["changed"]
    assert route(prune=True, check=True, **one)["changed"]
    assert any(ref.name == "other" for ref in cluster.objects)
    assert route(prune=True, **one)["changed"]
    assert {ref.name for ref in cluster.objects if ref.kind == "HTTPRoute"} == {"echo", "echo-metadata"}
    assert any(ref.name == "mcp-default-deny" for ref in cluster.objects)


def test_a_route_that_becomes_anonymous_loses_its_metadata(cluster: Cluster) -> None:
    make()
    route()
    route(routes=[{"name": "echo", "host": "echo.mcp.test", "anonymous": True}], auth=[])
    assert {ref.name for ref in cluster.objects if ref.kind == "HTTPRoute"} == {"echo"}
    assert not [ref for ref in cluster.objects if ref.kind == "HTTPRouteFilter"]


def test_listeners_that_are_gone_leave_no_certificate(cluster: Cluster) -> None:
    issued = [{"name": name, "hostname": f"{name}.test", "tls": {"issuer": {"name": "ca"}}} for name in ("one", "two")]
    make(listeners=issued)
    make(listeners=issued[:1])
    assert [ref.name for ref in cluster.objects if ref.kind == "Certificate"] == ["mcp-one-tls"]
    make(listeners=issued[:1], network_policy=False)
    assert not [ref for ref in cluster.objects if ref.kind == "NetworkPolicy"]
    make(state="absent", listeners=None)
    assert cluster.objects == {}


def test_objects_of_others_are_not_taken(cluster: Cluster) -> None:
    make()
    foreign = next(item for ref, item in cluster.objects.items() if ref.kind == "Gateway")
    del foreign["metadata"]["labels"][OWNER_LABEL]
    with pytest.raises(Refused, match="Gateway gateway/mcp"):
        make()
    assert make(state="absent")["changed"]
    assert [ref.kind for ref in cluster.objects] == ["Gateway"]


def test_a_class_that_nobody_takes_is_told_before_anything_is_written(cluster: Cluster) -> None:
    cluster.gateway_class = None
    with pytest.raises(NotReady, match="GatewayClass eg"):
        make(wait_timeout=0)
    assert cluster.done == []


def test_kinds_that_are_not_served(cluster: Cluster) -> None:
    cluster.served = False
    planned = make(check=True)
    assert planned["changed"] and "does not serve yet" in " ".join(planned["notes"])
    with pytest.raises(NotReady, match=r"gateways\.gateway\.networking\.k8s\.io"):
        make(wait_timeout=0)
    assert not make(state="absent")["changed"]


def test_routes_with_rules_for_tools_wait_for_what_reads_bodies(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a gateway that another run made: without its filter, each call would be refused, and the routes be ready."""
    make()
    asked: list[set[str]] = []
    monkeypatch.setattr(observe, "wait_until_ready", lambda _k, _t, items, _d: asked.append({i["kind"] for i in items}))
    route()
    route(auth=[{**AUTH[0], "access": [{"roles": ["a"]}]}])
    route(routes=[{"name": "echo", "host": "echo.mcp.test", "anonymous": True}], auth=[])
    assert ["EnvoyPatchPolicy" in one for one in asked] == [True, False, False]


def test_the_result_names_public_addresses(cluster: Cluster) -> None:
    make()
    [row] = route(auth=AUTH)["routes"]
    assert row["url"] == "https://echo.mcp.test/mcp"
    assert row["metadata_url"] == "https://echo.mcp.test/.well-known/oauth-protected-resource/mcp"


def test_another_class_does_not_take_over_routes_that_this_one_closes(cluster: Cluster) -> None:
    make()
    before = copy.deepcopy(cluster.objects)
    with pytest.raises(Refused, match="without the policies of the class"):
        make(class_name="another")
    assert cluster.objects == before
