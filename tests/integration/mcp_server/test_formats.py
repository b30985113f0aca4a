# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of any kind in the environment of a server."""

from __future__ import annotations

from typing import Any

import pytest
from support.characters import ODD

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("kmcp")]


def test_any_text_arrives_in_the_environment(run_task: Any, cloud: Any, cluster: Any, namespace: str) -> None:
    motto = ODD.replace("\x00", "")
    server = {"name": "echo", "namespace": namespace, "image": f"{cloud.registry}/echo-mcp:1.0.0", "wait": False}
    server["env"] = {"MOTTO": motto}
    assert run_task("mcp_server", server, check=True)["changed"]
    assert run_task("mcp_server", server)["changed"]
    live = cluster.get("mcpservers.kagent.dev", "echo", "-n", namespace)
    assert live["spec"]["deployment"]["env"]["MOTTO"] == motto
    assert not run_task("mcp_server", server, check=True)["changed"]


def test_what_is_no_text_is_refused_with_its_place(run_task: Any, namespace: str) -> None:
    server = {"name": "echo", "namespace": namespace, "image": "registry.example.org/echo:1", "env": {"A": "x\ud83d"}}
    reported = run_task("mcp_server", server, fails=True)["msg"]
    assert "env.A: holds U+D83D, half of a surrogate pair" in reported
