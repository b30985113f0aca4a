# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of trials: whether the gateway itself has refused, which ways are open, and what proves nothing. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import Reason
from .trial_calls import SILENT
from .trial_cluster import GATEWAY, GATEWAY_SERVICE, OTHER_GATEWAY, UNKNOWN_HOST
from .trial_plan import (
    ANSWERED,
    CONTROL,
    NO_ACCESS_TOKEN,
    NO_CONNECTION,
    OPEN_BY_DECLARATION,
    OUTSIDE,
    REACHED,
    REAL,
    SIGNED,
    SSE,
    Trial,
)
from .trial_samples import EXPIRED, OTHER_TENANT, WRONG_AUDIENCE, WRONG_ISSUER

REFUSED, OPEN, DECLARED, PASSED, NOT_TRIED = "refused", "open", "declared", "passed", "not_tried"
OUTCOMES = (REFUSED, OPEN, DECLARED, PASSED, NOT_TRIED)
OPEN_WAY = "OpenWay"
# what Envoy says by itself: of tokens (jwt_authn), of rules (rbac)
_OWN_WORDS = ("Jwt", "Audiences in Jwt", "RBAC: access denied")
# what it says of a token that is wrong in this alone; anything else it found before, or let pass
_WORDS_FOR: Mapping[str, tuple[str, ...]] = {
    WRONG_AUDIENCE: ("Audiences in Jwt",),
    WRONG_ISSUER: ("Jwt issuer is not configured",),
    EXPIRED: ("Jwt is expired",),
    OTHER_TENANT: ("Jwt issuer is not configured", "RBAC: access denied"),
}
_REFUSALS = (401, 403)
_NO_ROUTE = 404
_SHOWN = 80
_ENVOY = ("", "envoy", "istio-envoy")


@dataclass(frozen=True)
class Row:
    """A trial with what was seen."""

    trial: Trial
    seen: str
    outcome: str
    is_unrouted: bool = False
    """No route has taken the call, though one was to."""
    is_connected: bool = False

    def to_dict(self) -> dict[str, str]:
        trial = self.trial
        return {
            "source": trial.source.name,
            "kind": trial.way.kind,
            "path": trial.way.name,
            "route": trial.way.route,
            "trial": trial.name,
            "credential": trial.credential,
            "expected": trial.expected,
            "seen": self.seen,
            "outcome": self.outcome,
        }


def refused_by_gateway(found: Mapping[str, Any]) -> bool:
    """Whether Envoy itself has said no. A server's own refusal means that the call came as far as the server."""
    status, headers, body = found["status"], found["headers"], str(found["body"]).strip()
    if headers.get("mcp-session-id") or headers.get("server", "").lower() not in _ENVOY:
        return False
    return bool(status in _REFUSALS and (not body or body.startswith(_OWN_WORDS)))


def _took_no_route(found: Mapping[str, Any]) -> bool:
    """Envoy's 404: it says that no rule of a route is for such a call, and nothing of who may make one."""
    headers, is_envoy = found["headers"], found["headers"].get("server", "").lower() in _ENVOY
    return bool(
        found["status"] == _NO_ROUTE
        and is_envoy
        and not headers.get("mcp-session-id")
        and not str(found["body"]).strip()
    )


def _knows_no_host(found: Mapping[str, Any]) -> bool:
    """Other implementations than Envoy say 404 in words of their own where no route has a host."""
    is_json = "json" in found["headers"].get("content-type", "") or str(found["body"]).lstrip().startswith("{")
    return bool(found["status"] == _NO_ROUTE and not is_json and not found["headers"].get("mcp-session-id"))


def _is_server(found: Mapping[str, Any]) -> bool:
    return bool({"mcp-session-id", "www-authenticate"} & set(found["headers"]) or '"jsonrpc"' in str(found["body"]))


def judged(trials: Sequence[Trial], found: Mapping[int, Mapping[str, Any]], missing: Mapping[str, str]) -> list[Row]:
    """The rows; `missing` says of sources why nothing could be called from there."""
    rows = [_row(trial, found.get(trial.number), missing.get(trial.source.name, "")) for trial in trials]
    controls = {(row.trial.source.name, row.trial.way): row for row in rows if row.trial.name == CONTROL}
    reaching = {row.trial.source.name for row in rows if row.is_connected}
    answering = {_listener(row) for row in rows if row.trial.way.kind == GATEWAY and row.seen.startswith("HTTP ")}
    return [
        _with_controls(
            row,
            controls.get((row.trial.source.name, row.trial.way)),
            reaches=row.trial.source.name in reaching,
            answers=_listener(row) in answering,
        )
        for row in rows
    ]


def _listener(row: Row) -> tuple[str, str, int]:
    return row.trial.source.name, row.trial.way.address, row.trial.way.port


def _row(trial: Trial, found: Mapping[str, Any] | None, missing: str) -> Row:
    if trial.call is None:
        return Row(trial, trial.note, DECLARED if trial.expected == OPEN_BY_DECLARATION else NOT_TRIED)
    if found is None:
        return Row(trial, missing or "nothing is known of it", NOT_TRIED)
    seen = _said(found)
    if found.get("elsewhere"):
        return Row(trial, f"{seen}; something between answers here, at ports of nobody's as well", NOT_TRIED)
    return _of_answer(trial, found, seen)


def _of_answer(trial: Trial, found: Mapping[str, Any], seen: str) -> Row:
    connected = bool(found["connected"])
    if trial.expected == REACHED:
        return Row(trial, seen, PASSED if connected else NOT_TRIED, is_connected=connected)
    if trial.expected == OPEN_BY_DECLARATION:
        return Row(trial, seen, DECLARED, is_connected=connected)
    if trial.expected == NO_CONNECTION and connected and trial.way.is_other_port and not _is_server(found):
        seen = f"{seen}; no route leads to this port, and it does not answer like an MCP server"
        return Row(trial, seen, NOT_TRIED, is_connected=True)
    if trial.expected == NO_CONNECTION:
        seen = f"{seen}{_unenforced(trial) if connected else ''}"
        return Row(trial, seen, OPEN if connected else REFUSED, is_connected=connected)
    if found["status"] is None:
        return Row(trial, seen, _without_answer(trial, found), is_connected=connected)
    return _of_status(trial, found, seen)


def _of_status(trial: Trial, found: Mapping[str, Any], seen: str) -> Row:
    unrouted = _took_no_route(found)
    # a listener has nothing for such a name, or has taken no such route; nobody declares the path of streams
    nowhere = trial.way.kind == UNKNOWN_HOST or not trial.way.is_served
    refused = (
        refused_by_gateway(found)
        or (nowhere and _knows_no_host(found))
        or (unrouted and (nowhere or trial.name == SSE))
    )
    if unrouted and not refused:
        seen = f"{seen}; no route took this call, and this says nothing of who may make it"
        return Row(trial, seen, NOT_TRIED, is_unrouted=True, is_connected=True)
    if trial.expected == ANSWERED:
        return Row(trial, seen, NOT_TRIED if refused else PASSED, is_connected=True)
    if refused and trial.credential == SIGNED and not _is_for_its_fault(trial, found):
        seen = f"{seen}; this is not said of a token for its {trial.name}, and proves nothing of that"
        return Row(trial, seen, NOT_TRIED, is_connected=True)
    return Row(trial, seen, REFUSED if refused else OPEN, is_connected=True)


def _is_for_its_fault(trial: Trial, found: Mapping[str, Any]) -> bool:
    """Whether a signed token is refused for what is wrong in it, where the gateway says why at all."""
    body = str(found["body"]).strip()
    return not body or body.startswith(_WORDS_FOR.get(trial.name.replace(" ", "_"), _OWN_WORDS))


def _without_answer(trial: Trial, found: Mapping[str, Any]) -> str:
    """A gateway refuses at once. What it does not refuse waits for a server; what it was never sent proves nothing."""
    if not found["connected"]:
        # of a place that reaches other addresses
        return REFUSED if trial.way.kind == GATEWAY_SERVICE and trial.needs_pod else NOT_TRIED
    if trial.way.kind == UNKNOWN_HOST:
        # of a listener that answers for other names
        return NOT_TRIED if found["why"] == SILENT else REFUSED
    if trial.way.kind == GATEWAY_SERVICE:
        return NOT_TRIED
    return OPEN if found["sent"] and found["why"] == SILENT and trial.expected != ANSWERED else NOT_TRIED


def _with_controls(row: Row, control: Row | None, *, reaches: bool, answers: bool) -> Row:
    """What is refused, is not for this alone: the same place, token or listener must be good for something."""
    trial = row.trial
    if row.outcome != REFUSED:
        return row
    if trial.credential == REAL and control is not None and control.outcome != PASSED:
        return _doubted(row, "so is an allowed call with this token, and this proves nothing")
    if trial.needs_pod and not row.is_connected and not reaches:
        return _doubted(row, "nothing at all is reached from there, and this proves nothing")
    if trial.way.kind == UNKNOWN_HOST and not row.seen.startswith("HTTP ") and not answers:
        return _doubted(row, "nor does this listener answer for other names there, and this proves nothing")
    if trial.needs_pod and not row.is_connected and trial.source.policies:
        # true of this place, and not for what closes the server
        limits = f"NetworkPolicy {', '.join(trial.source.policies)} limits what this pod may reach"
        return replace(row, seen=f"{row.seen}; {limits}")
    return row


def _doubted(row: Row, why: str) -> Row:
    return replace(row, seen=f"{row.seen}; {why}", outcome=NOT_TRIED)


def _said(found: Mapping[str, Any]) -> str:
    if found["status"] is None:
        return f"connected; {found['why']}" if found["connected"] else str(found["why"])
    body = " ".join(str(found["body"]).split())[:_SHOWN]
    return f"HTTP {found['status']}{f' {json.dumps(body)}' if body else ''}"


def _unenforced(trial: Trial) -> str:
    if not trial.way.policies:
        return "; no NetworkPolicy chooses this pod"
    return f"; NetworkPolicy {', '.join(trial.way.policies)} chooses this pod"


# --- all of it


def summary_of(rows: Sequence[Row]) -> dict[str, int]:
    counted = Counter(row.outcome for row in rows)
    return {outcome: counted[outcome] for outcome in OUTCOMES}


def open_reasons(rows: Sequence[Row]) -> list[Reason]:
    """One for each way that answered, with all that was answered there."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.outcome == OPEN:
            found.setdefault((row.trial.way.name, row.trial.source.name), []).append(row)
    return [
        Reason(path, OPEN_WAY, f"answers from {source}: {_tried(some)}", _advice(some[0]), terminal=True)
        for (path, source), some in found.items()
    ]


def _tried(rows: Sequence[Row]) -> str:
    by_answer: dict[str, list[str]] = {}
    for row in rows:
        credential = "" if row.trial.credential == "none" else f" ({row.trial.credential})"
        by_answer.setdefault(row.seen, []).append(f"{row.trial.name}{credential}")
    return "; ".join(f"{', '.join(names)}: {seen}" for seen, names in by_answer.items())


def _advice(row: Row) -> str:
    way = row.trial.way
    if way.kind == GATEWAY:
        return (
            f"The policy of HTTPRoute {way.route} lets this through: run site.yml with the tag gateway, which repairs "
            "it, or declare the route with anonymous: true"
        )
    if way.is_guarded:
        return "This way in is not declared: remove it, or close it with a policy of its own"
    if way.kind in ("node_port", "load_balancer", "external_ip", "host_port"):
        return "Make the Service a ClusterIP one, or remove it: the gateway is the way in"
    if way.policies:
        return (
            "The cluster does not enforce NetworkPolicies, or one of them allows this: see networkPolicy of the "
            "cluster, and name callers that may in gateway_trial_callers"
        )
    return (
        "Give the route pod_labels, and a NetworkPolicy closes its pods to all but the gateway; name further callers "
        "in gateway_trial_callers"
    )


# --- what could not be proven: what of it fails, and what is only named

NOT_PROVEN = "NotProven"
_DIAGNOSE = "ansible-playbook mcpops.platform.diagnose says why."
_TRUST = "where the certificate is not trusted, give its authority (gateway_ca)."
REFUSED_TOKENS: Mapping[str, str] = {
    "wrong audience": "of the route's issuer, valid now, and for another audience",
    "wrong issuer": "of an issuer that no route names",
    "expired": "of the route's issuer and for its audience, whose time is over",
    "other tenant": "of another tenant, valid now",
}
"""What a token is that is refused for the one thing that it is given for."""


def unproven(rows: Sequence[Row], missing: Mapping[str, str]) -> list[Reason]:
    """What could not be tried and had to be: each fails."""
    return [*_places(rows, missing), *_listeners(rows), *_unrouted(rows), *_access_token(rows), *_refused_tokens(rows)]


def notes_of(rows: Sequence[Row]) -> list[str]:
    """What is only named."""
    return [
        *(f"Not reached from this machine: {name}." for name in unreached_from_outside(rows)),
        *(f"Not tried: {name}: {why}." for name, why in _untried_ways(rows).items()),
        *(f"Not proven: {name}: {seen}." for name, seen in _doubtful_ways(rows).items()),
        *_unsent(rows),
    ]


def _failure(subject: str, message: str, hint: str) -> Reason:
    return Reason(subject, NOT_PROVEN, message, hint, terminal=True)


# --- places and listeners


def _places(rows: Sequence[Row], missing: Mapping[str, str]) -> Iterator[Reason]:
    for source, why in missing.items():
        yield _failure(source, f"nothing could be tried from there: {why}", "")
    for place in {row.trial.source.name: row.trial.source for row in rows}.values():
        own = [row for row in rows if row.trial.source == place and row.trial.call is not None]
        if place.kind == OUTSIDE or place.name in missing or not own or any(row.is_connected for row in own):
            continue
        limits = f": NetworkPolicy {', '.join(place.policies)} limits its pods" if place.policies else ""
        yield _failure(
            place.name,
            f"nothing is reached from there, not even the gateway or the API server{limits}; closed ways prove nothing",
            "Let its pods reach one of them, or name a caller in gateway_trial_callers whose pods do.",
        )


def _listeners(rows: Sequence[Row]) -> Iterator[Reason]:
    by_way: dict[str, list[Row]] = {}
    for row in rows:
        if row.trial.way.kind == GATEWAY and row.trial.call is not None:
            by_way.setdefault(row.trial.way.name, []).append(row)
    proven = {_call_of(some[0]) for some in by_way.values() if any(row.outcome != NOT_TRIED for row in some)}
    for path, some in by_way.items():
        if all(row.outcome == NOT_TRIED for row in some) and not any(row.is_unrouted for row in some):
            if some[0].trial.way.ranges and _call_of(some[0]) in proven:
                # its address keeps out who tries; the same gateway has refused at another one
                continue
            hint = f"A gateway that nobody reaches proves nothing: {_DIAGNOSE}"
            yield _failure(path, f"was reached from nowhere: {some[0].seen}", hint)


def _call_of(row: Row) -> tuple[object, ...]:
    way = row.trial.way
    return way.route, way.host, way.port, way.path, way.method, way.headers


def _unrouted(rows: Sequence[Row]) -> Iterator[Reason]:
    found = {
        row.trial.way.name: row
        for row in rows
        if row.is_unrouted and row.trial.way.kind in (GATEWAY, OTHER_GATEWAY) and row.trial.expected != ANSWERED
    }
    for path, row in found.items():
        hint = f"See whether the gateway serves HTTPRoute {row.trial.way.route}: {_DIAGNOSE} Remove it if unused."
        yield _failure(path, f"{row.trial.name} from {row.trial.source.name}: {row.seen}", hint)


# --- tokens that were given


def _access_token(rows: Sequence[Row]) -> Iterator[Reason]:
    """One that is to open something, by declaration or at all, and opens nothing there."""
    controls = [row for row in rows if row.trial.expected == ANSWERED and row.is_connected]
    opened = {row.trial.way.route for row in controls if row.outcome == PASSED}
    closed = [row for row in controls if row.trial.way.route not in opened]
    blamed = [row for row in closed if not row.trial.note] or ([] if opened else closed)
    if any(row.trial.is_limited for row in blamed) and all(row.trial.note for row in blamed):
        # who is let in by address as well may be refused for that
        return
    for row in {row.trial.way.route: row for row in reversed(blamed)}.values():
        why = row.trial.note or "and by declaration it may call something there"
        yield _failure(
            "access_token",
            f"opens nothing at HTTPRoute {row.trial.way.route} ({why}): an allowed call from {row.trial.source.name}: "
            f"{row.seen}. What it is refused otherwise proves nothing",
            f"Give one that is valid now and that some rule of auth lets call some tools, or none; {_TRUST}",
        )


def _refused_tokens(rows: Sequence[Row]) -> Iterator[Reason]:
    sent = [row for row in rows if row.trial.credential == SIGNED and row.is_connected]
    for name in dict.fromkeys(row.trial.name for row in sent):
        own = [row for row in sent if row.trial.name == name]
        if any(row.outcome in (REFUSED, OPEN) for row in own):
            continue
        yield _failure(
            f"refused_tokens.{name.replace(' ', '_')}",
            f"proves nothing at {own[0].trial.way.route} from {own[0].trial.source.name}: {own[0].seen}",
            f"Give one that is {REFUSED_TOKENS.get(name, 'wrong in this alone')}, or none; {_TRUST}",
        )


def _unsent(rows: Sequence[Row]) -> Iterator[str]:
    given = {"access_token": REAL, "refused_tokens": SIGNED}
    for option, credential in given.items():
        own = [row for row in rows if row.trial.credential == credential and row.trial.note != NO_ACCESS_TOKEN]
        if own and all(row.trial.call is None for row in own):
            yield f"{option} was not sent: {'; '.join(dict.fromkeys(row.trial.note for row in own))}."
    limited = [row for row in rows if row.trial.expected == ANSWERED and row.trial.is_limited]
    for route in dict.fromkeys(row.trial.way.route for row in limited if row.is_connected):
        if not any(row.outcome == PASSED for row in limited if row.trial.way.route == route):
            yield f"Not proven: access_token opens nothing at HTTPRoute {route}, which lets in its source_ranges alone."


# --- what is named


def _untried_ways(rows: Iterable[Row]) -> dict[str, str]:
    """What leads to servers, or may, and was not called."""
    return {row.trial.way.name: row.trial.way.untried for row in rows if row.trial.way.untried}


def _doubtful_ways(rows: Iterable[Row]) -> dict[str, str]:
    """Ways beside the listeners of which no place has proven anything."""
    called = [row for row in rows if row.trial.call is not None and row.trial.way.kind not in (GATEWAY, OTHER_GATEWAY)]
    proven = {row.trial.way.name for row in called if row.outcome != NOT_TRIED}
    return {row.trial.way.name: row.seen for row in reversed(called) if row.trial.way.name not in proven}


def unreached_from_outside(rows: Iterable[Row]) -> list[str]:
    """Listeners that this machine does not reach: an internal address, or a firewall."""
    found: dict[str, bool] = {}
    for row in rows:
        way = row.trial.way
        if row.trial.source.kind == OUTSIDE and way.kind == GATEWAY and row.trial.call is not None:
            shown = f"{way.name} (it lets in {', '.join(way.ranges)})" if way.ranges else way.name
            found[shown] = found.get(shown, False) or row.outcome != NOT_TRIED
    return [name for name, reached in found.items() if not reached]
