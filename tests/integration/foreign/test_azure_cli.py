# SPDX-License-Identifier: GPL-3.0-or-later
"""azure-cli, unmodified, takes the local Azure for Azure: from the login to a pod that pulls from an attached registry.

Each test is one subject with its whole life. What azure-cli asks and the local Azure does not know fails the last one.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.azure_cli import CLOUD, AzureCli
from support.container_registry import RegistryUser

from localcloud.azure.data_routes import GRAPH_ROUTES, VAULT_ROUTES
from localcloud.azure.requestlog import RequestLog
from localcloud.azure.routes import ARM_ROUTES, OPEN_ROUTES, match

pytestmark = pytest.mark.integration

GROUP, LOCATION, SIZE = "rg-foreign", "eastus2", "Standard_D2s_v5"
REGISTRY, VAULT, CLUSTER = "foreignregistry", "kv-foreign", "foreign"
ISSUER, SUBJECT = "https://token.actions.githubusercontent.com", "repo:contoso/agents:ref:refs/heads/main"
PATIENCE = 180.0


@pytest.fixture(scope="module")
def az(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> AzureCli:
    """Signed in as the owner of the subscription."""
    known = cloud.environment
    found = AzureCli(tmp_path_factory.mktemp("az") / "own", known["azure_endpoint"], Path(known["ca_file"]))
    (subscription,) = found.login(known["tenant_id"], known["client_id"], cloud.secret)
    assert (subscription["id"], subscription["cloudName"]) == (cloud.subscription_id, CLOUD)
    return found


@pytest.fixture(scope="module")
def group(az: AzureCli) -> Iterator[str]:
    made = az("group", "create", "--name", GROUP, "--location", LOCATION, "--tags", "by=az")
    assert made["properties"]["provisioningState"] == "Succeeded"
    yield GROUP
    az("group", "delete", "--name", GROUP, "--yes")
    assert az("group", "exists", "--name", GROUP) is False


@pytest.fixture(scope="module")
def registry(az: AzureCli, group: str) -> Any:
    az("provider", "register", "--namespace", "Microsoft.ContainerRegistry", "--wait")
    assert az("acr", "check-name", "--name", REGISTRY)["nameAvailable"] is True
    return az("acr", "create", "--resource-group", group, "--name", REGISTRY, "--sku", "Basic")


@pytest.fixture(scope="module")
def identity(az: AzureCli, group: str) -> Any:
    return az("identity", "create", "--resource-group", group, "--name", "id-foreign")


def test_groups(az: AzureCli, group: str) -> None:
    shown = az("group", "show", "--name", group)
    assert (shown["name"], shown["location"], shown["tags"]) == (group, LOCATION, {"by": "az"})
    assert group in [one["name"] for one in az("group", "list")]
    assert [one["name"] for one in az("group", "list", "--tag", "by=az")] == [group]
    assert "ResourceGroupNotFound" in az.refused("group", "show", "--name", "rg-nobody-made")
    assert "LocationNotAvailable" in az.refused("group", "create", "--name", "x", "--location", "atlantis")


def test_providers(az: AzureCli) -> None:
    az("provider", "register", "--namespace", "Microsoft.App", "--wait")
    shown = az("provider", "show", "--namespace", "Microsoft.App")
    assert (shown["namespace"], shown["registrationState"]) == ("Microsoft.App", "Registered")
    assert "InvalidResourceNamespace" in az.refused("provider", "show", "--namespace", "Microsoft.Nothing")


def test_sizes_and_quota(az: AzureCli) -> None:
    (size,) = az("vm", "list-skus", "--location", LOCATION, "--size", SIZE, "--resource-type", "virtualMachines")
    assert {one["name"]: one["value"] for one in size["capabilities"]}["vCPUs"] == "2"
    # one row's name has no value, as in Azure
    usages = {one["name"].get("value"): one for one in az("vm", "list-usage", "--location", LOCATION)}
    assert int(usages["cores"]["limit"]) >= int(usages["cores"]["currentValue"])
    assert size["family"] in usages


def test_registry(az: AzureCli, cloud: Any, registry: Any) -> None:
    """A token of azure-cli's opens the registry itself for a client that is none of Microsoft's."""
    host = registry["loginServer"]
    assert az("acr", "show", "--name", REGISTRY)["loginServer"] == host
    assert [one["name"] for one in az("acr", "list", "--resource-group", GROUP)] == [REGISTRY]
    assert az("acr", "check-name", "--name", REGISTRY)["reason"] == "AlreadyExists"
    source = ("--source", "ghcr.io/pause:1.0")
    az("acr", "import", "--name", REGISTRY, *source, "--image", "base/pause:1.0")
    assert "Conflict" in az.refused("acr", "import", "--name", REGISTRY, *source, "--image", "base/pause:1.0")
    token = az("acr", "login", "--name", REGISTRY, "--expose-token")
    assert token["loginServer"] == host
    login = ("00000000-0000-0000-0000-000000000000", token["accessToken"])
    user = RegistryUser(host, cloud.environment["ca_file"], login=login)
    assert user.digest("base/pause", "1.0") is not None
    assert az("acr", "repository", "list", "--name", REGISTRY) == ["base/pause"]
    assert az("acr", "repository", "show-tags", "--name", REGISTRY, "--repository", "base/pause") == ["1.0"]
    az("acr", "repository", "delete", "--name", REGISTRY, "--image", "base/pause:1.0", "--yes")
    assert user.digest("base/pause", "1.0") is None


def test_identities(az: AzureCli, identity: Any) -> None:
    named = ("--resource-group", GROUP, "--name", "id-foreign")
    assert az("identity", "show", *named)["principalId"] == identity["principalId"]
    credential = ("--resource-group", GROUP, "--identity-name", "id-foreign")
    federated = ("identity", "federated-credential")
    declared = ("--issuer", ISSUER, "--subject", SUBJECT, "--audiences", "api://AzureADTokenExchange")
    made = az(*federated, "create", *credential, "--name", "main", *declared)
    assert (made["issuer"], made["subject"]) == (ISSUER, SUBJECT)
    assert [one["name"] for one in az(*federated, "list", *credential)] == ["main"]
    refused = az.refused(*federated, "create", *credential, "--name", "twin", *declared)
    assert "Issuer and subject combination already exists" in refused
    az(*federated, "delete", *credential, "--name", "main", "--yes")
    assert az(*federated, "list", *credential) == []


def test_role_assignments(az: AzureCli, registry: Any, identity: Any) -> None:
    at, who = ("--scope", registry["id"]), ("--assignee", identity["principalId"])
    given = ("--assignee-object-id", identity["principalId"], "--assignee-principal-type", "ServicePrincipal")
    made = az("role", "assignment", "create", *given, "--role", "AcrPull", *at)
    assert made["principalId"] == identity["principalId"]
    (listed,) = az("role", "assignment", "list", *who, *at)
    assert (listed["roleDefinitionName"], listed["name"]) == ("AcrPull", made["name"])
    assert listed["principalName"] == identity["clientId"], "whose it is, the directory says"
    # by the application's id, which only the directory can tell
    again = az("role", "assignment", "create", "--assignee", identity["clientId"], "--role", "AcrPull", *at)
    assert again["name"] == made["name"]
    az("role", "assignment", "delete", *who, "--role", "AcrPull", *at)
    assert az("role", "assignment", "list", *who, *at) == []


def test_key_vault(az: AzureCli, cloud: Any, group: str) -> None:
    az("provider", "register", "--namespace", "Microsoft.KeyVault", "--wait")
    vault = az("keyvault", "create", "--resource-group", group, "--name", VAULT, "--enable-rbac-authorization", "true")
    secret = ("--vault-name", VAULT, "--name", "token")
    assert "ForbiddenByRbac" in az.refused("keyvault", "secret", "set", *secret, "--value", "one")
    whose = ("--assignee", cloud.environment["client_id"], "--role", "Key Vault Secrets Officer")
    az("role", "assignment", "create", *whose, "--scope", vault["id"])
    made = az("keyvault", "secret", "set", *secret, "--value", "one")
    assert made["id"].startswith(vault["properties"]["vaultUri"])
    az("keyvault", "secret", "set", *secret, "--value", "two")
    assert az("keyvault", "secret", "show", *secret)["value"] == "two"
    assert az("keyvault", "secret", "show", "--id", made["id"])["value"] == "one"
    az("keyvault", "secret", "delete", *secret)
    assert "SecretNotFound" in az.refused("keyvault", "secret", "show", *secret)
    az("keyvault", "delete", "--name", VAULT)
    az("keyvault", "purge", "--name", VAULT)


def test_cluster(az: AzureCli, cloud: Any, registry: Any, tmp_path: Path) -> None:
    named = ("--resource-group", GROUP, "--name", CLUSTER)
    pool = ("--node-count", "1", "--node-vm-size", SIZE, "--no-ssh-key")
    federation = ("--enable-oidc-issuer", "--enable-workload-identity")
    made = az("aks", "create", *named, *pool, *federation, "--attach-acr", REGISTRY)
    assert made["provisioningState"] == "Succeeded"
    kubelet = made["identityProfile"]["kubeletidentity"]["objectId"]
    (attached,) = az("role", "assignment", "list", "--assignee", kubelet, "--scope", registry["id"])
    assert attached["roleDefinitionName"] == "AcrPull"

    kubeconfig = tmp_path / "kubeconfig"
    az("aks", "get-credentials", *named, "--file", str(kubeconfig))
    kubectl = [cloud.environment["kubectl"], "--kubeconfig", str(kubeconfig)]
    (node,) = json.loads(_run([*kubectl, "get", "nodes", "-o", "json"]))["items"]
    ready = {one["type"]: one["status"] for one in node["status"]["conditions"]}["Ready"]
    assert (ready, node["status"]["nodeInfo"]["kubeletVersion"]) == ("True", f"v{made['currentKubernetesVersion']}")

    az("acr", "import", "--name", REGISTRY, "--source", "ghcr.io/pause:1.0", "--image", "pause:1.0", "--force")
    image = f"{registry['loginServer']}/pause:1.0"
    _run([*kubectl, "run", "pulled", f"--image={image}", "--image-pull-policy=Always", "--restart=Never"])
    _run([*kubectl, "wait", "pod/pulled", "--for=condition=Ready", f"--timeout={PATIENCE:.0f}s"])

    az("aks", "update", *named, "--detach-acr", REGISTRY)
    assert az("role", "assignment", "list", "--assignee", kubelet, "--scope", registry["id"]) == []
    _run([*kubectl, "run", "refused", f"--image={image}", "--image-pull-policy=Always", "--restart=Never"])
    assert "401 Unauthorized" in _reason(kubectl, "refused")
    az("aks", "delete", *named, "--yes")
    assert "ResourceNotFound" in az.refused("aks", "show", *named)


def test_everything_that_it_asked_is_known(cloud: Any, group: str) -> None:
    """Last: of what the tests above asked, nothing was unknown to the local Azure."""
    asked = [one for one in RequestLog(cloud.settings.state / "azure").requests() if "AZURECLI" in one["user_agent"]]
    assert asked
    routes = (*OPEN_ROUTES, *ARM_ROUTES, *VAULT_ROUTES, *GRAPH_ROUTES)
    unknown = {f"{one['method']} {one['path']}" for one in asked if match(routes, one["method"], one["path"]) is None}
    failed = {f"{one['method']} {one['path']}" for one in asked if one["status"] >= 500}
    assert (unknown, failed) == (set(), set())


def _run(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE + 30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _reason(kubectl: list[str], pod: str) -> str:
    """Why the image of a pod is not pulled."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = json.loads(_run([*kubectl, "get", "pod", pod, "-o", "json"]))["status"]
        for one in found.get("containerStatuses") or []:
            waiting = one["state"].get("waiting") or {}
            if waiting.get("reason") in ("ErrImagePull", "ImagePullBackOff") and "401" in str(waiting.get("message")):
                return str(waiting["message"])
        time.sleep(1)
    raise AssertionError(f"the image of {pod} was not refused")
