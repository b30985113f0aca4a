# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module refuses of a role's variable, site_validate refuses, by the variable's name; and nothing else.

The values come from the argument specification of each module that a role calls: another type, none of the choices, out
of any range, a suboption that does not exist. The module itself is the judge of each.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from support.site_validation import CHECKOUT, validate

from ansible_collections.mcpops.platform.plugins.module_utils.domain import BACKEND, EXISTING
from ansible_collections.mcpops.platform.plugins.module_utils.site.expressions import handed_on
from ansible_collections.mcpops.platform.plugins.module_utils.site.roles import module_tasks

MODULES = frozenset(path.stem for path in (CHECKOUT / "plugins" / "modules").glob("[!_]*.py"))
ROLES = sorted(path.name for path in (CHECKOUT / "roles").iterdir())
LATER = "LATER"
"""What stands in the place of an argument that is known later."""
# removal is judged for hosts that are confirmed in the groups of a site only
WITHOUT = {"site_teardown"}
COMMON: dict[str, Any] = {
    "mcpops_environment": "dev",
    "mcpops_location": "eastus2",
    "mcpops_resource_group": "rg-dev",
    "mcpops_kubeconfig": "~/.kube/{{ inventory_hostname }}",
    "mcpops_mcp_servers": [{"name": "echo", "image": "echo:1"}],
    # a task whose loop has nothing to go over runs no module
    "azure_platform_role_assignments": [
        {
            "scope": "/resourceGroups/rg-dev",
            "role": "Reader",
            "principal": "11111111-2222-3333-4444-555555555555",
            "principal_type": "Group",
        }
    ],
    "azure_platform_registries": [{"name": "images"}],
    "azure_platform_images": [
        {"registry": "images", "repository": "pause", "tags": ["1"], "source": {"image": "ghcr.io/pause:1"}}
    ],
}
# an entry of a list with what it needs, to which a wrong suboption is added
ENTRIES: dict[str, dict[str, Any]] = {
    "node_pools": {"name": "system", "mode": "System", "count": 1},
    "servers": {"name": "echo", "image": "echo:1"},
    "agents": {"name": "dates", "image": "dates:1"},
    "callers": {"namespace": "agents"},
    "calls": {"agent": "dates", "path": "/chat"},
    "files": {"path": "/a", "text": ""},
    "secrets": {"backend": "existing", "name": "a", "keys": {"A": "a"}},
    "identity": {"client_id": "11111111-2222-3333-4444-555555555555"},
    "monitoring": {"group": "monitoring.coreos.com"},
    "ignore_differences": {"kind": "Deployment", "paths": ["spec.replicas"]},
    "object_options": {"kind": "ConfigMap"},
    "expect_json": {"path": ".a"},
    "listeners": {"hostname": "a.test", "tls": {"secret": "a"}},
    "routes": {"name": "echo", "host": "echo.test", "anonymous": True},
    "auth": {"name": "e", "issuer": "https://a.test", "audiences": ["a"]},
}
# what a host must say so that a module is run there
BESIDE: dict[str, dict[str, Any]] = {
    "k8s_preflight": {BACKEND: EXISTING},
    "mesh_registry_info": {"mcpops_mesh_namespace": "mesh"},
    "agent_workload_info": {"mcpops_agents": [{"name": "dates", "image": "dates:1"}]},
    "gateway": {"gateway_listeners": [{"hostname": "a.test", "tls": {"secret": "a"}}]},
    "gateway_route": {"gateway_listeners": [{"hostname": "a.test", "tls": {"secret": "a"}}]},
    "gateway_trial": {"gateway_listeners": [{"hostname": "a.test", "tls": {"secret": "a"}}]},
}
# what tests of the modules have seen refused beside types and choices
FURTHER: dict[str, list[Any]] = {
    "int": [-5, 10**6],
    "str": ["-bad-/ %", ""],
    "path": [],
    "bool": [True, False],
    "list": [[], [""]],
    "dict": [{"nosuchkey": {"a": [None]}}],
}
OF_ANOTHER_TYPE: dict[str, Any] = {"int": "many", "bool": "perhaps", "dict": "text", "list": {"a": 1}, "float": "long"}


class Case(NamedTuple):
    role: str
    module: str
    option: str
    variable: str
    value: Any


def wrong_values(option: str, rule: Mapping[str, Any]) -> Iterator[Any]:
    """Values of which a module may refuse some."""
    kind = rule.get("type", "str")
    if kind in OF_ANOTHER_TYPE:
        yield OF_ANOTHER_TYPE[kind]
    if rule.get("choices"):
        yield "nonsense"
    yield from FURTHER.get(kind, ())
    if rule.get("options"):
        entry = ENTRIES.get(option, {})
        below = [{**entry, "nosuchoption": 1}]
        for name, suboption in rule["options"].items():
            # one of each kind: all of them are judged one by one in the modules' own tests
            first = next(wrong_values(name, suboption), None)
            below += [] if first is None else [{**entry, name: first}]
        yield from below if kind == "dict" else [[one] for one in below]


def cases() -> list[Case]:
    """A wrong value for every option that one variable of a role feeds."""
    found = []
    for file in sorted((CHECKOUT / "roles").glob("*/tasks/*.yml")):
        for task in module_tasks(yaml.safe_load(file.read_text(encoding="utf-8")), MODULES, {}, lambda _file: None):
            spec = module(task.module).ARGUMENT_SPEC
            for option, raw in task.arguments.items():
                rows = [(option, spec[option], raw)]
                if isinstance(raw, Mapping) and spec[option].get("options"):
                    rows = [(name, spec[option]["options"][name], source) for name, source in raw.items()]
                for name, rule, source in rows:
                    [variable, *_others] = handed_on(source) or [""]
                    # a task of one role may be there for another one, whose variables it has
                    for role in (one for one in ROLES if variable.startswith(f"{one}_") and one not in WITHOUT):
                        path = name if name == option else f"{option}.{name}"
                        found += [Case(role, task.module, path, variable, one) for one in wrong_values(name, rule)]
    return found


def module(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.mcpops.platform.plugins.modules.{name}")


CASES = cases()


class Judged(NamedTuple):
    """What site_validate told of a host, by place, and the runs of modules that it saw there."""

    reported: dict[str, str]
    runs: list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    """Of every case, on one site with a host for each."""
    groups: dict[str, dict[str, Any]] = {role: {} for role in ROLES}
    for number, case in enumerate(CASES):
        groups[case.role][f"h{number}"] = {**BESIDE.get(case.module, {}), case.variable: case.value}
    # what verifies these is run by the role that verifies
    verified = {"agent_workload", "gateway"}
    roles = {role: [role, *(["site_verify"] if role in verified else [])] for role in ROLES if role not in WITHOUT}
    reported, runs = validate(tmp_path_factory.mktemp("site"), groups, roles, **COMMON)
    return [Judged(reported.get(f"h{number}", {}), runs.get(f"h{number}", [])) for number in range(len(CASES))]


def refuses(name: str, arguments: Mapping[str, Any]) -> bool:
    """Whether the module would end with these arguments before it asks anything."""
    if LATER in str(arguments):
        return False
    found = module(name)
    validated = ArgumentSpecValidator(found.ARGUMENT_SPEC, **getattr(found, "RULES", {})).validate(dict(arguments))
    return bool(validated.error_messages) or bool(found.PROBLEMS(validated.validated_parameters))


def names(case: Case, path: str, message: str) -> bool:
    """Whether a finding is about the variable: its own, or one of two variables that do not go together."""
    return path.startswith(case.variable) or case.variable in message or case.option in message.split()


def test_what_a_module_refuses_is_told_by_the_variable(judged: list[Judged]) -> None:
    refused = [any(refuses(*run) for run in one.runs) for one in judged]
    missed = [
        (case, one.reported)
        for case, one, wrong in zip(CASES, judged, refused)
        if wrong and not any(names(case, *row) for row in one.reported.items())
    ]
    assert missed == []
    # both kinds of values came up, and every module of every role was asked
    assert sum(refused) > len(CASES) / 3
    assert not all(refused)
    assert {name for one in judged for name, _arguments in one.runs} >= {case.module for case in CASES}


def test_what_is_accepted_no_module_refuses(judged: list[Judged]) -> None:
    accepted = [(case, one) for case, one in zip(CASES, judged) if not one.reported]
    assert len(accepted) > 10
    assert [case for case, one in accepted if any(refuses(*run) for run in one.runs)] == []


def test_every_module_judges_its_options_before_it_asks_anything() -> None:
    """Those of a site are actions that look at the whole of it."""
    without = {name for name in MODULES if not hasattr(module(name), "PROBLEMS")}
    assert without == {"controller_content", "site_drift", "site_drift_verdict", "site_validate"}
