# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster itself makes of KMCP's objects is told from edits by dry runs, and only where something is lost."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_children, server_sight
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import UNKNOWN, Structure, structure_of

OBJECTS = Path(__file__).parent / "children"
APPS = json.loads(
    (Path(__file__).parents[1] / "kube" / "fixtures" / "openapi" / "apps_v1.json").read_text(encoding="utf-8")
)
POLICY = "Deployment.spec.template.spec.containers[mcp-server].imagePullPolicy"
DECLARED = declared_from({"name": "echo", "namespace": "mcp", "image": "echo:1"})


class Cluster:
    """The objects of a server, and an API server that answers a dry run as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: Any = None) -> None:
        self.objects: dict[str, Any] = json.loads((OBJECTS / "pristine.json").read_text(encoding="utf-8"))
        self.asked: list[Target] = []
        self.answer = answer
        self.version: Any = "0.3.0"
        monkeypatch.setattr(server_sight, "read_beside", self.read)
        monkeypatch.setattr(server_sight, "server_side_apply", self.apply)

    @property
    def container(self) -> dict[str, Any]:
        found: dict[str, Any] = self.objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]
        return found

    def read(self, _kube: Any, targets: list[Target], _beside: Any) -> tuple[dict[Any, Any], frozenset[Any]]:
        return {target.who: self.objects[target.who.kind] for target in targets}, frozenset()

    def structure(self, api_version: str, kind: str) -> Structure:
        return structure_of(lambda: APPS, api_version, kind) if api_version == "apps/v1" else UNKNOWN

    def list_objects(self, resource: Any, *, label_selector: str) -> list[Any]:
        assert (resource.kind, label_selector) == ("Deployment", "control-plane=controller-manager")
        if isinstance(self.version, Exception):
            raise self.version
        own = {"app.kubernetes.io/name": "kmcp", "control-plane": "controller-manager"}
        return [{"metadata": {"labels": {**own, "app.kubernetes.io/version": self.version}}}]

    def apply(self, _kube: Any, target: Target, *, force: bool, dry_run: bool) -> Any:
        assert force
        assert dry_run
        self.asked.append(target)
        if isinstance(self.answer, Exception):
            raise self.answer
        after = copy.deepcopy(self.objects[target.who.kind])
        if self.answer is not None:
            after["spec"]["template"]["spec"]["containers"][0].update(self.answer)
        return after

    def drift(self) -> list[str]:
        sight = server_sight.look_at(cast(Kube, self), DECLARED)[("mcp", "echo")]
        assert sight.server is not None
        return [
            change.path for change in server_children.drift(sight.server, sight.children, sight.kept, sight.structures)
        ]


def test_nobody_is_asked_as_long_as_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)
    assert cluster.drift() == []
    assert cluster.asked == []


@pytest.mark.parametrize(
    ("answer", "drift"),
    [
        ({"imagePullPolicy": "IfNotPresent"}, [POLICY]),
        ({"imagePullPolicy": "Always"}, []),
        (ServiceError("apply", "forbidden", status=403), [POLICY]),
    ],
    ids=["an edit", "admission", "no answer"],
)
def test_a_dry_run_tells_admission_from_an_edit(monkeypatch: pytest.MonkeyPatch, answer: Any, drift: list[str]) -> None:
    cluster = Cluster(monkeypatch, answer)
    cluster.container["imagePullPolicy"] = "Always"
    assert cluster.drift() == drift
    assert [str(target.who.kind) for target in cluster.asked] == ["Deployment"]


@pytest.mark.parametrize(
    ("version", "drift"),
    [
        ("0.2.6", [POLICY]),
        ("v0.2.9", [POLICY]),
        ("0.3.1", []),
        ("0.2.5", []),
        (None, []),
        (ServiceError("list", "forbidden", status=403), []),
    ],
)
def test_of_a_controller_that_is_not_known_nothing_is_called_lost(
    monkeypatch: pytest.MonkeyPatch, version: Any, drift: list[str]
) -> None:
    cluster = Cluster(monkeypatch, {"imagePullPolicy": "IfNotPresent"})
    cluster.version = version
    cluster.container["imagePullPolicy"] = "Always"
    assert cluster.drift() == drift


def test_children_that_the_controller_has_yet_to_write_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)
    cluster.container["imagePullPolicy"] = "Always"
    cluster.objects["MCPServer"]["metadata"]["generation"] += 1
    server_sight.look_at(cast(Kube, cluster), DECLARED)
    assert cluster.asked == []


@pytest.mark.parametrize(
    ("names", "selector"),
    [
        ({"echo", "a"}, "app.kubernetes.io/instance in (a,echo)"),
        ({"echo", *(f"s{number}" for number in range(50))}, "app.kubernetes.io/instance"),
    ],
    ids=["few", "many"],
)
def test_pods_are_known_by_what_the_deployment_selects_and_by_nothing_that_a_label_of_the_server_can_change(
    names: set[str], selector: str
) -> None:
    def pod(instance: str, name: str, **others: str) -> dict[str, Any]:
        labels = {"app.kubernetes.io/instance": instance, "app.kubernetes.io/name": name, **others}
        return {"metadata": {"labels": labels}}

    ours = pod("echo", "echo", **{"app.kubernetes.io/managed-by": "platform"})

    class Pods:
        def list_objects(self, _resource: Any, namespace: str, *, label_selector: str) -> list[Any]:
            assert (namespace, label_selector) == ("mcp", selector)
            return [ours, pod("echo", "a-chart"), pod("stranger", "stranger")]

    assert list(server_sight.pods_of(cast(Kube, Pods()), "mcp", names)) == [("echo", ours)]
