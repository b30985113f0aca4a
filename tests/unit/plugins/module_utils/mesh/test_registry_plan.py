# SPDX-License-Identifier: GPL-3.0-or-later
"""Larger volumes of a registry: what is grown, what is made anew, and what is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.owned_objects import CLAIM
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_plan import (
    Growth,
    not_growing,
    volume_growth,
)

NAME = "mcp-mesh-registry-db"


def template(size: str, storage_class: str | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class:
        spec["storageClassName"] = storage_class
    return {"metadata": {"name": "data"}, "spec": spec}


def stateful_set(size: str, storage_class: str | None = None) -> dict[str, Any]:
    spec = {"volumeClaimTemplates": [template(size, storage_class)]}
    return {"kind": "StatefulSet", "metadata": {"name": NAME, "namespace": "mesh"}, "spec": spec}


def claim(size: str) -> dict[str, Any]:
    made = template(size, "managed-csi")
    return {**made, "kind": CLAIM, "metadata": {"name": f"data-{NAME}-0", "namespace": "mesh"}}


def growth(declared: str, template_size: str | None, claim_size: str | None, **classes: str) -> Growth:
    live: dict[tuple[str, str], Any] = {}
    if template_size:
        live["StatefulSet", NAME] = stateful_set(template_size, classes.get("stands"))
    if claim_size:
        live[CLAIM, f"data-{NAME}-0"] = claim(claim_size)
    return volume_growth([stateful_set(declared, classes.get("wanted"))], live)


@pytest.mark.parametrize(
    ("declared", "template_size", "claim_size", "anew", "grown"),
    [
        ("8Gi", None, None, False, False),
        ("8Gi", "8Gi", "8Gi", False, False),
        ("8Gi", "8192Mi", "8Gi", False, False),
        ("16Gi", "8Gi", "8Gi", True, True),
        # by hand before, or a run that ended between the two
        ("16Gi", "8Gi", "16Gi", True, False),
        ("8Gi", "8Gi", "20Gi", False, False),
        # what a removed registry left
        ("16Gi", None, "8Gi", False, True),
        ("8Gi", None, "16Gi", False, False),
        # the claim was deleted with the pod: the template alone says how large the next one is
        ("16Gi", "8Gi", None, True, False),
    ],
)
def test_what_is_grown(
    declared: str, template_size: str | None, claim_size: str | None, anew: bool, grown: bool
) -> None:
    found = growth(declared, template_size, claim_size)
    assert found.refused == ()
    assert found.anew == ((NAME,) if anew else ())
    assert [one["metadata"]["name"] for one in found.claims] == ([f"data-{NAME}-0"] if grown else [])
    assert found.classes == (("managed-csi",) if grown else ())
    for one in found.claims:
        assert one["spec"] == {"resources": {"requests": {"storage": declared}}}


@pytest.mark.parametrize("seed", range(60))
def test_a_volume_never_shrinks(seed: int) -> None:
    declared, template_size, claim_size = (random.Random(f"{seed}-{which}").randint(1, 9) for which in "abc")
    found = growth(f"{declared}Gi", f"{template_size}Gi", f"{claim_size}Gi")
    assert bool(found.refused) == (declared < template_size)
    assert bool(found.anew) == (declared > template_size)
    assert bool(found.claims) == (declared > claim_size and not found.refused)


def test_another_class_is_another_volume() -> None:
    refused = growth("16Gi", "8Gi", "8Gi", stands="managed-csi", wanted="managed-premium")
    assert (refused.claims, refused.anew) == ((), ())
    [one] = refused.refused
    assert (one.before, one.after) == ("managed-csi", "managed-premium")
    assert "delete_data" in one.remedy
    [to_default] = growth("8Gi", "8Gi", "8Gi", stands="managed-csi").refused
    assert to_default.after == "(the cluster's default)"
    assert "declare managed-csi" in to_default.remedy


def test_a_class_must_allow_it() -> None:
    named = {"metadata": {"name": "fixed"}}
    assert not_growing([{**named, "allowVolumeExpansion": True}]) == []
    for one in (named, {**named, "allowVolumeExpansion": False}):
        [refused] = not_growing([one])
        assert "allowVolumeExpansion" in refused.sentence
