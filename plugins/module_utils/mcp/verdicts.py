# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why an MCP server did not answer, classified from the response it gave."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .. import masking
from ..errors import Reason

_Network = Literal["UnknownHost", "ConnectionRefused", "Unreachable", "Tls", "NotHttp", "Timeout", "CutOff", "NoAnswer"]
_Cluster = Literal["NoService", "NoEndpoints", "NoSuchPort", "ProxyForbidden", "ProxyError", "ClusterPending"]
_Login = Literal["Unauthorized", "Forbidden", "ProxyUnauthorized", "ApiUnauthorized"]
_Request = Literal["Redirect", "PathNotFound", "Misdirected", "MethodNotAllowed", "RequestTooLarge", "BadRequest"]
_MediaType = Literal["NotAcceptable", "UnsupportedMediaType"]
_Failing = Literal["Busy", "Unavailable", "BadGateway", "ServerError", "ProgramNotStarted"]
_Unusable = Literal["NotMcp", "ForeignAddress", "Oversize", "EndlessList", "EndlessRequests", "ResultType"]
_Protocol = Literal["ProtocolVersion", "EraMismatch", "HeaderMismatch", "MethodNotFound", "InvalidParams", "RpcError"]
_Replicas = Literal["SessionLost", "ReplicaUnanswered", "ReplicasDiffer"]
_Tool = Literal["ToolMissing", "ToolError", "NeedsInput", "UnexpectedAnswer"]
Code = Literal[_Network, _Cluster, _Login, _Request, _MediaType, _Failing, _Unusable, _Protocol, _Replicas, _Tool]
"""Why there is no usable answer. docs/mcp.md says what each means."""

Row = tuple[Code, str, str, bool]
"""A code, what it means, what to do, and whether waiting does not help."""

_PAST_INTEGERS = 2**53
"""JSON has numbers of any length, and no reader of JSON keeps all of them exactly (RFC 8259, section 6)."""


@dataclass(frozen=True)
class RpcError:
    """The error of a JSON-RPC answer; `code` is None where a server left it out."""

    code: int | None
    message: str
    data: Any = None

    @classmethod
    def of(cls, error: Any) -> RpcError:
        if not isinstance(error, Mapping):
            return cls(None, shortened(error))
        code = error.get("code")
        known = code if isinstance(code, int) and not isinstance(code, bool) and abs(code) < _PAST_INTEGERS else None
        return cls(known, shortened(error.get("message") or ""), error.get("data"))

    @property
    def supported(self) -> tuple[str, ...]:
        """The versions that an UnsupportedProtocolVersion error names."""
        named = self.data.get("supported") if isinstance(self.data, Mapping) else None
        return tuple(map(str, named)) if isinstance(named, list) else ()

    def __str__(self) -> str:
        return f"{self.message or 'no message'} ({'no code' if self.code is None else self.code})"


class Unanswered(Exception):
    """No usable answer. `terminal` means that waiting does not help.

    `status` is the HTTP status of the server's own answer, None where none came; `rpc` its JSON-RPC error.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        hint: str = "",
        *,
        terminal: bool = False,
        status: int | None = None,
        rpc: RpcError | None = None,
    ) -> None:
        super().__init__(message)
        self.code: Code = code
        self.reason = message
        self.hint = hint
        self.terminal = terminal
        self.status = status
        self.rpc = rpc

    def about(self, subject: str) -> Reason:
        return Reason(subject, self.code, self.reason, self.hint, self.terminal)


_LOGIN = "Give the header it expects with the option headers."
_NEEDS_INPUT = (
    "It answers only clients that can ask a person or a model: call another tool, or give all it asks for as arguments."
)
# By JSON-RPC code: those that MCP 2026-07-28 assigns (basic/index, "Error codes"), and two of JSON-RPC itself. Servers
# use all others as they like.
_RPC: dict[int, Row] = {
    -32020: (
        "HeaderMismatch",
        "it reports that the headers of the request do not match its body",
        "The probe sends them alike: a proxy in front of the server drops or rewrites Mcp-Method, Mcp-Name or "
        "MCP-Protocol-Version. Have it pass them on.",
        True,
    ),
    -32021: (
        "NeedsInput",
        "it needs a capability of its client that a probe does not have",
        _NEEDS_INPUT,
        True,
    ),
    -32022: (
        "ProtocolVersion",
        "it does not speak the protocol version that was asked for",
        "Use a server or a release of this collection that shares a version.",
        True,
    ),
    -32601: ("MethodNotFound", "it does not have the method", "", True),
    -32602: ("InvalidParams", "it refused the parameters", "Check the name and the arguments of the call.", True),
}
# by HTTP status
_STATUS: dict[int, Row] = {
    301: ("Redirect", "it redirects elsewhere", "Use the path it redirects to.", True),
    302: ("Redirect", "it redirects elsewhere", "Often a login: the endpoint is behind an authenticating proxy.", True),
    307: ("Redirect", "it redirects elsewhere", "Use the path it redirects to; a last slash matters.", True),
    308: ("Redirect", "it redirects elsewhere", "Use the path it redirects to.", True),
    400: ("BadRequest", "it refused the request", "", True),
    401: ("Unauthorized", "it wants authentication", _LOGIN, True),
    403: ("Forbidden", "it forbids the request", _LOGIN, True),
    404: ("PathNotFound", "it has nothing at this path", "Most servers answer at /mcp: check the option path.", True),
    407: (
        "ProxyUnauthorized",
        "the proxy on the way wants a login",
        "Give it in the variable that names the proxy: http://NAME:PASSWORD@HOST:PORT.",
        True,
    ),
    408: ("Timeout", "it gave up waiting for the request", "", False),
    405: (
        "MethodNotAllowed",
        "it takes no POST at this path",
        "Check the path: most servers answer at /mcp, those of the first HTTP transport at /sse.",
        True,
    ),
    406: (
        "NotAcceptable",
        "it does not accept that both JSON and event streams are understood",
        "A proxy in front of it may drop the Accept header.",
        True,
    ),
    413: ("RequestTooLarge", "the request is larger than it takes", "Make the arguments of the call smaller.", True),
    415: (
        "UnsupportedMediaType",
        "it does not take application/json",
        "A proxy in front of it may change the Content-Type header, or this is not the MCP endpoint.",
        True,
    ),
    421: (
        "Misdirected",
        "it does not serve this host name",
        "Its protection against DNS rebinding accepts localhost only. Let it listen on 0.0.0.0 (Python SDK: host), "
        "name the host in its transport security (Python SDK: TransportSecuritySettings, allowed_hosts), or set "
        "http_host_origin_protection (FastMCP).",
        True,
    ),
    422: ("BadRequest", "it refused the request", "", True),
    429: ("Busy", "it asks to slow down", "", False),
    502: ("BadGateway", "a gateway in front of it got no answer", "", False),
    503: ("Unavailable", "it is not available", "", False),
    504: ("BadGateway", "a gateway in front of it timed out", "", False),
}

# A 4xx whose JSON-RPC error says more than its status (streamable HTTP 2026-07-28, "Error handling").
_JUDGED_BY_BODY = frozenset((400, 404, 405, 422))

_USER_INFO = re.compile(r"^((?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]{2,})[^/\\]*@")

# What agentgateway, KMCP's adapter for stdio servers, says when it cannot start the program behind it (its
# mcp/streamablehttp.rs and mcp/upstream/mod.rs, 0.9).
_NOT_STARTED = re.compile(r"fail to create relay: failed to run command '\"(.*)\"'")

# What the API server's proxy says in a Status object when the server itself was not reached.
_PROXY: tuple[tuple[str, Code, str, str, bool], ...] = (
    (
        r"^Unauthorized$",
        "ApiUnauthorized",
        "the API server does not accept the credentials, so the MCP server was not asked",
        "They are missing, expired or of another cluster: fetch the kubeconfig again with aks_kubeconfig.",
        True,
    ),
    (
        r"no endpoints available for service",
        "NoEndpoints",
        "its Service has no ready pods",
        "Look at its pods: kubectl describe pods shows why none is ready.",
        False,
    ),
    (
        r"no service port .* found",
        "NoSuchPort",
        "its Service has no such port",
        "Use the port of the MCPServer (spec.deployment.port).",
        True,
    ),
    (
        r"connection refused",
        "ConnectionRefused",
        "its pod runs, but nothing listens on the port",
        "The server must listen on 0.0.0.0 and on the port of the MCPServer: compare its own port setting "
        "(an argument or environment variable) with spec.deployment.port.",
        False,
    ),
    (
        r"no route to host|network is unreachable|i/o timeout|deadline exceeded",
        "Unreachable",
        "its pod cannot be reached from the API server",
        "A network policy or the cluster's network may be in the way.",
        False,
    ),
    (r"EOF|connection reset|malformed HTTP", "NotHttp", "it closed the connection or speaks no HTTP", "", False),
    (
        r'services "[^"]*" not found',
        "NoService",
        "it has no Service",
        "Check name and namespace; KMCP makes the Service from the MCPServer, and mcp_server restores it.",
        False,
    ),
    (
        r'pods "[^"]*" not found',
        "NoEndpoints",
        "its pod has gone in the meantime",
        "Look at its pods: kubectl describe pods shows why none is ready.",
        False,
    ),
    (
        r'namespaces "[^"]*" not found',
        "NoService",
        "its namespace does not exist",
        "Check name and namespace.",
        False,
    ),
    (
        r"cannot (create|get|update|delete) resource \"(services/proxy|pods/proxy|pods/portforward)\"",
        "ProxyForbidden",
        "you may not reach servers through the API server",
        'Allow the verbs create and delete on "services/proxy" (and on "pods/proxy", to ask each replica), or get and '
        'create on "pods/portforward" for forwarded ports, in this namespace; or probe its url.',
        True,
    ),
)


def refusal(status: int, headers: Mapping[str, str], body: bytes, *, through_api_server: bool = False) -> Unanswered:
    """The verdict on an answer that is not a success; the API server's own word counts only on a way through it."""
    from_proxy = _proxy_verdict(body) if through_api_server else None
    if from_proxy is not None:
        return from_proxy
    not_started = _NOT_STARTED.search(body.decode("utf-8", "replace")) if status == 500 else None
    if not_started is not None:
        return _program_not_started(shortened(not_started[1]))
    rpc = _rpc_error(body)
    if rpc is not None and rpc.code in _RPC and status in _JUDGED_BY_BODY:
        return rpc_refusal(status, rpc)
    code, meaning, hint, terminal = _STATUS.get(
        status,
        ("ServerError", "it failed", "See its own log.", False)
        if status >= 500
        else ("BadRequest", "it refused the request", "", True),
    )
    stated = _stated(body)
    where = f" to {without_secrets(headers['location'])}" if code == "Redirect" and headers.get("location") else ""
    challenge = _challenge(headers.get("www-authenticate", "")) if status in (401, 403) else ""
    if status == 403 and "host header" in stated.lower():
        # the Go SDK's word for what others answer with 421
        code, meaning, hint, terminal = _STATUS[421]
    details = "; ".join(part for part in (stated, challenge) if part)
    message = f"{meaning}{where} (HTTP {status}){f': {details}' if details else ''}"
    return Unanswered(code, message, hint, terminal=terminal, status=status, rpc=rpc)


def _program_not_started(command: str) -> Unanswered:
    reported = f"cannot start {command!r}" if command else "was given no command"
    return Unanswered(
        "ProgramNotStarted",
        f"the adapter that KMCP puts before stdio servers runs, and {reported}",
        "The command of the MCPServer (command, spec.deployment.cmd) must be a program that is in the server's image "
        "and may be executed; a server that speaks HTTP itself is one of transport http.",
        terminal=True,
        status=500,
    )


def rpc_refusal(status: int, rpc: RpcError) -> Unanswered:
    """The verdict on a JSON-RPC error, whatever the HTTP status was."""
    code, meaning, hint, terminal = _RPC.get(rpc.code or 0, ("RpcError", "it answered with an error", "", True))
    speaks = f", it speaks {masking.listed_names(rpc.supported)}" if rpc.code == -32022 and rpc.supported else ""
    needed = rpc.data.get("requiredCapabilities") if isinstance(rpc.data, Mapping) else None
    if rpc.code == -32021 and isinstance(needed, Mapping):
        speaks = f" ({masking.listed_names(sorted(map(str, needed)))})"
    return Unanswered(code, f"{meaning}{speaks}: {rpc}", hint, terminal=terminal, status=status, rpc=rpc)


def needs_input(what: str, status: int) -> Unanswered:
    """A call that a server ends only when its client has asked somebody."""
    return Unanswered("NeedsInput", what, _NEEDS_INPUT, terminal=True, status=status)


def not_mcp(status: int, content_type: str, body: bytes) -> Unanswered:
    """The verdict on a success that is neither JSON nor an event stream."""
    if status in (202, 204):
        return Unanswered(
            "NotMcp", f"it accepted the request and answered nothing (HTTP {status})", terminal=True, status=status
        )
    hint = "Check port, path and image: this is not an MCP endpoint."
    if content_type == "text/html":
        hint = "That is a web page: the path leads to a site, a login or an ingress, not to the MCP endpoint."
    kind = content_type or "no content type"
    return Unanswered("NotMcp", f"it answered {kind}, not MCP: {shortened(body)}", hint, terminal=True, status=status)


def forgets_session(refused: Unanswered) -> bool:
    """The answer to an unknown session: 404; of older servers and gateways 400 or 422 that name it."""
    code = refused.rpc.code if refused.rpc is not None else None
    if code == -32601:
        return False
    # parameters that are refused may be called session
    named = refused.status in (400, 422) and code != -32602 and "session" in refused.reason.lower()
    return refused.status == 404 or named


def session_lost(refused: Unanswered) -> Unanswered:
    # the answer itself, without what it means where no session is in play
    reported = (
        f": {refused.rpc}" if refused.rpc is not None else refused.reason.partition(f"(HTTP {refused.status})")[2]
    )
    return Unanswered(
        "SessionLost",
        f"it does not know the session that it began a moment ago (HTTP {refused.status}){reported}",
        "Replicas behind one Service do not share sessions: run one replica, use session affinity, or a server that "
        "keeps none (stateless). With one replica it was restarted in between.",
        status=refused.status,
        rpc=refused.rpc,
    )


def shortened(text: Any) -> str:
    """The beginning of foreign text, on one line and without control characters."""
    return masking.one_line(text)


def api_server_refuses_login(body: bytes) -> bool:
    """Whether a 401 is the API server's own, before it passed anything on to the server behind it."""
    return _kubernetes_status(body) == "Unauthorized"


def _proxy_verdict(body: bytes) -> Unanswered | None:
    message = _kubernetes_status(body)
    if message is None:
        return None
    for pattern, code, meaning, hint, terminal in _PROXY:
        if re.search(pattern, message, re.I):
            return Unanswered(code, f"{meaning}: {shortened(message)}", hint, terminal=terminal)
    return Unanswered("ProxyError", f"the API server could not reach it: {shortened(message)}")


def _kubernetes_status(body: bytes) -> str | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        # older API servers answer the proxy's own failures as plain text
        text = body.decode("utf-8", "replace")
        return text if text.startswith("error trying to reach service") else None
    if isinstance(parsed, dict) and parsed.get("kind") == "Status" and parsed.get("apiVersion") == "v1":
        return str(parsed.get("message", ""))
    return None


def _rpc_error(body: bytes) -> RpcError | None:
    """The JSON-RPC error of a body, told from other JSON: that of OAuth has an `error` that is a text."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return RpcError.of(error) if isinstance(error, dict) else None


def _stated(body: bytes) -> str:
    """What the server itself wrote: the message of a JSON-RPC error, or the beginning of the text."""
    rpc = _rpc_error(body)
    if rpc is not None and rpc.message:
        return rpc.message
    return "" if body.lstrip()[:1] == b"<" else shortened(body)


def _challenge(header: str) -> str:
    """What a WWW-Authenticate header asks for."""
    found = dict(re.findall(r'\b(error|error_description|scope|resource_metadata)="([^"]*)"', header))
    return ", ".join(f"{name} {shortened(value)!r}" for name, value in found.items() if value)


def without_secrets(url: str) -> str:
    """Query and fragment may hold a key or a code, and what stands before the host a password."""
    return shortened(_USER_INFO.sub(r"\1", re.split("[?#]", url.strip(), maxsplit=1)[0]))
