# SPDX-License-Identifier: GPL-3.0-or-later
"""Entra's token endpoint: client credentials, proved by a secret or by the token of another issuer that is trusted, and
the codes of users who have signed in.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow; codes and texts of refusals:
…/reference-error-codes, and as public issues quote them.
"""

from __future__ import annotations

from typing import Any

from . import applications, federation, sign_in
from .entra import ASSERTION, SECRET, refused, unknown_tenant
from .principals import Principal, Principals
from .wire import Call, Reply

BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def token(call: Call) -> Reply:
    if answer := unknown_tenant(call):
        return answer
    form: dict[str, Any] = call.body if isinstance(call.body, dict) else {}
    if form.get("grant_type") == "authorization_code":
        return sign_in.redeem(call, form)
    if form.get("grant_type") != "client_credentials":
        return refused(
            400,
            "unsupported_grant_type",
            70003,
            f"The app requested an unsupported grant type '{form.get('grant_type', '')}'.",
        )
    client = str(form.get("client_id", ""))
    principal = _principal(call, client)
    if principal is None:
        return _unknown(call, client)
    scope = str(form.get("scope", "")).split(" ")[0]
    if sign_in.mismatch(str(form.get("resource", "")), (scope,)):
        return refused(400, *sign_in.MISMATCH)
    proof = ASSERTION if "client_assertion" in form else SECRET
    answer = _with_assertion(call, principal, form) if proof == ASSERTION else _with_secret(principal, form)
    return answer or _issue(call, principal, scope, proof)


def _principal(call: Call, client: str) -> Principal | None:
    owner = call.cloud.entra.owner()
    own = client.lower() == owner.client_id.lower()
    return owner if own else Principals(call.cloud.store).by_client(client)


def _unknown(call: Call, client: str) -> Reply:
    tenant = call.cloud.config.tenant_id
    if applications.by_client(call.cloud.store, client) is not None:
        return refused(
            401,
            "invalid_client",
            7000229,
            f"The client application {client} is missing service principal in the tenant {tenant}. See instructions "
            "here: https://go.microsoft.com/fwlink/?linkid=2225119",
        )
    return refused(
        400,
        "unauthorized_client",
        700016,
        f"Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You may have sent your authentication request to the wrong tenant.",
    )


def _with_secret(principal: Principal, form: dict[str, Any]) -> Reply | None:
    if principal.proves(str(form.get("client_secret", ""))):
        return None
    return refused(
        401,
        "invalid_client",
        7000215,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not "
        f"the client secret ID, for a secret added to app '{principal.client_id}'.",
    )


def _with_assertion(call: Call, principal: Principal, form: dict[str, Any]) -> Reply | None:
    kind = form.get("client_assertion_type", "")
    if kind != BEARER:
        text = f"The client_assertion_type '{kind}' is not supported. Use '{BEARER}'."
        return refused(400, "invalid_request", 900144, text)
    try:
        federation.require_trusted(call.cloud, principal, str(form["client_assertion"]))
    except federation.NotTrusted as exc:
        return refused(exc.status, exc.error, exc.number, exc.text)
    return None


def _issue(call: Call, principal: Principal, scope: str, proof: str) -> Reply:
    entra = call.cloud.entra
    try:
        issued = entra.issue(scope, principal, proof) or applications.issue(call, scope, principal, proof)
    except applications.NotAssigned as exc:
        return refused(400, "invalid_grant", 501051, str(exc))
    if issued is None:
        return refused(
            400,
            "invalid_resource",
            500011,
            f"The resource principal named {scope.removesuffix('/.default')} was not found in the tenant named "
            f"{call.cloud.config.tenant_id}.",
        )
    value, lifetime = issued
    return Reply(
        200,
        {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": value},
        {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"},
    )
