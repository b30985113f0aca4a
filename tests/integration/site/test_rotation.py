# SPDX-License-Identifier: GPL-3.0-or-later
"""A value of the vault that changes: one run of the site, and the program behind it has the new one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Site

pytestmark = [pytest.mark.integration, pytest.mark.slow]
CANARY = "canary-2e7b"
NAME = "rotating"


@pytest.fixture
def variables(cloud: Any, tmp_path: Path) -> Callable[[str], list[str]]:
    """`variables("one")` → the arguments of a run of the site whose vault holds this value."""

    def arguments(token: str) -> list[str]:
        data = {"API_TOKEN": f"{CANARY}-{token}"}
        secret = {"metadata": {"name": NAME, "namespace": "mcp"}, "stringData": data}
        server = {"name": NAME, "image": f"{cloud.registry}/echo-mcp:1.0.0", "secret_refs": [NAME]}
        stated = {
            "cluster_setup_objects": [{"apiVersion": "v1", "kind": "Secret", **secret}],
            "mcp_servers_servers": [server],
        }
        file = tmp_path / f"{token}.json"
        file.write_text(json.dumps(stated), encoding="utf-8")
        return ["--tags", "setup,mcp", "--diff", "-e", f"@{file}"]

    return arguments


@pytest.fixture
def clean(site: Site) -> Iterator[Site]:
    yield site
    site.kubectl("delete", "mcpserver,secret", NAME, "-n", "mcp", "--wait=false")


def test_a_rotated_value_arrives(clean: Site, variables: Callable[[str], list[str]]) -> None:
    def seen() -> str:
        of_server = ("-n", "mcp", "-l", f"app.kubernetes.io/name={NAME}", "-o", "json")
        pods = json.loads(clean.kubectl("get", "pods", *of_server))["items"]
        # the run has waited: nobody but the new pod is left, unless it is on its way out
        [pod] = [one["metadata"]["name"] for one in pods if not one["metadata"].get("deletionTimestamp")]
        code = "import os; print(os.environ['API_TOKEN'])"
        return clean.kubectl("exec", pod, "-n", "mcp", "-c", "mcp-server", "--", "python", "-c", code).strip()

    clean.run(*variables("one")).ok()
    assert seen() == f"{CANARY}-one"
    planned = clean.run("--check", *variables("two")).ok()
    assert [name for name in planned.changed if "servers" in name], planned.output
    assert "mcpops.io/config-digest" in planned.output
    assert seen() == f"{CANARY}-one"

    rotated = clean.run(*variables("two")).ok()
    assert len(rotated.changed) == 2, rotated.output
    assert seen() == f"{CANARY}-two"
    assert clean.run(*variables("two")).ok().changed == []
    for run in (planned, rotated):
        assert CANARY not in run.output
        assert CANARY not in json.dumps(run.results)
