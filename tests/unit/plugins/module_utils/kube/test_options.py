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
    "a context of a file": (
        {"kubeconfig": {"path": "~/k", "context": "c"}},
        {"KUBECONFIG": "/k", "K8S_AUTH_CONTEXT": "e"},
        {"kubeconfig": None, "kubeconfig_paths": (Path("/h/k"),), "context": "c", "kubeconfig_named": True},
    ),
    "a context of content": (
        {"kubeconfig": {"content": {"contexts": []}, "context": "c"}},
        {},
        {"kubeconfig": {"contexts": []}, "context": "c", "kubeconfig_paths": ()},
    ),
    "content as text": (
        {"kubeconfig": {"content": "contexts: []\ncurrent-context: d\n"}},
        {"K8S_AUTH_HOST": "https://e"},
        {"kubeconfig": {"contexts": [], "current-context": "d"}, "context": None, "host": None},
    ),
    "the option context over that of the kubeconfig": (
        {"kubeconfig": {"path": "/o", "context": "c"}, "context": "d"},
        {},
        {"context": "d"},
    ),
    "groups by variable": ({}, {"K8S_AUTH_IMPERSONATE_GROUPS": "a,b"}, {"impersonate_groups": ("a", "b")}),
    "empty option is unsaid": ({"host": ""}, {"K8S_AUTH_HOST": "https://e"}, {"host": "https://e"}),
}


@pytest.mark.parametrize("case", CASES)
def test_resolution(case: str) -> None:
    params, environ, wanted = CASES[case]
    options = resolve_options(params, {"HOME": "/h", **environ})
    assert {key: getattr(options, key) for key in wanted} == wanted


@pytest.mark.parametrize(
    "value", ["", " ", "\n", {"path": ""}, {"path": " ", "context": "c"}, {"content": ""}], ids=str
)
@pytest.mark.parametrize("environ", [{}, {"KUBECONFIG": "/k"}, {"K8S_AUTH_KUBECONFIG": "/e"}], ids=str)
def test_an_empty_kubeconfig_is_refused(value: Any, environ: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="kubeconfig: is empty"):
        resolve_options({"kubeconfig": value}, environ)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        pytest.param({"path": "/o", "kontext": "c"}, "has an unknown key 'kontext'", id="a misspelt key"),
        pytest.param({"path": "/o", "content": {"a": 1}}, "has both path and content", id="both"),
        pytest.param({"path": ["/o"]}, "kubeconfig.path: is a list, not text", id="several paths"),
        pytest.param({"path": "/o", "context": 3}, "kubeconfig.context: is a int, not text", id="a number as context"),
        pytest.param({"content": "- a\n"}, "kubeconfig.content: is not the YAML", id="text of something else"),
        pytest.param({"content": "a: [b"}, "kubeconfig.content: is not the YAML", id="text that is not YAML"),
        pytest.param({"content": None}, "kubeconfig.content: is a NoneType", id="no content"),
    ],
)
def test_what_names_no_kubeconfig_is_refused(value: Any, wanted: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        resolve_options({"kubeconfig": value}, {"KUBECONFIG": "/k"})
    assert wanted in str(failure.value)


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
