# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether values stand, without asking the server and whoever owns them (as a Helm release is compared)."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.comparison import (
    ApplyNeeded,
    apply_needed,
    confirmation_digest,
)

from .conftest import described

STANDS, UNSURE, DIFFERS = ApplyNeeded.STANDS, ApplyNeeded.UNSURE, ApplyNeeded.DIFFERS
RESOURCES = {"requests": {"memory": "1Gi"}}


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def container(**fields: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "main", **fields}])


PORT = {"containerPort": 80}
WHOLE = {"containerPort": 80, "protocol": "TCP"}
NOT_AS_ROOT = {"runAsNonRoot": True}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], ApplyNeeded]] = {
    "more is the business of who owns it": (pod(hostNetwork=True), pod(hostNetwork=True, dnsPolicy="x"), STANDS),
    "changed": (pod(priority=1), pod(priority=2), DIFFERS),
    "removed": (pod(priority=1), pod(), DIFFERS),
    "false is not absent": (container(securityContext={"privileged": False}), container(securityContext={}), UNSURE),
    "one is not true": (pod(priority=1), pod(priority=True), UNSURE),
    "an empty mapping that is not stored": (pod(securityContext={}), pod(), UNSURE),
    "amounts": (container(resources=RESOURCES), container(resources={"requests": {"memory": "1024Mi"}}), STANDS),
    "another amount": (container(resources=RESOURCES), container(resources={"requests": {"memory": "1G"}}), DIFFERS),
    "an item with a default in its key": (container(ports=[PORT]), container(ports=[WHOLE]), STANDS),
    "only its twin": (container(ports=[PORT]), container(ports=[{**WHOLE, "protocol": "UDP"}]), DIFFERS),
    "the same item once more": (container(ports=[WHOLE]), container(ports=[WHOLE, WHOLE]), UNSURE),
    "another order of items": (
        pod(containers=[{"name": "a"}, {"name": "b"}]),
        pod(containers=[{"name": "b"}, {"name": "a"}]),
        UNSURE,
    ),
    "a mapping in one piece, completed or extended": (
        {"spec": {"selector": {"matchLabels": {"a": "b"}}}},
        {"spec": {"selector": {"matchLabels": {"a": "b", "c": "d"}}}},
        UNSURE,
    ),
    "a mapping in one piece that is as declared": (
        {"spec": {"selector": {"matchLabels": {"a": "b"}}}},
        {"spec": {"selector": {"matchLabels": {"a": "b"}}}},
        STANDS,
    ),
    "a list in one piece, completed or extended": (
        pod(tolerations=[{"key": "a"}]),
        pod(tolerations=[{"key": "a", "operator": "Equal"}]),
        UNSURE,
    ),
    "text that looks like an amount": (pod(nodeName="1024Mi"), pod(nodeName="1Gi"), DIFFERS),
}


@pytest.mark.parametrize("case", CASES)
def test_values(case: str) -> None:
    declared, live, expected = CASES[case]
    named = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    structure = described("apps/v1", "Deployment")
    assert apply_needed({**named, **live}, {**named, **declared}, structure=structure, adopt=False) is expected


def test_a_digest_tells_states_apart_and_not_moments() -> None:
    entry = {"manager": "helm", "operation": "Update", "time": "t1", "fieldsV1": {"f:spec": {}}}
    metadata = {"name": "a", "uid": "u", "resourceVersion": "1", "managedFields": [entry]}
    live = {"kind": "Service", "metadata": metadata, "spec": {"a": 1}, "status": {"x": 1}}
    declared = {"kind": "Service", "spec": {"a": 1}}
    one = confirmation_digest(live, declared, "helm")
    later = {**metadata, "resourceVersion": "2", "managedFields": [{**entry, "time": "t2"}]}
    assert confirmation_digest({**live, "metadata": later, "status": {"x": 2}}, declared, "helm") == one
    taken = {**metadata, "managedFields": [{**entry, "manager": "kubectl-edit"}]}
    for other in (
        confirmation_digest({**live, "spec": {"a": 2}}, declared, "helm"),
        confirmation_digest({**live, "metadata": taken}, declared, "helm"),
        confirmation_digest({**live, "metadata": {**metadata, "uid": "v"}}, declared, "helm"),
        confirmation_digest(live, {**declared, "spec": {}}, "helm"),
        confirmation_digest(live, declared, "mcpops"),
    ):
        assert other != one
