# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the specifications of roles and the modules of their tasks would refuse.

Reported for the variables that a user wrote, some of which are known later.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError

from ..arm.aks import validate
from ..arm.options import azure_argument_spec
from ..errors import InvalidInput, Problem
from ..helm import chart
from ..helm.chart import exact_version
from ..kmcp import mcp_server, server_policies, server_rotation, server_spec, server_validate
from ..kmcp import spec as kmcp_charts
from ..kube import manifests
from ..mcp import targets
from ..names import namespace_problems
from ..text import text_of_scalar, texts_of_mapping
from ..waiting import wait_timeout_problems
from .inventory import PLATFORM_VARIABLE, Finding, Host, texts_in

AZURE_AUTH = "mcpops_azure_auth"
KUBECONFIG = "mcpops_kubeconfig"
NONE_OF_LIST, NONE_OF_MAPPING = "[]", "{}"
# what every play hands to its tasks, with what it takes where the inventory says nothing
_OF_PLAYBOOKS = {AZURE_AUTH: NONE_OF_MAPPING, "mcpops_process_environment": NONE_OF_MAPPING}
_READ = re.compile(r"\b(mcpops_\w+)(?:\s*\|\s*default\(\s*([^)]*?)\s*\))?")
# a null says the same as these
_NO_TEXT = ("''", '""')


def read_by(defaults: Mapping[str, Any]) -> dict[str, str]:
    """Common variable → what is taken where the inventory lacks it, as the template has it; "" where it is needed.

    `defaults` are those of the roles that apply to a host, not rendered.
    """
    found = dict(_OF_PLAYBOOKS)
    for text in texts_in(defaults):
        for name, default in _READ.findall(text):
            # one role that cannot do without it is enough
            found[name] = default if found.get(name, default) else ""
    return found


def empty_findings(host: Host, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys without a value, which is what is left when the last item below them is commented out.

    Of the roles' own variables only lists: null in another one of theirs may mean that the module leaves it alone.
    """
    for name, default in read_by(defaults).items():
        # of these a rule says what to write
        if name not in (PLATFORM_VARIABLE, KUBECONFIG) and default not in _NO_TEXT and _is_null(host, name):
            yield Finding(host.name, name, _quoted_default(default))
    for name, option in options.items():
        if option.get("type") == "list" and _is_null(host, name):
            yield Finding(host.name, name, _quoted_default(NONE_OF_LIST))


def _is_null(host: Host, name: str) -> bool:
    return name in host.written and name in host.variables and host.variables[name] is None


def _quoted_default(default: str) -> str:
    if not default:
        return "is empty (null). Give it a value, roles need it"
    if default in (NONE_OF_LIST, NONE_OF_MAPPING):
        return f"is empty (null). Remove the line to have the default, or write {default} for none"
    return "is empty (null). Remove the line to have the default, or give it a value"


ArgumentSpec = Mapping[str, Any]


def main_entry_point(argument_specs: Any) -> dict[str, Any] | None:
    """The options of `main` in a role's meta/argument_specs.yml, or None where there are none."""
    specs = argument_specs.get("argument_specs") if isinstance(argument_specs, Mapping) else None
    main = specs.get("main") if isinstance(specs, Mapping) else None
    options = main.get("options") if isinstance(main, Mapping) else None
    return dict(options) if isinstance(options, Mapping) else None


def argument_findings(host: Host, role: str, options: ArgumentSpec) -> Iterator[Finding]:
    """What is wrong with a host's variables for a role; a variable that is not known yet is not judged."""
    for name, spec in options.items():
        if name in host.deferred:
            continue
        if name in host.variables:
            yield from of_variable(host, name, spec)
        elif spec.get("required"):
            yield Finding(host.name, f"role {role}", f"missing required arguments: {name}")


def of_variable(host: Host, name: str, spec: ArgumentSpec) -> Iterator[Finding]:
    """What is wrong with one variable: told under its name, so that two roles with one fault tell it once."""
    value = host.variables[name]
    if spec.get("elements") == "dict" and isinstance(value, list):
        strange = [(index, entry) for index, entry in enumerate(value) if not isinstance(entry, Mapping)]
        for index, entry in strange:
            reported = "is empty (null)" if entry is None else f"is a {type(entry).__name__}"
            yield Finding(host.name, f"{name}[{index}]", f"{reported}, not a mapping of options")
        if strange:
            value = [entry for entry in value if isinstance(entry, Mapping)]
    validated = ArgumentSpecValidator({name: dict(spec)}).validate({name: value}, validate_role_argument_spec=True)
    for message in validated.error_messages:
        yield Finding(host.name, name, str(remove_values(message, validated._no_log_values)))


Spec = Mapping[str, Any]

# option of the module → variable of the role, as roles/aks_cluster/tasks/main.yml passes them
AKS_CLUSTER: Mapping[str, str] = {
    "name": "aks_cluster_name",
    "resource_group": "aks_cluster_resource_group",
    "location": "aks_cluster_location",
    "kubernetes_version": "aks_cluster_kubernetes_version",
    "sku_tier": "aks_cluster_sku_tier",
    "oidc_issuer": "aks_cluster_oidc_issuer",
    "workload_identity": "aks_cluster_workload_identity",
    "node_pools": "aks_cluster_node_pools",
    "network": "aks_cluster_network",
    "properties": "aks_cluster_properties",
    "tags": "aks_cluster_tags",
    "wait_timeout": "aks_cluster_wait_timeout",
}
# option → another that can only be judged together with it
_JUDGED_WITH: Mapping[str, str] = {"workload_identity": "oidc_issuer"}
SERVERS, NAMESPACE, CALLERS = "mcp_servers_servers", "mcp_servers_namespace", "mcp_servers_callers"
CALLS = "site_verify_calls"
NAMESPACES = "cluster_setup_namespaces"
OBJECTS = "cluster_setup_objects"
NAMESPACE_LABELS = "cluster_setup_namespace_labels"
KMCP_VERSION = "kmcp_version"
_NAMESPACE_VARIABLES: Mapping[str, str] = {"kmcp": "kmcp_namespace", "mcp_servers": NAMESPACE}
# option of kmcp_install → variable of the role kmcp
_KMCP_NAMES: Mapping[str, str] = {
    "chart_repository": "kmcp_chart_repository",
    "crds_chart": "kmcp_crds_chart",
    "controller_chart": "kmcp_controller_chart",
    "crds_release_name": "kmcp_crds_release_name",
    "release_name": "kmcp_release_name",
}
# longest wait of a role → whether 0 is one, which looks once; cluster_findings judges that of aks_cluster
WAITS: Mapping[str, bool] = {
    "azure_platform_wait_timeout": False,
    "cluster_setup_wait_timeout": True,
    "kmcp_wait_timeout": False,
    "mcp_servers_wait_timeout": True,
    "site_verify_wait_timeout": True,
    "site_teardown_wait_timeout": False,
}
LOCK_TIMEOUT, LOCK_NAMESPACE = "site_lock_timeout", "site_lock_namespace"
# the first that is there is the one in use
KUBECONFIGS = ("aks_cluster_kubeconfig", KUBECONFIG)
PLAYBOOK_VARIABLES = (*KUBECONFIGS, LOCK_TIMEOUT, LOCK_NAMESPACE)
_UNDER_LEASE = frozenset({"cluster_setup", "kmcp", "mcp_servers"})
_IN_CLUSTER = _UNDER_LEASE | {"aks_cluster", "site_verify", "site_diagnostics"}
_CALL_TEXTS = ("tool", "url", "expect", "expect_equals", "expect_regex")
_CALL_LISTS: Mapping[str, type] = {"expect_json": dict, "expect_tools": str}


def azure_auth_findings(host: Host) -> Iterator[Finding]:
    """The options that the playbooks hand to every Azure module; core merges them before a module can judge them."""
    given = host.get(AZURE_AUTH)
    spec = azure_argument_spec()
    if given is None:
        return
    if not isinstance(given, Mapping):
        reported = f"is a {type(given).__name__}, not a mapping of options. Its options are {', '.join(spec)}"
        yield Finding(host.name, AZURE_AUTH, reported)
        return
    for name in sorted(str(key) for key in given if key not in spec):
        near = difflib.get_close_matches(name, spec, n=1)
        advice = f"did you mean {near[0]}?" if near else f"its options are {', '.join(spec)}"
        yield Finding(host.name, AZURE_AUTH, f"has an unknown option {name!r}: {advice}")
    for problem in _validated(spec, {name: value for name, value in given.items() if name in spec})[0]:
        yield Finding(host.name, AZURE_AUTH, problem.message)


def cluster_findings(host: Host, spec: Spec) -> Iterator[Finding]:
    """The options of aks_cluster, if its role applies and the cluster's name is known."""
    given = {option: host.get(name) for option, name in AKS_CLUSTER.items() if host.get(name) not in (None, "")}
    if "aks_cluster" not in host.roles or not {"name", "resource_group"} <= given.keys():
        return
    params: dict[str, Any] = {option: rule.get("default") for option, rule in spec.items()}
    for option, value in given.items():
        if AKS_CLUSTER.get(_JUDGED_WITH.get(option, "")) in host.deferred:
            continue
        problems, validated = _validated({option: spec[option]}, {option: value})
        if not problems:
            params[option] = validated[option]
        # of plain options the role's own argument specification says the same
        for problem in problems if spec[option].get("options") else ():
            yield Finding(host.name, AKS_CLUSTER[option], problem.message)
    for problem in validate.problems_of(params):
        option = problem.path.replace("[", ".").partition(".")[0]
        # what is known later only cannot be wrong now
        if AKS_CLUSTER.get(option) not in host.deferred:
            yield Finding(host.name, _variable_path(problem.path) or "aks_cluster", problem.message)


def server_findings(host: Host, spec: Spec) -> Iterator[Finding]:
    """The servers of mcp_server, one by one: what is wrong with one does not hide the faults of the others."""
    entries = host.get(SERVERS)
    if "mcp_servers" not in host.roles or not isinstance(entries, list) or NAMESPACE in host.deferred:
        return
    sound: list[server_spec.Declared] = []
    for index, entry in enumerate(entries):
        where = f"{SERVERS}[{index}]"
        if not isinstance(entry, Mapping):
            continue  # the role's own argument specification says so
        problems, validated = _validated(spec, entry)
        for problem in problems:
            yield Finding(host.name, where, problem.message)
        if problems:
            # an option that does not exist hides no fault of those that do
            problems, validated = _validated(spec, {key: value for key, value in entry.items() if key in spec})
        if not problems:
            options = {key: value for key, value in validated.items() if value is not None}
            options.setdefault("namespace", host.get(NAMESPACE))
            sound.append(server_spec.Declared(where, options, server_spec.server_resource(options)))
    for problem in server_validate.server_problems(sound):
        yield Finding(host.name, problem.path, problem.message)
    objects = host.get("cluster_setup_objects")
    secrets = server_rotation.declared(objects if isinstance(objects, list) else [])
    for server in sound:
        for refusal in server_rotation.variable_clashes(server, secrets):
            yield Finding(host.name, f"{server.where}.{refusal.path}", f"{refusal.sentence}. {refusal.remedy}")
    yield from _shared_server_findings(host, spec)


def _shared_server_findings(host: Host, spec: Spec) -> Iterator[Finding]:
    """Of the options that are about all servers."""
    callers = host.get(CALLERS)
    if isinstance(callers, list):
        problems, validated = _validated({"callers": spec["callers"]}, {"callers": callers})
        for problem in problems:
            yield Finding(host.name, CALLERS, problem.message)
        for path, message in () if problems else server_policies.callers_problems(CALLERS, validated["callers"]):
            yield Finding(host.name, path, message)
    options = {option: host.get(f"mcp_servers_{option}") for option in ("bundle", "prune", "prune_max_percent")}
    if isinstance(options["prune_max_percent"], int):
        for problem in mcp_server.bundle_problems(options):
            yield Finding(host.name, f"mcp_servers_{problem.path}", problem.message)


def object_findings(host: Host) -> Iterator[Finding]:
    """What k8s_objects would say of the objects and namespaces of cluster_setup before it asks the cluster."""
    if "cluster_setup" not in host.roles:
        return
    items, places = [], []
    # the role's own list has the names of these variables, and what is wrong with them is told there
    reported = [] if NAMESPACES in host.written else [finding.path for finding in namespace_findings(host)]
    for index, entry in enumerate(_listed(host, NAMESPACES)):
        if not isinstance(entry, Mapping) or not entry.get("name"):
            continue
        if any(entry["name"] == host.get(variable) for variable in reported):
            continue
        labels = entry.get("labels")
        texts = texts_of_mapping(labels) if isinstance(labels, Mapping) else labels
        metadata = {"name": entry["name"], "labels": texts}
        items.append({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        places.append(f"{NAMESPACES}[{index}]")
    for index, entry in enumerate(_listed(host, OBJECTS)):
        opened = manifests.flatten_lists([entry])
        items += opened
        places += [f"{OBJECTS}[{index}]"] * len(opened)
    of_all = manifests.pod_security_problems(host.get(NAMESPACE_LABELS), NAMESPACE_LABELS)
    for problem in [*of_all, *manifests.manifest_problems(items, places)]:
        yield Finding(host.name, problem.path, problem.message)


def namespace_findings(host: Host) -> Iterator[Finding]:
    """Names that no namespace can have, of the variables that several roles follow."""
    for role, variable in _NAMESPACE_VARIABLES.items():
        if role in host.roles and host.get(variable) not in (None, ""):
            for problem in namespace_problems(variable, host.get(variable)):
                yield Finding(host.name, problem.path, problem.message)


def wait_findings(host: Host) -> Iterator[Finding]:
    """Longest waits that are negative, or nothing where something has to be waited for."""
    for variable, zero in WAITS.items():
        seconds = host.get(variable)
        if isinstance(seconds, (int, float)):
            for problem in wait_timeout_problems(seconds, option=variable, zero=zero):
                yield Finding(host.name, problem.path, problem.message)


def playbook_findings(host: Host, lock: Spec) -> Iterator[Finding]:
    """What playbooks hand to modules without a role between: the lease's variables, and the kubeconfig of all tasks.

    `lock` is the argument specification of site_lock.
    """
    if not _IN_CLUSTER.isdisjoint(host.roles):
        variable = next((name for name in KUBECONFIGS if name in host.written), KUBECONFIGS[-1])
        own = (f"{role}_kubeconfig" for role in host.roles if role in _IN_CLUSTER and role != "aks_cluster")
        for name in (variable, *(name for name in own if name in host.written)):
            if name in host.variables and host.get(name) in (None, "") and name not in host.deferred:
                reported = (
                    "is empty, and no other kubeconfig stands in for it. Name the file of the cluster's kubeconfig"
                )
                yield Finding(host.name, name, reported)
    if _UNDER_LEASE.isdisjoint(host.roles):
        return
    if host.get(LOCK_TIMEOUT) is not None:
        found = list(of_variable(host, LOCK_TIMEOUT, lock["wait_timeout"]))
        yield from found
        seconds = None if found else int(host.get(LOCK_TIMEOUT))
        for problem in wait_timeout_problems(seconds, option=LOCK_TIMEOUT, zero=True):
            yield Finding(host.name, problem.path, problem.message)
    if host.get(LOCK_NAMESPACE) is not None:
        for problem in namespace_problems(LOCK_NAMESPACE, host.get(LOCK_NAMESPACE)):
            yield Finding(host.name, problem.path, problem.message)


def version_findings(host: Host) -> Iterator[Finding]:
    """A version of KMCP that is none; whether its charts exist is known when they are asked for."""
    version = host.get(KMCP_VERSION)
    if "kmcp" in host.roles and version is not None and exact_version(str(version)) is None:
        yield Finding(host.name, KMCP_VERSION, chart.version_problem(KMCP_VERSION, str(version)).message)


def kmcp_name_findings(host: Host) -> Iterator[Finding]:
    """What kmcp_install would say of the names of its charts and releases."""
    if "kmcp" not in host.roles or any(variable in host.deferred for variable in _KMCP_NAMES.values()):
        return
    given = {option: host.get(variable) for option, variable in _KMCP_NAMES.items()}
    named = {option: text for option, text in given.items() if isinstance(text, str)}
    params = {"chart_repository": "", "namespace": kmcp_charts.DEFAULT_NAMESPACE, **kmcp_charts.DEFAULT_NAMES, **named}
    for problem in [*kmcp_charts.name_problems(params), *kmcp_charts.chart_problems(params)]:
        message = problem.message
        for option, variable in _KMCP_NAMES.items():
            message = re.sub(rf"\b{option}\b", variable, message)
        yield Finding(host.name, _KMCP_NAMES[problem.path], message)


def _listed(host: Host, variable: str) -> list[Any]:
    given = host.get(variable)
    return given if isinstance(given, list) else []


def call_findings(host: Host) -> Iterator[Finding]:
    """What mcp_probe would say of the declared calls, one by one; the servers have findings of their own."""
    calls = host.get(CALLS)
    if "site_verify" not in host.roles or not isinstance(calls, list):
        return
    for index, call in enumerate(calls):
        if not isinstance(call, Mapping):
            continue  # the role's own argument specification says so
        stated = {key: call[key] for key in _CALL_TEXTS if call.get(key) is not None}
        asked: dict[str, Any] = {key: str(text_of_scalar(value)) for key, value in stated.items()}
        asked |= {key: call[key] for key in ("arguments", "headers") if isinstance(call.get(key), Mapping)}
        asked |= {key: call[key] for key in ("expect_error", "each_replica") if call.get(key) is not None}
        # of another way the role's own argument specification tells
        asked |= {"via": call["via"]} if call.get("via") in targets.WAYS else {}
        for key, kind in _CALL_LISTS.items():
            given = call.get(key)
            if isinstance(given, list) and all(isinstance(item, kind) for item in given):
                asked[key] = given
        try:
            targets.targets_from({"servers": [{"name": "server", "namespace": "namespace", **asked}]})
        except InvalidInput as wrong:
            for problem in wrong.problems:
                yield Finding(host.name, problem.path.replace("servers[0]", f"{CALLS}[{index}]", 1), problem.message)


def _validated(spec: Spec, params: Mapping[str, Any]) -> tuple[list[Problem], dict[str, Any]]:
    validated = ArgumentSpecValidator(dict(spec)).validate(dict(params))
    hidden = validated._no_log_values
    problems = [Problem("", str(remove_values(_reported(error), hidden))) for error in validated.errors]
    return problems, validated.validated_parameters


def _reported(error: Exception) -> str:
    """Core's message; that of an unknown option is a bare list of names."""
    return f"has an unknown option: {error}" if isinstance(error, UnsupportedError) else str(error)


def _variable_path(path: str) -> str:
    """`node_pools[0].count` of the module as `aks_cluster_node_pools[0].count` of the role."""
    for option, variable in AKS_CLUSTER.items():
        if path == option or path.startswith((f"{option}.", f"{option}[")):
            return variable + path[len(option) :]
    return path
