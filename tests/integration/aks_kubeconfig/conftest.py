# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that takes the tokens of the local Entra and has no local accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from integration.conftest import LOCATION, play_options
from support.playbook import run_tasks

GROUP, NAME = "rg-entra", "entra"


@dataclass(frozen=True)
class EntraCluster:
    """What names it, and how a task declares it."""

    declared: dict[str, Any]

    @property
    def named(self) -> dict[str, str]:
        return {"name": NAME, "resource_group": GROUP}


@pytest.fixture(scope="module")
def entra_cluster(cloud: Any) -> Iterator[EntraCluster]:
    entra = {"managed": True, "adminGroupObjectIDs": [cloud.environment["admin_group_id"]]}
    declared = {
        "name": NAME,
        "resource_group": GROUP,
        "location": LOCATION,
        "node_pools": [{"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"}],
        "properties": {"aadProfile": entra, "disableLocalAccounts": True},
    }
    group = {"type": "Microsoft.Resources/resourceGroups", "name": GROUP, "location": LOCATION}
    tasks = [{"mcpops.platform.azure_resource": group}, {"mcpops.platform.aks_cluster": declared}]
    run_tasks(tasks, play=play_options(cloud, None, None)).ok()
    yield EntraCluster(declared)
    gone = {"name": NAME, "resource_group": GROUP, "state": "absent", "force_delete": True}
    run_tasks([{"mcpops.platform.aks_cluster": gone}], play=play_options(cloud, None, None)).ok()
