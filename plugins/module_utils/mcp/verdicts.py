# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why an MCP server did not answer, classified from what came instead. Tables, no input or output."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason

SHOWN = 200


class Unanswered(Exception):
    """No usable answer. `terminal` means that waiting does not help."""

    def __init__(self, code: str, message: str, hint: str = "", *, terminal: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.reason = message
        self.hint = hint
        self.terminal = terminal

    def about(self, subject: str) -> Reason:
        return Reason(subject, self.code, self.reason, self.hint, self.terminal)


_LOGIN = (
    "Give the header it expects with the option headers. Authorization (a bearer token) does not pass the API server's "
    "proxy: a server that wants it is asked by its url."
)
# status → (code, what it means, what to do, does waiting not help?)
_STATUS: dict[int, tuple[str, str, str, bool]] = {
    301: ("redirect", "it redirects elsewhere", "Use the path it redirects to.", True),
    302: ("redirect", "it redirects elsewhere", "Often a login: the endpoint is behind an authenticating proxy.", True),
    307: ("redirect", "it redirects elsewhere", "Use the path it redirects to; a last slash matters.", True),
    308: ("redirect", "it redirects elsewhere", "Use the path it redirects to.", True),
    400: ("bad_request", "it refused the request", "", True),
    401: ("unauthorized", "it wants authentication", _LOGIN, True),
    403: ("forbidden", "it forbids the request", _LOGIN, True),
    404: ("path_not_found", "it has nothing at this path", "Most servers answer at /mcp: check the option path.", True),
    405: (
        "method_not_allowed",
        "it takes no POST at this path",
        "The path may be that of the older HTTP+SSE transport (/sse): use its streamable HTTP path, most often /mcp.",
        True,
    ),
    406: (
        "not_acceptable",
        "it does not accept that both JSON and event streams are understood",
        "A proxy in front of it may drop the Accept header.",
        True,
    ),
    415: (
        "unsupported_media_type",
        "it does not take application/json",
        "A proxy in front of it may change the Content-Type header, or this is not the MCP endpoint.",
        True,
    ),
    421: (
        "misdirected",
        "it does not serve this host name",
        "It is bound to localhost, where the SDK accepts localhost names only: "
        "let it listen on 0.0.0.0, or allow the host in its transport security settings.",
        True,
    ),
    422: ("bad_request", "it refused the request", "", True),
    429: ("busy", "it asks to slow down", "", False),
    502: ("bad_gateway", "a gateway in front of it got no answer", "", False),
    503: ("unavailable", "it is not available", "", False),
    504: ("bad_gateway", "a gateway in front of it waited in vain", "", False),
}

# What the API server's proxy says in a Status object when the server itself was not reached.
_PROXY: tuple[tuple[str, str, str, str, bool], ...] = (
    (
        r"^Unauthorized$",
        "api_unauthorized",
        "the API server does not accept the credentials, so that nobody asked the MCP server",
        "They are missing, expired or of another cluster: fetch the kubeconfig again with aks_kubeconfig.",
        True,
    ),
    (
        r"no endpoints available for service",
        "no_endpoints",
        "its Service has no ready pods",
        "Look at its pods: kubectl describe pods shows why none is ready.",
        False,
    ),
    (
        r"no service port .* found",
        "no_such_port",
        "its Service has no such port",
        "Use the port of the MCPServer (spec.deployment.port).",
        True,
    ),
    (
        r"connection refused",
        "connection_refused",
        "its pod runs, but nothing listens on the port",
        "The server must listen on 0.0.0.0 and on the port of the MCPServer: compare its own port setting "
        "(an argument or environment variable) with spec.deployment.port.",
        False,
    ),
    (
        r"no route to host|network is unreachable|i/o timeout|deadline exceeded",
        "unreachable",
        "its pod cannot be reached from the API server",
        "A network policy or the cluster's network may be in the way.",
        False,
    ),
    (r"EOF|connection reset|malformed HTTP", "not_http", "it closed the connection or speaks no HTTP", "", False),
    (
        r'services "[^"]*" not found',
        "no_service",
        "it has no Service",
        "Check name and namespace; KMCP makes the Service from the MCPServer, and mcp_server restores it.",
        False,
    ),
    (
        r'namespaces "[^"]*" not found',
        "no_service",
        "its namespace does not exist",
        "Check name and namespace.",
        False,
    ),
    (
        r"cannot (create|get|update|delete) resource \"services/proxy\"",
        "proxy_forbidden",
        "you may not use the API server's proxy to services",
        'Allow the verbs create and delete on "services/proxy" in this namespace, or probe its url.',
        True,
    ),
)


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Unanswered:
    """The verdict on an answer that is not a success."""
    from_proxy = _proxy_verdict(body)
    if from_proxy is not None:
        return from_proxy
    code, meaning, hint, terminal = _STATUS.get(
        status,
        ("server_error", "it failed", "Its own log says more.", False)
        if status >= 500
        else ("bad_request", "it refused the request", "", True),
    )
    said = _said(body)
    where = f" to {headers['location']}" if code == "redirect" and headers.get("location") else ""
    return Unanswered(code, f"{meaning}{where} (HTTP {status}){f': {said}' if said else ''}", hint, terminal=terminal)


def forgets_session(refused: Unanswered) -> bool:
    """The answer to a session that a server does not know: 404, of older servers 400."""
    return refused.code == "path_not_found" or (refused.code == "bad_request" and "session" in refused.reason.lower())


def session_lost(refused: Unanswered) -> Unanswered:
    return Unanswered(
        "session_lost",
        # the answer itself, without what it means where no session is in play
        f"it does not know the session that it began a moment ago {refused.reason[refused.reason.find('(HTTP') :]}",
        "Pods behind one Service share no sessions: run one replica, or a server that keeps none (stateless). With one "
        "replica it was restarted in between.",
        terminal=True,
    )


def shortened(text: Any) -> str:
    """The beginning of foreign text, on one line and without control characters."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in plain[: SHOWN * 4]).split())
    return words if len(words) <= SHOWN else words[: SHOWN - 1] + "…"


def _proxy_verdict(body: bytes) -> Unanswered | None:
    message = _kubernetes_status(body)
    if message is None:
        return None
    for pattern, code, meaning, hint, terminal in _PROXY:
        if re.search(pattern, message, re.I):
            return Unanswered(code, f"{meaning}: {shortened(message)}", hint, terminal=terminal)
    return Unanswered("proxy_error", f"the API server could not reach it: {shortened(message)}")


def _kubernetes_status(body: bytes) -> str | None:
    try:
        parsed = json.loads(body)
    except ValueError:
        # older API servers answer the proxy's own failures as plain text
        text = body.decode("utf-8", "replace")
        return text if text.startswith("error trying to reach service") else None
    if isinstance(parsed, dict) and parsed.get("kind") == "Status" and parsed.get("apiVersion") == "v1":
        return str(parsed.get("message", ""))
    return None


def _said(body: bytes) -> str:
    """What the server itself wrote: the message of a JSON-RPC error, or the beginning of the text."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return "" if body.lstrip()[:1] == b"<" else shortened(body)
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return shortened(error["message"]) if isinstance(error, dict) and "message" in error else shortened(body)
