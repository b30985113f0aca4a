# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One conversation with an MCP server of either era: who it is, what it offers, and calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from .. import masking
from ..waiting import now
from . import modern
from .legacy import Legacy
from .modern import Modern
from .protocol import KNOWN_VERSIONS, MODERN_VERSIONS, Exchange, mapping_of
from .verdicts import Unanswered, shortened
from .verdicts import needs_input as needs_input_verdict

AUTO, MODERN, LEGACY = "auto", "modern", "legacy"
ERAS = (AUTO, MODERN, LEGACY)
MOST_PAGES = 50
MOST_ITEMS = 10_000
MOST_MEGABYTES = 8
NOT_GIVEN: Any = object()
"""Where None is a value of its own."""


class Conversation:
    """What can be asked of a server whose era is known; `speaker` says what it has said of itself."""

    def __init__(self, speaker: Modern | Legacy) -> None:
        self.speaker = speaker
        self._tools: dict[str, dict[str, Any]] = {}
        self.dropped: dict[str, str] = {}
        """Tools that it lists and a client must leave out, and why."""
        self.remarks: list[str] = []
        self.caching: dict[str, dict[str, Any]] = {}
        self.latency_ms: dict[str, int] = {}
        if isinstance(speaker, Modern):
            self._cached("server/discover", speaker.discovered)

    @property
    def extensions(self) -> dict[str, Any]:
        return mapping_of(self.speaker.capabilities.get("extensions"))

    def tools(self) -> list[dict[str, Any]]:
        """All tools as they came; a modern client leaves out those whose header annotations break the rules."""
        self._tools, self.dropped = {}, {}
        for tool in self._listed("tools/list", "tools", "name"):
            reason = _unusable(tool) if self.speaker.era == MODERN else ""
            if reason:
                self.dropped[str(tool["name"])] = reason
            else:
                self._tools.setdefault(str(tool["name"]), tool)
        return list(self._tools.values())

    def resources(self) -> list[dict[str, Any]]:
        return self._listed("resources/list", "resources", "uri")

    def resource_templates(self) -> list[dict[str, Any]]:
        return self._listed("resources/templates/list", "resourceTemplates", "uriTemplate")

    def prompts(self) -> list[dict[str, Any]]:
        return self._listed("prompts/list", "prompts", "name")

    def call(self, name: str, arguments: Mapping[str, Any], request_state: Any = NOT_GIVEN) -> dict[str, Any]:
        """The whole result. One that only_asks_again is answered by a second call with its requestState."""
        params: dict[str, Any] = {"name": name, "arguments": dict(arguments)}
        if request_state is not NOT_GIVEN:
            params["requestState"] = request_state
        headers = self.parameter_headers(name, arguments)
        try:
            return self._ask("tools/call", params, headers)
        except Unanswered as refused:
            if self.speaker.era != MODERN or refused.rpc is None or refused.rpc.code != -32020:
                raise
            # the annotations may have changed since the list was read
            self.tools()
            renewed = self.parameter_headers(name, arguments)
            if renewed == headers:
                raise
            return self._ask("tools/call", params, renewed)

    def parameter_headers(self, name: str, arguments: Mapping[str, Any]) -> dict[str, str]:
        if self.speaker.era != MODERN or name not in self._tools:
            return {}
        return modern.headers_for(self._tools[name].get("inputSchema"), arguments)

    def _listed(self, method: str, key: str, identity: str) -> list[dict[str, Any]]:
        """The items of all pages, each with what it is known by."""
        items: list[dict[str, Any]] = []
        size = 0
        for page in self._pages(method):
            found = page.get(key)
            if not isinstance(found, list):
                raise Unanswered("NotMcp", f"it answered {method} without a list of {key}", terminal=True, status=200)
            items += [item for item in found if isinstance(item, dict) and isinstance(item.get(identity), str)]
            size += len(str(page))
            if len(items) > MOST_ITEMS or size > MOST_MEGABYTES * 2**20:
                raise _endless(method, f"more than {MOST_ITEMS} entries, or more than {MOST_MEGABYTES} MiB")
            self._cached(method, page)
        times = Counter(item[identity] for item in items)
        twice = sorted(name for name, count in times.items() if count > 1)
        self._remark(f"{method} names {masking.listed_names(twice)} more than once" if twice else "")
        return items

    def _pages(self, method: str) -> Iterator[dict[str, Any]]:
        """A cursor is opaque: an empty text is one, and only its absence ends the list."""
        cursor: Any = NOT_GIVEN
        seen: set[str] = set()
        for _page in range(MOST_PAGES):
            page = self._ask(method, {} if cursor is NOT_GIVEN else {"cursor": cursor})
            yield page
            cursor = page.get("nextCursor")
            if cursor is None or (cursor == "" and self.speaker.era == LEGACY):
                return
            if str(cursor) in seen:
                raise _endless(method, f"a cursor that leads back to itself ({shortened(cursor)!r})")
            seen.add(str(cursor))
        raise _endless(method, f"more than {MOST_PAGES} pages")

    def _cached(self, method: str, page: Mapping[str, Any]) -> None:
        """How long an answer may be kept and by whom; a missing or negative time means not at all."""
        if self.speaker.era != MODERN:
            return
        ttl, scope = page.get("ttlMs"), page.get("cacheScope")
        scope = None if scope is None else shortened(scope)
        known = ttl if isinstance(ttl, (int, float)) and not isinstance(ttl, bool) and ttl > 0 else 0
        before = self.caching.setdefault(method, {"ttl_ms": known, "cache_scope": scope})
        before["ttl_ms"] = min(before["ttl_ms"], known)
        if before["cache_scope"] != scope:
            self._remark(f"{method} gives its pages different values of cacheScope")
            before["cache_scope"] = "private"

    def _ask(self, method: str, params: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        started = now()
        try:
            return self.speaker.ask(method, params, headers)
        finally:
            self.latency_ms[method] = self.latency_ms.get(method, 0) + elapsed_ms(started)

    def _remark(self, text: str) -> None:
        if text and text not in self.remarks:
            self.remarks.append(text)


@contextmanager
def open_conversation(exchange: Exchange, era: str = AUTO, traceparent: str = "") -> Iterator[Conversation]:
    """A conversation in the era that the server speaks, or in the one that is asked for; its end ends the session."""
    speaking = _Opening(exchange, traceparent)
    started = now()
    server = {AUTO: speaking.either, MODERN: speaking.modern, LEGACY: speaking.legacy}[era]()
    try:
        server.latency_ms["server/discover" if server.speaker.era == MODERN else "initialize"] = elapsed_ms(started)
        yield server
    finally:
        server.speaker.close()


def also_legacy(exchange: Exchange, traceparent: str = "") -> tuple[str, Unanswered | None]:
    """Whether a modern server takes the handshake of older clients, too: the version, or how it refused."""
    legacy = Legacy(exchange, traceparent)
    try:
        legacy.initialize()
    except Unanswered as refused:
        return "", refused
    legacy.close()
    return legacy.version, None


def needs_input(result: Mapping[str, Any]) -> bool:
    """The server wants something of its client before it can answer."""
    return result.get("resultType") == "input_required"


def only_asks_again(result: Mapping[str, Any]) -> bool:
    """The server wants nothing but its own state back (2026-07-28, "Multi round-trip requests")."""
    return needs_input(result) and not result.get("inputRequests") and "requestState" in result


def wants_input(result: Mapping[str, Any]) -> Unanswered:
    """The verdict on such a result, where nobody is there to answer."""
    asked = mapping_of(result.get("inputRequests")).values()
    methods = sorted({str(request.get("method", "")) for request in asked if isinstance(request, Mapping)})
    return needs_input_verdict(
        f"it asks its client before it answers: {shortened(', '.join(methods)) or 'no method named'}", 200
    )


def elapsed_ms(started: float) -> int:
    return round((now() - started) * 1000)


class _Opening:
    """The first requests, until the era is known."""

    def __init__(self, exchange: Exchange, traceparent: str) -> None:
        self._given = (exchange, traceparent)

    def either(self) -> Conversation:
        asked, refused = self._discovered()
        if asked.speaks(MODERN_VERSIONS):
            return Conversation(asked)
        try:
            legacy = self._initialized()
        except Unanswered as second:
            if not modern.modern_only(second):
                raise
            # it was not ready for discovery a moment ago, and is modern by its own word
            asked, again = self._discovered()
            if asked.speaks(MODERN_VERSIONS):
                return Conversation(asked)
            raise (again or modern.foreign_versions(asked.supported_versions)) from second
        named = asked.supported_versions or (refused.rpc.supported if refused and refused.rpc else ())
        legacy.supported_versions = named or legacy.supported_versions
        return Conversation(legacy)

    def modern(self) -> Conversation:
        asked, refused = self._discovered()
        if asked.speaks(MODERN_VERSIONS):
            return Conversation(asked)
        try:
            legacy = self._initialized()
        except Unanswered as second:
            raise refused or second from second
        legacy.close()
        raise modern.era_mismatch(MODERN, asked.supported_versions or legacy.supported_versions)

    def legacy(self) -> Conversation:
        try:
            return Conversation(self._initialized())
        except Unanswered as refused:
            asked = Modern(*self._given)
            if modern.may_be_legacy(refused) or modern.modern_only(refused):
                with suppress(Unanswered):
                    asked.discover()
            if asked.speaks(MODERN_VERSIONS):
                raise modern.era_mismatch(LEGACY, asked.supported_versions) from refused
            raise

    def _discovered(self) -> tuple[Modern, Unanswered | None]:
        """What it says that it is, and how it refused to say so; a refusal that tells all is raised."""
        asked = Modern(*self._given)
        try:
            asked.discover()
        except Unanswered as refused:
            if modern.may_be_legacy(refused):
                return asked, refused
            raise
        if not asked.speaks(KNOWN_VERSIONS):
            raise modern.foreign_versions(asked.supported_versions)
        return asked, None

    def _initialized(self) -> Legacy:
        legacy = Legacy(*self._given)
        legacy.initialize()
        return legacy


def _unusable(tool: Mapping[str, Any]) -> str:
    try:
        modern.annotated_arguments(tool.get("inputSchema"))
    except modern.InvalidAnnotation as exc:
        return shortened(exc)
    return ""


def _endless(method: str, what: str) -> Unanswered:
    return Unanswered(
        "EndlessList",
        f"its answers to {method} have {what}",
        "A server whose nextCursor never ends has a defect.",
        terminal=True,
        status=200,
    )
