# SPDX-License-Identifier: GPL-3.0-or-later
"""The authorization code flow of Entra, for the one user that is played: who asks is signed in and consents at once.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow. An MCP client sends `resource` (RFC 8707),
which Entra compares, as a string, with the URI in front of the scopes: anything else is AADSTS9010010. It registers no
client by itself and knows no other code challenge than S256 for public clients. Codes and texts of refusals:
…/reference-error-codes, and as public issues quote them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from . import applications
from .entra import GRAPH, SECRET, USER, refused, unknown_tenant
from .principals import Principals
from .store import Resource
from .wire import Body, Call, Reply

CODE_SECONDS = 600
OPENID_SCOPES = ("openid", "profile", "email", "offline_access")


@dataclass(frozen=True)
class Granted:
    """What a code stands for."""

    client: str
    redirect: str
    challenge: str
    api: Resource
    scopes: tuple[str, ...]
    expires: float


class Codes:
    """Authorization codes that were given out; each is good once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._granted: dict[str, Granted] = {}
        self._redeemed: set[str] = set()

    def give(self, granted: Granted) -> str:
        code = f"1.{secrets.token_urlsafe(48)}"
        with self._lock:
            self._granted[code] = granted
        return code

    def redeem(self, code: str) -> Granted | None:
        with self._lock:
            granted = self._granted.pop(code, None)
            if granted is not None:
                self._redeemed.add(code)
        return granted

    def was_redeemed(self, code: str) -> bool:
        return code in self._redeemed


class Declined(Exception):
    """What the client is told at its redirect URI."""

    def __init__(self, error: str, number: int, text: str) -> None:
        super().__init__(text)
        self.error, self.number = error, number


def mismatch(resource: str, scopes: tuple[str, ...]) -> bool:
    """Whether a `resource` is another one than that of the scopes."""
    return bool(resource) and any(scope.rpartition("/")[0] != resource for scope in scopes)


MISMATCH = (
    "invalid_target",
    9010010,
    "The resource parameter provided in the request doesn't match with the requested scopes.",
)


def _platform(app: Resource, redirect: str) -> str:
    """The platform that a redirect URI is registered for, or none. On localhost any port will do (RFC 8252)."""
    platforms = ("web", "spa", "publicClient")
    known = {uri: one for one in platforms for uri in (app.body.get(one) or {}).get("redirectUris", [])}
    portless = re.sub(r"^(http://localhost):\d+", r"\1", redirect)
    return known.get(redirect) or known.get(portless, "")


def authorize(call: Call) -> Reply:
    if answer := unknown_tenant(call):
        return answer
    query = call.query
    client, redirect = query.get("client_id", ""), query.get("redirect_uri", "")
    app = applications.by_client(call.cloud.store, client)
    if app is None:
        tenant = call.cloud.config.tenant_id
        text = f"Application with identifier '{client}' was not found in the directory '{tenant}'."
        return refused(400, "unauthorized_client", 700016, text)
    if not _platform(app, redirect):
        text = (
            f"The redirect URI '{redirect}' specified in the request does not match the redirect URIs configured for "
            f"the application '{client}'."
        )
        return refused(400, "invalid_request", 50011, text)
    state = {"state": query["state"]} if "state" in query else {}
    try:
        told = {"code": call.cloud.codes.give(_granted(call, app, redirect)), **state, "session_state": "local"}
    except Declined as exc:
        told = {"error": exc.error, "error_description": f"AADSTS{exc.number}: {exc}", **state}
    mark = "&" if "?" in redirect else "?"
    return Reply(302, None, {"Location": f"{redirect}{mark}{urlencode(told)}", "Cache-Control": "no-store"})


def _granted(call: Call, app: Resource, redirect: str) -> Granted:
    query, client = call.query, str(app.body["appId"])
    if query.get("response_type") != "code":
        raise Declined("unsupported_response_type", 700054, "response_type is not enabled for the application.")
    public = _platform(app, redirect) != "web"
    challenge = query.get("code_challenge", "")
    if challenge and query.get("code_challenge_method", "plain") != "S256":
        raise Declined("invalid_request", 501481, "The code_challenge_method 'plain' is not allowed for this client.")
    if public and not challenge:
        text = "Proof Key for Code Exchange is required for cross-origin authorization code redemption."
        raise Declined("invalid_request", 9002325, text)
    scopes = tuple(scope for scope in query.get("scope", "").split() if scope not in OPENID_SCOPES)
    if mismatch(query.get("resource", ""), scopes):
        raise Declined(*MISMATCH)
    api = _api(call, app, scopes)
    return Granted(client, redirect, challenge, api, _values(app, api, scopes), time.time() + CODE_SECONDS)


def _api(call: Call, app: Resource, scopes: tuple[str, ...]) -> Resource:
    """The registration whose URI stands in front of the scopes."""
    uris = {scope.rpartition("/")[0] for scope in scopes}
    name = app.body["displayName"]
    if "" in uris or not uris:
        # what names no API is Microsoft Graph's, which is not played for users
        bare = next((scope for scope in scopes if "/" not in scope), "")
        text = f"The application '{name}' asked for scope '{bare}' that doesn't exist on the resource '{GRAPH}'."
        raise Declined("invalid_client", 650053, text)
    if len(uris) > 1:
        text = "Provided value for the input parameter scope is not valid because it contains more than one resource."
        raise Declined("invalid_request", 28000, text)
    (uri,) = uris
    api = applications.by_name(call.cloud.store, uri)
    if api is None or applications.service_principal(call.cloud.store, api.body["appId"]) is None:
        text = f"The resource principal named {uri} was not found in the tenant named {call.cloud.config.tenant_id}."
        raise Declined("invalid_resource", 500011, text)
    return api


def _values(app: Resource, api: Resource, scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The delegated permissions of the API that are asked for; `.default` is all of them."""
    offered = [
        one["value"] for one in api.body["api"].get("oauth2PermissionScopes") or [] if one.get("isEnabled", True)
    ]
    asked = [scope.rpartition("/")[2] for scope in scopes]
    for value in asked:
        if value not in (*offered, ".default"):
            text = (
                f"The application '{app.body['displayName']}' asked for scope '{value}' that doesn't exist on the "
                f"resource '{api.body['appId']}'."
            )
            raise Declined("invalid_client", 650053, text)
    return tuple(offered) if ".default" in asked else tuple(asked)


# --- the token endpoint's half


def redeem(call: Call, form: Body) -> Reply:
    client, code = str(form.get("client_id", "")), str(form.get("code", ""))
    app = applications.by_client(call.cloud.store, client)
    if app is None:
        text = f"Application with identifier '{client}' was not found in the directory."
        return refused(400, "unauthorized_client", 700016, text)
    granted = call.cloud.codes.redeem(code)
    if granted is None and call.cloud.codes.was_redeemed(code):
        text = "OAuth2 Authorization code was already redeemed, please retry with a new valid code."
        return refused(400, "invalid_grant", 54005, text)
    if granted is None or granted.client != client or granted.expires < time.time():
        text = "The provided authorization code or refresh token has expired due to inactivity or is invalid."
        return refused(400, "invalid_grant", 70008, text)
    return _not_redeemable(call, app, granted, form) or _token(call, app, granted)


def _not_redeemable(call: Call, app: Resource, granted: Granted, form: Body) -> Reply | None:
    if form.get("redirect_uri") != granted.redirect:
        text = "The reply address does not match the reply address provided when requesting Authorization code."
        return refused(400, "invalid_grant", 500112, text)
    digest = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
    proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    if granted.challenge and not hmac.compare_digest(proof, granted.challenge):
        text = "The Code_Verifier does not match the code_challenge supplied in the authorization request."
        return refused(400, "invalid_grant", 501481, text)
    resource = str(form.get("resource", ""))
    if resource and resource not in (granted.api.body["appId"], *granted.api.body["identifierUris"]):
        return refused(400, *MISMATCH)
    web, secret = _platform(app, granted.redirect) == "web", str(form.get("client_secret", ""))
    if web and not secret:
        text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        return refused(401, "invalid_client", 7000218, text)
    if not web and secret:
        text = "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."
        return refused(401, "invalid_client", 700025, text)
    principal = Principals(call.cloud.store).by_client(granted.client)
    if web and (principal is None or not principal.proves(secret)):
        return refused(401, "invalid_client", 7000215, "Invalid client secret provided.")
    return None


def _token(call: Call, app: Resource, granted: Granted) -> Reply:
    store, api = call.cloud.store, granted.api.body
    resource = applications.service_principal(store, api["appId"])
    own = applications.assigned(store, USER.object_id, resource.body["id"] if resource else "")
    roles = applications.values(api["appRoles"], own)
    proof = SECRET if _platform(app, granted.redirect) == "web" else "0"
    claims: Body = {
        **applications.addressed(call, api, granted.client, proof),
        "scp": " ".join(granted.scopes),
        "name": USER.name,
        **({"roles": roles} if roles else {}),
    }
    value, lifetime = call.cloud.entra.sign(claims, USER)
    shown: Body = {"token_type": "Bearer", "scope": " ".join(granted.scopes), "expires_in": lifetime}
    headers = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}
    return Reply(200, {**shown, "ext_expires_in": lifetime, "access_token": value}, headers)
