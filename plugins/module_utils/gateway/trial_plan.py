# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which trials are made: every way, from every place, with everything that must not be let through. Pure.

No tool is ever called: the name in a call belongs to none, so that a server that is reached has nothing to do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from .access_spec import CALL
from .trial_cluster import GATEWAY, GATEWAY_SERVICE, INGRESS, OTHER_GATEWAY, UNKNOWN_HOST, Way
from .trial_samples import KINDS, USUAL_METHOD, claims_of, forged, merged_headers, tools_of

NO_TOOL = "mcpops_trial_no_such_tool"
"""What is called: a gateway must refuse it without knowing it, and no server has it."""
MODERN, LEGACY = "2026-07-28", "2025-11-25"
OUTSIDE, FOREIGN, CALLER = "outside", "foreign pod", "allowed pod"
NONE, FORGED, SIGNED, REAL = "none", "forged", "signed", "given"
NO_TOKEN, FORBIDDEN_TOOL, OLD_ERA = "no token", "forbidden tool", "old era without headers"
LYING_NAME, LYING_METHOD, BATCH, SSE, DIRECT = "lying name", "lying method", "batch", "SSE path", "direct call"
CONTROL, OLD_CONTROL = "allowed call", "allowed call of the older era"
REFUSED_BY_GATEWAY, NO_CONNECTION, ANSWERED = "refused by the gateway", "no connection", "passed by the gateway"
OPEN_BY_DECLARATION, REACHED = "open by declaration", "a connection"
REACHES = "control"
"""That anything is reached from a pod: from one that may reach nothing, all ways are closed."""
NO_ACCESS_TOKEN = "no access_token was given: only a real one gets as far as this"
_PREFIX = "io.modelcontextprotocol"
_LISTED = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
NOBODYS_PORT = 9
"""Nothing listens there (discard); who answers there all the same is not who is asked."""
GATEWAY_ATTEMPTS = 2
"""A gateway that is busy answers a moment later."""
ALLOWED_ATTEMPTS = 3
"""A pod with the labels of a caller is let in a moment after it has started."""


@dataclass(frozen=True)
class Source:
    """From where calls are made, and the Services that may be called directly from there by declaration."""

    kind: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    services: frozenset[str] = frozenset()
    policies: tuple[str, ...] = field(default=(), compare=False)
    """The NetworkPolicies that limit what its pod may reach."""

    @property
    def name(self) -> str:
        told = f"{self.kind} in {self.namespace}" if self.namespace else self.kind
        # several callers of a namespace are told apart by their labels
        labels = ", ".join(f"{key}={value}" for key, value in sorted(self.labels.items()))
        return f"{told} ({labels})" if labels else told

    def may_call(self, way: Way) -> bool:
        return bool(self.services & set(way.services))


@dataclass(frozen=True)
class Trial:
    """One call and what must come of it; without a call, why there is none."""

    number: int
    source: Source
    way: Way
    name: str
    credential: str
    expected: str
    call: Mapping[str, Any] | None = field(default=None, repr=False)
    note: str = ""
    is_limited: bool = False
    """Whether the route lets in by address as well, which may be what refuses a call."""

    @property
    def needs_pod(self) -> bool:
        return self.source.kind != OUTSIDE


@dataclass(frozen=True)
class Credentials:
    """What is sent as a token beside what is made up: one that may call something, and refused ones by their kind."""

    token: str = field(default="", repr=False)
    refused: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: Sequence[Mapping[str, Any]] = ()
    routes: frozenset[str] = frozenset()
    """Those that are declared, as namespace/name: behind any other may be somebody who keeps tokens."""
    limited: frozenset[str] = frozenset()
    """Those of them that have source_ranges."""

    def why_not(self, way: Way) -> str:
        """Why no token that is worth something is sent there; empty where it may be."""
        if not way.tls:
            return "a token that is worth something is not sent without TLS"
        if way.kind != GATEWAY or way.route not in self.routes:
            return "a token that is worth something is sent to declared routes of this gateway alone"
        return ""


def sources_of(callers: Sequence[Mapping[str, Any]], namespaces: Sequence[str], foreign: str) -> list[Source]:
    """This machine, a namespace that nobody else is in, those of declared callers, and the servers' neighbours."""
    found = [Source(OUTSIDE), Source(FOREIGN, foreign)]
    for one in callers:
        place = str(one["namespace"])
        # a name alone is a Service of the only, or the caller's own, namespace
        own = namespaces[0] if len(namespaces) == 1 else place
        services = (name if "/" in name else f"{own}/{name}" for name in one.get("services") or ())
        labels = {str(key): str(value) for key, value in (one.get("pod_labels") or {}).items()}
        found.append(Source(CALLER, place, labels, frozenset(services)))
    declared = {one.namespace for one in found}
    return [*found, *(Source(CALLER, place) for place in namespaces if place not in declared)]


def trials_of(
    ways: Sequence[Way], sources: Sequence[Source], credentials: Credentials, control: Way | None = None
) -> list[Trial]:
    """All of them, numbered in this order; with what anybody in the cluster is to reach."""
    found: list[Trial] = []
    for source in sources:
        if control is not None and source.kind != OUTSIDE:
            found.append(_numbered(_reaching(control, source), len(found)))
        for way in ways:
            if source.kind == OUTSIDE and way.kind == GATEWAY and way.is_inside:
                # for who is in the cluster, and the listener's own address keeps out
                continue
            for made in _of_way(way, source, credentials):
                found.append(_numbered(made, len(found)))
    return found


def _numbered(trial: Trial, number: int) -> Trial:
    call = None if trial.call is None else {**trial.call, "id": number}
    return replace(trial, number=number, call=call)


def _reaching(control: Way, source: Source) -> Trial:
    call = {**_called(control, headers={}), "method": "GET", "body": None, "attempts": ALLOWED_ATTEMPTS}
    return Trial(0, source, control, REACHES, NONE, REACHED, {**call, "connects": True})


def _of_way(way: Way, source: Source, credentials: Credentials) -> Iterator[Trial]:
    if way.untried:
        expected = REFUSED_BY_GATEWAY if way.is_guarded else NO_CONNECTION
        yield Trial(0, source, way, NO_TOKEN if way.is_guarded else DIRECT, NONE, expected, note=way.untried)
    elif way.is_open:
        name = NO_TOKEN if way.is_guarded else DIRECT
        yield Trial(0, source, way, name, NONE, OPEN_BY_DECLARATION, note="a route to it is declared anonymous")
    elif way.kind == UNKNOWN_HOST or (way.kind == GATEWAY_SERVICE and not (way.is_inside and source.kind != OUTSIDE)):
        # the same listeners as by the address of the gateway: there are as many of these ways as nodes
        yield _trial(way, source, NO_TOKEN, NONE, _called(way))
    elif way.kind in (GATEWAY, OTHER_GATEWAY, GATEWAY_SERVICE, INGRESS):
        yield from _without_rights(way, source, credentials)
        if way.kind == GATEWAY and way.method == USUAL_METHOD:
            yield from _with_rights(way, source, credentials)
    elif source.may_call(way):
        call = {**_called(way), "attempts": ALLOWED_ATTEMPTS}
        yield Trial(0, source, way, DIRECT, NONE, OPEN_BY_DECLARATION, call)
    else:
        yield Trial(0, source, way, DIRECT, NONE, NO_CONNECTION, _called(way))


def _trial(
    way: Way, source: Source, name: str, credential: str, call: Mapping[str, Any] | None, note: str = ""
) -> Trial:
    return Trial(0, source, way, name, credential, REFUSED_BY_GATEWAY, call, note)


def _without_rights(way: Way, source: Source, credentials: Credentials) -> Iterator[Trial]:
    """No token, and tokens that nobody has to take."""
    yield _trial(way, source, NO_TOKEN, NONE, _called(way))
    if way.method == USUAL_METHOD:
        # what another method carries is no call
        yield _trial(way, source, OLD_ERA, NONE, _called(way, headers={}, body=_body(modern=False)))
        yield _trial(way, source, LYING_NAME, NONE, _called(way, headers=_headers(name="echo")))
        yield _trial(way, source, BATCH, NONE, _called(way, headers={}, body=_batch()))
    yield _trial(way, source, SSE, NONE, _stream(way))
    route = way.route.rpartition("/")[2]
    for kind in KINDS:
        label = kind.replace("_", " ")
        yield _trial(way, source, label, FORGED, _called(way, forged(kind, route, credentials.auth)))
        given = credentials.refused.get(kind)
        if given:
            why = credentials.why_not(way)
            call = None if why else _called(way, given, verify=True)
            yield _trial(way, source, label, SIGNED, call, why)


def _with_rights(way: Way, source: Source, credentials: Credentials) -> Iterator[Trial]:
    """A token that may call something at the route, and a call that it may not make."""
    names = (FORBIDDEN_TOOL, OLD_ERA, LYING_NAME, LYING_METHOD, BATCH)
    token, route = credentials.token, way.route.rpartition("/")[2]
    if not token:
        for name in names:
            yield _trial(way, source, name, REAL, None, NO_ACCESS_TOKEN)
        return
    if why := credentials.why_not(way):
        for name in names:
            yield _trial(way, source, name, REAL, None, why)
        return
    claims = claims_of(token)
    tools = tools_of(claims, route, credentials.auth)
    if tools is None:
        for name in names:
            yield _trial(way, source, name, REAL, None, "the access_token given may call every tool of this route")
        return
    modern = _called(way, token, _listing(), _headers("tools/list"), verify=True)
    legacy = {**_called(way, token, _greeting(), {}, verify=True), "ends": True}
    limited = way.route in credentials.limited
    # a refusal is the token's fault where it is to open something, by a declaration that can be compared with it
    note = "" if tools and not limited else _why_maybe_refused(claims, limited)
    yield Trial(0, source, way, CONTROL, REAL, ANSWERED, modern, note, limited)
    yield Trial(0, source, way, OLD_CONTROL, REAL, ANSWERED, legacy, note, limited)
    allowed = tools[0] if tools else "echo"
    calls = {
        FORBIDDEN_TOOL: _called(way, token, verify=True),
        OLD_ERA: _called(way, token, _body(modern=False), {}, verify=True),
        LYING_NAME: _called(way, token, headers=_headers(name=allowed), verify=True),
        LYING_METHOD: _called(way, token, headers=_headers("tools/list"), verify=True),
        BATCH: _called(way, token, _batch(), {}, verify=True),
    }
    for name in names:
        yield _trial(way, source, name, REAL, calls[name])


def _why_maybe_refused(claims: Mapping[str, Any], limited: bool) -> str:
    if limited:
        return "it lets in its source_ranges alone"
    return "no rule of auth is for what it claims" if claims else "its claims cannot be read"


def controls_of(trials: Sequence[Trial], found: Mapping[int, Mapping[str, Any]]) -> dict[str, list[Trial]]:
    """The addresses at which a port of nobody's is to be asked as well, with the trials that connected there.

    From outside, another network may have an address of the cluster's own or a private one of its nodes as well, and
    some answer for every address that there is.
    """
    doubtful: dict[str, list[Trial]] = {}
    for one in trials:
        connected = found.get(one.number, {}).get("connected")
        if connected and one.source.kind == OUTSIDE and one.call is not None and _is_doubtful(one.way):
            doubtful.setdefault(one.way.address, []).append(one)
    return doubtful


def control_call(trial: Trial) -> dict[str, Any]:
    return {**(trial.call or {}), "port": NOBODYS_PORT, "tls": False, "verify": False, "headers": {}, "body": None}


def _is_doubtful(way: Way) -> bool:
    """Who answers at a listener is known by the answer; at other ways a connection is all that is asked for."""
    if way.is_guarded and way.kind != GATEWAY_SERVICE:
        return False
    try:
        return way.is_inside or ip_address(way.address).is_private
    except ValueError:
        return False


# --- what is sent


def _body(*, modern: bool = True) -> str:
    return json.dumps(_call(modern))


def _call(modern: bool) -> dict[str, Any]:
    meta = {"_meta": {f"{_PREFIX}/protocolVersion": MODERN, f"{_PREFIX}/clientCapabilities": {}}} if modern else {}
    return {"jsonrpc": "2.0", "id": 2, "method": CALL, "params": {"name": NO_TOOL, "arguments": {}, **meta}}


def _batch() -> str:
    return json.dumps([_LISTED, _call(False)])


def _listing() -> str:
    meta = {f"{_PREFIX}/protocolVersion": MODERN, f"{_PREFIX}/clientCapabilities": {}}
    return json.dumps({**_LISTED, "params": {"_meta": meta}})


def _greeting() -> str:
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "mcpops-trial", "version": "1"}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})


def _headers(method: str = CALL, name: str = NO_TOOL) -> dict[str, str]:
    named = {"Mcp-Name": name} if method == CALL else {}
    return {"MCP-Protocol-Version": MODERN, "Mcp-Method": method, **named}


def _called(
    way: Way,
    token: str = "",
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    verify: bool = False,
) -> dict[str, Any]:
    sent = {
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        **(_headers() if headers is None else headers),
        **({"Authorization": f"Bearer {token}"} if token else {}),
    }
    return {
        "address": way.address,
        "port": way.port,
        "tls": way.tls,
        # a token that is worth something goes to nobody else
        "verify": verify,
        "host": way.host,
        "method": way.method,
        "path": way.path,
        "headers": merged_headers(sent, way.headers),
        "body": (_body() if body is None else body) if way.method == USUAL_METHOD else None,
        "attempts": GATEWAY_ATTEMPTS if way.kind in (GATEWAY, OTHER_GATEWAY) else 1,
        "connects": not way.is_guarded,
    }


def _stream(way: Way) -> dict[str, Any]:
    call = _called(way)
    return {**call, "method": "GET", "path": "/sse", "body": None, "headers": {"Accept": "text/event-stream"}}
