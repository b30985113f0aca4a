# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task declares about any ARM resource, how its type is updated, and what has to change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..compare import Rules, merge
from ..errors import InvalidInput, Problem, Rule, check
from ..masking import declared_values
from ..option_problems import LATER
from ..plan import ABSENT, Change, Plan, Refusal
from ..waiting import wait_timeout_problems
from . import compare, fields, names
from .compare import tag_values, typed_body, typed_like
from .equivalence import ModelRules, as_spelled
from .fields import not_sent
from .reconcile import has_failed, provisioning_state
from .update_policies import UpdatePolicy, update_policy_of

DECLARABLE = ("location", "sku", "kind", "identity", "zones", "properties")


@dataclass(frozen=True, kw_only=True)
class ResourceSpec(names.DeclaredResource):
    type: str
    state: str
    update_policy: UpdatePolicy
    called: str = ""
    """What messages call it, where its type and name say little."""

    @property
    def subject(self) -> str:
        return self.called or subject_of(self.type, self.name)


def subject_of(resource_type: str, name: str) -> str:
    return f"resource group {name}" if is_group(resource_type) else f"{resource_type} {name}"


def secrets_of(resource_type: str, body: Mapping[str, Any]) -> list[str]:
    """The secrets among the properties of a resource, and what a resource that is itself a secret holds.

    ARM marks what it treats as secret in its specifications only, not in what it answers: names and forms tell.
    """
    properties = body.get("properties") or {}
    kind = resource_type.rpartition("/")[2].lower()
    return declared_values([{"secrets": properties} if kind == "secrets" else properties])


def is_group(resource_type: str) -> bool:
    return resource_type.lower() == names.RESOURCE_GROUPS.lower()


def locate(params: Mapping[str, Any], subscription_id: str) -> tuple[str, str, str, list[Problem]]:
    """The (id, type, name) that the options name, and what is wrong with them."""
    problems: list[Problem] = []
    if params.get("id"):
        parsed = names.parse_id(params["id"])
        if parsed is None:
            sentence = "is not a valid id such as /subscriptions/.../resourceGroups/.../providers/Microsoft.X/type/name"
            return "", "", "", [Problem("id", f"{params['id']!r} {sentence}")]
        return params["id"], parsed.type, parsed.name, problems
    resource_type, name = params.get("type") or "", params.get("name") or ""
    group = params.get("resource_group") or ""
    depth = resource_type.count("/")
    if depth < 1 or "." not in resource_type.split("/")[0]:
        problems.append(
            Problem("type", f"{resource_type!r} is not a valid resource type, for example Microsoft.X/type")
        )
    elif is_group(resource_type):
        if group and group.lower() != name.lower():
            problems.append(Problem("resource_group", "a resource group lies in no other: give its name in name"))
    else:
        if not group:
            problems.append(Problem("resource_group", f"is needed for a resource of type {resource_type}"))
        if len(name.split("/")) != depth:
            parts = "/".join(part for part in resource_type.split("/")[1:])
            problems.append(Problem("name", f"{name!r} does not name one part for each of {parts}"))
    if not problems:
        problems += names.nested_name_problems("name", resource_type, name)
        in_group = bool(group) and not is_group(resource_type)
        problems += names.name_problems("resource_group", names.RESOURCE_GROUPS, group) if in_group else []
    if problems:
        return "", resource_type, name, problems
    return names.resource_id(subscription_id, group, resource_type, name), resource_type, name, problems


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of azure_resource."""
    return check(_RULES, params)


def info_problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of azure_resource_info."""
    return check((_place, _version), params) if params.get("id") or params.get("name") else []


def _place(params: Mapping[str, Any]) -> list[Problem]:
    return locate(params, "")[-1]


def _type(params: Mapping[str, Any]) -> str:
    return locate(params, "")[1]


def _version(params: Mapping[str, Any]) -> Iterator[Problem]:
    resource_type = _type(params)
    if resource_type and not _api_version(params):
        yield Problem("api_version", f"is needed: this collection pins none for {resource_type}")


def _api_version(params: Mapping[str, Any]) -> str:
    return params.get("api_version") or names.api_version_of(_type(params))


def _update_policy(params: Mapping[str, Any]) -> UpdatePolicy | None:
    return update_policy_of(_type(params), params.get("update_method"))


def _update_method(params: Mapping[str, Any]) -> Iterator[Problem]:
    resource_type = _type(params)
    if _update_policy(params) is None and params["state"] == "present" and resource_type:
        sentence = (
            f"is needed for {resource_type}: patch (PATCH what is declared), put_merged (PUT the present body with it) "
            "or put_declared (PUT only it)"
        )
        yield Problem("update_method", sentence)


def _tags(params: Mapping[str, Any]) -> Iterator[Problem]:
    yield from tag_values(params.get("tags"))[1]
    update_policy = _update_policy(params)
    if update_policy is not None and not update_policy.tags and params.get("tags"):
        yield Problem("tags", f"a resource of type {_type(params)} has no tags of its own: leave them out")


def _registry(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What a registry's SKU has not (https://learn.microsoft.com/azure/container-registry/container-registry-skus)."""
    sku, declared = (params.get("sku") or {}).get("name"), params.get("properties") or {}
    if not sku or _type(params).lower() != names.REGISTRIES.lower():
        return
    if str(sku).lower() not in _SKUS:
        yield Problem("sku.name", f"{sku!r} is not a SKU of registries: it takes {', '.join(map(str.title, _SKUS))}")
        return
    for name, value, has in _OF_SKU:
        if str(declared.get(name)).lower() == value and str(sku).lower() not in has:
            skus = " or ".join(one.capitalize() for one in has)
            yield Problem(f"properties.{name}", f"{declared[name]} takes a registry of SKU {skus}, not {sku}")


def _workspace(params: Mapping[str, Any]) -> Iterator[Problem]:
    """The ways of paying for a workspace, as azure-mgmt-loganalytics 14 has them (WorkspaceSkuNameEnum)."""
    sku = ((params.get("properties") or {}).get("sku") or {}).get("name")
    if sku and _type(params).lower() == names.WORKSPACES.lower() and str(sku).lower() not in _PAID:
        yield Problem("properties.sku.name", f"{sku!r} is not a SKU of workspaces, for example PerGB2018")


def _federated(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What a federated credential takes, and what can match no token
    (https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations)."""
    declared = params.get("properties") or {}
    if _type(params).lower() != names.FEDERATED_CREDENTIALS.lower():
        return
    issuer = declared.get("issuer", LATER)
    # that of a cluster is known when there is one
    if issuer is not LATER and not str(issuer).startswith("https://"):
        yield Problem("properties.issuer", f"{issuer!r} is not the https URL of an issuer of tokens")
    audiences = declared.get("audiences", ["known"])
    if not isinstance(audiences, list) or len(audiences) != 1:
        yield Problem("properties.audiences", "takes exactly one audience")
        audiences = []
    given = [("subject", declared.get("subject", "known")), *(("audiences", one) for one in audiences)]
    for part, text in given:
        if not str(text or "").strip() or len(str(text)) > _LONGEST_CLAIM:
            yield Problem(f"properties.{part}", f"has 1 to {_LONGEST_CLAIM} characters")
    for part, text in [("issuer", issuer), *given]:
        if "*" in str(text):
            yield Problem(f"properties.{part}", f"{text!r} matches no token: a * is taken literally, name each in full")


_LONGEST_CLAIM = 600
_PAID = ("capacityreservation", "free", "lacluster", "pergb2018", "pernode", "premium", "standalone", "standard")
_SKUS = ("basic", "standard", "premium")
_OF_SKU = (
    ("publicNetworkAccess", "disabled", ("premium",)),
    ("zoneRedundancy", "enabled", ("premium",)),
    ("dataEndpointEnabled", "true", ("premium",)),
    ("anonymousPullEnabled", "true", ("standard", "premium")),
)


def _typed(params: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """What is declared, as its model has it where there is one."""
    declared = {key: params[key] for key in DECLARABLE if params.get(key) is not None}
    update_policy = _update_policy(params)
    if update_policy is None or not update_policy.model:
        return declared, []
    typed, problems = typed_body(declared, update_policy.model)
    # another api-version may know more names, and other types
    return typed, problems if _api_version(params) == fields.API_VERSION else []


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    _place,
    _version,
    _update_method,
    _tags,
    names.NO_LOCATION,
    _registry,
    _workspace,
    _federated,
    names.NO_OWNER,
    lambda params: wait_timeout_problems(params.get("wait_timeout")),
    lambda params: _typed(params)[1],
)


def resource_spec(params: Mapping[str, Any], subscription_id: str) -> ResourceSpec:
    """The spec that options without problems stand for."""
    resource_id, resource_type, name, _wrong = locate(params, subscription_id)
    update_policy = _update_policy(params)
    declared = _typed(params)[0]
    if params.get("tags") is not None and (update_policy is None or update_policy.tags):
        declared["tags"] = tag_values(params["tags"])[0]
    return ResourceSpec(
        id=resource_id,
        type=resource_type,
        name=name,
        api_version=_api_version(params),
        state=params["state"],
        update_policy=update_policy or UpdatePolicy("patch", location_required=False),
        declared=declared,
        **names.owned_options(params),
    )


def plan_resource(current: dict[str, Any] | None, spec: ResourceSpec) -> Plan:
    if current is None:
        if spec.update_policy.location_required and not spec.declared.get("location"):
            raise InvalidInput(spec.subject, [Problem("location", "is needed to create it")])
        marks = spec.owner.tags() if spec.owner is not None else names.MARK if is_group(spec.type) else {}
        marked = bool(marks) and spec.update_policy.tags
        declared = names.with_tags(spec.declared, marks) if marked else dict(spec.declared)
        merged = merge({}, declared, compare.creation_rules({}))
        created = compare.redact_changes(merged.changes) or (Change("", ABSENT, {}),)
        return Plan(spec.subject, created, body=compare.without_paths(merged.value, ()), is_new=True)
    rules, model = resource_rules(spec), spec.update_policy.model
    declared = as_spelled(current, spec.declared, model) if model else typed_like(current, spec.declared)
    if "tags" in declared:
        declared["tags"] = compare.tags_over(current, declared["tags"], spec.purge_tags)
    compared, unanswered = compare.comparable_part(declared, current)
    changes = list(compare.redact_changes(merge(current, compared, rules).changes))
    refused = [
        Refusal(change.path, change.before, change.after, remedy)
        for change in changes
        for remedy, applies in (
            (_IMMUTABLE, change.path in spec.update_policy.immutable and change.before is not ABSENT),
            (_CHILD, change.path.startswith(spec.update_policy.children)),
        )
        if applies
    ]
    if has_failed(current) and not changes:
        changes.append(Change("properties.provisioningState", provisioning_state(current), "Succeeded"))
    notes = compare.write_only_note(unanswered)
    notes += names.other_owner_notes(spec.subject, current, spec.owner, "resource")
    # with what cannot be compared: a service may need it with every PUT
    wanted = merge(current, declared, rules).value
    return Plan(spec.subject, tuple(changes), tuple(refused), _body(wanted, declared, spec, changes), tuple(notes))


def resource_rules(spec: ResourceSpec) -> Rules:
    """How the keys are compared that every type has, and what the models say of those that have one."""
    policy = spec.update_policy
    table = {**compare.envelope_rules(spec.purge_tags), **policy.rules}
    return ModelRules(table, policy.model) if policy.model else Rules(table, compare.ARM_DEFAULT)


_IMMUTABLE = "Set it back to the current value, or delete and recreate the resource"
_CHILD = (
    "It is a resource with operations of its own, which this request would undo: declare it as one, or with the module "
    "that manages it (mcpops.platform.aks_cluster)"
)


def _body(
    merged: dict[str, Any], declared: dict[str, Any], spec: ResourceSpec, changes: list[Change]
) -> dict[str, Any]:
    if spec.update_policy.update_method == "put_merged":
        changed = [change.path for change in changes]
        paths = not_sent(spec.type, spec.api_version, changed)
        return compare.without_paths(merged, (*paths, *spec.update_policy.children))
    # a map of tags is replaced as a whole by PUT and by most PATCHes
    whole = {**declared, "tags": merged.get("tags", {})} if "tags" in declared else declared
    whole = compare.as_grown(whole, merged, spec.update_policy.rules)
    if spec.update_policy.update_method == "patch":
        return {key: value for key, value in whole.items() if key != "location"}
    located = {"location": merged["location"]} if merged.get("location") else {}
    return compare.without_paths({**located, **whole}, ())


def plan_removal(current: dict[str, Any] | None, inside: Iterable[Mapping[str, Any]], spec: ResourceSpec) -> Plan:
    """Deleting the resource; for a group, `inside` is everything that would go with it."""
    if current is None:
        return Plan(spec.subject)
    # what has no tags cannot carry an owner's: whoever names it exactly may delete it
    refused = (
        names.refuse_deletion(current, spec.owner, spec.force_delete, always=is_group(spec.type))
        if spec.update_policy.tags
        else []
    )
    contents = list(inside)
    for resource in contents:
        refused += names.refuse_deletion_along(resource, spec.owner, spec.force_delete)
    shown = {key: current[key] for key in ("id", "location", "tags") if current.get(key)}
    if contents:
        shown["resources"] = sorted(str(resource.get("id") or resource.get("name")) for resource in contents)
    return Plan(spec.subject, (Change("", shown, ABSENT),), tuple(refused))
