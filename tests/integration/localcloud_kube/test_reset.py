# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from localcloud import lifecycle
from localcloud.kube.backend import LocalClusters
from localcloud.settings import Settings

# Whatever the gate runs on a cluster fails if the cluster is none; what it owes besides is looked at here.
pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_reset_removes_a_running_cluster_with_everything(
    own_settings: Settings, clusters: LocalClusters, localcloud: Any
) -> None:
    clusters.create("doomed", clusters.versions()[-1])
    localcloud("reset")
    assert lifecycle.leftovers(own_settings) == []
    assert not own_settings.state.exists()
    localcloud("reset")
