# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order the clusters of a site are converged, and what keeps one from being converged now.

Rings are groups of the inventory: the clusters of the first are converged and verified, then those of the next, and
those of no ring at last; within a ring so many at a time as `mcpops_serial` says. Where a cluster fails, none of a
later batch is begun. Nor is one whose platform failed in the same run. Nothing here asks a service.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.errors import AnsibleError
from jinja2.exceptions import UndefinedError

from ..module_utils.domain import CLUSTERS
from ..module_utils.site.inventory import PLATFORM_VARIABLE, Finding, Host, host_names
from ..module_utils.text import listed, sentence

RINGS, SERIAL = "mcpops_rings", "mcpops_serial"
PLATFORM_STAGE, CLUSTER_STAGE = "platform", "cluster"
# what playbooks/site.yml keeps of each host
STANDS, FAILURE, CHECKED, CLUSTER_RESULT = (
    "site_platform_stands",
    "site_platform_failure",
    "preflight_variables",
    "aks_cluster_result",
)
SHOWN = 20
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
    """All clusters of the run, in the order in which they are converged. In check mode, which changes none, at once."""
    clusters = [name for name in site.groups.get(CLUSTERS, ()) if name in site.present]
    if site.check_mode or not clusters:
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
    return not site.check_mode and (len(batches(site)) > 1 or any(_held_by(site, name) for name in site.present))


def reasons_to_stop(site: Site, host: str) -> list[str]:
    """Why this cluster must not be converged now, if anything: its platform, or a cluster before it."""
    if site.check_mode:
        # nothing is converged, and what differs is worth knowing
        return []
    platform = _held_by(site, host)
    if platform:
        why = (site.of(platform, FAILURE) or {}).get("why") or "it could not be reached"
        return [
            f"{host} was not converged: its platform {platform} failed in this run: {sentence(str(why))} "
            "Mend that, and run the site again."
        ]
    rows = batches(site)
    place = next((number for number, batch in enumerate(rows) if host in batch.hosts), 0)
    before = [name for batch in rows[:place] for name in batch.hosts if name in site.lost]
    if not before:
        return []
    waiting = [name for batch in rows[place:] for name in batch.hosts]
    return [
        f"{host} was not converged: {listed(before, SHOWN)} failed, and clusters of later rings wait until those "
        f"before them are well. Not begun: {listed(waiting, SHOWN)}. Mend that, and run the site again: what is as "
        "declared is left alone."
    ]


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


def platform_failure(site: Site, platform: str, result: Mapping[str, Any]) -> dict[str, str]:
    """What is said of a platform that failed: why, and which clusters a run leaves as they are for it."""
    failed = [one for one in result.get("results") or () if isinstance(one, Mapping) and one.get("failed")]
    told = (one.get("msg") for one in (*failed, result))
    why = next((str(one).strip() for one in told if one), "without a message")
    clusters = [name for name in site.groups.get(CLUSTERS, ()) if site.of(name, PLATFORM_VARIABLE) == platform]
    rest = f" The clusters that stand on it are not converged: {listed(clusters, SHOWN)}." if clusters else ""
    return {"why": why, "msg": f"{platform} failed: {sentence(why)}{rest}"}


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
