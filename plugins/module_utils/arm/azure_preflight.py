# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of azure_preflight: what keeps this identity from making what is declared, before any of it is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from ..errors import Check, NotReady, Problem, Reason, Rule, check, refuse
from ..masking import declared_values, protect
from ..plan import Plan
from ..reachability import address_of, address_problems, unreachable
from ..run_cache import RunCache
from ..task import Result, Task
from ..tool_versions import Tools, requirement_problems
from . import azure_provider, azure_rights, cluster_preflight, image_platforms, names, preview_features
from .acr_image import are_there
from .acr_plan import parse_image
from .assignable_roles import Needed, suitable
from .azure_rights import Held
from .azure_role_assignment import is_given
from .client import Arm
from .cluster_preflight import Cluster, Finding, Wish
from .image_platforms import DeclaredImage
from .options import Identity, resolve_identity

_SUBJECT = "Azure preflight"
# the tasks of one play about the same clusters
_SHARED_SECONDS = 120.0

# kinds of identities that ask the login host from here; others have azure-cli or their machine for that
_LOGS_IN = ("secret", "certificate", "workload_identity")
_NETWORK = "Check the network, HTTPS_PROXY and NO_PROXY, and the CA bundle (REQUESTS_CA_BUNDLE or SSL_CERT_FILE)"

Params = Mapping[str, Any]


@dataclass
class Found:
    """What was learnt so far; all of it can be written as JSON."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Host and text."""
    missing: list[dict[str, Any]] = field(default_factory=list)
    providers: dict[str, str] = field(default_factory=dict)
    pools: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Part:
    """What one host needs to be allowed, and to have registered."""

    host: str
    permissions: Sequence[Mapping[str, Any]]
    providers: Sequence[str]

    @classmethod
    def of(cls, host: str, row: Mapping[str, Any]) -> _Part:
        return cls(host, row.get("permissions") or (), row.get("providers") or ())


def converge(task: Task) -> Result:
    """All that is missing, in one message; nothing is changed.

    What hosts need together is looked at once. The first of those that lack something says what all of them lack.
    """
    params = task.params
    refuse(_SUBJECT, problems(params))
    entries = {str(entry["host"]): entry for entry in params["clusters"] or ()}
    own, identity = list(entries), resolve_identity(params)
    for entry in entries.values():
        protect(task, declared_values([entry["cluster"]]))
    wishes = _wishes(entries, identity.subscription_id)
    if params["share"] == "keep":
        cluster_preflight.kept(task, identity, lambda known: {**known, **entries})
        return Result(False, f"{_SUBJECT}: kept what {', '.join(own)} declares")
    others = cluster_preflight.kept(task, identity) if params["share"] == "look" else {}
    everybody = dict(sorted({**others, **entries}.items()))
    arm = Arm.connect(task)
    found = _shared(task, identity, everybody, lambda: _look(task, arm, everybody, wishes))
    if others:
        cluster_preflight.promise(task, identity, {host: _sizes_of(found, host) for host in own})
    theirs = [Finding(**row) for row in found.findings]
    mine = [finding for finding in theirs if finding.host in ("", *own)]
    for finding in mine:
        if not finding.fails:
            task.warn(str(_reason(finding)))
    notes = [text for host, text in found.notes if host in ("", *own)]
    values: dict[str, Any] = {
        "subscription_id": arm.subscription_id,
        "missing": [
            {key: value for key, value in row.items() if key != "host" or value}
            for row in found.missing
            if row["host"] in ("", *own)
        ],
    }
    if found.providers:
        values["providers"] = found.providers
    if own:
        values["node_pools"] = [row for row in found.pools if row["host"] in own]
        rows = [asdict(finding) for finding in mine]
        values["findings"] = [{key: value for key, value in row.items() if key != "host" or value} for row in rows]
    if any(finding.fails for finding in mine):
        first = min(finding.host for finding in theirs if finding.fails)
        if first not in ("", *own):
            notes.append(f"What all hosts of this run lack is told for host {first}.")
        told = [finding for finding in (theirs if first in ("", *own) else mine) if finding.fails]
        several = len({finding.host for finding in told}) > 1
        reasons = list(dict.fromkeys(_reason(finding, several) for finding in told))
        raise NotReady(_SUBJECT, reasons, values={**values, **({"notes": notes} if notes else {})}, apart=True)
    subject = f"subscription {arm.subscription_id}"
    stated = f"{subject}: this identity may do what is declared"
    if own:
        stated = f"{subject}: what {', '.join(own)} declares can be made"
    return Result(False, stated, (Plan(subject, notes=tuple(notes)),), values)


def _sizes_of(found: Found, host: str) -> dict[str, str]:
    return {row["node_pool"]: row["vm_size"] for row in found.pools if row["host"] == host and row["vm_size"]}


def problems(params: Params) -> list[Problem]:
    """What is wrong with the options of azure_preflight."""
    return check(_RULES, params)


def _reason(finding: Finding, with_host: bool = False) -> Reason:
    # a scope or a namespace is the same for all hosts that need it
    named = with_host and finding.host and finding.code not in _OF_NO_HOST
    subject = f"{finding.host}: {finding.subject}" if named else finding.subject
    return Reason(subject, finding.code, finding.message, finding.hint)


_OF_NO_HOST = ("AuthorizationFailed", "MissingSubscriptionRegistration", "Unreachable")


Entries = Mapping[str, Mapping[str, Any]]
"""What hosts declare, by host."""


def _wishes(entries: Entries, subscription: str) -> dict[str, Wish]:
    """The clusters of these hosts, once nothing is wrong with any of them."""
    declared = {host: entry for host, entry in entries.items() if entry["has_cluster"]}
    read = {host: cluster_preflight.wish_of(entry, subscription) for host, entry in declared.items()}
    refuse(_SUBJECT, [problem for _wish, wrong in read.values() for problem in wrong])
    return {host: wish for host, (wish, _wrong) in read.items() if wish is not None}


def _shared(task: Task, identity: Identity, everybody: Entries, look: Callable[[], Found]) -> Found:
    """What was found, by whichever task of this run looked first where several hosts look at the same."""
    params = task.params
    if len(everybody) == len(params["clusters"] or ()):
        return look()
    asked = [everybody, *(params[name] for name in ("permissions", "providers", "examine", "retirement_days"))]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
    key = ("azure-preflight", identity.fingerprint(), identity.subscription_id, digest)
    return Found(**RunCache(task.run_directory).get_or_make(key, lambda: (asdict(look()), _SHARED_SECONDS)))


def _look(task: Task, arm: Arm, everybody: Entries, own: Mapping[str, Wish]) -> Found:
    params = task.params
    found = Found()
    everything, days = params["examine"] == "all", params["retirement_days"]
    findings: list[Finding] = []
    silent: set[str] = set()
    if everything:
        findings += _reached(task, arm, everybody, silent)
        findings += _installed(task, everybody)
        if any(finding.host == "" for finding in findings):
            # nothing else can be asked
            found.findings = [asdict(finding) for finding in findings]
            return found
    # what was kept was looked at by whoever kept it
    others = {host: entry for host, entry in everybody.items() if host not in own}
    wishes = {**_wishes(others, arm.subscription_id), **own}
    clusters = list(
        cluster_preflight.read(task, arm, [wishes[host] for host in everybody if host in wishes], found.notes)
    )
    parts = [_Part.of("", params), *(_Part.of(host, entry) for host, entry in everybody.items())]
    findings += _allowed(task, arm, parts, clusters, found)
    if clusters:
        today = datetime.now(timezone.utc).date()
        looked = cluster_preflight.look(arm, clusters, everything, today, days)
        findings += looked.findings
        found.notes += looked.notes
        found.pools += looked.pools
    if clusters and everything:
        wrong, unknown = image_platforms.look(
            task,
            arm,
            clusters,
            {host: [DeclaredImage.of(row) for row in entry.get("images") or ()] for host, entry in everybody.items()},
            {host: _sizes_of(found, host) for host in everybody},
            lambda image: address_of(image) not in silent,
            _registries_of(everybody, arm.subscription_id),
        )
        findings += wrong
        found.notes += unknown
    found.findings = [asdict(finding) for finding in findings]
    return found


def _registries_of(entries: Entries, subscription: str) -> list[str]:
    """The ids of all registries that rights are asked for."""
    rows = [row for entry in entries.values() for row in entry.get("permissions") or ()]
    named = [str(text or "") for row in rows for text in (row.get("scope"), row.get("unless_present"))]
    ids = [azure_rights.scope_of(one, subscription) for one in named]
    return list(dict.fromkeys(one for one in ids if (names.REGISTRIES in one and one.count("/") == 8)))


def _installed(task: Task, entries: Entries) -> Iterator[Finding]:
    """Programs and libraries that hosts use, as they are where the play runs."""
    tools = Tools(task)
    for host, entry in entries.items():
        for one in tools.lacking(entry.get("programs") or (), entry.get("libraries") or ()):
            yield Finding(host, one.subject, code="NotInstalled", message=one.message, hint=one.hint)


def _reached(task: Task, arm: Arm, entries: Entries, silent: set[str]) -> Iterator[Finding]:
    """Azure, then what the clusters get charts and images from, asked from here and all at once.

    `silent` gets what does not answer.
    """
    identity = resolve_identity(task.params)
    azure = [arm.cloud.resource_manager, *([arm.cloud.authority] if identity.kind in _LOGS_IN else [])]
    failed = unreachable([url for url in azure if url], verify=identity.verify) if entries else {}
    for url in failed:
        yield Finding("", url, code="Unreachable", message=f"it {failed[url]}", hint=_NETWORK)
    if failed:
        return
    asked = {host: list(dict.fromkeys(entry.get("endpoints") or ())) for host, entry in entries.items()}
    later = _not_made_yet(arm, entries, [endpoint for given in asked.values() for endpoint in given])
    theirs = {
        host: list(dict.fromkeys(url for url in map(address_of, given) if url and _first_label(url) not in later))
        for host, given in asked.items()
    }
    failed = unreachable([url for urls in theirs.values() for url in urls], verify=identity.verify)
    silent.update(failed)
    for host, urls in theirs.items():
        for url in urls:
            if url in failed:
                # nodes may reach what this machine does not, and programs have certificates of their own
                yield Finding(host, url, code="Unreachable", message=f"it {failed[url]}", hint=_NETWORK, fails=False)


def _not_made_yet(arm: Arm, entries: Entries, endpoints: Sequence[str]) -> set[str]:
    """The names of registries among the endpoints that a host of this run makes, and that are not there yet."""
    rows = (row for entry in entries.values() for row in entry.get("permissions") or ())
    made = (str(row.get("unless_present") or "") for row in rows)
    ids = {azure_rights.scope_of(one, arm.subscription_id) for one in made if f"/{names.REGISTRIES}/" in one}
    by_name = {one.rpartition("/")[2].lower(): one for one in ids}
    named = {_first_label(address_of(endpoint) or "") for endpoint in endpoints} & set(by_name)
    return {name for name in named if not azure_rights.is_there(arm, by_name[name])}


def _first_label(url: str) -> str:
    """Of a registry of Azure's, its name."""
    return url.partition("://")[2].partition(".")[0].lower()


def _allowed(
    task: Task, arm: Arm, parts: Sequence[_Part], clusters: Sequence[Cluster], found: Found
) -> Iterator[Finding]:
    held = Held(arm)
    standing = {one.wish.spec.id.lower(): one for one in clusters}
    lacking: list[tuple[str, Needed]] = []
    for part in parts:
        for needed in azure_rights.wanted(part.permissions, arm.subscription_id):
            less = held.lacking(needed)
            if less is None:
                text = f"{needed.scope}: this identity may not read what it may do there; it was not checked."
                if (part.host, text) not in found.notes:
                    found.notes.append((part.host, text))
            # asked only now: of what stands, most identities may do all
            elif less and (less := _undone(task, arm, held, less, part.host, standing, found)):
                lacking.append((part.host, replace(less, scope=held.assigned_at(less.scope))))
        for namespace in dict.fromkeys(part.providers):
            # whoever may register it will
            if held.lacking(Needed(held.subscription, (_register(namespace),))):
                if namespace not in found.providers:
                    found.providers[namespace] = azure_provider.state_of(arm, namespace)
                yield from _of_provider(part.host, namespace, found.providers[namespace])
    for host, less in azure_rights.together(lacking):
        roles = held.roles_at(less.scope)
        assignee = azure_rights.assignee_of(arm.claims())
        told = azure_rights.reason_of(less, suitable(less, roles), bool(roles), assignee)
        yield Finding(host, told.subject, told.code, told.message, told.hint)
        row = {"scope": less.scope, "actions": list(less.actions), "data_actions": list(less.data_actions)}
        found.missing.append({"host": host, **row})


def _undone(
    task: Task, arm: Arm, held: Held, less: Needed, host: str, standing: Mapping[str, Cluster], found: Found
) -> Needed | None:
    """What is lacking for what is still to be done; of what stands already, a note."""
    stands = held.is_there(less.unless_present)
    if less.unless_assigned[0]:
        stands = is_given(arm, task, less.scope, *less.unless_assigned)
    elif less.unless_images[0]:
        stands = are_there(task, arm, *less.unless_images)
    if less.removes or not stands:
        return less if less.removes == stands else None
    left = less
    if azure_rights.is_within(less.unless_present, less.scope):
        # a role may have been given there alone
        left = less.missing(held.at(less.unless_present) or ())
    cluster = standing.get(less.unless_present.lower())
    # a comparison changes nothing
    taken = cluster is not None and not task.check_mode
    used = tuple(one for one in left.actions if taken and cluster and cluster.takes(left.scope, one))
    unused = replace(left, actions=tuple(one for one in left.actions if one not in used))
    if unused:
        text = f"{unused.scope}: this identity may not {unused}; it can repair nothing of it."
        found.notes.append((host, text))
    return replace(left, actions=used, data_actions=()) if used else None


def _register(namespace: str) -> str:
    return f"{namespace}/register/action"


def _of_provider(host: str, namespace: str, state: str) -> Iterator[Finding]:
    if state not in ("Registered", "Registering"):
        yield Finding(
            host,
            namespace,
            code="MissingSubscriptionRegistration",
            message=f"the resource provider is {state}, and this identity may not register it ({_register(namespace)})",
            hint=f"Somebody who may has to: `az provider register --namespace {namespace}`",
        )


def _entries(params: Params) -> Iterator[Problem]:
    """What would keep an entry from being told; the rest of a declaration is judged as aks_cluster judges it."""
    own = [str(entry["host"]) for entry in params["clusters"] or ()]
    for number, entry in enumerate(params["clusters"] or ()):
        host, where = str(entry["host"]), f"clusters[{number}]"
        if not host.strip():
            yield Problem(f"{where}.host", "is empty: name the host")
        if own.count(host) > 1:
            yield Problem(f"{where}.host", f"{host!r} declares two clusters: a cluster belongs to one host")
        named = (("name", names.MANAGED_CLUSTERS), ("resource_group", names.RESOURCE_GROUPS))
        for option, resource_type in named if entry["has_cluster"] else ():
            value = str(entry["cluster"].get(option) or "")
            yield from names.name_problems(f"{where}.cluster.{option}", resource_type, value)
        yield from azure_rights.row_problems(entry.get("permissions") or (), f"{where}.permissions")
        yield from azure_provider.namespace_problems(f"{where}.providers", entry.get("providers") or ())
        yield from preview_features.feature_problems(f"{where}.features", entry.get("features") or ())
        yield from address_problems(f"{where}.endpoints", entry.get("endpoints") or ())
        for index, row in enumerate(entry.get("images") or ()):
            if parse_image(str(row["image"])) is None:
                message = f"{row['image']!r} is not a valid image reference such as registry.example.com/echo:1.0.0"
                yield Problem(f"{where}.images[{index}].image", message)
        for option in ("programs", "libraries"):
            yield from requirement_problems(f"{where}.{option}", entry.get(option) or ())
        if any(not str(chart).strip() for chart in entry.get("charts") or ()):
            yield Problem(f"{where}.charts", "has an empty text: name a chart, such as ingress-nginx/ingress-nginx")


_RULES: tuple[Rule[Params], ...] = (
    lambda params: azure_rights.row_problems(params["permissions"] or ()),
    lambda params: azure_provider.namespace_problems("providers", params["providers"] or ()),
    _entries,
    Check("share", lambda params: params["share"] != "alone" and not params["clusters"], "{share} needs clusters"),
    Check("retirement_days", lambda params: params["retirement_days"] < 0, "must be at least 0, is {retirement_days}"),
    Check(
        "permissions",
        lambda params: not any(params[name] for name in ("permissions", "providers", "clusters")),
        "name these, or providers, or clusters",
    ),
)
