# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates through the action plugin, kustomizations through kubectl, and conditions that a user names."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Apply = Callable[..., dict[str, Any]]
TEMPLATE = """\
{% for name in names %}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ name }}
data:
  text: "{{ text }}"
{% endfor %}
"""
OTHER_SIGNS = "{apiVersion: v1, kind: ConfigMap, metadata: {name: other}, data: {text: '[[ text ]]', raw: '{{ x }}'}}\n"
# one expression: what it gives is the object itself
EXPRESSION = (
    "{{ {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'expression'}, 'data': {'text': text}} }}"
)
VARIABLES = {"names": ["one", "two"], "text": "said in the play"}


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    directory = tmp_path / "templates"
    directory.mkdir()
    (directory / "web.yml.j2").write_text(TEMPLATE)
    (directory / "other.yml.j2").write_text(OTHER_SIGNS)
    (directory / "expression.yml.j2").write_text(EXPRESSION)
    (directory / "undefined.yml.j2").write_text("name: {{ no_such_variable }}")
    (directory / "broken.yml.j2").write_text("a: [\n")
    return directory


@pytest.mark.parametrize(
    "aside", [{}, pytest.param({"async": 60, "poll": 1}, marks=pytest.mark.slow)], ids=["action", "module"]
)
def test_templates_are_rendered_on_the_controller(
    run_all: Any, cluster: Any, namespace: str, templates: Path, aside: dict[str, int]
) -> None:
    signs = {"variable_start_string": "[[", "variable_end_string": "]]"}
    rendered: list[Any] = [
        str(templates / "web.yml.j2"),
        {"path": str(templates / "other.yml.j2"), **signs},
        {"path": str(templates / "expression.yml.j2")},
    ]
    task = {"mcpops.platform.k8s_objects": {"namespace": namespace, "template": rendered}, **aside}
    done = run_all([task], variables=VARIABLES).ok()
    assert [row["name"] for row in done.last["objects"]] == ["one", "two", "other", "expression"]
    for name in ("one", "two", "other", "expression"):
        assert cluster.get("configmap", name, "-n", namespace)["data"]["text"] == "said in the play"
    assert cluster.get("configmap", "other", "-n", namespace)["data"]["raw"] == "{{ x }}"


@pytest.mark.slow
def test_everything_wrong_with_templates(run_all: Any, cluster: Any, templates: Path) -> None:
    wrong = [
        "no-such.yml.j2",
        str(templates / "undefined.yml.j2"),
        {"path": str(templates / "web.yml.j2"), "trim": True},
        {"name": "x"},
    ]
    failed = run_all([{"mcpops.platform.k8s_objects": {"template": wrong}}], variables=VARIABLES)
    assert failed.returncode != 0
    reported = failed.last["msg"]
    assert "4 problems, nothing was changed" in reported
    assert "template[0]: no-such.yml.j2 was not found; searched for" in reported
    assert "'no_such_variable' is undefined" in reported
    assert "template[2]: has an unknown option 'trim': its options are" in reported
    assert "template[3]: is neither the path of a template nor a mapping with path" in reported


@pytest.fixture
def kustomization(tmp_path: Path) -> Path:
    directory = tmp_path / "overlay"
    directory.mkdir()
    (directory / "map.yaml").write_text(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: map}, data: {mode: slow}}\n"
    )
    patch = "- {op: replace, path: /data/mode, value: fast}"
    (directory / "kustomization.yaml").write_text(
        f"resources: [map.yaml]\nnamePrefix: my-\npatches:\n- target: {{kind: ConfigMap}}\n  patch: |-\n    {patch}\n"
    )
    return directory


@pytest.fixture
def kubectl_in_path(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(cluster.kubectl_binary).parent))


@pytest.mark.usefixtures("kubectl_in_path")
def test_a_kustomization_is_built_and_applied(apply: Apply, cluster: Any, namespace: str, kustomization: Path) -> None:
    assert apply(kustomize=[str(kustomization)])["changed"]
    assert cluster.get("configmap", "my-map", "-n", namespace)["data"] == {"mode": "fast"}
    assert not apply(kustomize=[str(kustomization)])["changed"]


@pytest.mark.slow
@pytest.mark.usefixtures("kubectl_in_path")
def test_a_kustomization_that_cannot_be_built(apply: Apply, kustomization: Path) -> None:
    (kustomization / "map.yaml").unlink()
    reported = apply(kustomize=[str(kustomization)], fails=True)["msg"]
    assert f"kustomize {kustomization}: cannot be built: " in reported
    assert "map.yaml" in reported
    assert "Nothing was changed" in reported


def test_a_condition_is_waited_for_and_the_deadline_says_what_was_there(
    apply: Apply, cluster: Any, namespace: str
) -> None:
    declared = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "state"}, "data": {"mode": "slow"}}
    wanted = [{"kind": "ConfigMap", "path": "{.data.phase}", "regex": "^(Running|Done)$"}]
    waiting = {"definitions": [declared], "wait": True, "wait_conditions": wanted}
    failed = apply(wait_timeout=1, fails=True, **waiting)
    assert "{.data.phase} is nothing; waiting for text matching '^(Running|Done)$'" in failed["msg"]
    patch = ("patch", "configmap", "state", "-n", namespace, "--type=merge", "-p", '{"data":{"phase":"Running"}}')
    other = threading.Timer(0.5, lambda: cluster.kubectl(*patch))
    other.start()
    assert not apply(wait_timeout=30, **waiting)["changed"]
    other.join()
    assert cluster.get("configmap", "state", "-n", namespace)["data"]["phase"] == "Running"
