# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe reports of a server, over real HTTP, in both eras."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from support import mcp_played as played
from support.local_azure import FakeTask
from support.mcp_played import Asked, as_events, as_json, error, over_http, result, text

from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import mcp_probe as operation
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import observe, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.observe import ProbeSettings
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered
from ansible_collections.mcpops.platform.plugins.modules import mcp_probe


def probed(task: FakeTask | None = None, **options: Any) -> dict[str, Any]:
    defaults = {name: spec.get("default") for name, spec in mcp_probe.ARGUMENT_SPEC.items()}
    task = task or FakeTask({})
    task.params = {**defaults, "wait_timeout": 0.0, "timeout": 5.0, **options}
    result: dict[str, Any] = operation.converge(task).to_dict(diff_mode=True)  # type: ignore[arg-type]
    return result


def failed(**options: Any) -> NotReady:
    with pytest.raises(NotReady) as caught:
        probed(**options)
    return caught.value


def modern_only(asked: Asked) -> Reply:
    if not asked.modern:
        return as_json(error(asked.message.get("id"), -32022, "Unsupported", supported=[played.MODERN]), 400)
    return played.speaks_modern(asked, instructions="Ask nicely. " * 1000)


def dual(asked: Asked) -> Reply:
    return played.speaks_modern(asked) if asked.modern else played.speaks_legacy(asked)


def test_a_server_that_speaks_only_the_modern_era_answers() -> None:
    with over_http(modern_only) as url:
        answer = probed(url=url, tool="echo", expect="ok")
    [row] = answer["servers"]
    assert not answer["changed"] and answer["msg"] == "the MCP server answered"
    assert (row["era"], row["eras"], row["protocol_version"]) == ("modern", ["modern"], "2026-07-28")
    assert row["supported_versions"] == ["2026-07-28"]
    assert row["server_info"] == played.INFO and row["capabilities"] == {"tools": {}}
    assert row["tools"] == [{"name": "echo", "description": ""}]
    assert row["cache"]["tools/list"] == {"ttl_ms": 0, "cache_scope": "public"}
    assert row["instructions"].startswith("Ask nicely.") and len(row["instructions"]) < 4100
    assert set(row["latency_ms"]) == {"server/discover", "tools/list", "tools/call"}
    assert row["attempts"] == 1 and row["duration_ms"] >= 0
    assert "remarks" not in row


def test_a_server_of_both_eras_is_shown_as_one_and_leaves_no_session() -> None:
    seen: list[Asked] = []
    with over_http(dual, seen) as url:
        [row] = probed(url=url)["servers"]
    assert row["eras"] == ["modern", "legacy"]
    assert row["supported_versions"] == ["2026-07-28", "2025-11-25"]
    assert seen[-1].http == "DELETE"


def test_an_era_that_is_asked_for_is_the_only_one_tried() -> None:
    seen: list[Asked] = []
    with over_http(dual, seen) as url:
        [legacy, modern] = probed(servers=[{"url": url, "era": "legacy"}, {"url": url, "era": "modern"}])["servers"]
    assert (legacy["eras"], modern["eras"]) == (["legacy"], ["modern"])
    assert [asked.method for asked in seen].count("initialize") == 1
    with over_http(modern_only) as url:
        wrong = failed(url=url, era="legacy")
    assert wrong.reasons[0].code == "EraMismatch" and "2026-07-28" in wrong.message()


def test_a_fault_of_the_other_era_is_a_remark() -> None:
    def half(asked: Asked) -> Reply:
        return played.speaks_modern(asked) if asked.modern else text(503, "too many sessions")

    with over_http(half) as url:
        answer = probed(url=url)
    [row] = answer["servers"]
    assert row["reachable"] and row["eras"] == ["modern"]
    assert "too many sessions" in row["remarks"][0] and any("too many sessions" in note for note in answer["notes"])


def test_everything_that_a_server_declares_is_listed() -> None:
    offered = {
        "server/discover": {
            "supportedVersions": [played.MODERN],
            "capabilities": {
                "tools": {},
                "resources": {},
                "prompts": {},
                "extensions": {"io.modelcontextprotocol/ui": {"v": 1}},
            },
        },
        "tools/list": {"tools": [{"name": "t", "title": "T", "inputSchema": {"type": "object"}, "annotations": {}}]},
        "resources/list": {"resources": [{"uri": "file:///a", "name": "a", "mimeType": "text/plain"}], "ttlMs": 5000},
        "prompts/list": {"prompts": [{"name": "p", "description": "d", "arguments": []}]},
    }

    def server(asked: Asked) -> Reply:
        if asked.method in offered:
            return as_events(result(asked, **offered[asked.method]))
        return as_json(error(asked.message.get("id"), -32601, "Method not found"), 404)

    with over_http(server) as url:
        [row] = probed(url=url)["servers"]
        [whole] = probed(url=url, details=True)["servers"]
    assert row["tools"] == [{"name": "t", "title": "T", "description": ""}]
    assert row["resources"] == [{"uri": "file:///a", "name": "a", "mimeType": "text/plain", "description": ""}]
    assert row["prompts"] == [{"name": "p", "description": "d"}]
    assert row["resource_templates"] == []  # declared with resources, and unknown to this server
    assert row["extensions"] == {"io.modelcontextprotocol/ui": {"v": 1}}
    assert row["cache"]["resources/list"] == {"ttl_ms": 5000, "cache_scope": None}
    assert whole["tools"] == offered["tools/list"]["tools"]


def test_a_list_that_ends_in_an_error_is_a_remark() -> None:
    def server(asked: Asked) -> Reply:
        if asked.method == "server/discover":
            return played.speaks_modern(asked, capabilities={"tools": {}, "prompts": {}, "resources": {}})
        if asked.method.startswith(("prompts", "resources")):
            return as_json(error(asked.message["id"], -32603, f"no {asked.method} today"))
        return played.speaks_modern(asked)

    with over_http(server) as url:
        [row] = probed(url=url, era="modern")["servers"]
    assert [remark.partition(":")[0] for remark in row["remarks"]] == [
        "it declares resources, and its resources",
        "it declares resources, and its resource templates",
        "it declares prompts, and its prompts",
    ]


def test_what_is_learned_before_a_failure_is_kept() -> None:
    with over_http(modern_only) as url:
        wrong = failed(url=url, expect_tools=["echo", "add"])
    [row] = wrong.values["servers"]
    assert wrong.reasons[0].code == "ToolMissing" and "no tool 'add'" in wrong.message()
    assert (row["reachable"], row["era"], row["tools"][0]["name"]) == (False, "modern", "echo")
    assert row["traceparent"]


def calls(reply: Any) -> played.Answer:
    """A modern server whose calls end so."""
    return lambda asked: reply(asked) if asked.method == "tools/call" else played.speaks_modern(asked)


def asks_for_input(asked: Asked) -> Reply:
    wanted = {"q": {"method": "elicitation/create", "params": {"message": "who?"}}}
    return as_json(result(asked, resultType="input_required", inputRequests=wanted, content=None))


def lacks_capability(asked: Asked) -> Reply:
    needed = {"elicitation": {"form": {}}}
    return as_events(error(asked.message["id"], -32021, "Client is unable", requiredCapabilities=needed))


@pytest.mark.parametrize("reply", [asks_for_input, lacks_capability], ids=lambda reply: reply.__name__)
def test_a_call_that_needs_somebody_says_so(reply: Any) -> None:
    with over_http(calls(reply)) as url:
        found = failed(url=url, tool="echo", wait_timeout=20.0)
    assert found.reasons[0].code == "NeedsInput" and found.reasons[0].terminal
    assert "elicitation" in found.message()


def test_a_server_that_only_wants_its_state_back_gets_it() -> None:
    def server(asked: Asked) -> Reply:
        at = asked.params.get("requestState", 0)
        if at < 2:
            return as_json(result(asked, resultType="input_required", requestState=at + 1))
        return as_json(result(asked, content=[{"type": "text", "text": f"after {at}"}]))

    with over_http(calls(server)) as url:
        [row] = probed(url=url, tool="echo", expect="after 2")["servers"]
    assert row["reachable"]
    forever = calls(lambda asked: as_json(result(asked, resultType="input_required", requestState="x")))
    with over_http(forever) as url:
        assert failed(url=url, tool="echo").reasons[0].code == "NeedsInput"


def test_errors_that_are_expected_are_answers() -> None:
    unknown = calls(lambda asked: as_json(error(asked.message["id"], -32602, "Unknown tool: nope")))
    broken = calls(lambda asked: as_json(result(asked, isError=True, content=[{"type": "text", "text": "too hot"}])))
    with over_http(unknown) as url:
        [row] = probed(url=url, tool="nope", expect_error=-32602, expect="nope")["servers"]
        wrong = failed(url=url, tool="nope", expect_error=-32603)
    assert (row["is_error"], row["error_code"], row["answer"]) == (True, -32602, "Unknown tool: nope")
    assert wrong.reasons[0].code == "InvalidParams"
    with over_http(broken) as url:
        [row] = probed(url=url, tool="echo", expect_error=True, expect_regex="hot$")["servers"]
    assert row["is_error"] and "error_code" not in row


def test_one_server_without_hope_says_nothing_of_another_that_may_come() -> None:
    slow = calls(lambda asked: text(503, "starting"))
    wrong = calls(lambda asked: as_json(error(asked.message["id"], -32602, "Unknown tool: nope")))
    with over_http(slow) as late, over_http(wrong) as never:
        rows = [{"name": "late", "url": late, "tool": "echo"}, {"name": "never", "url": never, "tool": "echo"}]
        both = failed(servers=rows, wait_timeout=1.0)
    first, *_others = both.message().splitlines()
    assert first.endswith("will not become ready by waiting:") and "never" in first and "late" not in first


def test_structured_content_is_compared_and_shown() -> None:
    server = calls(lambda asked: as_json(result(asked, content=[], structuredContent={"n": [1, 2]})))
    with over_http(server) as url:
        [row] = probed(url=url, tool="echo", expect_json=[{"path": ".n[1]", "value": 2}])["servers"]
        wrong = failed(url=url, tool="echo", expect_json=[{"path": ".n[*]", "value": 2}])
    assert row["structured"] == {"n": [1, 2]}
    assert wrong.reasons[0].code == "UnexpectedAnswer" and "has 1, 2 at .n[*] instead of 2" in wrong.message()


def test_a_trace_is_sent_and_reported() -> None:
    seen: list[Asked] = []
    given = f"00-{'ab' * 16}-{'cd' * 8}-00"
    with over_http(dual, seen) as url:
        [own, other] = probed(servers=[{"url": url}, {"url": url}])["servers"]
        [joined] = probed(url=url, traceparent=given)["servers"]
    assert own["traceparent"] != other["traceparent"] and joined["traceparent"] == given
    sent = {asked.headers.get("traceparent") for asked in seen}
    assert sent == {own["traceparent"], other["traceparent"], given}
    assert {asked.params["_meta"]["traceparent"] for asked in seen if asked.modern} == sent


TOKEN = "s3cr3t-t0ken"


def repeats(asked: Asked) -> Reply:
    """A server that says back what it was sent, the last time in an error."""
    stated = f"you sent {asked.headers.get('Authorization')}"
    if asked.method == "tools/call" and asked.params["arguments"].get("fail"):
        return as_json(error(asked.message["id"], -32603, stated))
    if asked.method == "tools/call":
        return as_json(result(asked, content=[{"type": "text", "text": stated}]))
    return played.speaks_modern(asked) if asked.modern else text(401, stated)


@pytest.mark.parametrize("arguments", [{}, {"fail": True}], ids=["answer", "error"])
def test_what_is_sent_as_a_header_is_registered_as_a_secret(arguments: dict[str, Any]) -> None:
    """The adapters take registered secrets out of results, messages and notes."""
    task = FakeTask({})
    with over_http(repeats) as url:
        options = {"url": f"{url}?key=0123456789", "headers": {"Authorization": f"Bearer {TOKEN}"}, "tool": "echo"}
        try:
            shown = json.dumps(probed(task, **options, arguments=arguments))
        except NotReady as wrong:
            shown = json.dumps(wrong.to_result())
    assert {TOKEN, f"Bearer {TOKEN}", "key=0123456789"} <= task.secrets
    assert "0123456789" not in shown
    # what is cut is masked before: no adapter would know the rest of a token
    assert (TOKEN in shown) is not bool(arguments)


def test_a_redirect_is_reported_and_not_followed() -> None:
    seen: list[Asked] = []
    with over_http(dual, seen) as elsewhere, over_http(lambda _asked: Reply(307, {"location": elsewhere})) as url:
        found = failed(url=url, headers={"Authorization": "Bearer x"}, wait_timeout=20.0)
    assert found.reasons[0].code == "Redirect" and elsewhere in found.message()
    assert seen == []


# what a server that does not let us in answers; how it was asked → words of the advice, words that must not be there
ADVICE: dict[str, tuple[dict[str, Any], str, str]] = {
    "a token by url": ({"headers": {"Authorization": "Bearer x"}}, "may be expired", "by its url"),
    "nothing by url": ({}, "with the option headers, for example Authorization", "proxy"),
    "a key by url": ({"headers": {"X-Key": "x"}}, "does not accept what was sent (X-Key)", "proxy"),
}


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("options", "words", "never"), ADVICE.values(), ids=ADVICE)
def test_advice_fits_how_it_was_asked(options: dict[str, Any], words: str, never: str, status: int) -> None:
    with over_http(lambda _asked: text(status, "no")) as url:
        (reason,) = failed(url=url, **options).reasons
    assert words in reason.hint and never not in reason.hint


def test_advice_for_a_server_in_the_cluster_names_what_was_sent() -> None:
    (target,) = operation.targets_from({"name": "echo", "namespace": "mcp", "headers": {"X-Key": "wrong"}})
    reason = target.advised(Unanswered("Unauthorized", "it wants authentication").about("echo"))
    assert "does not accept what was sent (X-Key)" in reason.hint and "for example Authorization" in reason.hint


def test_a_lost_session_is_tried_again_and_remembered() -> None:
    """As with two replicas behind one Service: every other request reaches the other one."""
    lists = 0

    def server(asked: Asked) -> Reply:
        nonlocal lists
        lists += asked.method == "tools/list"
        if asked.method == "tools/list" and lists == 1:
            return as_json(error("server-error", -32600, "Session not found"), 404)
        return text(404, "no") if asked.modern else played.speaks_legacy(asked)

    with over_http(server) as url:
        [row] = probed(url=url, wait_timeout=20.0)["servers"]
    assert row["attempts"] == 2 and "forgot its session once" in row["remarks"][0]


def test_a_slow_start_is_given_more_time_and_no_more_than_there_is() -> None:
    settings = ProbeSettings(10.0)
    silent = Unanswered("Timeout", "")
    assert [observe_for(settings, silent, left) for left in (100.0, 15.0, 3.0)] == [20.0, 15.0, 10.0]
    assert observe_for(settings, Unanswered("NoEndpoints", ""), 100.0) == 10.0


def observe_for(settings: ProbeSettings, silent: Unanswered, left: float) -> float:
    return operation.with_longer_timeout(settings, silent, left).timeout


def test_a_server_whose_first_start_takes_longer_than_a_request_answers_in_the_end() -> None:
    """As one that fetches its packages first: a request that is given up begins again from the start."""

    def server(asked: Asked) -> Reply:
        if asked.method == "server/discover":
            time.sleep(0.7)
        return played.speaks_modern(asked)

    with over_http(server) as url:
        [row] = probed(url=url, timeout=0.3, wait_timeout=20.0, era="modern")["servers"]
    assert row["attempts"] >= 2


def test_a_result_holds_no_more_than_people_read() -> None:
    many = [{"name": f"t{number}", "description": "d" * 9000} for number in range(1500)]
    shown = observe.shown_items(many, details=False)
    assert len(shown) == observe.MOST_SHOWN and len(shown[0]["description"]) < 4100
    assert observe.bounded_value({"a": "x" * 100_000}).endswith("characters)")
    assert len(observe.clip_text("x" * protocol.MAX_ANSWER_BYTES, observe.LONGEST_ANSWER)) < 66_000
