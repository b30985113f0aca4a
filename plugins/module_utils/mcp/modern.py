# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Speaking MCP 2026-07-28: no handshake and no session, every request says everything about itself.

Source: MCP 2026-07-28, basic/index (`_meta`), basic/transports/streamable-http (headers), server/discover.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import parameter_headers, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Exchange
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered, shortened

META = "io.modelcontextprotocol/"
# method → the parameter that the header Mcp-Name repeats
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
# what may be answered by asking back ("Multi round-trip requests")
_ASKS_BACK = frozenset(("tools/call", "prompts/get", "resources/read"))
RESULT_TYPES = ("complete", "input_required")


class Modern:
    """Requests of the modern era. Nothing is kept on the server, so that there is nothing to end."""

    era = "modern"
    keeps_session = False
    transport = "streamable_http"

    def __init__(self, exchange: Exchange, capabilities: Mapping[str, Any], traceparent: str = "") -> None:
        self._exchange = exchange
        self._capabilities = dict(capabilities)
        self._traceparent = traceparent
        self._number = 0
        self.version = protocol.MODERN_VERSIONS[0]
        self.supported_versions: tuple[str, ...] = ()
        self.info: dict[str, Any] = {}
        self.instructions = ""
        self.capabilities: dict[str, Any] = {}
        self.discovered: dict[str, Any] = {}

    def discover(self) -> tuple[str, ...]:
        """Ask what the server is; returns the versions that it names."""
        result = self.ask("server/discover", {})
        versions = result.get("supportedVersions")
        if not isinstance(versions, list):
            raise Unanswered(
                "not_mcp",
                "it answered server/discover without supportedVersions",
                "It speaks JSON-RPC but not MCP: check the path and the image.",
                terminal=True,
                status=200,
            )
        self.discovered = result
        self.supported_versions = tuple(map(str, versions))
        self.instructions = str(result.get("instructions") or "")
        capabilities = result.get("capabilities")
        self.capabilities = dict(capabilities) if isinstance(capabilities, Mapping) else {}
        return self.supported_versions

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
        sent = {**request_headers(self.version, method, params), **self._traced(), **headers}
        begun = ""
        try:
            with self._exchange("POST", sent, body) as reply:
                # older servers begin a session for any request, and keep it although they refuse the request
                begun = "" if reply.successful else reply.headers.get("mcp-session-id", "")
                result = protocol.read_answer(reply, self._number)
        finally:
            if begun:
                self._end(begun)
        self._introduced(result)
        return checked(method, result)

    def _end(self, session: str) -> None:
        """Without a version: the one of this era is not known there."""
        headers = {"Accept": protocol.ACCEPT, "Mcp-Session-Id": session, **self._traced()}
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
            f"{META}clientCapabilities": self._capabilities,
            f"{META}clientInfo": protocol.CLIENT_INFO,
            **self._traced(),
        }

    def _traced(self) -> dict[str, str]:
        return {"traceparent": self._traceparent} if self._traceparent else {}

    def _introduced(self, result: Mapping[str, Any]) -> None:
        meta = result.get("_meta")
        info = meta.get(f"{META}serverInfo") if isinstance(meta, Mapping) else None
        if isinstance(info, Mapping):
            self.info = dict(info)


def request_headers(version: str, method: str, params: Mapping[str, Any]) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept": protocol.ACCEPT,
        "MCP-Protocol-Version": version,
        "Mcp-Method": method,
    }
    if method in _NAMED:
        headers["Mcp-Name"] = parameter_headers.encoded(str(params.get(_NAMED[method], "")))
    return headers


def mutual_version(refused: Unanswered) -> str:
    """The version to ask with instead, where an UnsupportedProtocolVersion error names one that this client speaks."""
    if refused.rpc is None or refused.rpc.code != -32022:
        return ""
    return next((version for version in protocol.MODERN_VERSIONS if version in refused.rpc.supported), "")


def checked(method: str, result: dict[str, Any]) -> dict[str, Any]:
    """A result whose type this client understands; no type stands for complete (basic/index, "Result types")."""
    kind = result.get("resultType", "complete")
    if kind == "input_required" and method not in _ASKS_BACK:
        raise Unanswered(
            "result_type",
            f"it answers {method} with a result of the type 'input_required', which only "
            f"{', '.join(sorted(_ASKS_BACK))} may have",
            "That is a defect of the server: what it offers must not depend on an answer of its client.",
            terminal=True,
            status=200,
        )
    if kind in RESULT_TYPES:
        return result
    raise Unanswered(
        "result_type",
        f"its answer is of the type {shortened(kind)!r}, which it may only send to clients that ask for it",
        "The server sends results of an extension that the probe did not declare.",
        terminal=True,
        status=200,
    )
