# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may call what, from one list of issuers and their rules: the policy of a route for Envoy Gateway. Pure.

Rules only ever allow. A rule that cannot be evaluated does not match, so what a rule forbids would be open then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .gateway_spec import CALLER_HEADER, MCP_FILTER

METADATA_PATH = "/.well-known/oauth-protected-resource"
"""Where clients look for what protects a resource, followed by its path (RFC 9728)."""
PROTOCOL_METHODS = (
    "server/discover",
    "initialize",
    "ping",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "tools/list",
)
"""What a client of either era says beside its calls: it changes nothing, and none of it names a tool."""
CALL = "tools/call"
HAS_CALLER = f"request.headers['{CALLER_HEADER}'] != ''"
"""The token has the claim that names its caller: without it the header is missing, and with that an error, no match."""
ENTRA_HOSTS = ("login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn")
_METADATA = f"metadata.filter_metadata['{MCP_FILTER}']"
# a token may be sent in the header alone: Envoy would take one in the address as well, where it is logged
_FROM_HEADER = {"headers": [{"name": "Authorization", "valuePrefix": "Bearer "}]}
_TENANT = re.compile(r"/([0-9a-fA-F-]{36})/v2\.0")


@dataclass(frozen=True)
class Grant:
    """One entry of `access` of an issuer, as far as it is about one route."""

    issuer: str
    claim: str
    values: tuple[str, ...]
    tools: tuple[str, ...] | None
    methods: tuple[str, ...]


def entra_tenant(issuer: str) -> str:
    """The tenant of an issuer of Microsoft Entra ID (v2.0); empty for any other."""
    parts = urlsplit(issuer)
    found = _TENANT.fullmatch(parts.path) if parts.hostname in ENTRA_HOSTS else None
    return found.group(1) if found else ""


def keys_of(auth: Mapping[str, Any]) -> str:
    """Where the issuer's keys are fetched; empty where a ConfigMap has them."""
    if auth.get("jwks_uri"):
        return str(auth["jwks_uri"])
    tenant = entra_tenant(auth["issuer"])
    host = urlsplit(auth["issuer"]).hostname
    return f"https://{host}/{tenant}/discovery/v2.0/keys" if tenant and not auth.get("jwks_config_map") else ""


def grants_of(route: str, auth: Sequence[Mapping[str, Any]]) -> Iterator[Grant]:
    """What the list says of one route; roles and groups of an entry are two ways in."""
    for one in auth:
        for entry in one.get("access") or ():
            # an empty list is nobody's server: a variable that came out empty must not open them all
            if entry.get("servers") is not None and route not in entry["servers"]:
                continue
            tools = entry.get("tools")
            for claim, option in (("roles", "roles"), ("groups", "groups")):
                if entry.get(option):
                    yield Grant(
                        issuer=one["name"],
                        claim=one.get(f"{claim}_claim") or claim,
                        values=tuple(entry[option]),
                        tools=None if tools is None else tuple(tools),
                        methods=tuple(entry.get("methods") or ()),
                    )


def issuers_of(route: str, auth: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those whose tokens open this route to somebody."""
    names = {grant.issuer for grant in grants_of(route, auth)}
    return [one for one in auth if one["name"] in names]


def security_spec(
    route: str, auth: Sequence[Mapping[str, Any]], source_ranges: Sequence[str], anonymous: bool
) -> dict[str, Any]:
    """The policy of a route, without what it is about."""
    if anonymous:
        if not source_ranges:
            return {"authorization": {"defaultAction": "Allow"}}
        rule = {"name": "ranges", "action": "Allow", "principal": {"clientCIDRs": list(source_ranges)}}
        return {"authorization": {"defaultAction": "Deny", "rules": [rule]}}
    rules = [
        rule
        for number, grant in enumerate(grants_of(route, auth))
        for rule in _rules(f"{grant.issuer}-{number}", grant, source_ranges)
    ]
    return {
        "jwt": {"providers": [_provider(one) for one in issuers_of(route, auth)]},
        "authorization": {"defaultAction": "Deny", "rules": rules},
    }


def _provider(auth: Mapping[str, Any]) -> dict[str, Any]:
    if auth.get("jwks_config_map"):
        reference = {"group": "", "kind": "ConfigMap", "name": auth["jwks_config_map"]}
        keys: dict[str, Any] = {"localJWKS": {"type": "ValueRef", "valueRef": reference}}
    else:
        keys = {"remoteJWKS": {"uri": keys_of(auth)}}
    return {
        "name": auth["name"],
        "issuer": auth["issuer"],
        "audiences": list(auth["audiences"]),
        **keys,
        "claimToHeaders": [{"claim": auth["caller_claim"], "header": CALLER_HEADER}],
        "extractFrom": _FROM_HEADER,
    }


def _rules(name: str, grant: Grant, source_ranges: Sequence[str]) -> Iterator[dict[str, Any]]:
    claim = {"name": grant.claim, "valueType": "StringArray", "values": list(grant.values)}
    principal: dict[str, Any] = {"jwt": {"provider": grant.issuer, "claims": [claim]}}
    if source_ranges:
        principal["clientCIDRs"] = list(source_ranges)
    # a caller without a name would be in no log, and under no rate limit
    if grant.tools is None:
        yield {"name": name, "action": "Allow", "principal": principal, "cel": HAS_CALLER}
        return
    # streams and the end of sessions of the legacy era have no body, and call nothing
    yield {
        "name": f"{name}-sessions",
        "action": "Allow",
        "operation": {"methods": ["GET", "DELETE"]},
        "principal": principal,
        "cel": HAS_CALLER,
    }
    cel = f"{HAS_CALLER} && {tool_rule(grant.tools, grant.methods)}"
    posting = {"methods": ["POST"]}
    yield {"name": name, "action": "Allow", "operation": posting, "principal": principal, "cel": cel}


def tool_rule(tools: Sequence[str], methods: Sequence[str] = ()) -> str:
    """What the body of a request must be, as Envoy's MCP filter read it; headers are not asked, they can lie."""
    allowed = _texts([*PROTOCOL_METHODS, *(one for one in methods if one != CALL)])
    calls = f"({_METADATA}['method'] == '{CALL}' && {_METADATA}['params']['name'] in {_texts(tools)})"
    return (
        f"{_METADATA}['is_mcp_request'] == true && {_METADATA}['status'] == 'mcp_ok' && "
        f"({_METADATA}['method'] in {allowed}{f' || {calls}' if tools else ''})"
    )


def _texts(values: Sequence[str]) -> str:
    """A list of CEL; JSON's strings are strings there as well."""
    return f"[{', '.join(json.dumps(one) for one in dict.fromkeys(values))}]"


def protected_resource(resource: str, route: str, auth: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The metadata of a protected resource (RFC 9728): it names the address that clients use, and who gives tokens."""
    issuers = issuers_of(route, auth)
    scopes = list(dict.fromkeys(scope for one in issuers for scope in one.get("scopes") or ()))
    return {
        "resource": resource,
        "authorization_servers": [one["issuer"] for one in issuers],
        "bearer_methods_supported": ["header"],
        **({"scopes_supported": scopes} if scopes else {}),
    }


def challenge(metadata_url: str, scopes: Sequence[str]) -> str:
    """What a 401 tells a client: where to learn who gives tokens."""
    parts = ['error="invalid_token"', f"resource_metadata={_quoted(metadata_url)}"]
    if scopes:
        parts.append(f"scope={_quoted(' '.join(scopes))}")
    return f"Bearer {', '.join(parts)}"


def _quoted(text: str) -> str:
    """A quoted-string (RFC 9110, 5.6.4)."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def literal(text: str) -> str:
    """A text where Envoy takes a format: it puts something else in the place of what stands between two %."""
    return text.replace("%", "%%")


def rate_limits(route: str, auth: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per caller: the header is written by the token check alone. The strictest issuer of the route counts for all."""
    limits = [one["rate_limit"] for one in issuers_of(route, auth) if one.get("rate_limit")]
    if not limits:
        return []
    seconds = {"Second": 1, "Minute": 60, "Hour": 3600}
    strictest = min(limits, key=lambda one: one["requests"] / seconds[one["unit"]])
    callers = {"headers": [{"name": CALLER_HEADER, "type": "Distinct"}]}
    limit = {"requests": strictest["requests"], "unit": strictest["unit"]}
    return [{"clientSelectors": [callers], "limit": limit}]
