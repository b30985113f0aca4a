# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of both eras that speak over standard input and output, behind the adapter that KMCP puts before them.

Its version passes on the older era only, says who it is itself, and keeps the errors of the protocol to itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import pytest
from mcp_servers.catalog import LEGACY
from support.mcp_exchange import exchange_to

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import conversation, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Exchange, Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

from .conftest import Endpoints

OURS = ("mcp1", "mcp2", "fastmcp3", "fastmcp4", "sdk", "server", "go")
# The program starts with the session; on a busy machine Python needs seconds to import an SDK.
TIMEOUT = 30.0
IMPATIENT = 3.0


def until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("program", OURS)
def test_a_program_of_standard_input_and_output_answers(endpoints: Endpoints, program: str) -> None:
    with conversation.open_conversation(exchange_to(endpoints.stdio_url(program), timeout=TIMEOUT)) as talk:
        assert talk.speaker.era == LEGACY
        assert sorted(tool["name"] for tool in talk.tools()) == ["add", "ask", "echo", "fail"]
        assert talk.call("add", {"a": 2, "b": 3})["structuredContent"] == {"result": 5}
        assert talk.call("fail", {})["isError"] is True
        assert talk.speaker.ask("resources/read", {"uri": "note://greeting"})["contents"][0]["text"] == "Hello."
        assert len(endpoints.stdio_children()) == 1
    assert until(lambda: not endpoints.stdio_children())


def test_a_published_program_answers(endpoints: Endpoints) -> None:
    with conversation.open_conversation(exchange_to(endpoints.stdio_url("everything"), timeout=TIMEOUT)) as talk:
        assert protocol.answer_text(talk.call("echo", {"message": "hello"})) == "Echo: hello"
    assert until(lambda: not endpoints.stdio_children())


@pytest.mark.parametrize(
    ("program", "tool"),
    [
        pytest.param("go", "subtract", id="an error of the protocol"),
        pytest.param("mcp1", "ask", id="a question to the user"),
    ],
)
def test_what_the_adapter_passes_on_to_nobody_ends_in_time(endpoints: Endpoints, program: str, tool: str) -> None:
    with conversation.open_conversation(impatient_of_calls(endpoints.stdio_url(program))) as talk:
        started = time.monotonic()
        with pytest.raises(Unanswered) as silent:
            talk.call(tool, {})
        assert time.monotonic() - started < 2 * IMPATIENT
    assert silent.value.code == "Timeout"
    assert until(lambda: not endpoints.stdio_children())


def impatient_of_calls(url: str) -> Exchange:
    """Starting the program takes longer than any of its tools."""
    may_wait, impatient = (exchange_to(url, timeout=timeout) for timeout in (TIMEOUT, IMPATIENT))

    def exchange(method: str, headers: Mapping[str, str], body: bytes | None) -> AbstractContextManager[Reply]:
        return (impatient if b"tools/call" in (body or b"") else may_wait)(method, headers, body)

    return exchange
