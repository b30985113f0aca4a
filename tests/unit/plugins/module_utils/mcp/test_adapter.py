# SPDX-License-Identifier: GPL-3.0-or-later
"""What KMCP's adapter for stdio servers says, and what is told of one that keeps silent."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import mcp_probe, verdicts
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.observe import Reach
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import targets_from


@pytest.mark.parametrize(
    ("command", "reported"), [("./server", "cannot start './server'"), ("", "was given no command")]
)
def test_a_program_that_cannot_be_started(command: str, reported: str) -> None:
    body = f"""fail to create relay: failed to run command '"{command}"'""".encode()
    found = verdicts.refusal(500, {}, body)
    assert (found.code, found.terminal, found.status) == ("ProgramNotStarted", True, 500)
    assert reported in found.reason and "spec.deployment.cmd" in found.hint


def test_another_failure_is_told_as_before() -> None:
    assert verdicts.refusal(500, {}, b"fail to create relay: something else").code == "ServerError"


@pytest.mark.parametrize(
    ("address", "is_reported"), [({"namespace": "mcp"}, True), ({"url": "https://example.com/mcp"}, False)]
)
def test_silence_of_a_server_in_the_cluster_may_be_that_of_a_program(
    address: dict[str, str], is_reported: bool
) -> None:
    [target] = targets_from({"name": "tools", **address})
    hint = target.advised(Reason("tools", "Timeout", "did not answer", "It hangs.")).hint
    assert hint.startswith("It hangs.") and ("its program has ended" in hint) == is_reported


def test_the_log_is_read_where_it_tells_more() -> None:
    nobody: Any = None
    reach = Reach(server=nobody, last_words=lambda: ["KeyError: 'TOKEN'"])
    silent = mcp_probe.with_log_lines(Reason("tools", "Timeout", "did not answer"), reach)
    assert silent.message.endswith("Its last log lines:\n    KeyError: 'TOKEN'")
    refused = Reason("tools", "Unauthorized", "wants a login")
    assert mcp_probe.with_log_lines(refused, reach) is refused
    assert mcp_probe.with_log_lines(silent, Reach(server=nobody)) is silent
