# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod reads a secret of a vault with nothing but the token of its service account."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from integration.conftest import LOCATION

SECRETS_OFFICER, SECRETS_USER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "4633458b-17de-408a-b874-0445c86b69e6"
EXCHANGE = "api://AzureADTokenExchange"
ASK = """
import json, os, ssl, urllib.error, urllib.parse, urllib.request
context = ssl.create_default_context(cadata=os.environ["CA"])
def ask(url, form=None, **headers):
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(url, body, headers)
    try:
        return json.load(urllib.request.urlopen(request, context=context, timeout=20))
    except urllib.error.HTTPError as exc:
        return json.load(exc)
def token(file):
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["AZURE_CLIENT_ID"],
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": open(file).read(),
        "scope": "https://vault.azure.net/.default",
    }
    return ask(os.environ["AZURE"] + "/" + os.environ["AZURE_TENANT_ID"] + "/oauth2/v2.0/token", form)
given = token("/tokens/entra")
bearer = "Bearer " + given.get("access_token", "")
secret = ask(os.environ["VAULT"] + "secrets/key?api-version=7.6", Authorization=bearer)
print(json.dumps([secret.get("value", given), token("/tokens/other").get("error_codes")]))
"""


class Owner:
    """The local cloud's own principal, at Resource Manager and at vaults."""

    def __init__(self, cloud: Any) -> None:
        self.cloud, self.environment = cloud, cloud.environment
        self.context = ssl.create_default_context(cafile=self.environment["ca_file"])
        self.endpoint = f"https://{cloud.settings.azure_address}:{cloud.settings.azure_port}"

    def ask(self, method: str, url: str, body: Any = None, token: str = "") -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} if token else {}
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, context=self.context, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def token(self, scope: str) -> str:
        own = {"client_id": self.environment["client_id"], "client_secret": self.cloud.secret, "scope": scope}
        form = urllib.parse.urlencode({**own, "grant_type": "client_credentials"}).encode()
        answer = self.ask("POST", f"{self.endpoint}/{self.environment['tenant_id']}/oauth2/v2.0/token", form)
        return str(answer["access_token"])

    def arm(self, method: str, path: str, version: str, body: Any = None) -> Any:
        base = f"{self.endpoint}/subscriptions/{self.environment['subscription_id']}"
        token = self.token(f"{self.endpoint}/.default")
        return self.ask(method, f"{base}{path}?api-version={version}", body, token)

    def grant(self, scope: str, role: str, principal: str) -> None:
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role}"
        given = {"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"}
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        self.arm("PUT", path, "2022-04-01", {"properties": given})


def oid(token: str) -> str:
    claims = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["oid"])


def test_a_pod_reads_a_secret_with_its_service_accounts_token(cloud: Any, cluster: Any, namespace: str) -> None:
    owner, group = Owner(cloud), f"/resourceGroups/{cluster.resource_group}"
    issuer = owner.arm(
        "GET", f"{group}/providers/Microsoft.ContainerService/managedClusters/{cluster.name}", "2026-08-01"
    )["properties"]["oidcIssuerProfile"]["issuerURL"]
    owner.arm("POST", "/providers/Microsoft.KeyVault/register", "2021-04-01")
    time.sleep(1)
    name = f"kv-{uuid.uuid4().hex[:12]}"
    sent = {"tenantId": cloud.environment["tenant_id"], "sku": {"family": "A", "name": "standard"}}
    place = f"{group}/providers/Microsoft.KeyVault/vaults/{name}"
    vault = owner.arm("PUT", place, "2026-05-15", {"location": LOCATION, "properties": sent})["properties"]["vaultUri"]
    identity_place = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    identity = owner.arm("PUT", identity_place, "2024-11-30", {"location": LOCATION})["properties"]
    subject = f"system:serviceaccount:{namespace}:server"
    trusted = {"properties": {"issuer": issuer, "subject": subject, "audiences": [EXCHANGE]}}
    owner.arm("PUT", f"{identity_place}/federatedIdentityCredentials/pod", "2024-11-30", trusted)
    owner.grant(place, SECRETS_USER, identity["principalId"])
    token = owner.token("https://vault.azure.net/.default")
    owner.grant(place, SECRETS_OFFICER, oid(token))
    try:
        owner.ask("PUT", f"{vault}secrets/key?api-version=7.6", {"value": "of the tools"}, token)
        said = run(cloud, cluster, namespace, {"VAULT": vault, "AZURE_CLIENT_ID": identity["clientId"]})
        assert json.loads(said) == ["of the tools", [700212]], said
        keys = owner.ask("GET", f"{issuer}openid/v1/jwks")["keys"]
        published = json.loads(cluster.kubectl("get", "--raw", "/openid/v1/jwks"))["keys"]
        assert keys == published
    finally:
        owner.arm("DELETE", place, "2026-05-15")
        owner.arm("DELETE", identity_place, "2024-11-30")
        gone = f"/providers/Microsoft.KeyVault/locations/{LOCATION}/deletedVaults/{name}/purge"
        owner.arm("POST", gone, "2026-05-15")


def run(cloud: Any, cluster: Any, namespace: str, more: dict[str, str]) -> str:
    """What the pod prints: the secret, and why a token for another audience is refused."""
    settings = cloud.settings
    values = {
        "AZURE": f"https://{settings.host_address}:{settings.azure_port}",
        "AZURE_TENANT_ID": cloud.environment["tenant_id"],
        "CA": Path(cloud.environment["ca_file"]).read_text(),
        **more,
    }
    tokens = [
        {"serviceAccountToken": {"path": "entra", "audience": EXCHANGE, "expirationSeconds": 600}},
        {"serviceAccountToken": {"path": "other", "audience": "https://example.invalid", "expirationSeconds": 600}},
    ]
    container = {
        "name": "ask",
        "image": f"{cloud.registry}/echo-mcp:1.0.0",
        "command": ["python", "-c", ASK],
        "env": [{"name": name, "value": value} for name, value in values.items()],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tokens", "mountPath": "/tokens", "readOnly": True}],
    }
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "server", "namespace": namespace}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "ask", "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "server",
            "securityContext": {**security, "fsGroup": 1000},
            "containers": [container],
            "volumes": [{"name": "tokens", "projected": {"sources": tokens}}],
        },
    }
    for document in (account, pod):
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(document))
    deadline = time.monotonic() + 180
    while cluster.get("pod", "ask", "-n", namespace)["status"]["phase"] not in ("Succeeded", "Failed"):
        assert time.monotonic() < deadline, "the pod does not come to its end"
        time.sleep(0.5)
    return str(cluster.kubectl("logs", "ask", "-n", namespace))
