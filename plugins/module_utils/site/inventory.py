# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of a site and their variables before anything runs.

Misspelt and secret ones, and what must hold between hosts.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..domain import BACKEND, CLUSTERS, EXISTING, PLATFORMS
from ..domains import DOMAINS
from ..errors import Problem
from ..kube.manifests import argument_secrets
from ..masking import WHOLE, forms, mask
from ..plan import join
from ..secrets import REDACTED, looks_secret, redact
from ..text import listed
from .expressions import handed_on

HOST_NAME = "inventory_hostname"
"""Nobody writes this variable, so no fault is told by its name."""
_NAME = re.compile(r"[A-Za-z_]\w*")


def spellings(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """Role variable → the variable that the user set and its default hands on, over other defaults where need be.

    `defaults` are those of the roles, `given` what inventory and command line say; neither is rendered.
    """

    def written(name: str, seen: tuple[str, ...] = ()) -> str:
        if name in given or name in seen:
            return name if name in given else ""
        known = [one for one in handed_on(defaults.get(name)) if one in given or one in defaults]
        return written(known[0], (*seen, name)) if known else ""

    found = {name: written(name) for name in defaults if name not in given}
    return {name: source for name, source in found.items() if source and source != HOST_NAME}


def as_written(text: str, spelled: Mapping[str, str]) -> str:
    """`text` with each role variable replaced by what the user wrote for it."""
    return _NAME.sub(lambda found: spelled.get(found[0], found[0]), text)


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


COMMON_PREFIX = "mcpops_"
CLOSE_ENOUGH = 0.85
"""Similarity, 0 to 1, from which an unknown name is taken for a misspelt known one (difflib's ratio)."""
# what playbooks and magic set beside what the roles' own files mention
ALWAYS_KNOWN = frozenset(
    {
        *("mcpops_platform", "mcpops_subscription_id", "mcpops_azure_auth", "mcpops_process_environment"),
        *("mcpops_playbook", "mcpops_rings", "mcpops_serial"),
    }
)


def not_local(connections: Mapping[str, str]) -> str:
    """A sentence about hosts whose tasks do not run on the controller, by name with their connection; or nothing."""
    remote = {name: kind for name, kind in connections.items() if kind.rpartition(".")[2] != "local"}
    if not remote:
        return ""
    kinds = ", ".join(sorted(set(remote.values())))
    return (
        f"{listed(list(remote), SHOWN_HOSTS)}: the connection is {kinds}, so the tasks run on another machine, with "
        "the files and libraries that are there. Clusters are no machines: unless it is a jump host, set "
        "ansible_connection: local and ansible_python_interpreter: '{{ ansible_playbook_python }}'."
    )


_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def identifiers_in(texts: Iterable[str]) -> set[str]:
    """Every identifier in these texts: of what a role's files mention, its variables are a part."""
    return {word for text in texts for word in _IDENTIFIER.findall(text)}


def unknown_variables(
    given: Mapping[str, Any], known: Collection[str], prefixes: Collection[str]
) -> Iterator[tuple[str, str]]:
    """(name, the known name it resembles or "") of variables with one of `prefixes` that nothing reads.

    `given` holds a host's variables as they were written, not rendered.
    """
    candidates = [name for name in given if any(name.startswith(prefix) for prefix in prefixes) and name not in known]
    if not candidates:
        return
    mentioned = {name: identifiers_in(texts_in(value)) for name, value in given.items()}
    for name in candidates:
        if any(name in found for other, found in mentioned.items() if other != name):
            continue
        yield name, _resembled(name, known, prefixes)


def _resembled(name: str, known: Collection[str], prefixes: Collection[str]) -> str:
    alike = [other for other in known if any(other.startswith(prefix) for prefix in prefixes)]
    return next(iter(difflib.get_close_matches(name, sorted(alike), n=1, cutoff=CLOSE_ENOUGH)), "")


def texts_in(value: Any) -> Iterator[str]:
    """Every text inside a value, the keys of mappings as well: templates may be anywhere."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from texts_in(key)
            yield from texts_in(below)
    elif isinstance(value, (list, tuple)):
        for below in value:
            yield from texts_in(below)


Spec = Mapping[str, Any]

_WORD = re.compile(r"[A-Za-z_]\w*")

DEFAULT = "default"
INVENTORY = "inventory"
"""Where a variable comes from when nothing more is known."""


def variables_of_host(
    host: Host,
    options: Mapping[str, Spec],
    defaults: Mapping[str, Any],
    origins: Mapping[str, str],
    vaulted: Collection[str],
    hidden: Collection[str],
) -> list[dict[str, Any]]:
    """A row for each variable that the host's roles and the playbooks read.

    `options` and `defaults` are those of its roles, the latter not rendered. `origins` says where the inventory sets a
    variable, `vaulted` are the names whose whole value is encrypted, and `hidden` the secrets that the inventory keeps
    in vaults.
    """
    secrets = {form for value in [*hidden, *_secrets(host.variables, options, defaults)] for form in forms(value)}
    rows = []
    for name in sorted({*host.variables, *host.deferred}):
        row: dict[str, Any] = {"name": name, "from": _origin(host, name, origins)}
        if name in host.deferred:
            row["known_later"] = _masked(redact(host.deferred[name]), secrets)
        elif (options.get(name) or {}).get("choices") and name not in vaulted:
            # one of a known list: a name such as aks_cluster_credential does not make it a secret
            row["value"] = host.variables[name]
        elif name in vaulted or (options.get(name) or {}).get("no_log"):
            value = host.variables[name]
            row["value"] = value if value in (None, "") else REDACTED
        else:
            row["value"] = _masked(without_named_secrets(name, host.variables[name]), secrets)
        rows.append(row)
    return rows


def _origin(host: Host, name: str, origins: Mapping[str, str]) -> str:
    if name in host.written:
        return origins.get(name) or INVENTORY
    return host.spelled.get(name) or DEFAULT


def _secrets(variables: Mapping[str, Any], options: Mapping[str, Spec], defaults: Mapping[str, Any]) -> Iterator[str]:
    """What options that are not to be logged hold, and what a name, a form or a Secret tells."""
    for name, value in variables.items():
        # a variable that defaults of options follow holds what they hold
        followed = [option for option, text in defaults.items() if name in _WORD.findall(str(text))]
        specs = [options[option] for option in (name, *followed) if option in options]
        for spec in specs:
            yield from _not_logged(name, value, spec)
        if not any(spec.get("choices") for spec in specs):
            yield from argument_secrets({name: value})


def _not_logged(name: str, value: Any, spec: Spec) -> Iterator[str]:
    entries = value if isinstance(value, (list, tuple)) else [value]
    if spec.get("options") and not all(isinstance(entry, Mapping) for entry in entries):
        # part of an option that follows it, and ansible-core looks for suboptions in whatever it gets
        return
    validated = ArgumentSpecValidator({name: dict(spec)}).validate({name: value}, validate_role_argument_spec=True)
    yield from map(str, validated._no_log_values)


def without_named_secrets(path: str, value: Any, beside: Any = None) -> Any:
    """A value without the leaves whose names say that they are secret, however short these are."""
    if isinstance(value, Mapping):
        named = next((value[key] for key in ("name", "key") if isinstance(value.get(key), str)), None)
        return {key: without_named_secrets(join(path, str(key)), below, named) for key, below in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_named_secrets(f"{path}[{index}]", item) for index, item in enumerate(value)]
    if value not in (None, "") and looks_secret(path, value, beside):
        return REDACTED
    return redact(value) if isinstance(value, str) else value


def _masked(value: Any, secrets: Collection[str]) -> Any:
    return _one_sign(mask(value, secrets))


def _one_sign(value: Any) -> Any:
    """Whatever hides a secret looks the same."""
    if isinstance(value, Mapping):
        return {_one_sign(key): _one_sign(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_one_sign(item) for item in value]
    return REDACTED if value == WHOLE else value


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
        if named is None and host.get(BACKEND) == EXISTING:
            # what others have made stands on nothing of the site
            continue
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
