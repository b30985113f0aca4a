# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that a bundle once held and declares no more.

They carry the bundle's label, and the field manager that applies bundles has set that label: a copy that somebody
else made, or what a controller derived together with its labels (the EndpointSlices of a Service), stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady, Refused, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target, target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.delete import DeleteOptions, delete_existing
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import METADATA_OF_LIST, ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.explained import holds_others
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object, is_built_in
from ansible_collections.mcpops.platform.plugins.module_utils.kube.outcome import BundleOutcome, ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import owns_label
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import at_once
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Refusal
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task
from ansible_collections.mcpops.platform.plugins.module_utils.text import counted, listed

BUNDLE_LABEL = "mcpops.io/bundle"

# names told of those that stay or go
_SHOWN = 5
# what nobody declares, and a cluster has very many of
_NOT_LISTED = frozenset({("", "Event"), ("events.k8s.io", "Event")})

Settle = Callable[[BundleOutcome], Sequence[Object]]
Key = tuple[str, str, "str | None", str]


@dataclass(frozen=True)
class Leaving:
    """What is to go, and what a reader should know about it."""

    targets: tuple[Target, ...] = ()
    live: Mapping[Identity, Object] | None = None
    notes: tuple[str, ...] = ()


def labelled(item: Object, bundle: str) -> Object:
    """The declaration as a part of the bundle."""
    metadata = item["metadata"]
    return {**item, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), BUNDLE_LABEL: bundle}}}


def other_bundles(options: BundleOptions, targets: Iterable[Target], live: Mapping[Identity, Object]) -> list[Refusal]:
    """Objects that are part of another bundle, which would prune them, or lose them."""
    if options.bundle is None:
        return []
    found = []
    for target in targets:
        theirs = _bundle_of(live.get(target.who))
        if theirs in (None, options.bundle) or options.settings(target.who).force_conflicts:
            continue
        remedy = (
            "Declare it in one bundle only. To move it here, take it out of the other declaration and set "
            "force_conflicts for it in object_options once."
        )
        found.append(Refusal(f"{target.who}: bundle", theirs, options.bundle, remedy))
    return found


def leaving(kube: Kube, options: BundleOptions, declared: Sequence[Target]) -> Leaving:
    """The bundle's objects that are no longer declared; Refused when they are too many of them."""
    if options.bundle is None or options.pruning is None:
        return Leaving()
    namespaces = sorted({target.who.namespace for target in declared if target.who.namespace})
    found: dict[str, Target] = {}
    notes: list[str] = []
    for members, told in at_once(lambda kind: _members(kube, options, kind, namespaces), _kinds(kube)):
        notes += told
        # one object may be served by two API groups
        found.update({str(member.declared["metadata"]["uid"]): member for member in members})
    notes += _not_asked(kube)
    going, kept, held = choose(list(found.values()), {key_of(target.who) for target in declared})
    percent = options.pruning.max_percent
    if len(going) * 100 > percent * (len(going) + len(kept)):
        raise Refused(options.subject, [_too_many(options.bundle, going, len(going) + len(kept), percent)])
    notes += [f"{target.who}: is declared no more and kept: a {target.who.kind} is never pruned" for target in held]
    return Leaving(tuple(going), {target.who: target.declared for target in going}, tuple(notes))


def choose(members: Sequence[Target], declared: set[Key]) -> tuple[list[Target], list[Target], list[Target]]:
    """(what is to go, what stays declared, what is declared no more and never deleted) of a bundle's objects. Pure."""
    going, kept, held = [], [], []
    for member in sorted(members, key=lambda target: str(target.who)):
        if key_of(member.who) in declared:
            kept.append(member)
        elif holds_others(member.who):
            held.append(member)
        else:
            going.append(member)
    return going, kept, held


def settled(settle: Settle, found: Leaving, outcome: BundleOutcome) -> Sequence[Object]:
    """Wait for what was applied, and return how it stands then.

    NotReady tells what was done until then, and what was not pruned because of it.
    """
    try:
        return settle(outcome)
    except NotReady as failure:
        notes = [*outcome.notes, *found.notes]
        if found.targets:
            notes.append(_kept(found, "others are not ready"))
        failure.values.update(changed=outcome.changed, objects=outcome.rows(), **({"notes": notes} if notes else {}))
        raise


def carry_out(
    kube: Kube, task: Task, options: BundleOptions, found: Leaving, outcome: BundleOutcome, *, dry: bool
) -> BundleOutcome:
    """The outcome of the bundle with that of its pruning; nothing goes while something of the bundle has failed."""
    if not found.targets:
        return BundleOutcome(outcome.outcomes, outcome.notes + found.notes)
    if outcome.failures:
        told = _kept(found, "others failed")
        return BundleOutcome(outcome.outcomes, (*outcome.notes, *found.notes, told))
    deletion = DeleteOptions(
        subject=options.subject,
        propagation=options.propagation,
        wait=options.pruning is not None and options.pruning.wait,
        wait_timeout=options.wait_timeout,
        quiet=True,
    )
    gone = delete_existing(kube, task, found.targets, found.live or {}, deletion, dry=dry)
    pruned = tuple(ObjectOutcome(one.who, one.plan, None, one.failure, pruned=True) for one in gone)
    return BundleOutcome(outcome.outcomes + pruned, outcome.notes + found.notes)


def key_of(who: Identity) -> Key:
    """What tells an object from all others whatever version it is read by."""
    return who.group, who.kind, who.namespace, who.name


def _kinds(kube: Kube) -> list[ResourceType]:
    """Every kind that can be listed and deleted, in the version the API server prefers."""
    kinds: dict[tuple[str, str], ResourceType] = {}
    for key in kube.kinds():
        api_version, _slash, kind = key.rpartition("/")
        resource = kube.resource_type(api_version, kind, refresh=False)
        if resource is None or (resource.group, kind) in _NOT_LISTED or not {"list", "delete"} <= set(resource.verbs):
            continue
        kinds.setdefault((resource.group, kind), resource)
    return list(kinds.values())


def _not_asked(kube: Kube) -> list[str]:
    """APIs that did not even say which kinds they have: what the bundle has of them is not known."""
    known = {key.rpartition("/")[0] for key in kube.kinds()}
    silent = [one for one in kube.stale() if one not in known]
    if not silent:
        return []
    return [f"{', '.join(silent)}: not looked at for pruning, because the API does not answer."]


def _members(
    kube: Kube, options: BundleOptions, resource: ResourceType, namespaces: Sequence[str]
) -> tuple[list[Target], list[str]]:
    """(the bundle's objects of one kind, notes)."""
    selector = f"{BUNDLE_LABEL}={options.bundle}"
    # an extension API server that is down must not hold up everything else
    patient = is_built_in(resource.group)
    places: Sequence[str] = ()
    listed: list[Object] = []
    try:
        listed = kube.list_objects(
            resource, label_selector=selector, accept=METADATA_OF_LIST, retry=patient, quiet=True
        )
    except ServiceError as refused:
        if refused.status == 404:
            return [], []
        if refused.status != 403 or not resource.namespaced or not namespaces:
            return [], [f"{resource.plural} were not looked at for pruning: {refused}"]
        places = namespaces
    try:
        for place in places:
            listed += kube.list_objects(
                resource, place, label_selector=selector, accept=METADATA_OF_LIST, retry=patient, quiet=True
            )
    except ServiceError as refused:
        return [], [f"{resource.plural} were not looked at for pruning: {refused}"]
    ours = [item for item in listed if is_ours(item, options.manager)]
    return [target_of(resource, item) for item in ours], []


def is_ours(item: Mapping[str, Any], manager: str) -> bool:
    """Whether `manager` has applied the bundle's label, and nobody has asked for the object's deletion. Pure."""
    return owns_label(item, manager, BUNDLE_LABEL) and not (item.get("metadata") or {}).get("deletionTimestamp")


def _bundle_of(live: Object | None) -> str | None:
    return (((live or {}).get("metadata") or {}).get("labels") or {}).get(BUNDLE_LABEL)


def _kept(found: Leaving, reason: str) -> str:
    return f"Not pruned, because {reason}: {_named(found.targets)}"


def _too_many(bundle: str, going: Sequence[Target], of: int, percent: int) -> Refusal:
    remedy = (
        f"Pruning {_named(going)} is more than {percent} percent of it. Check that the declaration is complete; raise "
        "prune_max_percent if it is."
    )
    sentence = f"would shrink from {counted(of, 'object')} to {of - len(going)}"
    return Refusal.because(f"bundle {bundle}", sentence, remedy)


def _named(targets: Sequence[Target]) -> str:
    return listed([target.who for target in targets], _SHOWN)
