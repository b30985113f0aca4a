# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation of k8s_objects in this process, against the shared cluster or a proxy in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from support.fault_proxy import FaultProxy

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure
from ansible_collections.mcpops.platform.plugins.modules import k8s_objects
from ansible_collections.mcpops.platform.plugins.plugin_utils.inprocess import InProcessTask

Apply = Callable[..., dict[str, Any]]


@pytest.fixture
def apply(cluster: Any, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Apply:
    """`apply(check=, fails=, kubeconfig=, **options)` -> the result; one run's cache for all calls of a test."""
    directory = tmp_path_factory.mktemp("run")

    def applied(
        *, check: bool = False, fails: bool = False, kubeconfig: Path | None = None, **options: Any
    ) -> dict[str, Any]:
        args = {"kubeconfig": str(kubeconfig or cluster.kubeconfig), "namespace": namespace, **options}
        validated = ArgumentSpecValidator(k8s_objects.ARGUMENT_SPEC, **k8s_objects.RULES).validate(args)
        assert validated.error_messages == []
        task = InProcessTask(validated.validated_parameters, check_mode=check, diff_mode=True, host="test")
        task.run_directory = directory
        result: dict[str, Any]
        try:
            result = k8s_objects.OPERATION(task).to_dict(diff_mode=True)
        except Failure as failure:
            result = failure.to_result()
        assert bool(result.get("failed")) == fails, result["msg"]
        return result

    return applied


@pytest.fixture
def proxy(cluster: Any, tmp_path: Path) -> Iterator[FaultProxy]:
    running = FaultProxy(cluster.kubeconfig, tmp_path)
    yield running
    running.stop()
