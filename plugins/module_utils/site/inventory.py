# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known about the hosts of a site before anything runs. Values only, no input or output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem
from ansible_collections.mcpops.platform.plugins.module_utils.site.spelling import as_written
from ansible_collections.mcpops.platform.plugins.module_utils.text import listed

PLATFORM_VARIABLE = "mcpops_platform"
SHOWN_HOSTS = 20


@dataclass(frozen=True)
class Host:
    """One host: its groups, the values of its variables, and those that cannot be told yet, with the reason."""

    name: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any]
    deferred: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    """Which of the checked roles apply to it, by their short names."""
    spelled: Mapping[str, str] = field(default_factory=dict)
    """Role variable → the common variable the user wrote instead."""
    written: frozenset[str] = frozenset()
    """What inventory and command line set; the others are defaults of roles."""

    def get(self, variable: str) -> Any:
        return self.variables.get(variable)


@dataclass(frozen=True)
class Finding:
    """Something wrong with a variable of a host."""

    host: str
    path: str
    message: str


def host_names(given: Any) -> list[str]:
    """The names of a list or of a comma separated text, each once, without blanks."""
    names = given.split(",") if isinstance(given, str) else list(given or [])
    return list(dict.fromkeys(str(name).strip() for name in names if str(name).strip()))


def roles_of(groups: Iterable[str], roles: Mapping[str, Sequence[str]]) -> list[str]:
    """The roles that apply to a host of these groups, each once, in the order given."""
    own = set(groups)
    return list(dict.fromkeys(role for group, listed in roles.items() if group in own for role in listed))


def as_problems(findings: Iterable[Finding], spelled: Mapping[str, Mapping[str, str]] | None = None) -> list[Problem]:
    """One problem for what many hosts have in common: a fault in a group variable is one fault.

    `spelled` says by host how its user wrote the variables of roles.
    """
    hosts: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        written = (spelled or {}).get(finding.host, {})
        where, what = (as_written(text, written) for text in (finding.path, finding.message))
        affected = hosts.setdefault((where, what), [])
        if finding.host not in affected:
            affected.append(finding.host)
    return [Problem(f"{listed(affected, SHOWN_HOSTS)}: {path}", message) for (path, message), affected in hosts.items()]


def unchecked(hosts: Iterable[Host]) -> list[str]:
    """The user's variables that cannot be told yet, with all their hosts: a sentence for what has one reason."""
    reasons: dict[str, list[str]] = {}
    affected: dict[str, list[str]] = {}
    for host in hosts:
        for variable, reason in host.deferred.items():
            name = host.spelled.get(variable, variable)
            if name not in host.written:
                continue
            for known, item in ((reasons, reason), (affected, host.name)):
                if item not in known.setdefault(name, []):
                    known[name].append(item)
    alike: dict[str, list[str]] = {}
    for name, found in reasons.items():
        alike.setdefault("; ".join(found), []).append(name)
    return [
        _unchecked(names, list(dict.fromkeys(host for name in names for host in affected[name])), reason)
        for reason, names in alike.items()
    ]


def _unchecked(names: Sequence[str], hosts: Sequence[str], reason: str) -> str:
    return (
        f"{', '.join(names)} of {listed(hosts, SHOWN_HOSTS)}: not known now ({reason}), so not checked; "
        "where nothing defines it later, a default takes its place or the run fails there."
    )
