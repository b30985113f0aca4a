# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands for a model with OpenAI's API: asks for the tool that a question names, and answers with what the tool says.

`Call echo with {"text": "hello"}` makes it ask for the tool whose name is, or ends with, echo. Once a tool has
answered, that answer is the answer. It knows nothing itself, so what is in an answer came from a tool. Nobody may ask
without the key in MODEL_KEY, if there is one.
"""

from __future__ import annotations

import json
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = os.environ.get("MODEL_KEY", "")
ASKED = re.compile(r"[Cc]all (?P<tool>[\w.-]+) with (?P<arguments>\{.*\})", re.S)


def text_of(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def reply(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """The message of the model, and why it ends there."""
    last = messages[-1]
    if last["role"] == "tool":
        return {"role": "assistant", "content": f"The tool says: {text_of(last.get('content'))}"}, "stop"
    question = next((text_of(one["content"]) for one in reversed(messages) if one["role"] == "user"), "")
    asked = ASKED.search(question)
    names = [str(one["function"]["name"]) for one in tools if one.get("type") == "function"]
    name = next((one for one in names if asked and (one == asked["tool"] or one.endswith(asked["tool"]))), "")
    if not asked or not name:
        return {"role": "assistant", "content": f"There is no tool for that. There are: {', '.join(names)}"}, "stop"
    call = {"id": "call-1", "type": "function", "function": {"name": name, "arguments": asked["arguments"]}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/ready":
            self._answer(200, {"status": "ok"})
        elif self._may_ask():
            self._answer(200, {"object": "list", "data": [{"id": "stub", "object": "model"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._may_ask():
            return
        message, reason = reply(asked["messages"], asked.get("tools") or [])
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        about = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked.get("model", "stub")}
        self._answer(200, {**about, "choices": [choice], "usage": usage})

    def _may_ask(self) -> bool:
        if not KEY or self.headers.get("Authorization") == f"Bearer {KEY}":
            return True
        self._answer(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
        return False

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Model).serve_forever()
