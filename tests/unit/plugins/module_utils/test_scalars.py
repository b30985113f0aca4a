# SPDX-License-Identifier: GPL-3.0-or-later
"""Wherever an option is text by the service, what YAML made of it arrives as YAML writes it, and as one rule says."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ansible_collections.mcpops.platform.plugins.filter.namespaces import namespaces
from ansible_collections.mcpops.platform.plugins.module_utils.arm.compare import tag_values
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_spec, server_validate
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.spec import typed_values
from ansible_collections.mcpops.platform.plugins.module_utils.kube import manifests
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import targets
from ansible_collections.mcpops.platform.plugins.module_utils.text import text_of_scalar, texts_of_mapping

# as the user writes it → the text that is meant
WRITTEN = {
    "true": "true",
    "false": "false",
    "Yes": "true",
    "7": "7",
    "-3": "-3",
    "0": "0",
    "1.5": "1.5",
    "1.0": "1.0",
    "12345678901234567890": "12345678901234567890",
    "2024-01-31": "2024-01-31",
    "2024-01-31T10:20:30Z": "2024-01-31T10:20:30Z",
    "plain": "plain",
    "'true'": "true",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_a_scalar_is_spelled_as_yaml_does(written: str) -> None:
    assert text_of_scalar(yaml.safe_load(written)) == WRITTEN[written]


def test_names_are_text_as_well() -> None:
    assert texts_of_mapping({True: 1, 8080: "http", "a": None}) == {"true": "1", "8080": "http", "a": None}


def server(**options: Any) -> dict[str, Any]:
    made: dict[str, Any] = server_spec.server_resource({"name": "a", "namespace": "b", "image": "c:1", **options})
    return made


def deployment(**options: Any) -> dict[str, Any]:
    found: dict[str, Any] = server(**options)["spec"]["deployment"]
    return found


def controller(**options: Any) -> dict[str, Any]:
    return typed_values({"namespace": "kmcp-system", **options}, "0.3.0")


# where a mapping of text is an option of ours → the mapping as the service gets it
PLACES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "env": lambda values: deployment(env=values)["env"],
    "labels": lambda values: deployment(labels=values)["labels"],
    "annotations": lambda values: deployment(annotations=values)["annotations"],
    "node selector": lambda values: deployment(node_selector=values)["nodeSelector"],
    "raw spec": lambda values: deployment(spec={"deployment": {"labels": values}})["labels"],
    "service account": lambda values: deployment(service_account={"annotations": values})["serviceAccount"][
        "annotations"
    ],
    "server labels": lambda values: server(server_labels=values)["metadata"]["labels"],
    "server annotations": lambda values: server(server_annotations=values)["metadata"]["annotations"],
    "arguments": lambda values: dict(zip(values, deployment(args=list(values.values()))["args"], strict=True)),
    "controller's env": lambda values: {
        row["name"]: row["value"] for row in controller(env=values)["controller"]["env"]
    },
    "controller's nodes": lambda values: controller(node_selector=values)["nodeSelector"],
    "controller's annotations": lambda values: controller(pod_annotations=values)["podAnnotations"],
    "controller's account": lambda values: controller(service_account={"annotations": values})["serviceAccount"][
        "annotations"
    ],
    "namespace": lambda values: namespaces([{"name": "a", "labels": values}])[0]["metadata"]["labels"],
    "all namespaces": lambda values: namespaces([{"name": "a"}], values)[0]["metadata"]["labels"],
    "tags": lambda values: tag_values(values)[0],
    "headers": lambda values: targets.targets_from({"url": "https://a.example.com/mcp", "headers": values})[0].headers,
}


@pytest.mark.parametrize("place", PLACES)
def test_every_place_has_the_same_rule(place: str) -> None:
    given = {f"n{index}": yaml.safe_load(written) for index, written in enumerate(WRITTEN)}
    assert PLACES[place](given) == {f"n{index}": text for index, text in enumerate(WRITTEN.values())}


@pytest.mark.parametrize("place", PLACES)
def test_whatever_the_scalar_the_service_gets_text_that_means_the_same(place: str) -> None:
    dice = random.Random(place)
    for _round in range(200):
        value: Any = dice.choice(
            [
                dice.random() < 0.5,
                dice.randint(-(10**18), 10**18),
                dice.uniform(-1e6, 1e6),
                dice.choice(["a", "True", "007", "1e3", "no"]),
            ]
        )
        (text,) = PLACES[place]({"n": value}).values()
        assert isinstance(text, str)
        assert text == value if isinstance(value, str) else json.loads(text) == value


def test_a_text_that_an_answer_must_contain_may_be_a_number_or_a_boolean() -> None:
    for value, text in ((True, "true"), (False, "false"), (42, "42"), (1.5, "1.5")):
        params = {"url": "https://a.example.com/mcp", "tool": "add", "expect": value}
        assert targets.targets_from(params)[0].expected.contains == text


def test_null_is_an_empty_variable_and_no_label() -> None:
    assert deployment(env={"A": None})["env"] == {"A": ""}
    assert deployment(labels={"a": None, "b": 1})["labels"] == {"b": "1"}
    assert server(server_labels={"a": None, "b": 1})["metadata"]["labels"] == {"b": "1"}


@pytest.mark.parametrize(
    ("option", "where"),
    [
        ({"labels": {"a": [1]}}, "labels.a"),
        ({"server_annotations": {"a": {"b": 1}}}, "server_annotations.a"),
        ({"node_selector": {"a": []}}, "node_selector.a"),
        ({"service_account": {"labels": {"a": {}}}}, "service_account.labels.a"),
        ({"args": ["--ports", [1, 2]]}, "args[1]"),
    ],
)
def test_structures_are_no_text(option: dict[str, Any], where: str) -> None:
    (declared,) = server_spec.declared_from({"servers": [{"name": "a", "namespace": "b", "image": "c:1", **option}]})
    (problem,) = server_validate.server_problems([declared])
    assert problem.path == f"servers[0].{where}"
    assert "give a text" in problem.message


CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
CONTAINER: dict[str, Any] = {"name": "main", "image": "c:1"}


def workload(container: dict[str, Any] | None = None, **pod: Any) -> dict[str, Any]:
    spec = {"containers": [CONTAINER, {**CONTAINER, **(container or {})}], **pod.pop("spec", {})}
    template = {"metadata": {"labels": {"app": "a"}, **pod.pop("metadata", {})}, "spec": spec}
    job = {"spec": {"template": template}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"}, "spec": {"jobTemplate": job}}


POD = "definitions[0].spec.jobTemplate.spec.template"
# a manifest → what is said of it
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "label": (
        {**CONFIG_MAP, "metadata": {"name": "a", "labels": {"n": 7}}},
        "definitions[0].metadata.labels.n: is a num",
    ),
    "annotation": (
        {**CONFIG_MAP, "metadata": {"name": "a", "annotations": {"on": True}}},
        "definitions[0].metadata.annotations.on: is a boolean, and must be text: quote it",
    ),
    "label of a custom resource": (
        {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a", "labels": {"x": 1.5}}},
        "definitions[0].metadata.labels.x: is a number, and must be text: quote it",
    ),
    "labels as a list": (
        {**CONFIG_MAP, "metadata": {"name": "a", "labels": ["a"]}},
        "definitions[0].metadata.labels: is a list, not a mapping of names to texts",
    ),
    "value of a ConfigMap": (
        {**CONFIG_MAP, "data": {"port": 8080}},
        "definitions[0].data.port: is a number, and must be",
    ),
    "structure in a ConfigMap": (
        {**CONFIG_MAP, "data": {"config": {"a": 1}}},
        "definitions[0].data.config: is a mapping, and must be",
    ),
    "label of a pod": (
        workload(metadata={"labels": {"v": 2}}),
        f"{POD}.metadata.labels.v: is a number, and must be",
    ),
    "node": (
        workload(spec={"nodeSelector": {"gpu": True}}),
        f"{POD}.spec.nodeSelector.gpu: is a boolean, and must be",
    ),
    "argument": (workload({"args": ["-p", 80]}), f"{POD}.spec.containers[1].args[1]: is a number, and must be"),
    "variable": (
        workload({"env": [{"name": "A", "value": True}]}),
        f"{POD}.spec.containers[1].env.A: is a boolean, and must be",
    ),
    "selector of a Service": (
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"selector": {"v": 1}}},
        "definitions[0].spec.selector.v: is a number, and must be",
    ),
    "selector": (
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
        | {"spec": {"selector": {"matchLabels": {"v": 1}}}},
        "definitions[0].spec.selector.matchLabels.v: is a number, and must be",
    ),
}


@pytest.mark.parametrize(("item", "reported"), REFUSED.values(), ids=REFUSED)
def test_a_manifest_with_something_else_than_text_is_refused_with_the_place(
    item: dict[str, Any], reported: str
) -> None:
    (problem,) = manifests.manifest_problems([item])
    assert f"{problem.path}: {problem.message}".startswith(reported)


OPEN = {"labels": {"x-kubernetes-preserve-unknown-fields": True}}
ACCEPTED: dict[str, dict[str, Any]] = {
    "null": {**CONFIG_MAP, "metadata": {"name": "a", "labels": {"a": None}, "annotations": None}, "data": {"a": None}},
    "a custom resource's own data": {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "a"},
        "spec": {"nodeSelector": {"a": 1}, "template": {"metadata": {"labels": {"a": 1}}}, "env": [{"value": 1}]},
    },
    "a resource's amounts": workload({"resources": {"limits": {"cpu": 1}}, "ports": [{"containerPort": 80}]}),
    "a reference": workload({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}]}),
    "a definition's schema": {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {"schema": {"properties": {"nodeSelector": {"additionalProperties": {}}, "metadata": OPEN}}},
    },
}


@pytest.mark.parametrize("item", ACCEPTED.values(), ids=ACCEPTED)
def test_what_may_be_something_else_is_left_alone(item: dict[str, Any]) -> None:
    assert manifests.manifest_problems([item]) == []
