# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report of a site says of its gateway."""

from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.gateway.domain import DOMAIN

ANSWERS = DOMAIN.answers
assert ANSWERS is not None


def route(name: str) -> dict[str, Any]:
    spec = {"hostnames": [f"{name}.mcp.test"], "rules": [{"backendRefs": [{"name": name, "port": 3000}]}]}
    return {"metadata": {"name": name, "namespace": "mcp"}, "spec": spec}


def trial(name: str, outcome: str, seen: str = "HTTP 403") -> dict[str, str]:
    return {"route": f"mcp/{name}", "trial": "any", "outcome": outcome, "seen": seen}


def host(*trials: dict[str, str]) -> dict[str, Any]:
    address = {"metadata": {"name": "mcp"}, "status": {"addresses": [{"value": "192.0.2.7"}]}}
    return {
        "gateway_verified": {"objects": [address]},
        "gateway_routes_verified": {"objects": [route("echo"), route("words")]},
        "gateway_trials_verified": {"trials": list(trials), "open": []},
    }


def calls(*trials: dict[str, str]) -> dict[str, tuple[str, ...]]:
    assert ANSWERS is not None
    rows = [dict(zip(ANSWERS.header, row, strict=True)) for row in ANSWERS.rows(host(*trials))]
    return {row["route"]: (row["host"], row["address"], row["allowed"], row["refused"]) for row in rows}


def test_each_route_has_its_own_trials() -> None:
    found = calls(
        trial("echo", "passed", "HTTP 400"),
        trial("echo", "passed", 'HTTP 200 "{}"'),
        *[trial("echo", "refused")] * 3,
        trial("echo", "not_tried"),
        trial("words", "refused"),
        trial("words", "open", "HTTP 200"),
        {**trial("echo", "refused"), "route": "other/echo"},
    )
    assert found == {
        "echo": ("echo.mcp.test", "192.0.2.7", "200", "3/3"),
        "words": ("words.mcp.test", "192.0.2.7", "-", "1/2"),
    }


def test_without_trials_nothing_is_said_of_them() -> None:
    assert {row[2:] for row in calls().values()} == {("-", "-")}
