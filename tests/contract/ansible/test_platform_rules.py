# SPDX-License-Identifier: GPL-3.0-or-later
"""What a platform declares fits together: identities and registries by their names, suffixes, issuers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.site_validation import validate

LEAST: dict[str, Any] = {
    "mcpops_location": "eastus2",
    "mcpops_resource_group": "rg",
    "mcpops_environment": "test",
    "mcpops_subscription_id": "1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22",
}
WHOLE: dict[str, Any] = {
    "azure_platform_registries": [{"name": "acragents", "sku": "Premium", "public_network_access": False}],
    "azure_platform_identities": [{"name": "id-ci"}],
    "azure_platform_federated_credentials": [
        {"identity": "id-ci", "name": "main", "issuer": "https://issuer/", "subject": "repo:x"}
    ],
    "azure_platform_role_assignments": [
        {"identity": "id-ci", "registry": "acragents", "role": "AcrPush"},
        {"principal": "11111111-2222-3333-4444-555555555555", "resource_group": "rg", "role": "Reader"},
    ],
    "azure_platform_log_workspaces": [{"name": "log-agents"}],
    "azure_platform_images": [
        {
            "registry": "acragents",
            "repository": "tools/echo",
            "tags": ["1.0"],
            "source": {"image": "ghcr.io/team/echo:1.0"},
        }
    ],
}
GRANT = "azure_platform_role_assignments[0]"
FIT: dict[str, dict[str, Any]] = {
    "all of it": {},
    "a name of one's own": {
        "azure_platform_registries": [{"name": "acragents", "suffix": ""}],
        "mcpops_subscription_id": None,
    },
}
CLUSTER: dict[str, Any] = {
    **LEAST,
    "mcpops_kubeconfig": "/tmp/kubeconfig",
    "mcpops_platform": "whole",
    "aks_cluster_registries": [{"name": "acragents"}],
    "aks_cluster_federated_credentials": [{"identity": "id", "namespace": "a", "service_account": "b"}],
    "aks_cluster_oidc_issuer": False,
}


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "an identity that is not there": (
        {"azure_platform_identities": [{"name": "id-other"}]},
        f"{GRANT}.identity",
        "'id-ci' is not in azure_platform_identities (id-other)",
    ),
    "a registry that is not there": (
        {"azure_platform_registries": []},
        f"{GRANT}.registry",
        "'acragents' is not in azure_platform_registries (it has none)",
    ),
    "an image of a registry that is not there": (
        {"azure_platform_registries": [], "azure_platform_role_assignments": []},
        "azure_platform_images[0].registry",
        "'acragents' is not in azure_platform_registries (it has none)",
    ),
    "an image without tags": (
        {"azure_platform_images": [{"registry": "acragents", "repository": "echo", "tags": []}]},
        "azure_platform_images[0]",
        "source",
    ),
    "a repository that cannot be": (
        {
            "azure_platform_images": [
                {"registry": "acragents", "repository": "Echo", "tags": ["1"], "source": {"image": "ghcr.io/a/b:1"}}
            ]
        },
        "azure_platform_images[0]",
        "'Echo'",
    ),
    "two scopes": (
        {"azure_platform_role_assignments": [{"identity": "id-ci", "resource_group": "rg", "scope": "/", "role": "x"}]},
        GRANT,
        "takes exactly one of registry, resource_group, scope: it has resource_group and scope",
    ),
    "nobody": (
        {"azure_platform_role_assignments": [{"scope": "/", "role": "Reader"}]},
        GRANT,
        "takes exactly one of identity, principal: it has none",
    ),
    "no subscription to make names of": (
        {"mcpops_subscription_id": None},
        "azure_platform_subscription_id",
        "names of registries are made with it",
    ),
    "a private registry of a small SKU": (
        {"azure_platform_registries": [{"name": "acragents", "sku": "Basic", "public_network_access": False}]},
        "azure_platform_registries[0]",
        "Premium",
    ),
    "no SKU": (
        {"azure_platform_registries": [{"name": "acragents", "sku": "Gold"}]},
        "azure_platform_registries[0]",
        "Basic, Standard, Premium",
    ),
    "a name that is too long with its suffix": (
        {"azure_platform_registries": [{"name": "a" * 45}], "azure_platform_role_assignments": []},
        "azure_platform_registries[0]",
        "5 to 50 letters and digits",
    ),
}


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """All of them in one run: a host for each."""
    cases = {**FIT, **{name: changes for name, (changes, _path, _text) in WRONG.items()}}
    hosts = {
        name.replace(" ", "-").replace("'", ""): {
            key: value for key, value in {**LEAST, **WHOLE, **changes}.items() if value is not None
        }
        for name, changes in cases.items()
    }
    found = validate(tmp_path_factory.mktemp("site"), {"platforms": hosts})
    return found.reported


@pytest.mark.parametrize("name", FIT)
def test_what_fits(name: str, reported: dict[str, dict[str, str]]) -> None:
    found = reported.get(name.replace(" ", "-").replace("'", ""), {})
    assert not [where for where in found if where.startswith("azure_platform")], json.dumps(found)


@pytest.mark.parametrize(("name", "path", "text"), [(name, *case[1:]) for name, case in WRONG.items()], ids=WRONG)
def test_what_does_not(name: str, path: str, text: str, reported: dict[str, dict[str, str]]) -> None:
    found = reported[name.replace(" ", "-").replace("'", "")]
    assert [where for where, what in found.items() if where.startswith(path) and text in what], json.dumps(found)


def test_the_ends_of_names_are_the_same_for_a_platform_and_its_clusters(tmp_path: Path) -> None:
    found = validate(tmp_path, {"platforms": {"whole": {**LEAST, **WHOLE}}, "clusters": {"one": CLUSTER}})
    made = [arguments for host in ("whole", "one") for module, arguments in found.runs[host]]
    of_platform = {one["name"] for one in made if str(one.get("type")).endswith("/registries")}
    of_cluster = {one["scope"].rpartition("/")[2] for one in made if one.get("role") == "AcrPull"}
    assert of_platform == of_cluster != {"acragents"}
    assert "set aks_cluster_oidc_issuer to true" in found.reported["one"]["aks_cluster_federated_credentials"]
