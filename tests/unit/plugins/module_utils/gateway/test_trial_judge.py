# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer says of a trial: whose refusal it is, what is open, and what proves nothing."""

from __future__ import annotations

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
        (answer(why=SILENT, connected=False), "refused"),
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
        pytest.param(trial("unknown_host"), answer(why="the connection was closed"), "refused", id="name not served"),
        pytest.param(trial("unknown_host"), answer(200), "open", id="name served"),
        pytest.param(trial("unknown_host"), answer(404, "<html>", server="nginx"), "refused", id="another gateway"),
        pytest.param(trial("unknown_host"), answer(404, '{"error":1}'), "open", id="a server's 404"),
        pytest.param(trial("gateway_service"), answer(why="refused", connected=False), "refused", id="port closed"),
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
