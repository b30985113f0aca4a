# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a probe is asked for: which server, by which way, in which era, which call; checked before any request."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import SplitResult, unquote, unquote_plus, urlsplit

from ..errors import Check, Problem, Reason, Rule, check, refuse
from ..kube.kubeconfig import CONNECTION
from ..names import DEFAULT_PATH, DEFAULT_PORT, SERVICE, namespace_problems, path_problem, wrong_name
from ..text import kind_of, texts_of_mapping
from ..waiting import wait_timeout_problems
from . import conversation, expectations, http_client
from .expectations import Expectation

Row = Mapping[str, Any]

# what the protocol itself needs, and what HTTP does
_OWN_HEADERS = re.compile(
    r"accept|content-type|content-length|mcp-session-id|mcp-protocol-version|mcp-method|mcp-name|mcp-param-.*"
    r"|last-event-id|traceparent|connection|keep-alive|te|trailer|transfer-encoding|upgrade",
    re.I,
)
# what the API server takes for itself instead of passing it on to the Service
_API_HEADERS = re.compile(r"authorization|host|impersonate-.*|x-remote-.*", re.I)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TRACE = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
# options that an entry of `servers` has; those that it takes over when it does not say them itself
SHARED = ("namespace", "port", "path", "headers", "via", "era", "each_replica")
PROXY, PORT_FORWARD = "proxy", "port_forward"
WAYS = (PROXY, PORT_FORWARD)
OF_ONE = ("name", "url", "tool", *expectations.OF_A_CALL, "expect_tools")
FIELDS = (*SHARED, *OF_ONE)

_IN_URL = "is part of the url: write it there"

# agentgateway 0.9 tells nobody that the program has ended (mcp/upstream/stdio.rs)
_SILENT_PROGRAM = (
    "A stdio server keeps silent, too, when its program has ended, or prints something else than messages on its "
    "standard output: its log shows that."
)


@dataclass(frozen=True)
class Target:
    """One server and what it is asked."""

    name: str
    namespace: str
    port: int
    path: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    via: str = PROXY
    era: str = conversation.AUTO
    each_replica: bool = True
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    expected: Expectation = field(default_factory=Expectation)
    expected_tools: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        if self.url:
            return f"MCP server {self.name or self.shown_url}"
        return f"MCP server {self.namespace}/{self.name}"

    @property
    def shown_url(self) -> str:
        """Query and fragment may hold a key."""
        return self.url.partition("?")[0].partition("#")[0]

    def proxied(self, path: str) -> str:
        """Where the API server passes requests on to a path of the Service."""
        return f"/api/v1/namespaces/{self.namespace}/services/{self.name}:{self.port}/proxy{path}"

    @property
    def base(self) -> str:
        """The address by which clients in the cluster know it."""
        return f"http://{self.host}{self.path}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown: headers and the query, and each part of them that is of use by itself."""
        found = [part for name, value in self.headers.items() for part in _parts_of_header(name, str(value))]
        return tuple(dict.fromkeys((*found, *_parts_of_query(urlsplit(self.url or self.path).query))))

    def advised(self, reason: Reason) -> Reason:
        """A reason with the advice that fits the way this server was asked."""
        if reason.code == "PathNotFound":
            return replace(reason, hint=self.nothing_there())
        if reason.code in ("Unauthorized", "Forbidden"):
            return replace(reason, hint=self.login_hint())
        if reason.code == "Timeout" and not self.url:
            return replace(reason, hint=f"{reason.hint} {_SILENT_PROGRAM}".strip())
        return reason

    @property
    def host(self) -> str:
        """The name by which clients in the cluster know it."""
        return f"{self.name}.{self.namespace}:{self.port}"

    def nothing_there(self) -> str:
        """What to do when the server has nothing at the path that was asked."""
        asked, option = (urlsplit(self.url).path or "/", "url") if self.url else (self.path.partition("?")[0], "path")
        usual = "" if asked == DEFAULT_PATH else f" Most servers answer at {DEFAULT_PATH}."
        return f"It was asked at {asked}: check the option {option}.{usual}"

    def login_hint(self) -> str:
        """What to do when the server wants another login than it was given."""
        names = sorted(self.headers, key=str.lower)
        if any(name.lower() == "authorization" for name in names):
            return (
                "It does not accept the Authorization that was sent: the token may be expired, or for another audience "
                "or scope. Get one for this server."
            )
        sent = f"It does not accept what was sent ({', '.join(names)}). " if names else ""
        return f"{sent}Give what it expects with the option headers, for example Authorization."


def _parts_of_header(name: str, value: str) -> Iterator[str]:
    """The value, the token behind a scheme, the login that Basic encodes, and each value of a cookie."""
    yield value
    scheme, _blank, token = value.partition(" ")
    yield token.strip()
    if scheme.lower() == "basic":
        login = _decoded(token.strip())
        yield from (login, login.partition(":")[2])
    if name.lower() == "cookie":
        for pair in value.split(";"):
            cookie = pair.partition("=")[2].strip()
            yield from (cookie, cookie.strip('"'), unquote(cookie.strip('"')))


def _parts_of_query(query: str) -> Iterator[str]:
    yield query
    for pair in query.split("&"):
        name, sign, value = pair.partition("=")
        stated = value if sign else name
        yield from (stated, unquote(stated), unquote_plus(stated))


def _decoded(token: str) -> str:
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4)).decode("utf-8", "replace")
    except (ValueError, binascii.Error):
        return ""


def targets_from(params: Mapping[str, Any]) -> list[Target]:
    """All targets of a task; every problem of every one is named at once."""
    refuse("mcp_probe", problems(params))
    return [_target(row) for _where, row, _own in _rows(params)]


def problems(params: Row) -> list[Problem]:
    """What is wrong with the options of mcp_probe."""
    return check(_TASK, params)


def _rows(params: Row) -> Iterator[tuple[str, Row, Row]]:
    """Where each target stands among the options, what it is with what all share, and what is said of it alone."""
    entries = params.get("servers")
    if entries is None:
        own = {key: params.get(key) for key in FIELDS}
        yield "", own, own
    shared = {key: params.get(key) for key in SHARED}
    for index, entry in enumerate(entries or ()):
        yield (
            f"servers[{index}]",
            {**shared, **{key: value for key, value in entry.items() if value is not None}},
            entry,
        )


def _with_servers(params: Row) -> Iterator[Problem]:
    for key in OF_ONE if params.get("servers") is not None else ():
        if params.get(key):
            yield Problem(key, "goes with one server; with servers, give it in the entry")


def _unused(params: Row) -> Iterator[Problem]:
    """A default for many servers may go unused; what is said of this very one may not."""
    for where, _row, own in _rows(params):
        yield from _at(where, check(_BESIDE_URL, own))


def _of_rows(params: Row) -> Iterator[Problem]:
    for where, row, _own in _rows(params):
        yield from _at(where, check(_RULES, row))


def _connection(params: Row) -> Iterator[Problem]:
    """Of the cluster, where a target is in it."""
    if any(not row.get("url") for _where, row, _own in _rows(params)):
        yield from check(CONNECTION, params)


def _at(where: str, found: Iterable[Problem]) -> Iterator[Problem]:
    for problem in found:
        yield replace(problem, path=f"{where}.{problem.path}") if where else problem


def _target(row: Mapping[str, Any]) -> Target:
    return Target(
        name=row.get("name") or "",
        namespace=row.get("namespace") or "",
        port=row.get("port") or DEFAULT_PORT,
        path=row.get("path") or DEFAULT_PATH,
        url=row.get("url") or "",
        headers=texts_of_mapping(row.get("headers") or {}),
        via=_way(row),
        era=row.get("era") or conversation.AUTO,
        each_replica=row.get("each_replica") is not False and not row.get("url"),
        tool=row.get("tool") or "",
        arguments=row.get("arguments") or {},
        expected=expectations.parse_expectation(row),
        expected_tools=tuple(row.get("expect_tools") or ()),
    )


def _way(row: Mapping[str, Any]) -> str:
    """Through the API server's proxy, unless it would keep one of the headers for itself."""
    kept = any(_API_HEADERS.fullmatch(str(name)) for name in row.get("headers") or {})
    return str(row.get("via") or (PORT_FORWARD if kept else PROXY))


def _place(row: Row) -> Iterator[Problem]:
    url = row.get("url") or ""
    yield from _url_problems(url) if url else _service_problems(row)


def _path(row: Row) -> Iterator[Problem]:
    path = row.get("path")
    wrong = path_problem(path) if path else ""
    if wrong:
        yield Problem("path", wrong)
    elif path and http_client.is_ambiguous_path(path):
        shown = path.partition("?")[0]
        yield Problem("path", f"{shown!r} may lead elsewhere: no dot segments (/../), no backslash, no // first")


def _headers(row: Row) -> Iterator[Problem]:
    seen: set[str] = set()
    for header, value in (row.get("headers") or {}).items():
        wrong = _header_problem(str(header), value, proxied=not row.get("url") and _way(row) == PROXY)
        if not wrong and str(header).lower() in seen:
            wrong = "is given twice: names of headers do not differ by case"
        if wrong:
            yield Problem(f"headers.{header}", wrong)
        seen.add(str(header).lower())


def _url_problems(url: str) -> Iterator[Problem]:
    try:
        parts: SplitResult | None = urlsplit(url)
        port = parts.port if parts else None
    except ValueError:
        parts, port = None, None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        shown = url.partition("?")[0].rpartition("@")[2]
        yield Problem("url", f"{shown!r} is not an http or https address, for example https://mcp.example.com/mcp")
    elif parts.username or parts.password:
        yield Problem("url", "carries credentials: give them with headers, which are not shown")
    elif not url.isprintable() or " " in url:
        yield Problem("url", "holds a blank or a line end: is it read from a file with one?")
    elif not _is_host(parts.hostname):
        yield Problem("url", f"{parts.hostname} is not a host name: its parts between dots have 1 to 63 characters")


def _is_host(name: str) -> bool:
    """What a resolver takes; addresses of IPv6 are judged by urlsplit."""
    bare = name[:-1] if name.endswith(".") else name
    return ":" in name or (len(bare) <= 253 and all(1 <= len(part) <= 63 for part in bare.split(".")))


def _service_problems(row: Mapping[str, Any]) -> Iterator[Problem]:
    name, namespace = row.get("name") or "", row.get("namespace") or ""
    if not name:
        yield Problem("name", "is missing: give name and namespace of the server, or its url")
    elif wrong := wrong_name(name, "Service name", SERVICE):
        yield Problem("name", wrong)
    if not namespace:
        yield Problem("namespace", "is missing: the namespace of the server")
    else:
        yield from namespace_problems("namespace", namespace)


def _header_problem(name: str, value: Any, *, proxied: bool) -> str:
    """What is wrong with a header, without its value: that is often a secret."""
    if not _HEADER_NAME.fullmatch(name):
        return "is not the name of a header"
    if _OWN_HEADERS.fullmatch(name):
        return "is set by the probe itself, as the protocol demands"
    if proxied and _API_HEADERS.fullmatch(name):
        return (
            "does not pass the API server's proxy, which takes it for itself: leave via out, or set it to "
            "port_forward, or ask this server by its url"
        )
    if value is None or str(value) == "":
        return "is empty"
    if isinstance(value, (list, dict)):
        return f"is {kind_of(value)}, not a text"
    if not str(value).isascii() or not str(value).isprintable() or str(value) != str(value).strip():
        return "holds a line end, a blank at an end or a character that is not ASCII: is it read from a file with one?"
    return ""


# what is said of one server, and means nothing beside a url of it
_BESIDE_URL: tuple[Check, ...] = (
    Check("port", lambda row: row.get("url") and row.get("port") is not None, _IN_URL),
    Check("path", lambda row: row.get("url") and row.get("path") is not None, _IN_URL),
    Check(
        "via",
        lambda row: row.get("url") and row.get("via"),
        "is the way to servers in the cluster: a url is asked directly",
    ),
    Check(
        "each_replica",
        lambda row: row.get("url") and row.get("each_replica"),
        "is for servers in the cluster: the replicas behind a url are not visible",
    ),
)
_RULES: tuple[Rule[Row], ...] = (
    _place,
    Check(
        "port",
        lambda row: row.get("port") is not None and not 1 <= row["port"] <= 65535,
        "{port} is not a port (1 to 65535)",
    ),
    _path,
    Check(
        "via",
        lambda row: row.get("via") and row["via"] not in WAYS,
        f"{{via!r}} is not a way to a server in the cluster: {', '.join(WAYS)}",
    ),
    Check(
        "era",
        lambda row: row.get("era") and row["era"] not in conversation.ERAS,
        f"{{era!r}} is not an era of MCP: {', '.join(conversation.ERAS)}",
    ),
    _headers,
    expectations.expectation_problems,
)
_TASK: tuple[Rule[Row], ...] = (
    _connection,
    _with_servers,
    _unused,
    lambda params: wait_timeout_problems(params.get("wait_timeout"), zero=True),
    lambda params: wait_timeout_problems(params.get("timeout"), option="timeout"),
    Check(
        "traceparent",
        lambda params: params.get("traceparent") and not _TRACE.fullmatch(params["traceparent"]),
        "is not a W3C trace parent: 00-<32 hex digits>-<16 hex digits>-<2 hex digits>",
    ),
    _of_rows,
)
