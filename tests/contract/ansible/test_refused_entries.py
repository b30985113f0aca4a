# SPDX-License-Identifier: GPL-3.0-or-later
"""Each option of what a platform and its clusters have in Azure has a value that is refused by the variable's name.

Registries, identities, federated credentials, roles and workspaces are entries of lists, which modules get one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from support.site_validation import CHECKOUT, validate

SITE: dict[str, Any] = {
    "mcpops_location": "eastus2",
    "mcpops_resource_group": "rg",
    "mcpops_environment": "test",
    "mcpops_subscription_id": "1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22",
    "mcpops_kubeconfig": "/tmp/{{ inventory_hostname }}",
}
GROUP, LONG = "rg.", "x" * 300
REGISTRY, IDENTITY = {"name": "acragents"}, {"name": "id-ci"}
TOKEN = {"identity": "id-ci", "name": "main", "issuer": "https://issuer/", "subject": "repo:x"}
SERVER = {"name": "pg-agents", "login": "mesh"}
DATABASE = {"server": "pg-agents", "name": "registry"}
RULE = {"server": "pg-agents", "name": "azure", "first": "0.0.0.0"}
ROLE = {"principal": "11111111-2222-3333-4444-555555555555", "resource_group": "rg", "role": "Reader"}
IMAGE = {"registry": "acragents", "repository": "echo", "tags": ["1"], "source": {"image": "ghcr.io/team/echo:1"}}
SERVICE_ACCOUNT = {"identity": "id-ci", "namespace": "tools", "service_account": "server"}
SOUND: dict[str, Any] = {
    "azure_platform_registries": [REGISTRY],
    "azure_platform_identities": [IDENTITY],
    "azure_platform_federated_credentials": [TOKEN],
    "azure_platform_role_assignments": [ROLE],
    "azure_platform_log_workspaces": [{"name": "logs-a"}],
    "azure_platform_postgres_servers": [SERVER],
    "azure_platform_postgres_passwords": {"pg-agents": "Sesame-0pen"},
    "azure_platform_postgres_databases": [DATABASE],
    "azure_platform_postgres_firewall_rules": [RULE],
    "azure_platform_resource_groups": [{"name": "rg"}],
    "azure_platform_images": [IMAGE],
}
OF_CLUSTER: dict[str, Any] = {
    "aks_cluster_registries": [REGISTRY],
    "aks_cluster_federated_credentials": [SERVICE_ACCOUNT],
}
# variable: option of its entries: what is wrong
ENTRIES: dict[str, dict[str, Any]] = {
    "azure_platform_resource_groups": {"name": "rg.", "location": "", "tags": "x"},
    "azure_platform_registries": {
        "name": "a-b",
        "suffix": "-x",
        "resource_group": GROUP,
        "location": "",
        "sku": "Gold",
        "public_network_access": "perhaps",
        "permissions": "some",
        "admin_user": "perhaps",
        "tags": "x",
    },
    "azure_platform_identities": {"name": "-", "resource_group": GROUP, "location": "", "tags": "x"},
    "azure_platform_federated_credentials": {
        "identity": "id-other",
        "name": "a b",
        "issuer": "http://issuer/",
        "subject": "",
        "audience": "",
        "state": "gone",
    },
    "azure_platform_role_assignments": {
        "role": " ",
        "identity": "id-ci",
        "principal": "me",
        "principal_type": "Robot",
        "registry": "acragents",
        "resource_group": "",
        "scope": "rg",
        "condition": "(a",
        "description": "x" * 3000,
        "state": "gone",
    },
    "azure_platform_images": {
        "registry": "acrother",
        "repository": "Tools/Echo",
        "tags": [],
        "source": {"image": "echo"},
        "build": {"context": ""},
        "follow_source": "perhaps",
        "state": "gone",
        "wait_timeout": -5,
    },
    "azure_platform_log_workspaces": {
        "name": "a",
        "resource_group": GROUP,
        "location": "",
        "sku": "Gold",
        "retention_days": "long",
        "tags": "x",
    },
    "azure_platform_postgres_servers": {
        "name": "Pg_Agents",
        "login": "azure_superuser",
        "resource_group": GROUP,
        "location": "",
        "sku": "B1ms",
        "tier": "Gold",
        "version": "9.6",
        "storage_gb": 8,
        "public_network_access": "perhaps",
        "wait_timeout": -5,
        "tags": "x",
    },
    "azure_platform_postgres_databases": {"server": "pg-other", "name": "a b", "charset": ""},
    "azure_platform_postgres_firewall_rules": {
        "server": "pg-other",
        "name": "a b",
        "first": "10.0.0.300",
        "last": "0.0.0.0/0",
        "state": "gone",
    },
    "aks_cluster_registries": {
        "name": "a-b",
        "id": "rg",
        "resource_group": GROUP,
        "suffix": "-x",
        "role": " ",
        "state": "gone",
    },
    "aks_cluster_federated_credentials": {
        "identity": "-",
        "resource_group": GROUP,
        "namespace": "My_Ns",
        "service_account": "Server",
        "name": "a b",
        "state": "gone",
    },
}
# variables of the role that are no lists of these
VARIABLES: dict[str, Any] = {
    "azure_platform_providers": ["not a namespace"],
    "azure_platform_location": "",
    "azure_platform_name_suffix": "-x",
    "azure_platform_subscription_id": "",
    "azure_platform_resource_group": GROUP,
    "azure_platform_postgres_passwords": {"pg-agents": "sesame"},
    "azure_platform_tags": "x",
    "azure_platform_wait_timeout": -5,
    "aks_cluster_platform_resource_group": GROUP,
    "aks_cluster_name_suffix": "-x",
}


FREE = "azure_platform_environment"
"""A text of the user's, which becomes the value of a tag."""
FEEDS = {
    "azure_platform_name_suffix": "azure_platform_registries",
    "aks_cluster_name_suffix": "aks_cluster_registries",
    "audience": "properties.audiences",
}
"""What is told in other words: of a variable whose entries it completes, or of the option that it is a part of."""


def specification(role: str) -> Mapping[str, Any]:
    file = CHECKOUT / "roles" / role / "meta" / "argument_specs.yml"
    options: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    return options


def cases() -> Iterator[tuple[str, str, Any]]:
    for variable, options in ENTRIES.items():
        [sound] = {**SOUND, **OF_CLUSTER}[variable]
        for option, wrong in options.items():
            yield variable, option, [{**sound, option: wrong}]
    for variable, wrong in VARIABLES.items():
        yield variable, "", wrong


CASES = list(cases())


def test_every_option_is_here() -> None:
    platform, cluster = specification("azure_platform"), specification("aks_cluster")
    assert {name for name in platform if not (platform[name].get("options"))} == {
        name for name in VARIABLES if name.startswith("azure_platform")
    } | {FREE}
    assert {name for name in platform if platform[name].get("options")} == {
        name for name in ENTRIES if name.startswith("azure_platform")
    }
    for variable, options in ENTRIES.items():
        known = {**platform, **cluster}[variable]["options"]
        assert set(known) == set(options), variable


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """A host for each."""
    attached = {**OF_CLUSTER, "mcpops_platform": "sound"}
    groups: dict[str, dict[str, Any]] = {"platforms": {"sound": SOUND}, "clusters": {"attached": attached}}
    for number, (variable, _option, wrong) in enumerate(CASES):
        if variable.startswith("azure_platform"):
            groups["platforms"][f"h{number}"] = {**SOUND, variable: wrong}
        else:
            groups["clusters"][f"h{number}"] = {**attached, variable: wrong}
    return validate(tmp_path_factory.mktemp("site"), groups, **SITE).reported


def test_what_is_sound_is_not_refused(reported: dict[str, dict[str, str]]) -> None:
    assert not {"sound", "attached"} & reported.keys()


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{one[0]} {one[1]}".strip() for one in CASES])
def test_a_value_is_refused_by_its_variable(reported: dict[str, dict[str, str]], number: int) -> None:
    variable, option, _wrong = CASES[number]
    found = reported.get(f"h{number}", {})
    told = FEEDS.get(option or variable, variable)
    assert [what for place, what in found.items() if place.startswith(told) or told in what], found
