# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import yaml
from support.playbook import CHECKOUT


def defaults(role: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CHECKOUT / "roles" / role / "defaults" / "main.yml").read_text("utf-8"))
    return loaded


def test_preflight_checks_the_sizes_that_a_new_pool_would_try() -> None:
    (pool,) = defaults("aks_cluster")["aks_cluster_node_pools"]
    assert pool["vm_size_candidates"] == defaults("site_preflight")["site_preflight_candidates"]
