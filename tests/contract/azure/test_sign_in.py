# SPDX-License-Identifier: GPL-3.0-or-later
"""A user signs in with the authorization code flow, as MCP clients do, and what Entra refuses of what they send."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from localcloud.azure.entra import USER

from .conftest import TENANT, Azure
from .test_app_registrations import application, graph, principal, role
from .test_key_vaults import ready as ready

RESOURCE = "https://tools.localcloud.onmicrosoft.com/mcp"
SCOPE = f"{RESOURCE}/mcp.call"
REDIRECT = "http://localhost:33418/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class Apps:
    azure: Azure
    api: Mapping[str, Any]
    client: Mapping[str, Any]

    def authorize(self, **changes: str | None) -> httpx.Response:
        query = {
            "client_id": self.client["appId"],
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": SCOPE,
            "state": "s",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "resource": RESOURCE,
            **changes,
        }
        given = {name: value for name, value in query.items() if value is not None}
        return self.azure.http.get(f"/{TENANT}/oauth2/v2.0/authorize", params=given)

    def answer(self, **changes: str | None) -> dict[str, str]:
        """What the client reads at its redirect URI."""
        found = self.authorize(**changes)
        assert found.status_code == 302, found.text
        return {name: value for name, (value,) in parse_qs(urlsplit(found.headers["location"]).query).items()}

    def redeem(self, code: str, **changes: str | None) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": self.client["appId"],
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            "resource": RESOURCE,
            **changes,
        }
        given = {name: value for name, value in form.items() if value is not None}
        return self.azure.http.post(f"/{TENANT}/oauth2/v2.0/token", data=given)


@pytest.fixture
def apps(azure: Azure) -> Apps:
    scope = {"id": str(uuid.uuid4()), "value": "mcp.call", "type": "User", "isEnabled": True}
    reader = role(str(uuid.uuid4()), "Tools.Read", allowedMemberTypes=["User"])
    api = application(
        azure,
        "tools",
        identifierUris=[RESOURCE],
        appRoles=[reader],
        api={"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [scope]},
    )
    own = principal(azure, api)
    body = {"principalId": USER.object_id, "resourceId": own["id"], "appRoleId": reader["id"]}
    assert graph(azure, "POST", f"/servicePrincipals/{own['id']}/appRoleAssignedTo", body).status_code == 201
    client = application(azure, "client", publicClient={"redirectUris": ["http://localhost/callback"]})
    return Apps(azure, api, client)


def test_a_user_signs_in(apps: Apps) -> None:
    answer = apps.answer()
    assert answer["state"] == "s"
    given = apps.redeem(answer["code"])
    assert given.status_code == 200, given.text
    document = apps.azure.http.get(f"/{TENANT}/v2.0/.well-known/openid-configuration").json()
    (key,) = apps.azure.http.get(document["jwks_uri"]).json()["keys"]
    claims = jwt.decode(
        given.json()["access_token"],
        jwt.PyJWK(key),
        algorithms=["RS256"],
        audience=apps.api["appId"],
        issuer=document["issuer"],
    )
    assert (claims["scp"], claims["roles"], claims["oid"]) == ("mcp.call", ["Tools.Read"], USER.object_id)
    assert (claims["azp"], claims["ver"], "idtyp" in claims) == (apps.client["appId"], "2.0", False)


@pytest.mark.parametrize(
    ("changes", "error", "number"),
    [
        ({"resource": f"{RESOURCE}/"}, "invalid_target", 9010010),
        ({"resource": "https://tools.localcloud.onmicrosoft.com"}, "invalid_target", 9010010),
        ({"scope": "mcp.call", "resource": None}, "invalid_client", 650053),
        ({"scope": "openid", "resource": None}, "invalid_client", 650053),
        ({"scope": f"{RESOURCE}/mcp.other"}, "invalid_client", 650053),
        ({"scope": "api://nobody/x", "resource": "api://nobody"}, "invalid_resource", 500011),
        ({"scope": f"{SCOPE} api://nobody/x", "resource": None}, "invalid_request", 28000),
        ({"code_challenge": None}, "invalid_request", 9002325),
        ({"code_challenge_method": "plain"}, "invalid_request", 501481),
        ({"response_type": "token"}, "unsupported_response_type", 700054),
    ],
)
def test_what_is_declined_is_told_to_the_client(apps: Apps, changes: dict[str, str], error: str, number: int) -> None:
    answer = apps.answer(**changes)
    assert (answer["error"], answer["state"]) == (error, "s")
    assert answer["error_description"].startswith(f"AADSTS{number}: ")


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"redirect_uri": "http://localhost:33418/other"}, 50011),
        ({"redirect_uri": "https://evil.example/callback"}, 50011),
        ({"client_id": str(uuid.uuid4())}, 700016),
    ],
)
def test_nobody_is_sent_to_where_the_application_is_not(apps: Apps, changes: dict[str, str], number: int) -> None:
    answer = apps.authorize(**changes)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [number])


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"code_verifier": "w" * 43}, 501481),
        ({"code_verifier": None}, 501481),
        ({"redirect_uri": "http://localhost:1/callback"}, 500112),
        ({"resource": f"{RESOURCE}/"}, 9010010),
        ({"client_secret": "s"}, 700025),
    ],
)
def test_a_code_is_good_with_what_it_was_asked_for_only(apps: Apps, changes: dict[str, str], number: int) -> None:
    answer = apps.redeem(apps.answer()["code"], **changes)
    assert answer.status_code in (400, 401) and answer.json()["error_codes"] == [number]


def test_a_code_is_good_once_and_for_its_client(apps: Apps) -> None:
    code = apps.answer(resource=None, scope=f"{RESOURCE}/.default")["code"]
    other = application(apps.azure, "other", publicClient={"redirectUris": ["http://localhost/callback"]})
    assert apps.redeem(apps.answer()["code"], client_id=other["appId"]).json()["error_codes"] == [70008]
    assert apps.redeem("made up").json()["error_codes"] == [70008]
    assert apps.redeem(code, resource=None).status_code == 200
    assert apps.redeem(code).json()["error_codes"] == [54005]


def test_a_web_application_proves_who_it_is(apps: Apps) -> None:
    web = application(apps.azure, "web", web={"redirectUris": [REDIRECT]})
    principal(apps.azure, web)
    added = graph(apps.azure, "POST", f"/applications/{web['id']}/addPassword", {"passwordCredential": {}})
    secret = added.json()["secretText"]
    own = Apps(apps.azure, apps.api, web)
    for given, status in ((None, 401), ("wrong", 401), (secret, 200)):
        code = own.answer(code_challenge=None, code_challenge_method=None)["code"]
        assert own.redeem(code, code_verifier=None, client_secret=given).status_code == status


def test_a_daemon_that_sends_another_resource_is_refused(apps: Apps) -> None:
    scope = f"{RESOURCE}/.default"
    assert apps.azure.post_token(scope=scope, resource=RESOURCE).status_code == 200
    refused = apps.azure.post_token(scope=scope, resource=f"{RESOURCE}/")
    assert (refused.status_code, refused.json()["error_codes"]) == (400, [9010010])


def test_no_tenant_in_particular_has_a_template_for_an_issuer(azure: Azure) -> None:
    found = azure.http.get("/organizations/v2.0/.well-known/openid-configuration").json()
    assert found["issuer"] == f"{azure.config.endpoint}/{{tenantid}}/v2.0"
