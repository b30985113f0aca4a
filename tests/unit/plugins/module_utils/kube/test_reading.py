# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import (
    LIST_FROM,
    Target,
    read_live,
    target_of,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType

from .conftest import Answer, FakeTask, Server, status_object

CONFIG_MAPS = ResourceType("v1", "ConfigMap", "configmaps", True)
PATH = "/api/v1/namespaces/a/configmaps"


def config_map(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "a"}}


def targets(*names: str) -> list[Target]:
    declared = [{"apiVersion": "v1", "kind": "ConfigMap", **config_map(name)} for name in names]
    return [target_of(CONFIG_MAPS, item) for item in declared]


def page(*names: str, token: str = "", remaining: int = 0) -> Answer:
    metadata = {"continue": token, "remainingItemCount": remaining}
    return Answer(body={"items": [config_map(name) for name in names], "metadata": metadata})


NAMES = ("c0", "c1", "c2", "c3")


def test_a_list_is_read_no_further_than_needed(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    assert len(NAMES) == LIST_FROM
    # a server need not say how many follow
    server.on(f"{PATH}?limit=1000", page(*NAMES, "x", token="t"))
    found = read_live(connect(task), targets(*NAMES)).complete
    assert sorted(ref.name for ref in found) == list(NAMES)
    assert [request.target for request in server.requests] == [f"{PATH}?limit=1000"]


def test_few_among_very_many_are_read_by_name(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    server.on(f"{PATH}?limit=1000", page("c0", "c1", token="t", remaining=100_000))
    server.on(f"{PATH}/c2", Answer(body={"kind": "ConfigMap", **config_map("c2")}))
    found = read_live(connect(task), targets(*NAMES)).complete
    assert sorted(ref.name for ref in found) == ["c0", "c1", "c2"]
    assert sorted(request.target for request in server.requests)[:2] == [f"{PATH}/c2", f"{PATH}/c3"]
    assert len(server.requests) == 3


def test_a_list_that_expires_is_finished_by_name(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    server.on(f"{PATH}?limit=1000", page("c0", "c1", "c2", token="t", remaining=1))
    server.on(f"{PATH}?limit=1000&continue=t", Answer(410, status_object(410, "Expired", "too old")))
    server.on(f"{PATH}/c3", Answer(body={"kind": "ConfigMap", **config_map("c3")}))
    assert len(read_live(connect(task), targets(*NAMES)).complete) == 4


def test_without_the_right_to_list(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    server.on(f"{PATH}?limit=1000", Answer(403, status_object(403, "Forbidden", "no")))
    for name in NAMES:
        server.on(f"{PATH}/{name}", Answer(body={"kind": "ConfigMap", **config_map(name)}))
    assert len(read_live(connect(task), targets(*NAMES)).complete) == 4


@pytest.mark.parametrize(("pace", "threads"), [(0.001, 1), (0.05, LIST_FROM - 1), (math.inf, LIST_FROM - 1)])
def test_a_server_nearby_is_asked_over_one_connection(
    connect: Callable[..., Kube], task: FakeTask, monkeypatch: pytest.MonkeyPatch, pace: float, threads: int
) -> None:
    kube = connect(task)
    kube.transport.quickest = pace
    askers = set()
    together = threading.Barrier(threads)

    def get(_path: str, **_how: Any) -> dict[str, Any]:
        askers.add(threading.get_ident())
        together.wait(10)
        return config_map("a")

    monkeypatch.setattr(kube, "get", get)
    assert len(read_live(kube, targets(*NAMES[1:])).complete) == LIST_FROM - 1
    assert len(askers) == threads


def test_tasks_of_a_run_tell_each_other_how_quick_a_server_is(
    server: Server, connect: Callable[..., Kube], task: FakeTask
) -> None:
    for root in ("/api", "/apis"):
        server.on(root, Answer(body={"kind": "APIGroupDiscoveryList", "items": []}))
    assert connect(task).connections_for(1) > 1
    connect(task).kinds()
    assert connect(task).connections_for(1) == 1
