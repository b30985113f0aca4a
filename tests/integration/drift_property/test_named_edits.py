# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits that were once missed, each by a manager that looks like an operator: shown with its name, and undone."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
from support.drift_rounds import differing, readable_diff
from support.foreign_edits import creatable
from support.kube_http import Api
from support.mutations import shown_places
from support.random_custom_resources import GROUP
from support.random_objects import NOWHERE, Object

MANAGER = "manager"


def _object(api_version: str, kind: str, **body: Any) -> Object:
    metadata = {"name": "edited", "labels": {"team": "payments"}, "annotations": {"example.com/a": "b"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


MAIN = {"name": "main", "image": "registry.invalid/none:1"}
UDP = {"containerPort": 53, "protocol": "UDP"}


def deployment(**pod: Any) -> Object:
    ports = [{"containerPort": 53}]
    containers = [{**MAIN, "ports": ports, "env": None}]
    body = {"containers": containers, "nodeSelector": NOWHERE, **pod}
    template = {"metadata": {"labels": {"app": "edited"}}, "spec": body}
    selector = {"matchLabels": {"app": "edited"}}
    return _object("apps/v1", "Deployment", spec={"selector": selector, "template": template})


RECREATED = deployment()
RECREATED["spec"]["strategy"] = {"type": "Recreate"}
SERVICE = _object("v1", "Service", spec={"selector": {"a": "b"}, "ports": [{"name": "dns", "port": 53}]})
POLICY = _object(
    "networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
)
BUDGET = _object("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": 1, "selector": {}})
RULES = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
ROLE = _object("rbac.authorization.k8s.io/v1", "Role", rules=RULES)
GADGET = _object(f"{GROUP}/v1", "Gadget", spec={"ports": [{"port": 53}], "selector": {}, "settings": {}})
POD = "/spec/template/spec"

# the object, where the edit is and what it is, the place that shows
EDITS: dict[str, tuple[Object, str, Any, Sequence[str]]] = {
    "twin port of a Service": (
        SERVICE,
        "/spec/ports/-",
        {"name": "udp", "port": 53, "protocol": "UDP"},
        ("spec", "ports"),
    ),
    "what an update without it leaves as it is": (
        SERVICE,
        "/spec/ipFamilyPolicy",
        "PreferDualStack",
        ("spec", "ipFamilyPolicy"),
    ),
    "twin port of a container": (
        deployment(),
        f"{POD}/containers/0/ports/-",
        {"containerPort": 53, "protocol": "UDP"},
        ("spec", "template", "spec", "containers", "ports"),
    ),
    "the same port of a container once more": (
        deployment(containers=[{**MAIN, "ports": [UDP]}]),
        f"{POD}/containers/0/ports/-",
        UDP,
        ("spec", "template", "spec", "containers", "ports"),
    ),
    "twin port of a custom resource": (
        GADGET,
        "/spec/ports/-",
        {"port": 53, "protocol": "UDP"},
        ("spec", "ports"),
    ),
    "volume where none is declared": (
        deployment(volumes=None),
        f"{POD}/volumes",
        [{"name": "root", "hostPath": {"path": "/"}}],
        ("spec", "template", "spec", "volumes"),
    ),
    "variable where none is declared": (
        deployment(),
        f"{POD}/containers/0/env",
        [{"name": "LD_PRELOAD", "value": "/x.so"}],
        ("spec", "template", "spec", "containers", "env"),
    ),
    "key of a node selector": (
        deployment(),
        f"{POD}/nodeSelector/zone",
        "a",
        ("spec", "template", "spec", "nodeSelector"),
    ),
    "key of a Service's selector": (SERVICE, "/spec/selector/tier", "web", ("spec", "selector")),
    "pods of a policy": (POLICY, "/spec/podSelector/matchLabels", {"a": "b"}, ("spec", "podSelector")),
    "peers of a policy": (
        POLICY,
        "/spec/ingress/0/from",
        [{"podSelector": {"matchLabels": {"a": "b"}}}],
        ("spec", "ingress"),
    ),
    "selector of a budget": (BUDGET, "/spec/selector/matchLabels", {"a": "b"}, ("spec", "selector")),
    "names in a rule": (ROLE, "/rules/0/resourceNames", ["one"], ("rules",)),
    "selector that is declared empty": (GADGET, "/spec/selector/match", {"a": "b"}, ("spec", "selector")),
    "settings that are declared empty": (GADGET, "/spec/settings/x", "y", ("spec", "settings")),
    "another branch, with what belongs to it": (
        RECREATED,
        "/spec/strategy",
        {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}},
        ("spec", "strategy"),
    ),
    "label": (ROLE, "/metadata/labels/team", "ops", ("metadata", "labels", "team")),
    "annotation": (SERVICE, "/metadata/annotations/example.com~1a", "c", ("metadata", "annotations", "example.com/a")),
}
KEEPERS = pytest.mark.parametrize("keeper", ["as_objects", pytest.param("as_release", marks=pytest.mark.slow)])


@KEEPERS
def test_several_at_once(
    keeper: str, custom_kinds: None, api: Api, namespace: str, request: pytest.FixtureRequest
) -> None:
    declared = []
    for number, (item, *_edit) in enumerate(EDITS.values()):
        named = copy.deepcopy(item)
        named["metadata"]["name"] = f"edited-{number}"
        declared.append(("", named))
    converge = request.getfixturevalue(keeper)(declared)
    assert not converge().get("failed")
    states = []
    for (_label, item), (_item, pointer, value, _place) in zip(declared, EDITS.values()):
        path, _ = api.path_of(item, namespace)
        before = api.read(path)
        status, answer = api.patch(path, [{"op": "add", "path": pointer, "value": value}], MANAGER)
        assert status == 200, answer
        states.append((path, before))
    shown = converge(check=True)
    assert not shown.get("failed"), shown["msg"]
    parts = {part["before_header"].rpartition("-")[2]: part for part in shown["diff"]}
    faults = []
    for number, (what, (_item, _pointer, _value, place)) in enumerate(EDITS.items()):
        part = parts.get(str(number), {"before": "", "after": ""})
        places = shown_places(part["before"]) | shown_places(part["after"])
        if not places or any(one[: len(place)] != tuple(place) for one in places):
            faults.append(f"{what}: shown at {places}")
        if f"set by {MANAGER}" not in part["before"] + part["after"]:
            faults.append(f"{what}: nobody is named in {part['before']}{part['after']}")
    assert len(parts) == len(EDITS)
    assert converge()["changed"]
    for path, before in states:
        left = differing(before, api.read(path))
        faults += [f"{path} is not repaired at {left}"] if left else []
    again = converge()
    assert not again["changed"], readable_diff(again)
    assert faults == [], "\n".join(faults)


@KEEPERS
def test_a_service_that_was_made_again_without_an_address(
    keeper: str, api: Api, namespace: str, request: pytest.FixtureRequest
) -> None:
    options = {"recreate": "on_immutable"} if keeper == "as_objects" else {}
    made = request.getfixturevalue(keeper)
    converge = made([("", SERVICE)])
    converge()
    path, _ = api.path_of(SERVICE, namespace)
    body = creatable(api.read(path))
    body["spec"]["clusterIP"] = "None"
    api.delete([path])
    status, answer = api.request("POST", path.rpartition("/")[0], body, fieldManager=MANAGER)
    assert status == 201, answer
    for check in (True, False):
        reported = converge(check=check)
        assert reported.get("failed") and "spec.clusterIP" in reported["msg"], reported
    if options:
        assert made([("", SERVICE)], **options)()["changed"]
    else:
        # what the failure advises
        api.delete([path])
        assert converge()["changed"]
    assert api.read(path)["spec"]["clusterIP"] != "None"
    assert not converge()["changed"]


METRICS = [
    {"type": "Resource", "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": 50}}}
    for name in ("cpu", "memory")
]
SCALED: Object = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "edited"}, "maxReplicas": 3}
OLDER = _object("autoscaling/v1", "HorizontalPodAutoscaler", spec={**SCALED, "targetCPUUtilizationPercentage": 50})
MORE: Object = {"metrics": METRICS, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 3}}}
HIDDEN = [f'metadata.annotations."autoscaling.alpha.kubernetes.io/{name}"' for name in ("behavior", "metrics")]


@KEEPERS
def test_fields_that_only_a_newer_version_of_the_kind_has(
    keeper: str, api: Api, namespace: str, request: pytest.FixtureRequest
) -> None:
    converge = request.getfixturevalue(keeper)([("", OLDER)])
    assert converge()["changed"]
    path = api.path_of(OLDER, namespace)[0].replace("/v1/", "/v2/")
    status, answer = api.request(
        "PATCH", path, {"spec": MORE}, content_type="application/merge-patch+json", fieldManager=MANAGER
    )
    assert status == 200, answer
    for check in (True, False):
        reported = converge(check=check)
        changes = [change for one in reported["diff"] for change in one["changes"]]
        assert sorted(change["path"] for change in changes) == HIDDEN, readable_diff(reported)
        assert {change["changed_by"] for change in changes} == {MANAGER}
    spec = api.read(path)["spec"]
    assert spec["metrics"] == METRICS[:1] and "behavior" not in spec
    assert not converge()["changed"]


def test_what_was_declared_in_a_newer_version_goes_with_it(as_objects: Any, api: Api, namespace: str) -> None:
    newer = _object("autoscaling/v2", "HorizontalPodAutoscaler", spec={**SCALED, **MORE})
    assert as_objects([("", newer)])()["changed"]
    converge = as_objects([("", OLDER)])
    reported = converge()
    assert sorted(change["path"] for one in reported["diff"] for change in one["changes"]) == HIDDEN
    spec = api.read(api.path_of(newer, namespace)[0])["spec"]
    assert spec["metrics"] == METRICS[:1] and "behavior" not in spec
    assert not converge()["changed"]
