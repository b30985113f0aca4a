# SPDX-License-Identifier: GPL-3.0-or-later
"""What server-side apply leaves behind, found by reading: other branches, other spellings, emptied mappings."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.comparison import ApplyNeeded, apply_needed
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.replacement import (
    beside_other_branches,
    emptied,
    other_spellings,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import undeclared_foreign, whole_structures
from ansible_collections.mcpops.platform.plugins.module_utils.kube.schema import UNKNOWN

from .conftest import described

DEPLOYMENT, POLICY = described("apps/v1", "Deployment"), described("networking.k8s.io/v1", "NetworkPolicy")
POD = ("f:spec", "f:template", "f:spec")


def live(pod: dict[str, Any], fields: dict[str, Any], **spec: Any) -> dict[str, Any]:
    entry = {"manager": "argocd", "operation": "Apply", "fieldsV1": fields}
    metadata = {"name": "web", "managedFields": [entry]}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"template": {"spec": pod}, **spec}}


def below(fields: dict[str, Any]) -> dict[str, Any]:
    return {"f:spec": {"f:template": {"f:spec": fields}}}


def test_additions_go_with_the_structure_that_holds_nothing_else() -> None:
    pod = {"securityContext": {"appArmorProfile": {"type": "Unconfined"}, "fsGroup": 1}}
    fields = below({"f:securityContext": {"f:appArmorProfile": {"f:type": {}}}})
    declared = {"spec": {"template": {"spec": {"securityContext": {"fsGroup": 1}}}}}
    existing = live(pod, fields)
    found = undeclared_foreign(existing, declared, {"mcpops"}, DEPLOYMENT)
    whole = (*POD, "f:securityContext", "f:appArmorProfile")
    assert whole_structures(found, existing, declared, DEPLOYMENT) == {whole: "argocd"}
    nothing: dict[str, Any] = {"spec": {"template": {"spec": {}}}}
    assert whole_structures(found, existing, nothing, DEPLOYMENT) == {(*POD, "f:securityContext"): "argocd"}


def test_what_somebody_else_owns_beside_it_stays() -> None:
    pod = {"securityContext": {"appArmorProfile": {"type": "Unconfined"}, "fsGroup": 1}}
    existing = live(pod, below({"f:securityContext": {"f:appArmorProfile": {"f:type": {}}}}))
    expected = {
        "manager": "kube-controller-manager",
        "operation": "Update",
        "fieldsV1": below({"f:securityContext": {"f:fsGroup": {}}}),
    }
    existing["metadata"]["managedFields"].append(expected)
    nothing: dict[str, Any] = {"spec": {"template": {"spec": {}}}}
    found = undeclared_foreign(existing, nothing, {"mcpops"}, DEPLOYMENT)
    assert list(whole_structures(found, existing, nothing, DEPLOYMENT)) == [
        (*POD, "f:securityContext", "f:appArmorProfile")
    ]


def test_what_is_ours_as_well_and_declared_no_more_is_foreign() -> None:
    existing = live({"hostNetwork": True}, below({"f:hostNetwork": {}}))
    ours = {"manager": "mcpops", "operation": "Apply", "fieldsV1": below({"f:hostNetwork": {}})}
    existing["metadata"]["managedFields"].append(ours)
    nothing: dict[str, Any] = {"spec": {"template": {"spec": {}}}}
    assert undeclared_foreign(existing, nothing, {"mcpops"}, DEPLOYMENT) == {(*POD, "f:hostNetwork"): "argocd"}
    declared = {"spec": {"template": {"spec": {"hostNetwork": True}}}}
    assert undeclared_foreign(existing, declared, {"mcpops"}, DEPLOYMENT) == {}


def test_an_older_spelling_says_the_same() -> None:
    pod = {"serviceAccountName": "root", "serviceAccount": "root", "restartPolicy": "Always"}
    existing = live(pod, below({"f:serviceAccountName": {}}))
    nothing: dict[str, Any] = {"spec": {"template": {"spec": {}}}}
    returned = [(*POD, "f:serviceAccountName"), (*POD, "f:restartPolicy")]
    assert other_spellings(existing, nothing, returned, DEPLOYMENT) == [(*POD, "f:serviceAccount")]


def test_defaults_of_another_branch_stand_beside_the_changed_leaf() -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}
    changed = [("f:spec", "f:strategy", "f:type")]
    existing = live({}, {}, strategy=rolling)
    declared: dict[str, Any] = {"spec": {"strategy": {"type": "Recreate"}}}
    assert beside_other_branches(existing, declared, changed, DEPLOYMENT) == changed
    declared["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": 1}
    assert beside_other_branches(existing, declared, changed, DEPLOYMENT) == []


def test_a_mapping_that_went_with_its_last_part() -> None:
    full: dict[str, Any] = {"spec": {"template": {"spec": {"affinity": {"nodeAffinity": {"x": "y"}}}}}}
    declared: dict[str, Any] = {"spec": {"template": {"spec": {"affinity": {}, "securityContext": {}}}}}
    after: dict[str, Any] = {"spec": {"template": {"spec": {}}}}
    assert emptied(declared, full, after, DEPLOYMENT) == [(*POD, "f:affinity")]
    assert emptied(declared, full, declared, DEPLOYMENT) == []


def test_a_mapping_without_a_schema_that_became_null_with_its_last_part() -> None:
    declared = {"spec": {"rooms": {"hall": {}}}}
    full = {"spec": {"rooms": {"hall": {"lamps": [1, 2]}}}}
    null = {"spec": {"rooms": {"hall": None}}}
    assert emptied(declared, full, null, UNKNOWN) == [("f:spec", "f:rooms", "f:hall")]
    # also where it was null already
    assert emptied(declared, null, null, UNKNOWN) == [("f:spec", "f:rooms", "f:hall")]


@pytest.mark.parametrize("value", [{}, [], "", 0, False])
def test_null_is_not_empty_but_for_the_server_to_tell(value: Any) -> None:
    declared = {"apiVersion": "x.test/v1", "kind": "House", "metadata": {"name": "a"}, "spec": {"hall": value}}
    ours = {"manager": "mcpops", "operation": "Apply", "apiVersion": "x.test/v1"}
    ours["fieldsV1"] = {"f:spec": {"f:hall": {}}}  # type: ignore[assignment]
    existing = {**declared, "metadata": {"name": "a", "managedFields": [ours]}}
    assert apply_needed(existing, declared, "mcpops", UNKNOWN) is ApplyNeeded.STANDS
    assert apply_needed({**existing, "spec": {}}, declared, "mcpops", UNKNOWN) is ApplyNeeded.STANDS
    assert apply_needed({**existing, "spec": {"hall": None}}, declared, "mcpops", UNKNOWN) is ApplyNeeded.UNSURE


def test_a_selector_that_is_declared_empty_and_is_not() -> None:
    declared = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "web"},
        "spec": {"podSelector": {}},
    }
    ours = {
        "manager": "mcpops",
        "operation": "Apply",
        "apiVersion": "networking.k8s.io/v1",
        "fieldsV1": {"f:spec": {"f:podSelector": {}}},
    }
    existing = {**declared, "metadata": {"name": "web", "managedFields": [ours]}}
    assert apply_needed(existing, declared, "mcpops", POLICY) is ApplyNeeded.STANDS
    narrowed = {**existing, "spec": {"podSelector": {"matchLabels": {"a": "b"}}}}
    assert apply_needed(narrowed, declared, "mcpops", POLICY) is ApplyNeeded.UNSURE


def test_a_list_that_went_with_its_last_item_and_what_is_in_items() -> None:
    main = {"name": "main", "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}, "ports": [{"containerPort": 53}]}
    full: dict[str, Any] = {"spec": {"template": {"spec": {"containers": [{"name": "side"}, main]}}}}
    bare: dict[str, Any] = {"name": "main", "lifecycle": {}, "ports": [], "env": []}
    declared: dict[str, Any] = {"spec": {"template": {"spec": {"containers": [bare]}}}}
    after: dict[str, Any] = {"spec": {"template": {"spec": {"containers": [{"name": "main"}]}}}}
    place = (*POD, "f:containers", 'k:{"name":"main"}')
    assert emptied(declared, full, after, DEPLOYMENT) == [(*place, "f:lifecycle"), (*place, "f:ports")]
    assert emptied(declared, full, full, DEPLOYMENT) == []
