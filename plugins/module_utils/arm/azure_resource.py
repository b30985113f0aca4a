# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of azure_resource and azure_resource_info: any ARM resource, present as declared or absent."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ..errors import InvalidInput, Problem, Refused
from ..masking import protect
from ..option_problems import LATER
from ..plan import Plan, Refusal
from ..run_cache import cache_resource, is_marked_deleted, mark_deleted
from ..task import Result, Task
from . import compare, names, reconcile, resource_plan
from .azure_role_assignment import find_equal_grant
from .client import Arm, Body, PlanAgain, Reading
from .errors import exists_already, is_unregistered
from .names import api_version_of
from .options import resolve_identity
from .reconcile import converge_resource
from .resource_plan import (
    DECLARABLE,
    ResourceSpec,
    info_problems,
    is_group,
    locate,
    plan_removal,
    plan_resource,
    resource_spec,
    secrets_of,
    subject_of,
)
from .retirement_calendar import preview_version

# types whose names are part of a DNS name that all customers share
_ONE_OF_ALL = (names.REGISTRIES.lower(),)

# what a later task of a run asks for something that does not change: a registry for its login server (acr_image)
_READ_AGAIN = (names.REGISTRIES.lower(),)


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of azure_resource."""
    return [*resource_plan.problems(params), *database_problems(params), *network_problems(params)]


def is_assignment(resource_type: str) -> bool:
    return resource_type.lower() == names.ROLE_ASSIGNMENTS.lower()


def converge(task: Task) -> Result:
    # before anything can fail, with the options in its result
    for value in compare.secret_values([task.params.get(option) for option in DECLARABLE]):
        task.secret(value)
    _refuse(task.params, problems(task.params))
    spec = resource_spec(task.params, resolve_identity(task.params).subscription_id)
    protect(task, secrets_of(spec.type, spec.declared))
    if ending := preview_version(spec.type, spec.api_version, datetime.now(timezone.utc).date()):
        task.warn(f"{spec.subject}: {ending}")
    arm = Arm.connect(task, task.params["wait_timeout"])
    return _absent(task, arm, spec) if spec.state == "absent" else _present(task, arm, spec)


def _refuse(params: Mapping[str, Any], wrong: list[Problem]) -> None:
    if wrong:
        _id, resource_type, name, _wrong = locate(params, "")
        raise InvalidInput(subject_of(resource_type or "resource", name or str(params.get("id") or "")), wrong)


def _absent(task: Task, arm: Arm, spec: ResourceSpec) -> Result:
    may_wait = task.params["wait"] and not task.check_mode
    outcome = converge_resource(
        arm,
        spec.subject,
        lambda: reconcile.read_idle(arm, spec, may_wait),
        lambda reading: _removal(task, arm, spec, reading),
        lambda _plan, _reading: reconcile.delete_resource(arm, spec, may_wait),
    )
    if outcome.plan.changed:
        mark_deleted(task, spec.id)
    protect(task, secrets_of(spec.type, outcome.before or {}))
    values = {"id": spec.id, "resource": compare.redact_body(outcome.after)}
    return Result.of(outcome.plan, values, outcome.headline(task.check_mode))


def _present(task: Task, arm: Arm, spec: ResourceSpec) -> Result:
    may_wait = task.params["wait"] and not task.check_mode
    warned: set[str] = set()
    target = _Target(arm, spec)

    def plan_of(reading: Reading) -> Plan:
        texts = names.ownership_warnings(spec.subject, reading.body, spec.owner) if spec.update_policy.tags else []
        reconcile.warn_once(task, texts, warned)
        plan = plan_resource(reading.body, target.spec).with_notes(*target.notes)
        # after an answer that was lost, it may be taken by what this task has made
        if reading.body is None and not reading.missing and not arm.write_uncertain:
            _require_free_name(arm, target.spec)
        return plan

    outcome = converge_resource(
        arm,
        spec.subject,
        lambda: target.read(may_wait),
        plan_of,
        lambda plan, reading: target.put(plan, reading, may_wait),
    )
    spec = target.spec
    for body in (outcome.before, outcome.after):
        protect(task, secrets_of(spec.type, body or {}))
    reconcile.warn_not_kept(task, spec, outcome, lambda after: plan_resource(after, spec))
    if spec.type.lower() in _READ_AGAIN and not (task.check_mode and outcome.plan.changed):
        cache_resource(task, spec.id, outcome.after)
    shown = outcome.plan.body if task.check_mode and outcome.plan.changed else outcome.after
    values = {"id": spec.id, "resource": compare.redact_body(shown)}
    return Result.of(outcome.plan, values, outcome.headline(task.check_mode))


class _Target:
    """The resource that is read and written: the declared one, or the role assignment that grants the same already."""

    def __init__(self, arm: Arm, spec: ResourceSpec) -> None:
        self._arm = arm
        self.spec = spec
        self.notes: list[str] = []
        self._grant_exists = False

    def read(self, may_wait: bool) -> Reading:
        reading = reconcile.read_idle(self._arm, self.spec, may_wait)
        if reading.body is not None or not is_assignment(self.spec.type):
            return reading
        declared = self.spec.declared.get("properties") or {}
        duplicate = find_equal_grant(self._arm, self.spec.id, declared, self.spec.api_version)
        if duplicate is None and self._grant_exists:
            # it is there, and this identity may not see it
            duplicate = {"id": self.spec.id, **self.spec.declared}
            self.notes = ["the same principal has this role there already, under a name that cannot be read"]
        elif duplicate is not None:
            self.notes = [f"the same principal has this role there already, under the name {duplicate.get('name')}"]
            self.spec = replace(self.spec, id=str(duplicate["id"]))
        return reading if duplicate is None else Reading(duplicate)

    def put(self, plan: Plan, reading: Reading, wait: bool) -> Body:
        arm, spec = self._arm, self.spec
        creating = reading.body is None
        action = f"{'Creating' if creating else 'Updating'} {spec.subject}"
        method = "PATCH" if not creating and spec.update_policy.update_method == "patch" else "PUT"
        response = arm.write(method, spec.id, action, spec.api_version, plan.body, etag=_etag(reading.body, spec))
        if exists_already(response):
            self._grant_exists = True
            raise PlanAgain
        if not wait:
            return response.json_or_none() or {}
        reconcile.await_operation(arm, response, spec.subject, action)
        return reconcile.await_finished(arm, spec.id, spec.api_version, spec.subject, action)


def _require_free_name(arm: Arm, spec: ResourceSpec) -> None:
    """A name that is one of the whole cloud's may be somebody else's, which a check is to say as well."""
    if spec.type.lower() not in _ONE_OF_ALL:
        return
    kind = spec.type.partition("/")[0]
    url = arm.url(f"/subscriptions/{arm.subscription_id}/providers/{kind}/checkNameAvailability", spec.api_version)
    action = f"Checking whether the name {spec.name} is free"
    response = arm.call("POST", url, action, {"name": spec.name, "type": spec.type})
    if arm.check_mode and is_unregistered(response):
        return
    if response.status != 200:
        raise arm.failure(action, response)
    found = response.json_or_none() or {}
    if found.get("nameAvailable") is False:
        sentence = f"cannot be created: {str(found.get('message') or found.get('reason')).rstrip('.')}"
        remedy = "Give it another name (of a site: another azure_platform_name_suffix)"
        raise Refused(spec.subject, [Refusal.because(spec.name, sentence, remedy)])


def _etag(body: Body | None, spec: ResourceSpec) -> str:
    """What the resource is called now: a service that answers an etag takes it as If-Match (Resource Manager's rules
    for providers), and so what was merged into one state never replaces another."""
    keys = (spec.update_policy.etag,) if spec.update_policy.etag else ("etag", "eTag")
    found = next((body[key] for key in keys if body and body.get(key)), "")
    return str(found) if isinstance(found, str) else ""


def _removal(task: Task, arm: Arm, spec: ResourceSpec, reading: Reading) -> Plan:
    inside: Any = ()
    if reading.body is not None and is_group(spec.type):
        version = api_version_of("Microsoft.Resources/resources")
        held = arm.listed(f"{spec.id}/resources", f"Listing what {spec.subject} holds", version)
        inside = (body for body in held if not is_marked_deleted(task, str(body.get("id"))))
    return plan_removal(reading.body, inside, spec)


def info(task: Task) -> Result:
    """One resource by name or id, or all of a type, in a group or in the subscription."""
    params = task.params
    _refuse(params, info_problems(params))
    subscription = resolve_identity(params).subscription_id
    resource_id, resource_type, name, _wrong = locate(params, subscription)
    arm = Arm.connect(task)
    if params.get("id") or params.get("name"):
        version = params.get("api_version") or api_version_of(resource_type)
        body = arm.read(resource_id, f"Reading {subject_of(resource_type, name)}", version).body
        found = [] if body is None else [body]
    else:
        found = _listed(arm, params, subscription)
    protect(task, [value for body in found for value in secrets_of(resource_type or str(body.get("type")), body)])
    return Result(changed=False, values={"resources": [compare.redact_body(body) for body in found]})


def _listed(arm: Arm, params: dict[str, Any], subscription: str) -> list[Body]:
    group, resource_type = params.get("resource_group"), params.get("type")
    scope = f"/subscriptions/{subscription}"
    if resource_type and is_group(resource_type):
        version = api_version_of(resource_type)
        return list(arm.listed(f"{scope}/resourceGroups", "Listing resource groups", version))
    path = f"{scope}/resourceGroups/{group}/resources" if group else f"{scope}/resources"
    query = {"$filter": f"resourceType eq '{resource_type}'"} if resource_type else {}
    found = arm.listed(path, "Listing resources", api_version_of("Microsoft.Resources/resources"), query)
    # a service that does not know the filter answers everything
    return [body for body in found if not resource_type or str(body.get("type")).lower() == resource_type.lower()]


# What an Azure Database for PostgreSQL takes. Logins:
# https://learn.microsoft.com/azure/postgresql/security/security-manage-users. Passwords: the REST reference of
# Servers - Create Or Update. Tiers and fields: azure-mgmt-postgresqlflexibleservers 3.0.
_TIERS = ("burstable", "generalpurpose", "memoryoptimized")
_RESERVED = ("azure_superuser", "azuresu", "azure_pg_admin", "admin", "administrator", "root", "guest", "public")
_LOGIN = re.compile(r"(?!pg_)[A-Za-z_][A-Za-z0-9_]{0,62}")
_SIZE = re.compile(r"Standard_\w+")
_KINDS = ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9]")
_LEAST_STORAGE = 32


def database_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the options of a server, a database in it or a rule of its firewall."""
    kind = str(params.get("type") or "").lower()
    declared = params.get("properties")
    if params["state"] != "present" or not isinstance(declared, Mapping):
        return
    if kind == names.FLEXIBLE_SERVERS.lower():
        yield from _of_server(declared)
        yield from _of_size(params.get("sku") or {})
    elif kind == names.SERVER_DATABASES.lower() and not str(declared.get("charset", "UTF8")).strip():
        yield Problem("properties.charset", "is empty: name an encoding, such as UTF8")
    elif kind == names.SERVER_FIREWALL_RULES.lower():
        yield from _of_rule(declared)


def _of_server(declared: Mapping[str, Any]) -> Iterator[Problem]:
    login = declared.get("administratorLogin", LATER)
    if login is not LATER and (not _LOGIN.fullmatch(str(login)) or str(login).lower() in _RESERVED):
        yield Problem(
            "properties.administratorLogin",
            f"{login!r} is not a login that Azure takes: letters, digits and _, not beginning with pg_, and none of "
            f"{', '.join(_RESERVED)}",
        )
    if wrong := wrong_password(declared.get("administratorLoginPassword", LATER), login):
        yield Problem("properties.administratorLoginPassword", wrong)
    version = declared.get("version", LATER)
    if version is not LATER and not (str(version).isdigit() and int(version) >= 11):
        yield Problem("properties.version", f"{version!r} is not a major version of PostgreSQL, such as 17")
    storage = declared.get("storage")
    size = storage.get("storageSizeGB", LATER) if isinstance(storage, Mapping) else LATER
    if size is not LATER and not (str(size).isdigit() and int(size) >= _LEAST_STORAGE):
        yield Problem("properties.storage.storageSizeGB", f"{size!r} is not a size in GB ({_LEAST_STORAGE} or more)")


def wrong_password(password: Any, login: Any = LATER) -> str:
    """Why Azure would not take it for an administrator's, without repeating it; empty where it would."""
    if password is LATER:
        return ""
    text = str(password if password is not None else "")
    kinds = sum(bool(re.search(kind, text)) for kind in _KINDS)
    if not 8 <= len(text) <= 128 or kinds < 3:
        return "takes 8 to 128 signs of three of four kinds: A-Z, a-z, 0-9, others"
    if login is not LATER and str(login) and str(login).lower() in text.lower():
        return "holds the login, which Azure refuses"
    return ""


def _of_size(sku: Mapping[str, Any]) -> Iterator[Problem]:
    name, tier = sku.get("name", LATER), sku.get("tier", LATER)
    if name is not LATER and not _SIZE.fullmatch(str(name)):
        yield Problem("sku.name", f"{name!r} is not a size of servers, such as Standard_B1ms")
    if tier is not LATER and str(tier).lower() not in _TIERS:
        yield Problem("sku.tier", f"{tier!r} is not a tier: it takes Burstable, GeneralPurpose or MemoryOptimized")


def _of_rule(declared: Mapping[str, Any]) -> Iterator[Problem]:
    ends = []
    for name in ("startIpAddress", "endIpAddress"):
        value = declared.get(name, LATER)
        if value is LATER:
            return
        try:
            ends.append(ipaddress.IPv4Address(str(value)))
        except ValueError:
            yield Problem(f"properties.{name}", f"{value!r} is not an IPv4 address")
            return
    if ends[0] > ends[1]:
        yield Problem("properties.endIpAddress", f"{ends[1]} comes before {ends[0]}, the first of the range")


# What Microsoft.Network refuses. Addresses: azure-mgmt-network 33.1, and
# https://learn.microsoft.com/azure/virtual-network/ip-services/public-ip-addresses. Labels: the expression that Azure's
# refusals name. Records: azure-mgmt-dns 9.0, azure-mgmt-privatedns 2.0.
LABEL = re.compile(r"[a-z][a-z0-9-]{1,61}[a-z0-9]")
ZONES = ("1", "2", "3")
LONGEST_TTL = 2147483647
_ADDRESS_SKUS = ("standard", "standardv2")
_RECORDS = {
    f"{names.DNS_ZONES}/A".lower(): ("TTL", "ARecords"),
    f"{names.PRIVATE_DNS_ZONES}/A".lower(): ("ttl", "aRecords"),
}
"""How the two services spell the same."""


def network_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the options of azure_resource for a public IP address or a record set."""
    if params["state"] != "present":
        return
    kind = locate(params, "")[1].lower()
    declared = params.get("properties")
    properties = declared if isinstance(declared, Mapping) else {}
    if kind == names.PUBLIC_ADDRESSES.lower():
        yield from _of_address(params, properties)
    elif kind in _RECORDS:
        yield from _of_records(properties, *_RECORDS[kind])
    elif kind in (names.DNS_ZONES.lower(), names.PRIVATE_DNS_ZONES.lower()):
        location = params.get("location", LATER)
        if location not in (LATER, None) and str(location).lower() != "global":
            yield Problem("location", f"{location!r} is not where a zone is: it takes global")


def _of_address(params: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterator[Problem]:
    sku = (params.get("sku") or {}).get("name", LATER)
    if sku is not LATER and str(sku).lower() not in _ADDRESS_SKUS:
        yield Problem("sku.name", f"{sku!r} is not a SKU of public IP addresses: it takes Standard (Basic is retired)")
    method = properties.get("publicIPAllocationMethod", LATER)
    if method is not LATER and str(method).lower() != "static":
        yield Problem("properties.publicIPAllocationMethod", f"{method!r} is not what SKU Standard takes: Static")
    for index, zone in enumerate(params.get("zones") or ()):
        if zone is not LATER and str(zone) not in ZONES:
            yield Problem(f"zones[{index}]", f"{zone!r} is not an availability zone: it takes {', '.join(ZONES)}")
    settings = properties.get("dnsSettings")
    label = settings.get("domainNameLabel", LATER) if isinstance(settings, Mapping) else LATER
    if label is not LATER and not LABEL.fullmatch(str(label)):
        sentence = "3 to 63 lower-case letters, digits and -, starting with a letter and not ending with -"
        yield Problem("properties.dnsSettings.domainNameLabel", f"{label!r} is not a valid label: it takes {sentence}")


def _of_records(properties: Mapping[str, Any], ttl_key: str, records_key: str) -> Iterator[Problem]:
    ttl = properties.get(ttl_key, LATER)
    if ttl is not LATER and not (str(ttl).isdigit() and 1 <= int(ttl) <= LONGEST_TTL):
        yield Problem(f"properties.{ttl_key}", f"{ttl!r} is not a number of seconds from 1 to {LONGEST_TTL}")
    records = properties.get(records_key)
    for index, record in enumerate(records if isinstance(records, list) else ()):
        address = record.get("ipv4Address", LATER) if isinstance(record, Mapping) else LATER
        if address is not LATER and not _is_address(address):
            yield Problem(f"properties.{records_key}[{index}].ipv4Address", f"{address!r} is not an IPv4 address")


def _is_address(text: Any) -> bool:
    try:
        ipaddress.IPv4Address(str(text))
    except ValueError:
        return False
    return True
