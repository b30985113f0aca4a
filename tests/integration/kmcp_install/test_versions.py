# SPDX-License-Identifier: GPL-3.0-or-later
"""From one version to another and back: what stored servers, the release's values and stored versions say to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.usefixtures("nothing")]

CRD = "mcpservers.kagent.dev"
Run = Callable[..., dict[str, Any]]
Charts = Callable[..., Path]


def without_timeout(definition: dict[str, Any], _controller: Path) -> None:
    """As the definition was before 0.2.6."""
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["timeout"]


def another_version(definition: dict[str, Any], _controller: Path) -> None:
    definition["spec"]["versions"][0]["name"] = "v1"


def with_the_old_switch(_definition: dict[str, Any], controller: Path) -> None:
    """As the chart was in 0.2.8, where rbac.clusterScoped was a value."""
    (controller / "values.yaml").open("a").write("\nrbac: {create: true, clusterScoped: true, namespaces: []}\n")
    helpers = controller / "templates" / "_helpers.tpl"
    text = helpers.read_text()
    assert 'hasKey .Values.rbac "clusterScoped"' in text
    helpers.write_text(text.replace('hasKey .Values.rbac "clusterScoped"', 'hasKey .Values.rbac "neverUsed"'))


def fields(cluster: Any) -> set[str]:
    (version,) = cluster.get("crd", CRD)["spec"]["versions"]
    return set(version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])


def test_a_version_that_would_take_a_field_from_a_server(
    cluster: Any, namespace: str, wanted: dict[str, Any], direct: Run, charts: Charts, put_server: Callable[..., str]
) -> None:
    assert direct(wanted)["changed"]
    put_server(namespace, "plain", timeout=None)
    server = put_server(namespace, "slow", timeout="90s")
    back = {**wanted, "version": "0.2.9", "chart_repository": str(charts("0.2.9", without_timeout))}
    for check in (True, False):
        refused = direct(back, check=check, fails=True)
        assert refused["error"]["kind"] == "refused"
        assert "MCPServer spec.timeout" in refused["msg"]
        assert server in refused["msg"]
    assert "timeout" in fields(cluster)

    # the API server sets the default of the field for every server: all of them lose it
    accepted = direct({**back, "accept_field_loss": True})
    assert any("goes back from 0.3.0 to 0.2.9" in note for note in accepted["notes"])
    assert any("spec.timeout does not exist" in note and server in note for note in accepted["notes"])
    assert "timeout" not in fields(cluster)
    assert [accepted["previous"][part]["chart_version"] for part in ("crds", "controller")] == ["0.3.0", "0.3.0"]

    forward = direct(wanted)
    assert [forward["releases"][part]["chart_version"] for part in ("crds", "controller")] == ["0.3.0", "0.3.0"]
    assert "timeout" in fields(cluster)
    assert not direct(wanted)["changed"]


def test_a_stored_version_never_goes(cluster: Any, wanted: dict[str, Any], direct: Run, charts: Charts) -> None:
    direct(wanted)
    other = {**wanted, "version": "0.4.0", "chart_repository": str(charts("0.4.0", another_version))}
    refused = direct({**other, "accept_field_loss": True}, check=True, fails=True)
    assert "objects are stored in version v1alpha1" in refused["msg"]
    assert cluster.get("crd", CRD)["spec"]["versions"][0]["name"] == "v1alpha1"


def test_values_that_the_next_chart_does_not_know(wanted: dict[str, Any], direct: Run, charts: Charts) -> None:
    directory = charts("0.2.8", with_the_old_switch)
    old = {**wanted, "version": "0.2.8", "chart_repository": str(directory)}
    assert direct({**old, "values": {"rbac": {"clusterScoped": True}}})["changed"]
    refused = direct(wanted, check=True, fails=True)
    assert refused["error"]["kind"] == "refused"
    assert "values.rbac.clusterScoped" in refused["msg"]
    assert "does not exist since 0.3.0" in refused["msg"]
    assert direct({**wanted, "values": {}})["releases"]["controller"]["chart_version"] == "0.3.0"
