# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer says of a trial: whose refusal it is, what is open, and what proves nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.gateway import trial_judge, trial_plan
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.trial_cluster import Way
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.trial_judge import judged
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.trial_plan import Source, Trial

OUTSIDE, FOREIGN = Source(trial_plan.OUTSIDE), Source(trial_plan.FOREIGN, "f")
REFUSED, CLOSED = trial_plan.REFUSED_BY_GATEWAY, trial_plan.NO_CONNECTION
SILENT = "no answer in time"
DECLARED = trial_plan.OPEN_BY_DECLARATION


def way(kind: str = "gateway", **given: Any) -> Way:
    return Way(kind, f"the {kind}", "203.0.113.7", 443, "echo.test", route="mcp/echo", **given)


def trial(kind: str = "gateway", expected: str = REFUSED, source: Source = OUTSIDE, **given: Any) -> Trial:
    whole: dict[str, Any] = {"number": 0, "name": "no token", "credential": "none", "call": {}, **given}
    return Trial(source=source, way=whole.pop("way", way(kind)), expected=expected, **whole)


def answer(status: int | None = None, body: str = "", why: str = "", *, connected: bool = True, **headers: str) -> Any:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return {
        "id": 0,
        "connected": connected,
        "sent": why == SILENT,
        "status": status,
        "headers": named,
        "body": body,
        "why": why,
    }


def outcome(one: Trial, found: Any) -> str:
    [row] = judged([one], {0: found}, {})
    return row.outcome


@pytest.mark.parametrize(
    ("found", "whose"),
    [
        pytest.param(answer(401, "Jwt is missing"), True, id="no token"),
        pytest.param(answer(401, "Jwt is expired", server="envoy"), True, id="expired"),
        pytest.param(answer(403, "Audiences in Jwt are not allowed"), True, id="audience"),
        pytest.param(answer(403, "RBAC: access denied\n"), True, id="rule"),
        pytest.param(answer(401), True, id="without words"),
        pytest.param(answer(401, '{"error":"invalid_token"}'), False, id="a server's token check"),
        pytest.param(answer(403, "Forbidden"), False, id="a server's words"),
        pytest.param(answer(404, "Not Found"), False, id="a server's path"),
        pytest.param(answer(401, server="uvicorn"), False, id="a server's name"),
        pytest.param(answer(403, mcp_session_id="1"), False, id="a session"),
        pytest.param(answer(200, '{"jsonrpc":"2.0","error":{"code":-32602}}'), False, id="unknown tool"),
        pytest.param(answer(400, '{"jsonrpc":"2.0","error":{"code":-32020}}'), False, id="a server's comparison"),
        pytest.param(answer(503, "no healthy upstream"), False, id="nobody behind it"),
        pytest.param(answer(302), False, id="elsewhere"),
    ],
)
def test_only_the_gateways_own_refusal_counts(found: Any, whose: bool) -> None:
    assert trial_judge.refused_by_gateway(found) is whose
    assert outcome(trial(), found) == ("refused" if whose else "open")


@pytest.mark.parametrize("kind", ["gateway", "other_gateway", "gateway_service", "ingress"])
def test_what_no_route_takes_is_no_refusal(kind: str) -> None:
    [row] = judged([trial(kind)], {0: answer(404)}, {})
    assert (row.outcome, row.is_unrouted) == ("not_tried", True)
    named = [reason.message for reason in trial_judge.unproven([row], {})]
    assert bool(named) is (kind in ("gateway", "other_gateway"))
    assert all("no route took this call" in one for one in named)
    assert outcome(trial(kind, name=trial_plan.SSE), answer(404)) == "refused"
    assert outcome(trial(way=way(kind, is_served=False)), answer(404)) == "refused"
    assert outcome(trial(kind), answer(404, "Not Found")) == "open"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (answer(200, '{"jsonrpc":"2.0"}'), "open"),
        (answer(400, "", mcp_session_id="given"), "open"),
        (answer(401, "", www_authenticate="Bearer"), "open"),
        (answer(200, "# HELP up"), "not_tried"),
        (answer(why=SILENT), "not_tried"),
    ],
)
def test_another_port_of_a_server_is_open_where_a_server_answers(found: Any, expected: str) -> None:
    assert outcome(trial("pod_ip", CLOSED, FOREIGN, way=way("pod_ip", is_other_port=True)), found) == expected


@pytest.mark.parametrize(
    ("one", "found", "expected"),
    [
        pytest.param(trial(), answer(why="connection refused", connected=False), "not_tried", id="not reached"),
        pytest.param(trial(), answer(why="no answer in time"), "open", id="passed on to who is silent"),
        pytest.param(trial(), answer(why="its certificate is not trusted"), "not_tried", id="not trusted"),
        pytest.param(trial("unknown_host"), answer(why="the connection was closed"), "not_tried", id="closed to all"),
        pytest.param(trial("unknown_host"), answer(200), "open", id="name served"),
        pytest.param(trial("unknown_host"), answer(404, "<html>", server="nginx"), "refused", id="another gateway"),
        pytest.param(trial("unknown_host"), answer(404, '{"error":1}'), "open", id="a server's 404"),
        pytest.param(trial("gateway_service"), answer(why="refused", connected=False), "not_tried", id="port closed"),
        pytest.param(trial("gateway_service"), answer(why=SILENT), "not_tried", id="gateway silent"),
        pytest.param(trial("unknown_host"), answer(why=SILENT), "not_tried", id="listener silent"),
        pytest.param(trial("pod_ip", CLOSED), answer(why="no answer in time", connected=False), "refused", id="closed"),
        pytest.param(trial("pod_ip", CLOSED), answer(why="no answer in time"), "open", id="accepted and silent"),
        pytest.param(trial("pod_ip", CLOSED), answer(401, "Jwt is missing"), "open", id="past the gateway 401 is open"),
        pytest.param(trial(call=None, note="no token"), None, "not_tried", id="not called"),
        pytest.param(trial(expected=DECLARED, call=None, note="anonymous"), None, "declared", id="anonymous"),
        pytest.param(trial("pod_ip", DECLARED), answer(200), "declared", id="declared caller"),
        pytest.param(trial(expected=trial_plan.ANSWERED), answer(400, "{}"), "passed", id="a server's answer"),
        pytest.param(trial(expected=trial_plan.ANSWERED), answer(401, "Jwt"), "not_tried", id="no good token"),
    ],
)
def test_what_an_answer_says(one: Trial, found: Any, expected: str) -> None:
    assert outcome(one, found) == expected


@pytest.mark.parametrize(
    ("control", "expected"), [(answer(200), "refused"), (answer(401, "Jwt is expired"), "not_tried")]
)
def test_a_token_that_opens_nothing_proves_nothing(control: Any, expected: str) -> None:
    rows = judged(
        [
            trial(name=trial_plan.CONTROL, credential="given", expected=trial_plan.ANSWERED),
            trial(name="forbidden tool", credential="given", number=1),
            trial(name="no token", number=2),
        ],
        {0: control, 1: answer(403, "RBAC: access denied"), 2: answer(401, "Jwt is missing")},
        {},
    )
    assert [row.outcome for row in rows[1:]] == [expected, "refused"]


def test_what_came_through_is_open_whatever_the_control_says() -> None:
    rows = judged(
        [
            trial(name=trial_plan.CONTROL, credential="given", expected=trial_plan.ANSWERED),
            trial(name="batch", credential="given", number=1),
        ],
        {0: answer(401, "Jwt is expired"), 1: answer(200)},
        {},
    )
    assert rows[1].outcome == "open"


def test_an_open_way_is_one_reason_with_all_that_was_answered() -> None:
    one = way("gateway")
    rows = judged(
        [trial(way=one), trial(way=one, name="batch", number=1), trial("pod_ip", CLOSED, FOREIGN, number=2)],
        {0: answer(200, "x"), 1: answer(200, "x"), 2: answer(200)},
        {},
    )
    gateway, pod = trial_judge.open_reasons(rows)
    assert (gateway.subject, pod.subject) == ("the gateway", "the pod_ip")
    assert gateway.message == 'answers from outside: no token, batch: HTTP 200 "x"'
    assert "run site.yml with the tag gateway" in gateway.hint
    assert "no NetworkPolicy chooses this pod" in pod.message
    assert "pod_labels" in pod.hint


def test_a_policy_that_is_not_enforced_is_named() -> None:
    one = trial("pod_ip", CLOSED, FOREIGN, way=way("pod_ip", policies=("mcp/closed",)))
    [reason] = trial_judge.open_reasons(judged([one], {0: answer(200)}, {}))
    assert "NetworkPolicy mcp/closed chooses this pod" in reason.message
    assert "does not enforce NetworkPolicies" in reason.hint


def test_what_nobody_could_try_is_no_proof() -> None:
    rows = judged([trial(), trial("pod_ip", CLOSED, FOREIGN, number=1)], {}, {FOREIGN.name: "ErrImagePull"})
    pods, listener = trial_judge.unproven(rows, {FOREIGN.name: "ErrImagePull"})
    assert "ErrImagePull" in pods.message
    assert "reached from nowhere" in listener.message
    assert trial_judge.unreached_from_outside(rows) == ["the gateway"]
    reached = judged([trial()], {0: answer(403)}, {})
    assert trial_judge.unproven(reached, {}) == []
    assert trial_judge.unreached_from_outside(reached) == []


# --- controls


def rows_of(*cases: tuple[Trial, Any]) -> list[trial_judge.Row]:
    numbered = [replace(one, number=number) for number, (one, _found) in enumerate(cases)]
    return judged(numbered, {number: found for number, (_one, found) in enumerate(cases) if found}, {})


CLOSED_TO_IT = answer(why=SILENT, connected=False)
API_SERVER = trial("api_server", trial_plan.REACHED, FOREIGN, name=trial_plan.REACHES)


@pytest.mark.parametrize("kind", ["pod_ip", "gateway_service"])
def test_from_a_pod_that_reaches_nothing_closed_ways_prove_nothing(kind: str) -> None:
    expected = CLOSED if kind == "pod_ip" else REFUSED
    limited = replace(FOREIGN, policies=("f/out",))
    one = trial(kind, expected, limited)
    shut = rows_of((replace(API_SERVER, source=limited), CLOSED_TO_IT), (one, CLOSED_TO_IT))
    assert [row.outcome for row in shut] == ["not_tried", "not_tried"]
    [reason] = trial_judge.unproven(shut, {})
    assert reason.subject == limited.name
    assert "NetworkPolicy f/out limits its pods" in reason.message
    for control in (API_SERVER, trial(source=FOREIGN), trial("cluster_ip", DECLARED, FOREIGN)):
        rows = rows_of((replace(control, source=limited), answer(403)), (one, CLOSED_TO_IT))
        assert rows[1].outcome == "refused"
        assert "NetworkPolicy f/out limits what this pod may reach" in rows[1].seen
        assert trial_judge.unproven(rows, {}) == []


def test_a_listener_that_lets_in_some_alone_is_proven_by_another_address_of_the_gateway() -> None:
    limited = way(ranges=("192.0.2.0/24",))
    inside = replace(limited, ranges=(), address="10.0.0.7", name="inside")
    shut = (trial(way=limited), answer(why=SILENT, connected=False))
    rows = rows_of(shut, (trial(way=inside, source=FOREIGN), answer(401)))
    assert trial_judge.unproven(rows, {}) == []
    assert any("lets in 192.0.2.0/24" in note for note in trial_judge.notes_of(rows))
    [reason] = trial_judge.unproven(rows_of(shut), {})
    assert "reached from nowhere" in reason.message
    not_limited = (trial(way=replace(limited, ranges=())), answer(why=SILENT, connected=False))
    assert trial_judge.unproven(rows_of(not_limited, (trial(way=inside, source=FOREIGN), answer(401))), {})


def test_a_host_that_is_closed_to_is_refused_where_the_listener_answers_for_others() -> None:
    closed = answer(why="the connection was closed")
    unknown = trial("unknown_host")
    assert rows_of((trial(), answer(401, "Jwt is missing")), (unknown, closed))[1].outcome == "refused"
    assert rows_of((trial(), answer(401)), (unknown, answer(why=SILENT)))[1].outcome == "not_tried"
    elsewhere = replace(unknown, way=replace(unknown.way, port=8443))
    doubted = rows_of((trial(), answer(401)), (elsewhere, closed))
    assert doubted[1].outcome == "not_tried"
    assert any("does this listener answer" in note for note in trial_judge.notes_of(doubted))


def control(route: str = "mcp/echo", **given: Any) -> Trial:
    place = replace(way(), route=route, name=f"listener for {route}")
    return trial(way=place, name=trial_plan.CONTROL, credential="given", expected=trial_plan.ANSWERED, **given)


EXPIRED = answer(401, "Jwt is expired")
UNKNOWN = "no rule of auth is for what it claims"


@pytest.mark.parametrize(
    ("cases", "failing"),
    [
        pytest.param([(control(), EXPIRED)], ["mcp/echo"], id="expired"),
        pytest.param([(control(), answer(200))], [], id="good"),
        pytest.param([(control(), EXPIRED), (control(), answer(200))], [], id="good from one place"),
        pytest.param([(control(), answer(200)), (control("mcp/b"), EXPIRED)], ["mcp/b"], id="good for one of two"),
        pytest.param(
            [(control(), answer(200)), (control("mcp/b", note=UNKNOWN), EXPIRED)], [], id="not for the other one"
        ),
        pytest.param([(control("mcp/b", note=UNKNOWN), EXPIRED)], ["mcp/b"], id="for none"),
        pytest.param([(control(note="ranges", is_limited=True), answer(403, "RBAC: access denied"))], [], id="ranges"),
        pytest.param([(control(), answer(why="its certificate is not trusted"))], ["mcp/echo"], id="not trusted"),
        pytest.param([(control(), answer(why="connection refused", connected=False))], [], id="not reached"),
    ],
)
def test_a_given_token_that_opens_nothing_fails_and_says_what_was_answered(
    cases: list[tuple[Trial, Any]], failing: list[str]
) -> None:
    rows = rows_of(*cases, (trial(), answer(401)))
    found = [one for one in trial_judge.unproven(rows, {}) if one.subject == "access_token"]
    assert [one.message.partition("HTTPRoute ")[2].partition(" ")[0] for one in found] == failing
    assert all(any(said in one.message for said in ("Jwt is expired", "RBAC", "not trusted")) for one in found)


def test_a_route_that_lets_in_by_address_is_named() -> None:
    rows = rows_of((control(note="ranges", is_limited=True), answer(403, "RBAC: access denied")))
    assert any("source_ranges" in note for note in trial_judge.notes_of(rows))


@pytest.mark.parametrize("option", ["given", "signed"])
def test_a_given_token_that_is_sent_nowhere_is_named(option: str) -> None:
    rows = rows_of((trial(credential=option, call=None, note="not without TLS"), None))
    [note] = trial_judge.notes_of(rows)
    assert note.endswith("was not sent: not without TLS.")
    none = rows_of((trial(credential=option, call=None, note=trial_plan.NO_ACCESS_TOKEN), None))
    assert trial_judge.notes_of(none) == []


RIGHT = {"expired": "Jwt is expired", "wrong audience": "Audiences in Jwt are not allowed"}


@pytest.mark.parametrize(
    ("kind", "found", "proves"),
    [
        ("wrong audience", answer(403, "Audiences in Jwt are not allowed"), True),
        ("wrong audience", answer(401, "Jwt is expired"), False),
        ("wrong audience", answer(403, "RBAC: access denied"), False),
        ("wrong issuer", answer(401, "Jwt issuer is not configured"), True),
        ("wrong issuer", answer(401, "Jwt is not in the form of Header.Payload.Signature"), False),
        ("expired", answer(401, "Jwt is expired"), True),
        ("expired", answer(401, "Jwt verification fails"), False),
        ("other tenant", answer(403, "RBAC: access denied"), True),
        ("other tenant", answer(401, "Jwt verification fails"), False),
        ("expired", answer(401), True),
        ("expired", answer(why="its certificate is not trusted"), False),
    ],
)
def test_a_refused_token_must_be_refused_for_its_own_fault(kind: str, found: Any, proves: bool) -> None:
    def failing(*cases: tuple[Trial, Any]) -> list[str]:
        reasons = trial_judge.unproven(rows_of(*cases), {})
        return [one.message for one in reasons if one.subject == f"refused_tokens.{kind.replace(' ', '_')}"]

    one = trial(name=kind, credential="signed")
    messages = failing((one, found), (trial(), answer(401)))
    assert bool(messages) is not proves
    assert all((found["body"] or found["why"]) in message for message in messages)
    # an issuer of another route has made it
    at_another = replace(one, way=replace(one.way, route="mcp/b", name="b"))
    assert failing((one, found), (at_another, answer(401, RIGHT.get(kind, "Jwt issuer is not configured")))) == []
