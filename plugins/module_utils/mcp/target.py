# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a probe is asked for: which server, over which way, which call, which answer. Checked before any request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem

DEFAULT_PORT = 3000
DEFAULT_PATH = "/mcp"
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
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
            return f"MCP server {self.name or self.url}"
        return f"MCP server {self.namespace}/{self.name}"

    @property
    def proxy_path(self) -> str:
        """Where the API server passes requests on to the Service."""
        return f"/api/v1/namespaces/{self.namespace}/services/{self.name}:{self.port}/proxy{self.path}"

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
    else:
        problems += [
            Problem(key, "goes with one server; with servers, give it in the entry")
            for key in ("name", "url", "tool", "arguments", "expect", "expect_regex")
            if top[key]
        ]
        shared = {key: top[key] for key in ("namespace", "port", "path", "headers")}
        rows = [(f"servers[{index}]", {**shared, **_given(entry)}) for index, entry in enumerate(entries)]
    targets = []
    for where, row in rows:
        problems += _problems(where, row)
        targets.append(row)
    if problems:
        raise InvalidInput("mcp_probe", problems)
    return [_target(row) for row in targets]


def _given(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


def _target(row: Mapping[str, Any]) -> Target:
    return Target(
        name=row.get("name") or "",
        namespace=row.get("namespace") or "",
        port=row.get("port") or DEFAULT_PORT,
        path=row.get("path") or DEFAULT_PATH,
        url=row.get("url") or "",
        headers={str(key): str(value) for key, value in (row.get("headers") or {}).items()},
        tool=row.get("tool") or "",
        arguments=row.get("arguments") or {},
        expect=row.get("expect") or "",
        expect_regex=row.get("expect_regex") or "",
    )


def _problems(where: str, row: Mapping[str, Any]) -> list[Problem]:
    def at(key: str, message: str) -> Problem:
        return Problem(f"{where}.{key}" if where else key, message)

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
    for key in ("arguments", "expect", "expect_regex"):
        if row.get(key) and not row.get("tool"):
            found.append(at(key, "needs a tool to call"))
    if row.get("expect_regex"):
        try:
            re.compile(row["expect_regex"])
        except re.error as exc:
            found.append(at("expect_regex", f"is no regular expression: {exc}"))
    return found
