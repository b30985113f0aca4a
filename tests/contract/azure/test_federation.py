# SPDX-License-Identifier: GPL-3.0-or-later
"""A token of a service account becomes one of Entra, where a federated credential says so and nowhere else."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import WorkloadIdentityCredential
from azure.keyvault.secrets import SecretClient
from cryptography.hazmat.primitives.asymmetric import rsa

from .conftest import SUB, TENANT, Azure, cluster_path
from .test_key_vaults import OFFICER, USER, secrets, vault
from .test_key_vaults import ready as ready

IDENTITY = "/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-tools"
SUBJECT, AUDIENCE = "system:serviceaccount:tools:server", "api://AzureADTokenExchange"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY, OTHER_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))


def published(key: rsa.RSAPrivateKey, kid: str = "one") -> dict[str, Any]:
    found = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**found, "kid": kid, "use": "sig", "alg": "RS256"}


@pytest.fixture
def federated(ready: Azure) -> Azure:
    """A cluster, and an identity that trusts one of its service accounts."""
    ready.cluster()
    ready.backend.keys = [published(KEY)]
    assert ready.request("PUT", IDENTITY, {"location": "eastus"}, version="2024-11-30").is_success
    trust(ready)
    return ready


def issuer(azure: Azure) -> str:
    return str(azure.request("GET", cluster_path()).json()["properties"]["oidcIssuerProfile"]["issuerURL"])


def client_of(azure: Azure) -> str:
    return str(azure.request("GET", IDENTITY, version="2024-11-30").json()["properties"]["clientId"])


def trust(azure: Azure, *, age: float = 60, **changes: Any) -> None:
    given = {"issuer": issuer(azure), "subject": SUBJECT, "audiences": [AUDIENCE], **changes}
    path = f"{IDENTITY}/federatedIdentityCredentials/tools"
    assert azure.request("PUT", path, {"properties": given}, version="2024-11-30").is_success
    made = azure.cloud.store.get(f"{SUB}{path}")
    assert made is not None
    azure.cloud.store.update(made, private={"since": time.time() - age})


def token(azure: Azure, key: Any = KEY, kid: str = "one", algorithm: str = "RS256", **changes: Any) -> str:
    """What a pod finds in its projected volume."""
    now = int(time.time())
    claims = {"iss": issuer(azure), "sub": SUBJECT, "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + 3600}
    left = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(left, key, algorithm=algorithm, headers={"kid": kid})


def exchange(azure: Azure, assertion: str, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": client_of(azure),
        "client_assertion_type": BEARER,
        "client_assertion": assertion,
        "scope": "https://vault.azure.net/.default",
    }
    return azure.http.post(f"/{TENANT}/oauth2/v2.0/token", data={**form, **changes})


def test_a_pod_reads_a_secret_with_its_own_token(federated: Azure, tmp_path: Path) -> None:
    """From the token in the pod to the vault, by Microsoft's own clients."""
    url = vault(federated)
    officer = federated.principal("officer", (OFFICER, "/resourceGroups/rg"))
    secrets(federated, url, officer).set_secret("key", "of the tools")
    identity = federated.request("GET", IDENTITY, version="2024-11-30").json()["properties"]
    file = tmp_path / "azure-identity-token"
    file.write_text(token(federated))
    credential = WorkloadIdentityCredential(
        tenant_id=TENANT,
        client_id=identity["clientId"],
        token_file_path=str(file),
        authority=federated.config.endpoint,
        disable_instance_discovery=True,
        connection_verify=str(federated.ca),
    )
    client = SecretClient(url, credential, verify_challenge_resource=False, connection_verify=str(federated.ca))
    with pytest.raises(Exception, match=f"oid={identity['principalId']}"):
        client.get_secret("key")
    time.sleep(federated.config.replication_seconds)
    assert federated.assign(USER, "/resourceGroups/rg", identity["principalId"]).status_code == 201
    assert client.get_secret("key").value == "of the tools"


def test_the_token_is_the_identitys(federated: Azure) -> None:
    given = exchange(federated, token(federated)).json()["access_token"]
    claims = jwt.decode(given, options={"verify_signature": False})
    identity = federated.request("GET", IDENTITY, version="2024-11-30").json()["properties"]
    assert (claims["appid"], claims["oid"]) == (identity["clientId"], identity["principalId"])
    assert (claims["appidacr"], claims["tid"]) == ("2", TENANT)


LONG_AGO = 1_700_000_000
# what of the pod's token differs, status, error, number
REFUSED: dict[str, tuple[dict[str, Any], int, str, int]] = {
    "another issuer": ({"iss": "https://example.invalid/"}, 401, "invalid_client", 700211),
    "another subject": ({"sub": "system:serviceaccount:tools:other"}, 401, "invalid_client", 700213),
    "the subject in capitals": ({"sub": SUBJECT.upper()}, 401, "invalid_client", 700213),
    "another audience": ({"aud": ["https://kubernetes.default.svc"]}, 401, "invalid_client", 700212),
    "no subject": ({"sub": None}, 401, "invalid_client", 700213),
    "no audience": ({"aud": None}, 401, "invalid_client", 700212),
    "expired": ({"exp": LONG_AGO + 3600, "nbf": LONG_AGO, "iat": LONG_AGO}, 401, "invalid_client", 700024),
    "not valid yet": ({"nbf": LONG_AGO * 2, "exp": LONG_AGO * 2 + 60}, 401, "invalid_client", 700024),
    "never expiring": ({"exp": None}, 401, "invalid_client", 50013),
    "another key of the same name": ({"key": OTHER_KEY}, 401, "invalid_client", 50013),
    "a key that nobody published": ({"key": OTHER_KEY, "kid": "two"}, 401, "invalid_client", 50013),
    "signed with a secret": ({"key": "x" * 40, "algorithm": "HS256"}, 401, "invalid_client", 50013),
    "signed by nobody": ({"key": None, "algorithm": "none"}, 401, "invalid_client", 50013),
}


@pytest.mark.parametrize(("changes", "status", "error", "number"), REFUSED.values(), ids=REFUSED)
def test_refused(federated: Azure, changes: dict[str, Any], status: int, error: str, number: int) -> None:
    answer = exchange(federated, token(federated, **changes))
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (status, error, [number])


def test_an_issuer_is_compared_with_its_slash(federated: Azure) -> None:
    answer = exchange(federated, token(federated, iss=issuer(federated).rstrip("/")))
    assert answer.json()["error_codes"] == [700211]


def test_no_token_at_all(federated: Azure) -> None:
    for assertion in ("", "not a token", "a.b.c"):
        answer = exchange(federated, assertion)
        assert (answer.status_code, answer.json()["error_codes"]) == (400, [50027])
    answer = exchange(federated, token(federated), client_assertion_type="urn:other")
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [900144])


def test_a_credential_is_replicated_after_a_while(federated: Azure) -> None:
    trust(federated, age=-60)
    answer = exchange(federated, token(federated))
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [70021])
    trust(federated)
    assert exchange(federated, token(federated)).is_success


def test_an_identity_without_credentials_trusts_nobody(federated: Azure) -> None:
    path = f"{IDENTITY}/federatedIdentityCredentials/tools"
    assert federated.request("DELETE", path, version="2024-11-30").is_success
    assert exchange(federated, token(federated)).json()["error_codes"] == [70025]


def test_what_another_identity_trusts_is_nothing_to_this_one(federated: Azure) -> None:
    other = IDENTITY.replace("id-tools", "id-tools-2")
    made = federated.request("PUT", other, {"location": "eastus"}, version="2024-11-30").json()["properties"]
    answer = exchange(federated, token(federated), client_id=made["clientId"])
    assert answer.json()["error_codes"] == [70025]


def test_an_issuer_that_is_gone_has_no_keys(federated: Azure) -> None:
    assertion = token(federated)
    trust(federated, issuer="https://example.invalid/")
    gone = token(federated, iss="https://example.invalid/")
    assert exchange(federated, gone).json()["error_codes"] == [50166]
    assert exchange(federated, assertion).json()["error_codes"] == [700211]


def test_a_client_reads_the_refusal(federated: Azure, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token(federated, sub="system:serviceaccount:tools:other"))
    credential = WorkloadIdentityCredential(
        tenant_id=TENANT,
        client_id=client_of(federated),
        token_file_path=str(file),
        authority=federated.config.endpoint,
        disable_instance_discovery=True,
        connection_verify=str(federated.ca),
    )
    text = "AADSTS700213: No matching federated identity record found for presented assertion subject"
    with pytest.raises(ClientAuthenticationError, match=text):
        credential.get_token("https://vault.azure.net/.default")


def test_anybody_verifies_a_clusters_tokens_by_its_issuer(federated: Azure) -> None:
    url = issuer(federated)
    document = federated.http.get(f"{url}.well-known/openid-configuration").json()
    assert document["issuer"] == url
    (key,) = federated.http.get(document["jwks_uri"]).json()["keys"]
    verified = jwt.decode(token(federated), jwt.PyJWK(key), algorithms=["RS256"], audience=AUDIENCE, issuer=url)
    assert verified["sub"] == SUBJECT
    missing = federated.http.get(f"{url[:-1]}x/.well-known/openid-configuration")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "NotFound")


def test_the_cluster_is_started_with_its_issuer(federated: Azure) -> None:
    assert list(federated.backend.issuers.values()) == [issuer(federated)]
    disabled = federated.cluster("c2", oidcIssuerProfile={"enabled": False})
    assert "issuerURL" not in disabled["properties"]["oidcIssuerProfile"]
    assert sorted(federated.backend.issuers.values()) == ["", issuer(federated)]


def test_the_key_of_a_cluster_is_named_as_its_api_server_names_it(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    from localcloud.kube.layout import ClusterLayout
    from localcloud.kube.pki import service_account_key

    layout = ClusterLayout("x", str(tmp_path), 1, "a", "10.0.0.1", "10.0.0.2", "10.0.0.3", (), "1.35.4")
    layout.pki.mkdir()
    pem, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (layout.pki / "sa.pub").write_bytes(KEY.public_key().public_bytes(pem, form))
    made = service_account_key(layout)
    assert len(base64.urlsafe_b64decode(made["kid"] + "=")) == 32
    signed = jwt.encode({"sub": "x"}, KEY, algorithm="RS256")
    assert jwt.decode(signed, jwt.PyJWK(made), algorithms=["RS256"]) == {"sub": "x"}
