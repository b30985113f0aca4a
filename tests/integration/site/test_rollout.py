# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout on two clusters: the canary is verified first, and where it is red the other one is left as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.playbook import CHECKOUT, Run, run_playbook

from .conftest import Site
from .drift_runs import INVENTORY

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CANARY, OTHER = "local-2", "local-1"
STAGES = ("Create or update the cluster", "Converge the MCP servers", "Read what the report shows")


def roll_out(place: Path, canary: dict[str, Any]) -> Run:
    place.mkdir()
    (place / "group_vars").symlink_to(INVENTORY / "group_vars")
    hosts: dict[str, Any] = {
        "platforms": {"hosts": {"local": {}}},
        "clusters": {"hosts": {OTHER: {}}, "vars": {"mcpops_platform": "local", "mcpops_rings": ["canary"]}},
        "canary": {"hosts": {CANARY: canary}},
    }
    hosts["clusters"]["children"] = {"canary": {}}
    (place / "hosts.json").write_text(json.dumps({"all": {"children": hosts}}), encoding="utf-8")
    settings = {"ANSIBLE_SHOW_CUSTOM_STATS": "true", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    return run_playbook("-i", place, CHECKOUT / "site.yml", "--diff", env=settings, timeout=1200)


def states(run: Run) -> dict[str, str]:
    line = next(line for line in run.output.splitlines() if line.strip().startswith("RUN: "))
    found = json.loads(line.partition("RUN: ")[2])["site_summary"]["clusters"]
    return {name: cluster["state"] for name, cluster in found.items()}


def test_the_canary_is_verified_before_the_other_is_touched(site: Site, tmp_path: Path) -> None:
    run = roll_out(tmp_path / "well", {}).ok()
    done = [(one["host"], one["task"].rpartition(" : ")[2]) for one in run.results]
    seen = [one for one in done if one[1] in STAGES and one[0] in (CANARY, OTHER)]
    assert list(dict.fromkeys(seen)) == [(name, stage) for name in (CANARY, OTHER) for stage in STAGES]
    assert states(run) == {CANARY: "verified", OTHER: "verified"}

    # red: the canary answers something else than it should, and what drifted elsewhere stays so
    site.kubectl("delete", "service", "echo", "-n", "mcp")
    calls = [{"server": "echo", "tool": "echo", "arguments": {"text": "hello"}, "expect": "good bye"}]
    red = roll_out(tmp_path / "red", {"mcpops_mcp_calls": calls, "site_verify_wait_timeout": 5})
    assert red.returncode == 2, red.output
    ends = {one["host"]: one["result"]["msg"] for one in red.results if one["status"] == "failed"}
    assert ends[OTHER].startswith(f"{OTHER} was not converged: {CANARY} failed, and clusters of later rings wait")
    assert ends[CANARY].startswith(f"{CANARY} failed: ") and "good bye" in ends[CANARY]
    assert states(red) == {CANARY: "failed", OTHER: "not begun"}
    assert not any(one["host"] == OTHER and one["task"].endswith(STAGES) for one in red.results)
    assert "service/echo" not in site.kubectl("get", "services", "-n", "mcp", "-o", "name")

    mended = roll_out(tmp_path / "mended", {}).ok()
    assert "Converge the MCP servers" in str(mended.changed)
    assert "service/echo" in site.kubectl("get", "services", "-n", "mcp", "-o", "name")
