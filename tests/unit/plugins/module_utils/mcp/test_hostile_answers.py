# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server can do to the result of a probe by what it answers: show secrets, fill it, or break who prints it."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from support import mcp_played as played
from support.local_azure import FakeTask
from support.mcp_played import Asked, accepting, as_json, error, over_http, result, text
from support.port_forwarding import api_server

from ansible_collections.mcpops.platform.plugins.module_utils import masking
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, NotReady, Reason
from ansible_collections.mcpops.platform.plugins.module_utils.masking import mask
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import mcp_probe as operation
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import modern, observe, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.cluster_access import Replica
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.observe import Reach
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import Target, targets_from
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import RpcError, Unanswered, rpc_refusal
from ansible_collections.mcpops.platform.plugins.modules import mcp_probe

LONG_TOKEN = "".join(f"{number:04x}-" for number in range(13_000))


def probed(**options: Any) -> tuple[dict[str, Any], FakeTask]:
    """The result, of a failure as well, as an adapter prints it: without what the task knows to be secret."""
    defaults = {name: spec.get("default") for name, spec in mcp_probe.ARGUMENT_SPEC.items()}
    task = FakeTask({**defaults, "wait_timeout": 0.0, "timeout": 5.0, **options})
    try:
        found: dict[str, Any] = operation.converge(task).to_dict(diff_mode=True)  # type: ignore[arg-type]
    except NotReady as failed:
        found = failed.to_result()
    return mask(found, task.secrets), task


def repeats(where: str, token: str) -> Callable[[Asked], Reply]:
    """A server that repeats the token that it was sent."""

    def answer(asked: Asked) -> Reply:
        if where == "login" or not asked.modern:
            return text(401, f"no entry for {token}")
        if where == "description" and asked.method == "tools/list":
            return as_json(result(asked, tools=[{"name": "echo", "description": f"{'d' * 3900} {token}"}]))
        if where == "error" and asked.method == "tools/list":
            return as_json(error(asked.message["id"], -32603, f"what is {token}"))
        if where == "capabilities" and asked.method == "server/discover":
            held = {"tools": {}, "x": ["é" * 100, token]}
            return as_json(result(asked, supportedVersions=[played.MODERN], capabilities=held))
        if asked.method == "tools/call":
            return as_json(result(asked, content=[{"type": "text", "text": "x" * 65_500 + token}]))
        return played.speaks_modern(asked)

    return answer


@pytest.mark.parametrize("where", ["login", "description", "error", "capabilities", "answer"])
def test_a_token_that_a_server_repeats_is_masked_before_it_is_cut(where: str) -> None:
    token = LONG_TOKEN if where == "capabilities" else LONG_TOKEN[:800]
    if where == "capabilities":
        token = LONG_TOKEN[: masking.LONGEST_ANSWER - 20]
    with over_http(repeats(where, token)) as url:
        found, _task = probed(url=url, headers={"X-Key": token}, tool="echo")
    assert token[:12] not in json.dumps(found)


FORMS = {
    "a parameter": ("url", "https://h/mcp?tenant=blue&code=canary-5f1b", "canary-5f1b"),
    "a parameter that is encoded": ("url", "https://h/mcp?code=canary%2F5f1b%3D", "canary/5f1b="),
    "a parameter without a name": ("url", "https://h/mcp?v=1&canary-5f1b", "canary-5f1b"),
    "a cookie": ("Cookie", "theme=x; sid=canary-5f1b", "canary-5f1b"),
    "a cookie that is encoded": ("Cookie", 'sid="canary%205f1b"; a=b', "canary 5f1b"),
    "a login": ("Authorization", "Basic " + base64.b64encode(b"ann:canary-5f1b").decode(), "ann:canary-5f1b"),
    "the password of a login": ("Authorization", "basic " + base64.b64encode(b"ann:ca:na").decode(), "ca:na"),
    "a token": ("Authorization", "Bearer canary/5f1b", "canary/5f1b"),
    "a query of a path": ("path", "/mcp?code=canary-5f1b", "canary-5f1b"),
}


@pytest.mark.parametrize(("option", "value", "secret"), FORMS.values(), ids=FORMS)
def test_every_form_of_what_is_sent_is_secret(
    option: str, value: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = {"name": "a", "namespace": "b"}
    ways: dict[str, dict[str, Any]] = {"url": {"url": value}, "path": {**cluster, "path": value}}
    options = ways.get(option) or {**cluster, "headers": {option: value}}
    [target] = targets_from({"wait_timeout": 0.0, "timeout": 5.0, **options})
    monkeypatch.setattr(operation, "targets_from", lambda _params: [target])
    # what is asked afterwards does not matter here
    monkeypatch.setattr(operation.Kube, "connect", lambda _task: 1 / 0)
    monkeypatch.setattr(operation, "_ask_all", lambda *_given: 1 / 0)
    task = FakeTask({"wait_timeout": 0.0})
    with pytest.raises(ZeroDivisionError):
        operation.converge(task)  # type: ignore[arg-type]
    encoded = base64.b64encode(secret.encode()).decode()
    assert {secret, encoded, quote(secret, safe=""), json.dumps(secret)[1:-1]} <= task.secrets


def test_advice_on_a_path_does_not_show_its_query() -> None:
    target = Target("a", "b", 3000, "/other?code=canary-5f1b", "")
    reason = target.advised(Reason(target.label, "PathNotFound", "nothing there"))
    assert "/other" in reason.hint and "canary" not in reason.hint
    with pytest.raises(InvalidInput) as caught:
        targets_from({"name": "a", "namespace": "b", "path": "/mcp?code=canary 5f1b", "wait_timeout": 0, "timeout": 5})
    assert "canary" not in str(caught.value.to_result())


def nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _level in range(levels):
        found = {"a": found}
    return found


def depth(value: Any) -> int:
    if isinstance(value, (dict, list)):
        return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)
    return 0


@pytest.mark.parametrize("details", [False, True])
def test_data_that_is_nested_without_measure_is_cut_and_said(details: bool) -> None:
    def answer(asked: Asked) -> Reply:
        deep = nested(300)
        if asked.method == "server/discover":
            return as_json(result(asked, supportedVersions=[played.MODERN], capabilities={"tools": {}, "x": deep}))
        if asked.method == "tools/list":
            return as_json(result(asked, tools=[{"name": "echo", "inputSchema": {"type": "object", "default": deep}}]))
        if asked.method == "tools/call":
            return as_json(result(asked, content=[], structuredContent={"list": [deep]}))
        return text(400, "no")

    with over_http(answer) as url:
        found, _task = probed(url=url, tool="echo", details=details)
    [row] = found["servers"]
    assert row["reachable"] and depth(found) < 60
    [reported] = [remark for remark in row["remarks"] if "deeper than 50 levels" in remark]
    assert ("capabilities" in reported, "structured" in reported, "tools" in reported) == (True, True, details)


def test_nesting_that_python_cannot_follow_takes_no_other_server_with_it() -> None:
    def deep(asked: Asked) -> Reply:
        if asked.method == "tools/list":
            inside = b'{"a":' * 950 + b"1" + b"}" * 950
            body = b'{"jsonrpc":"2.0","id":%d,"result":{"tools":[{"name":"a","annotations":%s}]}}'
            return Reply(200, {"content-type": "application/json"}, [body % (asked.message["id"], inside)])
        return played.speaks_modern(asked) if asked.modern else text(400, "no")

    with over_http(deep) as bad, over_http(played.speaks_modern) as good:
        found, _task = probed(servers=[{"url": bad}, {"url": good}], details=True)
    assert depth(found) < 60
    assert found["servers"][1]["reachable"]


def test_half_a_character_does_not_reach_a_result() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.method == "tools/list":
            return as_json(result(asked, tools=[{"name": "a\ud800", "\udfff": "😀\udc01"}]))
        if asked.method == "server/discover":
            return played.speaks_modern(asked, instructions="\ud800")
        return text(400, "no")

    with over_http(answer) as url:
        found, _task = probed(url=url, details=True)
    [row] = found["servers"]
    json.dumps(found, ensure_ascii=False).encode()
    assert row["tools"] == [{"name": "a?", "?": "😀?"}]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_json_does_not_have_is_no_answer(number: str) -> None:
    with pytest.raises(Unanswered) as caught:
        protocol.parsed_messages(b'{"jsonrpc": "2.0", "id": 1, "result": {"ttlMs": %s}}' % number.encode(), 200)
    assert caught.value.code == "NotMcp"


def test_a_part_without_text_adds_none() -> None:
    parts = [{"type": "text", "text": None}, {"type": "text", "text": "a"}, {"type": "text"}]
    assert protocol.answer_text({"content": parts}) == "a"


MANY = [f"v{number}" for number in range(60_000)]
MESSAGES = {
    "foreign versions": lambda: modern.foreign_versions(MANY),
    "versions of the other era": lambda: modern.era_mismatch("legacy", MANY),
    "versions of a refusal": lambda: rpc_refusal(400, RpcError.of({"code": -32022, "data": {"supported": MANY}})),
    "needed capabilities": lambda: rpc_refusal(
        400, RpcError.of({"code": -32021, "data": {"requiredCapabilities": dict.fromkeys(MANY)}})
    ),
}


@pytest.mark.parametrize("make", MESSAGES.values(), ids=MESSAGES)
def test_a_message_names_the_first_of_many(make: Callable[[], Unanswered]) -> None:
    message = make().reason
    assert "v0" in message and "59990 more" in message and len(message) < 1000


def test_a_row_is_bounded_whatever_a_server_lists() -> None:
    wide = "n" * 5000

    def answer(asked: Asked) -> Reply:
        if asked.method == "server/discover":
            versions = [played.MODERN, wide, *MANY[:20_000]]
            return as_json(result(asked, supportedVersions=versions, capabilities={"tools": {}}))
        if asked.method == "tools/list":
            twice = [{"name": name} for name in MANY[:4000] * 2]
            bad = {"name": wide, "inputSchema": {"properties": {"a": {"type": "string", "x-mcp-header": wide + " "}}}}
            return as_json(result(asked, tools=[*twice, bad], ttlMs=1, cacheScope={"any": [wide]}))
        return text(400, "no")

    with over_http(answer) as url:
        found, _task = probed(url=url)
    [row] = found["servers"]
    row["tools"] = []
    assert row["reachable"] and len(row["dropped_tools"]) == 1
    assert len(json.dumps(row)) < 5000
    assert "3990 more" in json.dumps(row["remarks"])


def test_a_replica_that_lists_other_tools_without_end_is_shown_in_part() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.method == "tools/list":
            return as_json(result(asked, tools=[{"name": f"{name}-{'n' * 500}"} for name in MANY[:1500]]))
        return played.speaks_modern(asked)

    pods = [Replica("a", 1), Replica("b", 1)]
    reach = Reach(lambda _timeout: played.Played(answer), lambda: pods, lambda _pod, _timeout: played.Played(answer))
    row: dict[str, Any] = {"era": "modern", "eras": ["modern"]}
    with pytest.raises(Unanswered) as caught:
        observe.compare_replicas(reach, observe.ProbeSettings(1.0), "", [{"name": "w" * 100_000}], row)
    assert caught.value.code == "ReplicasDiffer" and len(caught.value.reason) < 4000
    assert len(json.dumps(row)) < 100_000


def sending(answer: bytes) -> Callable[[socket.socket], None]:
    def serve(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            sock.recv(65536)
            sock.sendall(answer)

    return serve


def head(status: str, *headers: bytes) -> bytes:
    return b"\r\n".join([f"HTTP/1.1 {status}".encode(), *headers, b"Content-Length: 0", b"", b""])


# what is written without measure where others write a word → the code
LONG_HEADS = {
    "status line": (b"x\x1b" * 30_000 + b"\r\n\r\n", "NotHttp"),
    "content type": (head("200 OK", b"Content-Type: " + b"x\x1b[31m" * 9000), "NotMcp"),
    "login": (head("401 No", b"WWW-Authenticate: " + b'scope="aaa" ' * 5000), "Unauthorized"),
    "redirect": (head("302 Go", b"Location: /" + b"a" * 60_000), "Redirect"),
    "coding": (head("200 OK", b"Content-Type: text/event-stream", b"Content-Encoding: " + b"a" * 60_000), "NotMcp"),
}


@pytest.mark.parametrize(("answer", "code"), LONG_HEADS.values(), ids=LONG_HEADS)
def test_a_message_has_no_more_of_a_head_than_people_read(answer: bytes, code: str) -> None:
    with accepting(sending(answer)) as url:
        found, _task = probed(url=url, era="modern")
    [reason] = found["error"]["reasons"]
    assert reason["code"] == code
    assert len(found["msg"]) < 1200 and "\x1b" not in found["msg"]


CHALLENGES = head("401 No", b'WWW-Authenticate: Bearer scope="mcp:read"', b"www-authenticate: Basic")


def test_of_several_challenges_all_are_read() -> None:
    """As gateways send them that take more than one login."""
    with accepting(sending(CHALLENGES)) as url:
        direct, _task = probed(url=url, era="modern")
    with accepting(sending(CHALLENGES)) as url, api_server({"echo-1": int(urlsplit(url).port or 0)}) as connection:
        place = {"name": "echo", "namespace": "mcp", "via": "port_forward"}
        forwarded, _task = probed(**place, era="modern", **connection)
    for found in (direct, forwarded):
        assert "scope 'mcp:read'" in found["msg"]


def compressed(body: bytes, coding: str) -> Reply:
    packed = gzip.compress(body) if "gzip" in coding.lower() else zlib.compress(body) if coding == "deflate" else body
    return Reply(200, {"content-type": "application/json", "content-encoding": coding}, [packed])


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "deflate", "identity", ""])
def test_what_a_proxy_compresses_unasked_is_read(coding: str) -> None:
    def answer(asked: Asked) -> Reply:
        plain = played.speaks_modern(asked)
        return compressed(b"".join(plain.chunks), coding) if asked.modern else text(400, "no")

    with over_http(answer) as url:
        found, _task = probed(url=url)
    assert found["servers"][0]["reachable"]


@pytest.mark.parametrize(
    ("coding", "code"), [("gzip", "Oversize"), ("deflate", "Oversize"), ("gzip, gzip", "NotMcp"), ("br", "NotMcp")]
)
def test_a_few_bytes_that_hold_gigabytes_do_not_fill_the_memory(coding: str, code: str) -> None:
    packed = compressed(b"\0" * 24 * 2**20, coding)
    with over_http(lambda _asked: packed) as url:
        tracemalloc.start()
        try:
            found, _task = probed(url=url, era="modern")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert found["error"]["reasons"][0]["code"] == code
    assert peak < 8 * 2**20


def test_what_is_not_in_the_coding_that_it_names_is_no_answer() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(200, {"content-type": "application/json", "content-encoding": "gzip"}, [b"{}"])

    with over_http(answer) as url:
        found, _task = probed(url=url, era="modern")
    assert found["error"]["reasons"][0]["code"] == "NotMcp" and "compressed (gzip)" in found["msg"]


@pytest.mark.parametrize("name", ["日本", "é", "a b", "x" * 500])
def test_a_stream_goes_on_after_whatever_its_events_are_called(name: str) -> None:
    seen: list[Asked] = []

    def answer(asked: Asked) -> Reply:
        if asked.http == "GET":
            return played.as_events(result(Asked("", {}, {"id": 2}), tools=[]))
        if asked.method == "tools/list":
            return Reply(200, {"content-type": "text/event-stream"}, [f"id: {name}\nretry: 1\ndata:\n\n".encode()])
        return text(400, "no") if asked.modern else played.speaks_legacy(asked)

    with over_http(answer, seen) as url:
        found, _task = probed(url=url)
    assert found["servers"][0]["reachable"], found["msg"]
    [resumed] = [asked for asked in seen if asked.http == "GET"]
    assert resumed.headers["Last-Event-ID"].encode("latin-1").decode() == name


def test_pages_of_large_entries_have_an_end() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.method == "tools/list":
            tools = [{"name": f"t{number}", "description": "d" * 90_000} for number in range(10)]
            return as_json(result(asked, tools=tools, nextCursor=str(time.monotonic())))
        return played.speaks_modern(asked)

    with over_http(answer) as url:
        found, _task = probed(url=url, era="modern", details=True)
    assert found["error"]["reasons"][0]["code"] == "EndlessList" and "8 MiB" in found["msg"]
    assert len(json.dumps(found)) < 5000


@pytest.mark.parametrize(("code", "status", "verdict"), [(-32602, 400, "InvalidParams"), (-32600, 400, "SessionLost")])
def test_an_argument_that_is_called_session_is_no_lost_session(code: int, status: int, verdict: str) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.method == "tools/call":
            return as_json(error(asked.message["id"], code, "session_id is required"), status)
        return text(400, "no") if asked.modern else played.speaks_legacy(asked)

    with over_http(answer) as url:
        found, _task = probed(url=url, tool="echo")
    assert found["error"]["reasons"][0]["code"] == verdict


@pytest.mark.parametrize("code", [10**400, -(2**63) - 1], ids=["long", "negative"])
def test_a_code_that_is_no_code_is_none(code: int) -> None:
    assert RpcError.of({"code": code, "message": "m"}).code is None
