# SPDX-License-Identifier: GPL-3.0-or-later
"""What controllers, injectors and operators do by design is left alone, and outlives later writes of ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from support.drift_rounds import readable_diff
from support.kube_http import Api
from support.random_objects import NOWHERE, Object

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
RBAC = "rbac.authorization.k8s.io/v1"

pytestmark = pytest.mark.parametrize("keeper", ["as_objects", pytest.param("as_release", marks=pytest.mark.slow)])


@pytest.fixture
def keep(keeper: str, request: pytest.FixtureRequest) -> Callable[[Object], Any]:
    """`keep(item)` -> what keeps this one object, by either module."""
    made = request.getfixturevalue(keeper)
    return lambda item: made([("", item)])


def deployment(**spec: Any) -> Object:
    pod = {"containers": [{"name": "main", "image": "registry.invalid/none:1"}], "nodeSelector": NOWHERE}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    body = {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": body}


def webhooks(name: str, kind: str = "ValidatingWebhookConfiguration", **more: Any) -> Object:
    hook = {
        "name": "w.example.com",
        "clientConfig": {"url": "https://none.invalid/"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "webhooks": [hook],
    }


def _stands(converge: Any) -> None:
    for check in (True, False):
        stated = converge(check=check)
        assert not stated.get("failed") and not stated["changed"], (stated.get("msg"), readable_diff(stated))


def test_kubectl_rollout_restart(keep: Any, api: Api, cluster: Any, namespace: str) -> None:
    assert keep(deployment())()["changed"]
    cluster.kubectl("rollout", "restart", "deployment/web", "-n", namespace)
    _stands(keep(deployment()))
    path, _ = api.path_of(deployment(), namespace)
    restarted = api.read(path)["spec"]["template"]["metadata"]["annotations"]
    assert restarted
    keep(deployment())()
    assert api.read(path)["spec"]["template"]["metadata"]["annotations"] == restarted
    converge = keep(deployment(revisionHistoryLimit=3))
    assert converge()["changed"]
    assert api.read(path)["spec"]["template"]["metadata"]["annotations"] == restarted
    _stands(converge)


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [{}, {"replicas": 2}], ids=["undeclared", "declared"])
def test_an_autoscaler(keep: Any, api: Api, namespace: str, replicas: Object) -> None:
    converge = keep(deployment(**replicas))
    converge()
    path, _ = api.path_of(deployment(), namespace)
    scale = {"spec": {"replicas": 7}}
    status, _ = api.request("PATCH", f"{path}/scale", scale, MERGE, fieldManager="kube-controller-manager")
    assert status == 200
    _stands(converge)
    assert api.read(path)["spec"]["replicas"] == 7
    # somebody else takes a part away: the repair does not scale
    api.request("PATCH", path, {"spec": {"paused": True}}, MERGE, fieldManager="kubectl-edit")
    assert converge()["changed"]
    assert api.read(path)["spec"]["replicas"] == 7
    _stands(converge)


@pytest.mark.parametrize("rules", [{}, {"rules": []}], ids=["without-rules", "with-empty-rules"])
def test_an_aggregated_role(keep: Any, api: Api, namespace: str, rules: Object) -> None:
    label = f"{namespace}.example.com/part"
    selectors = [{"matchLabels": {label: "yes"}}]
    whole = {
        "apiVersion": RBAC,
        "kind": "ClusterRole",
        "metadata": {"name": f"{namespace}-whole"},
        "aggregationRule": {"clusterRoleSelectors": selectors},
        **rules,
    }
    part = {
        "apiVersion": RBAC,
        "kind": "ClusterRole",
        "metadata": {"name": f"{namespace}-part", "labels": {label: "yes"}},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    paths = [api.path_of(item, "")[0] for item in (whole, part)]
    try:
        assert api.request("POST", paths[1].rpartition("/")[0], part)[0] == 201
        converge = keep(whole)
        converge()
        deadline = time.monotonic() + 60
        while not api.read(paths[0])["rules"] and time.monotonic() < deadline:
            time.sleep(0.2)
        collected = api.read(paths[0])
        assert collected["rules"] == part["rules"]
        _stands(converge)
        later = {**whole, "metadata": {**whole["metadata"], "annotations": {"a": "b"}}}
        assert keep(later)()["changed"]
        assert api.read(paths[0])["rules"] == part["rules"]
        _stands(keep(later))
        # added by hand, it is of no use: the controller takes it away itself
        edited = {"aggregationRule": {"clusterRoleSelectors": [*selectors, {"matchLabels": {"x": "y"}}]}}
        api.request("PATCH", paths[0], edited, MERGE, fieldManager="kubectl-edit")
        assert keep(later)()["changed"]
        assert api.read(paths[0])["aggregationRule"] == whole["aggregationRule"]
    finally:
        api.delete(paths)


DECLARED = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["web"]}]}
CONTROL_PLANE = {"key": "control-plane", "operator": "NotIn", "values": ["true"]}
MANAGED = {"key": "kubernetes.azure.com/managedby", "operator": "NotIn", "values": ["aks"]}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"])
@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"namespaceSelector": {}},
        {"namespaceSelector": DECLARED},
        {"namespaceSelector": {"matchLabels": {"a": "b"}}},
    ],
    ids=["no-selector", "empty-selector", "expressions", "labels"],
)
def test_the_admissions_enforcer_of_aks(
    keep: Any, keeper: str, api: Api, namespace: str, kind: str, declared: Object
) -> None:
    item = webhooks(namespace, kind, **declared)
    path, _ = api.path_of(item, "")
    try:
        converge = keep(item)
        converge()
        expressions = [
            *(declared.get("namespaceSelector") or {}).get("matchExpressions", []),
            CONTROL_PLANE,
            MANAGED,
        ]
        enforced = {"name": "w.example.com", "namespaceSelector": {"matchExpressions": expressions}}
        status, _ = api.request("PATCH", path, {"webhooks": [enforced]}, STRATEGIC, fieldManager="admissionsenforcer")
        assert status == 200
        _stands(converge)
        # a repair keeps it
        api.request("PATCH", path, {"webhooks": [{"name": "w.example.com", "timeoutSeconds": 3}]}, STRATEGIC)
        assert converge()["changed"]
        stands = api.read(path)["webhooks"][0]
        assert (stands["timeoutSeconds"], stands["namespaceSelector"]["matchExpressions"]) == (10, expressions)
        _stands(converge)
        later = webhooks(namespace, kind, timeoutSeconds=7, **declared)
        assert keep(later)()["changed"]
        if keeper == "as_objects":
            # another declaration keeps it, too; helm writes its own way, and the enforcer comes again
            stands = api.read(path)["webhooks"][0]
            assert (stands["timeoutSeconds"], stands["namespaceSelector"]["matchExpressions"]) == (7, expressions)
        _stands(keep(later))
        # what anybody else does to the selector is undone, and the enforcer's part stays
        other = {"namespaceSelector": {"matchLabels": {"mcpops.test/only": "me"}}}
        api.request(
            "PATCH", path, {"webhooks": [{"name": "w.example.com", **other}]}, STRATEGIC, fieldManager="manager"
        )
        assert keep(later)()["changed"]
        selector = api.read(path)["webhooks"][0]["namespaceSelector"]
        assert "mcpops.test/only" not in selector.get("matchLabels", {})
        _stands(keep(later))
    finally:
        api.delete([path])


def test_an_injector_of_authorities(keep: Any, api: Api, namespace: str) -> None:
    item = webhooks(namespace)
    path, _ = api.path_of(item, "")
    try:
        converge = keep(item)
        converge()
        bundle = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCi0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"
        live = api.read(path)
        live["webhooks"][0]["clientConfig"]["caBundle"] = bundle
        status, answer = api.request("PUT", path, live, fieldManager="cainjector")
        if status != 200:
            patch = {"webhooks": [{"name": "w.example.com", "clientConfig": {"caBundle": bundle}}]}
            status, answer = api.request("PATCH", path, patch, STRATEGIC, fieldManager="cainjector")
        assert status == 200, answer
        _stands(converge)
        later = webhooks(namespace, timeoutSeconds=7)
        assert keep(later)()["changed"]
        assert api.read(path)["webhooks"][0]["clientConfig"]["caBundle"] == bundle
        _stands(keep(later))
    finally:
        api.delete([path])


def test_text_that_looks_like_an_amount_is_text(keep: Any, api: Api, namespace: str) -> None:
    def config(**data: str) -> Object:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}

    converge = keep(config(memory="1024Mi", cpu="1.10", limits="0.5"))
    converge()
    _stands(converge)
    path, _ = api.path_of(config(), namespace)
    edited = {"data": {"memory": "1Gi", "cpu": "1.1", "limits": "500m"}}
    api.request("PATCH", path, edited, MERGE, fieldManager="kubectl-edit")
    shown = converge(check=True)
    assert {line.partition(":")[0] for line in shown["diff"][0]["before"].splitlines()} == {
        "data.memory",
        "data.cpu",
        "data.limits",
    }
    assert converge()["changed"]
    assert api.read(path)["data"] == {"memory": "1024Mi", "cpu": "1.10", "limits": "0.5"}


@pytest.mark.slow
def test_amounts_have_several_spellings(keep: Any, api: Api, namespace: str) -> None:
    def claimed(cpu: str, memory: str) -> Object:
        item = deployment()
        item["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu, "memory": memory}}
        return item

    converge = keep(claimed("0.1", "1024Mi"))
    converge()
    _stands(converge)
    path, _ = api.path_of(deployment(), namespace)
    place = {"name": "main", "resources": {"requests": {"cpu": "0.10", "memory": "1Gi"}}}
    patch = {"spec": {"template": {"spec": {"containers": [place]}}}}
    api.request("PATCH", path, patch, STRATEGIC, fieldManager="kubectl-edit")
    _stands(converge)
    patch["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "0.2"
    api.request("PATCH", path, patch, STRATEGIC, fieldManager="kubectl-edit")
    assert converge()["changed"]
