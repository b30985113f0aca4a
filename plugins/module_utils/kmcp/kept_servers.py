# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which MCPServers a controller works on, and which would be left without a controller. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import UNINSTALLED, Release
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import controller_values
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Refusal
from ansible_collections.mcpops.platform.plugins.module_utils.text import counted, listed

_SHOWN = 10
_FATE = (
    "They would go on running as they are, but no change to them would have an effect any more, and what is lost "
    "of their workloads would not come back."
)
_ELSE = "set orphan_servers: true to leave them so."


def kept_by(controller: Release | None, servers: Sequence[str]) -> list[str]:
    """The servers that this controller works on; none when it is not installed, or only its record was kept."""
    if controller is None or controller.status == UNINSTALLED:
        return []
    return kept(servers, controller.values, controller.chart_version)


def kept(servers: Sequence[str], values: Mapping[str, Any], version: str) -> list[str]:
    """The servers that a controller of these values works on."""
    watched = controller_values.watched_namespaces(values, version)
    return [server for server in servers if watched is None or server.partition("/")[0] in watched]


def let_go(controller: Release | None, values: Mapping[str, Any], version: str, servers: Sequence[str]) -> list[str]:
    """The servers that this controller works on, and would not with these values."""
    after = kept(servers, values, version)
    return [server for server in kept_by(controller, servers) if server not in after]


def removed(release: str, servers: Sequence[str]) -> Refusal:
    remedy = f"{_FATE} Remove them first (mcp_server with state: absent), or {_ELSE}"
    return Refusal.because(f"release {release}", f"is the controller of {shown(servers)}", remedy)


def narrowed(release: str, servers: Sequence[str], watched: Sequence[str]) -> Refusal:
    namespaces = ", ".join(sorted({server.partition("/")[0] for server in servers}))
    remedy = (
        f"{_FATE} Watch their namespaces too (watch_namespaces: {namespaces}), remove them first (mcp_server with "
        f"state: absent), or {_ELSE}"
    )
    sentence = f"would watch {', '.join(watched)} only, and is the controller of {shown(servers)}"
    return Refusal.because(f"release {release}", sentence, remedy)


def left(servers: Sequence[str]) -> str:
    return f"{shown(servers)}: left as they are, no controller reconciles them."


def shown(servers: Sequence[str]) -> str:
    """`2 MCPServers: mcp/echo, mcp/other`."""
    return f"{counted(len(servers), 'MCPServer')}: {listed(servers, _SHOWN)}"
