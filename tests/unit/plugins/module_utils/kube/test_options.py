# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.options import kubernetes_argument_spec, resolve

CASES: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, Any]]] = {
    "nothing said": ({}, {"HOME": "/h"}, {"kubeconfig_paths": (Path("/h/.kube/config"),), "kubeconfig_named": False}),
    "option over variables": (
        {"kubeconfig": "/o"},
        {"K8S_AUTH_KUBECONFIG": "/e", "KUBECONFIG": "/k"},
        {"kubeconfig_paths": (Path("/o"),), "kubeconfig_named": True},
    ),
    "kubernetes.core's variable over kubectl's": (
        {},
        {"K8S_AUTH_KUBECONFIG": "~/e", "KUBECONFIG": "/k", "HOME": "/h"},
        {"kubeconfig_paths": (Path("/h/e"),)},
    ),
    "several files": ({}, {"KUBECONFIG": "/a::/b"}, {"kubeconfig_paths": (Path("/a"), Path("/b"))}),
    "content": ({"kubeconfig": {"a": 1}}, {}, {"kubeconfig": {"a": 1}, "kubeconfig_paths": ()}),
    "verify off by variable": ({}, {"K8S_AUTH_VERIFY_SSL": "no"}, {"validate_certs": False}),
    "verify unsaid": ({}, {}, {"validate_certs": None}),
    "verify by option": ({"validate_certs": True}, {"K8S_AUTH_VERIFY_SSL": "no"}, {"validate_certs": True}),
    "groups by variable": ({}, {"K8S_AUTH_IMPERSONATE_GROUPS": "a,b"}, {"impersonate_groups": ("a", "b")}),
    "empty option is unsaid": ({"host": ""}, {"K8S_AUTH_HOST": "https://e"}, {"host": "https://e"}),
}


@pytest.mark.parametrize("case", CASES)
def test_resolution(case: str) -> None:
    params, environ, wanted = CASES[case]
    options = resolve(params, {"HOME": "/h", **environ})
    assert {key: getattr(options, key) for key in wanted} == wanted


@pytest.mark.parametrize(
    ("params", "enough"),
    [
        ({"host": "h", "api_key": "k"}, True),
        ({"host": "h", "username": "u", "password": "p"}, True),
        ({"host": "h", "client_cert": "c", "client_key": "k"}, True),
        ({"host": "h", "username": "u"}, False),
        ({"api_key": "k"}, False),
    ],
)
def test_when_no_kubeconfig_is_needed(params: dict[str, Any], enough: bool) -> None:
    assert resolve(params, {}).self_contained is enough


def test_each_module_gets_its_own_argument_spec() -> None:
    kubernetes_argument_spec()["host"]["type"] = "path"
    assert kubernetes_argument_spec()["host"] == {"type": "str"}
