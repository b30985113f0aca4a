# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import converge
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.bundle_options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.immutable import (
    holds_others,
    is_immutable,
    with_remedy,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity

from .conftest import Answer, FakeTask, Server, status_object

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


CAUSES = {
    "one": (["field is immutable"], True),
    "all": (["field is immutable", "may not change once set"], True),
    "another as well": (["field is immutable", "`selector` does not match template `labels`"], False),
}


@pytest.mark.parametrize("case", CAUSES)
def test_every_cause_counts(case: str) -> None:
    causes, recognised = CAUSES[case]
    body = status_object(422, "Invalid", "", [{"field": "spec", "message": message} for message in causes])
    assert is_immutable(ServiceError("apply x", "; ".join(causes), status=422, body=body)) is recognised


DECLARED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": {"a": "1"}}
TARGET = target_of(ResourceType("v1", "ConfigMap", "configmaps", True), DECLARED)
WEBHOOK = 'admission webhook "w.example.com" does not support dry run'

# what a dry run under another name answers, and what keeps the object from being deleted
TRIALS: dict[str, tuple[Answer, str | None]] = {
    "created": (Answer(body=DECLARED), None),
    "a webhook without dry runs": (Answer(400, status_object(400, "BadRequest", WEBHOOK)), None),
    "a port that the object itself holds": (
        Answer(
            422,
            status_object(
                422,
                "Invalid",
                "no",
                [{"field": "spec.ports[0].nodePort", "message": "provided port is already allocated"}],
            ),
        ),
        None,
    ),
    "refused": (
        Answer(422, status_object(422, "Invalid", "TRIAL: bad label", [{"field": "spec", "message": "bad label"}])),
        "it was not deleted, because it could not be recreated: a: bad label",
    ),
    "forbidden": (Answer(403, status_object(403, "Forbidden", "no")), "it was not deleted"),
}


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("case", TRIALS)
def test_creation_is_tried_before_the_deletion(
    case: str,
    check_mode: bool,
    server: Server,
    connect: Callable[..., Kube],
    task: FakeTask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer, told = TRIALS[case]
    monkeypatch.setattr(converge.uuid, "uuid4", lambda: uuid.UUID(int=0))
    name = "mcpops-trial-00000000"
    if answer.status == 422:
        answer = Answer(422, json.loads(json.dumps(answer.body).replace("TRIAL", name)))
    place, query = "/api/v1/namespaces/n/configmaps", "?fieldManager=mcpops&fieldValidation=Strict"
    server.on(f"{place}/{name}{query}&dryRun=All", answer)
    refused = Answer(422, status_object(422, "Invalid", "no", [{"field": "data", "message": "field is immutable"}]))
    server.on(f"{place}/a{query}&dryRun=All", refused)
    server.on(f"{place}/a{query}", Answer(body=DECLARED))
    # the deletion, and then it is gone
    server.on(f"{place}/a", Answer(body={}), Answer(404, status_object(404, "NotFound", "gone")))
    options = BundleOptions(recreate="on_immutable")
    task.check_mode = check_mode
    converger = converge.Converger(connect(task), task, options, converge.Company(), check_mode)
    live = {**DECLARED, "metadata": {**DECLARED["metadata"], "uid": "1"}, "data": {"a": "0"}}  # type: ignore[dict-item]
    outcome = converger.converge(TARGET, live)
    assert (outcome.failure is None) is (told is None), outcome.failure
    assert (told or "") in str(outcome.failure or "")
    deleted = any(request.method == "DELETE" for request in server.requests)
    assert deleted is (told is None and not check_mode)


def test_the_remedy_depends_on_what_was_asked() -> None:
    refused = ServiceError("apply Job work", "spec.template: field is immutable", code="Invalid", status=422)
    job, claim = Identity("batch/v1", "Job", "work", "a"), Identity("v1", "PersistentVolumeClaim", "disk", "a")
    assert "recreate: on_immutable" in with_remedy(job, refused, asked=False).message()
    told = with_remedy(claim, refused, asked=True).message()
    assert "A PersistentVolumeClaim is not recreated" in told
    assert "recreate: on_immutable" not in told
    assert (holds_others(claim), holds_others(job)) == (True, False)
