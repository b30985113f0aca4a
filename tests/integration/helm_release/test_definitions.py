# SPDX-License-Identifier: GPL-3.0-or-later
"""The crds/ directory of a chart, which helm creates once and never touches again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CRD = "notes.example.invalid"
COLOUR = {"crds/notes.yaml": ("text: {type: string}", "text: {type: string}\n                colour: {type: string}")}
Run = Callable[..., dict[str, Any]]
Package = Callable[..., Path]


@pytest.fixture
def note(cluster: Any, namespace: str) -> Iterator[dict[str, Any]]:
    yield {"name": "note", "namespace": namespace}
    cluster.kubectl("delete", "crd", CRD, "--ignore-not-found")


def fields(cluster: Any) -> set[str]:
    (version,) = cluster.get("crd", CRD)["spec"]["versions"]
    return set(version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])


def test_an_upgrade_brings_the_definition_along_when_told(
    cluster: Any, note: dict[str, Any], direct: Run, package: Package
) -> None:
    first, second = package("defining", "1.0.0"), package("defining", "1.1.0", COLOUR)
    assert direct({**note, "chart_ref": str(first)})["release"]["status"] == "deployed"
    assert fields(cluster) == {"text"}

    coloured = {**note, "chart_ref": str(second), "values": {"colour": "red"}}
    left = direct({**note, "chart_ref": str(second)})
    assert left["release"]["chart_version"] == "1.1.0"
    assert fields(cluster) == {"text"}

    # the record of 1.1.0 knows the definition: what stands is behind it
    behind = direct({**note, "chart_ref": str(second), "crds": "upgrade"}, check=True)
    assert any("colour" in part["after"] for part in behind["diff"])
    caught_up = direct({**coloured, "crds": "upgrade"})
    assert fields(cluster) == {"text", "colour"}
    assert cluster.get(CRD, "note", "-n", note["namespace"])["spec"]["colour"] == "red"
    assert caught_up["release"]["status"] == "deployed"
    nobody = {"crds": "upgrade", "helm_binary": "/nonexistent/helm"}
    assert not direct({**coloured, **nobody})["changed"]

    removed = '[{"op":"remove","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/colour"}]'
    cluster.kubectl("patch", "crd", CRD, "--type=json", "-p", removed)
    assert direct({**coloured, **nobody})["changed"]
    assert fields(cluster) == {"text", "colour"}
    assert not direct({**coloured, **nobody})["changed"]

    gone = direct({**note, "state": "absent"})
    assert gone["changed"]
    assert fields(cluster) == {"text", "colour"}


def test_a_first_install_with_upgrade_waits_for_its_definition(
    cluster: Any, note: dict[str, Any], direct: Run, package: Package
) -> None:
    made = direct({**note, "chart_ref": str(package("defining", "1.0.0")), "crds": "upgrade"})
    assert made["release"]["status"] == "deployed"
    assert cluster.get(CRD, "note", "-n", note["namespace"])["spec"]["text"] == "hello"
    assert "release-name" not in str(cluster.get("crd", CRD)["metadata"].get("annotations"))


def test_a_definition_that_was_deleted_comes_back_with_its_objects(
    cluster: Any, note: dict[str, Any], direct: Run, run_task: Run, package: Package
) -> None:
    wanted = {**note, "chart_ref": str(package("defining", "1.0.0")), "crds": "upgrade"}
    direct(wanted)
    cluster.kubectl("delete", "crd", CRD)
    # further runs, which know nothing of what the first one has seen
    nobody = {**wanted, "helm_binary": "/nonexistent/helm"}
    left_alone = run_task("helm_release", {**nobody, "crds": "create"}, fails=True)
    assert left_alone["error"]["code"] == "KindNotServed"

    planned = run_task("helm_release", nobody, check=True)
    assert any("does not serve example.invalid/v1 Note (any more)" in reported for reported in planned["notes"])
    assert run_task("helm_release", nobody)["changed"]
    assert cluster.get(CRD, "note", "-n", note["namespace"])["spec"]["text"] == "hello"
    assert not run_task("helm_release", nobody)["changed"]


def test_without_the_definition_the_chart_says_what_is_missing(
    note: dict[str, Any], direct: Run, package: Package
) -> None:
    refused = direct({**note, "chart_ref": str(package("defining", "1.0.0")), "crds": "skip"}, fails=True)
    assert refused["error"]["code"] == "KindNotServed"
