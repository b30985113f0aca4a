# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to change in a cluster, decided without a request.

Fields that AKS treats specially, and the order of the steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ...compare import Rule, Rules, merge, overlay
from ...errors import InvalidInput, Problem
from ...plan import ABSENT, Change, Plan, Refusal
from .. import compare, names
from ..compare import arm_value, creation_rules, envelope_rules
from ..equivalence import ModelRules, as_spelled
from ..fields import not_sent
from ..reconcile import has_failed, provisioning_state
from .spec import ClusterSpec, current_pools, declared_pools, failed_pools, surplus_pools, with_agreeing_counts
from .versions import VersionStep, pool_version_step, version_step

POOLS = "properties.agentPoolProfiles"
_NETWORK = "properties.networkProfile"

# what differs from what the models say; the first row that matches a path wins
_BY_NAME = {POOLS: Rule(key="name", keep_others=True)}
_TABLE = {
    "identity.userAssignedIdentities": Rule(purge=True, empty_is_absent=True),
    # keys with slashes need the double star; an empty object stands for an identity
    "identity.userAssignedIdentities.**": Rule(arm_value),
    **_BY_NAME,
}


@dataclass(frozen=True)
class Fixed:
    """A place that AKS takes no change of, and who says so; `unless` lists (before, after) that it does take, with `*`
    for any value. What nobody has said is left to the service, which knows."""

    pattern: str
    remedy: str
    source: str
    unless: tuple[tuple[str, str], ...] = ()


_LINUX = ("ubuntu", "ubuntu2204", "ubuntu2404", "azurelinux", "azurelinux3", "cblmariner", "azurecontainerlinux")
SDK = "azure-mgmt-containerservice 41.8"
PROVIDERS = "azurerm (ForceNew, cycleNodePoolProperties) and the webhooks of Cluster API for Azure agree"
_KEEP = "Set it back to the current value, or create a second cluster and migrate"
_RENEW = "Set it back to the current value, or add a pool of another name and remove this one"
_POOL = r"properties\.agentPoolProfiles\[[^]]+\]\."
FIXED = (
    Fixed(r"location", _KEEP, f"{SDK}: location is to be given at creation only"),
    Fixed(r"properties\.dnsPrefix", _KEEP, f"{SDK}: 'cannot be updated once the Managed Cluster has been created'"),
    Fixed(r"properties\.fqdnSubdomain", _KEEP, f"{SDK}: 'cannot be updated once the Managed Cluster has been created'"),
    Fixed(r"properties\.(nodeResourceGroup|enableRBAC|diskEncryptionSetID)", _KEEP, PROVIDERS),
    Fixed(
        r"properties\.networkProfile\.networkPlugin",
        _KEEP,
        PROVIDERS + "; from kubenet: learn.microsoft.com/azure/aks/upgrade-aks-ipam-and-dataplane",
        (("kubenet", "azure"),),
    ),
    Fixed(
        r"properties\.networkProfile\.(serviceCidrs?|dnsServiceIP)(\[.*)?",
        _KEEP,
        f"{PROVIDERS}; answered with PropertyChangeNotAllowed",
    ),
    Fixed(r"properties\.linuxProfile\.adminUsername", _KEEP, PROVIDERS),
    Fixed(
        r"properties\.oidcIssuerProfile\.enabled",
        "The OIDC issuer cannot be turned off: declare true, or leave it out",
        "learn.microsoft.com/azure/aks/use-oidc-issuer: 'you can't disable it' (OIDCIssuerFeatureCannotBeDisabled)",
        (("*", "true"),),
    ),
    Fixed(
        _POOL + r"vmSize",
        _RENEW,
        'PropertyChangeNotAllowed: \'Changing property "agentPoolProfile.vmSize" is not allowed in an api-version '
        'before "2026-01-02-preview"\' (bicep-registry-modules#7130)',
    ),
    Fixed(_POOL + r"osDiskType", _RENEW, f"{SDK}: 'May not be changed after creation'"),
    Fixed(
        _POOL + r"(osDiskSizeGB|kubeletDiskType|maxPods|availabilityZones|vnetSubnetID|podSubnetID|enableNodePublicIP"
        r"|enableEncryptionAtHost|enableUltraSSD|osType|scaleSetPriority|spotMaxPrice|proximityPlacementGroupID"
        r"|capacityReservationGroupID|gpuInstanceProfile)",
        _RENEW,
        PROVIDERS,
    ),
    Fixed(_POOL + r"hostGroupID", _RENEW, f"{SDK}: 'not allowed to changed once set'", (("(absent)", "*"),)),
    Fixed(_POOL + r"(kubeletConfig|linuxOSConfig|creationData|gpuProfile)(\..*)?", _RENEW, PROVIDERS),
    Fixed(
        _POOL + r"osSKU",
        _RENEW,
        "an image of another system is another pool; between images of Linux: learn.microsoft.com/azure/aks/"
        "upgrade-os-version (api ≥2023-11)",
        tuple((one, other) for one in _LINUX for other in _LINUX),
    ),
)


@cache
def cluster_rules(purge_tags: bool) -> Rules:
    return ModelRules({**envelope_rules(purge_tags), **_TABLE}, "ManagedCluster")


def immutable_refusals(changes: list[Change]) -> list[Refusal]:
    """The changes that AKS would answer with PropertyChangeNotAllowed, found without asking it."""
    return [
        Refusal(change.path, change.before, change.after, row.remedy)
        for change in changes
        for row in FIXED
        if re.fullmatch(row.pattern, change.path) and not _taken(change, row)
    ]


def _taken(change: Change, row: Fixed) -> bool:
    before, after = _as_text(change.before), _as_text(change.after)
    return any(one in (before, "*") and other in (after, "*") for one, other in row.unless)


def _as_text(value: Any) -> str:
    return "(absent)" if value is ABSENT else str(value).lower()


Body = dict[str, Any]

_CLUSTER_VERSION = names.api_version_of(names.MANAGED_CLUSTERS)
_POOL_VERSION = names.api_version_of(names.AGENT_POOLS)


@dataclass(frozen=True)
class Step:
    """One request: to the cluster, or to the node pool that `pool` names. `changes` are what it makes."""

    method: str
    changes: tuple[Change, ...]
    pool: str = ""
    body: Any = None
    etag: str = ""
    create: bool = False


@dataclass(frozen=True)
class ClusterPlan(Plan):
    """`body` is the cluster's PUT; `steps` are the requests in their order, each planned again after the one before."""

    steps: tuple[Step, ...] = ()


def plan_cluster(current: Body | None, spec: ClusterSpec) -> ClusterPlan:
    return _creation(spec) if current is None else _update(current, spec)


def _creation(spec: ClusterSpec) -> ClusterPlan:
    defaults: Body = {
        "identity": {"type": "SystemAssigned"},
        "properties": {"dnsPrefix": default_dns_prefix(spec.name), "enableRBAC": True},
    }
    if "sku" in spec.declared:
        defaults["sku"] = {"name": "Base"}
    declared = overlay(defaults, spec.declared)
    declared = names.with_owner(declared, spec.owner)
    declared["properties"]["agentPoolProfiles"] = declared_pools([], spec)
    merged = merge({}, declared, creation_rules(_BY_NAME))
    body = compare.without_paths(merged.value, ())
    changes = compare.redact_changes(merged.changes)
    step = Step("PUT", changes, body=body, create=True)
    return _with_steps(Plan(spec.subject, changes, body=body, is_new=True), (step,))


def _with_steps(plan: Plan, steps: tuple[Step, ...]) -> ClusterPlan:
    return ClusterPlan(**vars(plan), steps=steps)


def _update(current: Body, spec: ClusterSpec) -> ClusterPlan:
    pools = current_pools(current)
    declared = dict(spec.declared)
    declared["properties"] = dict(declared.get("properties", {}))
    step = version_step(current, spec.kubernetes_version)
    if step.settled:
        declared["properties"].pop("kubernetesVersion", None)
    steps_of_pools: list[VersionStep] = []
    if spec.pools:
        declared["properties"]["agentPoolProfiles"] = [
            _without_settled_version(current, pools, pool, steps_of_pools) for pool in declared_pools(pools, spec)
        ]
    if "tags" in declared:
        # a purge does not remove the mark of ownership
        declared["tags"] = compare.tags_over(current, declared["tags"], spec.purge_tags)
    declared = _with_one_kind_of_identity(current, as_spelled(current, declared, "ManagedCluster"))
    rules = cluster_rules(spec.purge_tags)
    compared, unanswered = compare.comparable_part(declared, current)
    changes = list(compare.redact_changes(merge(current, compared, rules).changes))
    surplus, kept = surplus_pools(pools, spec)
    changes += [Change(f"{POOLS}[{pool['name']}]", pool, ABSENT) for pool in surplus]
    versions = [step, *steps_of_pools]
    refused = [*(refusal for one in versions for refusal in one.refused), *immutable_refusals(changes)]
    broken, failed = failed_pools(pools, spec)
    changes += [
        Change(f"{_place(pool)}.provisioningState", pool["provisioningState"], "Succeeded")
        for pool in broken
        if not any(_is_of(change, pool) for change in changes)
    ]
    if has_failed(current) and all(change.path.startswith(POOLS) for change in changes):
        changes.append(Change("properties.provisioningState", provisioning_state(current), "Succeeded"))
    wanted = merge(current, declared, rules).value
    _require_system_pool(wanted, spec)
    steps = tuple(_steps(current, wanted, changes))
    others = names.other_owner_notes(spec.subject, current, spec.owner, "cluster")
    notes = [
        *(note for one in versions for note in one.notes),
        *kept,
        *failed,
        *compare.write_only_note(unanswered),
        *others,
    ]
    plan = Plan(spec.subject, tuple(changes), tuple(refused), _cluster_body(wanted, changes), tuple(notes))
    return _with_steps(plan, steps)


def _with_one_kind_of_identity(current: Body, declared: Body) -> Body:
    """What becomes system-assigned leaves the assigned one: the service takes the one or the other."""
    identity = declared.get("identity")
    ids = (current.get("identity") or {}).get("userAssignedIdentities")
    if not ids or not identity or str(identity.get("type")).lower() != "systemassigned":
        return declared
    return {**declared, "identity": {**identity, "userAssignedIdentities": None}}


def _without_settled_version(current: Body, pools: list[Body], pool: Body, found: list[VersionStep]) -> Body:
    """The declared pool, without a version that the standing one has or has passed; the step is added to `found`."""
    existing = next((item for item in pools if _place(item).lower() == _place(pool).lower()), None)
    declared = pool.get("orchestratorVersion")
    if existing is None or not declared or pool.get("nodeImageVersion"):
        # with an image of its own it may be a rollback, which the service judges
        return pool
    found.append(pool_version_step(current, existing, str(declared)))
    return {key: value for key, value in pool.items() if key != "orchestratorVersion"} if found[-1].settled else pool


def _steps(current: Body, wanted: Body, changes: list[Change]) -> Iterator[Step]:
    """The cluster (its version bounds the pools'), then new pools, changed ones, and those that go."""
    own = tuple(change for change in changes if not change.path.startswith(POOLS))
    if own:
        yield Step("PUT", own, body=_cluster_body(wanted, changes), etag=str(current.get("eTag") or ""))
    existing = {_place(pool): pool for pool in current_pools(current)}
    after = {_place(pool): pool for pool in current_pools(wanted)}
    new = [place for place in after if place not in existing]
    gone = {change.path for change in changes if change.after is ABSENT and change.path in existing}
    for place in [*new, *(place for place in after if place in existing and place not in gone)]:
        theirs = tuple(change for change in changes if change.path == place or change.path.startswith(f"{place}."))
        if theirs:
            found = existing.get(place)
            etag = str((found or {}).get("eTag") or "")
            name = str((found or after[place])["name"])
            yield Step("PUT", theirs, name, _pool_body(after[place], theirs, place), etag, create=found is None)
    for place in gone:
        pool = existing[place]
        theirs = tuple(change for change in changes if change.path == place)
        yield Step("DELETE", theirs, str(pool["name"]), etag=str(pool.get("eTag") or ""))


def _place(pool: Mapping[str, Any]) -> str:
    return f"{POOLS}[{pool.get('name')}]"


def _is_of(change: Change, pool: Mapping[str, Any]) -> bool:
    place = _place(pool).lower()
    return change.path.lower() == place or change.path.lower().startswith(f"{place}.")


def _cluster_body(wanted: Body, changes: list[Change]) -> Body:
    changed = [change.path for change in changes]
    body = compare.without_paths(wanted, not_sent(names.MANAGED_CLUSTERS, _CLUSTER_VERSION, changed))
    body["properties"].pop("agentPoolProfiles", None)
    for one, several in (("podCidr", "podCidrs"), ("serviceCidr", "serviceCidrs")):
        # both are answered: what the other one was may not stay beside a new value
        if f"{_NETWORK}.{one}" in changed and f"{_NETWORK}.{several}" not in changed:
            body["properties"]["networkProfile"].pop(several, None)
    return body


def _pool_body(pool: Mapping[str, Any], changes: tuple[Change, ...], place: str) -> Body:
    properties = {key: value for key, value in with_agreeing_counts(dict(pool)).items() if key != "name"}
    if [change.path for change in changes] == [place]:
        # a new pool: all that it has was declared
        changed = [f"properties.{key}" for key in properties]
    else:
        changed = [change.path.replace(place, "properties", 1) for change in changes]
    return compare.without_paths({"properties": properties}, not_sent(names.AGENT_POOLS, _POOL_VERSION, changed))


def default_dns_prefix(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9-]", "-", name)[:54].strip("-") or "aks"


def _require_system_pool(body: Mapping[str, Any], spec: ClusterSpec) -> None:
    """Only now is it known which pools there will be."""
    pools = body["properties"]["agentPoolProfiles"]
    if pools and not any(str(pool.get("mode")).lower() == "system" for pool in pools):
        sentence = "the cluster would be left without a pool of mode System: keep one"
        raise InvalidInput(spec.subject, [Problem("node_pools", sentence)])


def plan_removal(current: Body | None, spec: ClusterSpec) -> Plan:
    if current is None:
        return Plan(spec.subject)
    refused = names.refuse_deletion(current, spec.owner, spec.force_delete, always=False)
    shown = {key: current[key] for key in ("id", "location", "tags") if key in current}
    return Plan(spec.subject, (Change("", shown, ABSENT),), tuple(refused))
