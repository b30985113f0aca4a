# SPDX-License-Identifier: GPL-3.0-or-later
"""What our probe makes of real servers of both eras: each is what the SDK's own authors say it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from mcp_servers import catalog
from mcp_servers.catalog import LEGACY, LEGACY_VERSIONS, MODERN, MODERN_VERSION, SERVERS, Server
from support.action import run_action
from support.mcp_exchange import exchange_to

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import conversation, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Exchange, Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

from .conftest import Endpoints

OURS = tuple(server for server in SERVERS if server.ours)
TOOLS = ["add", "ask", "echo", "fail"]
TIMEOUT = 20.0
# Of what never answers.
IMPATIENT = 3.0


def each(servers: tuple[Server, ...]) -> Callable[[Any], Any]:
    return pytest.mark.parametrize("server", [pytest.param(server, id=server.name) for server in servers])


def each_era(servers: tuple[Server, ...]) -> Callable[[Any], Any]:
    """Every server in every era that it speaks."""
    cases = [pytest.param(server, era, id=f"{server.name}-{era}") for server in servers for era in server.eras]
    return pytest.mark.parametrize(("server", "era"), cases)


@contextmanager
def opened(
    endpoints: Endpoints, server: Server, era: str = conversation.AUTO, timeout: float = TIMEOUT
) -> Iterator[conversation.Conversation]:
    with conversation.open_conversation(exchange_to(endpoints.url(server), timeout=timeout), era) as talk:
        yield talk


@each(SERVERS)
def test_the_era_is_found(endpoints: Endpoints, server: Server) -> None:
    with opened(endpoints, server) as talk:
        assert talk.speaker.era == server.preferred
        assert talk.speaker.version == (MODERN_VERSION if server.preferred == MODERN else server.negotiated)
        expected = server.discovered or (talk.speaker.version,)
        assert talk.speaker.supported_versions == expected
        assert (talk.speaker.info["name"], talk.speaker.info["version"]) == server.info
        assert "tools" in talk.speaker.capabilities


@each(tuple(server for server in SERVERS if MODERN in server.eras))
def test_whether_older_clients_are_served_too_is_known(endpoints: Endpoints, server: Server) -> None:
    version, refused = conversation.also_legacy(exchange_to(endpoints.url(server), timeout=TIMEOUT))
    if LEGACY in server.eras:
        assert (version, refused) == (LEGACY_VERSIONS[0], None)
    else:
        assert version == ""
        assert refused is not None and refused.rpc is not None
        assert (refused.status, refused.rpc.code, refused.rpc.supported) == (400, -32022, (MODERN_VERSION,))
    assert endpoints.sessions_left(server) == 0


@each_era(OURS)
def test_everything_that_it_offers_is_listed_and_answers(endpoints: Endpoints, server: Server, era: str) -> None:
    with opened(endpoints, server, era) as talk:
        assert talk.speaker.era == era
        assert sorted(tool["name"] for tool in talk.tools()) == TOOLS
        assert talk.dropped == {}
        assert [resource["uri"] for resource in talk.resources()] == ["note://greeting"]
        assert [template["uriTemplate"] for template in talk.resource_templates()] == ["note://of/{name}"]
        assert [prompt["name"] for prompt in talk.prompts()] == ["greet"]
        assert talk.call("add", {"a": 2, "b": 3})["structuredContent"] == {"result": 5}
        assert protocol.answer_text(talk.call("echo", {"text": "päivää"})) == "päivää"
        assert talk.speaker.ask("resources/read", {"uri": "note://greeting"})["contents"][0]["text"] == "Hello."
        (message,) = talk.speaker.ask("prompts/get", {"name": "greet", "arguments": {"name": "Ada"}})["messages"]
        assert message["content"]["text"] == "Greet Ada."


@each_era(OURS)
def test_an_error_of_a_tool_is_a_result(endpoints: Endpoints, server: Server, era: str) -> None:
    with opened(endpoints, server, era) as talk:
        result = talk.call("fail", {})
        assert result["isError"] is True
        assert server.failure in protocol.answer_text(result)


@each_era(SERVERS)
def test_a_tool_that_it_lacks_is_not_called(endpoints: Endpoints, server: Server, era: str) -> None:
    as_result = server.unknown_is_result[era == LEGACY]
    with opened(endpoints, server, era) as talk:
        if as_result:
            result = talk.call("subtract", {})
            assert result["isError"] is True
            assert "subtract" in protocol.answer_text(result)
        else:
            with pytest.raises(Unanswered) as refused:
                talk.call("subtract", {})
            assert refused.value.rpc is not None
            assert refused.value.rpc.code == -32602


@each_era(OURS)
def test_a_tool_that_asks_the_user_is_known_by_it(endpoints: Endpoints, server: Server, era: str) -> None:
    expected = server.asks[era == LEGACY]
    with opened(endpoints, server, era, IMPATIENT if expected == catalog.SILENT else TIMEOUT) as talk:
        try:
            outcome: dict[str, Any] | Unanswered = talk.call("ask", {})
        except Unanswered as refused:
            outcome = refused
    assert _asked(outcome) == expected, outcome
    assert endpoints.sessions_left(server) == 0


def _asked(outcome: Mapping[str, Any] | Unanswered) -> str:
    """In the words of the table."""
    if isinstance(outcome, Unanswered):
        return outcome.code if outcome.code in (catalog.NEEDS_INPUT, catalog.SILENT) else catalog.REFUSED
    if conversation.needs_input(outcome):
        return catalog.NEEDS_INPUT
    return catalog.REFUSED if outcome.get("isError") else "a result"


@each_era(OURS)
def test_both_forms_of_an_answer_are_read(endpoints: Endpoints, server: Server, era: str) -> None:
    seen: list[tuple[str, str]] = []
    recorded = _recording(exchange_to(endpoints.url(server), timeout=TIMEOUT), seen)
    with conversation.open_conversation(recorded, era) as talk:
        assert talk.call("add", {"a": 40, "b": 2})["structuredContent"] == {"result": 42}
    posted = [content_type for method, content_type in seen if method == "POST"]
    assert posted[-1] == server.answers[era == LEGACY]


def _recording(exchange: Exchange, seen: list[tuple[str, str]]) -> Exchange:
    @contextmanager
    def recorded(method: str, headers: Mapping[str, str], body: bytes | None) -> Iterator[Reply]:
        with exchange(method, headers, body) as reply:
            seen.append((method, reply.content_type))
            yield reply

    return recorded


@each(SERVERS)
def test_no_session_is_left_behind(endpoints: Endpoints, server: Server) -> None:
    exchange = exchange_to(endpoints.url(server), timeout=TIMEOUT)
    if LEGACY in server.eras:
        with conversation.open_conversation(exchange, LEGACY) as talk:
            talk.tools()
            assert endpoints.sessions(server) == (1 if server.sessions else 0)
    # finding out the era asks in ways that the server refuses, which must leave nothing either
    with conversation.open_conversation(exchange):
        pass
    conversation.also_legacy(exchange)
    assert endpoints.sessions_left(server) == 0


@each(SERVERS)
def test_another_host_name_is_not_taken_for_a_dead_server(endpoints: Endpoints, server: Server) -> None:
    exchange = exchange_to(endpoints.url(server), {"Host": "tools.mcp.svc:3000"}, timeout=TIMEOUT)
    if server.other_host == 200:
        with conversation.open_conversation(exchange) as talk:
            assert talk.speaker.era == server.preferred
        return
    with pytest.raises(Unanswered) as refused, conversation.open_conversation(exchange):
        pass
    assert refused.value.status == server.other_host
    # the Go SDK says 403, which elsewhere means a login
    assert refused.value.code == "Misdirected"
    assert refused.value.terminal


@each(SERVERS)
def test_a_last_slash_too_many_is_told(endpoints: Endpoints, server: Server) -> None:
    url = f"{endpoints.url(server)}/"
    exchange = exchange_to(url, {"Authorization": "Bearer for-this-address-alone"}, timeout=TIMEOUT)
    if server.slash == 200:
        with conversation.open_conversation(exchange) as talk:
            assert talk.speaker.era == server.preferred
        return
    with pytest.raises(Unanswered) as refused, conversation.open_conversation(exchange):
        pass
    assert refused.value.status == server.slash
    assert refused.value.code == {307: "Redirect", 404: "PathNotFound"}[server.slash]
    if server.slash == 307:
        assert endpoints.url(server) in refused.value.reason


def test_the_transport_of_2024_is_spoken(endpoints: Endpoints) -> None:
    """At the path of its stream; elsewhere there is nothing."""
    address = endpoints.variant("mcp1", "sse")
    with conversation.open_conversation(exchange_to(f"{address}/sse", timeout=TIMEOUT)) as talk:
        assert (talk.speaker.era, talk.speaker.transport) == (LEGACY, "http_sse")
        assert sorted(tool["name"] for tool in talk.tools()) == TOOLS
        assert talk.call("add", {"a": 2, "b": 3})["structuredContent"] == {"result": 5}
        assert talk.call("fail", {})["isError"] is True
    exchange = exchange_to(f"{address}/mcp", timeout=TIMEOUT)
    with pytest.raises(Unanswered) as refused, conversation.open_conversation(exchange):
        pass
    assert refused.value.code == "PathNotFound"


def test_one_task_tells_of_a_hundred_servers_in_a_minute(endpoints: Endpoints) -> None:
    """The module, as a playbook runs it: all at once, and every one in each of its eras."""
    asked = endpoints.many(100)
    call = {"tool": "add", "arguments": {"a": 20, "b": 22}, "expect_json": [{"path": "$.result", "value": 42}]}
    started = time.monotonic()
    result = run_action(
        "mcp_probe",
        {"servers": [{"url": url, **call} for _server, url in asked], "timeout": 20, "wait_timeout": 40},
        defaults={},
        environment={},
    )
    assert time.monotonic() - started < 60
    assert not result.get("failed"), result["msg"]
    for (server, url), row in zip(asked, result["servers"], strict=True):
        assert (row["url"], row["reachable"], row["attempts"]) == (url, True, 1)
        assert (row["era"], sorted(row["eras"])) == (server.preferred, sorted(server.eras)), server.name
        assert row["structured"] == {"result": 42}
        assert sorted(tool["name"] for tool in row["tools"]) == TOOLS
        assert endpoints.sessions_left(server) == 0, server.name
