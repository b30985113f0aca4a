# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What calls are made of: tokens to be refused, and what the match of a route takes. Pure but for random signatures.

Nobody but an issuer can sign for it. A token that is made here carries claims that are right but for one, and a
signature of nobody: it proves that signatures are checked, and not what would be said of the claim. Tokens that an
issuer has signed can be given for that.

A gateway answers 404 to what no rule of a route takes, and this says nothing of who may call what the rule does take.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..kube.manifests import Object
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


def other_fault(kind: str, token: str, auth: Sequence[Mapping[str, Any]], now: float) -> str:
    """For what else a token of this kind would be refused, which proves nothing of its kind; empty if for nothing.

    A gateway does not say why it refuses where its 401 is answered in words of its own, so the token itself is read.
    """
    claims = claims_of(token)
    if not claims:
        return "is not a JWT, and is refused for that"
    ends = claims.get("exp")
    ended = isinstance(ends, (int, float)) and ends <= now
    issuers = {one["issuer"]: one["audiences"] for one in auth if one.get("issuer") and one.get("audiences")}
    named = claims.get("iss") in issuers
    found = claims.get("aud")
    audiences = set(found if isinstance(found, list) else [found])
    if kind == EXPIRED and not ended:
        return "has not ended yet, so nothing is wrong with it"
    if kind != EXPIRED and ended:
        return "has ended, and is refused for that"
    if not issuers:
        return ""
    if kind in (WRONG_AUDIENCE, EXPIRED) and not named:
        return "is of an issuer that no auth names, and is refused for that"
    if kind == WRONG_ISSUER and named:
        return "is of an issuer that auth names"
    fits = named and bool(audiences & set(issuers[claims["iss"]]))
    if kind == WRONG_AUDIENCE and fits:
        return "is for an audience that auth names"
    if kind == EXPIRED and not fits:
        return "is for an audience that auth does not name, and is refused for that"
    return ""


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


# --- what a call must look like for a rule to take it

USUAL_METHOD = "POST"
"""What MCP calls with."""
DEFAULT_PATH = "/mcp"
_REGULAR = "RegularExpression"
_SENT_BY_TRIAL = ("authorization", "host", "content-length", "connection")
_SAMPLES = "x1Aa-_./ ~:,;=@"
_ESCAPED = {"d": "1", "w": "x", "S": "x", "D": "x", "W": "-", "s": " ", "b": "", "A": "", "z": "", "Z": ""}
_GROUP = re.compile(r"\?(?:P?<\w+>|[imsU]*:|[imsU]+(?=\)))")
_TIMES = re.compile(r"\{(\d+)(?:,\d*)?\}")


@dataclass(frozen=True)
class Match:
    """One call that a rule takes, with its query in the path; or why none could be made up."""

    path: str = DEFAULT_PATH
    method: str = USUAL_METHOD
    headers: tuple[tuple[str, str], ...] = ()
    why_not: str = ""


def matches_of(route: Object) -> list[Match]:
    """One for each path, header and query that leads to a server; of several methods the one that MCP calls with."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Match] = {}
    for rule in route["spec"].get("rules") or ():
        if not rule.get("backendRefs"):
            continue
        for one in rule.get("matches") or [{}]:
            made = _made(one)
            known = found.get((made.path, made.headers))
            if known is None or made.method == USUAL_METHOD:
                found[made.path, made.headers] = made
    return list(found.values())


def _made(match: Mapping[str, Any]) -> Match:
    lacking: list[str] = []
    path = _path(match.get("path") or {}, lacking)
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in _values(match, "queryParams", lacking))
    headers = tuple(_values(match, "headers", lacking))
    for name, _value in headers:
        if name.lower() in _SENT_BY_TRIAL:
            lacking.append(f"header {name}, which the trial says something by itself in")
    why = f"its match asks for {'; '.join(lacking)}" if lacking else ""
    return Match(f"{path}?{query}" if query else path, str(match.get("method") or USUAL_METHOD), headers, why)


def _path(path: Mapping[str, Any], lacking: list[str]) -> str:
    value = str(path.get("value") or "/")
    if path.get("type") != _REGULAR:
        return value
    for found in (DEFAULT_PATH, "/", sample_of(value)):
        if found.startswith("/") and _takes(value, found):
            return found
    lacking.append(f"a path like {value}, of which no example could be made up")
    return value


def _values(match: Mapping[str, Any], key: str, lacking: list[str]) -> Iterator[tuple[str, str]]:
    for one in match.get(key) or ():
        name, value = str(one["name"]), str(one["value"])
        if one.get("type") == _REGULAR and not (made := sample_of(value)):
            lacking.append(f"{name} like {value} ({key}), of which no example could be made up")
        else:
            yield name, made if one.get("type") == _REGULAR else value


def _takes(expression: str, text: str) -> bool:
    try:
        return re.fullmatch(expression, text) is not None
    except (re.error, OverflowError, RecursionError):
        return False


# --- an example of what a regular expression takes


def sample_of(expression: str) -> str:
    """A text that it takes as a whole, or nothing. Made from the first alternative of everything, and then tried."""
    try:
        found, end = _either(expression, 0)
    except (IndexError, RecursionError):
        return ""
    return found if end == len(expression) and _takes(expression, found) else ""


def _either(text: str, at: int) -> tuple[str, int]:
    found, at = _row(text, at)
    while at < len(text) and text[at] == "|":
        _other, at = _row(text, at + 1)
    return found, at


def _row(text: str, at: int) -> tuple[str, int]:
    found = ""
    while at < len(text) and text[at] not in "|)":
        piece, at = _piece(text, at)
        times, at = _times(text, at)
        found += piece * times
    return found, at


def _piece(text: str, at: int) -> tuple[str, int]:
    sign = text[at]
    if sign == "(":
        named = _GROUP.match(text, at + 1)
        found, end = _either(text, named.end() if named else at + 1)
        return found, end + 1
    if sign == "[":
        # a bracket at the beginning is one of the characters
        end = text.index("]", at + (3 if text[at + 1] == "^" else 2)) + 1 if "]" in text[at + 2 :] else len(text)
        return next((one for one in _SAMPLES if _takes(text[at:end], one)), _first(text[at:end])), end
    if sign == "\\":
        return _ESCAPED.get(text[at + 1], text[at + 1]), at + 2
    return {".": "x", "^": "", "$": ""}.get(sign, sign), at + 1


def _first(characters: str) -> str:
    """For those that none of the usual ones is among."""
    return next((one for one in characters[1:-1] if _takes(characters, one)), "")


def _times(text: str, at: int) -> tuple[int, int]:
    times = 1
    if at < len(text) and text[at] in "*+?":
        at += 1
    elif found := _TIMES.match(text, at):
        # what is repeated too often is no example of anything
        times, at = min(int(found[1]), 1000), found.end()
    else:
        return times, at
    return times, at + 1 if at < len(text) and text[at] in "?+" else at


def merged_headers(own: Mapping[str, str], asked: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What a trial sends, and what the rule asks for, which wins: otherwise another rule would answer."""
    taken = {name.lower() for name, _value in asked}
    return {**{name: value for name, value in own.items() if name.lower() not in taken}, **dict(asked)}
