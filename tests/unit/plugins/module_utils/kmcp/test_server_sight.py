# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster itself makes of KMCP's objects is told from edits by dry runs, and only where something is lost."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import observe
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.observe import target_by_name
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.readiness import ObservedServer, server_reasons
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_children import CHILDREN
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

from .recorded import Api, seen

KEY = ("mcp", "echo")
POLICY = "Deployment.spec.template.spec.containers[mcp-server].imagePullPolicy"
DECLARED = declared_from({"name": "echo", "namespace": "mcp", "image": "echo:1"})


class Cluster(Api):
    """The objects of a server, the version of its controller, and an API server that answers dry runs."""

    version: Any = "0.3.0"

    def list_objects(self, resource: Any, *, label_selector: str) -> list[Any]:
        assert (resource.kind, label_selector) == ("Deployment", "control-plane=controller-manager")
        self.asked.append("controllers")
        if isinstance(self.version, Exception):
            raise self.version
        own = {"app.kubernetes.io/name": "kmcp", "control-plane": "controller-manager"}
        return [{"metadata": {"labels": {**own, "app.kubernetes.io/version": self.version}}}]

    def observed(self) -> ObservedServer:
        live = {
            target_by_name(resource, KEY).ref: self.objects[resource.kind]
            for resource in (*CHILDREN.values(), observe.SERVERS)
        }
        [observed] = observe.observed_from(cast(Kube, self), cast(Task, None), DECLARED, live).values()
        return observed


def cluster() -> Cluster:
    return Cluster(seen("pristine"))


def always_pulled(found: Cluster) -> Cluster:
    found.objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    return found


def test_nobody_is_asked_as_long_as_nothing_differs() -> None:
    found = cluster()
    assert found.observed().drift == ()
    assert found.asked == []


def test_what_differs_is_asked_about_once() -> None:
    found = always_pulled(cluster())
    assert [change.path for change in found.observed().drift] == [POLICY]
    assert found.asked == ["controllers", "deployments"]


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
def test_of_a_controller_that_is_not_known_nothing_is_called_lost(version: Any, drift: list[str]) -> None:
    found = always_pulled(cluster())
    found.version = version
    assert [change.path for change in found.observed().drift] == drift


def test_children_that_the_controller_has_yet_to_write_are_not_asked_for() -> None:
    found = always_pulled(cluster())
    found.objects["MCPServer"]["metadata"]["generation"] += 1
    assert found.observed().drift == ()
    assert found.asked == []


def test_what_the_controller_cannot_restore_is_a_failure_of_this_server() -> None:
    found = cluster()
    found.objects["Service"]["spec"]["clusterIP"] = "None"
    failure = found.observed().failure
    assert failure is not None and "immutable" in failure.reason
    [reason] = server_reasons("MCPServer mcp/echo", found.observed())
    assert (reason.terminal, reason.hint) == (True, "Delete the object: KMCP makes it again.")


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

    assert list(observe.pods_of(cast(Kube, Pods()), "mcp", names)) == [("echo", ours)]
