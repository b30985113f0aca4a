# SPDX-License-Identifier: GPL-3.0-or-later
"""Federated identity credentials at work: whether the token of another issuer stands for an identity or application.

https://learn.microsoft.com/entra/workload-id/workload-identity-federation: issuer, subject and audience have to be
those of one credential, compared with case (…/identity-platform/reference-breaking-changes), then the signature is
verified by the keys that the issuer publishes. AADSTS700211, 700212 and 700213 with status and text as quoted in
Azure/azure-workload-identity#1200 and microsoft/Agents#202; AADSTS70021, which a credential answers that is not yet
replicated, in azure-workload-identity#340; 70025, 50013, 50027, 50166 and 700024: …/reference-error-codes, with
recalled statuses. Issuers are the clusters of this Azure; no other is asked for its keys.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import jwt

from . import oidc_issuers
from .principals import IDENTITY, REGISTRATION, Principal
from .store import Resource
from .wire import Body

if TYPE_CHECKING:
    from .cloud import Cloud

LEEWAY = 300  # seconds that clocks may differ by
CHECK = (
    "Please check your federated identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://docs.microsoft.com/en-us/azure/active-directory/develop/workload-identity-federation"
)


class NotTrusted(Exception):
    """Why the assertion proves nothing, in the words of the token service."""

    def __init__(self, number: int, text: str, status: int = 401, error: str = "invalid_client") -> None:
        super().__init__(text)
        self.number = number
        self.text = text
        self.status = status
        self.error = error


def require_trusted(cloud: Cloud, principal: Principal, assertion: str) -> None:
    """Raise NotTrusted unless this is a token that a federated credential of the principal names, and a good one."""
    try:
        claims: Body = jwt.decode(assertion, options={"verify_signature": False})
        header = jwt.get_unverified_header(assertion)
    except jwt.InvalidTokenError as exc:
        raise NotTrusted(50027, "JWT token is invalid or malformed.", 400, "invalid_request") from exc
    credential = _matching(_credentials(cloud, principal), claims, principal)
    if time.time() - float(credential.private["since"]) < cloud.config.replication_seconds:
        raise NotTrusted(
            70021,
            f"No matching federated identity record found for presented assertion. Assertion Issuer: "
            f"'{claims['iss']}'. Assertion Subject: '{claims['sub']}'. Assertion Audience: "
            f"'{credential.body['properties']['audiences'][0]}'. {CHECK}",
            400,
            "invalid_request",
        )
    _verify(cloud, assertion, str(claims["iss"]), header)


def _credentials(cloud: Cloud, principal: Principal) -> list[Resource]:
    """Those of the managed identity, or of the application, that has this client id."""
    for kind, client in ((IDENTITY, "clientId"), (REGISTRATION, "appId")):
        for owner in cloud.store.find(kind=kind):
            known = owner.body.get("properties", owner.body)
            if str(known.get(client)).lower() == principal.client_id.lower():
                prefix = f"{owner.key}/federatedidentitycredentials/"
                found = cloud.store.find(kind=f"{kind}/federatedIdentityCredentials")
                return [item for item in found if item.key.startswith(prefix)]
    return []


def _matching(credentials: list[Resource], claims: Body, principal: Principal) -> Resource:
    if not credentials:
        raise NotTrusted(
            70025,
            f"The client '{principal.name}'({principal.client_id}) has no configured federated identity credentials.",
        )
    given = claims.get("aud")
    audiences = [str(one) for one in given] if isinstance(given, list) else [str(given)]
    left = credentials
    for number, part, wanted in ((700211, "issuer", claims.get("iss")), (700213, "subject", claims.get("sub"))):
        left = [item for item in left if item.body["properties"][part] == wanted]
        if not left:
            raise _no_record(number, part, str(wanted))
    left = [item for item in left if item.body["properties"]["audiences"][0] in audiences]
    if not left:
        raise _no_record(700212, "audience", ", ".join(audiences))
    return left[0]


def _no_record(number: int, part: str, value: str) -> NotTrusted:
    text = f"No matching federated identity record found for presented assertion {part} '{value}'. {CHECK}"
    return NotTrusted(number, text)


def _verify(cloud: Cloud, assertion: str, issuer: str, header: Body) -> None:
    keys = oidc_issuers.keys_of(cloud, issuer)
    if keys is None:
        raise NotTrusted(50166, f"Request to External OIDC endpoint failed: {issuer}", 400, "invalid_request")
    key = next((one for one in keys if one["kid"] == header.get("kid")), None)
    if key is None:
        raise _bad_signature("The key was not found.", str(header.get("kid")))
    options = {"verify_aud": False, "require": ["exp", "iat"]}
    try:
        jwt.decode(assertion, jwt.PyJWK(key), algorithms=["RS256"], leeway=LEEWAY, options=options)  # type: ignore[arg-type]
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as exc:
        now = time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime())
        text = f"Client assertion is not within its valid time range. Current time: {now}. {exc}."
        raise NotTrusted(700024, text) from exc
    except jwt.InvalidTokenError as exc:
        raise _bad_signature(str(exc), str(key["kid"])) from exc


def _bad_signature(reason: str, kid: str) -> NotTrusted:
    text = f"Assertion failed signature validation. [Reason - {reason}, Thumbprint of key used by client: '{kid}']"
    return NotTrusted(50013, text)
