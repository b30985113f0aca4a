# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about drift: a sentence, and the command that does it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Commands:
    """Commands as the user would type them, for the inventory of this run."""

    inventory: Sequence[str]
    platforms: Mapping[str, str] = field(default_factory=dict)
    """The platform of each cluster, which holds its resource group."""

    def create(self, host: str) -> str:
        return self.site(",".join(filter(None, (host, self.platforms.get(host)))))

    def site(self, host: str, *more: str) -> str:
        return self._playbook("mcpops.platform.site", "--limit", host, *more)

    def repair(self, host: str) -> str:
        return self._playbook("mcpops.platform.drift", "--limit", host, "-e", "drift_repair=true")

    def repair_stage(self, host: str, stage: str) -> str:
        """The smallest part of the site that repairs one object."""
        return self.site(host, *(["--tags", stage] if stage else []))

    def compare(self, host: str) -> str:
        return self._playbook("mcpops.platform.drift", "--limit", host)

    def _playbook(self, name: str, *arguments: str) -> str:
        sources = [part for source in self.inventory for part in ("-i", source)]
        return shlex.join(["ansible-playbook", name, *sources, *arguments])


def of_host(state: str, name: str, kind: str, start: Sequence[str], commands: Commands) -> tuple[str, str]:
    """(sentence, command) for a host in this state; empty where nothing is to be done.

    `start` is the command that starts a cluster which is stopped.
    """
    if state == "drifted":
        return "Repair makes it as declared; what should stay as it is goes into the inventory first.", commands.repair(
            name
        )
    if state == "gone":
        return (
            "The cluster does not exist, or no longer. A run of the site recreates it, empty: "
            "what existed only in it is lost. Repair never does that by itself. "
            "If it was given up, take its host out of the inventory.",
            commands.create(name),
        )
    if state == "stopped":
        return (
            "The cluster is stopped, so nothing in it can be compared. Start it, then compare again.",
            shlex.join(start),
        )
    if state == "unreachable":
        return (
            "Its API server does not answer from here. Check the network, private endpoints and authorized ranges.",
            commands.compare(name),
        )
    if state == "failed":
        where = "the platform" if kind == "platform" else "the cluster"
        return (
            f"What the error kept from being compared is not in this report. Correct it, then compare {where} again.",
            commands.compare(name),
        )
    return "", ""


def of_difference(by_hand: str, changed_by: Sequence[str], missing: bool, state: str) -> str:
    """What an object's differences mean on a host in this state, and what repairing them does.

    `by_hand` is what its domain says of those that nobody is known to have made, if anything.
    """
    who = ", ".join(changed_by)
    if state == "gone":
        return "This is what would be created."
    if state == "repaired":
        return f"Set by {who}, and made as declared again." if who else "Made as declared again."
    if who:
        return f"Set by {who}, outside of Ansible. Repair takes it back; to keep it, declare it."
    if missing:
        return "It, or this part of it, is not there. Repair creates it."
    return by_hand or "Changed since the last run, or in the declaration. Repair makes it as declared."
