# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose KMCP it is: the command line's, somebody's kubectl's, kagent's, or nobody's any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.usefixtures("nothing")]

CRD = "mcpservers.kagent.dev"
CONTROLLER = "kmcp-controller-manager"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def kagent(namespace: str, wanted: dict[str, Any], helm: Callable[..., str], nothing: None) -> str:
    """A namespace whose release kagent-crds owns the definition, as kagent's does."""
    chart = f"{wanted['chart_repository']}/kmcp-crds"
    flags = ("--version", "0.3.0", "--namespace", namespace, "--ca-file", wanted["ca_file"])
    helm("upgrade", "--install", "kagent-crds", chart, *flags)
    return namespace


def test_an_install_of_the_command_line_is_taken_up(
    wanted: dict[str, Any], direct: Run, helm: Callable[..., str]
) -> None:
    # kmcp install runs these two commands
    for name in ("kmcp-crds", "kmcp"):
        chart = f"{wanted['chart_repository']}/{name}"
        flags = ("--version", "0.3.0", "--namespace", "kmcp-system", "--create-namespace")
        helm("upgrade", "--install", name, chart, *flags, "--ca-file", wanted["ca_file"])
    found = direct({**wanted, "helm_binary": "/nonexistent/helm"})
    assert not found["changed"]
    assert {part["revision"] for part in found["releases"].values()} == {1}


def test_a_definition_without_helm_is_taken_over_when_told(
    cluster: Any,
    namespace: str,
    wanted: dict[str, Any],
    direct: Run,
    helm: Callable[..., str],
    put_server: Callable[..., str],
) -> None:
    chart = f"{wanted['chart_repository']}/kmcp-crds"
    manifest = helm("template", "x", chart, "--version", "0.3.0", "--ca-file", wanted["ca_file"])
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=manifest)
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{CRD}")
    put_server(namespace)
    refused = direct(wanted, fails=True)
    assert "set take_ownership: true" in refused["msg"]
    adopted = direct({**wanted, "take_ownership": True})
    assert adopted["releases"]["crds"]["status"] == "deployed"
    assert any("becomes this release's" in note for note in adopted["notes"])
    assert cluster.get(CRD, "kept", "-n", namespace)
    assert not direct(wanted)["changed"]


def test_what_kagent_owns_stays_kagents(cluster: Any, kagent: str, wanted: dict[str, Any], direct: Run) -> None:
    for change in ({}, {"take_ownership": True}):
        refused = direct({**wanted, **change}, fails=True)
        assert f"release {kagent}/kagent-crds" in refused["msg"]
        assert "manage_crds: false" in refused["msg"]
    beside = direct({**wanted, "manage_crds": False})
    assert beside["releases"]["crds"] is None
    assert any(f"left to release {kagent}/kagent-crds" in note for note in beside["notes"])
    assert cluster.get("deployment", CONTROLLER, "-n", "kmcp-system")["status"]["readyReplicas"] == 1
    assert not direct({**wanted, "manage_crds": False})["changed"]

    stays = direct({"state": "absent", "delete_crds": True})
    assert any(f"belongs to release {kagent}/kagent-crds" in note for note in stays["notes"])
    assert cluster.get("crd", CRD)


def test_what_a_release_that_is_gone_owned_can_be_taken(
    cluster: Any, kagent: str, wanted: dict[str, Any], direct: Run
) -> None:
    cluster.kubectl("delete", "secret", "-n", kagent, "-l", "owner=helm")
    refused = direct(wanted, fails=True)
    assert "which is no longer installed" in refused["msg"]
    assert direct({**wanted, "take_ownership": True})["releases"]["crds"]["status"] == "deployed"


def test_a_definition_that_went_to_another_release_is_not_removed_under_it(
    cluster: Any, wanted: dict[str, Any], direct: Run
) -> None:
    direct(wanted)
    owner = ("meta.helm.sh/release-name=kagent-crds", "meta.helm.sh/release-namespace=kagent")
    cluster.kubectl("annotate", "crd", CRD, *owner, "--overwrite")
    refused = direct({"state": "absent", "delete_crds": True, "delete_servers": True}, fails=True)
    assert "under release kagent/kagent-crds" in refused["msg"]
    assert cluster.get("deployment", CONTROLLER, "-n", "kmcp-system")
    cluster.kubectl("annotate", "crd", CRD, owner[0].replace("kagent-crds", "kmcp-crds"), "--overwrite")
    cluster.kubectl("annotate", "crd", CRD, owner[1].replace("kagent", "kmcp-system"), "--overwrite")


def test_without_a_definition_and_not_ours_to_make(wanted: dict[str, Any], direct: Run) -> None:
    apart = {**wanted, "manage_crds": False}
    planned = direct(apart, check=True)
    assert planned["changed"]
    assert any("does not exist yet" in note for note in planned["notes"])
    assert direct(apart, fails=True)["error"]["code"] == "DefinitionMissing"
