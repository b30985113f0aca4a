# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe against real servers over real HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import mcp_sdk as servers

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, NotReady
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import mcp_probe as operation
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.targets import targets_from
from ansible_collections.mcpops.platform.plugins.modules import mcp_probe


@dataclass
class ProbeTask:
    params: dict[str, Any]
    check_mode: bool = False
    diff_mode: bool = False
    run_directory: Path | None = None
    reported: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def progress(self, message: str) -> None:
        self.reported.append(message)

    def warn(self, message: str) -> None:
        assert self.check_mode, message
        self.warned.append(message)

    def secret(self, value: str) -> None:
        pass

    def wrote(self, what: str) -> None:
        raise AssertionError(f"a probe changes nothing, but {what}")


def run(check: bool = False, **options: Any) -> dict[str, Any]:
    defaults = {name: spec.get("default") for name, spec in mcp_probe.ARGUMENT_SPEC.items()}
    task = ProbeTask({**defaults, "wait_timeout": 0.0, "timeout": 5.0, **options}, check_mode=check)
    result = operation.converge(task).to_dict(diff_mode=False)  # type: ignore[arg-type]
    return {**result, "warned": task.warned}


def failure(**options: Any) -> NotReady:
    with pytest.raises(NotReady) as caught:
        run(**options)
    return caught.value


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with servers.serving(servers.echo(stateless=False, json_response=False)) as url:
        yield url


@pytest.mark.parametrize("stateless", [True, False], ids=["stateless", "sessions"])
@pytest.mark.parametrize("json_response", [True, False], ids=["json", "stream"])
def test_a_server_of_the_sdk_is_asked_and_called(stateless: bool, json_response: bool) -> None:
    with servers.serving(servers.echo(stateless=stateless, json_response=json_response)) as url:
        result = run(url=url, tool="say", arguments={"text": "grüß dich"}, expect="grüß", expect_regex="^gr.*dich$")
    [row] = result["servers"]
    assert result["changed"] is False
    assert (row["reachable"], row["protocol_version"]) == (True, "2025-11-25")
    assert row["server_info"]["name"] == "echo"
    assert [tool["name"] for tool in row["tools"]] == ["say", "fail", "talk_much"]
    assert (row["tool"], row["answer"]) == ("say", "grüß dich")


def test_all_pages_of_tools_are_read() -> None:
    with servers.serving(servers.paged(3)) as url:
        tools = run(url=url + "/")["servers"][0]["tools"]
    assert [tool["name"] for tool in tools] == ["tool0", "tool1", "tool2"]


def test_an_endless_list_of_tools_ends() -> None:
    with servers.serving(servers.paged(0)) as url:
        assert failure(url=url + "/").reasons[0].code == "EndlessList"


def test_the_session_is_ended_on_the_server() -> None:
    """A server that counts: every session that was opened has been deleted."""
    app = servers.echo(stateless=False, json_response=True)
    seen: list[str] = []

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            seen.append(scope["method"])
        await app(scope, receive, send)

    with servers.serving(counting) as url:  # type: ignore[arg-type]
        run(url=url)
    # the session that came with its refusal of discovery, and that of the conversation
    assert seen.count("DELETE") == 2 and seen[-1] == "DELETE"


CALLS = {
    "no such tool": ({"tool": "shout"}, "ToolMissing", "its tools: say, fail, talk_much"),
    "other answer": ({"tool": "say", "arguments": {"text": "no"}, "expect": "yes"}, "UnexpectedAnswer", "'yes'"),
    "no match": ({"tool": "say", "arguments": {"text": "no"}, "expect_regex": "^y"}, "UnexpectedAnswer", "'^y'"),
    "tool fails": ({"tool": "fail"}, "ToolError", "upstream is down"),
    "answer too large": ({"tool": "talk_much"}, "Oversize", "1024 KiB"),
}


@pytest.mark.parametrize(("options", "code", "words"), CALLS.values(), ids=CALLS)
def test_a_call_that_does_not_do_what_is_expected_fails_at_once(
    echo: str, options: dict[str, Any], code: str, words: str
) -> None:
    started = time.monotonic()
    found = failure(url=echo, wait_timeout=30.0, **options)
    assert found.reasons[0].code == code
    assert words in found.message()
    assert time.monotonic() - started < 10
    assert found.to_result()["servers"][0]["reachable"] is False


MISBEHAVIOUR = {
    "text": ("NotMcp", "text/plain"),
    "hang": ("Timeout", "within 1 s"),
    "huge": ("Oversize", "1024 KiB"),
}


@pytest.mark.parametrize(("mode", "code", "words"), [(mode, *row) for mode, row in MISBEHAVIOUR.items()])
def test_a_server_that_speaks_no_mcp_hangs_or_floods_is_told_apart(mode: str, code: str, words: str) -> None:
    with servers.misbehaving(mode) as url:
        found = failure(url=url, timeout=1.0)
    assert found.reasons[0].code == code
    assert words in found.message()


def test_a_stream_that_only_drips_ends_with_the_request_time() -> None:
    with servers.serving(servers.dripping()) as url:
        assert failure(url=url, timeout=1.0).reasons[0].code == "Timeout"


def test_a_port_where_nothing_listens_is_refused() -> None:
    found = failure(url=f"http://127.0.0.1:{servers.free_port()}/mcp")
    assert found.reasons[0].code == "ConnectionRefused"


# path that was asked → what is said of it
PATHS = {
    "/other": "It was asked at /other: check the option url. Most servers answer at /mcp.",
    "": "It was asked at /: check the option url. Most servers answer at /mcp.",
}


@pytest.mark.parametrize(("path", "hint"), PATHS.items(), ids=["another path", "no path"])
def test_a_wrong_path_is_named(echo: str, path: str, hint: str) -> None:
    (reason,) = failure(url=echo.replace("/mcp", path)).reasons
    assert (reason.code, reason.hint) == ("PathNotFound", hint)


def test_the_usual_path_is_not_recommended_to_who_asked_there() -> None:
    target = {"namespace": "mcp", "name": "echo"}
    assert targets_from(target)[0].nothing_there() == "It was asked at /mcp: check the option path."
    elsewhere = targets_from({**target, "path": "/api"})[0].nothing_there()
    assert elsewhere == "It was asked at /api: check the option path. Most servers answer at /mcp."


def test_a_redirect_is_told_with_where_it_leads() -> None:
    with servers.serving(servers.paged(1)) as url:
        (reason,) = failure(url=url).reasons
    assert reason.code == "Redirect" and f"to {url}/ (HTTP 307)" in reason.message
    assert reason.hint.startswith("Use the path it redirects to")


@pytest.mark.parametrize("stateless", [True, False], ids=["stateless", "sessions"])
def test_a_server_that_wants_a_token(stateless: bool) -> None:
    app = servers.wanting(servers.echo(stateless=stateless, json_response=False), "authorization", "Bearer t0ken")
    with servers.serving(app) as url:
        (refused,) = failure(url=url, headers={"Authorization": "Bearer other"}).reasons
        (keyless,) = failure(url=url).reasons
        assert refused.code == keyless.code == "Unauthorized"
        assert "may be expired" in refused.hint and "option headers" in keyless.hint
        assert not any("proxy" in reason.hint for reason in (refused, keyless))
        assert run(url=url, headers={"Authorization": "Bearer t0ken"})["servers"][0]["reachable"] is True


def test_a_session_that_another_pod_does_not_know_is_no_wrong_path() -> None:
    app = servers.echo(stateless=False, json_response=False)
    with servers.serving(servers.forgetful(app)) as url:
        found = failure(url=url, wait_timeout=0.5)
    assert found.reasons[0].code == "SessionLost" and not found.reasons[0].terminal
    assert "run one replica" in found.message() and "path" not in found.message()


def test_foreign_host_names_are_explained() -> None:
    with servers.serving(servers.echo(stateless=True, json_response=True, only_localhost=True)) as url:
        assert failure(url=url).reasons[0].code == "Misdirected"


def test_a_server_that_comes_late_is_waited_for() -> None:
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    outcome: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: outcome.append(run(url=url, wait_timeout=30.0)))
    waiting.start()
    # refused at first, for certain: nothing listens before this line
    with servers.serving(servers.echo(stateless=True, json_response=True), port=port):
        waiting.join(30)
    assert outcome[0]["servers"][0]["reachable"] is True


def test_the_time_that_was_given_is_the_time_that_is_waited_and_told() -> None:
    started = time.monotonic()
    found = failure(url=f"http://127.0.0.1:{servers.free_port()}/mcp", wait_timeout=3.0)
    assert time.monotonic() - started >= 3.0
    assert "not ready after 3 s" in found.message()


def test_a_site_without_servers_has_nothing_to_ask() -> None:
    result = run(servers=[])
    assert (result["changed"], result["servers"], result["msg"]) == (False, [], "no MCP server to ask")


def test_many_servers_are_asked_at_once() -> None:
    """This one answers nobody before eight have asked."""
    app = servers.together(servers.echo(stateless=True, json_response=True), 8)
    with servers.serving(app) as url:
        result = run(servers=[{"url": url}] * 8, timeout=30.0)
    assert all(row["reachable"] for row in result["servers"])


def test_every_silence_is_reported(echo: str) -> None:
    with servers.misbehaving("hang") as silent, servers.misbehaving("text") as wrong:
        found = failure(timeout=1.0, servers=[{"url": echo}, {"url": silent}, {"url": wrong}])
    assert [row["reachable"] for row in found.values["servers"]] == [True, False, False]
    assert "2 of 3 MCP probes" in found.message()
    assert {reason.code for reason in found.reasons} == {"Timeout", "NotMcp"}


def test_check_mode_calls_no_tool_and_does_not_fail_for_a_silent_server(echo: str) -> None:
    silent = f"http://127.0.0.1:{servers.free_port()}/mcp"
    result = run(check=True, servers=[{"url": echo, "tool": "fail"}, {"url": silent}])
    answered, unanswered = result["servers"]
    assert answered["reachable"]
    assert "answer" not in answered
    assert unanswered["error"]["code"] == "ConnectionRefused"
    assert any("no tool was called" in note for note in result["notes"])
    (warning,) = result["warned"]
    assert silent in warning


def test_check_mode_before_the_cluster_exists_asks_nothing(tmp_path: Path) -> None:
    result = run(check=True, kubeconfig=str(tmp_path / "none"), name="echo", namespace="mcp")
    assert result["servers"][0]["error"]["code"] == "ClusterPending"


IN_CLUSTER = {"name": "echo", "namespace": "mcp", "via": "proxy"}
AT_URL = {"url": "https://mcp.example.com/mcp"}
# options → the only problem, by its path and words
HEADERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a token for a server in the cluster": (
        {**IN_CLUSTER, "headers": {"authorization": "Bearer t"}},
        "headers.authorization",
        "does not pass the API server's proxy, which takes it for itself: leave via out",
    ),
    "another identity": (
        {**IN_CLUSTER, "headers": {"Impersonate-User": "a"}},
        "headers.Impersonate-User",
        "for itself",
    ),
    "one of the protocol": ({**AT_URL, "headers": {"content-type": "a/b"}}, "headers.content-type", "the probe itself"),
    "a line end": ({**AT_URL, "headers": {"X-Key": "secret\n"}}, "headers.X-Key", "line end"),
    "not ASCII": ({**AT_URL, "headers": {"X-Key": "s€cret"}}, "headers.X-Key", "not ASCII"),
    "a blank at its end": ({**AT_URL, "headers": {"X-Key": "secret "}}, "headers.X-Key", "blank at an end"),
    "a list": ({**AT_URL, "headers": {"X-Key": ["secret"]}}, "headers.X-Key", "is a list, not a text"),
    "one of the connection": ({**AT_URL, "headers": {"Upgrade": "h2c"}}, "headers.Upgrade", "the probe itself"),
    "no value": ({**AT_URL, "headers": {"X-Key": None}}, "headers.X-Key", "is empty"),
    "no name": ({**AT_URL, "headers": {"X Key": "secret"}}, "headers.X Key", "is not the name of a header"),
    "a default for one in the cluster": (
        {"headers": {"Authorization": "Bearer t"}, "servers": [AT_URL, IN_CLUSTER]},
        "servers[1].headers.Authorization",
        "for itself",
    ),
    "a path beside a url": ({**AT_URL, "path": "/other"}, "path", "is part of the url"),
    "a port beside a url": ({"servers": [{**AT_URL, "port": 80}]}, "servers[0].port", "is part of the url"),
}


@pytest.mark.parametrize(("options", "path", "words"), HEADERS.values(), ids=HEADERS)
def test_what_would_not_arrive_as_it_is_said(options: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        run(**options)
    assert [problem.path for problem in caught.value.problems] == [path]
    assert words in caught.value.message()
    assert "secret" not in caught.value.message().replace("its secret in another header", "")


def test_a_query_is_not_shown() -> None:
    for url in ("https://mcp.example.com/mcp?code=secret", "https://mcp.example.com/mcp#code=secret?x"):
        (target,) = targets_from({"url": url})
        assert target.label == "MCP server https://mcp.example.com/mcp"


def test_defaults_for_many_servers_may_go_unused() -> None:
    (target,) = targets_from({"port": 80, "path": "/x", "namespace": "mcp", "servers": [AT_URL]})
    assert target.url == AT_URL["url"]


def test_all_problems_are_named_before_any_request() -> None:
    entries: list[dict[str, Any]] = [
        {"name": "Echo", "namespace": "mcp", "port": 70000},
        {"url": "ftp://x/mcp"},
        {"name": "echo", "expect": "x", "path": "mcp"},
        {"url": "https://u:secret@x/mcp", "tool": "t", "expect_regex": "("},
    ]
    with pytest.raises(InvalidInput) as caught:
        run(servers=entries, tool="say")
    assert [problem.path for problem in caught.value.problems] == [
        "tool",
        "servers[0].name",
        "servers[0].port",
        "servers[1].url",
        "servers[2].namespace",
        "servers[2].path",
        "servers[2].expect",
        "servers[3].url",
        "servers[3].expect_regex",
    ]
    assert "secret" not in caught.value.message()
