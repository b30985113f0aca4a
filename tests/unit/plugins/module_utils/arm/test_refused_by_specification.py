# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option and suboption of every module for Azure has a value that is refused before a request.

The values come from the argument specification: another type, none of the choices, texts that are hardly ever right. An
option that takes them all is named below with the reason; one that is new is found here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins import modules
from ansible_collections.mcpops.platform.plugins.module_utils.arm.options import azure_argument_spec

CONNECTION = azure_argument_spec()
PRINCIPAL = "11111111-2222-3333-4444-555555555555"
NAMED = {"name": "agents", "resource_group": "rg"}
POOL = {"name": "system", "mode": "System", "count": 1}
SOUND: dict[str, dict[str, Any]] = {
    "acr_image": {
        "registry": "acragents",
        "resource_group": "rg",
        "repository": "tools/echo",
        "tags": ["1.0"],
        "source": {"image": "ghcr.io/team/echo:1.0"},
    },
    "aks_cluster": {**NAMED, "location": "eastus2", "node_pools": [POOL]},
    "aks_cluster_info": NAMED,
    "aks_kubeconfig": {**NAMED, "path": "/tmp/kubeconfig"},
    "aks_sku_preflight": {"location": "eastus2", "candidates": ["Standard_D2s_v5"], "node_count": 1},
    "azure_preflight": {
        "providers": ["Microsoft.Compute"],
        "permissions": [{"actions": ["Microsoft.Compute/skus/read"]}],
        "clusters": [{"host": "one", "cluster": NAMED}],
    },
    "azure_provider": {"namespaces": ["Microsoft.Compute"]},
    "azure_resource": {"type": "Microsoft.Resources/resourceGroups", "name": "rg", "location": "eastus2"},
    "azure_resource_info": {"type": "Microsoft.Resources/resourceGroups", "name": "rg"},
    "azure_role_assignment": {"scope": "/resourceGroups/rg", "principal": PRINCIPAL, "role": "Reader"},
}
WRONG: dict[str, tuple[Any, ...]] = {
    "bool": ("perhaps",),
    "dict": ("text",),
    "float": ("long",),
    "int": ("many",),
    "list": ({"a": 1}, ["-bad-/ %"], [" "]),
    "path": ("", " "),
    "str": ("", " ", "-bad-/ %", "x" * 3000),
}


# what is told of this option alone
FURTHER = {"azure_role_assignment condition": ("((a)",)}
EXCLUSIVE = {("build", "source")}


class Case(NamedTuple):
    module: str
    option: str
    given: dict[str, Any]
    """Sound options, with what a suboption needs beside it."""
    wrong: tuple[dict[str, Any], ...]


def values(rule: Mapping[str, Any]) -> tuple[Any, ...]:
    return ("nonsense",) if rule.get("choices") and rule.get("type") != "list" else WRONG[rule.get("type", "str")]


def cases(module: str, spec: Mapping[str, Any], given: Mapping[str, Any], above: str = "") -> Iterator[Case]:
    """A case for each option; those below it are put into the first entry of a list, or into the mapping."""
    for name, rule in spec.items():
        if not above and name in CONNECTION:
            continue
        wrong = (*values(rule), *FURTHER.get(f"{module} {above}{name}", ()))
        yield Case(module, f"{above}{name}", dict(given), tuple({**given, name: value} for value in wrong))
        if not rule.get("options"):
            continue
        is_list = rule.get("type") == "list"
        standing = (given.get(name) or [{}])[0] if is_list else given.get(name) or {}
        entry = {**_needed(rule["options"]), **standing}
        for below in cases(module, rule["options"], entry, f"{above}{name}."):
            beside = {key: value for key, value in given.items() if (name, key) not in EXCLUSIVE}
            wrapped = [{**beside, name: [one] if is_list else one} for one in (below.given, *below.wrong)]
            yield below._replace(given=wrapped[0], wrong=tuple(wrapped[1:]))


def _needed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Something for what has to be given."""
    samples: dict[str, Any] = {"dict": {}, "list": [], "int": 1, "bool": True}
    return {
        name: rule["choices"][0] if rule.get("choices") else samples.get(rule.get("type", "str"), "x")
        for name, rule in options.items()
        if rule.get("required")
    }


def loaded(module: str) -> Any:
    return importlib.import_module(f"{modules.__name__}.{module}")


def reported(module: str, options: Mapping[str, Any]) -> set[str]:
    code = loaded(module)
    validated = ArgumentSpecValidator(code.ARGUMENT_SPEC, **getattr(code, "RULES", {})).validate(dict(options))
    return set(validated.error_messages) or {str(one) for one in code.PROBLEMS(validated.validated_parameters)}


CASES = [case for module in SOUND for case in cases(module, loaded(module).ARGUMENT_SPEC, SOUND[module])]
OF_AZURE = "only Azure knows which there are"
FREE = {
    "aks_cluster owner.environment": "a text of the user's, which becomes the value of a tag",
    "azure_resource owner.environment": "a text of the user's, which becomes the value of a tag",
    "aks_cluster node_pools.vm_size": OF_AZURE,
    "aks_cluster node_pools.os_sku": OF_AZURE,
    "aks_sku_preflight node_pools.vm_size": OF_AZURE,
    "aks_sku_preflight node_pools.os_sku": OF_AZURE,
    "aks_sku_preflight node_pools.name": "only compared with the pools that a cluster has",
    "aks_sku_preflight node_pool": "only compared with the pools that a cluster has",
    "azure_preflight clusters.images.where": "a text for messages",
    "azure_resource kind": OF_AZURE,
    "azure_resource api_version": OF_AZURE,
    "azure_resource_info api_version": OF_AZURE,
}


def test_every_module_for_azure_is_here() -> None:
    files = Path(str(modules.__path__[0])).glob("[!_]*.py")
    names = {file.stem for file in files if "azure_argument_spec()" in file.read_text(encoding="utf-8")}
    assert names == set(SOUND)


@pytest.mark.parametrize("module", SOUND)
def test_what_is_sound_is_not_refused(module: str) -> None:
    assert reported(module, SOUND[module]) == set()


@pytest.mark.parametrize("case", CASES, ids=[f"{case.module} {case.option}" for case in CASES])
def test_some_value_is_refused(case: Case) -> None:
    before = reported(case.module, case.given)
    said = set().union(*(reported(case.module, wrong) - before for wrong in case.wrong))
    own = case.option.rpartition(".")[2]
    refused = [one for one in said if own in one]
    assert bool(refused) != (f"{case.module} {case.option}" in FREE), (case.option, said)
