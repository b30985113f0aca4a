# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of one release: each has an outcome of its own, whatever is the matter with another, or with itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.integration

Run = Callable[..., dict[str, Any]]

APART = """apiVersion: v1
kind: ConfigMap
metadata: {name: fixed}
immutable: true
data: {text: chart}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: loose}
data: {text: chart}
---
apiVersion: v1
kind: Service
metadata: {name: plain}
spec: {selector: {app: none}, ports: [{port: 80}]}
"""


def test_one_that_cannot_be_restored_hides_and_blocks_no_other(
    direct: Run, chart: Run, cluster: Any, namespace: str
) -> None:
    release = chart(APART)
    direct(release)
    kubectl = ("-n", namespace)
    cluster.kubectl(*kubectl, "delete", "configmap", "fixed", "loose")
    cluster.kubectl(*kubectl, "create", "configmap", "fixed", "--from-literal=text=mine")
    cluster.kubectl(*kubectl, "patch", "configmap", "fixed", "-p", json.dumps({"immutable": True}))
    cluster.kubectl(*kubectl, "patch", "service", "plain", "-p", json.dumps({"spec": {"sessionAffinity": "ClientIP"}}))
    reported = direct(release, fails=True)
    assert f"ConfigMap {namespace}/fixed" in reported["msg"] and "immutable" in reported["msg"]
    assert reported["changed"]
    assert cluster.get("configmap", "loose", "-n", namespace)["data"] == {"text": "chart"}
    assert cluster.get("service", "plain", "-n", namespace)["spec"]["sessionAffinity"] == "None"
    cluster.kubectl(*kubectl, "delete", "configmap", "fixed")
    assert direct(release)["changed"]
    assert not direct(release)["changed"]


UNKNOWN = """apiVersion: v1
kind: Service
metadata: {name: odd}
spec:
  selector: {app: none}
  sessionAffinitySeconds: 3
  ports: [{port: 80, portName: http}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: odd, color: blue}
text: no
data: {a: "1"}
"""


def test_fields_that_no_kind_has_are_no_drift_and_hide_none(
    direct: Run, chart: Run, cluster: Any, namespace: str
) -> None:
    release = chart(UNKNOWN)
    assert direct(release)["changed"]
    again = direct(release)
    assert not again["changed"], again["diff"]
    cluster.kubectl("patch", "configmap", "odd", "-n", namespace, "-p", json.dumps({"data": {"a": "2"}}))
    cluster.kubectl("delete", "service", "odd", "-n", namespace)
    assert direct(release)["changed"]
    assert cluster.get("configmap", "odd", "-n", namespace)["data"] == {"a": "1"}
    assert cluster.get("service", "odd", "-n", namespace)["spec"]["ports"][0]["port"] == 80
    assert not direct(release)["changed"]


PORT_TWICE = """apiVersion: apps/v1
kind: Deployment
metadata: {name: twins}
spec:
  replicas: 0
  selector: {matchLabels: {app: twins}}
  template:
    metadata: {labels: {app: twins}}
    spec:
      containers:
      - name: main
        image: registry.invalid/none:1
        ports: [{containerPort: 80, name: one}, {containerPort: 80, name: two}]
"""


def test_what_server_side_apply_has_no_words_for_is_compared_and_restored(
    direct: Run, chart: Run, cluster: Any, namespace: str
) -> None:
    """Two items with one key: the API server takes them from whoever writes the object in one piece."""
    release = chart(PORT_TWICE, wait=False)
    direct(release)
    again = direct(release)
    assert not again["changed"], again["diff"]
    edits = {"spec": {"minReadySeconds": 7, "template": {"spec": {"dnsPolicy": "Default"}}}}
    cluster.kubectl("patch", "deployment", "twins", "-n", namespace, "-p", json.dumps(edits))
    shown = direct(release, check=True)
    text = "".join(part["before"] for part in shown["diff"])
    assert "spec.minReadySeconds: 7" in text and 'spec.template.spec.dnsPolicy: "Default"' in text
    assert direct(release)["changed"]
    spec = cluster.get("deployment", "twins", "-n", namespace)["spec"]
    assert "minReadySeconds" not in spec and spec["template"]["spec"]["dnsPolicy"] == "ClusterFirst"
    assert [port["name"] for port in spec["template"]["spec"]["containers"][0]["ports"]] == ["one", "two"]
    assert not direct(release)["changed"]


ONCE = """apiVersion: v1
kind: Service
metadata: {name: double}
spec: {selector: {app: a}, ports: [{port: 80}]}
"""
TWICE = f"""{ONCE}---
apiVersion: v1
kind: Service
metadata: {{name: double}}
spec: {{selector: {{app: b}}, ports: [{{port: 81}}]}}
"""


def test_of_an_object_that_is_there_twice_the_last_one_stands(
    direct: Run, chart: Run, cluster: Any, namespace: str
) -> None:
    # helm refuses to create an object twice, and writes it twice where it stands
    direct(chart(ONCE))
    release = chart(TWICE)
    assert direct(release)["changed"]
    for check in (True, False):
        again = direct(release, check=check)
        assert not again["changed"], again["diff"]
    body = {"spec": {"selector": {"app": "c"}}}
    cluster.kubectl("patch", "service", "double", "-n", namespace, "-p", json.dumps(body))
    assert direct(release)["changed"]
    assert cluster.get("service", "double", "-n", namespace)["spec"]["selector"] == {"app": "b"}
    assert not direct(release)["changed"]
