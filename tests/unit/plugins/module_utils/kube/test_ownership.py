# SPDX-License-Identifier: GPL-3.0-or-later
"""When a declaration stands without asking the server, and whose leaves are whose."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.comparison import ApplyNeeded, is_contested
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.comparison import apply_needed as judged
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import Target, remove_leaves
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import (
    foreign_fields,
    route_path,
    undeclared_foreign,
    undeclared_own,
    value_at,
    whole_structures,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import object_ref

from .conftest import Answer, FakeTask, Server, described

FIXTURES = Path(__file__).parent / "fixtures"
STANDS, UNSURE, DIFFERS = ApplyNeeded.STANDS, ApplyNeeded.UNSURE, ApplyNeeded.DIFFERS
OURS = frozenset({"mcpops", "helm"})
DEPLOYMENT = described("apps/v1", "Deployment")


def verdict(live: dict[str, Any], declared: dict[str, Any]) -> ApplyNeeded:
    return judged(live, declared, structure=DEPLOYMENT)


def fixture(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FIXTURES / f"{name}.yaml").read_text())
    return loaded


def container(item: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pod(item)["containers"][0]
    return found


def pod(item: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = item["spec"]["template"]["spec"]
    return found


Edit = Callable[[dict[str, Any]], Any]

# what is edited in the declaration of the fixture, and the verdict
DECLARATIONS: dict[str, tuple[Edit, ApplyNeeded]] = {
    "as applied": (lambda d: None, STANDS),
    "other server fields": (lambda d: d.update(spec=dict(d["spec"])), STANDS),
    "quantities in another form": (lambda d: container(d)["resources"]["limits"].update(cpu=1, memory="1Gi"), STANDS),
    "another quantity": (lambda d: container(d)["resources"]["limits"].update(cpu="2"), DIFFERS),
    "a default key written out": (lambda d: container(d)["ports"][0].update(protocol="TCP"), UNSURE),
    "another protocol": (lambda d: container(d)["ports"][0].update(protocol="UDP"), DIFFERS),
    "another scalar": (lambda d: d["spec"].update(replicas=3), DIFFERS),
    "another text": (lambda d: container(d).update(image="registry.example.com/web:2"), DIFFERS),
    "a variable goes": (lambda d: container(d)["env"].pop(), DIFFERS),
    "a variable comes": (lambda d: container(d)["env"].append({"name": "FOUR", "value": "4"}), DIFFERS),
    "variables in another order": (lambda d: container(d)["env"].reverse(), UNSURE),
    "a label goes": (lambda d: d["metadata"].pop("labels"), DIFFERS),
    "a label comes": (lambda d: d["metadata"]["labels"].update(b="c"), UNSURE),
    "a whole map goes": (lambda d: container(d).pop("resources"), DIFFERS),
    "a zero value goes": (lambda d: pod(d).pop("hostNetwork"), DIFFERS),
    "a zero value comes": (lambda d: pod(d).update(hostPID=False), UNSURE),
    "a list that is one leaf": (lambda d: pod(d)["tolerations"][0].update(effect="NoSchedule"), UNSURE),
    "another volume": (lambda d: pod(d)["volumes"][0].update(name="other"), DIFFERS),
    "null for what is absent": (lambda d: d["spec"].update(paused=None), STANDS),
    "null for what is there": (lambda d: d["spec"].update(strategy=None), UNSURE),
    "another version of the API": (lambda d: d.update(apiVersion="apps/v1beta1"), UNSURE),
}


@pytest.mark.parametrize("case", DECLARATIONS)
def test_an_edited_declaration(case: str) -> None:
    edit, expected = DECLARATIONS[case]
    declared = fixture("deployment_declared")
    edit(declared)
    assert verdict(fixture("deployment_live"), declared) is expected


# what is edited in the live object behind our back; a changed leaf changes owner
LIVE: dict[str, tuple[Edit, ApplyNeeded]] = {
    "another scalar": (lambda d: d["spec"].update(replicas=0), DIFFERS),
    "a variable is gone": (lambda d: container(d)["env"].pop(0), DIFFERS),
    "a label of others": (lambda d: d["metadata"]["labels"].update(x="y"), STANDS),
    "our label": (lambda d: d["metadata"]["labels"].update(app="x"), DIFFERS),
    "nothing is ours": (lambda d: d["metadata"].pop("managedFields"), UNSURE),
    "a leaf was taken over": (lambda d: owned(d)["f:spec"].pop("f:replicas"), UNSURE),
}


def owned(item: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = item["metadata"]["managedFields"][0]["fieldsV1"]
    return fields


@pytest.mark.parametrize("case", LIVE)
def test_an_edited_object(case: str) -> None:
    edit, expected = LIVE[case]
    live = fixture("deployment_live")
    edit(live)
    assert verdict(live, fixture("deployment_declared")) is expected


def simple(managed: dict[str, Any], **live: Any) -> dict[str, Any]:
    entry = {"manager": "mcpops", "operation": "Apply", "apiVersion": "v1", "fieldsV1": managed}
    return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a", "managedFields": [entry]}, **live}


def test_sets_are_compared_as_sets() -> None:
    live = simple({"f:spec": {"f:tags": {'v:"a"': {}, 'v:"b"': {}}}}, spec={"tags": ["c", "b", "a"]})
    declared = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}}
    assert verdict(live, {**declared, "spec": {"tags": ["b", "a"]}}) is STANDS
    assert verdict(live, {**declared, "spec": {"tags": ["a"]}}) is DIFFERS
    assert verdict(live, {**declared, "spec": {"tags": ["a", "b", "c"]}}) is DIFFERS


def test_empty_values_that_the_api_drops() -> None:
    live = simple({"f:data": {}, "f:spec": {"f:text": {}}}, spec={})
    declared = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "data": {}, "spec": {"text": ""}}
    assert verdict(live, declared) is STANDS
    assert verdict(live, {**declared, "spec": {"text": "x"}}) is DIFFERS


def test_true_is_not_one() -> None:
    live = simple({"f:spec": {"f:a": {}}}, spec={"a": 1})
    assert (
        verdict(live, {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "spec": {"a": True}}) is not STANDS
    )


def test_whose_leaves() -> None:
    live = fixture("deployment_live")
    assert foreign_fields(live, OURS) == [
        ("spec.template.spec.containers[main].env[THREE].name", "kubectl-set"),
        ("spec.template.spec.containers[main].env[THREE].value", "kubectl-set"),
    ]
    assert foreign_fields(live, OURS | {"kubectl-set"}) == []
    # without an entry of ours, what we applied is nobody's we know
    live["metadata"]["managedFields"][0]["manager"] = "somebody"
    assert ("spec.replicas", "somebody") in foreign_fields(live, OURS)


HOOKS = "MutatingWebhookConfiguration"
EXPECTED_MANAGERS = [
    ("kube-controller-manager", "Deployment", {"f:spec": {"f:replicas": {}}}, False),
    ("kubectl-scale", "Deployment", {"f:spec": {"f:replicas": {}}}, True),
    (
        "cert-manager-cainjector",
        HOOKS,
        {"f:webhooks": {'k:{"name":"a"}': {"f:clientConfig": {"f:caBundle": {}}}}},
        False,
    ),
    ("cert-manager-cainjector", HOOKS, {"f:webhooks": {'k:{"name":"a"}': {"f:failurePolicy": {}}}}, True),
    ("manager", "Deployment", {"f:spec": {"f:replicas": {}}}, True),
    ("manager", "ServiceAccount", {"f:automountServiceAccountToken": {}}, True),
    ("clusterrole-aggregation-controller", "ClusterRole", {"f:rules": {}}, False),
    ("clusterrole-aggregation-controller", "Role", {"f:rules": {}}, True),
    ("kubectl-edit", "PriorityClass", {"f:preemptionPolicy": {}}, True),
    ("kubectl-edit", "X", {"f:metadata": {"f:labels": {"f:a": {}}}}, False),
    ("kubectl-edit", "X", {"f:rules": {}}, True),
]


@pytest.mark.parametrize(("manager", "kind", "fields", "drift"), EXPECTED_MANAGERS)
def test_who_may_write_where(manager: str, kind: str, fields: dict[str, Any], drift: bool) -> None:
    entry = {"manager": manager, "operation": "Update", "fieldsV1": fields}
    assert bool(foreign_fields({"kind": kind, "metadata": {"managedFields": [entry]}}, OURS)) is drift


def test_a_shared_leaf_is_ours_too() -> None:
    live = simple({"f:data": {"f:a": {}}}, data={"a": "1"})
    live["metadata"]["managedFields"].append(
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}}}
    )
    assert foreign_fields(live, OURS) == [("data.b", "kubectl")]


def test_a_foreign_item_is_removed_as_a_whole() -> None:
    live, declared = fixture("deployment_live"), fixture("deployment_declared")
    routes = undeclared_foreign(live, declared, OURS)
    assert [route_path(route) for route in routes] == ["spec.template.spec.containers[main].env[THREE]"]
    assert [value_at(live, route) for route in routes] == [{"name": "THREE", "value": "3"}]
    # what is declared is taken back by applying, not removed
    container(declared)["env"].append({"name": "THREE", "value": "mine"})
    assert undeclared_foreign(live, declared, OURS) == {}


def test_removals_do_not_move_each_other(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    live = {
        "metadata": {"resourceVersion": "7"},
        "spec": {"a/b": 1, "l": [{"name": "x"}, {"name": "y"}, {"name": "z"}]},
    }
    target = Target(
        object_ref({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}),
        ResourceType("v1", "ConfigMap", "configmaps", True),
        {},
    )
    server.on("/api/v1/namespaces/n/configmaps/a?fieldManager=mcpops&dryRun=All", Answer(body={}))
    routes = [("f:spec", "f:a/b"), ("f:spec", "f:l", 'k:{"name":"y"}'), ("f:spec", "f:l", 'k:{"name":"z"}')]
    before = copy.deepcopy(live)
    remove_leaves(connect(task), target, live, [*routes, ("f:spec", "f:gone")], dry_run=True)
    assert live == before
    assert json.loads(server.requests[0].body) == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "remove", "path": "/spec/l/2"},
        {"op": "remove", "path": "/spec/l/1"},
        {"op": "remove", "path": "/spec/a~1b"},
    ]


NETWORK_POLICY_LIVE: dict[str, Any] = {
    "kind": "NetworkPolicy",
    "metadata": {
        "managedFields": [
            {"manager": "helm", "operation": "Update", "fieldsV1": {"f:spec": {"f:policyTypes": {}}}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:podSelector": {}}}},
        ]
    },
    "spec": {"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress"]},
}


def test_an_addition_inside_one_piece_belongs_to_a_declared_leaf() -> None:
    """It is no undeclared leaf, and yet not as declared: the judgement asks about it."""
    structure = described("networking.k8s.io/v1", "NetworkPolicy")
    declared = {"spec": {"podSelector": {}}}
    assert undeclared_foreign(NETWORK_POLICY_LIVE, declared, OURS, structure) == {}
    assert is_contested(NETWORK_POLICY_LIVE, declared, OURS, structure, None)
    assert not is_contested(NETWORK_POLICY_LIVE, {"spec": {}}, OURS, structure, None)


def port_53(protocol: str) -> str:
    return f'k:{{"port":53,"protocol":"{protocol}"}}'


def test_a_twin_that_differs_in_a_defaulted_key_is_another_item() -> None:
    theirs = {"f:spec": {"f:ports": {port_53("UDP"): {".": {}, "f:port": {}, "f:protocol": {}}}}}
    ours = {"f:spec": {"f:ports": {port_53("TCP"): {".": {}, "f:port": {}}}}}
    live = {
        "kind": "Service",
        "metadata": {
            "managedFields": [
                {"manager": "mcpops", "operation": "Apply", "apiVersion": "v1", "fieldsV1": ours},
                {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": theirs},
            ]
        },
    }
    declared = {"spec": {"ports": [{"port": 53}]}}
    structure = described("v1", "Service")
    found = undeclared_foreign(live, declared, OURS, structure)
    assert [route_path(route) for route in found] == ["spec.ports[53,UDP]"]
    assert undeclared_own(live, declared, "mcpops", structure) == []
    # an API server that does not describe the kind: no item goes that may be the declared one
    assert all(len(route) > 3 for route in undeclared_foreign(live, declared, OURS))


@pytest.mark.parametrize("nothing", [None, {}, []], ids=["null", "empty mapping", "empty list"])
def test_what_is_added_below_an_empty_declaration_is_foreign(nothing: Any) -> None:
    volumes = {'k:{"name":"host"}': {".": {}, "f:name": {}, "f:hostPath": {".": {}, "f:path": {}}}}
    fields = {"f:spec": {"f:template": {"f:spec": {"f:volumes": volumes}}}}
    live = {
        "kind": "Deployment",
        "metadata": {"managedFields": [{"manager": "kubectl-patch", "operation": "Update", "fieldsV1": fields}]},
    }
    declared = {"spec": {"template": {"spec": {"volumes": nothing}}}}
    found = undeclared_foreign(live, declared, OURS, DEPLOYMENT)
    assert {route_path(route).split("[")[0] for route in found} == {"spec.template.spec.volumes"}


def test_null_that_is_a_value_and_ours_stands() -> None:
    live = simple({"f:spec": {"f:maybe": {}}}, spec={"maybe": None})
    declared = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "spec": {"maybe": None}}
    assert verdict(live, declared) is STANDS


ALPHA = "autoscaling.alpha.kubernetes.io"


def test_fields_that_the_version_of_a_declaration_shows_as_annotations_are_of_substance() -> None:
    """Of an autoscaler in autoscaling/v1: what somebody set in autoscaling/v2, or by the annotation itself."""
    metric, behaviour = f"{ALPHA}/metrics", f"{ALPHA}/behavior"
    declared: dict[str, Any] = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"maxReplicas": 3},
    }
    fields = {"f:spec": {"f:metrics": {}, "f:maxReplicas": {}, "f:behavior": {"f:scaleUp": {"f:selectPolicy": {}}}}}
    entry = {"manager": "kubectl-edit", "operation": "Update", "apiVersion": "autoscaling/v2", "fieldsV1": fields}
    metadata = {"name": "web", "annotations": {metric: "[]", behaviour: "{}"}, "managedFields": [entry]}
    live = {**declared, "metadata": metadata}
    found = undeclared_foreign(live, declared, OURS)
    # each for itself: the map of annotations has others, which nobody owns
    assert whole_structures(found, live, declared) == found
    places = [("f:metadata", "f:annotations", f"f:{name}") for name in (metric, behaviour)]
    assert found == dict.fromkeys(places, "kubectl-edit")
    entry["fieldsV1"] = {"f:metadata": {"f:annotations": {f"f:{behaviour}": {}, "f:note": {}}}}
    assert undeclared_foreign(live, declared, OURS) == {places[1]: "kubectl-edit"}
    declared["metadata"] = {"name": "web", "annotations": {behaviour: "{}"}}
    assert undeclared_foreign(live, declared, OURS) == {}
    # in the version that has the fields
    whole = {**live, "apiVersion": "autoscaling/v2"}
    assert undeclared_foreign(whole, {**declared, "apiVersion": "autoscaling/v2"}, OURS) == {}
