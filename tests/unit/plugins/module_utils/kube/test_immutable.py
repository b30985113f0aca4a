# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.immutable import (
    holds_others,
    is_immutable,
    with_remedy,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity

# as the API server says it
IMMUTABLE = {
    "selector": 'Deployment.apps "web" is invalid: spec.selector: Invalid value: {}: field is immutable',
    "job": 'Job.batch "j" is invalid: spec.template: Invalid value: {}: field is immutable',
    "cluster ip": 'spec.clusterIPs[0]: Invalid value: ["10.0.0.9"]: may not change once set',
    "stateful set": "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
    "pod": "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`",
    "role": "roleRef: Invalid value: {}: cannot change roleRef",
    "claim": "spec: Forbidden: spec is immutable after creation except resources.requests",
    "storage class": "provisioner: Forbidden: updates to provisioner are forbidden.",
    "by rule": 'spec.size: Invalid value: "string": Value is immutable',
}


@pytest.mark.parametrize("case", IMMUTABLE)
def test_recognised(case: str) -> None:
    assert is_immutable(ServiceError("apply x", IMMUTABLE[case], status=422))


@pytest.mark.parametrize(
    ("reason", "status"),
    [("spec.replicas: Invalid value: -1", 422), ("spec.selector: field is immutable", 409)],
    ids=["another refusal", "another status"],
)
def test_not_recognised(reason: str, status: int) -> None:
    assert not is_immutable(ServiceError("apply x", reason, status=status))


def test_the_remedy_depends_on_what_was_asked() -> None:
    refused = ServiceError("apply Job work", "spec.template: field is immutable", code="Invalid", status=422)
    job, claim = Identity("batch/v1", "Job", "work", "a"), Identity("v1", "PersistentVolumeClaim", "disk", "a")
    assert "recreate: on_immutable" in with_remedy(job, refused, asked=False).message()
    told = with_remedy(claim, refused, asked=True).message()
    assert "A PersistentVolumeClaim is not recreated" in told
    assert "recreate: on_immutable" not in told
    assert (holds_others(claim), holds_others(job)) == (True, False)
