# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.delete import DeleteOptions, delete_objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import group_path

from .conftest import Answer, FakeTask, Server

SERVED: Mapping[str, Mapping[str, str]] = {
    "": {"ConfigMap": "configmaps", "Service": "services"},
    "apps": {"Deployment": "deployments"},
    "apiextensions.k8s.io": {"CustomResourceDefinition": "customresourcedefinitions"},
    "kagent.dev": {"MCPServer": "mcpservers"},
}
ELSEWHERE = "write it so, if that is meant"
MISTAKEN = {
    "in another group": ("v1", "Deployment", f"in v1; it has apps/v1 Deployment: {ELSEWHERE}"),
    "in a group that does not exist": ("app/v1", "Deployment", f"in app/v1; it has apps/v1 Deployment: {ELSEWHERE}"),
    "in another version": (
        "kagent.dev/v2",
        "MCPServer",
        f"in kagent.dev/v2; it has kagent.dev/v1 MCPServer: {ELSEWHERE}",
    ),
    "in another case": ("apps/v1", "deployment", f"in apps/v1; it has apps/v1 Deployment: {ELSEWHERE}"),
    "misspelt": ("v1", "ConfigMapz", "in v1, and none of that name elsewhere: check the spelling"),
    "of a version that is gone": ("batch/v1beta1", "CronJob", "in batch/v1beta1, and none of that name elsewhere"),
}
NOT_INSTALLED = {
    "group": ("no.example.com/v1", "Thing"),
    "kind of a group": ("kagent.dev/v1", "Thing"),
    "namesake of another group's": ("serving.knative.dev/v1", "Service"),
}


@pytest.fixture
def kube(server: Server, connect: Callable[..., Kube], task: FakeTask) -> Kube:
    """A cluster with a few kinds and no object."""

    def group(name: str, kinds: Mapping[str, str]) -> dict[str, Any]:
        rows = [{"resource": plural, "responseKind": {"kind": kind}, "verbs": []} for kind, plural in kinds.items()]
        return {"metadata": {"name": name}, "versions": [{"version": "v1", "resources": rows}]}

    for name, kinds in SERVED.items():
        # what a kind that is unknown is asked for once more
        rows = [{"name": plural, "kind": kind, "namespaced": False} for kind, plural in kinds.items()]
        api_version = f"{name}/v1" if name else "v1"
        server.on(group_path(api_version), Answer(body={"groupVersion": api_version, "resources": rows}))
    answer = {"kind": "APIGroupDiscoveryList"}
    server.on("/api", Answer(body={**answer, "items": [group("", SERVED[""])]}))
    server.on("/apis", Answer(body={**answer, "items": [group(name, SERVED[name]) for name in SERVED if name]}))
    return connect(task)


def item(api_version: str, kind: str, name: str = "web") -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


@pytest.mark.parametrize("case", MISTAKEN)
def test_a_kind_that_is_written_wrongly_is_refused(kube: Kube, task: FakeTask, case: str) -> None:
    api_version, kind, reported = MISTAKEN[case]
    with pytest.raises(InvalidInput) as refused:
        delete_objects(kube, task, [item(api_version, kind)], DeleteOptions())
    assert f"{kind} web: this cluster has no kind {kind} {reported}" in refused.value.message()


def test_all_that_is_written_wrongly_is_told_at_once(server: Server, kube: Kube, task: FakeTask) -> None:
    wrong = [item("v1", "Deployment"), item("v1", "ConfigMap"), item("v1", "ConfigMapz")]
    with pytest.raises(InvalidInput) as refused:
        delete_objects(kube, task, wrong, DeleteOptions())
    assert "2 problems, nothing was changed" in refused.value.message()
    assert not [request for request in server.requests if request.method != "GET"]


@pytest.mark.parametrize("case", NOT_INSTALLED)
def test_a_kind_that_is_not_installed_has_no_objects(kube: Kube, task: FakeTask, case: str) -> None:
    api_version, kind = NOT_INSTALLED[case]
    several = [item(api_version, kind), item(api_version, kind, "other"), item("v1", "ConfigMap")]
    outcome = delete_objects(kube, task, several, DeleteOptions())
    assert not outcome.changed
    assert len(outcome.outcomes) == 3
    # one kind, one note
    (note,) = outcome.notes
    assert note.startswith(f"{api_version} {kind} is not installed in this cluster")


def test_another_version_is_refused_beside_its_definition(kube: Kube, task: FakeTask) -> None:
    definition = item("apiextensions.k8s.io/v1", "CustomResourceDefinition", "mcpservers.kagent.dev")
    with pytest.raises(InvalidInput, match=r"it has kagent\.dev/v1 MCPServer"):
        delete_objects(kube, task, [definition, item("kagent.dev/v2", "MCPServer")], DeleteOptions())
