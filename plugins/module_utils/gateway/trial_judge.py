# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of trials: whether the gateway itself has refused, and which ways are open. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import Reason
from .trial_calls import SILENT
from .trial_cluster import GATEWAY, GATEWAY_SERVICE, UNKNOWN_HOST
from .trial_plan import (
    ANSWERED,
    CONTROL,
    NO_CONNECTION,
    OPEN_BY_DECLARATION,
    REACHED,
    REAL,
    SIGNED,
    SSE,
    Trial,
)
from .trial_tokens import EXPIRED, OTHER_TENANT, WRONG_AUDIENCE, WRONG_ISSUER

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
    headers = found["headers"]
    return bool(headers.get("mcp-session-id") or headers.get("www-authenticate") or '"jsonrpc"' in str(found["body"]))


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
        return Row(
            trial, f"{seen}; something between answers for this address, at ports of nobody's as well", NOT_TRIED
        )
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
    silent = found["why"] == SILENT
    if not found["connected"]:
        # of a place that reaches other addresses
        return REFUSED if trial.way.kind == GATEWAY_SERVICE and trial.needs_pod else NOT_TRIED
    if trial.way.kind == UNKNOWN_HOST:
        # of a listener that answers for other names
        return NOT_TRIED if silent else REFUSED
    if trial.way.kind == GATEWAY_SERVICE:
        return NOT_TRIED
    return OPEN if found["sent"] and silent and trial.expected != ANSWERED else NOT_TRIED


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
