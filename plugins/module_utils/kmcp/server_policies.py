# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network policies of MCP servers in the cluster: reading them, and removing those that are declared no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_callers
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_outcome import Converged
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import Declared
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.delete import DeleteOptions, delete_existing
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import read_live
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Refusal
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task


def beside(servers: Iterable[Declared]) -> list[Target]:
    """The policies of these servers, to be read with them: one that is declared no more is found by its name."""
    return [server_callers.target(server.key) for server in servers]


def collisions(server: Declared, live: Mapping[Identity, Object]) -> list[Refusal]:
    """A policy of somebody else that has the name of ours."""
    found = live.get(server_callers.target(server.key).who)
    declared = server.options.get("callers") is not None
    foreign = found is not None and not server_callers.is_ours(found, server.name)
    return [server_callers.collision(server.name)] if declared and foreign else []


def remove_undeclared(kube: Kube, task: Task, done: Converged, live: Mapping[Identity, Object]) -> None:
    """Those of servers that name no callers any more: everybody may call them then."""
    servers = {
        server_callers.target(server.key).who: server for server in done.sound if server.options.get("callers") is None
    }
    for outcome in remove(kube, task, list(servers.values()), live):
        server = servers[outcome.who]
        if outcome.failure is not None:
            done.failures[server.key] = outcome.failure
        else:
            done.policies[server.key] = outcome.plan


def read(kube: Kube, servers: Sequence[Declared]) -> dict[Identity, Object]:
    """The policies of these servers; without the right to read them, none."""
    return read_live(kube, [], beside(servers)).complete


def remove(kube: Kube, task: Task, servers: Sequence[Declared], live: Mapping[Identity, Object]) -> list[ObjectOutcome]:
    """Delete the policies of these servers that we have made."""
    targets = [
        target
        for server in servers
        for target in [server_callers.target(server.key)]
        if target.who in live and server_callers.is_ours(live[target.who], server.name)
    ]
    if not targets:
        return []
    return delete_existing(
        kube, task, targets, live, DeleteOptions(subject="network policies", wait=False), dry=task.check_mode
    )
