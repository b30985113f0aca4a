# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of one run that need another size at the same moment: each sees what those before it have chosen."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.arm import cluster_preflight
from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks.spec import SizeRequest, cluster_spec
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_preflight import choose_beside, kept

SIZES = ["Standard_D2s_v5", "Standard_D2s_v4", "Standard_D2as_v5", "Standard_D2s_v3"]
IDENTITY: Any = SimpleNamespace(fingerprint=lambda: "one", subscription_id="s")


def declared(host: str) -> dict[str, Any]:
    return {
        "name": host,
        "resource_group": "rg",
        "location": "eastus2",
        "node_pools": [{"name": "system", "mode": "System", "count": 1, "vm_size_candidates": SIZES}],
        "properties": None,
    }


def requested(one: SizeRequest) -> str:
    """What the others were found to get: the first of what they are asked for."""
    return str(one.candidates[0])


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTask:
    monkeypatch.setattr(cluster_preflight, "resolve_identity", lambda _params: IDENTITY)
    return FakeTask({}, run_directory=tmp_path)


@pytest.mark.parametrize("hosts", [2, 3])
def test_no_two_take_what_is_left_for_one(task: FakeTask, hosts: int) -> None:
    """The quota of each size is enough for one cluster, and the one that all of them were to get is refused."""
    names = [f"h{n}" for n in range(hosts)]
    entries = {name: {"host": name, "has_cluster": True, "cluster": declared(name)} for name in names}
    kept(task, IDENTITY, lambda _known: entries)
    cluster_preflight.promise(task, IDENTITY, {name: {"system": SIZES[0]} for name in names})
    arm: Any = SimpleNamespace(subscription_id="s", read=lambda *_given: SimpleNamespace(body=None))
    begin, chosen, busy = threading.Barrier(hosts), {}, threading.Lock()

    def fall_back(name: str) -> None:
        def choose(theirs: list[SizeRequest]) -> dict[str, str]:
            assert busy.acquire(blocking=False), "two choose at once"
            taken = {requested(one) for one in theirs}
            assert len(theirs) == hosts - 1
            chosen[name] = next(size for size in SIZES[1:] if size not in taken)
            busy.release()
            return {"system": chosen[name]}

        begin.wait()
        choose_beside(task, arm, cluster_spec(declared(name), "s"), choose)

    order = names[:]
    random.Random(hosts).shuffle(order)
    threads = [threading.Thread(target=fall_back, args=(name,)) for name in order]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(chosen) == names
    assert len(set(chosen.values())) == hosts and SIZES[0] not in chosen.values()
