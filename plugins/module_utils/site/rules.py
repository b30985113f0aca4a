# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold between variables and between hosts. A rule sees all hosts and yields findings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

from ansible_collections.mcpops.platform.plugins.module_utils.domain import CLUSTERS, PLATFORMS
from ansible_collections.mcpops.platform.plugins.module_utils.domains import DOMAINS
from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import PLATFORM_VARIABLE, Finding, Host

Groups = Mapping[str, Sequence[str]]
Rule = Callable[[Sequence[Host], Groups], Iterator[Finding]]


def all_findings(hosts: Sequence[Host], groups: Groups) -> list[Finding]:
    """Every rule on all hosts; `groups` are those of the whole inventory, of which `hosts` may be a part."""
    return [finding for rule in RULES for finding in rule(hosts, groups)]


def _platform(hosts: Sequence[Host], groups: Groups) -> Iterator[Finding]:
    platforms = sorted(groups.get(PLATFORMS, ()))
    for host in hosts:
        # what is to be removed needs no platform any more
        if CLUSTERS not in host.groups or PLATFORM_VARIABLE in host.deferred or host.roles == ("site_teardown",):
            continue
        named = host.get(PLATFORM_VARIABLE)
        known = ", ".join(platforms) or "it has no hosts"
        if named is None and platforms:
            yield Finding(host.name, PLATFORM_VARIABLE, f"is not set: name a host of group {PLATFORMS} ({known})")
        elif named is not None and named not in platforms:
            yield Finding(host.name, PLATFORM_VARIABLE, f"{named!r} is not a host of group {PLATFORMS} ({known})")


def _unique(hosts: Sequence[Host], _groups: Groups) -> Iterator[Finding]:
    for row in (row for domain in DOMAINS for row in domain.unique):
        for host, other in _twins([host for host in hosts if row.role in host.roles], row.key):
            yield Finding(host.name, row.variable, row.message(host, other))


def _of_domains(hosts: Sequence[Host], _groups: Groups) -> Iterator[Finding]:
    for rule in (rule for domain in DOMAINS for rule in domain.host_rules):
        for host in hosts:
            yield from (Finding(host.name, path, message) for path, message in rule(host))


def _twins(hosts: Sequence[Host], key: Callable[[Host], Hashable]) -> Iterator[tuple[Host, Host]]:
    """Every host whose key an earlier host has, with that host."""
    first: dict[Hashable, Host] = {}
    for host in hosts:
        own = key(host)
        if own is None:
            continue
        if own in first:
            yield host, first[own]
        first.setdefault(own, host)


RULES: tuple[Rule, ...] = (_platform, _unique, _of_domains)
