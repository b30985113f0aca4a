# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters, numbers, nulls and odd keys on their way through the real helm, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.characters import ODD, PLANES

pytestmark = pytest.mark.integration

Run = Callable[..., dict[str, Any]]
Chart = Callable[..., dict[str, Any]]

VALUES = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  values: {{ toJson .Values | quote }}
"""
# what Go's reader makes of it: the last of two keys, "true" for y, and empty text for null
LOOSE = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  labels:
data:
  a: b
  a: c
  y: d
  e:
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}
stringData:
  user: bob
  password:
data:
  more:
---
apiVersion: v1
kind: ConfigMapList
items:
- metadata: {name: listed}
  data: {on: "1"}
- metadata: {name: listed2}
  data:
"""


def test_values_arrive_as_they_are_and_stay(direct: Run, chart: Chart, cluster: Any, namespace: str) -> None:
    values = {
        "odd": ODD,
        "planes": {name: text[:3000] for name, text in PLANES.items()},
        "keys": {"<<": 1, "y": 2, "~": 3, "💎": 4, "a.b": 5},
        "numbers": [123456789012345678, 1e21, 1.0, 0.1 + 0.2, {"deep": [-(2**63)]}],
    }
    release = chart(VALUES, values=values)
    made = direct(release)
    assert made["changed"]
    assert ["values.numbers[0]" in warning for warning in made["warnings"]] == [True]
    seen = json.loads(cluster.get("configmap", "formats", "-n", namespace)["data"]["values"])
    assert seen["odd"] == ODD
    assert seen["planes"] == values["planes"]
    assert seen["keys"] == values["keys"]
    for check in (True, False):
        again = direct(release, check=check)
        assert not again["changed"], again["diff"]


def test_manifests_are_read_as_helm_applied_them(direct: Run, chart: Chart, cluster: Any, namespace: str) -> None:
    release = chart(LOOSE)
    direct(release)
    assert cluster.get("configmap", "formats", "-n", namespace)["data"] == {"a": "c", "true": "d", "e": ""}
    assert cluster.get("secret", "formats", "-n", namespace)["data"] == {"user": "Ym9i", "password": "", "more": ""}
    assert cluster.get("configmap", "listed", "-n", namespace)["data"] == {"true": "1"}
    again = direct(release)
    assert not again["changed"], again["diff"]
    cluster.kubectl("patch", "secret", "formats", "-n", namespace, "-p", '{"stringData":{"password":"x"}}')
    cluster.kubectl("patch", "configmap", "listed", "-n", namespace, "-p", '{"data":{"true":"2"}}')
    repaired = direct(release)
    assert {part["before_header"].split(" (")[0] for part in repaired["diff"]} == {
        f"Secret {namespace}/formats",
        f"ConfigMap {namespace}/listed",
    }
    assert cluster.get("secret", "formats", "-n", namespace)["data"]["password"] == ""
    assert not direct(release)["changed"]


FIXED = """apiVersion: v1
kind: ConfigMap
metadata: {name: formats}
immutable: true
data: {text: {{ .Values.text | quote }}}
"""


def test_an_immutable_field_has_a_remedy(direct: Run, chart: Chart, cluster: Any, namespace: str) -> None:
    direct(chart(FIXED, values={"text": "a"}))
    other = chart(FIXED, values={"text": "b"})
    reported = direct(other, fails=True)
    assert reported["error"]["code"] == "FieldImmutable"
    assert "field is immutable when `immutable` is set" in reported["msg"]
    assert "delete the object named here and run again" in reported["msg"]
    cluster.kubectl("delete", "configmap", "formats", "-n", namespace)
    assert direct(other)["changed"]
    assert cluster.get("configmap", "formats", "-n", namespace)["data"] == {"text": "b"}


def test_a_namespace_that_only_the_chart_names(direct: Run, chart: Chart) -> None:
    template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: not-there-at-all}\n"
    reported = direct(chart(template, create_namespace=True), fails=True)
    assert reported["error"]["code"] == "NamespaceNotFound"
    assert "The chart has objects in not-there-at-all, and create_namespace makes only the namespace" in reported["msg"]
    assert "set create_namespace" not in reported["msg"]
