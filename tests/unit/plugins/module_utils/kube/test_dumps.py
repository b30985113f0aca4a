# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm import cli as helm_failures
from ansible_collections.mcpops.platform.plugins.module_utils.kube.errors import from_response, without_dumps

from .conftest import status_object

CANARY = "canary-7d1"
POD = (
    'core.PodTemplateSpec{ObjectMeta:v1.ObjectMeta{Name:"", CreationTimestamp:time.Date(1, time.January, 1, 0, 0, 0, '
    'time.UTC), DeletionTimestamp:(*v1.Time)(nil), Labels:map[string]string{"a":"b } c", "d":"\\"{"}}, '
    'Spec:core.PodSpec{Volumes:[]core.Volume(nil), Containers:[]core.Container{core.Container{Name:"main", '
    f'Env:[]core.EnvVar{{core.EnvVar{{Name:"PLAIN", Value:"{CANARY}", ValueFrom:(*core.EnvVarSource)(nil)}}}}}}}}}}}}'
)
SELECTOR = 'v1.LabelSelector{MatchLabels:map[string]string{"a":"b"}, MatchExpressions:[]v1.Requirement(nil)}'
IN_JSON = json.dumps({"spec": {"containers": [{"env": [{"name": "PLAIN", "value": CANARY}]}]}})

MESSAGES = {
    "a pod": (
        f'Job.batch "x" is invalid: spec.template: Invalid value: {POD}: field is immutable',
        'Job.batch "x" is invalid: spec.template: field is immutable',
    ),
    "in JSON": (
        f'Job.batch "x" is invalid: spec.template: Invalid value: {IN_JSON}: field is immutable',
        'Job.batch "x" is invalid: spec.template: field is immutable',
    ),
    "two": (
        f"[spec.selector: Invalid value: {SELECTOR}: field is immutable, spec.template: Invalid value: {POD}: no]",
        "[spec.selector: field is immutable, spec.template: no]",
    ),
    "a pointer": (f"spec.template: Invalid value: &{POD}: bad", "spec.template: bad"),
    "a list": (f"spec.rules: Invalid value: []core.Rule{{{POD}}}: bad", "spec.rules: bad"),
    "a map": (f'spec.m: Invalid value: map[string]interface {{}}{{"a":{POD}}}: bad', "spec.m: bad"),
    "cut off": (f"spec.template: Invalid value: {POD[:-40]}", "spec.template"),
    "a difference": (
        "spec: Forbidden: pod updates may not change fields other than `spec.activeDeadlineSeconds`\n"
        f'  core.PodSpec{{\n- \tEnv: {{{{Name: "A", Value: "{CANARY}"}}}},\n  }}\n',
        "spec: Forbidden: pod updates may not change fields other than `spec.activeDeadlineSeconds`",
    ),
}
HARMLESS = [
    'spec.clusterIPs[0]: Invalid value: []string{"10.0.0.1"}: may not change once set',
    'spec.x: Invalid value: ["a", "b"]: must be one',
    'violates PodSecurity: seccompProfile (container "x" must set securityContext={}) or {"x"}',
    'pods "web" not found',
    "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
]


@pytest.mark.parametrize(("message", "shown"), MESSAGES.values(), ids=MESSAGES)
def test_the_field_and_the_sentence_stay(message: str, shown: str) -> None:
    assert without_dumps(message) == shown


@pytest.mark.parametrize("message", HARMLESS)
def test_what_is_no_object_stays(message: str) -> None:
    assert without_dumps(message) == message


@pytest.mark.parametrize("message", [text for text, _shown in MESSAGES.values()], ids=MESSAGES)
def test_a_refusal_holds_no_object_in_its_message_nor_in_its_details(message: str) -> None:
    causes = [{"field": "spec.template", "reason": "FieldValueInvalid", "message": message}]
    body = json.dumps(status_object(422, "Invalid", message, causes)).encode()
    assert CANARY not in json.dumps(from_response("apply x", 422, body, "a test").to_result())


@pytest.mark.parametrize("message", [text for text, _shown in MESSAGES.values()], ids=MESSAGES)
def test_helm_repeats_none_either(message: str) -> None:
    stderr = f'Error: UPGRADE FAILED: cannot patch "x" with kind Job: {message}'
    assert CANARY not in json.dumps(helm_failures.helm_failure("upgrade x", stderr, 1).to_result())
