# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft Graph v1.0, a subset: what `az ad app`, `az ad sp` and the look-ups of `az role assignment` ask for.

Paths and filters: azure-cli 2.91, its module role. Only the owner of the subscription may ask: application permissions
of Graph are not here, and nothing is soft-deleted. Codes and texts as quoted in public issues of azure-cli and
terraform-provider-azuread, otherwise recalled.
"""

from __future__ import annotations

import re
import time
import uuid

import jwt

from .entra import GRAPH, bearer
from .wire import ArmError, Body, Call, Reply


class GraphError(ArmError):
    """A refusal as Graph spells it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)

    def as_body(self) -> Body:
        inner = {"date": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()), "request-id": str(uuid.uuid4())}
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}


def missing(what: str) -> GraphError:
    text = f"Resource '{what}' does not exist or one of its queried reference-property objects are not present."
    return GraphError(404, "Request_ResourceNotFound", text)


def bad(text: str, code: str = "Request_BadRequest") -> GraphError:
    return GraphError(400, code, text)


def now(more: float = 0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + more))


# --- lists


_TERM = re.compile(
    r"(?P<eq>\w+) eq '(?P<value>(?:[^']|'')*)'"
    r"|(?P<any>\w+)/any\(\w+:\w+ eq '(?P<item>(?:[^']|'')*)'\)"
    r"|startswith\((?P<start>\w+),\s*'(?P<prefix>(?:[^']|'')*)'\)",
    re.IGNORECASE,
)


def listed(call: Call, bodies: list[Body]) -> Reply:
    """With the filters that azure-cli sends; another one is refused rather than answered wrongly."""
    asked = call.query.get("$filter", "")
    for term in filter(None, re.split(r"\s+and\s+", asked)):
        found = _TERM.fullmatch(term.strip())
        if found is None:
            raise bad(f"Unsupported or invalid query filter clause: {term}", "Request_UnsupportedQuery")
        bodies = [body for body in bodies if _fits(body, found)]
    return Reply(200, {"value": bodies})


def _fits(body: Body, term: re.Match[str]) -> bool:
    name = term["any"] or term["start"] or term["eq"]
    if name not in body:
        raise bad(f"Could not find a property named '{name}'.", "Request_UnsupportedQuery")
    if term["any"]:
        return term["item"].replace("''", "'").lower() in [str(one).lower() for one in body.get(term["any"]) or []]
    if term["start"]:
        return str(body.get(term["start"]) or "").lower().startswith(term["prefix"].replace("''", "'").lower())
    return str(body.get(term["eq"])).lower() == term["value"].replace("''", "'").lower()


def admit(call: Call) -> None:
    """A token for Graph (or for this Azure: its metadata document names one endpoint for both), of the owner."""
    entra = call.cloud.entra
    try:
        claims = entra.verify(bearer(call.headers.get("authorization", "")))
    except jwt.InvalidTokenError as exc:
        raise GraphError(401, "InvalidAuthenticationToken", "Access token is empty, invalid or has expired.") from exc
    if not entra.is_for(str(claims.get("aud", "")), GRAPH):
        raise GraphError(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
    if not entra.knows(str(claims["oid"])):
        raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
