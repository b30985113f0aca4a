# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens: who gets one, what it is good for, and how the refusals read."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest

from .conftest import CLIENT, SECRET, SUB, TENANT, Azure, launch, make_config

REFUSED = {
    "wrong secret": ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
    "empty secret": ({"client_secret": ""}, 401, "invalid_client", 7000215),
    "secret that is not ASCII": ({"client_secret": "gehäim"}, 401, "invalid_client", 7000215),
    "unknown client": ({"client_id": "somebody"}, 400, "unauthorized_client", 700016),
    "unknown scope": ({"scope": "https://example.invalid/.default"}, 400, "invalid_resource", 500011),
    "other grant": ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
}


@pytest.mark.parametrize(("changes", "status", "error", "number"), REFUSED.values(), ids=REFUSED)
def test_refused(azure: Azure, changes: dict[str, str], status: int, error: str, number: int) -> None:
    answer = azure.post_token(**changes)
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (status, error, [number])
    assert answer.json()["error_description"].startswith(f"AADSTS{number}: ")
    assert SECRET not in answer.text


def test_unknown_tenant(azure: Azure) -> None:
    for answer in (azure.post_token("nowhere"), azure.http.get("/nowhere/v2.0/.well-known/openid-configuration")):
        assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])


def test_a_token_is_signed_with_the_published_key(azure: Azure) -> None:
    discovered = azure.http.get(f"/{TENANT}/v2.0/.well-known/openid-configuration").json()
    published = azure.http.get(discovered["jwks_uri"]).json()["keys"][0]
    token = azure.http.post(
        discovered["token_endpoint"],
        data={
            "client_id": CLIENT,
            "client_secret": SECRET,
            "grant_type": "client_credentials",
            "scope": f"{azure.config.endpoint}//.default",  # az's own spelling
        },
    ).json()["access_token"]
    claims = jwt.decode(token, jwt.PyJWK(published), algorithms=["RS256"], audience=f"{azure.config.endpoint}/")
    assert (claims["tid"], claims["appid"], claims["idtyp"]) == (TENANT, CLIENT, "app")


def test_without_and_with_a_bad_token(azure: Azure) -> None:
    for header, code in (
        ({}, "AuthenticationFailed"),
        ({"Authorization": "Basic eDp5"}, "AuthenticationFailed"),
        ({"Authorization": "Bearer x.y.z"}, "InvalidAuthenticationToken"),
    ):
        answer = azure.http.get(SUB, params={"api-version": "2022-12-01"}, headers=header)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_token_for_another_audience(azure: Azure) -> None:
    token = azure.post_token(scope="https://graph.microsoft.com/.default").json()["access_token"]
    answer = azure.request("GET", SUB, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationTokenAudience")


def test_tokens_expire(tmp_path: Path, pki: Path) -> None:
    azure = launch(make_config(tmp_path, pki, token_seconds=-1), pki)
    try:
        answer = azure.request("GET", SUB)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    finally:
        azure.server.stop()


def test_tokens_outlive_a_restart(tmp_path: Path, pki: Path) -> None:
    config = make_config(tmp_path, pki)
    first = launch(config, pki)
    assert first.request("GET", SUB).status_code == 200
    first.server.stop()
    second = launch(config, pki)
    second.token = first.token
    try:
        assert second.request("GET", SUB).status_code == 200
    finally:
        second.server.stop()
    assert (tmp_path / "token-signing.key").stat().st_mode & 0o077 == 0


def test_the_cloud_describes_itself(azure: Azure) -> None:
    old = azure.http.get("/metadata/endpoints", params={"api-version": "2019-05-01"}).json()
    new = azure.http.get("/metadata/endpoints", params={"api-version": "2022-09-01"}).json()
    assert old == [new]
    assert new["resourceManager"] == azure.config.endpoint
    assert new["authentication"]["loginEndpoint"] == f"{azure.config.endpoint}/"
    assert azure.http.get("/common/discovery/instance").json()["metadata"]


def test_tokens_of_version_1_are_verified_by_its_own_document(azure: Azure) -> None:
    """As an API server does: by the issuer, which is the same wherever the token was asked for, and the keys."""
    for address in ("127.0.0.1", "localhost"):
        endpoint = f"https://{address}:{azure.config.port}"
        document = azure.http.get(f"{endpoint}/{TENANT}/.well-known/openid-configuration").json()
        assert document["issuer"] == f"https://sts.windows.net/{TENANT}/"
        scope = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
        form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, "scope": scope}
        token = azure.http.post(f"{endpoint}/{TENANT}/oauth2/v2.0/token", data=form).json()["access_token"]
        (key,) = azure.http.get(document["jwks_uri"]).json()["keys"]
        verified = jwt.decode(
            token, jwt.PyJWK(key).key, ["RS256"], audience=scope.removesuffix("/.default"), issuer=document["issuer"]
        )
        assert verified["ver"] == "1.0"
