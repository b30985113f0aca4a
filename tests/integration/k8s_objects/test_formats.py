# SPDX-License-Identifier: GPL-3.0-or-later
"""What the real API server makes of characters, nulls, numbers and lists, and what we say of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.characters import ODD, PLANES

Apply = Callable[..., dict[str, Any]]


def declared(kind: str, name: str = "a", api_version: str = "v1", **body: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}


def test_every_character_arrives_and_stays(apply: Apply, cluster: Any, namespace: str) -> None:
    annotations = {"example.com/odd": ODD, **{f"example.com/{name}": text[:300] for name, text in PLANES.items()}}
    item = declared("ConfigMap", data=PLANES)
    item["metadata"]["annotations"] = annotations
    secret = declared("Secret", stringData={"odd": ODD})
    assert apply(definitions=[item, secret], check=True)["changed"]
    assert apply(definitions=[item, secret])["changed"]
    live = cluster.get("configmap", "a", "-n", namespace)
    assert live["data"] == PLANES
    assert live["metadata"]["annotations"] == annotations
    for check in (True, False):
        assert not apply(definitions=[item, secret], check=check)["changed"]


# what is declared, and what the API server keeps: normalise() says the same beforehand
NULLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a value": (declared("ConfigMap", data={"a": None, "b": "x"}), {"data": {"a": "", "b": "x"}}),
    "binary data": (declared("ConfigMap", binaryData={"a": None}), {"binaryData": {"a": ""}}),
    "all data": (declared("ConfigMap", data=None), {}),
    "all data of a Secret": (declared("Secret", data=None, stringData=None), {}),
    "a label": (
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "a", "labels": {"x": None}, "annotations": None},
        },
        {"labels": {"x": ""}},
    ),
}


@pytest.mark.parametrize("case", NULLS)
def test_null_is_what_the_server_makes_of_it(apply: Apply, cluster: Any, namespace: str, case: str) -> None:
    item, kept = NULLS[case]
    apply(definitions=[item])
    live = cluster.get(item["kind"], "a", "-n", namespace)
    found = {**live, "labels": live["metadata"].get("labels"), "annotations": live["metadata"].get("annotations")}
    names = ("data", "binaryData", "labels", "annotations")
    assert {name: found[name] for name in names if found.get(name)} == kept
    assert not apply(definitions=[item])["changed"]


def test_a_file_is_read_as_kubectl_reads_it(apply: Apply, cluster: Any, namespace: str, tmp_path: Path) -> None:
    file = tmp_path / "objects.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  y: 'a'\n  0o17: 'b'\n  1.50: 'c'\n")
    cluster.kubectl("apply", "--server-side", "--field-manager=mcpops", "-n", namespace, "-f", str(file))
    assert cluster.get("configmap", "a", "-n", namespace)["data"] == {
        "true": "a",
        "15": "b",
        "1.5": "c",
    }
    assert not apply(src=[str(file)])["changed"]


def test_keys_that_are_given_twice_are_refused_before_anything_is_sent(apply: Apply, tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {a: v}\n  labels: {b: v}\n")
    reported = apply(src=[str(file)], fails=True)["msg"]
    assert f"{file}: the key 'labels' is given twice in one mapping (lines 5 and 6)" in reported
    assert "Nothing was changed." in reported


def test_a_list_of_one_kind_with_bare_items(apply: Apply, cluster: Any, namespace: str) -> None:
    items = [{"metadata": {"name": name}, "data": {"a": "b"}} for name in ("first", "second")]
    listed = {"apiVersion": "v1", "kind": "ConfigMapList", "items": items}
    assert apply(definitions=[listed])["changed"]
    assert cluster.get("configmap", "second", "-n", namespace)["data"] == {"a": "b"}
    assert not apply(definitions=[listed])["changed"]


def test_the_field_of_a_stateful_set_that_cannot_change_is_named(apply: Apply) -> None:
    labels = {"app": "db"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": []}}
    container = {
        "name": "c",
        "image": "x",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    template["spec"] = {
        "containers": [container],
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    spec = {"serviceName": "a", "replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    apply(definitions=[declared("StatefulSet", api_version="apps/v1", spec=spec)], wait=False)
    other = declared("StatefulSet", api_version="apps/v1", spec={**spec, "replicas": 1, "serviceName": "b"})
    for check in (True, False):
        reported = apply(definitions=[other], wait=False, check=check, fails=True)["msg"]
        assert "apply StatefulSet" in reported
        assert "spec.serviceName would change: " in reported
        assert "recreate: on_immutable" in reported


def test_who_else_has_ports_in_a_service_is_named(apply: Apply, cluster: Any, namespace: str) -> None:
    service = declared("Service", spec={"ports": [{"name": "web", "port": 80}]})
    apply(definitions=[service], wait=False)
    patch = '[{"op":"add","path":"/spec/ports/-","value":{"name":"admin","port":81}}]'
    cluster.kubectl("patch", "service", "a", "-n", namespace, "--type=json", "--field-manager=somebody", "-p", patch)
    other = declared("Service", spec={"ports": [{"name": "web", "port": 80}, {"name": "admin", "port": 82}]})
    reported = apply(definitions=[other], wait=False, fails=True)["msg"]
    assert "Duplicate value" in reported
    assert "spec.ports of the live object also has items of somebody" in reported
    assert "exclusive: true" in reported
    assert apply(definitions=[other], wait=False, exclusive=True)["changed"]


def test_a_number_where_a_definition_takes_integers_or_text(apply: Apply, cluster: Any, namespace: str) -> None:
    group = f"{namespace}.example.com"
    either = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    spec = {"type": "object", "properties": {"cpu": either, "memory": either}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    definition = declared(
        "CustomResourceDefinition",
        f"boxes.{group}",
        "apiextensions.k8s.io/v1",
        spec={
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "boxes", "kind": "Box"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    )
    try:
        apply(definitions=[definition])
        box = declared("Box", api_version=f"{group}/v1", spec={"cpu": 0.25, "memory": True})
        reported = apply(definitions=[box], wait=False, fails=True)["msg"]
        assert "spec.cpu: must be of type integer/string, and is a number; spec.memory: must be of type" in reported
        assert "Quote it" in reported
        assert "anyOf" not in reported
    finally:
        cluster.kubectl("delete", "crd", f"boxes.{group}", "--wait=false", check=False)


EMPTY = [
    declared(
        "Service",
        spec={
            "clusterIP": "",
            "type": "",
            "sessionAffinity": "",
            "ports": [{"name": "dns", "port": 53, "protocol": ""}],
        },
    ),
    declared(
        "Deployment",
        api_version="apps/v1",
        spec={
            "replicas": 0,
            "selector": {"matchLabels": {"app": "a"}},
            "template": {
                "metadata": {"labels": {"app": "a"}, "annotations": {}},
                "spec": {
                    "dnsPolicy": "",
                    "containers": [
                        {
                            "name": "main",
                            "image": "registry.invalid/none:1",
                            "imagePullPolicy": "",
                            "ports": [{"containerPort": 53, "protocol": ""}],
                        }
                    ],
                },
            },
        },
    ),
]


@pytest.mark.parametrize("exclusive", [False, True])
def test_empty_values_are_what_the_server_makes_of_them(
    apply: Apply, cluster: Any, namespace: str, exclusive: bool
) -> None:
    """Most fields take empty text for none; in the key of a port it must not make another port."""
    assert apply(definitions=EMPTY, exclusive=exclusive)["changed"]
    for _run in range(2):
        again = apply(definitions=EMPTY, exclusive=exclusive)
        assert not again["changed"]
        assert not again.get("notes")
    service = cluster.get("service", "a", "-n", namespace)
    assert [(port["port"], port["protocol"]) for port in service["spec"]["ports"]] == [(53, "TCP")]
    pod = cluster.get("deployment", "a", "-n", namespace)["spec"]["template"]["spec"]
    assert pod["containers"][0]["ports"] == [{"containerPort": 53, "protocol": "TCP"}]
