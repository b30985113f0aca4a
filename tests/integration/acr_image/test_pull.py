# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster pulls from a container registry what its kubelet identity may, and nothing before it may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.container_registry import RegistryUser
from support.image_pull import pod_of, state_of
from support.portal import Portal

from ..conftest import SHARED_CLUSTER, SHARED_GROUP, Cluster
from .conftest import ACR_VERSION, Registries

pytestmark = pytest.mark.integration

TaskRunner = Callable[..., dict[str, Any]]
GROUP, NAME = "rg-it-pull", "itpull"
ACR_PULL = "/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d"


@pytest.fixture(scope="module")
def registry(registries_in: Registries) -> Iterator[dict[str, Any]]:
    with registries_in(GROUP, NAME, sku="Basic") as found:
        yield found[NAME]


def test_only_with_acr_pull(
    run_task: TaskRunner,
    cloud: Any,
    cluster: Cluster,
    namespace: str,
    portal: Portal,
    registry: dict[str, Any],
) -> None:
    declared = {
        "registry": NAME,
        "resource_group": GROUP,
        "repository": "base/pause",
        "tags": ["1.0"],
        "source": {"image": f"{cloud.registry}/pause:1.0"},
    }
    image = run_task("acr_image", declared)["image"]
    cluster.kubectl("-n", namespace, "create", "-f", "-", stdin=pod_of("before", image))
    before = state_of(cluster, namespace, "before")
    assert "running" not in before
    events = cluster.kubectl("-n", namespace, "get", "events", "-o", "json")
    assert "401 Unauthorized" in events

    body = portal.get(
        f"resourceGroups/{SHARED_GROUP}/providers/Microsoft.ContainerService/managedClusters/{SHARED_CLUSTER}"
    )
    kubelet = body["properties"]["identityProfile"]["kubeletidentity"]["objectId"]
    grant = {"roleDefinitionId": ACR_PULL, "principalId": kubelet, "principalType": "ServicePrincipal"}
    place = f"{registry['id']}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-0000000000b1"
    run_task("azure_resource", {"id": place, "properties": grant})
    cluster.kubectl("-n", namespace, "create", "-f", "-", stdin=pod_of("after", image))
    assert "running" in state_of(cluster, namespace, "after")


def test_token_flow(cloud: Any, portal: Portal, registry: dict[str, Any]) -> None:
    """As clients of others use it: nobody, an Entra token, the admin user, anybody where that is allowed."""
    host = registry["properties"]["loginServer"]
    ca_file, scope = cloud.environment["ca_file"], "repository:x:pull,push"
    nobody = RegistryUser(host, ca_file)
    refused = nobody.http.get("/v2/")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == f'Bearer realm="https://{host}/oauth2/token",service="{host}"'
    assert nobody.token(scope).status_code == 401
    assert RegistryUser(host, ca_file, "no.token.atall").exchange().status_code == 401

    owner = RegistryUser(host, ca_file, portal.token())
    assert owner.request("GET", "/v2/", scope).status_code == 200
    pull_only = owner.token("repository:x:pull").json()["access_token"]
    push = nobody.http.post("/v2/x/blobs/uploads/", headers={"Authorization": f"Bearer {pull_only}"})
    assert push.status_code == 401, "the registry itself judges what a token may"
    assert owner.request("POST", "/v2/x/blobs/uploads/", scope).status_code == 202
    other = nobody.http.get("/v2/y/tags/list", headers={"Authorization": f"Bearer {pull_only}"})
    assert other.status_code == 401, "and for which repository"

    path = f"resourceGroups/{GROUP}/providers/Microsoft.ContainerRegistry/registries/{NAME}"
    assert portal.request("POST", f"{path}/listCredentials", version=ACR_VERSION).status_code == 400
    portal.request("PATCH", path, {"properties": {"adminUserEnabled": True}}, ACR_VERSION).raise_for_status()
    login = portal.request("POST", f"{path}/listCredentials", version=ACR_VERSION).json()
    admin = (login["username"], login["passwords"][1]["value"])
    assert RegistryUser(host, ca_file, login=admin).request("GET", "/v2/", scope).status_code == 200
    assert RegistryUser(host, ca_file, login=(admin[0], "wrong")).token(scope).status_code == 401

    sku = {"sku": {"name": "Standard"}, "properties": {"anonymousPullEnabled": True}}
    portal.request("PATCH", path, sku, ACR_VERSION).raise_for_status()
    assert nobody.token("repository:x:pull").status_code == 200
    assert nobody.token("repository:x:push").status_code == 401
