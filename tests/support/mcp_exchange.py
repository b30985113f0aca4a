# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of mcp_probe to a URL, for who talks to a server without a task."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ansible_collections.mcpops.platform.plugins.module_utils.mcp import http_client
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.protocol import Exchange


def exchange_to(
    url: str, headers: Mapping[str, str] | None = None, *, timeout: float, ca_file: str | None = None
) -> Exchange:
    opener = partial(
        http_client.url_opener, extra=headers or {}, ca_file=ca_file, validate_certs=True, check_mode=False
    )
    return http_client.url_exchange(url, opener, timeout)
