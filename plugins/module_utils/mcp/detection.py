# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which era a server speaks, decided from what it answered. Pure: the table of decisions, no input or output.

A client that wants to get on takes every doubt for "legacy". A verifier does not: what says something of its own (a
login, a failure, silence, a proxy that rewrites headers) is reported, because the fallback would hide it.
Sources: MCP 2026-07-28, basic/versioning ("Backward compatibility") and the error table of basic/transports; what three
SDKs and twelve servers do was measured (docs/mcp.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import foreign, protocol
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered

# JSON-RPC codes that only a server of the modern era sends, and that say why it does not answer
_MODERN_FAULTS = frozenset((-32020, -32021))
_UNSUPPORTED = -32022
# HTTP statuses that say nothing of the era: login, time, wrong host, load
_NO_EVIDENCE = frozenset((401, 403, 407, 408, 421, 425, 429))


@dataclass(frozen=True)
class Step:
    """What follows from an answer to server/discover."""

    next: Literal["modern", "legacy", "report"]
    why: str
    verdict: Unanswered | None = None


def after_discovery(versions: Sequence[str]) -> Step:
    """The server answered server/discover and named its versions; a success alone does not make it modern."""
    if any(version in protocol.MODERN_VERSIONS for version in versions):
        return Step("modern", "server/discover lists a version of the modern era")
    if any(version in protocol.LEGACY_VERSIONS for version in versions):
        return Step("legacy", "server/discover lists versions of the legacy era only")
    return Step("report", "server/discover lists foreign versions only", foreign_versions(versions))


def after_refusal(refused: Unanswered) -> Step:
    """The server did not answer server/discover."""
    code = refused.rpc.code if refused.rpc is not None else None
    if refused.status is None:
        return Step("report", "no answer of the server itself", refused)
    if refused.code == "result_type":
        return Step("report", "only servers of the modern era give their results types", refused)
    if code in _MODERN_FAULTS:
        return Step("report", f"{code} is an error of the modern era", refused)
    if code == _UNSUPPORTED and refused.rpc is not None and refused.rpc.supported:
        if any(version in protocol.LEGACY_VERSIONS for version in refused.rpc.supported):
            return Step("legacy", "it refused the version and named versions of the legacy era")
        return Step("report", "it refused the version and named none that this client speaks", refused)
    if 300 <= refused.status < 400 or refused.status in _NO_EVIDENCE or refused.status >= 500:
        return Step("report", f"HTTP {refused.status} does not tell the era", refused)
    return Step("legacy", "it does not know server/discover")


def modern_only(refused: Unanswered) -> bool:
    """An initialize that was refused with a version of the modern era."""
    return (
        refused.rpc is not None
        and refused.rpc.code == _UNSUPPORTED
        and any(version in protocol.MODERN_VERSIONS for version in refused.rpc.supported)
    )


def foreign_versions(versions: Sequence[str]) -> Unanswered:
    return Unanswered(
        "protocol_version",
        f"it speaks MCP {foreign.listed(versions) or 'of no version that it names'}, and this client knows "
        f"{', '.join(protocol.KNOWN_VERSIONS)}",
        "Use a server or a release of this collection that shares a version.",
        terminal=True,
        status=200,
    )


def mismatch(wanted: str, versions: Sequence[str]) -> Unanswered:
    """The server answers, in the other era than the one that was asked for."""
    spoken = foreign.listed(versions)
    other = "modern" if wanted == "legacy" else "legacy"
    return Unanswered(
        "era_mismatch",
        f"it speaks the {other} era of MCP only ({spoken}), and era: {wanted} was asked for",
        "Clients of the other era cannot use it: update the server or its SDK, or set era to what its clients speak.",
        terminal=True,
        status=200,
    )
