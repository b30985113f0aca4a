# SPDX-License-Identifier: GPL-3.0-or-later
"""What was taken out of KMCP's objects, on those that the real controller 0.3.0 has made of two full servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_children import expected_child
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT

from .recorded import Api, drift, seen

POD = "Deployment.spec.template.spec"
MAIN = f"{POD}.containers[mcp-server]"
COPY = f"{POD}.initContainers[copy-binary]"
HTTP, STDIO = "complete_http", "complete_stdio"
Place = tuple[str | int, ...]
_POD: Place = ("spec", "template", "spec")
_MAIN: Place = (*_POD, "containers", 0)


def take_out(child: Any, place: Place) -> None:
    """As `kubectl replace` does it: the leaf goes, and so does it from the list of what the controller owns."""
    *above, last = place
    for step in above:
        child = child[step]
    del child[last]


@pytest.mark.parametrize("name", [HTTP, STDIO, "pristine"])
def test_what_the_controller_has_made_has_lost_nothing(name: str) -> None:
    assert drift(seen(name)) == {}


# fixture, kind, what is taken out → the paths that are told
REMOVED: dict[str, tuple[str, str, Place, set[str]]] = {
    "the container's security": (
        HTTP,
        "Deployment",
        (*_MAIN, "securityContext"),
        {f"{MAIN}.securityContext"},
    ),
    "a false of it": (
        HTTP,
        "Deployment",
        (*_MAIN, "securityContext", "allowPrivilegeEscalation"),
        {f"{MAIN}.securityContext.allowPrivilegeEscalation"},
    ),
    "capabilities": (
        STDIO,
        "Deployment",
        (*_MAIN, "securityContext", "capabilities"),
        {f"{MAIN}.securityContext.capabilities"},
    ),
    "the pod's security": (
        STDIO,
        "Deployment",
        (*_POD, "securityContext"),
        {f"{POD}.securityContext"},
    ),
    "a 0 of it": (HTTP, "Deployment", (*_POD, "securityContext", "fsGroup"), {f"{POD}.securityContext.fsGroup"}),
    "limits": (
        HTTP,
        "Deployment",
        (*_MAIN, "resources", "limits"),
        {f"{MAIN}.resources.limits"},
    ),
    "a request": (HTTP, "Deployment", (*_MAIN, "resources", "requests", "cpu"), {f"{MAIN}.resources.requests.cpu"}),
    "mounts": (
        STDIO,
        "Deployment",
        (*_MAIN, "volumeMounts"),
        {f"{MAIN}.volumeMounts"},
    ),
    "a config map's mount": (
        HTTP,
        "Deployment",
        (*_MAIN, "volumeMounts", 1),
        {f"{MAIN}.volumeMounts[/configmaps/settings]"},
    ),
    "read-only": (
        HTTP,
        "Deployment",
        (*_MAIN, "volumeMounts", 1, "readOnly"),
        {f"{MAIN}.volumeMounts[/configmaps/settings].readOnly"},
    ),
    "volumes": (
        STDIO,
        "Deployment",
        (*_POD, "volumes"),
        {f"{POD}.volumes"},
    ),
    "a size of a volume": (
        HTTP,
        "Deployment",
        (*_POD, "volumes", 2, "emptyDir", "sizeLimit"),
        {f"{POD}.volumes[scratch].emptyDir.sizeLimit"},
    ),
    "a volume's sources": (
        HTTP,
        "Deployment",
        (*_POD, "volumes", 3, "projected", "sources", 0, "serviceAccountToken", "audience"),
        {f"{POD}.volumes[token].projected.sources"},
    ),
    "pull secrets": (HTTP, "Deployment", (*_POD, "imagePullSecrets"), {f"{POD}.imagePullSecrets"}),
    "nodes": (HTTP, "Deployment", (*_POD, "nodeSelector"), {f"{POD}.nodeSelector"}),
    "tolerations": (HTTP, "Deployment", (*_POD, "tolerations"), {f"{POD}.tolerations"}),
    "affinity": (
        HTTP,
        "Deployment",
        (*_POD, "affinity"),
        {f"{POD}.affinity"},
    ),
    "account": (STDIO, "Deployment", (*_POD, "serviceAccountName"), {f"{POD}.serviceAccountName"}),
    "pull policy": (STDIO, "Deployment", (*_MAIN, "imagePullPolicy"), {f"{MAIN}.imagePullPolicy"}),
    "the adapter's command": (STDIO, "Deployment", (*_MAIN, "command"), {f"{MAIN}.command"}),
    "the adapter's arguments": (STDIO, "Deployment", (*_MAIN, "args"), {f"{MAIN}.args"}),
    "the copying container": (
        STDIO,
        "Deployment",
        (*_POD, "initContainers"),
        {f"{POD}.initContainers"},
    ),
    "a sidecar's variable": (
        HTTP,
        "Deployment",
        (*_POD, "containers", 1, "env"),
        {f"{POD}.containers[proxy].env"},
    ),
    "a sidecar's security": (
        HTTP,
        "Deployment",
        (*_POD, "containers", 1, "securityContext"),
        {f"{POD}.containers[proxy].securityContext"},
    ),
    "labels of pods": (
        HTTP,
        "Deployment",
        ("spec", "template", "metadata", "labels", "team"),
        {"Deployment.spec.template.metadata.labels.team"},
    ),
    "KMCP's own label": (
        HTTP,
        "Deployment",
        ("spec", "template", "metadata", "labels", "app.kubernetes.io/managed-by"),
        {'Deployment.spec.template.metadata.labels."app.kubernetes.io/managed-by"'},
    ),
    "annotations of pods": (
        HTTP,
        "Deployment",
        ("spec", "template", "metadata", "annotations"),
        {"Deployment.spec.template.metadata.annotations"},
    ),
    "variables": (STDIO, "Deployment", (*_MAIN, "env"), {f"{MAIN}.env"}),
    "secrets": (HTTP, "Deployment", (*_MAIN, "envFrom"), {f"{MAIN}.envFrom"}),
    "the port's name": (HTTP, "Service", ("spec", "ports", 0, "name"), {"Service.spec.ports[8080,TCP].name"}),
    "selector": (HTTP, "Service", ("spec", "selector"), {"Service.spec.selector"}),
    "configuration": (HTTP, "ConfigMap", ("data", "local.yaml"), {'ConfigMap.data."local.yaml"'}),
    "all configuration": (HTTP, "ConfigMap", ("data",), {"ConfigMap.data"}),
    "an account's annotations": (
        HTTP,
        "ServiceAccount",
        ("metadata", "annotations"),
        {'ServiceAccount.metadata.annotations."azure.workload.identity/client-id"'},
    ),
    "an account's label": (
        HTTP,
        "ServiceAccount",
        ("metadata", "labels", "team"),
        {"ServiceAccount.metadata.labels.team"},
    ),
}


@pytest.mark.parametrize(("name", "kind", "place", "paths"), REMOVED.values(), ids=REMOVED)
def test_what_was_taken_out_is_told(name: str, kind: str, place: Place, paths: set[str]) -> None:
    objects = seen(name)
    take_out(objects[kind], place)
    found = drift(objects)
    assert set(found) == paths
    for before, after, note in found.values():
        assert before is ABSENT or isinstance(before, list)
        assert after is not ABSENT
        assert note == "changed by another program"


DNS = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53}]


@pytest.mark.parametrize(
    ("live", "lost"),
    [
        (DNS[::-1], {f"{POD}.containers[proxy].ports (order)"}),
        ([{**DNS[0], "name": "dns"}, {"containerPort": 53, "protocol": "TCP"}], set()),
        (DNS[1:], {f"{POD}.containers[proxy].ports[53,UDP]"}),
    ],
    ids=["another order", "completed", "one of two"],
)
def test_items_of_a_list_are_told_apart_by_what_the_api_server_says(live: list[Any], lost: set[str]) -> None:
    objects = seen(HTTP)
    objects["MCPServer"]["spec"]["deployment"]["sidecars"][0]["ports"] = DNS
    objects["Deployment"]["spec"]["template"]["spec"]["containers"][1]["ports"] = live
    objects["Deployment"]["metadata"]["managedFields"] = []
    assert set(drift(objects)) == lost


def test_values_of_the_controllers_own_are_not_made_up() -> None:
    objects = seen(HTTP)
    del objects["ConfigMap"]["data"]["local.yaml"]
    assert [after for _before, after, _note in drift(objects).values()] == ["(made by KMCP)"]


def test_an_edit_under_the_controllers_own_name_is_found_where_the_server_says_what_it_must_be() -> None:
    objects = seen(HTTP)
    container = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    container["imagePullPolicy"] = "Always"
    container["resources"]["limits"]["memory"] = "4Gi"
    assert drift(objects) == {
        f"{MAIN}.imagePullPolicy": ("Always", "IfNotPresent", "changed by another program"),
        f"{MAIN}.resources.limits.memory": ("4Gi", "1024Mi", "changed by another program"),
    }


def test_an_edit_is_told_once_with_its_author() -> None:
    objects = seen(HTTP)
    deployment = objects["Deployment"]
    deployment["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    deployment["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    of_container = {"f:containers": {'k:{"name":"mcp-server"}': {"f:imagePullPolicy": {}}}}
    fields = {"f:spec": {"f:template": {"f:spec": {**of_container, "f:nodeSelector": {}}}}}
    # an edit takes what it changes away from the controller
    deployment["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "operation": "Update", "fieldsV1": fields}]
    assert drift(objects) == {
        f"{MAIN}.imagePullPolicy": ("Always", "IfNotPresent", "set by kubectl-edit"),
        f"{POD}.nodeSelector.disk": ("ssd", ABSENT, "set by kubectl-edit"),
        f'{POD}.nodeSelector."kubernetes.io/os"': (ABSENT, "linux", "set by kubectl-edit"),
    }


def test_an_account_that_gives_its_pods_no_token() -> None:
    objects = seen(HTTP)
    account = objects["ServiceAccount"]
    account["automountServiceAccountToken"] = False
    path = "ServiceAccount.automountServiceAccountToken"
    account["metadata"]["managedFields"].append(
        {"manager": "kubectl-patch", "operation": "Update", "fieldsV1": {"f:automountServiceAccountToken": {}}}
    )
    assert drift(objects) == {path: (False, ABSENT, "set by kubectl-patch")}


def test_what_the_cluster_does_not_keep_is_no_drift() -> None:
    """Admission that changes every Deployment is told from people by a dry run."""
    objects = seen(HTTP)

    def always(deployment: dict[str, Any]) -> dict[str, Any]:
        deployment["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
        return deployment

    always(objects["Deployment"])
    assert set(drift(objects)) == {f"{MAIN}.imagePullPolicy"}
    assert drift(objects, Api(objects, admission=always)) == {}


def test_of_a_controller_that_is_not_known_only_what_it_copies_and_what_others_write_is_compared() -> None:
    objects = seen(HTTP)
    container = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    del container["resources"], objects["ConfigMap"]["data"], container["envFrom"]
    assert set(drift(objects)) == {f"{MAIN}.resources", f"{MAIN}.envFrom", "ConfigMap.data"}
    assert set(drift(objects, known=False)) == {f"{MAIN}.envFrom"}
    objects["Service"]["spec"]["sessionAffinity"] = "ClientIP"
    entry = {"manager": "kubectl-patch", "operation": "Update", "fieldsV1": {"f:spec": {"f:sessionAffinity": {}}}}
    objects["Service"]["metadata"]["managedFields"].append(entry)
    assert "Service.spec.sessionAffinity" in drift(objects, known=False)


def test_a_variable_set_under_the_controllers_own_name_is_found() -> None:
    objects = seen(STDIO)
    containers = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    containers[0]["env"].append({"name": "LD_PRELOAD", "value": "/tmp/x.so"})
    assert drift(objects) == {
        f"{MAIN}.env[LD_PRELOAD]": (containers[0]["env"][-1], ABSENT, "changed by another program")
    }


def test_the_template_as_an_object_to_apply_has_values_only() -> None:
    objects = seen(HTTP)
    for kind in ("Deployment", "ConfigMap", "ServiceAccount"):
        body = expected_child(kind, objects["MCPServer"], objects[kind])
        assert body["apiVersion"] == objects[kind]["apiVersion"]
        assert (body["metadata"]["name"], body["metadata"]["namespace"]) == ("tools", "mcp")
        assert None not in list(_values(body))
        json.dumps(body)


def _values(item: Any) -> Iterator[Any]:
    if isinstance(item, dict):
        for below in item.values():
            yield from _values(below)
    elif isinstance(item, list):
        for below in item:
            yield from _values(below)
    else:
        yield item
