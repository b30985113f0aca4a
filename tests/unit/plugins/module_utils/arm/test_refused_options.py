# SPDX-License-Identifier: GPL-3.0-or-later
"""Each option of the modules about images, roles, kubeconfigs and the preflight has a value that is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.module_utils.arm.options import azure_argument_spec
from ansible_collections.mcpops.platform.plugins.modules import (
    acr_image,
    aks_kubeconfig,
    azure_preflight,
    azure_role_assignment,
)

PRINCIPAL = "11111111-2222-3333-4444-555555555555"
SERVER = "/subscriptions/1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22/resourceGroups/rg/providers/Microsoft.Sql/servers/a"
SOUND: dict[Any, dict[str, Any]] = {
    acr_image: {
        "registry": "acragents",
        "resource_group": "rg",
        "repository": "tools/echo",
        "tags": ["1.0"],
        "source": {"image": "ghcr.io/team/echo:1.0"},
    },
    aks_kubeconfig: {"name": "agents", "resource_group": "rg", "path": "/tmp/kubeconfig"},
    azure_role_assignment: {"scope": "/resourceGroups/rg", "principal": PRINCIPAL, "role": "Reader"},
    azure_preflight: {"permissions": [{"actions": ["A.B/c/read"]}]},
}
BUILD: dict[str, Any] = {"source": None, "build": {"context": "."}}


def build(**changes: Any) -> dict[str, Any]:
    return {**BUILD, "build": {**BUILD["build"], **changes}}


def source(**changes: Any) -> dict[str, Any]:
    return {"source": {"image": "ghcr.io/team/echo:1.0", **changes}}


# option of a row of permissions: its value, and a part of what is said
ROWS: dict[str, tuple[Any, str]] = {
    "scope": ("rg", "is no id of a scope"),
    "actions": (["write"], "is no action"),
    "data_actions": (["write"], "is no action"),
    "unless_present": ("rg", "is no id of a group"),
    "unless_assigned": ("x", "unless_assigned"),
    "unless_assigned.principal": ({"principal": "me", "role": "Reader"}, "is not a valid principal"),
    "unless_assigned.role": ({"principal": PRINCIPAL, "role": " "}, "is empty"),
    "unless_images": ("x", "unless_images"),
    "unless_images.registry": ({"registry": "rg", "images": ["a:1"]}, "is no id of a container registry"),
    "unless_images.images": ({"registry": SERVER, "images": []}, "name at least one"),
    "removes": (True, "needs one of"),
}


def row(option: str) -> list[dict[str, Any]]:
    return [{"actions": ["A.B/c/read"], option.partition(".")[0]: ROWS[option][0]}]


def cluster(**changes: Any) -> dict[str, Any]:
    entry = {"host": "h", "cluster": {"name": "c", "resource_group": "rg"}, **changes}
    return {"permissions": None, "clusters": [entry]}


# option: what is set instead, and a part of what is said
REFUSED: dict[Any, dict[str, tuple[dict[str, Any], str]]] = {
    acr_image: {
        "registry": ({"registry": "a-b"}, "5 to 50 letters and digits"),
        "resource_group": ({"resource_group": "rg."}, "not ending with a period"),
        "repository": ({"repository": "Tools/Echo"}, "is not a valid repository name"),
        "tags": ({"tags": []}, "name at least one"),
        "tags[0]": ({"tags": ["-x"]}, "is not a valid tag"),
        "state": ({"state": "gone"}, "must be one of"),
        "source": ({"source": None}, "is missing: source or build"),
        "source.image": (source(image="echo"), "names no version"),
        "source.registry_id": (
            source(image="echo:1", registry_id=SERVER),
            "is not the id of a container registry",
        ),
        "source.username": (source(username="me"), "are needed together"),
        "source.password": (source(password="mine"), "are needed together"),
        "build": ({"build": {"context": "."}}, "mutually exclusive"),
        "build.context": (build(context=""), "is empty"),
        "build.dockerfile": (build(dockerfile="../Dockerfile"), "is not a path below build.context"),
        "build.platform": (build(platform="linux"), "is not a valid platform"),
        "build.target": (build(target="my stage"), "is not a valid stage"),
        "build.arguments": (build(arguments={"A B": "x"}), "is not a valid name"),
        "follow_source": ({"follow_source": "perhaps"}, "follow_source"),
        "wait_timeout": ({"wait_timeout": -5}, "wait_timeout"),
    },
    aks_kubeconfig: {
        "name": ({"name": "-bad-"}, "1 to 63"),
        "resource_group": ({"resource_group": "rg."}, "not ending with a period"),
        "path": ({"path": ""}, "path"),
        "credential": ({"credential": "root"}, "must be one of"),
        "login": ({"login": "token", "credential": "admin"}, "is for the credential user"),
        "proxy_url": ({"proxy_url": "ftp://proxy"}, "is not the URL of a proxy"),
        "state": ({"state": "gone"}, "must be one of"),
    },
    azure_role_assignment: {
        "scope": ({"scope": "rg"}, "is not a valid scope"),
        "principal": ({"principal": "me"}, "is not a valid principal"),
        "cluster_identity": ({"cluster_identity": "kubelet"}, "is for a principal that is the id of an AKS cluster"),
        "role": ({"role": " "}, "is empty"),
        "state": ({"state": "gone"}, "must be one of"),
        "name": ({"name": "mine"}, "is not a GUID"),
        "principal_type": ({"principal_type": "Robot"}, "must be one of"),
        "description": ({"description": "x" * 2049}, "2048"),
        "condition": ({"condition": "((a)"}, "is not closed"),
        "condition_version": ({"condition_version": "2.0"}, "is for a condition"),
        "wait_timeout": ({"wait_timeout": -5}, "wait_timeout"),
    },
    azure_preflight: {
        "permissions": ({"permissions": []}, "name these, or providers, or clusters"),
        **{f"permissions.{option}": ({"permissions": row(option)}, ROWS[option][1]) for option in ROWS},
        "providers": ({"providers": ["Compute"]}, "is not a valid provider namespace"),
        "clusters": ({"clusters": cluster()["clusters"] * 2}, "declares two clusters"),
        "clusters.host": (cluster(host=" "), "is empty"),
        "clusters.cluster": (cluster(cluster={"name": "-", "resource_group": "rg"}), "is not a valid name"),
        "clusters.has_cluster": (cluster(has_cluster="perhaps"), "has_cluster"),
        "clusters.permissions": (cluster(permissions=[{}]), "name actions or data_actions"),
        **{f"clusters.permissions.{option}": (cluster(permissions=row(option)), ROWS[option][1]) for option in ROWS},
        "clusters.providers": (cluster(providers=["Compute"]), "is not a valid provider namespace"),
        "clusters.features": (cluster(features=["Encryption"]), "is not a valid feature"),
        "clusters.charts": (cluster(charts=[" "]), "has an empty text"),
        "clusters.endpoints": (cluster(endpoints=["two words"]), "is not a URL"),
        "clusters.images": (cluster(images=["x"]), "images"),
        "clusters.images.image": (cluster(images=[{"image": "Two Words"}]), "is not a valid image reference"),
        "clusters.images.node_selector": (cluster(images=[{"image": "a:1", "node_selector": "x"}]), "node_selector"),
        "clusters.images.tolerations": (cluster(images=[{"image": "a:1", "tolerations": ["x"]}]), "tolerations"),
        "clusters.programs": (cluster(programs=["helm >= 3"]), "is not a name with a version"),
        "clusters.libraries": (cluster(libraries=["urllib3==2"]), "is not a name with a version"),
        "share": ({"share": "look"}, "look needs clusters"),
        "examine": ({"examine": "some"}, "must be one of"),
        "retirement_days": ({"retirement_days": -1}, "must be at least 0"),
    },
}
FREE = {"clusters.images.where"}
"""A text for messages: any will do."""
MODULES = {module.__name__.rpartition(".")[2]: module for module in REFUSED}


def reported(module: Any, options: Mapping[str, Any]) -> list[str]:
    rules = getattr(module, "RULES", {})
    given = {name: value for name, value in options.items() if value is not None}
    validated = ArgumentSpecValidator(module.ARGUMENT_SPEC, **rules).validate(given)
    return list(validated.error_messages) or [str(one) for one in module.PROBLEMS(validated.validated_parameters)]


def options_of(spec: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, rule in spec.items():
        yield f"{above}{name}"
        yield from options_of(rule.get("options") or {}, f"{above}{name}.")


@pytest.mark.parametrize("name", MODULES)
def test_every_option_is_here(name: str) -> None:
    module = MODULES[name]
    own = set(options_of(module.ARGUMENT_SPEC)) - set(azure_argument_spec()) - FREE
    assert own == {option.partition("[")[0] for option in REFUSED[module]}
    assert reported(module, SOUND[module]) == []


@pytest.mark.parametrize(("name", "option"), [(name, option) for name in MODULES for option in REFUSED[MODULES[name]]])
def test_a_value_is_refused(name: str, option: str) -> None:
    module = MODULES[name]
    changes, text = REFUSED[module][option]
    found = reported(module, {**SOUND[module], **changes})
    assert [one for one in found if text in one], found


@pytest.mark.parametrize(
    "condition",
    [
        "",
        " ",
        "(a)",
        "((!(x{'a(b'})) OR (@Request[y:name] StringEquals ')'))",
        "(x StringEquals 'it''s (')",
        r"(x StringEquals 'it\'s (')",
    ],
)
def test_a_condition_that_may_be_one_is_left_to_azure(condition: str) -> None:
    assert reported(azure_role_assignment, {**SOUND[azure_role_assignment], "condition": condition}) == []


@pytest.mark.parametrize("condition", ["(a", "a)", "(a))(", "('a)", "{(}", "x" * 8193])
def test_a_condition_that_is_none(condition: str) -> None:
    assert reported(azure_role_assignment, {**SOUND[azure_role_assignment], "condition": condition})


@pytest.mark.parametrize("target", ["build", "Build-2", "stage_1.x", "0"])
def test_stages_of_a_dockerfile(target: str) -> None:
    assert reported(acr_image, {**SOUND[acr_image], **build(target=target)}) == []
