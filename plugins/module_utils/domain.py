# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a domain states about itself: kinds to read, checks, reason codes, readiness, field managers, roles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .kube.client import Kube
    from .kube.diagnosis.snapshot import Finding, Snapshot
    from .kube.readiness.judge import Judge
    from .kube.readiness.reasons import ReasonCode
    from .kube.writers import Writer
    from .plan import Refusal
    from .site.inventory import Host
    from .task import Task

COLLECTION = "mcpops.platform"
PLATFORMS, CLUSTERS = "platforms", "clusters"
"""The groups of an inventory whose hosts are the site."""
BACKEND, EXISTING = "aks_cluster_backend", "existing"
"""The variable of a cluster that says what makes it, and its value for one that somebody else has made."""
EXTRAS = "extras"
"""The stage of roles that site.yml does not import by name: they run after all others."""

Object = Mapping[str, Any]
HostVars = Mapping[str, Any]
"""The variables of a host, with what its roles have registered."""
Row = tuple[str, ...]


@dataclass(frozen=True)
class Role:
    """A role of the site: on which hosts it runs, and by which tag it is chosen.

    Beside `tasks/main.yml` it may have `verify.yml` and `teardown.yml`: they run because they are there.
    """

    name: str
    group: str = CLUSTERS
    stage: str = EXTRAS
    unless_empty: tuple[str, ...] = ()
    """It has nothing to do on hosts where none of these variables says anything, and is left out there."""

    @property
    def short_name(self) -> str:
        return self.name.rpartition(".")[2]

    def is_busy(self, variables: HostVars) -> bool:
        """Whether it has something to do on a host, as far as its variables show without being evaluated."""
        return not self.unless_empty or any(variables.get(name) for name in self.unless_empty)


@dataclass(frozen=True)
class Right:
    """What the roles of a domain must be allowed to do in a cluster: asked of one that is there already.

    `place` is a key of site_preflight_namespaces; empty for the whole cluster, whatever the site has. With `everywhere`
    it is the whole cluster as well, but of sites alone that have such a place. `resource` may be a subresource
    (`services/proxy`).
    """

    resource: str
    verbs: tuple[str, ...]
    group: str = ""
    place: str = ""
    everywhere: bool = False


AzureNeeds = Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]]
"""What a module must be allowed in Azure for the options that a task gives it.

Rows of the option permissions of azure_preflight, or with `providers`, namespaces that have to be registered.
"""


@dataclass(frozen=True)
class Diagnosis:
    """What a domain adds to the diagnosis of a cluster.

    `observe` asks what lists do not tell, and returns the snapshot with it in `facts`. `explain` says a finding about
    pods in the domain's own words. `findings` is pure.
    """

    findings: Callable[[Snapshot], Iterable[Finding]]
    observe: Callable[[Task, Kube, Snapshot], Snapshot] = lambda _task, _kube, snapshot: snapshot
    explain: Callable[[Finding], Finding] = lambda found: found


@dataclass(frozen=True)
class Column:
    """A column in the report's table of clusters: the objects that verification reads, and what is shown of them.

    `show` also gets the host's variables; a dash stands for an empty text.
    """

    title: str
    api_version: str
    kind: str
    show: Callable[[Sequence[Object], HostVars], str]
    label_selectors: tuple[str, ...] = ()

    @property
    def read(self) -> dict[str, Any]:
        """The options of k8s_objects_info."""
        return {
            "api_version": self.api_version,
            "kind": self.kind,
            "label_selectors": list(self.label_selectors),
        }


@dataclass(frozen=True)
class Answers:
    """A table of what answers, from what the domain's verify.yml has registered.

    `missing` says of a host that failed what did not answer, or that it failed before; empty where nothing is known.
    `facts` are the same for programs, by the name of what they are about, without the texts that were answered: those
    may be anything.
    """

    header: Row
    rows: Callable[[HostVars], list[Row]]
    missing: Callable[[HostVars], str] = lambda _host: ""
    facts: Callable[[HostVars], Mapping[str, Any]] = lambda _host: {}


@dataclass(frozen=True)
class Foundation:
    """The module whose result says whether what everything else on a host lives in is there.

    `key` is where the result describes it, by `kept` and more. `start` is the command that starts what is stopped.
    """

    module: str
    key: str
    kept: tuple[str, ...]
    is_gone: Callable[[Mapping[str, Any]], bool]
    is_stopped: Callable[[Mapping[str, Any]], bool]
    start: Callable[[Mapping[str, Any], str], Sequence[str]]


@dataclass(frozen=True)
class Unique:
    """What no two hosts with this role may have in common: a finding about `variable` of the later one.

    `key` is compared, None where it is not known; `message` is given the host and the earlier one.
    """

    role: str
    variable: str
    key: Callable[[Host], Any]
    message: Callable[[Host, Host], str]


@dataclass(frozen=True)
class ReleaseStep:
    """What helm is about to do to a release."""

    namespace: str
    chart: str
    """Of the release that stands; empty where there is none. So is its version."""
    version: str
    wanted_chart: str
    """Empty where the release is to be removed. So is its version."""
    wanted_version: str
    values: Mapping[str, Any]
    """The user values that helm is to be given."""
    own_namespaces: tuple[str, ...] = ()
    """Namespaces among the objects of the release that stands, which are not kept when it has them no more."""


@dataclass(frozen=True)
class Domain:
    """One row: what the rest of the collection knows about a domain."""

    name: str
    roles: tuple[Role, ...] = ()
    """In the order in which they run; teardown reverses it."""
    rights: tuple[Right, ...] = ()
    """What its roles do in a cluster."""
    azure_needs: Mapping[str, AzureNeeds] = field(default_factory=dict)
    """What its modules do in Azure, by their names: asked for all tasks of the site's roles before the first one."""

    kinds: tuple[tuple[str, str], ...] = ()
    """(apiVersion, kind) that a diagnosis reads in addition."""
    reasons: Mapping[str, ReasonCode] = field(default_factory=dict)
    """The codes of its findings."""
    diagnosis: Callable[[], Diagnosis] | None = None
    """Makes the checks; called only where a cluster is diagnosed."""
    judges: Mapping[tuple[str, str], Judge] = field(default_factory=dict)
    """Readiness of its kinds, by (API group, kind): what keeps an object from being ready."""
    writers: tuple[Writer, ...] = ()
    """Who may write where in objects without it being drift."""

    modules: tuple[str, ...] = ()
    """Patterns of its modules' names; `changed_by_hand` is the advice for what they find changed, where it is not known
    by whom."""
    changed_by_hand: str = ""
    foundation: Foundation | None = None

    columns: tuple[Column, ...] = ()
    answers: Answers | None = None

    release_rules: tuple[Callable[[ReleaseStep], Iterator[Refusal]], ...] = ()
    """What helm must not be told to do with charts that the domain knows."""

    unique: tuple[Unique, ...] = ()
    host_rules: tuple[Callable[[Host], Iterator[tuple[str, str]]], ...] = ()
    """What must hold between the variables of a host: (path, message) of what does not."""


def unknown_calls(
    host: Host, role: str, calls: str, declared: str, of: tuple[str, str], has_options: bool = False
) -> Iterator[tuple[str, str]]:
    """Calls that verification would make of what the host does not declare, as a host rule has them.

    `calls` and `declared` are variables; `of` is the key that says who is called, and what that is. Where the entries
    have options of their own, one that names nobody is refused by these.
    """
    asked, there = host.get(calls), host.get(declared)
    if role not in host.roles or not isinstance(asked, list) or not isinstance(there, list):
        return
    key, what = of
    known = [entry.get("name") for entry in there if isinstance(entry, Mapping)]
    for index, call in enumerate(asked):
        name = call.get(key) if isinstance(call, Mapping) else None
        if name not in known and not (name is None and has_options):
            named = ", ".join(map(str, known)) or "it has none"
            yield f"{calls}[{index}].{key}", f"{name!r} is not {what} of this host ({named})"


def writers_of(domains: Iterable[Domain]) -> tuple[Writer, ...]:
    return tuple(row for domain in domains for row in domain.writers)


def judges_of(domains: Iterable[Domain]) -> dict[tuple[str, str], Judge]:
    return {kind: judge for domain in domains for kind, judge in domain.judges.items()}
