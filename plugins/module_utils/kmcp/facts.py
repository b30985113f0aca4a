# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a diagnosis has asked about MCP servers beside the lists of their objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.domain import NAME
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_snapshot import Snapshot


@dataclass(frozen=True)
class Facts:
    """The part of a snapshot's `facts` that is KMCP's."""

    keepers: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    """Whether a service account may write the status of MCPServers, where names do not tell the controller."""
    lacking: Sequence[str] = ()
    """Fields that the definition of MCPServer should have and lacks."""
    answers: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """What MCP servers answered, by namespace and name, as mcp_probe reports it; empty when none was asked."""


def facts_of(snapshot: Snapshot) -> Facts:
    return snapshot.facts.get(NAME) or Facts()
