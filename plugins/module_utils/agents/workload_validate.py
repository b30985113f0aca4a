# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot work in a declared agent workload: all of it, before any request."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..errors import Problem
from ..kube.policy_peers import edge_problems
from ..kube.syntax import parse_quantity
from ..kube.workload_parts import least_replicas, most_replicas
from ..kube.workload_rules import (
    LONGEST_NAME,
    annotation_problems,
    environment_problems,
    exposed_secrets,
    image_problems,
    is_floating,
    label_problems,
    port_problems,
    resource_problems,
    scale_problems,
    user_problems,
    wrong_variable,
)
from ..names import (
    SERVICE,
    SUBDOMAIN,
    namespace_problems,
    path_problem,
    wrong_label_value,
    wrong_name,
    wrong_secret_key,
)
from ..text import kind_of, text_of_scalar
from .file_spec import CA_DIRECTORY, TEMPORARY, key_of_file, toml_problems
from .workload_spec import (
    COMPONENT_LABEL,
    EXISTING,
    IDENTITY_LABEL,
    NAME_LABEL,
    OWNER_LABEL,
    PLAIN,
    SET_LABEL,
    DeclaredWorkload,
    own_environment,
)

Found = Iterator[Problem]

CLIENT_SECRETS = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_PASSWORD")
"""What the Azure SDKs take before they look at a workload identity (azure-identity, EnvironmentCredential)."""
OF_IDENTITY = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST")
"""What the webhook of workload identity sets, and only where nothing else has."""
_RESERVED = (NAME_LABEL, COMPONENT_LABEL, OWNER_LABEL, SET_LABEL, IDENTITY_LABEL)
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_INTERVAL = re.compile(r"([0-9]+(ms|s|m|h))+")
_TOKEN_SECONDS = (3600, 86400)
"""What the webhook takes (azure-workload-identity, "Service Account Labels and Annotations")."""
_LONGEST_REQUEST = 86400
_MOST_NAMESERVERS, _MOST_SEARCHES = 3, 32
"""What the API server takes (kubernetes.io, "Pod's DNS Config")."""


def agents_problems(agents: Sequence[DeclaredWorkload]) -> Found:
    """What is wrong with the entries of `agents`."""
    yield from absence_problems(agents)
    for agent in agents:
        for rule in _RULES:
            yield from rule(agent.where, agent.options)


def absence_problems(agents: Sequence[DeclaredWorkload]) -> Found:
    """To remove an agent, its name and namespace are enough."""
    seen: dict[tuple[str, str], str] = {}
    for agent in agents:
        if wrong := wrong_name(agent.name, "agent name, which is that of its Service", SERVICE, LONGEST_NAME):
            yield Problem(f"{agent.where}.name", wrong)
        if agent.options.get("namespace") is not None:
            yield from namespace_problems(f"{agent.where}.namespace", agent.options["namespace"])
        key = (agent.namespace, agent.name)
        if key in seen:
            yield Problem(f"{agent.where}.name", f"{agent.name} is declared twice (also {seen[key]})")
        seen.setdefault(key, agent.where)


def workload_warnings(agent: DeclaredWorkload) -> Iterator[str]:
    """What works and is likely not meant."""
    options = agent.options
    exposed = exposed_secrets(options)
    if exposed:
        yield (
            f"agent {agent.name}: env holds {', '.join(exposed)} in plain text, for all who may read the Deployment; "
            "put it into secrets."
        )
    if is_floating(options.get("image")):
        yield f"agent {agent.name}: image {options['image']} names no version, so nodes may run different ones."
    if options.get("network_policy") is not False and not options.get("calls"):
        yield (
            f"agent {agent.name}: its network policy lets it out to DNS alone: it reaches no model and no tool; "
            "declare calls, or network_policy: false."
        )


def _image(where: str, options: Mapping[str, Any]) -> Found:
    if not options.get("image"):
        yield Problem(f"{where}.image", "is needed")
    version = options.get("version")
    if version is not None and (wrong := wrong_label_value(str(version))):
        yield Problem(f"{where}.version", wrong)
    yield from image_problems(where, options)


def _scale(where: str, options: Mapping[str, Any]) -> Found:
    yield from scale_problems(where, options)
    budget = options.get("disruption_budget")
    if budget is None:
        return
    path, least, most = f"{where}.disruption_budget", budget.get("min_available"), budget.get("max_unavailable")
    if (least is None) == (most is None):
        yield Problem(path, "takes exactly one of min_available and max_unavailable")
    fewest = least_replicas(options)
    if least is not None and not 0 <= least < max(fewest, 1):
        yield Problem(
            f"{path}.min_available",
            f"{least} is not below the {fewest} pods that there are at least: no node could be emptied of them",
        )
    if most is not None and most < 1:
        yield Problem(f"{path}.max_unavailable", f"{most} lets no pod go: no node could be emptied of them (1 or more)")
    if most is not None and most_replicas(options) < 2:
        yield Problem(f"{path}.max_unavailable", "is about several pods, and there is one: leave it out")


def _shared(where: str, options: Mapping[str, Any]) -> Found:
    managed = dict.fromkeys(own_environment(options), "proxy and ca say what it is")
    yield from environment_problems(where, options, managed)
    yield from label_problems(where, options, _RESERVED)
    yield from annotation_problems(f"{where}.service_annotations", options.get("service_annotations"))
    yield from resource_problems(where, options)
    yield from user_problems(where, options)
    priority = options.get("priority_class")
    if priority is not None and (wrong := wrong_name(priority, "PriorityClass name", SUBDOMAIN)):
        yield Problem(f"{where}.priority_class", wrong)
    timeout = options.get("request_timeout")
    if timeout is not None and not 0 <= timeout <= _LONGEST_REQUEST:
        yield Problem(f"{where}.request_timeout", f"{timeout} is not a number of seconds (0 to {_LONGEST_REQUEST})")


def _ports(where: str, options: Mapping[str, Any]) -> Found:
    yield from port_problems(f"{where}.port", options.get("port"))
    yield from port_problems(f"{where}.metrics_port", options.get("metrics_port"))
    port, metrics, service = (options.get(name) for name in ("port", "metrics_port", "service_port"))
    if service is not None and not 1 <= service <= 65535:
        yield Problem(f"{where}.service_port", f"{service} is not a port (1 to 65535)")
    if metrics is not None and metrics in (port or 8000, service or 80):
        yield Problem(f"{where}.metrics_port", f"{metrics} is that of requests: leave it out where both are one")
    if options.get("health_path") is not None and (wrong := path_problem(options["health_path"])):
        yield Problem(f"{where}.health_path", wrong)
    for name in ("startup_probe", "liveness_probe", "readiness_probe"):
        probe = options.get(name) or {}
        if probe.get("path") is not None and (wrong := path_problem(probe["path"])):
            yield Problem(f"{where}.{name}.path", wrong)
        for number in ("period", "timeout", "failures"):
            if probe.get(number) is not None and probe[number] < 1:
                yield Problem(f"{where}.{name}.{number}", f"{probe[number]} is less than 1")


def _files(where: str, options: Mapping[str, Any]) -> Found:
    keys: dict[str, str] = {}
    for index, entry in enumerate(options.get("files") or ()):
        place = f"{where}.files[{index}]"
        forms = [form for form in ("text", "toml", "json") if entry.get(form) is not None]
        if len(forms) != 1:
            yield Problem(place, f"takes exactly one of text, toml and json: it has {' and '.join(forms) or 'none'}")
        if wrong := _wrong_path(entry["path"]):
            yield Problem(f"{place}.path", wrong)
            continue
        key = key_of_file(entry["path"])
        if wrong := wrong_secret_key(key):
            yield Problem(f"{place}.path", f"is kept under a name made of it, and {wrong}")
        if key in keys:
            yield Problem(f"{place}.path", f"is, or is kept under the same name as, {keys[key]}")
        keys.setdefault(key, entry["path"])
        if entry.get("toml") is not None:
            yield from (Problem(*row) for row in toml_problems(f"{place}.toml", entry["toml"]))
    size = options.get("writable_size")
    if size is not None and (parse_quantity(size) or 0) <= 0:
        yield Problem(f"{where}.writable_size", f"{size!r} is not a valid size such as 256Mi")
    taken = [TEMPORARY, CA_DIRECTORY]
    for index, path in enumerate(options.get("writable") or ()):
        wrong = _wrong_path(path) or ("is mounted already" if path.rstrip("/") in taken else "")
        if wrong:
            yield Problem(f"{where}.writable[{index}]", wrong)
        taken.append(path.rstrip("/"))


def _wrong_path(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/") and path.rstrip("/") and ":" not in path and not {".", ".."} & set(parts):
        return ""
    return f"{path!r} is not an absolute path in the container"


def _secrets(where: str, options: Mapping[str, Any]) -> Found:
    secrets = options.get("secrets")
    if secrets is None:
        return
    path, backend = f"{where}.secrets", secrets["backend"]
    wanted, others = {PLAIN: ("values", ("name", "keys")), EXISTING: ("keys", ("values",))}[backend]
    for option in others:
        if secrets.get(option) is not None:
            yield Problem(f"{path}.{option}", f"does not belong to the backend {backend}: leave it out")
    if not secrets.get(wanted):
        yield Problem(f"{path}.{wanted}", f"is needed for the backend {backend}: which variables there are")
    if backend == EXISTING:
        name = secrets.get("name")
        if wrong := wrong_name(name, "Secret name", SUBDOMAIN) if name else "is needed: the Secret that holds them":
            yield Problem(f"{path}.name", wrong)
    beside = {**(options.get("env") or {}), **(options.get("secret_env") or {}), **own_environment(options)}
    for variable, value in (secrets.get(wanted) or {}).items():
        place = f"{path}.{wanted}.{variable}"
        if wrong := wrong_variable(str(variable)):
            yield Problem(place, wrong)
        elif variable in beside:
            yield Problem(place, "is declared elsewhere as well: one of them says what it is")
        if backend == PLAIN and not isinstance(text_of_scalar(value), str):
            yield Problem(place, f"is {kind_of(value)}, and must be text")
        if backend == EXISTING and value is not None and (wrong := wrong_secret_key(str(value))):
            yield Problem(place, wrong)


def _identity(where: str, options: Mapping[str, Any]) -> Found:
    identity = options.get("identity")
    if identity is None:
        return
    for option in ("client_id", "tenant_id"):
        value = identity.get(option)
        if value is not None and not _GUID.fullmatch(value):
            yield Problem(f"{where}.identity.{option}", f"{value!r} is not a GUID")
    seconds = identity.get("token_seconds")
    least, most = _TOKEN_SECONDS
    if seconds is not None and not least <= seconds <= most:
        yield Problem(f"{where}.identity.token_seconds", f"{seconds} is not a number of seconds ({least} to {most})")
    secrets = options.get("secrets") or {}
    declared = (
        ("env", options.get("env")),
        ("secret_env", options.get("secret_env")),
        ("secrets.values", secrets.get("values")),
        ("secrets.keys", secrets.get("keys")),
    )
    for option, names in declared:
        for name in sorted(set(map(str, names or ())) & {*CLIENT_SECRETS, *OF_IDENTITY}):
            yield Problem(f"{where}.{option}.{name}", _beside_identity(name))


def _beside_identity(name: str) -> str:
    if name in CLIENT_SECRETS:
        return "is taken before the workload identity, which is then never used: leave it out, or leave identity out"
    return "is set by the webhook of workload identity, and not where it is declared: leave it out"


def _network(where: str, options: Mapping[str, Any]) -> Found:
    yield from edge_problems(f"{where}.callers", options.get("callers"))
    yield from edge_problems(f"{where}.calls", options.get("calls"))
    for option in ("callers", "calls"):
        if options.get(option) and options.get("network_policy") is False:
            yield Problem(f"{where}.{option}", "is what the network policy lets through, and network_policy is false")
    dns = options.get("dns") or {}
    for index, address in enumerate(dns.get("nameservers") or ()):
        if not _is_address(address):
            yield Problem(f"{where}.dns.nameservers[{index}]", f"{address!r} is not an address")
    for index, name in enumerate(dns.get("searches") or ()):
        if wrong := wrong_name(name, "domain", SUBDOMAIN):
            yield Problem(f"{where}.dns.searches[{index}]", wrong)
    for option, most in (("nameservers", _MOST_NAMESERVERS), ("searches", _MOST_SEARCHES)):
        if len(dns.get(option) or ()) > most:
            yield Problem(f"{where}.dns.{option}", f"has {len(dns[option])} entries, {most} are allowed")
    if dns.get("policy") == "None" and not dns.get("nameservers"):
        yield Problem(f"{where}.dns.nameservers", "is needed with policy None: no name could be found otherwise")
    for name, value in (dns.get("options") or {}).items():
        if value is not None and not isinstance(text_of_scalar(value), str):
            yield Problem(f"{where}.dns.options.{name}", f"is {kind_of(value)}, and must be text")
    proxy = options.get("proxy") or {}
    for option in ("http", "https"):
        if proxy.get(option) is not None and not _is_http(proxy[option]):
            yield Problem(f"{where}.proxy.{option}", "is not the address of a proxy: http://HOST:PORT")
    if proxy and not (proxy.get("http") or proxy.get("https")):
        yield Problem(f"{where}.proxy", "names no proxy: give http or https")


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _authority(where: str, options: Mapping[str, Any]) -> Found:
    authority = options.get("ca")
    if authority is None:
        return
    if bool(authority.get("config_map")) == bool(authority.get("secret")):
        yield Problem(f"{where}.ca", "takes exactly one of config_map and secret")
    for option, kind in (("config_map", "ConfigMap"), ("secret", "Secret")):
        if authority.get(option) and (wrong := wrong_name(authority[option], f"{kind} name", SUBDOMAIN)):
            yield Problem(f"{where}.ca.{option}", wrong)
    if authority.get("key") is not None and (wrong := wrong_secret_key(authority["key"])):
        yield Problem(f"{where}.ca.key", wrong)


def _monitoring(where: str, options: Mapping[str, Any]) -> Found:
    monitoring = options.get("monitoring")
    if monitoring is None:
        return
    path = f"{where}.monitoring"
    if monitoring.get("path") is not None and (wrong := path_problem(monitoring["path"])):
        yield Problem(f"{path}.path", wrong)
    if monitoring.get("interval") is not None and not _INTERVAL.fullmatch(monitoring["interval"]):
        yield Problem(f"{path}.interval", f"{monitoring['interval']!r} is not a time such as 30s")
    yield from label_problems(path, {"labels": monitoring.get("labels")}, _RESERVED)
    yield from edge_problems(f"{path}.scrapers", monitoring.get("scrapers"))


_RULES = (_image, _scale, _shared, _ports, _files, _secrets, _identity, _network, _authority, _monitoring)
