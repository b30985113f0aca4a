# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.kube import transport
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import (
    Access,
    ConnectionOptions,
    from_config,
    load_access,
    merge_configs,
    read_config,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.transport import proxy_for

from .conftest import FakeTask

HERE = Path("/nowhere")
KEY = f"-----BEGIN\n{'k' * 64}\nkk==\n-----END"


def config(cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "current-context": "c",
        "contexts": [
            {"name": "c", "context": {"cluster": "k", "user": "u"}},
            {"name": "other", "context": {"cluster": "k", "user": "u"}},
        ],
        "clusters": [{"name": "k", "cluster": {"server": "https://api:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
    }


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_everything_a_kubeconfig_says() -> None:
    cluster = {
        "certificate-authority-data": encoded("CA"),
        "tls-server-name": "inside",
        "proxy-url": "http://proxy",
        "insecure-skip-tls-verify": True,
    }
    user = {"client-certificate-data": encoded("CERT"), "client-key-data": encoded(KEY), "token": "t"}
    access = from_config(config(cluster, user), None, HERE, "file")
    assert access.server == "https://api:6443"
    assert (access.ca_pem, access.client_cert_pem, access.client_key_pem) == ("CA", "CERT", KEY)
    assert (access.tls_server_name, access.proxy, access.verify) == ("inside", "http://proxy", False)
    assert access.origin == "file, context c"
    assert access.secrets() == ["t", "k" * 64]


WRONG = {
    "no such context": (config(), "blue", "has no context blue; it has: c, other"),
    "no current context": ({**config(), "current-context": ""}, None, "names no current-context"),
    "no server": (config({"server": ""}), None, "cluster k has no server"),
    "no such user": ({**config(), "users": []}, None, "has no user u; it has: none"),
    "broken data": (config({"certificate-authority-data": "%%%"}), None, "is not base64 of PEM"),
    "missing file": (config({"certificate-authority": "ca.pem"}), None, "/nowhere/ca.pem cannot be read"),
    "legacy provider": (config(user={"auth-provider": {"name": "azure"}}), None, "legacy auth-provider azure"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    content, context, reported = WRONG[case]
    with pytest.raises(InvalidInput) as failure:
        from_config(content, context, HERE, "file")
    assert reported in failure.value.message()


def test_single_options_win() -> None:
    user = {"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")}
    options = ConnectionOptions(
        kubeconfig=config({}, user), kubeconfig_named=True, api_key="mine", validate_certs=False
    )
    access = load_access(options, {})
    # a new identity replaces the old one whole
    assert (access.token, access.client_cert_pem, access.verify) == ("mine", None, False)


def test_files_are_relative_to_their_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("CA")
    (tmp_path / "token").write_text("from file\n")
    (tmp_path / "config").write_text(
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://a', certificate-authority: ca.pem}}]\n"
        "users: [{name: u, user: {tokenFile: token}}]\n"
    )
    access = load_access(ConnectionOptions(kubeconfig_paths=(tmp_path / "config",), kubeconfig_named=True), {})
    assert (access.ca_pem, access.token) == ("CA", "from file")


@pytest.mark.parametrize(("text", "reported"), [("a: [", "is not YAML"), ("- 1", "holds no kubeconfig")])
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, text: str, reported: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(InvalidInput, match=reported):
        read_config(tmp_path / "config")


def test_the_first_of_several_files_wins() -> None:
    second = config({"server": "https://second"})
    second["contexts"].append({"name": "more", "context": {"cluster": "k", "user": "u"}})
    merged = merge_configs([(HERE, {**config(), "current-context": None}), (HERE, second)])
    assert from_config(merged, "more", HERE, "file").server == "https://api:6443"
    assert merged["current-context"] == "c"


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("socks5://127.0.0.1:1080", "socks5h://127.0.0.1:1080"),
        ("socks5h://127.0.0.1:1080", "socks5h://127.0.0.1:1080"),
        ("socks4://127.0.0.1:1080", "socks4://127.0.0.1:1080"),
        ("http://socks5://proxy", "http://socks5://proxy"),
        (None, None),
    ],
)
def test_a_socks_proxy_resolves_the_name_as_for_kubectl(
    given: str | None, asked: str | None, monkeypatch: pytest.MonkeyPatch, task: FakeTask
) -> None:
    pools: list[Any] = []
    monkeypatch.setattr(transport, "connection_pool", lambda _what, proxy, _settings: pools.append(proxy))
    transport.Transport(task, Access(server="http://api.private.example.org", proxy=given))
    assert pools == [asked]


def test_where_the_proxy_comes_from() -> None:
    access = from_config(config(), None, HERE, "file")
    assert proxy_for(access, {}) is None
    assert proxy_for(access, {"HTTPS_PROXY": "http://p"}) == "http://p"
    assert proxy_for(access, {"HTTPS_PROXY": "http://p", "NO_PROXY": "api"}) is None
    stated = load_access(
        ConnectionOptions(kubeconfig=config(), kubeconfig_named=True, proxy="http://q", no_proxy="x"), {}
    )
    assert proxy_for(stated, {"HTTPS_PROXY": "http://p"}) == "http://q"
