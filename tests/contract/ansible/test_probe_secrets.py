# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent to an MCP server as a header is shown nowhere, also where the server repeats it and at -vvv."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from support import mcp_played as played
from support.mcp_played import Asked, as_json, error, over_http, result, text
from support.playbook import LOCAL_HOST, run_tasks

from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply

COLLECTIONS = Path(__file__).parent / "fixtures" / "collections"
OTHER_HOST = {"ansible_connection": "test.adapters.namespace", "ansible_python_interpreter": sys.executable}
TOKEN, KEY, QUERY = "canary-token-5f1b", "canary-key-5f1b", "canary-query-5f1b"


def repeats(asked: Asked) -> Reply:
    """Everything that it was sent, in a tool's answer, its data, a description, an error, or a login."""
    stated = f"{asked.headers.get('Authorization')} and {asked.headers.get('X-Key')}"
    if "Authorization" not in asked.headers:
        return text(401, f"not {stated}")
    if asked.method == "tools/list":
        return as_json(result(asked, tools=[{"name": "echo", "description": stated}]))
    if asked.method == "tools/call" and asked.params["arguments"].get("fail"):
        return as_json(error(asked.message["id"], -32603, stated))
    if asked.method == "tools/call":
        content = [{"type": "text", "text": stated.partition(" ")[2]}]
        return as_json(result(asked, content=content, structuredContent={"deep": [stated]}))
    return played.speaks_modern(asked) if asked.modern else text(403, stated)


def test_nothing_shows_a_header_that_a_server_repeats() -> None:
    entry: dict[str, Any] = {"url": "{{ url }}", "headers": "{{ sent }}", "tool": "echo"}
    options: dict[str, Any] = {"timeout": 20, "wait_timeout": 0}
    calls: dict[str, dict[str, Any]] = {
        "answers": {**entry, **options},
        "fails": {**entry, **options, "arguments": {"fail": True}},
        "answers otherwise": {**entry, **options, "expect_equals": "x"},
        "among others": {"servers": [entry, {"url": "{{ url }}", "headers": {"X-Key": "{{ key }}"}}], **options},
    }
    tasks = [{"name": name, "mcpops.platform.mcp_probe": call, "ignore_errors": True} for name, call in calls.items()]
    with over_http(repeats) as url:
        run = run_tasks(
            tasks,
            # in a file: what a playbook spells out itself is shown by whoever shows the playbook
            variables={
                "url": f"{url}?key={QUERY}",
                "sent": {"Authorization": f"Bearer {TOKEN}", "X-Key": KEY},
                "key": KEY,
            },
            hosts={"here": LOCAL_HOST, "there": OTHER_HOST},
            collections=[COLLECTIONS],
            verbosity=3,
        ).ok()
    for host in ("here", "there"):
        assert run.of(host, "answers")["servers"][0]["reachable"], run.output
        assert run.of(host, "fails")["error"]["reasons"][0]["code"] == "RpcError"
        assert [row["reachable"] for row in run.of(host, "among others")["servers"]] == [True, False]
    for secret in (TOKEN, KEY, QUERY):
        assert secret not in run.output, secret
