# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of a chart that a mirror calls otherwise is the same chart."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm import drift
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart, resolve_chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.cli import Helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm.plan import plan_release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.release_record import DEPLOYED, Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput, Task

RELEASE = Release("tools", "ops", 1, DEPLOYED, "", "podinfo", "6.5.0", "6.5.0", {}, "", None, "")


class Registry:
    """Answers `helm show chart` and counts how often it is asked."""

    check_mode = False

    def __init__(self, own_name: str) -> None:
        self.own_name = own_name
        self.asked: list[list[str]] = []

    def progress(self, _message: str) -> None: ...

    def run_command(self, argv: list[str], **_options: Any) -> CommandOutput:
        self.asked.append(argv)
        return CommandOutput(0, f"apiVersion: v2\nname: {self.own_name}\nversion: 6.5.0\n", "")


def declared(location: str) -> ReleaseSpec:
    chart, wrong = resolve_chart(location, "6.5.0")
    assert chart is not None, wrong
    return ReleaseSpec("tools", "ops", chart, values={})


def named(registry: Registry, spec: ReleaseSpec, release: Release | None, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Helm, "find", lambda task, _binary: Helm(task, "helm", (3, 18)))
    kube = SimpleNamespace(access=Access(server="https://127.0.0.1:6443"))
    return drift.with_own_name(cast(Task, registry), cast(Kube, kube), spec, release)


def test_a_renamed_copy_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = declared("oci://registry.example.com/mirror/our-podinfo")
    assert [change.path for change in plan_release(spec, RELEASE).changes] == ["chart"]
    registry = Registry("podinfo")
    spec = named(registry, spec, RELEASE, monkeypatch)
    assert plan_release(spec, RELEASE).changes == ()
    assert [argv[argv.index("helm") + 1 :][:3] for argv in registry.asked] == [["show", "chart", spec.chart.location]]


def test_another_chart_of_the_same_version_still_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = named(Registry("nginx"), declared("oci://registry.example.com/mirror/ingress"), RELEASE, monkeypatch)
    [change] = plan_release(spec, RELEASE).changes
    assert (change.before, change.after) == ("podinfo", "nginx")


@pytest.mark.parametrize("case", ["the same name", "no release yet", "a directory"])
def test_nobody_is_asked_where_it_makes_no_difference(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, registry = declared("oci://registry.example.com/charts/podinfo"), Registry("podinfo")
    if case == "a directory":
        spec = replace(spec, chart=Chart("/charts/other", "other", "6.5.0"))
    release = None if case == "no release yet" else RELEASE
    assert named(registry, spec, release, monkeypatch) == spec
    assert registry.asked == []
