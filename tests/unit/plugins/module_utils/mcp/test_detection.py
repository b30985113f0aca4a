# SPDX-License-Identifier: GPL-3.0-or-later
"""Which era a server speaks: the measured answers of real servers, and what must be reported instead of guessed."""

from __future__ import annotations

import pytest
from support import mcp_played as played
from support.mcp_played import Asked, Played, as_events, as_json, error, result, text

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import conversation
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered


def dual(asked: Asked) -> Reply:
    """Python SDK 2, FastMCP 4: the header alone decides."""
    return played.speaks_modern(asked) if asked.modern else played.speaks_legacy(asked)


def dual_without_session(asked: Asked) -> Reply:
    """TypeScript SDK 2, createMcpHandler."""
    return played.speaks_modern(asked) if asked.modern else played.speaks_legacy(asked, session="")


def python_1(asked: Asked) -> Reply:
    """Python SDK 1, FastMCP 2 and 3: the error names a session. It is dead already, or (1.12) kept for ever."""
    if asked.modern:
        return as_json(error("server-error", -32600, "Bad Request: Missing session ID"), 400, mcp_session_id="begun")
    return played.speaks_legacy(asked)


def python_1_stateless(asked: Asked) -> Reply:
    if asked.modern:
        return as_json(error("server-error", -32600, "Bad Request: Unsupported protocol version"), 400)
    return played.speaks_legacy(asked, session="")


def everything(asked: Asked) -> Reply:
    """server-everything on TypeScript SDK 1."""
    if asked.modern:
        return as_json(error(None, -32000, "Bad Request: Server not initialized"), 400)
    return played.speaks_legacy(asked)


def typescript_reject(asked: Asked) -> Reply:
    if asked.method == "initialize":
        return as_json(error(asked.message["id"], -32022, "Unsupported", supported=[played.MODERN]), 400)
    return played.speaks_modern(asked)


def go_default(asked: Asked) -> Reply:
    """Go SDK, stateful: answers discovery, and names four versions of the legacy era."""
    if asked.method == "server/discover":
        return as_events(result(asked, supportedVersions=list(played.LEGACY), capabilities={"tools": {}}))
    if asked.modern:
        return as_json(error(asked.message["id"], -32022, "Unsupported", supported=list(played.LEGACY)), 400)
    return played.speaks_legacy(asked)


def go_stateless(asked: Asked) -> Reply:
    if not asked.modern:
        return played.speaks_legacy(asked, session="")
    reply = played.speaks_modern(asked, versions=(played.MODERN, *played.LEGACY))
    return Reply(200, {"content-type": "text/event-stream"}, [b"data: " + b"".join(reply.chunks) + b"\n\n"])


def gateway_with_stdio(asked: Asked) -> Reply:
    """agentgateway 0.9 in front of a stdio server."""
    if asked.modern:
        return text(422, "Unexpected message, expect initialize request")
    return played.speaks_legacy(asked, stream=False)


def nothing_at_discovery(asked: Asked) -> Reply:
    return text(404, "Not Found") if asked.modern else played.speaks_legacy(asked)


def method_not_found(asked: Asked) -> Reply:
    if asked.modern:
        return as_json(error(asked.message["id"], -32601, "Method not found"), 404)
    return played.speaks_legacy(asked)


def names_legacy_versions(asked: Asked) -> Reply:
    if asked.modern:
        return as_json(error(asked.message["id"], -32022, "Unsupported", supported=["2025-06-18"]), 400)
    return played.speaks_legacy(asked, version="2025-06-18")


def oldest(asked: Asked) -> Reply:
    if asked.modern:
        return as_json(error(asked.message["id"], -32601, "Method not found"))
    return played.speaks_legacy(asked, version="2024-11-05")


# server → (era, version, versions it names, what was asked until then)
SPEAKS = {
    dual: ("modern", played.MODERN, (played.MODERN,), ["server/discover"]),
    dual_without_session: ("modern", played.MODERN, (played.MODERN,), ["server/discover"]),
    typescript_reject: ("modern", played.MODERN, (played.MODERN,), ["server/discover"]),
    go_stateless: ("modern", played.MODERN, (played.MODERN, *played.LEGACY), ["server/discover"]),
    python_1: (
        "legacy",
        "2025-11-25",
        ("2025-11-25",),
        ["server/discover", "DELETE", "initialize", "notifications/initialized"],
    ),
    python_1_stateless: ("legacy", "2025-11-25", ("2025-11-25",), None),
    everything: ("legacy", "2025-11-25", ("2025-11-25",), None),
    go_default: ("legacy", "2025-11-25", played.LEGACY, None),
    gateway_with_stdio: ("legacy", "2025-11-25", ("2025-11-25",), None),
    nothing_at_discovery: ("legacy", "2025-11-25", ("2025-11-25",), None),
    method_not_found: ("legacy", "2025-11-25", ("2025-11-25",), None),
    names_legacy_versions: ("legacy", "2025-06-18", ("2025-06-18",), None),
    oldest: ("legacy", "2024-11-05", ("2024-11-05",), None),
}
HANDSHAKE = ["server/discover", "initialize", "notifications/initialized"]


@pytest.mark.parametrize("server", SPEAKS, ids=lambda server: server.__name__)
def test_real_servers_are_recognised(server: played.Answer) -> None:
    era, version, versions, asked = SPEAKS[server]
    wire = Played(server)
    with conversation.open_conversation(wire) as found:
        assert (found.speaker.era, found.speaker.version, found.speaker.supported_versions) == (era, version, versions)
        assert wire.methods == (asked or HANDSHAKE)
        assert [tool["name"] for tool in found.tools()] == ["echo"]
        assert found.speaker.info == played.INFO


def test_a_session_that_a_refusal_begins_is_ended() -> None:
    wire = Played(python_1)
    with conversation.open_conversation(wire):
        (ended,) = (asked for asked in wire.asked if asked.http == "DELETE")
    assert ended.headers["Mcp-Session-Id"] == "begun"
    # which it would refuse: the version of the newer era
    assert "MCP-Protocol-Version" not in ended.headers


@pytest.mark.parametrize("server", [python_1, everything, gateway_with_stdio], ids=lambda server: server.__name__)
def test_a_session_is_taken_from_the_handshake_only_and_ended(server: played.Answer) -> None:
    wire = Played(server)
    with conversation.open_conversation(wire) as found:
        found.tools()
    posted = [asked.headers.get("Mcp-Session-Id") for asked in wire.asked if asked.http == "POST"]
    assert posted == [None, None, "s1", "s1"]
    assert (wire.asked[-1].http, wire.asked[-1].headers["Mcp-Session-Id"]) == ("DELETE", "s1")


def test_who_refuses_the_handshake_with_a_modern_version_is_asked_once_more() -> None:
    """Its first discovery meets something that is not the server yet; its initialize says what it is."""
    before = [text(404, "not yet")]
    wire = Played(lambda asked: before.pop() if before else typescript_reject(asked))
    with conversation.open_conversation(wire) as found:
        assert found.speaker.era == "modern"
    assert wire.methods == ["server/discover", "initialize", "server/discover"]


def test_one_refused_version_is_corrected() -> None:
    """UnsupportedProtocolVersion that names a version which this client speaks: the same request once more."""
    refusals = [error(1, -32022, "try again", supported=[played.MODERN], requested=played.MODERN)]

    def server(asked: Asked) -> Reply:
        return as_json(refusals.pop(), 400) if refusals else played.speaks_modern(asked)

    wire = Played(server)
    with conversation.open_conversation(wire) as found:
        assert found.speaker.era == "modern"
    assert wire.methods == ["server/discover", "server/discover"]
    assert wire.asked[0].message["id"] != wire.asked[1].message["id"]


def refusing(reply: Reply) -> played.Answer:
    """Healthy for older clients, so that a fallback would hide what it says to modern ones."""
    return lambda asked: reply if asked.modern else played.speaks_legacy(asked)


OAUTH = {"error": "invalid_token", "error_description": "expired"}
CHALLENGE = 'Bearer error="invalid_token", resource_metadata="https://x/.well-known/oauth-protected-resource"'
# what discovery answers → (code, words of the message, does waiting not help?)
REPORTED = {
    "login": (as_json(OAUTH, 401, www_authenticate=CHALLENGE), "Unauthorized", "resource_metadata", True),
    "scope": (as_json({"error": "insufficient_scope"}, 403), "Forbidden", "insufficient_scope", True),
    "origin": (text(403, "Invalid Origin header"), "Forbidden", "Invalid Origin", True),
    "host": (text(421, "Invalid Host header"), "Misdirected", "host name", True),
    "crash": (text(500, "Internal Server Error"), "ServerError", "HTTP 500", False),
    "overload": (text(503, "too many sessions"), "Unavailable", "HTTP 503", False),
    "slow down": (text(429, ""), "Busy", "HTTP 429", False),
    "redirect": (
        Reply(307, {"location": "https://elsewhere/mcp?code=s3cret"}),
        "Redirect",
        "https://elsewhere/mcp (HTTP 307)",
        True,
    ),
    "headers stripped": (as_json(error(1, -32020, "Mcp-Method missing"), 400), "HeaderMismatch", "Mcp-Method", True),
    "capability": (
        as_json(error(1, -32021, "needs sampling", requiredCapabilities={"sampling": {}}), 400),
        "NeedsInput",
        "sampling",
        True,
    ),
    "foreign versions": (
        as_json(error(1, -32022, "no", supported=["2027-03-01"]), 400),
        "ProtocolVersion",
        "2027-03-01",
        True,
    ),
    "foreign versions listed": (
        as_json({"jsonrpc": "2.0", "id": 1, "result": {"supportedVersions": ["2031-01-01"], "capabilities": {}}}),
        "ProtocolVersion",
        "2031-01-01",
        True,
    ),
}


@pytest.mark.parametrize(("reply", "code", "words", "terminal"), REPORTED.values(), ids=REPORTED)
@pytest.mark.parametrize("era", ["auto", "modern"])
def test_what_a_fallback_would_hide_is_reported(reply: Reply, code: str, words: str, terminal: bool, era: str) -> None:
    wire = Played(refusing(reply))
    with pytest.raises(Unanswered) as caught, conversation.open_conversation(wire, era=era):
        raise AssertionError("it was taken for an older server")
    assert (caught.value.code, caught.value.terminal) == (code, terminal)
    assert words in caught.value.reason and "s3cret" not in caught.value.reason
    assert set(wire.methods) == {"server/discover"}


def test_silence_at_discovery_is_not_taken_for_an_older_server() -> None:
    wire = Played(lambda asked: played.silent(asked) if asked.modern else played.speaks_legacy(asked))
    with pytest.raises(Unanswered) as caught, conversation.open_conversation(wire):
        raise AssertionError("answered")
    assert caught.value.code == "Timeout" and wire.methods == ["server/discover"]


def test_nothing_there_is_said_by_the_handshake_that_every_server_had() -> None:
    with (
        pytest.raises(Unanswered) as caught,
        conversation.open_conversation(Played(lambda _asked: text(404, "Not Found"))),
    ):
        raise AssertionError("answered")
    assert caught.value.code == "PathNotFound"


def test_an_asked_for_era_is_the_only_one_that_passes() -> None:
    for server, era in ((python_1, "modern"), (go_default, "modern"), (typescript_reject, "legacy")):
        with pytest.raises(Unanswered) as caught, conversation.open_conversation(Played(server), era=era):
            raise AssertionError("answered")
        assert caught.value.code == "EraMismatch" and caught.value.terminal
        assert f"era: {era} was asked for" in caught.value.reason
    for server, era in ((dual, "legacy"), (dual, "modern"), (everything, "legacy")):
        with conversation.open_conversation(Played(server), era=era) as found:
            assert found.speaker.era == era


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_who_asks_for_an_era_learns_of_other_faults_as_usual(era: str) -> None:
    with (
        pytest.raises(Unanswered) as caught,
        conversation.open_conversation(Played(lambda _a: text(404, "gone")), era=era),
    ):
        raise AssertionError("answered")
    assert caught.value.code == "PathNotFound"


def test_whether_a_modern_server_takes_older_clients_too() -> None:
    wire = Played(dual)
    assert conversation.also_legacy(wire) == ("2025-11-25", None)
    assert wire.asked[-1].http == "DELETE"
    version, refused = conversation.also_legacy(Played(typescript_reject))
    assert version == "" and refused is not None and refused.code == "ProtocolVersion"
