# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order the clusters of a site are converged, and what keeps one from being converged now.

Rings are groups of the inventory: the clusters of the first are converged and verified, then those of the next, and
those of no ring at last; within a ring so many at a time as `mcpops_serial` says. Where a cluster fails, none of a
later batch is begun. Nor is one whose platform failed in the same run. Nothing here asks a service.

Ansible ends a run at once where every host of a batch has failed: nothing would be reported, and nobody would say which
clusters wait. So a failure is kept in a variable of its host, by a rescue, and the last play fails for it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.errors import AnsibleError
from jinja2.exceptions import UndefinedError

from ..module_utils.domain import CLUSTERS, PLATFORMS
from ..module_utils.site.inventory import PLATFORM_VARIABLE, Finding, Host, host_names
from ..module_utils.text import listed, sentence

RINGS, SERIAL = "mcpops_rings", "mcpops_serial"
PLATFORM_STAGE, CLUSTER_STAGE = "platform", "cluster"
# what the tasks of site_preflight register, for a cluster that is made and for one that exists
PREFLIGHT_RESULTS = ("site_preflight_kept", "site_preflight_result", "site_preflight_cluster")
# what playbooks/site.yml keeps of each host
STANDS, FAILURE, CHECKED, CLUSTER_RESULT = (
    "site_platform_stands",
    "site_failure",
    "preflight_variables",
    "aks_cluster_result",
)
SHOWN = 20
# tags of what comes before the clusters, and of no stage
_BEFORE_CLUSTERS = frozenset({"preflight", PLATFORM_STAGE, "always", "never"})
_SIZE = re.compile(r"\s*(\d+)\s*(%?)\s*")
_MISSING = re.compile(r"depends on (.+), which does not exist yet")


@dataclass(frozen=True)
class Batch:
    """Clusters that are converged at once: a ring, or a part of it."""

    ring: str
    hosts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.ring} ({', '.join(self.hosts)})" if self.ring else ", ".join(self.hosts)


@dataclass(frozen=True)
class Site:
    """What is known of a run where it comes to the clusters, by host: variables, and what happened to it so far."""

    groups: Mapping[str, Sequence[str]]
    variables: Mapping[str, Mapping[str, Any]]
    present: Collection[str] = ()
    """The clusters that the limit leaves."""
    check_mode: bool = False
    looks_only: bool = False
    """The playbook changes no cluster, whatever the mode: it goes by no rings."""
    stages: tuple[Collection[str], Collection[str]] = (("all",), ())
    """Tags that were chosen and left out."""
    lost: Collection[str] = field(default_factory=frozenset)
    """Hosts of the play that have failed, or could not be reached."""

    def of(self, host: str, name: str) -> Any:
        """A variable of a host; None where it has none, or none that can be told."""
        try:
            return self.variables[host][name] if host in self.variables else None
        except (KeyError, AnsibleError, UndefinedError):
            return None

    def runs(self, stage: str) -> bool:
        chosen, skipped = self.stages
        return bool({"all", "tagged", stage} & set(chosen)) and not {"all", "tagged", stage} & set(skipped)

    @property
    def converges(self) -> bool:
        """Whether this run changes clusters: the only kind that may come too early for one."""
        return not self.check_mode and not self.looks_only and not set(self.stages[0]) <= _BEFORE_CLUSTERS

    def is_lost(self, host: str) -> bool:
        """Whether this host has failed, or could not be reached."""
        return host in self.lost or bool(self.of(host, FAILURE))

    def has(self, platform: str) -> bool:
        """Whether this platform is part of the run."""
        return platform in ((self.of(platform, CHECKED) or {}).get("hosts") or ())


def rings_of(value: Any) -> list[str]:
    return host_names(value)


def sizes(value: Any, number: int) -> list[int]:
    """How many of `number` hosts are in each batch, the last size for all that are left."""
    stated = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    wanted = [one for one in stated if one is not None and str(one).strip()]
    found: list[int] = []
    while number > 0:
        one = wanted[min(len(found), len(wanted) - 1)] if wanted else "100%"
        size = min(_size(one, number + sum(found)), number)
        found.append(size)
        number -= size
    return found


def _size(stated: Any, of: int) -> int:
    match = None if isinstance(stated, bool) else _SIZE.fullmatch(str(stated))
    if match is None or not int(match[1]):
        raise ValueError(f"{stated!r} is not a number of clusters (1 and more) or a percentage, such as 2 or 25%")
    # what Ansible makes of a percentage
    return int(match[1]) * of // 100 or 1 if match[2] else int(match[1])


def batches(site: Site) -> list[Batch]:
    """All clusters of the run, in the order in which they are converged. Where none is changed, at once."""
    clusters = [name for name in site.groups.get(CLUSTERS, ()) if name in site.present]
    if site.check_mode or site.looks_only or not clusters:
        return [Batch("", tuple(clusters))] if clusters else []
    found: list[Batch] = []
    left = list(clusters)
    for ring in [*rings_of(_common(site, RINGS)), ""]:
        hosts = [name for name in (site.groups.get(ring, ()) if ring else list(left)) if name in left]
        left = [name for name in left if name not in hosts]
        for size in sizes(_common(site, SERIAL), len(hosts)):
            found.append(Batch(ring, tuple(hosts[:size])))
            hosts = hosts[size:]
    return found


def _common(site: Site, name: str) -> Any:
    """A variable of the whole site, which validation has found to be the same everywhere."""
    values = (site.of(host, name) for host in site.groups.get(CLUSTERS, ()))
    return next((value for value in values if value is not None), None)


def patterns(site: Site) -> list[str]:
    """The hosts of the play, in that order."""
    rings = [] if site.check_mode else rings_of(_common(site, RINGS))
    return [*rings, CLUSTERS, f"&{CLUSTERS}"] if rings else [CLUSTERS]


def is_gated(site: Site) -> bool:
    """Whether something may keep a cluster of this run from being converged."""
    return site.converges and (len(batches(site)) > 1 or any(_held_by(site, name) for name in site.present))


def reasons_to_stop(site: Site, host: str) -> list[str]:
    """Why this cluster must not be converged now, if anything: its platform, or a cluster before it."""
    if not site.converges or host not in site.groups.get(CLUSTERS, ()):
        # in check mode, what differs is worth knowing
        return []
    platform = _held_by(site, host)
    if platform:
        unknown = "its preflight failed" if has_failed_preflight(site, platform) else "it could not be reached"
        why = (site.of(platform, FAILURE) or {}).get("why") or unknown
        return [
            f"{host} was not converged: its platform {platform} failed in this run: {sentence(str(why))} "
            "Mend that, and run the site again."
        ]
    before = lost_before(site, host)
    if not before:
        return []
    rows = batches(site)
    waiting = [name for batch in rows[_place(rows, host) :] for name in batch.hosts]
    return [
        f"{host} was not converged: {listed(before, SHOWN)} failed, and clusters of later rings wait until those "
        f"before them are well. Not begun: {listed(waiting, SHOWN)}. Mend that, and run the site again: what is as "
        "declared is left alone."
    ]


def lost_before(site: Site, host: str) -> list[str]:
    """The clusters of the first batch in which one failed, if that was before this host's, which is not begun then."""
    if not site.converges:
        return []
    rows = batches(site)
    failed = ([name for name in batch.hosts if site.is_lost(name)] for batch in rows[: _place(rows, host)])
    return next(filter(None, failed), [])


def _place(rows: Sequence[Batch], host: str) -> int:
    return next((number for number, batch in enumerate(rows) if host in batch.hosts), 0)


def _held_by(site: Site, host: str) -> str:
    """The platform of this cluster, if it was part of this run and did not come to its end."""
    platform = str(site.of(host, PLATFORM_VARIABLE) or "")
    began = platform and site.runs(PLATFORM_STAGE) and site.has(platform)
    return platform if began and not site.of(platform, STANDS) else ""


def place_of(site: Site, host: str) -> str:
    """Where this cluster stands in the order, in a sentence."""
    rows = batches(site)
    number = next((number for number, batch in enumerate(rows, 1) if host in batch.hosts), 0)
    if len(rows) < 2 or not number:
        return f"{host} may be converged"
    later = "; ".join(str(batch) for batch in rows[number:])
    return f"{number} of {len(rows)}: {rows[number - 1]}" + (f". When it is well: {later}" if later else "")


def begun(site: Site, host: str) -> list[str]:
    """The clusters of the batch that this one is in, and of those before it."""
    rows = batches(site)
    last = next((number for number, batch in enumerate(rows, 1) if host in batch.hosts), len(rows))
    return [name for batch in rows[:last] for name in batch.hosts]


def lost(site: Site, host: str) -> list[str]:
    """Of the clusters that `begun` has, those that failed or could not be reached."""
    return [name for name in begun(site, host) if site.is_lost(name)]


def failure(site: Site, host: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a platform or a cluster that failed: why, a sentence for the end, and whether it was begun."""
    held = reasons_to_stop(site, host)
    if held:
        return {"why": held[0], "msg": held[0], "begun": False}
    failed = [one for one in result.get("results") or () if isinstance(one, Mapping) and one.get("failed")]
    said = (one.get("msg") for one in (*failed, result))
    why = next((str(one).strip() for one in said if one), "without a message")
    clusters = [name for name in site.groups.get(CLUSTERS, ()) if site.of(name, PLATFORM_VARIABLE) == host]
    waiting = f" The clusters that stand on it are not converged: {listed(clusters, SHOWN)}." if clusters else ""
    return {"why": why, "msg": f"{host} failed: {sentence(why)}{waiting if site.converges else ''}", "begun": True}


def is_red(site: Site) -> bool:
    """Whether the end of the run has a failure to tell."""
    hosts = (*site.groups.get(PLATFORMS, ()), *site.present)
    return any(site.of(host, FAILURE) for host in hosts)


def has_failed_preflight(site: Site, host: str) -> bool:
    return any((site.of(host, result) or {}).get("failed") for result in PREFLIGHT_RESULTS)


def is_refused(site: Site) -> bool:
    """Whether no cluster of the run has passed its preflight: then nothing is made for them either."""
    return bool(site.present) and all(has_failed_preflight(site, host) for host in site.present)


def outcome(site: Site, host: str) -> list[str]:
    """At the end of the run: why this host is not as declared, if it is not."""
    kept = site.of(host, FAILURE)
    return [str(kept["msg"])] if kept else reasons_to_stop(site, host)


def unmet(site: Site, host: str) -> list[str]:
    """In check mode, what a run that changes something would fail for: it lacks what nothing in this run makes."""
    result = site.of(host, CLUSTER_RESULT) or {}
    missing = [match[1] for note in result.get("notes") or () if (match := _MISSING.search(str(note)))]
    platform = str(site.of(host, PLATFORM_VARIABLE) or "")
    if not missing or not site.check_mode or (platform and site.has(platform) and site.runs(PLATFORM_STAGE)):
        return []
    if platform and not site.has(platform):
        advice = f"its platform {platform}, which makes it, is not in this run. Name both: --limit {host},{platform}"
    elif platform:
        advice = (
            f"the stage that makes it is not in this run. Choose it as well: --tags {PLATFORM_STAGE},{CLUSTER_STAGE}"
        )
    else:
        advice = "no platform of this inventory makes it. Make it, or name the platform in mcpops_platform"
    return [f"{host}: without --check this run would fail here: {missing[0]} does not exist, and {advice}."]


def findings(hosts: Sequence[Host], groups: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """What is wrong with the order that the inventory asks for."""
    clusters = [host for host in hosts if CLUSTERS in host.groups]
    for host in clusters:
        for ring in _misspelt(host.get(RINGS), groups):
            near = difflib.get_close_matches(ring, sorted(groups), n=1)
            advice = f"did you mean {near[0]}?" if near else f"the inventory has {', '.join(sorted(groups))}"
            yield Finding(host.name, RINGS, f"{ring!r} is not a group: {advice}")
        try:
            sizes(host.get(SERIAL), 1)
        except ValueError as exc:
            yield Finding(host.name, SERIAL, str(exc))
    for name in (RINGS, SERIAL):
        stated = {str(host.get(name)) for host in clusters if name not in host.deferred}
        if len(stated) > 1:
            several = f"differs between clusters ({', '.join(sorted(stated))}), and there is one order for all of them"
            yield Finding(clusters[0].name, name, f"{several}: set it for the group {CLUSTERS}")


def _misspelt(value: Any, groups: Mapping[str, Sequence[str]]) -> Iterable[str]:
    return [ring for ring in rings_of(value) if ring not in groups]
