# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.explained import explained
from ansible_collections.mcpops.platform.plugins.module_utils.kube.failures import from_response
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change

from .conftest import status_object

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


def told(failure: ServiceError, paths: Sequence[str] = (), foreign: Sequence[tuple[str, str]] = ()) -> str:
    changes = [Change(path, 1, 2) for path in paths]
    return explained(failure, lambda: changes, lambda: foreign).message()


def test_the_fields_of_a_stateful_set_that_would_change_are_named() -> None:
    paths = ["metadata.labels.a", "spec.podManagementPolicy", "spec.replicas", "spec.template.spec.x"]
    paths += ["spec.volumeClaimTemplates[data].spec.resources.requests.storage"]
    message = told(refused(STATEFUL_SET, "spec"), paths)
    assert message.startswith(
        "apply X a: spec.podManagementPolicy, spec.volumeClaimTemplates[data].spec.resources.requests.storage would "
        'change: X "a" is invalid: spec: Forbidden: updates to statefulset spec'
    )
    assert "spec.replicas would" not in message


def test_the_fields_of_a_pod_that_would_change_are_named() -> None:
    message = told(refused(POD, "spec"), ["spec.tolerations", "spec.containers[web].image", "spec.hostNetwork"])
    assert message.startswith("apply X a: spec.hostNetwork would change: ")


def test_many_fields_are_counted() -> None:
    message = told(refused(STATEFUL_SET, "spec"), [f"spec.a{number}" for number in range(8)])
    assert "spec.a4 and 3 more would change" in message


def test_who_put_the_other_port_there_is_named() -> None:
    duplicate = refused('Duplicate value: "web"', "spec.ports[1].name", "FieldValueDuplicate")
    message = told(duplicate, foreign=[("spec.ports[81,TCP].name", "kubectl-edit"), ("spec.selector.a", "somebody")])
    assert "spec.ports of the live object also has items of kubectl-edit" in message
    assert "set exclusive: true" in message
    assert "somebody" not in message


def test_a_duplicate_of_ones_own_has_advice() -> None:
    message = told(refused("Duplicate value: 80", "spec.ports[1]", "FieldValueDuplicate"))
    assert "occurs twice in this list" in message


def test_other_refusals_stay_as_they_are() -> None:
    failure = refused("Invalid value: 1: field is immutable", "spec.selector")

    def never() -> Any:
        raise AssertionError("nothing is to be compared")

    assert explained(failure, never, never) is failure
    odd = ServiceError("apply", "no", status=422, body="text")
    assert explained(odd, never, never) is odd
