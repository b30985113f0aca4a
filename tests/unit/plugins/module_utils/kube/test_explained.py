# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import object as converge
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import requests
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diff import (
    explain_refusal,
    is_immutable,
    is_protected_kind,
    refusing_webhook,
    with_remedy,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.errors import from_response
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import ObjectRef
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change

from .conftest import Answer, FakeTask, Server, status_object

STATEFUL_SET = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
    "'minReadySeconds' are forbidden"
)
POD = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions)"
)


def refused(message: str, field: str, reason: str = "FieldValueForbidden") -> ServiceError:
    causes: Sequence[Mapping[str, str]] = [{"field": field, "message": message, "reason": reason}]
    body = json.dumps(status_object(422, "Invalid", f'X "a" is invalid: {field}: {message}', causes)).encode()
    return from_response("apply X a", 422, body, "a test")


def reported(failure: ServiceError, paths: Sequence[str] = (), foreign: Sequence[tuple[str, str]] = ()) -> str:
    changes = [Change(path, 1, 2) for path in paths]
    return explain_refusal(failure, lambda: changes, lambda: foreign).message()


def test_the_fields_of_a_stateful_set_that_would_change_are_named() -> None:
    paths = ["metadata.labels.a", "spec.podManagementPolicy", "spec.replicas", "spec.template.spec.x"]
    paths += ["spec.volumeClaimTemplates[data].spec.resources.requests.storage"]
    message = reported(refused(STATEFUL_SET, "spec"), paths)
    assert message.startswith(
        "apply X a: spec.podManagementPolicy, spec.volumeClaimTemplates[data].spec.resources.requests.storage would "
        'change: X "a" is invalid: spec: Forbidden: updates to statefulset spec'
    )
    assert "spec.replicas would" not in message


def test_the_fields_of_a_pod_that_would_change_are_named() -> None:
    message = reported(refused(POD, "spec"), ["spec.tolerations", "spec.containers[web].image", "spec.hostNetwork"])
    assert message.startswith("apply X a: spec.hostNetwork would change: ")


def test_many_fields_are_counted() -> None:
    message = reported(refused(STATEFUL_SET, "spec"), [f"spec.a{number}" for number in range(8)])
    assert "spec.a4 and 3 more would change" in message


def test_who_put_the_other_port_there_is_named() -> None:
    duplicate = refused('Duplicate value: "web"', "spec.ports[1].name", "FieldValueDuplicate")
    message = reported(
        duplicate, foreign=[("spec.ports[81,TCP].name", "kubectl-edit"), ("spec.selector.a", "somebody")]
    )
    assert "spec.ports of the live object also has items of kubectl-edit" in message
    assert "set exclusive: true" in message
    assert "somebody" not in message


def test_a_duplicate_of_ones_own_has_advice() -> None:
    message = reported(refused("Duplicate value: 80", "spec.ports[1]", "FieldValueDuplicate"))
    assert "occurs twice in this list" in message


def test_other_refusals_stay_as_they_are() -> None:
    failure = refused("Invalid value: 1: field is immutable", "spec.selector")

    def never() -> Any:
        raise AssertionError("nothing is to be compared")

    assert explain_refusal(failure, never, never) is failure
    odd = ServiceError("apply", "no", status=422, body="text")
    assert explain_refusal(odd, never, never) is odd


SAID = {
    "the API server": ('admission webhook "w.example.com" does not support dry run', "w.example.com"),
    "the webhook itself": (
        'admission webhook "w.example.com" denied the request: dry-run requests are not supported',
        "w.example.com",
    ),
    "another refusal": ('admission webhook "w.example.com" denied the request: no owner label', None),
    "something else": ("namespaces not found", None),
}


@pytest.mark.parametrize("case", SAID)
def test_who_refuses_dry_runs(case: str) -> None:
    reason, expected = SAID[case]
    assert refusing_webhook(ServiceError("apply x", reason, status=400)) == expected


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
    answer, reported = TRIALS[case]
    monkeypatch.setattr(requests.uuid, "uuid4", lambda: uuid.UUID(int=0))
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
    converger = converge.Converger(connect(task), task, options, converge.BundleState(), check_mode)
    live = {**DECLARED, "metadata": {**DECLARED["metadata"], "uid": "1"}, "data": {"a": "0"}}  # type: ignore[dict-item]
    outcome = converger.converge(TARGET, live)
    assert (outcome.failure is None) is (reported is None), outcome.failure
    assert (reported or "") in str(outcome.failure or "")
    deleted = any(request.method == "DELETE" for request in server.requests)
    assert deleted is (reported is None and not check_mode)


def test_the_remedy_depends_on_what_was_asked() -> None:
    refused = ServiceError("apply Job work", "spec.template: field is immutable", code="Invalid", status=422)
    job, claim = ObjectRef("batch/v1", "Job", "work", "a"), ObjectRef("v1", "PersistentVolumeClaim", "disk", "a")
    assert "recreate: on_immutable" in with_remedy(job, refused, asked=False).message()
    reported = with_remedy(claim, refused, asked=True).message()
    assert "A PersistentVolumeClaim is not recreated" in reported
    assert "recreate: on_immutable" not in reported
    assert (is_protected_kind(claim), is_protected_kind(job)) == (True, False)
