# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of trials: whether the gateway itself has refused, and which ways are open. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Reason
from .trial_calls import SILENT
from .trial_cluster import GATEWAY, GATEWAY_SERVICE, OTHER_GATEWAY, UNKNOWN_HOST
from .trial_plan import ANSWERED, CONTROL, NO_CONNECTION, OPEN_BY_DECLARATION, OUTSIDE, REAL, SSE, Trial

REFUSED, OPEN, DECLARED, PASSED, NOT_TRIED = "refused", "open", "declared", "passed", "not_tried"
OUTCOMES = (REFUSED, OPEN, DECLARED, PASSED, NOT_TRIED)
OPEN_WAY = "OpenWay"
NOT_PROVEN = "NotProven"
# what Envoy says by itself: of tokens (jwt_authn), of rules (rbac)
_OWN_WORDS = ("Jwt", "Audiences in Jwt", "RBAC: access denied")
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
    return [_by_control(row, controls.get((row.trial.source.name, row.trial.way))) for row in rows]


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
    if trial.expected == OPEN_BY_DECLARATION:
        return Row(trial, seen, DECLARED)
    if trial.expected == NO_CONNECTION and found["connected"] and trial.way.is_other_port and not _is_server(found):
        return Row(trial, f"{seen}; no route leads to this port, and it does not answer like an MCP server", NOT_TRIED)
    if trial.expected == NO_CONNECTION:
        return Row(
            trial, f"{seen}{_unenforced(trial) if found['connected'] else ''}", OPEN if found["connected"] else REFUSED
        )
    if found["status"] is None:
        return Row(trial, seen, _without_answer(trial, found))
    unrouted = _took_no_route(found)
    # a listener has nothing for such a name, or has taken no such route; nobody declares the path of streams
    nowhere = trial.way.kind == UNKNOWN_HOST or not trial.way.is_served
    refused = (
        refused_by_gateway(found)
        or (nowhere and _knows_no_host(found))
        or (unrouted and (nowhere or trial.name == SSE))
    )
    if unrouted and not refused:
        return Row(trial, f"{seen}; no route took this call, and this says nothing of who may make it", NOT_TRIED, True)
    if trial.expected == ANSWERED:
        return Row(trial, seen, NOT_TRIED if refused else PASSED)
    return Row(trial, seen, REFUSED if refused else OPEN)


def _without_answer(trial: Trial, found: Mapping[str, Any]) -> str:
    """A gateway refuses at once. What it does not refuse waits for a server; what it was never sent proves nothing."""
    if not found["connected"]:
        return REFUSED if trial.way.kind == GATEWAY_SERVICE else NOT_TRIED
    if trial.way.kind in (UNKNOWN_HOST, GATEWAY_SERVICE):
        return REFUSED
    silent = found["sent"] and found["why"] == SILENT
    return OPEN if silent and trial.expected != ANSWERED else NOT_TRIED


def _by_control(row: Row, control: Row | None) -> Row:
    """A token that opens nothing is refused whatever it is used for."""
    if row.trial.credential != REAL or row.outcome != REFUSED or control is None or control.outcome == PASSED:
        return row
    return Row(row.trial, f"{row.seen}; so is an allowed call with this token, and this proves nothing", NOT_TRIED)


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


def unproven(rows: Sequence[Row], missing: Mapping[str, str]) -> list[Reason]:
    """What could not be tried and had to be: pods that did not run, and listeners that nobody reached."""
    found = [
        Reason(source, NOT_PROVEN, f"nothing could be tried from there: {why}", "", terminal=True)
        for source, why in missing.items()
    ]
    by_way: dict[str, list[Row]] = {}
    for row in rows:
        if row.trial.way.kind == GATEWAY and row.trial.call is not None:
            by_way.setdefault(row.trial.way.name, []).append(row)
    found += [
        Reason(
            path,
            NOT_PROVEN,
            f"was reached from nowhere: {some[0].seen}",
            "A gateway that nobody reaches proves nothing: ansible-playbook mcpops.platform.diagnose says why.",
            terminal=True,
        )
        for path, some in by_way.items()
        if all(row.outcome == NOT_TRIED for row in some) and not any(row.is_unrouted for row in some)
    ]
    unrouted = {
        row.trial.way.name: row
        for row in rows
        if row.is_unrouted and row.trial.way.kind in (GATEWAY, OTHER_GATEWAY) and row.trial.expected != ANSWERED
    }
    found += [
        Reason(
            path,
            NOT_PROVEN,
            f"{row.trial.name} from {row.trial.source.name}: {row.seen}",
            f"See whether the gateway serves HTTPRoute {row.trial.way.route}: ansible-playbook "
            "mcpops.platform.diagnose says so. Remove it where nobody needs it.",
            terminal=True,
        )
        for path, row in unrouted.items()
    ]
    return found


def untried_ways(rows: Iterable[Row]) -> list[str]:
    """What leads to servers, or may, and was not called."""
    found = {row.trial.way.name: row.trial.way.untried for row in rows if row.trial.way.untried}
    return [f"Not tried: {name}: {why}." for name, why in found.items()]


def unreached_from_outside(rows: Iterable[Row]) -> list[str]:
    """Listeners that this machine does not reach: an internal address, or a firewall."""
    found: dict[str, bool] = {}
    for row in rows:
        if row.trial.source.kind == OUTSIDE and row.trial.way.kind == GATEWAY and row.trial.call is not None:
            found[row.trial.way.name] = found.get(row.trial.way.name, False) or row.outcome != NOT_TRIED
    return [name for name, reached in found.items() if not reached]
