# SPDX-License-Identifier: GPL-3.0-or-later
"""Registering a provider through real playbooks; what somebody unregisters is registered again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from localcloud.azure.faults import Faults

TaskRunner = Callable[..., dict[str, Any]]
# nothing of the site needs it, so that other tests of this cloud do not notice
NAMESPACE = "Microsoft.ContainerRegistry"


@pytest.fixture
def faults(cloud: Any) -> Faults:
    return Faults.at(cloud.settings.state / "azure")


def test_registered_unregistered_registered(run_task: TaskRunner, faults: Faults) -> None:
    declared = {"namespaces": [NAMESPACE]}
    run_task("azure_provider", declared)
    assert not run_task("azure_provider", declared)["changed"]
    faults.add("unregistered", namespace=NAMESPACE)
    shown = run_task("azure_provider", declared, check=True)
    assert shown["changed"]
    assert shown["providers"][NAMESPACE] != "Registered"
    repaired = run_task("azure_provider", declared)
    assert repaired["diff"] == shown["diff"]
    assert repaired["providers"] == {NAMESPACE: "Registered"}
    assert not run_task("azure_provider", declared)["changed"]


def test_no_such_namespace(run_task: TaskRunner) -> None:
    assert "spelling" in run_task("azure_provider", {"namespaces": ["Microsoft.Nowhere"]}, fails=True)["msg"]
