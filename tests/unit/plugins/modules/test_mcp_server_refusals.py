# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of mcp_server has a value that is refused before anything is asked, alone and in a list of servers."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from types import FrameType, ModuleType
from typing import Any

import pytest
from support.action import run_action

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import mcp_server as server_prune
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import (
    server_fields,
    server_policies,
    server_spec,
    server_validate,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import kubernetes_argument_spec
from ansible_collections.mcpops.platform.plugins.modules import mcp_server

from ..module_utils.kmcp import test_server_callers, test_server_rules

LEAST = {"name": "echo", "namespace": "mcp", "image": "echo:1.0.0"}
RULE_MODULES = (server_validate, server_fields, server_fields, server_policies, server_spec)
MAPPING = "unable to convert to dict"

# option of a server → (refused value, words of the message)
OF_SERVERS: dict[str, tuple[Any, str]] = {
    "name": ("Echo", "'Echo' is not a valid Service name"),
    "namespace": ("My_Ns", "'My_Ns' is not a valid namespace name"),
    "transport": ("sse", "must be one of: http, stdio"),
    "image": ("Echo:1 0", "not a valid image reference"),
    "image_pull_policy": ("Sometimes", "must be one of: Always, IfNotPresent, Never"),
    "port": (70000, "70000 is not a valid port (1 to 65535)"),
    "path": ("mcp", "is not a URL path: it starts with /"),
    "tls": ("on", MAPPING),
    "tls.secret_ref": ("My Cert", "'My Cert' is not a valid Secret name"),
    "tls.insecure_skip_verify": ("perhaps", "unable to convert to bool"),
    "command": (["python", "server.py"], "command: is a list or a mapping: name the program alone"),
    "args": ([{"a": 1}], "args[0]: is a mapping: give a text"),
    "env": ({"A": [1]}, "env.A: is a list: give a text"),
    "secret_refs": (["Bad Name"], "'Bad Name' is not a valid Secret name"),
    "config_map_refs": (["a.b"], "config_map_refs[0]"),
    "labels": ({"app.kubernetes.io/name": "x"}, "overriding it breaks the server"),
    "annotations": ({"a b": "x"}, "annotations.a b"),
    "server_labels": ({"team": "a b"}, "server_labels.team"),
    "server_annotations": ({"_x": "y"}, "server_annotations._x"),
    "replicas": (-1, "replicas: -1 is not a valid number of pods"),
    "stateless": ("perhaps", "unable to convert to bool"),
    "resources": ({"limits": {"cpu": "half"}}, "resources.limits.cpu: 'half' is not a valid quantity"),
    "security_context": ("strict", MAPPING),
    "pod_security_context": ("strict", MAPPING),
    "service_account": (
        {"name": "x"},
        "service_account: has an unknown option 'name': its options are annotations, labels",
    ),
    "service_account.annotations": ({"a b": "x"}, "service_account.annotations.a b"),
    "service_account.labels": ({"team": "a,b"}, "service_account.labels.team"),
    "service_account_name": ("My_Account", "is not a valid ServiceAccount name"),
    "workload_identity": ({}, "workload_identity.client_id: is missing"),
    "workload_identity.client_id": ("my-app", "'my-app' is not a UUID"),
    "workload_identity.tenant_id": ("contoso", "'contoso' is not a UUID"),
    "image_pull_secrets": (["A B"], "'A B' is not a valid Secret name"),
    "node_selector": ({"pool": "-fast"}, "node_selector.pool"),
    "tolerations": (["gpu"], "tolerations[0]: is text, not a mapping of options"),
    "affinity": ("near", MAPPING),
    "volumes": ([{"name": "config"}], "taken by the controller"),
    "volume_mounts": ([{"name": "a", "mountPath": "/a"}], "which is not declared in volumes"),
    "sidecars": ([{"name": "mcp-server"}], "the container name 'mcp-server' is taken"),
    "init_container": ({"resources": {"limits": {"memory": "1 Gi"}}}, "init_container.resources.limits.memory"),
    "adapter_image": ("", "adapter_image: is empty"),
    "timeout": ("30", "timeout: '30' is not a valid duration"),
    "spec": ({"deployment": {"port": -1}}, "port: -1 is not a valid port"),
    "callers": ([{}], "callers[0]: selects no peer"),
    "callers.namespace": ("My Agents", "callers[0].namespace: 'My Agents' is not a valid namespace name"),
    "callers.namespace_labels": ({"a/b/c": "x"}, "callers[0].namespace_labels.a/b/c"),
    "callers.pod_labels": ({"app": "a b"}, "callers[0].pod_labels.app"),
    "callers.cidr": ("10.0.0.1", "callers[0].cidr: '10.0.0.1' is not a range of addresses"),
    "callers.except": (["10.0.0.0/8"], "callers[0].except: takes addresses out of cidr"),
    "callers.ports": ([0], "callers[0].ports[0]: 0 is not a port"),
    "allow_api_server": ("perhaps", "unable to convert to bool"),
    "roll_on_config_change": ("perhaps", "unable to convert to bool"),
}

# option of the task → (options, words of the message)
OF_THE_TASK: dict[str, tuple[dict[str, Any], str]] = {
    "state": ({**LEAST, "state": "gone"}, "must be one of: present, absent"),
    "servers": ({"servers": [LEAST, dict(LEAST)]}, "MCPServer mcp/echo is declared twice (also servers[0])"),
    "bundle": ({**LEAST, "bundle": "my tools"}, "bundle: 'my tools' is not a valid label value"),
    "prune": ({**LEAST, "prune": True}, "prune is True but all of the following are missing: bundle, servers"),
    "prune_max_percent": ({**LEAST, "prune_max_percent": 101}, "prune_max_percent: 101 is not a percentage"),
    "image_digests": ({**LEAST, "image_digests": {"registry.example.com/echo:1": "latest"}}, "image_digests"),
    "keep_image_digests": ({**LEAST, "keep_image_digests": "perhaps"}, "unable to convert to bool"),
    "wait": ({**LEAST, "wait": "perhaps"}, "unable to convert to bool"),
    "wait_timeout": ({**LEAST, "wait_timeout": -1}, "wait_timeout: must be 0 or more seconds"),
}

# rules over more than one option of the task → (options, words)
OVER_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "one and many": ({**LEAST, "servers": []}, "parameters are mutually exclusive: name|servers"),
    "neither": ({"namespace": "mcp"}, "one of the following is required: name, servers"),
    "pruning what is removed": (
        {"servers": [LEAST], "state": "absent", "prune": True, "bundle": "tools"},
        "prune: belongs to state: present",
    ),
    "a bundle without a name": ({**LEAST, "bundle": ""}, "bundle: is empty"),
    "callers of all servers": (
        {"servers": [LEAST, {**LEAST, "name": "b"}], "callers": [{}]},
        "callers[0]: selects no peer",
    ),
    "an option that is not there": ({**LEAST, "image_pull_polcy": "Never"}, "image_pull_polcy"),
    "an entry's option that is not there": (
        {"servers": [{**LEAST, "prot": 1}]},
        "servers[0]: has an unknown option 'prot': did you mean port?",
    ),
}


def stated(options: Mapping[str, Any], check: bool = False) -> str:
    """What the task says; the kubeconfig is of no cluster, so that it says nothing else when it gets so far."""
    found = run_action(
        "mcp_server", options, defaults={}, environment={"K8S_AUTH_KUBECONFIG": "/nowhere/kubeconfig"}, check=check
    )
    assert found.get("failed")
    assert not found["changed"]
    message = str(found["msg"])
    assert "/nowhere" not in message
    return message


def with_option(option: str, value: Any) -> dict[str, Any]:
    outer, _dot, inner = option.partition(".")
    if not inner:
        return {**LEAST, outer: value}
    parts: dict[str, Any] = {inner: value}
    if outer == "workload_identity" and inner != "client_id":
        parts["client_id"] = "01234567-89ab-4cde-8f01-23456789abcd"
    if outer == "callers":
        return {**LEAST, outer: [parts if inner in ("namespace", "cidr") else {"pod_labels": {}, **parts}]}
    return {**LEAST, outer: parts}


def options_of(spec: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, one in spec.items():
        yield f"{above}{name}"
        yield from options_of(one.get("options") or {}, f"{above}{name}.") if not above else ()


def test_every_option_has_a_refused_value() -> None:
    """Those of the connection are the same in all modules of the group and have tests of their own."""
    assert set(OF_SERVERS) == set(options_of(mcp_server.SERVER))
    own = set(mcp_server.ARGUMENT_SPEC) - set(mcp_server.SERVER) - set(kubernetes_argument_spec())
    assert set(OF_THE_TASK) == own


@pytest.mark.parametrize(("value", "words"), OF_SERVERS.values(), ids=OF_SERVERS)
def test_a_value_that_cannot_be_is_refused(value: Any, words: str, request: pytest.FixtureRequest) -> None:
    option = request.node.callspec.id
    assert words in stated(with_option(option, value))


@pytest.mark.parametrize(("value", "words"), OF_SERVERS.values(), ids=OF_SERVERS)
def test_and_so_it_is_in_a_list_of_servers(value: Any, words: str, request: pytest.FixtureRequest) -> None:
    option = request.node.callspec.id
    sound = {**LEAST, "name": "sound"}
    message = stated({"servers": [sound, with_option(option, value)]}, check=True)
    assert "servers" in message
    assert words.partition(". Supported")[0].partition(": ")[2] in message or words in message


@pytest.mark.parametrize(
    ("options", "words"), [*OF_THE_TASK.values(), *OVER_OPTIONS.values()], ids=[*OF_THE_TASK, *OVER_OPTIONS]
)
def test_what_is_wrong_about_all_servers_is_refused(options: dict[str, Any], words: str) -> None:
    assert words in stated(options)


def test_all_problems_are_told_at_once() -> None:
    message = stated({"servers": [{**LEAST, "port": 0}, {**LEAST, "name": "b", "timeout": "x"}], "wait_timeout": -1})
    assert message.startswith("mcp_server: 3 problems, nothing was changed:")


def refusals(module: ModuleType) -> set[tuple[str, int]]:
    """The lines of a module of rules where a problem is named."""
    tree = ast.parse(inspect.getsource(module))
    names = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name != "warnings"]
    return {
        (str(module.__file__), node.value.elts[1].lineno)
        for function in names
        for node in ast.walk(function)
        if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple)
    }


def test_every_problem_that_a_rule_can_name_is_named_in_a_test() -> None:
    cases = [case[0] for case in test_server_rules.UNSOUND.values()]
    cases += [{"callers": [case[0]]} for case in test_server_callers.UNSOUND.values()]
    cases += [
        with_option(option, value) for option, (value, _words) in OF_SERVERS.items() if isinstance(value, (dict, list))
    ]
    hit: set[tuple[str, int]] = set()
    files = {str(module.__file__) for module in RULE_MODULES}

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        hit.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for case in cases:
            entry = {**LEAST, **case}
            if any(isinstance(entry.get(option), (str, list)) for option in ("tls", "spec", "service_account")):
                continue
            server_validate.server_problems(declared_from({"servers": [entry]}))
    finally:
        sys.settrace(before)
    wanted = {place for module in RULE_MODULES for place in refusals(module)}
    assert sorted(wanted - hit) == []
    assert len(wanted) > 40


def test_what_is_wrong_about_the_bundle_is_what_the_table_has() -> None:
    named = {
        problem.path
        for options, _words in [*OF_THE_TASK.values(), *OVER_OPTIONS.values()]
        for problem in server_prune.bundle_problems(options)
    }
    assert named == {"bundle", "prune", "prune_max_percent"}
