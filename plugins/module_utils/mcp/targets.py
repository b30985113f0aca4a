# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a probe is asked for: which server, over which way, which call, which answer. Checked before any request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.scalars import kind_of, text_of_scalar, texts_of_mapping
from ansible_collections.mcpops.platform.plugins.module_utils.timeouts import wait_timeout_problems

DEFAULT_PORT = 3000
DEFAULT_PATH = "/mcp"
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# what the protocol itself needs, and what HTTP does
_OWN_HEADERS = frozenset(
    (
        *("accept", "content-type", "content-length", "mcp-session-id", "mcp-protocol-version"),
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)
# what the API server takes for itself instead of passing it on to the Service
_API_HEADERS = re.compile(r"authorization|host|impersonate-.*|x-remote-.*", re.I)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
FIELDS = ("name", "namespace", "port", "path", "url", "headers", "tool", "arguments", "expect", "expect_regex")


@dataclass(frozen=True)
class Target:
    """One server and what it is asked."""

    name: str
    namespace: str
    port: int
    path: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    expect: str = ""
    expect_regex: str = ""

    @property
    def label(self) -> str:
        if self.url:
            # a query may hold a key
            return f"MCP server {self.name or self.url.partition('?')[0]}"
        return f"MCP server {self.namespace}/{self.name}"

    @property
    def proxy_path(self) -> str:
        """Where the API server passes requests on to the Service."""
        return f"/api/v1/namespaces/{self.namespace}/services/{self.name}:{self.port}/proxy{self.path}"

    def nothing_there(self) -> str:
        """What to do when the server has nothing at the path that was asked."""
        asked, option = (urlsplit(self.url).path or "/", "url") if self.url else (self.path, "path")
        usual = "" if asked == DEFAULT_PATH else f" Most servers answer at {DEFAULT_PATH}."
        return f"It was asked at {asked}: check the option {option}.{usual}"

    def unexpected(self, answer: str) -> str:
        """What is missing in the answer, or nothing."""
        if self.expect and self.expect not in answer:
            return f"does not contain {self.expect!r}"
        if self.expect_regex and not re.search(self.expect_regex, answer):
            return f"does not match the pattern {self.expect_regex!r}"
        return ""


def targets_from(params: Mapping[str, Any]) -> list[Target]:
    """All targets of a task; every problem of every one is named at once."""
    top = {key: params.get(key) for key in FIELDS}
    entries = params.get("servers")
    problems: list[Problem] = []
    if entries is None:
        rows = [("", top)]
        problems += _unused_with_url("", top)
    else:
        problems += [
            Problem(key, "goes with one server; with servers, give it in the entry")
            for key in ("name", "url", "tool", "arguments", "expect", "expect_regex")
            if top[key]
        ]
        shared = {key: top[key] for key in ("namespace", "port", "path", "headers")}
        rows = [(f"servers[{index}]", {**shared, **_given(entry)}) for index, entry in enumerate(entries)]
        for index, entry in enumerate(entries):
            problems += _unused_with_url(f"servers[{index}]", entry)
    problems += wait_timeout_problems(params.get("wait_timeout"), zero=True)
    targets = []
    for where, row in rows:
        problems += _problems(where, row)
        targets.append(row)
    if problems:
        raise InvalidInput("mcp_probe", problems)
    return [_target(row) for row in targets]


def _at(where: str, key: str, message: str) -> Problem:
    return Problem(f"{where}.{key}" if where else key, message)


def _unused_with_url(where: str, row: Mapping[str, Any]) -> Iterator[Problem]:
    """A default for many servers may go unused; what is said of this very one may not."""
    for key in ("port", "path"):
        if row.get("url") and row.get(key) is not None:
            yield _at(where, key, "is part of the url: write it there")


def _given(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


def _target(row: Mapping[str, Any]) -> Target:
    return Target(
        name=row.get("name") or "",
        namespace=row.get("namespace") or "",
        port=row.get("port") or DEFAULT_PORT,
        path=row.get("path") or DEFAULT_PATH,
        url=row.get("url") or "",
        headers=texts_of_mapping(row.get("headers") or {}),
        tool=row.get("tool") or "",
        arguments=row.get("arguments") or {},
        expect=text_of_scalar(row.get("expect")) or "",
        expect_regex=row.get("expect_regex") or "",
    )


def _problems(where: str, row: Mapping[str, Any]) -> list[Problem]:
    def at(key: str, message: str) -> Problem:
        return _at(where, key, message)

    found = []
    url, name, namespace = row.get("url") or "", row.get("name") or "", row.get("namespace") or ""
    if url:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            found.append(at("url", f"{url!r} is no http or https address, for example https://mcp.example.com/mcp"))
        elif parts.username or parts.password:
            found.append(at("url", "carries credentials: give them with headers, which are not shown"))
    else:
        if not name:
            found.append(at("name", "is missing: give name and namespace of the server, or its url"))
        elif not _NAME.fullmatch(name) or len(name) > 63:
            found.append(at("name", f"{name!r} is no Service name (lower case letters, digits and -, up to 63)"))
        if not namespace:
            found.append(at("namespace", "is missing: the namespace of the server"))
        elif not _NAMESPACE.fullmatch(namespace) or len(namespace) > 63:
            found.append(at("namespace", f"{namespace!r} is no namespace name"))
    port = row.get("port")
    if port is not None and not 1 <= port <= 65535:
        found.append(at("port", f"{port} is no port (1 to 65535)"))
    path = row.get("path")
    if path and (not path.startswith("/") or not path.isprintable() or " " in path):
        found.append(at("path", f"{path!r} is no URL path: it starts with / and has no blanks"))
    for header, value in (row.get("headers") or {}).items():
        wrong = _header_problem(str(header), value, in_cluster=not url)
        if wrong:
            found.append(at(f"headers.{header}", wrong))
    for key in ("arguments", "expect", "expect_regex"):
        if row.get(key) and not row.get("tool"):
            found.append(at(key, "needs a tool to call"))
    if isinstance(row.get("expect"), (list, dict)):
        found.append(at("expect", f"is {kind_of(row['expect'])}, not a text"))
    if row.get("expect_regex"):
        try:
            re.compile(row["expect_regex"])
        except re.error as exc:
            found.append(at("expect_regex", f"is no regular expression: {exc}"))
    return found


def _header_problem(name: str, value: Any, *, in_cluster: bool) -> str:
    """What is wrong with a header, without its value: that is often a secret."""
    if not _HEADER_NAME.fullmatch(name):
        return "is no name of a header"
    if name.lower() in _OWN_HEADERS:
        return "is set by the probe itself, as the protocol demands"
    if in_cluster and _API_HEADERS.fullmatch(name):
        return (
            "does not reach a server in the cluster: the API server takes it for itself. Ask this server by its url "
            "(an Ingress, or a port-forward), or have it take its secret in another header"
        )
    if value is None or str(value) == "":
        return "is empty"
    if isinstance(value, (list, dict)):
        return f"is {kind_of(value)}, not a text"
    if not str(value).isascii() or not str(value).isprintable() or str(value) != str(value).strip():
        return "holds a line end, a blank at an end or a character that is not ASCII: is it read from a file with one?"
    return ""
