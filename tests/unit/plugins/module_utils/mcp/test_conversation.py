# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over the wire in a conversation, and what of its answers is believed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conformance import answering
from support import mcp_played as played
from support.mcp_played import Asked, Played, as_events, as_json, error, result

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import conversation, legacy, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

META = "io.modelcontextprotocol/"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def modern(**answers: Any) -> Played:
    """A modern server whose answers to some methods are given (`tools_list` for tools/list)."""
    given = {name.replace("_", "/", 1): found for name, found in answers.items()}

    def server(asked: Asked) -> Reply:
        if asked.method not in given:
            return played.speaks_modern(asked)
        found = given[asked.method]
        return found(asked) if callable(found) else as_json(result(asked, **found))

    return Played(server)


def test_every_modern_request_says_everything_about_itself() -> None:
    wire = modern()
    with answering.open_conversation(wire, {"roots": {}}, traceparent=TRACE) as server:
        server.tools()
        server.call("echo", {"text": "x"})
        server.speaker.ask("resources/read", {"uri": "file:///a b?q=1"})
        server.speaker.ask("prompts/get", {"name": "größe"})
    for asked in wire.asked:
        assert asked.headers["MCP-Protocol-Version"] == asked.params["_meta"][META + "protocolVersion"] == "2026-07-28"
        assert asked.headers["Mcp-Method"] == asked.method
        assert asked.params["_meta"][META + "clientCapabilities"] == {"roots": {}}
        assert asked.params["_meta"][META + "clientInfo"]["name"] == "mcpops.platform"
        assert asked.params["_meta"]["traceparent"] == asked.headers["traceparent"] == TRACE
        assert {"application/json", "text/event-stream"} <= set(asked.headers["Accept"].split(", "))
        assert "Mcp-Session-Id" not in asked.headers
    names = [asked.headers.get("Mcp-Name") for asked in wire.asked]
    assert names == [None, None, "echo", "file:///a b?q=1", "=?base64?Z3LDtsOfZQ==?="]
    assert len({asked.message["id"] for asked in wire.asked}) == len(wire.asked)
    assert "DELETE" not in wire.methods


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18"])
def test_the_version_is_named_only_to_older_servers_that_know_the_header(version: str) -> None:
    wire = Played(lambda asked: played.speaks_legacy(asked, version=version))
    with conversation.open_conversation(wire, era="legacy", traceparent=TRACE) as server:
        server.tools()
    first, *later = wire.asked
    assert "MCP-Protocol-Version" not in first.headers
    expected = version if version >= "2025-06-18" else None
    assert {asked.headers.get("MCP-Protocol-Version") for asked in later} == {expected}
    assert {asked.headers["traceparent"] for asked in wire.asked} == {TRACE}
    assert not any("_meta" in asked.params for asked in wire.asked)


ANNOTATED = {
    "name": "annotated",
    "inputSchema": {
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "count": {"type": "integer", "x-mcp-header": "Count"},
            "deep": {"type": "object", "properties": {"on": {"type": "boolean", "x-mcp-header": "On"}}},
            "none": {"type": "string", "x-mcp-header": "None"},
        },
    },
}


def test_annotated_arguments_are_repeated_as_headers() -> None:
    wire = modern(tools_list={"tools": [ANNOTATED]})
    arguments = {"region": " süd", "count": 3.0, "deep": {"on": False}, "none": None}
    with conversation.open_conversation(wire) as server:
        server.tools()
        server.call("annotated", arguments)
    sent = {name: value for name, value in wire.asked[-1].headers.items() if name.startswith("Mcp-Param-")}
    assert sent == {"Mcp-Param-Region": "=?base64?IHPDvGQ=?=", "Mcp-Param-Count": "3", "Mcp-Param-On": "false"}
    assert wire.asked[-1].params["arguments"] == arguments


def test_older_servers_get_no_such_headers_and_keep_such_tools() -> None:
    broken = {"name": "broken", "inputSchema": {"type": "string", "x-mcp-header": "not a token"}}

    def server(asked: Asked) -> Reply:
        if asked.method == "tools/list":
            return as_json(result(asked, tools=[ANNOTATED, broken]))
        return played.speaks_legacy(asked)

    wire = Played(server)
    with conversation.open_conversation(wire, era="legacy") as found:
        assert len(found.tools()) == 2
        found.call("annotated", {"region": "x"})
    assert not any(name.startswith("Mcp-Param") for asked in wire.asked for name in asked.headers)


def test_a_tool_whose_annotations_have_changed_is_looked_up_once_more() -> None:
    renamed = json.loads(json.dumps(ANNOTATED).replace('"Region"', '"Area"'))
    lists = [renamed, ANNOTATED]

    def called(asked: Asked) -> Reply:
        if "Mcp-Param-Area" in asked.headers:
            return as_json(result(asked, content=[]))
        return as_json(error(asked.message["id"], -32020, "Mcp-Param-Area is missing"), 400)

    wire = modern(tools_list=lambda asked: as_json(result(asked, tools=[lists.pop()])), tools_call=called)
    with conversation.open_conversation(wire) as server:
        server.tools()
        assert server.call("annotated", {"region": "x"})["content"] == []
    assert wire.methods[1:] == ["tools/list", "tools/call", "tools/list", "tools/call"]


def annotation(where: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": where}}


# what is wrong with an annotation → the schema
INVALID: dict[str, Any] = {
    "number": annotation({"type": "number", "x-mcp-header": "A"}),
    "object": annotation({"type": "object", "x-mcp-header": "A"}),
    "several types": annotation({"type": ["string", "null"], "x-mcp-header": "A"}),
    "empty": annotation({"type": "string", "x-mcp-header": ""}),
    "blank": annotation({"type": "string", "x-mcp-header": "a b"}),
    "colon": annotation({"type": "string", "x-mcp-header": "a:b"}),
    "not ASCII": annotation({"type": "string", "x-mcp-header": "größe"}),
    "line end": annotation({"type": "string", "x-mcp-header": "a\n"}),
    "not a text": annotation({"type": "string", "x-mcp-header": 7}),
    "items": annotation({"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}),
    "one of": annotation({"oneOf": [{"type": "string", "x-mcp-header": "A"}]}),
    "condition": {"type": "object", "if": annotation({"type": "string", "x-mcp-header": "A"})},
    "definition": {"type": "object", "$defs": {"d": {"type": "string", "x-mcp-header": "A"}}},
    "pattern": {"type": "object", "patternProperties": {"^a": {"type": "string", "x-mcp-header": "A"}}},
    "root": {"type": "string", "x-mcp-header": "A"},
    "twice": {
        "type": "object",
        "properties": {
            "a": {"type": "string", "x-mcp-header": "Key"},
            "b": {"type": "string", "x-mcp-header": "KEY"},
        },
    },
}
VALID: dict[str, Any] = {
    "none": {"type": "object"},
    "no schema": None,
    "an argument of that name": {"type": "object", "properties": {"x-mcp-header": {"type": "string"}}},
    "in an example": annotation({"type": "object", "examples": [{"x-mcp-header": "a b"}], "default": {}}),
    "network reference": annotation({"$ref": "https://schema.invalid/never.json"}),
}


@pytest.mark.parametrize("schema", INVALID.values(), ids=INVALID)
def test_a_tool_with_a_wrong_annotation_is_left_out_and_the_others_stay(schema: Any) -> None:
    listed = [{"name": "bad", "inputSchema": schema}, {"name": "good", "inputSchema": {"type": "object"}}]
    with conversation.open_conversation(modern(tools_list={"tools": listed})) as server:
        assert [tool["name"] for tool in server.tools()] == ["good"]
        assert list(server.dropped) == ["bad"] and server.dropped["bad"]


@pytest.mark.parametrize("schema", VALID.values(), ids=VALID)
def test_what_only_looks_like_an_annotation_is_none(schema: Any) -> None:
    with conversation.open_conversation(
        modern(tools_list={"tools": [{"name": "good", "inputSchema": schema}]})
    ) as server:
        assert len(server.tools()) == 1 and server.dropped == {}


def test_a_server_that_needs_input_says_so_and_is_answered_with_its_own_state() -> None:
    state = {"opaque": ["kept", 1]}

    def called(asked: Asked) -> Reply:
        if asked.params.get("requestState") == state:
            return as_json(result(asked, content=[{"type": "text", "text": "done"}]))
        wanted = {"q": {"method": "elicitation/create", "params": {}}}
        return as_json(result(asked, resultType="input_required", inputRequests=wanted, requestState=state))

    wire = modern(tools_call=called)
    with answering.open_conversation(wire, {"elicitation": {}}) as server:
        first = server.call("ask", {})
        assert conversation.needs_input(first)
        last = answering.answer_input(server, {"name": "ask", "arguments": {}}, first)
    assert protocol.answer_text(last) == "done" and not conversation.needs_input(last)
    before, after = wire.asked[-2:]
    assert "requestState" not in before.params and "inputResponses" not in before.params
    assert after.message["id"] != before.message["id"]


@pytest.mark.parametrize("kind", ["task", "surprise", None, 3])
def test_a_result_of_another_type_is_not_believed(kind: Any) -> None:
    wire = modern(tools_call={"resultType": kind, "content": []})
    with conversation.open_conversation(wire) as server, pytest.raises(Unanswered) as caught:
        server.call("x", {})
    assert caught.value.code == "ResultType"


def test_pages_end_where_no_cursor_is_given_and_an_empty_cursor_is_one() -> None:
    pages = iter(
        (
            {"tools": [{"name": "a"}], "nextCursor": "", "ttlMs": 9000, "cacheScope": "public"},
            {"tools": [{"name": "b"}], "nextCursor": "z", "ttlMs": -1, "cacheScope": "private"},
            {"tools": [{"name": "b"}, {"title": "nameless"}, 7]},
        )
    )
    wire = modern(tools_list=lambda asked: as_json(result(asked, **next(pages))))
    with conversation.open_conversation(wire) as server:
        assert [tool["name"] for tool in server.tools()] == ["a", "b"]
        assert [asked.params.get("cursor") for asked in wire.asked[1:]] == [None, "", "z"]
        assert server.caching["tools/list"] == {"ttl_ms": 0, "cache_scope": "private"}
        assert any("cacheScope" in remark for remark in server.remarks)
        assert any("names b more than once" in remark for remark in server.remarks)


def test_a_cursor_that_leads_back_ends_the_list() -> None:
    wire = modern(prompts_list={"prompts": [], "nextCursor": "again"})
    with conversation.open_conversation(wire) as server, pytest.raises(Unanswered) as caught:
        server.prompts()
    assert caught.value.code == "EndlessList" and len(wire.asked) < 5


def test_what_a_server_asks_in_between_is_answered_before_its_answer_comes() -> None:
    asks = [
        {"jsonrpc": "2.0", "id": "p", "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "method": "roots/list"},
        {"jsonrpc": "2.0", "id": 0, "method": "elicitation/create", "params": {"requestedSchema": FORM}},
        {"jsonrpc": "2.0", "method": "notifications/message", "params": {}},
    ]

    def server(asked: Asked) -> Reply:
        if asked.method == "tools/call":
            return as_events(*asks, result(asked, content=[]))
        if "method" not in asked.message and asked.http == "POST":
            return Reply(202, {})
        return played.speaks_legacy(asked)

    wire = Played(server)
    with answering.open_conversation(wire, {"elicitation": {}}, era="legacy") as found:
        found.call("echo", {})
    answers = [asked.message for asked in wire.asked if asked.http == "POST" and "method" not in asked.message]
    assert [answer["id"] for answer in answers] == ["p", 1, 0]
    assert answers[0]["result"] == {} and answers[1]["error"]["code"] == -32601
    assert answers[2]["result"] == {"action": "accept", "content": {"color": "red", "agree": True}}
    assert {asked.headers.get("Mcp-Session-Id") for asked in wire.asked[2:]} == {"s1"}


@pytest.mark.parametrize("method", ["elicitation/create", "sampling/createMessage"])
def test_who_is_asked_for_what_only_a_person_knows_does_not_wait_for_the_answer(method: str) -> None:
    def never_ends(asked: Asked) -> Any:
        yield b'data: {"jsonrpc":"2.0","id":2,"method":"%s","params":{}}\n\n' % method.encode()
        raise AssertionError("waited")

    def server(asked: Asked) -> Reply:
        if asked.method == "tools/call":
            return Reply(200, {"content-type": "text/event-stream"}, never_ends(asked))
        return Reply(202, {}) if "method" not in asked.message else played.speaks_legacy(asked)

    with conversation.open_conversation(Played(server), era="legacy") as found, pytest.raises(Unanswered) as caught:
        found.call("ask", {})
    assert caught.value.code == "NeedsInput" and method in caught.value.reason


def test_a_client_that_can_be_asked_listens_beside_its_calls() -> None:
    """The server asks on the stream of the session, and answers the call when it has the answer."""
    asked_back = {"jsonrpc": "2.0", "id": "back", "method": "elicitation/create", "params": {"requestedSchema": FORM}}
    answered, called = threading.Event(), threading.Event()

    def stream() -> Iterator[bytes]:
        assert called.wait(5)
        yield f"data: {json.dumps(asked_back)}\n\n".encode()

    def server(asked: Asked) -> Reply:
        if asked.http == "GET":
            return Reply(200, {"content-type": "text/event-stream"}, stream())
        if asked.method == "tools/call":
            called.set()
            assert answered.wait(5)
            return as_json(result(asked, content=[]))
        if "method" not in asked.message and asked.http == "POST":
            answered.set()
            return Reply(202, {})
        return played.speaks_legacy(asked)

    wire = Played(server)
    with answering.open_conversation(wire, {"elicitation": {}}, era="legacy") as found:
        assert found.call("ask", {}) == {"content": []}
    [listening] = [asked for asked in wire.asked if asked.http == "GET"]
    assert listening.headers["Mcp-Session-Id"] == "s1" and listening.headers["Accept"] == "text/event-stream"


def test_a_client_that_cannot_be_asked_does_not_listen() -> None:
    wire = Played(played.speaks_legacy)
    with conversation.open_conversation(wire, era="legacy") as found:
        found.tools()
    assert "GET" not in wire.methods


FORM = {
    "type": "object",
    "properties": {
        "color": {"type": "string", "default": "red"},
        "agree": {"type": "boolean"},
        "size": {"type": "integer"},
    },
    "required": ["agree"],
}


def resumable(rest: list[Reply]) -> Played:
    def server(asked: Asked) -> Reply:
        if asked.http == "GET":
            return rest.pop(0)
        if asked.method == "tools/call":
            return as_events(before="id: e1\nretry: 40\ndata:\n\n")
        return played.speaks_legacy(asked)

    return Played(server)


def test_a_stream_that_was_closed_on_purpose_is_taken_up_again() -> None:
    """The second rest has no answer either, and names a time of its own and no id."""
    answer = {"jsonrpc": "2.0", "id": 2, "result": {"content": []}}
    waited: list[float] = []
    wire = resumable([as_events(before="retry: 70\n\n"), as_events(answer)])
    speaker = legacy.Legacy(wire, sleep=waited.append)
    speaker.initialize()
    assert speaker.ask("tools/call", {"name": "slow", "arguments": {}}) == {"content": []}
    assert waited == [0.04, 0.07]
    again = [asked for asked in wire.asked if asked.http == "GET"]
    assert [asked.headers["Last-Event-ID"] for asked in again] == ["e1", "e1"]
    assert {asked.headers["Mcp-Session-Id"] for asked in again} == {"s1"}
    assert {asked.headers["Accept"] for asked in again} == {"text/event-stream"}


def test_a_stream_that_never_goes_on_ends() -> None:
    wire = resumable([as_events() for _ in range(50)])
    speaker = legacy.Legacy(wire, sleep=lambda _seconds: None)
    speaker.initialize()
    with pytest.raises(Unanswered) as caught:
        speaker.ask("tools/call", {"name": "slow", "arguments": {}})
    assert caught.value.code == "NoAnswer"
    assert wire.methods.count("GET") == legacy.MOST_RESUMPTIONS


@pytest.mark.parametrize("number", [None, "server-error", "missing"])
def test_an_error_belongs_to_the_request_whatever_id_it_has(number: Any) -> None:
    def called(asked: Asked) -> Reply:
        message = error(number, -32603, "broken inside")
        if number == "missing":
            del message["id"]
        return as_json(message)

    with conversation.open_conversation(modern(tools_call=called)) as server, pytest.raises(Unanswered) as caught:
        server.call("x", {})
    assert caught.value.code == "RpcError" and "broken inside (-32603)" in caught.value.reason


@pytest.mark.parametrize("number", ["42", "", "somebody-else", 77, 1.5, True, [], {}])
@pytest.mark.parametrize("answered", [as_json, as_events])
def test_an_error_of_another_request_is_not_ours(answered: Callable[[Any], Reply], number: Any) -> None:
    wire = modern(tools_call=lambda _asked: answered(error(number, -32603, "of another")))
    with conversation.open_conversation(wire) as server, pytest.raises(Unanswered) as caught:
        server.call("x", {})
    assert caught.value.code == "NoAnswer"


def test_an_error_at_a_status_of_its_own_needs_no_id() -> None:
    wire = modern(tools_call=lambda _asked: as_json(error("somebody-else", -32602, "no such tool"), 400))
    with conversation.open_conversation(wire) as server, pytest.raises(Unanswered) as caught:
        server.call("x", {})
    assert caught.value.code == "InvalidParams" and "no such tool" in caught.value.reason


@pytest.mark.parametrize("method", ["tools/list", "server/discover", "resources/templates/list", "prompts/list"])
def test_a_list_that_asks_its_client_is_a_fault_of_the_server(method: str) -> None:
    asks_back = {"resultType": "input_required", "requestState": "x", "tools": [], "supportedVersions": [played.MODERN]}
    wire = modern(**{method.replace("/", "_", 1): asks_back})
    with pytest.raises(Unanswered) as caught, conversation.open_conversation(wire) as server:
        {"tools/list": server.tools, "prompts/list": server.prompts}.get(method, server.resource_templates)()
    assert (caught.value.code, caught.value.terminal) == ("ResultType", True)
    assert f"answers {method} with" in caught.value.reason and "defect of the server" in caught.value.hint


def test_what_may_ask_its_client_still_may() -> None:
    asks_back = {"resultType": "input_required", "requestState": "x"}
    wire = modern(tools_call=asks_back, prompts_get=asks_back, resources_read=asks_back)
    with conversation.open_conversation(wire) as server:
        for method, params in (
            ("tools/call", {"name": "x"}),
            ("prompts/get", {"name": "x"}),
            ("resources/read", {"uri": "x:"}),
        ):
            assert conversation.needs_input(server.speaker.ask(method, params))


def test_the_time_that_a_discovery_may_be_kept_is_known() -> None:
    def server(asked: Asked) -> Reply:
        return played.speaks_modern(asked, ttlMs=60_000, cacheScope="private")

    with conversation.open_conversation(Played(server)) as found:
        assert found.caching == {"server/discover": {"ttl_ms": 60_000, "cache_scope": "private"}}
    with conversation.open_conversation(Played(played.speaks_legacy), era="legacy") as found:
        assert found.caching == {}


def test_an_error_that_is_null_is_none() -> None:
    """As servers write it whose language has no absent fields."""
    wire = modern(tools_call=lambda asked: as_json({**result(asked, content=[]), "error": None}))
    with conversation.open_conversation(wire) as server:
        assert server.call("x\ud800", {})["content"] == []
    assert wire.asked[-1].headers["Mcp-Name"] == "=?base64?eD8=?="


def test_a_result_of_another_request_is_not_ours() -> None:
    wire = modern(tools_call=lambda _asked: as_json({"jsonrpc": "2.0", "id": 77, "result": {"content": []}}))
    with conversation.open_conversation(wire) as server, pytest.raises(Unanswered) as caught:
        server.call("x", {})
    assert caught.value.code == "NoAnswer"


def test_a_session_that_is_refused_later_is_lost_and_may_come_back() -> None:
    def server(asked: Asked) -> Reply:
        if asked.method == "tools/list":
            return as_json(error("server-error", -32600, "Session not found"), 404)
        return played.speaks_legacy(asked)

    with conversation.open_conversation(Played(server), era="legacy") as found, pytest.raises(Unanswered) as caught:
        found.tools()
    assert caught.value.code == "SessionLost" and not caught.value.terminal
    assert "replica" in caught.value.hint


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (as_json(error(None, -32602, "Session not found"), 404), "(HTTP 404): Session not found (-32602)"),
        (as_json(error(None, -32602, ""), 404), "(HTTP 404): no message (-32602)"),
        (played.text(404, "gone"), "(HTTP 404): gone"),
        (Reply(404, {}), "(HTTP 404)"),
    ],
)
def test_a_lost_session_is_told_with_what_the_server_said(answer: Reply, words: str) -> None:
    def server(asked: Asked) -> Reply:
        return answer if asked.method == "tools/call" else played.speaks_legacy(asked)

    with conversation.open_conversation(Played(server), era="legacy") as found, pytest.raises(Unanswered) as caught:
        found.call("echo", {})
    assert caught.value.code == "SessionLost"
    assert caught.value.reason == f"it does not know the session that it began a moment ago {words}"


def test_a_method_that_a_server_with_sessions_lacks_is_no_lost_session() -> None:
    def server(asked: Asked) -> Reply:
        if asked.method == "prompts/list":
            return as_json(error(asked.message["id"], -32601, "Method not found"), 404)
        return played.speaks_legacy(asked)

    with conversation.open_conversation(Played(server), era="legacy") as found, pytest.raises(Unanswered) as caught:
        found.prompts()
    assert caught.value.code == "MethodNotFound"


def test_deeply_nested_json_is_no_answer_and_no_crash() -> None:
    wire = modern(tools_list=lambda _asked: Reply(200, {"content-type": "application/json"}, [b"[" * 200_000]))
    with conversation.open_conversation(wire) as server, pytest.raises(Unanswered) as caught:
        server.tools()
    assert caught.value.code == "NotMcp"
