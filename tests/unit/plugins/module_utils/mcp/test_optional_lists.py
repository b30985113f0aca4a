# SPDX-License-Identifier: GPL-3.0-or-later
"""What is optional does not stand in the way of what is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from support import mcp_played as played

from ansible_collections.mcpops.platform.plugins.module_utils.mcp.observe import ProbeSettings, Reach, observe
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import targets_from
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

CAPABILITIES = {"tools": {}, "prompts": {}, "resources": {}}


def adapter(silent: tuple[str, ...]) -> played.Answer:
    """As agentgateway 0.9 stands before a program that has tools only: it declares more, and swallows its errors."""

    def answer(asked: played.Asked) -> Any:
        if asked.method in silent:
            return played.silent(asked)
        if asked.method == "server/discover":
            return played.text(400, "fail to deserialize request body: data did not match any variant")
        if asked.method == "initialize":
            found = played.result(asked, protocolVersion="2025-06-18", capabilities=CAPABILITIES, serverInfo={})
            return played.as_events(found, mcp_session_id="s1")
        if asked.method == "tools/call":
            return played.as_events(played.result(asked, content=[{"type": "text", "text": "3"}]))
        empty: dict[str, Any] = {"prompts": [], "resources": [], "resourceTemplates": []}
        tools = {"tools": played.TOOLS} if asked.method == "tools/list" else empty
        return played.as_events(played.result(asked, **tools)) if "id" in asked.message else played.Reply(202, {})

    return answer


def observed(exchange: played.Played) -> dict[str, Any]:
    given = {"name": "words", "url": "http://127.0.0.1:1/mcp", "tool": "echo", "arguments": {}, "expect": "3"}
    [target] = targets_from(given)
    row: dict[str, Any] = {}
    reach = Reach(lambda _timeout: exchange)
    observe(target, reach, ProbeSettings(timeout=1.0), "00-" + "1" * 32 + "-" + "2" * 16 + "-01", row)
    return row


@pytest.mark.parametrize("silent", ["resources/list", "resources/templates/list", "prompts/list"])
def test_a_list_that_is_declared_and_never_given_is_a_remark(silent: str) -> None:
    exchange = played.Played(adapter((silent,)))
    row = observed(exchange)
    assert row["answer"] == "3"
    assert exchange.methods.count(silent) == 1
    [remark] = row["remarks"]
    assert "does not answer when it is asked for its" in remark


def test_after_one_silence_no_other_list_is_waited_for() -> None:
    exchange = played.Played(adapter(("resources/list", "resources/templates/list", "prompts/list")))
    observed(exchange)
    assert [one for one in exchange.methods if one.startswith(("resources", "prompts"))] == ["resources/list"]


@pytest.mark.parametrize("silent", ["tools/list", "tools/call"])
def test_silence_about_what_is_asked_for_is_no_answer(silent: str) -> None:
    with pytest.raises(Unanswered):
        observed(played.Played(adapter((silent,))))
