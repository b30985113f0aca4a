# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from localcloud.kube.layout import ClusterLayout
from localcloud.settings import Settings


@pytest.fixture
def layout(cloud_settings: Settings) -> ClusterLayout:
    directory = cloud_settings.clusters / "dev"
    directory.mkdir()
    return ClusterLayout(
        name="dev",
        directory=str(directory),
        index=3,
        instance=cloud_settings.instance,
        host_address=cloud_settings.address(3, 1),
        node_address=cloud_settings.address(3, 2),
        cloud_address=cloud_settings.host_address,
        cloud_ports=(5000, 8443),
        kubernetes_version="1.35.4",
    )
