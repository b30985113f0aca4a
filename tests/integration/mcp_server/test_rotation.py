# SPDX-License-Identifier: GPL-3.0-or-later
"""What an MCP server uses and somebody changes: the pods that KMCP makes follow it, and keep a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("kmcp")]

CANARY = "canary-9c2e"
Apply = Callable[..., dict[str, Any]]


@pytest.fixture
def server(cloud: Any, namespace: str) -> dict[str, Any]:
    """One server that takes its environment from a Secret and files from a ConfigMap."""
    image = f"{cloud.registry}/echo-mcp:1.0.0"
    refs = {"secret_refs": ["keys"], "config_map_refs": ["settings"]}
    return {"name": "echo", "namespace": namespace, "image": image, "wait_timeout": 90, **refs}


@pytest.fixture
def apply(run_task: Any, server: dict[str, Any]) -> Apply:
    """`apply(check=, ...options)` declares it."""

    def run(*, check: bool = False, **options: Any) -> dict[str, Any]:
        result: dict[str, Any] = run_task("mcp_server", {**server, **options}, check=check)
        return result

    return run


@pytest.fixture
def setup(namespace: str) -> Callable[..., dict[str, Any]]:
    """`setup("two", mode="slow")` → the options of k8s_objects that a site's setup has."""

    def options(token: str, mode: str = "slow", **metadata: Any) -> dict[str, Any]:
        of = {"namespace": namespace, **metadata}
        secret = {"metadata": {"name": "keys", **of}, "stringData": {"API_TOKEN": f"{CANARY}-{token}"}}
        settings = {"metadata": {"name": "settings", **of}, "data": {"mode": mode}}
        objects = [
            {"apiVersion": "v1", "kind": "Secret", **secret},
            {"apiVersion": "v1", "kind": "ConfigMap", **settings},
        ]
        return {"definitions": objects}

    return options


@pytest.fixture
def rotate(run_task: Any, setup: Any) -> Callable[..., dict[str, Any]]:
    """`rotate("two", mode="slow")` writes the Secret and the ConfigMap."""

    def run(*values: str, **more: Any) -> dict[str, Any]:
        result: dict[str, Any] = run_task("k8s_objects", setup(*values, **more))
        return result

    return run


@pytest.fixture
def site(run_all: Any, setup: Any, server: dict[str, Any]) -> Callable[..., list[dict[str, Any]]]:
    """`site("two", check=)` → the results of both tasks, in one run as in site.yml."""

    def run(token: str, *, check: bool = False) -> list[dict[str, Any]]:
        tasks = [{"mcpops.platform.k8s_objects": setup(token)}, {"mcpops.platform.mcp_server": server}]
        return [one["result"] for one in run_all(tasks, check=check).ok().results]

    return run


@pytest.fixture
def pods(cluster: Any, namespace: str) -> Callable[[], list[str]]:
    def names() -> list[str]:
        found = cluster.get("pods", "-n", namespace)["items"]
        return sorted(one["metadata"]["name"] for one in found if not one["metadata"].get("deletionTimestamp"))

    return names


@pytest.fixture
def seen(cluster: Any, namespace: str, pods: Any) -> Callable[[], tuple[str, str]]:
    """What the program of the one pod sees of the Secret and of the ConfigMap."""

    def run() -> tuple[str, str]:
        [pod] = pods()
        code = "import os; print(os.environ['API_TOKEN'], open('/configmaps/settings/mode').read())"
        reported: str = cluster.kubectl("-n", namespace, "exec", pod, "-c", "mcp-server", "--", "python", "-c", code)
        token, mode = reported.split()
        return token, mode

    return run


def notes(result: dict[str, Any]) -> str:
    return " ".join(result.get("notes", []))


def test_a_rotated_secret_reaches_the_server_in_the_same_site_run(
    site: Any, apply: Apply, rotate: Any, pods: Any, seen: Callable[[], tuple[str, str]]
) -> None:
    site("one")
    assert seen() == (f"{CANARY}-one", "slow")
    before = pods()

    _setup, planned = site("two", check=True)
    assert "Secret keys has changed, so its pods would be replaced" in notes(planned)
    assert pods() == before
    results = site("two")
    rotated = results[-1]
    assert "Secret keys has changed, so its pods are replaced" in notes(rotated)
    assert CANARY not in json.dumps(planned) + json.dumps(rotated)
    assert rotated["diff"] == planned["diff"]
    # waited for: nobody runs with the old value now
    assert seen() == (f"{CANARY}-two", "slow")
    assert [one["changed"] for one in site("two")] == [False, False]

    before = pods()
    rotate("two", labels={"team": "a"})
    assert not apply()["changed"]
    assert pods() == before
    rotate("two", mode="fast")
    assert "ConfigMap settings has changed" in notes(apply())
    assert seen() == (f"{CANARY}-two", "fast")
    assert not apply()["changed"]


@pytest.mark.slow
def test_it_can_be_switched_off_and_servers_of_before_are_left_alone(
    apply: Apply, rotate: Any, pods: Any, seen: Callable[[], tuple[str, str]]
) -> None:
    rotate("one")
    apply(roll_on_config_change=False)
    before = pods()
    rotate("two")
    assert not apply(roll_on_config_change=False)["changed"]
    adopted = apply()
    assert adopted["changed"]
    assert not apply()["changed"]
    assert pods() == before
    rotate("three")
    assert not apply(roll_on_config_change=False)["changed"]
    assert apply()["changed"]
    assert seen()[0] == f"{CANARY}-three"
    assert not apply()["changed"]
    before = pods()
    assert not apply(roll_on_config_change=False)["changed"]
    assert pods() == before


@pytest.mark.slow
def test_a_restart_is_nobodys_drift_and_is_not_undone_by_a_later_change(
    apply: Apply, rotate: Any, cluster: Any, namespace: str, pods: Any
) -> None:
    rotate("one")
    apply()
    # until then KMCP looks every ten seconds, and undoes a restart by itself
    ready = ("mcpservers.kagent.dev/echo", "--for=condition=Ready", "--timeout=60s")
    cluster.kubectl("-n", namespace, "wait", *ready)
    for _time in range(2):
        cluster.kubectl("-n", namespace, "rollout", "restart", "deployment/echo")
        cluster.kubectl("-n", namespace, "rollout", "status", "deployment/echo", "--timeout=90s")
        before = pods()
        for check in (True, False):
            assert not apply(check=check)["changed"]
        assert pods() == before
    # a label of the MCPServer makes KMCP write its whole template
    assert apply(server_labels={"team": "a"})["changed"]
    assert pods() == before
    assert not apply(server_labels={"team": "a"})["changed"]
    # so does a repair
    cluster.kubectl("-n", namespace, "delete", "service", "echo")
    assert apply(server_labels={"team": "a"})["changed"]
    assert not apply(server_labels={"team": "a"})["changed"]
    assert pods() == before
