# SPDX-License-Identifier: GPL-3.0-or-later
"""What the environment and the options say of the way to a url."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import mcp_played as played
from support.mcp_played import Asked, over_http
from unit.plugins.module_utils.mcp.test_observe import failed, probed
from urllib3.exceptions import ProxyError

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import http_client
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Reply


@pytest.mark.parametrize("proxy", ["proxy.example:3128", "127.0.0.1:3128", "ftp://proxy.example"])
def test_an_address_that_is_no_proxy_is_refused(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(InvalidInput, match="socks5://"):
        probed(url="http://mcp.example/mcp")


def test_the_login_of_a_proxy_is_sent_and_its_refusal_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Asked] = []

    def proxy(asked: Asked) -> Reply:
        seen.append(asked)
        return played.text(407, "login")

    with over_http(proxy) as url:
        monkeypatch.setenv("http_proxy", url.replace("http://", "http://user:p%40ss@").replace("/mcp", ""))
        (reason,) = failed(url="http://mcp.example/mcp").reasons
    assert reason.code == "ProxyUnauthorized"
    sent = {name.lower(): value for name, value in seen[0].headers.items()}
    assert sent["proxy-authorization"] == "Basic dXNlcjpwQHNz"


def test_a_refused_tunnel_is_a_refused_login() -> None:
    refused = ProxyError("Unable to connect to proxy", OSError("Tunnel connection failed: 407 Login"))
    assert http_client.http_unreached(refused, 1.0).code == "ProxyUnauthorized"


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_a_file_without_a_certificate_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(InvalidInput, match="holds no certificate"):
        probed(url="https://127.0.0.1:1/mcp", ca_cert=str(tmp_path / "ca.pem"))
