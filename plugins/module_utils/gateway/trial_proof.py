# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What trials could not prove: what of it fails, and what is only named. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..errors import Reason
from .trial_cluster import GATEWAY, OTHER_GATEWAY
from .trial_judge import NOT_TRIED, OPEN, PASSED, REFUSED, Row
from .trial_plan import ANSWERED, NO_ACCESS_TOKEN, OUTSIDE, REAL, SIGNED

NOT_PROVEN = "NotProven"
_DIAGNOSE = "ansible-playbook mcpops.platform.diagnose says why."
_TRUST = "where the certificate is not trusted, give its authority (gateway_ca)."
_ADVICE = {
    "wrong audience": "of the route's issuer, valid now, and for another audience",
    "wrong issuer": "of an issuer that no route names",
    "expired": "of the route's issuer and for its audience, whose time is over",
    "other tenant": "of another tenant, valid now",
}


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
            f"Give one that is {_ADVICE.get(name, 'wrong in this alone')}, or none; {_TRUST}",
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
