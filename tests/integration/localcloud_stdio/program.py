# SPDX-License-Identifier: GPL-3.0-or-later
"""A program of standard input and output for the adapter's tests; its first argument says how it behaves.

serve   answers; an unknown tool with an error
quit    ends at once
chatty  writes a line that is no message before its first answer
deaf    goes on when its input is closed
"""

from __future__ import annotations

import json
import os
import sys
import time


def answer(message: dict[str, object]) -> dict[str, object]:
    params = message.get("params") or {}
    assert isinstance(params, dict)
    if message["method"] == "initialize":
        own = {"name": "program", "version": "1"}
        return {"result": {"protocolVersion": params["protocolVersion"], "capabilities": {}, "serverInfo": own}}
    if message["method"] == "tools/list":
        tool = {"name": "env", "inputSchema": {"type": "object"}}
        return {"result": {"tools": [tool], "nextCursor": "more"}}
    if params.get("name") == "env":
        return {"result": {"content": [{"type": "text", "text": json.dumps(dict(os.environ))}]}}
    return {"error": {"code": -32602, "message": "unknown tool"}}


def main(mode: str) -> None:
    print(f"started {os.getpid()}", file=sys.stderr, flush=True)
    if mode == "quit":
        sys.exit(3)
    if mode == "chatty":
        print("Welcome!", flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer(message)}), flush=True)
    if mode == "deaf":
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
