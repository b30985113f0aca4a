# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that want a bearer token, as the Python SDKs of both lines ask for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp_servers import running
from mcp_servers.catalog import LEGACY, MODERN
from support.action import run_action

from .conftest import Endpoints

SERVERS = [pytest.param("mcp1", [LEGACY], id="mcp1"), pytest.param("mcp2", [MODERN, LEGACY], id="mcp2")]


def probed(url: str, **headers: str) -> dict[str, Any]:
    args = {"url": url, "headers": headers, "timeout": 20, "wait_timeout": 5}
    return run_action("mcp_probe", args, defaults={}, environment={})


@pytest.mark.parametrize(("program", "eras"), SERVERS)
def test_who_has_the_token_is_answered_and_it_is_not_shown(
    endpoints: Endpoints, program: str, eras: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    address = endpoints.variant(program, "protected")
    result = probed(f"{address}/mcp", Authorization="Bearer reader")
    (row,) = result["servers"]
    assert (row["reachable"], row["eras"]) == (True, eras)
    assert running.settled(lambda: running.sessions(address)) == 0
    assert "Bearer" not in json.dumps(result) + "".join(capfd.readouterr())


@pytest.mark.parametrize(("program", "eras"), SERVERS)
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({}, "Unauthorized", id="no token"),
        pytest.param({"Authorization": "Bearer nobody-s"}, "Unauthorized", id="another token"),
        pytest.param({"Authorization": "Bearer guest"}, "Forbidden", id="a token without the scope"),
    ],
)
def test_who_has_not_is_told_so_at_once(
    endpoints: Endpoints, program: str, eras: list[str], headers: dict[str, str], code: str
) -> None:
    """And not that the server is of another era, as who falls back would."""
    address = endpoints.variant(program, "protected")
    result = probed(f"{address}/mcp", **headers)
    (row,) = result["servers"]
    assert result["failed"]
    assert (row["reachable"], row["error"]["code"], row["attempts"]) == (False, code, 1)
    assert "nobody-s" not in json.dumps(result)
    assert running.settled(lambda: running.sessions(address)) == 0
