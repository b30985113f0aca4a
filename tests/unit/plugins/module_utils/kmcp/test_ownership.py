# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Refused
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.cluster_state import (
    CrdOwner,
    ownership_conflict,
    removal_conflict,
)

SPEC = ReleaseSpec("kmcp-crds", "kmcp-system", Chart("oci://r/kmcp-crds", "kmcp-crds", "0.3.0"))


def definition(name: str | None, namespace: str | None, managed: bool = True) -> dict[str, Any]:
    marks = {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace}
    labels = {"app.kubernetes.io/managed-by": "Helm"} if managed else {}
    return {"metadata": {"annotations": {key: value for key, value in marks.items() if value}, "labels": labels}}


@pytest.mark.parametrize(
    "existing",
    [
        pytest.param(None, id="no definition"),
        pytest.param(definition("kmcp-crds", "kmcp-system"), id="ours, from a run that was killed"),
    ],
)
def test_no_conflict(existing: dict[str, Any] | None) -> None:
    assert ownership_conflict(existing, SPEC) is None


@pytest.mark.parametrize(
    ("existing", "owner", "remedy"),
    [
        pytest.param(
            definition("kagent-crds", "kagent"), "release kagent/kagent-crds", "kmcp.enabled=false", id="kagent"
        ),
        pytest.param(
            definition("kagent-crds", "kagent"), "release kagent/kagent-crds", "manage_crds", id="use kagent's"
        ),
        pytest.param(
            definition("kmcp-crds", "other"), "release other/kmcp-crds", "namespace: other", id="another namespace"
        ),
    ],
)
@pytest.mark.parametrize("take_ownership", [False, True])
def test_what_another_release_owns_is_never_taken(
    existing: dict[str, Any], owner: str, remedy: str, take_ownership: bool
) -> None:
    refusal = ownership_conflict(existing, replace(SPEC, take_ownership=take_ownership), other_installed=True)
    assert refusal is not None
    assert refusal.sentence == f"belongs to {owner}"
    assert remedy in refusal.remedy


@pytest.mark.parametrize(
    ("existing", "sentence"),
    [
        pytest.param(
            definition("kmcp-crds", "other"),
            "belongs to release other/kmcp-crds, which is no longer installed",
            id="a release that is gone",
        ),
        pytest.param(definition(None, None, managed=False), "was created without Helm", id="by hand"),
        pytest.param(definition("kmcp-crds", "kmcp-system", managed=False), "was created without Helm", id="no label"),
    ],
)
def test_a_conflict_names_the_owner_and_the_way_out(existing: dict[str, Any], sentence: str) -> None:
    assert ownership_conflict(existing, replace(SPEC, take_ownership=True)) is None
    refusal = ownership_conflict(existing, SPEC)
    assert refusal is not None
    assert "take_ownership: true" in refusal.remedy
    assert refusal.sentence == sentence
    message = Refused("kmcp", [refusal]).message()
    assert "mcpservers.kagent.dev" in message
    assert "release kmcp-system/kmcp-crds" in message


def test_a_definition_that_became_another_releases_is_not_removed_under_it() -> None:
    ours = CrdOwner("kmcp-system", "kmcp-crds")
    assert removal_conflict(definition("kmcp-crds", "kmcp-system"), ours) is None
    assert removal_conflict(definition(None, None), ours) is None
    refusal = removal_conflict(definition("kagent-crds", "kagent"), ours)
    assert refusal is not None
    assert "under release kagent/kagent-crds" in refusal.remedy
