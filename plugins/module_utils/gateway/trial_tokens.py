# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens that a gateway must refuse, and what a given one may do. Pure but for the randomness of signatures.

Nobody but an issuer can sign for it. What is made here carries claims that are right but for one, and a signature of
nobody: it proves that signatures are checked, and not what would be said of the claim. Tokens that an issuer has signed
can be given for that.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .access_spec import entra_tenant, grants_of, issuers_of

WRONG_AUDIENCE, WRONG_ISSUER, EXPIRED, OTHER_TENANT = "wrong_audience", "wrong_issuer", "expired", "other_tenant"
FOREIGN_KEY, UNSIGNED = "foreign_key", "unsigned"
SIGNED_KINDS = (WRONG_AUDIENCE, WRONG_ISSUER, EXPIRED, OTHER_TENANT)
"""Those of which an issuer can make real ones."""
KINDS = (*SIGNED_KINDS, FOREIGN_KEY, UNSIGNED)
_SIGNATURE_BYTES = 256
_LIFETIME = 3600
_ANOTHER_TENANT = "00000000-0000-4000-8000-000000000000"
_ANOTHER = "https://mcpops-trial.invalid/"


def forged(kind: str, route: str, auth: Sequence[Mapping[str, Any]], now: float | None = None) -> str:
    """A token of this kind for a route, as if its first issuer had made it."""
    claims = _right_claims(route, auth, time.time() if now is None else now)
    if kind == WRONG_AUDIENCE:
        claims["aud"] = "api://mcpops-trial-of-another-audience"
    elif kind == WRONG_ISSUER:
        claims["iss"] = _ANOTHER
    elif kind == EXPIRED:
        claims.update(
            exp=claims["nbf"] - _LIFETIME, iat=claims["nbf"] - 2 * _LIFETIME, nbf=claims["nbf"] - 2 * _LIFETIME
        )
    elif kind == OTHER_TENANT:
        tenant = entra_tenant(claims["iss"])
        claims["iss"] = claims["iss"].replace(tenant, _ANOTHER_TENANT) if tenant else claims["iss"]
        claims["tid"] = _ANOTHER_TENANT
    header = {"alg": "none" if kind == UNSIGNED else "RS256", "typ": "JWT"}
    signature = b"" if kind == UNSIGNED else os.urandom(_SIGNATURE_BYTES)
    return ".".join((_encoded(json.dumps(header).encode()), _encoded(json.dumps(claims).encode()), _encoded(signature)))


def _right_claims(route: str, auth: Sequence[Mapping[str, Any]], now: float) -> dict[str, Any]:
    issuer: Mapping[str, Any] = next(
        iter([*issuers_of(route, auth), *auth]), {"issuer": _ANOTHER, "audiences": ["api://mcp"]}
    )
    found: dict[str, Any] = {
        "iss": issuer["issuer"],
        "aud": issuer["audiences"][0],
        "sub": "mcpops-gateway-trial",
        "nbf": int(now) - 60,
        "iat": int(now) - 60,
        "exp": int(now) + _LIFETIME,
    }
    for grant in grants_of(route, auth):
        if grant.issuer == issuer.get("name"):
            found.setdefault(grant.claim, list(grant.values))
    if tenant := entra_tenant(issuer["issuer"]):
        found["tid"] = tenant
    return found


def claims_of(token: str) -> Mapping[str, Any]:
    """What a token says; nothing where it is not one that can be read. Whether it is true is the gateway's to find."""
    parts = token.split(".")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return found if isinstance(found, Mapping) else {}


def tools_of(claims: Mapping[str, Any], route: str, auth: Sequence[Mapping[str, Any]]) -> tuple[str, ...] | None:
    """The tools of a route that the claims open, as it is declared; None for all of them."""
    found: list[str] = []
    names = {one["name"] for one in auth if one["issuer"] == claims.get("iss")}
    for grant in grants_of(route, auth):
        held = claims.get(grant.claim)
        held = [held] if isinstance(held, str) else held if isinstance(held, list) else []
        if grant.issuer not in names or not set(held) & set(grant.values):
            continue
        if grant.tools is None:
            return None
        found += grant.tools
    return tuple(dict.fromkeys(found))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
