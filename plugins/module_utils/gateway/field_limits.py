# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much the definitions of Gateway API 1.6.1 and Envoy Gateway 1.9.1 take of what an object is made of. Pure.

The API server would refuse more of it in the middle of a run. A test compares the table with the definitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..kube.manifests import Object

LIMITS: Mapping[tuple[str, str], tuple[int, str]] = {
    ("Gateway", "listeners"): (64, "make another gateway for the others"),
    ("Gateway", "infrastructure.annotations"): (16, "leave some of address.annotations out"),
    ("Gateway", "infrastructure.annotations.*"): (4096, "shorten it"),
    ("Gateway", "addresses[].value"): (253, "shorten address.ip"),
    ("Gateway", "listeners[].tls.options.*"): (4096, "shorten it"),
    ("HTTPRoute", "rules[].matches[].path.value"): (1024, "shorten the path"),
    ("SecurityPolicy", "jwt.providers"): (16, "name the servers of each issuer in its access"),
    ("SecurityPolicy", "jwt.providers[].issuer"): (253, "shorten the issuer"),
    ("SecurityPolicy", "jwt.providers[].audiences"): (8, "leave some audiences out"),
    ("SecurityPolicy", "jwt.providers[].remoteJWKS.uri"): (253, "shorten jwks_uri, or give jwks_config_map"),
    ("SecurityPolicy", "authorization.rules[].principal.jwt.claims[].name"): (253, "shorten the name of the claim"),
    ("SecurityPolicy", "authorization.rules[].principal.jwt.claims[].values"): (
        128,
        "give some of the roles or groups in another entry of access",
    ),
    ("SecurityPolicy", "authorization.rules[].cel"): (4096, "give some of the tools in another entry of access"),
    ("BackendTrafficPolicy", "rateLimit.local.rules[].limit.requests"): (4294967295, "allow fewer requests"),
    ("BackendTrafficPolicy", "responseOverride[].response.header.set[].value"): (4096, "leave some scopes out"),
}
"""(kind, path within the spec) -> the most that is taken, and what to do about more."""


def limit_findings(items: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """(place within the spec, sentence) of what is longer, or more, than the cluster takes."""
    for item in items:
        kind, name = item["kind"], item["metadata"]["name"]
        for paths, place, value in _values(item.get("spec") or {}, ("",), ""):
            limit = next((LIMITS[kind, path] for path in paths if (kind, path) in LIMITS), None)
            if limit and (said := _excess(value, limit[0])):
                yield place, f"{kind} {name}, {place}: {said}, {limit[0]} are possible: {limit[1]}"


def _excess(value: Any, most: int) -> str:
    if isinstance(value, int):
        return str(value) if value > most else ""
    if len(value) <= most:
        return ""
    return f"{len(value)} {'characters' if isinstance(value, str) else 'entries'}"


def _values(value: Any, paths: tuple[str, ...], place: str) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Each value with what the table may call its path, and with the places in lists."""
    yield paths, place, value
    own = paths[0]
    if isinstance(value, Mapping):
        dot = "." if own else ""
        for key, below in value.items():
            # of a mapping whose keys are the user's own words, the table has a star
            yield from _values(below, (f"{own}{dot}{key}", f"{own}{dot}*"), f"{place}{dot}{key}")
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _values(below, (f"{own}[]",), f"{place}[{number}]")
