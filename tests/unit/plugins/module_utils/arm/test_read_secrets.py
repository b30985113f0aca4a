# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service answers is protected as what is declared is: others may have put secrets there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.arm import aks_cluster, azure_resource
from ansible_collections.mcpops.platform.plugins.module_utils.masking import mask

URL, PASSWORD = "http://proxy:c4nary-55@10.1.2.3:3128/", "c4nary-55"
BODY: dict[str, Any] = {
    "id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c1",
    "name": "c1",
    "type": "Microsoft.ContainerService/managedClusters",
    "location": "eastus2",
    "properties": {
        "httpProxyConfig": {"httpProxy": URL},
        "windowsProfile": {"adminPassword": 44556677},
        "extension": {"protectedSettings": {"pin": 91827364}},
    },
}


class _Arm:
    def read(self, *_args: Any) -> Any:
        return SimpleNamespace(body=BODY)

    def listed(self, *_args: Any) -> list[Any]:
        return [BODY]


@pytest.mark.parametrize("module", [aks_cluster, azure_resource], ids=["aks_cluster_info", "azure_resource_info"])
@pytest.mark.parametrize("name", ["c1", None], ids=["one", "all"])
def test_what_is_read_is_protected(module: Any, name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Arm, "connect", lambda *_args: _Arm())
    monkeypatch.setattr(module, "resolve_identity", lambda _params: SimpleNamespace(subscription_id="s"))
    params = {"name": name, "resource_group": "rg", "type": BODY["type"], "id": None, "api_version": "2025-01-01"}
    task = FakeTask(params)
    shown = module.info(task).values
    assert PASSWORD in str(shown)
    assert PASSWORD not in str(mask(shown, task.secrets))
    assert "44556677" not in str(shown)
    assert "91827364" not in str(shown)
    assert "10.1.2.3" in str(shown)
