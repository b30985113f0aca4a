# SPDX-License-Identifier: GPL-3.0-or-later
"""From one branch of a one-of to another, and what older spellings and first writers keep: the object afterwards is
the one that the API server would make of the new declaration alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from support.dropped_leaves import made_from, unlike
from support.kube_http import Api
from support.mutations import shown_places
from support.random_objects import NOWHERE, Object

NAME = "moving"


def _object(api_version: str, kind: str, **body: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": NAME}, **body}


def deployment(pod: Object | None = None, **spec: Any) -> Object:
    pod = {"containers": [{"name": "main", "image": "registry.invalid/none:1"}], "nodeSelector": NOWHERE, **(pod or {})}
    template = {"metadata": {"labels": {"app": NAME}}, "spec": pod}
    body = {"selector": {"matchLabels": {"app": NAME}}, "template": template, **spec}
    return _object("apps/v1", "Deployment", spec=body)


def container(**fields: Any) -> Object:
    return deployment({"containers": [{"name": "main", "image": "registry.invalid/none:1", **fields}]})


def volumes(*found: Object) -> Object:
    return deployment({"volumes": [{"name": "v", **one} for one in found]})


def ingress(backend: Object) -> Object:
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return _object("networking.k8s.io/v1", "Ingress", spec={"rules": [{"http": {"paths": [path]}}]})


def autoscaler(*metrics: Object) -> Object:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "metrics": list(metrics)}
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", spec=spec)


def service(**spec: Any) -> Object:
    return _object("v1", "Service", spec={"ports": [{"port": 80}], **spec})


def _metric(kind: str, **more: Any) -> Object:
    target = {"type": "AverageValue", "averageValue": "1"}
    return {"type": kind, kind[0].lower() + kind[1:]: {"target": target, **more}}


UTILIZATION = {"type": "Utilization", "averageUtilization": 5}
SECRET_REF = {"secretKeyRef": {"name": "s", "key": "k"}}
TRANSITIONS: dict[str, Sequence[Object]] = {
    "account dropped": [deployment({"serviceAccountName": "foo"}), deployment()],
    "account by its older name": [deployment({"serviceAccount": "foo"}), deployment({"serviceAccount": "bar"})],
    "older name of the account dropped": [deployment({"serviceAccount": "foo"}), deployment()],
    "from the older to the newer name": [
        deployment({"serviceAccount": "foo"}),
        deployment({"serviceAccountName": "bar"}),
        deployment({"serviceAccount": "baz"}),
    ],
    "strategy": [
        deployment(),
        deployment(strategy={"type": "Recreate"}),
        deployment(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3}}),
        deployment(strategy={"type": "Recreate"}),
        deployment(),
    ],
    "volumes": [
        volumes({}),
        volumes({"configMap": {"name": "c"}}),
        volumes({"secret": {"secretName": "s", "defaultMode": 0o400}}),
        volumes({"projected": {"sources": [{"configMap": {"name": "c"}}]}}),
        volumes({"emptyDir": {"medium": "Memory"}}),
        volumes({}),
        deployment(),
    ],
    "backend of an Ingress": [
        ingress({"service": {"name": "s", "port": {"number": 80}}}),
        ingress({"resource": {"apiGroup": "example.com", "kind": "Bucket", "name": "b"}}),
        ingress({"service": {"name": "s", "port": {"name": "web"}}}),
    ],
    "probe": [
        container(livenessProbe={"httpGet": {"path": "/", "port": 80}}),
        container(livenessProbe={"exec": {"command": ["true"]}}),
        container(livenessProbe={"tcpSocket": {"port": 80}, "periodSeconds": 3}),
        container(livenessProbe={"grpc": {"port": 80}}),
        container(),
    ],
    "lifecycle": [
        container(lifecycle={"preStop": {"exec": {"command": ["true"]}}}),
        container(lifecycle={"preStop": {"httpGet": {"port": 80}}}),
        container(lifecycle={"preStop": {"sleep": {"seconds": 3}}}),
    ],
    "metric": [
        autoscaler(_metric("Resource", name="cpu")),
        autoscaler(_metric("Pods", metric={"name": "m"})),
        autoscaler({"type": "Resource", "resource": {"name": "cpu", "target": UTILIZATION}}),
        autoscaler(_metric("Resource", name="cpu")),
    ],
    "environment": [
        container(env=[{"name": "E", "value": "x"}]),
        container(env=[{"name": "E", "valueFrom": SECRET_REF}]),
        container(env=[{"name": "E", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        container(env=[{"name": "E", "value": ""}]),
        container(env=[{"name": "E"}]),
        container(),
    ],
    "source of environment": [
        container(envFrom=[{"configMapRef": {"name": "c"}}]),
        container(envFrom=[{"secretRef": {"name": "s"}}]),
    ],
    "type of a Service": [
        service(type="LoadBalancer", externalTrafficPolicy="Local"),
        service(),
        service(type="NodePort"),
        service(sessionAffinity="ClientIP"),
        service(),
    ],
    "Service to a name": [service(), service(type="ExternalName", externalName="a.example.com"), service()],
    "headless Service stays headless": [
        service(clusterIP="None", selector={"a": "b"}),
        service(clusterIP="None", selector={"a": "c"}, publishNotReadyAddresses=True),
    ],
    "port of another protocol": [
        service(ports=[{"port": 53}]),
        service(ports=[{"port": 53, "protocol": "UDP"}]),
        service(ports=[{"port": 53, "name": "t"}, {"port": 53, "protocol": "UDP", "name": "u"}]),
    ],
    "disruption budget": [
        _object("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "selector": {}}),
        _object("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": "10%", "selector": {}}),
    ],
    "host network": [deployment({"hostNetwork": True}), deployment()],
    "update strategy of a DaemonSet": [
        {**deployment(updateStrategy=strategy), "kind": "DaemonSet"}
        for strategy in ({}, {"type": "OnDelete"}, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}})
    ],
}


IN_THE_GATE = {"account dropped", "strategy", "volumes"}


def _lane(case: str) -> Any:
    return pytest.param(case, id=case.replace(" ", "-"), marks=() if case in IN_THE_GATE else pytest.mark.slow)


@pytest.mark.parametrize("exclusive", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["shared", "exclusive"])
@pytest.mark.parametrize("case", [_lane(case) for case in TRANSITIONS])
def test_a_declaration_that_moves(as_objects: Any, api: Api, namespace: str, case: str, exclusive: bool) -> None:
    faults = []
    for number, item in enumerate(TRANSITIONS[case]):
        keep = as_objects([("", item)], exclusive=exclusive)
        shown, done = keep(check=True), keep()
        faults += _faults(api, item, namespace, keep, done, f"step {number}")
        if number and (_places(shown) != _places(done) or shown.get("failed")):
            faults.append(f"step {number}: {_unlike(shown, done)}")
    assert faults == [], "\n".join(faults)


# of a Service of type LoadBalancer the cloud's controller sets one, and takes it away again, when it comes to that
BY_THE_CLOUD = {("metadata", "finalizers")}


def _places(result: Any) -> set[Any]:
    parts = result.get("diff") or []
    return {place for part in parts for place in shown_places(part["before"] + part["after"])} - BY_THE_CLOUD


def _unlike(shown: Any, done: Any) -> str:
    one, other = _places(shown), _places(done)
    return f"check mode shows {one - other} more and {other - one} less; {shown['msg']}; {done['msg']}"


def _faults(api: Api, item: Object, namespace: str, keep: Any, done: Any, what: str) -> list[str]:
    if done.get("failed"):
        return [f"{what}: {done['msg']}"]
    path, _ = api.path_of(item, namespace)
    left = unlike(made_from(api, item, namespace) or {}, api.read(path)) - BY_THE_CLOUD
    faults = [f"{what}: {left} {done.get('notes', '')}"] if left else []
    again = keep()
    if again.get("failed") or again["changed"]:
        faults.append(f"{what}, second run: {again.get('msg')} {again.get('diff')}")
    return faults


FIRST = deployment(
    {"serviceAccountName": "foo", "hostNetwork": True, "tolerations": [{"operator": "Exists"}]}, replicas=0, paused=True
)
LESS = deployment()
MAPS = _object("v1", "ConfigMap", data={"a": "1", "b": "2"}), _object("v1", "ConfigMap", data={"a": "1"})
CREATORS = {
    "kubectl create": ["create"],
    "kubectl apply": ["apply"],
    "another manager": ["apply", "--server-side", "--field-manager=terraform"],
}


@pytest.mark.slow
@pytest.mark.parametrize("exclusive", [False, True], ids=["shared", "exclusive"])
@pytest.mark.parametrize("creator", CREATORS, ids=lambda creator: creator.replace(" ", "-"))
def test_what_somebody_else_made_first(
    as_objects: Any, api: Api, cluster: Any, namespace: str, creator: str, exclusive: bool
) -> None:
    """Adopted, then a part dropped: gone where it is ours to remove, else said to stay, with whose it is."""
    faults = []
    for first, less in ((FIRST, LESS), MAPS):
        cluster.kubectl(*CREATORS[creator], "-n", namespace, "-f", "-", stdin=json.dumps(first))
        assert as_objects([("", first)], exclusive=exclusive)()["changed"]
        keep = as_objects([("", less)], exclusive=exclusive)
        shown = keep(check=True)
        done = keep()
        if creator == "kubectl apply" or exclusive:
            faults += _faults(api, less, namespace, keep, done, first["kind"])
            if _places(shown) != _places(done):
                faults.append(_unlike(shown, done))
            continue
        reported = " ".join(done.get("notes") or [])
        manager = "terraform" if "another" in creator else "kubectl-create"
        for name in ["replicas", "paused", "tolerations"] if first is FIRST else ["data.b"]:
            if name not in reported or manager not in reported:
                faults.append(f"{name} of {manager} stays and is not told: {reported} {done['msg']}")
        again = keep()
        if again.get("failed") or again["changed"]:
            faults.append(f"second run: {again.get('msg')} {again.get('diff')}")
    assert faults == [], "\n".join(faults)


@pytest.mark.slow
def test_a_headless_service_that_is_to_have_an_address(as_objects: Any, api: Api, namespace: str) -> None:
    headless, plain = service(clusterIP="None"), service()
    as_objects([("", headless)], exclusive=False)()
    refused = as_objects([("", plain)], exclusive=False)
    for check in (True, False):
        stated = refused(check=check)
        assert stated.get("failed") and "recreate: on_immutable" in stated["msg"], stated
    assert as_objects([("", plain)], exclusive=False, recreate="on_immutable")()["changed"]
    path, _ = api.path_of(plain, namespace)
    assert api.read(path)["spec"]["clusterIP"] != "None"
    assert not refused()["changed"]
