# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speaking MCP 2026-07-28: no handshake and no session; and which era a server speaks, decided from its answers."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import masking
from . import protocol
from .protocol import Exchange, Speaker, mapping_of
from .verdicts import Unanswered, shortened

ANNOTATION = "x-mcp-header"
PREFIX = "Mcp-Param-"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_SENTINEL = re.compile(r"=\?base64\?.*\?=", re.S)
_TYPES = ("string", "integer", "boolean")
# keywords of JSON Schema 2020-12 whose value is data, not a schema
_DATA = frozenset(("default", "const", "enum", "examples", "required", "dependentRequired"))
_SCHEMAS_BY_NAME = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
DEEPEST = 64

Path = tuple[str, ...]


class InvalidAnnotation(Exception):
    """A tool whose annotations break the rules: a client leaves it out and keeps the others."""


def annotated_arguments(schema: Any) -> dict[Path, str]:
    """Path of each annotated argument → its header, without the prefix."""
    found: dict[Path, str] = {}
    for path, node in _nodes(schema, (), 0):
        if ANNOTATION not in node:
            continue
        name = node[ANNOTATION]
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise InvalidAnnotation(f"{ANNOTATION} {name!r} cannot be part of a header's name")
        if not path:
            raise InvalidAnnotation(f"{ANNOTATION} {name!r} is not on an argument that properties alone lead to")
        if node.get("type") not in _TYPES:
            raise InvalidAnnotation(f"{ANNOTATION} {name!r} is on an argument that is not {', '.join(_TYPES)}")
        if name.lower() in (other.lower() for other in found.values()):
            raise InvalidAnnotation(f"{ANNOTATION} {name!r} is given twice")
        found[path] = name
    return found


def headers_for(schema: Any, arguments: Mapping[str, Any]) -> dict[str, str]:
    """The headers of one call: an argument that is absent or null has none."""
    headers = {}
    for path, name in annotated_arguments(schema).items():
        value = _at(arguments, path)
        if value is not None and not isinstance(value, (dict, list)):
            headers[PREFIX + name] = encoded_header(_text(value))
    return headers


def encoded_header(text: str) -> str:
    """A header's value: as it is if HTTP keeps it so, else in base64 between the marks of the protocol."""
    if _PLAIN.fullmatch(text) and text == text.strip() and not _SENTINEL.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'replace')).decode()}?="


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _at(arguments: Mapping[str, Any], path: Path) -> Any:
    value: Any = arguments
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _nodes(schema: Any, path: Path | None, depth: int) -> Iterator[tuple[Path | None, Mapping[str, Any]]]:
    """Every schema of a schema with its path, None where more than `properties` leads to it."""
    if not isinstance(schema, Mapping):
        return
    if depth > DEEPEST:
        raise InvalidAnnotation(f"its schema is nested more than {DEEPEST} levels deep")
    yield path, schema
    for keyword, value in schema.items():
        if keyword in _DATA:
            continue
        if keyword in _SCHEMAS_BY_NAME and isinstance(value, Mapping):
            for name, child in value.items():
                below = (*path, str(name)) if path is not None and keyword == "properties" else None
                yield from _nodes(child, below, depth + 1)
        elif isinstance(value, Mapping):
            yield from _nodes(value, None, depth + 1)
        elif isinstance(value, list):
            for child in value:
                yield from _nodes(child, None, depth + 1)


META = "io.modelcontextprotocol/"
# method → the parameter that the header Mcp-Name repeats
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
# what may be answered by asking back ("Multi round-trip requests")
_ASKS_BACK = frozenset(("tools/call", "prompts/get", "resources/read"))
RESULT_TYPES = ("complete", "input_required")


class Modern(Speaker):
    """Requests of the modern era. Nothing is kept on the server, so that there is nothing to end."""

    era = "modern"
    keeps_session = False

    def __init__(self, exchange: Exchange, traceparent: str = "") -> None:
        super().__init__(exchange, traceparent)
        self.version = protocol.MODERN_VERSIONS[0]
        self.discovered: dict[str, Any] = {}

    def speaks(self, versions: Sequence[str]) -> bool:
        """Whether it names one of these: that it answers does not make it modern."""
        return any(version in versions for version in self.supported_versions)

    def discover(self) -> None:
        """Ask what the server is."""
        result = self.ask("server/discover", {})
        versions = result.get("supportedVersions")
        if not isinstance(versions, list):
            raise Unanswered(
                "NotMcp",
                "it answered server/discover without supportedVersions",
                "It speaks JSON-RPC but not MCP: check the path and the image.",
                terminal=True,
                status=200,
            )
        self.discovered = result
        self.supported_versions = tuple(map(str, versions))
        self._introduced(result, self.info)

    def ask(self, method: str, params: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            return self._asked(method, params, headers or {})
        except Unanswered as refused:
            mutual = mutual_version(refused)
            if not mutual:
                raise
            self.version = mutual
        return self._asked(method, params, headers or {})

    def _asked(self, method: str, params: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        self._number += 1
        body = protocol.request(self._number, method, {**params, "_meta": self._meta(params.get("_meta") or {})})
        sent = {**request_headers(self.version, method, params), **self._traced, **headers}
        begun = ""
        try:
            with self._exchange("POST", sent, body) as reply:
                # older servers begin a session for any request, and keep it although they refuse the request
                begun = "" if reply.successful else reply.headers.get("mcp-session-id", "")
                result = protocol.read_answer(reply, self._number)
        finally:
            if begun:
                self._end(begun)
        # every answer may name its server, and the next one may be another replica's
        self.info = mapping_of(mapping_of(result.get("_meta")).get(f"{META}serverInfo")) or self.info
        return checked_result(method, result)

    def _end(self, session: str) -> None:
        """Without a version: the one of this era is not known there."""
        headers = {"Accept": protocol.ACCEPT, "Mcp-Session-Id": session, **self._traced}
        with contextlib.suppress(Unanswered), self._exchange("DELETE", headers, None):
            pass

    def close(self) -> None:
        """There is no session."""

    def known_at(self, exchange: Exchange) -> bool:
        """Every replica knows as much as any other."""
        return True

    def _meta(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **given,
            f"{META}protocolVersion": self.version,
            f"{META}clientCapabilities": self.offers,
            f"{META}clientInfo": protocol.CLIENT_INFO,
            **self._traced,
        }


def request_headers(version: str, method: str, params: Mapping[str, Any]) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept": protocol.ACCEPT,
        "MCP-Protocol-Version": version,
        "Mcp-Method": method,
    }
    if method in _NAMED:
        headers["Mcp-Name"] = encoded_header(str(params.get(_NAMED[method], "")))
    return headers


def mutual_version(refused: Unanswered) -> str:
    """The version to ask with instead, where an UnsupportedProtocolVersion error names one that this client speaks."""
    if refused.rpc is None or refused.rpc.code != -32022:
        return ""
    return next((version for version in protocol.MODERN_VERSIONS if version in refused.rpc.supported), "")


def checked_result(method: str, result: dict[str, Any]) -> dict[str, Any]:
    """A result whose type this client understands; no type stands for complete (basic/index, "Result types")."""
    kind = result.get("resultType", "complete")
    if kind == "input_required" and method not in _ASKS_BACK:
        raise Unanswered(
            "ResultType",
            f"it answers {method} with a result of the type 'input_required', which only "
            f"{', '.join(sorted(_ASKS_BACK))} may have",
            "That is a defect of the server: what it offers must not depend on an answer of its client.",
            terminal=True,
            status=200,
        )
    if kind in RESULT_TYPES:
        return result
    raise Unanswered(
        "ResultType",
        f"its answer is of the type {shortened(kind)!r}, which it may only send to clients that ask for it",
        "The server sends results of an extension that the probe did not declare.",
        terminal=True,
        status=200,
    )


# JSON-RPC codes that only a server of the modern era sends, and that say why it does not answer
_MODERN_FAULTS = frozenset((-32020, -32021))
_UNSUPPORTED = -32022
# HTTP statuses that say nothing of the era: login, time, wrong host, load
_NO_EVIDENCE = frozenset((401, 403, 407, 408, 421, 425, 429))


def may_be_legacy(refused: Unanswered) -> bool:
    """Whether a server of the legacy era may refuse server/discover like this; if not, the refusal is the verdict."""
    if refused.status is None:
        # no answer of the server itself
        return False
    code, supported = (refused.rpc.code, refused.rpc.supported) if refused.rpc is not None else (None, ())
    if refused.code == "ResultType" or code in _MODERN_FAULTS:
        return False
    if code == _UNSUPPORTED and supported:
        return any(version in protocol.LEGACY_VERSIONS for version in supported)
    return not (300 <= refused.status < 400 or refused.status in _NO_EVIDENCE or refused.status >= 500)


def modern_only(refused: Unanswered) -> bool:
    """An initialize that was refused with a version of the modern era."""
    return (
        refused.rpc is not None
        and refused.rpc.code == _UNSUPPORTED
        and any(version in protocol.MODERN_VERSIONS for version in refused.rpc.supported)
    )


def foreign_versions(versions: Sequence[str]) -> Unanswered:
    return Unanswered(
        "ProtocolVersion",
        f"it speaks MCP {masking.listed_names(versions) or 'of no version that it names'}, and this client knows "
        f"{', '.join(protocol.KNOWN_VERSIONS)}",
        "Use a server or a release of this collection that shares a version.",
        terminal=True,
        status=200,
    )


def era_mismatch(wanted: str, versions: Sequence[str]) -> Unanswered:
    """The server answers, in the other era than the one that was asked for."""
    spoken = masking.listed_names(versions)
    other = "modern" if wanted == "legacy" else "legacy"
    return Unanswered(
        "EraMismatch",
        f"it speaks the {other} era of MCP only ({spoken}), and era: {wanted} was asked for",
        "Clients of the other era cannot use it: update the server or its SDK, or set era to what its clients speak.",
        terminal=True,
        status=200,
    )
