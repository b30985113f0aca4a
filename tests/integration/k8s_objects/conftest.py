# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation of k8s_objects in this process, against the shared cluster or a proxy in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.direct import call
from support.fault_proxy import FaultProxy

from ansible_collections.mcpops.platform.plugins.modules import k8s_objects

Apply = Callable[..., dict[str, Any]]


@pytest.fixture
def apply(cluster: Any, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Apply:
    """`apply(check=, fails=, kubeconfig=, **options)` -> the result; one run's cache for all calls of a test."""
    directory = tmp_path_factory.mktemp("run")

    def applied(
        *, check: bool = False, fails: bool = False, kubeconfig: Path | None = None, **options: Any
    ) -> dict[str, Any]:
        args = {"kubeconfig": str(kubeconfig or cluster.kubeconfig), "namespace": namespace, **options}
        return call(k8s_objects, directory, args, check=check, fails=fails)

    return applied


@pytest.fixture
def proxy(cluster: Any, tmp_path: Path) -> Iterator[FaultProxy]:
    running = FaultProxy(cluster.kubeconfig, tmp_path)
    yield running
    running.stop()
