# SPDX-License-Identifier: GPL-3.0-or-later
"""A KMCP controller is found whatever its release, its chart and its image are called."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import cluster_state
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube

Item = dict[str, Any]


def deployment(name: str, image: str = "registry.example.com/ops:1", account: str = "", **labels: str) -> Item:
    own = {"control-plane": "controller-manager", **{key.replace("_", "."): value for key, value in labels.items()}}
    pod = {"containers": [{"name": "manager", "image": image}], "serviceAccountName": account or f"{name}-account"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "ops", "labels": own},
        "spec": {"template": {"spec": pod}},
    }


def labelled(name: str, label: str, value: str) -> Item:
    found = deployment(name)
    found["metadata"]["labels"][label] = value
    return found


NAMED = {
    "the chart's own name": labelled("a", "app.kubernetes.io/name", "kmcp"),
    "a chart that a mirror renamed": labelled("a", "app.kubernetes.io/name", "corp-kmcp"),
    "nameOverride": labelled("a", "helm.sh/chart", "kmcp-0.3.0"),
    "the release": labelled("a", "app.kubernetes.io/instance", "kmcp-blue"),
    "the image": deployment("a", "ghcr.io/kagent-dev/kmcp/controller:0.3.0"),
    "the image in a mirror": deployment("a", "registry.example.com:5000/mirror/kmcp-controller@sha256:0"),
    "an image without a host": deployment("a", "kmcp/controller:1"),
}
OTHERS = {
    "another operator": deployment("a", "registry.k8s.io/cluster-api/controller:v1"),
    "a word that holds it": labelled("a", "app.kubernetes.io/name", "notkmcpatall"),
    "a registry's host": deployment("a", "kmcp.example.com/cert-manager:1"),
    "no controller": {
        **labelled("a", "app.kubernetes.io/name", "kmcp"),
        "metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "kmcp"}},
    },
}


@pytest.mark.parametrize("item", NAMED.values(), ids=NAMED.keys())
def test_a_controller_that_names_kmcp_is_found(item: Item) -> None:
    found = cluster_state.identify_controllers([deployment("other", "registry.k8s.io/x:1"), item], {})
    assert (found.found, found.sure) == ([item], True)


@pytest.mark.parametrize("item", OTHERS.values(), ids=OTHERS.keys())
def test_what_does_not_name_kmcp_is_not_taken_for_it(item: Item) -> None:
    found = cluster_state.identify_controllers([item], {cluster_state.service_account_of(item): False})
    assert (found.found, found.sure) == ([], True)


class Api:
    """An API server that knows who may write the status of MCPServers."""

    def __init__(self, *allowed: str, refuses: bool = False) -> None:
        self.allowed = allowed
        self.refuses = refuses
        self.asked: list[str] = []

    def request(self, method: str, path: str, **options: Any) -> Any:
        assert (method, path) == ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
        if self.refuses:
            raise ServiceError("ask", "forbidden", status=403)
        user = options["body"]["spec"]["user"]
        self.asked.append(user)

        class Answer:
            @staticmethod
            def json() -> Item:
                return {"status": {"allowed": user in self.allowed}}

        return Answer()


def found_by(api: Api, *items: Item) -> cluster_state.Controllers:
    return cluster_state.identify_controllers(items, cluster_state.access_reviews(cast(Kube, api), items))


def test_where_no_name_tells_the_api_server_does() -> None:
    ours, other = deployment("tool-servers"), deployment("certificates")
    api = Api("system:serviceaccount:ops:tool-servers-account")
    found = found_by(api, other, ours)
    assert (found.found, found.sure) == ([ours], True)
    assert len(api.asked) == 2


def test_nobody_is_asked_where_names_tell() -> None:
    api = Api()
    assert found_by(api, NAMED["the image"], deployment("b")).found == [NAMED["the image"]]
    assert api.asked == []


def test_controllers_of_other_releases_are_named() -> None:
    def of(namespace: str, name: str) -> Item:
        found = deployment("a")
        found["metadata"]["annotations"] = {
            "meta.helm.sh/release-name": name,
            "meta.helm.sh/release-namespace": namespace,
        }
        return found

    running = [of("kmcp-system", "kmcp"), of("kagent", "kagent"), of("ops", "kmcp"), deployment("by-hand")]
    assert cluster_state.other_releases(running, "ops", "kmcp") == ["kagent/kagent", "kmcp-system/kmcp"]
    assert cluster_state.other_releases([], "ops", "kmcp") == []


def test_who_may_not_ask_is_not_sure_that_there_is_none() -> None:
    found = found_by(Api(refuses=True), deployment("tool-servers"))
    assert (found.found, found.sure) == ([], False)
    assert found_by(Api(refuses=True)).sure
