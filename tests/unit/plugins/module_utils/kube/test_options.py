# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import (
    kubernetes_argument_spec,
    resolve_options,
)

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
    "a named cluster over a credential for another": (
        {"kubeconfig": "/o"},
        {
            "K8S_AUTH_HOST": "https://e",
            "K8S_AUTH_API_KEY": "k",
            "K8S_AUTH_CONTEXT": "c",
            "K8S_AUTH_USERNAME": "u",
            "K8S_AUTH_PASSWORD": "p",
            "K8S_AUTH_CERT_FILE": "/cert",
            "K8S_AUTH_KEY_FILE": "/key",
            "K8S_AUTH_SSL_CA_CERT": "/ca",
            "K8S_AUTH_VERIFY_SSL": "no",
        },
        {
            "host": None,
            "api_key": None,
            "context": None,
            "username": None,
            "password": None,
            "client_cert": None,
            "client_key": None,
            "ca_cert": None,
            "validate_certs": None,
        },
    ),
    "content over a credential for another": (
        {"kubeconfig": {"a": 1}},
        {"K8S_AUTH_HOST": "https://e", "K8S_AUTH_API_KEY": "k"},
        {"host": None, "api_key": None, "self_contained": False},
    ),
    "the way to a named cluster": (
        {"kubeconfig": "/o"},
        {"K8S_AUTH_PROXY": "http://p", "K8S_AUTH_NO_PROXY": "n", "K8S_AUTH_IMPERSONATE_USER": "u"},
        {"proxy": "http://p", "no_proxy": "n", "impersonate_user": "u"},
    ),
    "options beside a named cluster": (
        {"kubeconfig": "/o", "context": "c", "host": "https://o"},
        {"K8S_AUTH_CONTEXT": "e"},
        {"context": "c", "host": "https://o"},
    ),
    "a named host with the token of the environment": (
        {"host": "https://o"},
        {"K8S_AUTH_API_KEY": "k"},
        {"host": "https://o", "api_key": "k", "self_contained": True},
    ),
    "an empty kubeconfig beside a host": (
        {"kubeconfig": "", "host": "https://o", "api_key": "k"},
        {"KUBECONFIG": "/k"},
        {"host": "https://o", "self_contained": True},
    ),
    "groups by variable": ({}, {"K8S_AUTH_IMPERSONATE_GROUPS": "a,b"}, {"impersonate_groups": ("a", "b")}),
    "empty option is unsaid": ({"host": ""}, {"K8S_AUTH_HOST": "https://e"}, {"host": "https://e"}),
}


@pytest.mark.parametrize("case", CASES)
def test_resolution(case: str) -> None:
    params, environ, wanted = CASES[case]
    options = resolve_options(params, {"HOME": "/h", **environ})
    assert {key: getattr(options, key) for key in wanted} == wanted


@pytest.mark.parametrize("value", ["", " ", "\n"])
@pytest.mark.parametrize("environ", [{}, {"KUBECONFIG": "/k"}, {"K8S_AUTH_KUBECONFIG": "/e"}], ids=str)
def test_an_empty_kubeconfig_is_refused(value: str, environ: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="kubeconfig: is empty"):
        resolve_options({"kubeconfig": value}, environ)


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
    assert resolve_options(params, {}).self_contained is enough


def test_each_module_gets_its_own_argument_spec() -> None:
    kubernetes_argument_spec()["host"]["type"] = "path"
    assert kubernetes_argument_spec()["host"] == {"type": "str"}
