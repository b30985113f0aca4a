# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of wrong types in the raw spec: each is named with its place, and none ends in a traceback."""

from __future__ import annotations

import random
from typing import Any

import pytest
from support import mcpserver_schema

from ansible_collections.mcpops.platform.plugins.module_utils import masking
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_types, server_validate
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from, overlaid

SCHEMA = mcpserver_schema.schema()
SOUND = {"name": "echo", "namespace": "mcp", "image": "echo:1.0.0"}
SAMPLES: tuple[Any, ...] = (
    *("x", "", 5, -1, 2.5, True, None, [], ["x"], [5], [None], [[]], [{"name": 5}]),
    *({}, {"a": 1}, {"name": None}, {"name": ["x"]}, {5: "x"}, {"limits": []}),
)


def problems(**options: Any) -> list[str]:
    return [str(one) for one in server_validate.server_problems(declared_from({**SOUND, **options}))]


def shape(part: dict[str, Any]) -> Any:
    """A schema as server_types writes it."""
    if part.get("x-kubernetes-int-or-string"):
        return server_types.AMOUNT
    if part["type"] == "object":
        values = part.get("additionalProperties")
        if isinstance(values, dict):
            return {server_types.ANY: shape(values)}
        return {name: shape(below) for name, below in part.get("properties", {}).items()}
    if part["type"] == "array":
        return [shape(part["items"])]
    return {"string": server_types.TEXT, "integer": server_types.WHOLE, "boolean": server_types.FLAG}[part["type"]]


def test_the_types_are_those_of_the_definition() -> None:
    assert shape(SCHEMA) == server_types.SPEC


# the raw spec → path, and what is to be said of it
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "deployment as a text": ({"deployment": "x"}, "spec.deployment", "is text: give a mapping"),
    "no deployment": ({"deployment": None}, "spec.deployment", "is null: give a mapping"),
    "env as a list": ({"deployment": {"env": ["A=b"]}}, "spec.deployment.env", "is a list: give a mapping"),
    "references as a number": ({"deployment": {"configMapRefs": 5}}, "spec.deployment.configMapRefs", "give a list"),
    "arguments as a number": ({"deployment": {"args": 7}}, "spec.deployment.args", "is a number: give a list"),
    "mount as a number": ({"deployment": {"volumeMounts": [5]}}, "spec.deployment.volumeMounts[0]", "give a mapping"),
    "transport as a text": ({"httpTransport": "x"}, "spec.httpTransport", "give a mapping"),
    "tls as a text": ({"httpTransport": {"tls": "x"}}, "spec.httpTransport.tls", "give a mapping"),
    "sidecars as a text": ({"deployment": {"sidecars": "x"}}, "spec.deployment.sidecars", "give a list"),
    "resources as a list": ({"deployment": {"resources": [1]}}, "spec.deployment.resources", "give a mapping"),
    "init container": ({"deployment": {"initContainer": "x"}}, "spec.deployment.initContainer", "give a mapping"),
    "image as a number": ({"deployment": {"image": 5}}, "spec.deployment.image", "is a number: give a text"),
    "replicas as a switch": ({"deployment": {"replicas": True}}, "spec.deployment.replicas", "give a whole number"),
    "timeout as a number": ({"timeout": 30}, "spec.timeout", "is a number: give a text"),
    "deep inside": (
        {"deployment": {"sidecars": [{"name": "a", "ports": [{"containerPort": "80"}]}]}},
        "spec.deployment.sidecars[0].ports[0].containerPort",
        "is text: give a whole number",
    ),
}


@pytest.mark.parametrize(("spec", "path", "words"), WRONG.values(), ids=WRONG)
def test_a_value_of_another_type_is_named_and_the_other_problems_stay(
    spec: dict[str, Any], path: str, words: str
) -> None:
    [problem] = problems(spec=spec)
    assert problem.startswith(f"{path}: ")
    assert words in problem
    both = problems(spec=spec, namespace="Bad_Name")
    assert problem in both
    assert any(one.startswith("namespace: ") for one in both)


def test_of_what_depends_on_a_wrong_value_nothing_is_said() -> None:
    mount = {"name": "data", "mountPath": "/data"}
    assert problems(volume_mounts=[mount], spec={"deployment": {"volumes": "data", "cmd": 5}}, image=None) == [
        "spec.deployment.volumes: is text: give a list",
        "spec.deployment.cmd: is a number: give a text",
    ]


def at(path: tuple[str, ...], value: Any) -> Any:
    for step in reversed(path):
        value = [value] if step == "[]" else {"x" if step == "*" else step: value}
    return value


def judged(spec: dict[str, Any], **options: Any) -> list[Problem]:
    """All that is asked of a server before the first request."""
    servers = declared_from({**SOUND, **options, "spec": spec})
    masking.declared_values([server.resource for server in servers])
    assert server_validate.absence_problems(servers) == []
    found = server_validate.server_problems(servers)
    for server in servers if not found else ():
        server_validate.server_warnings(server)
    return found


TRANSPORTS: tuple[dict[str, Any], ...] = (
    {},
    {"transport": "stdio", "command": "x"},
    {"transport": "stdio", "command": "npx", "image": None, "security_context": {"readOnlyRootFilesystem": True}},
)


@pytest.mark.parametrize("each", [5, pytest.param(len(SAMPLES), marks=pytest.mark.slow)], ids=["some", "all"])
def test_no_value_at_any_place_of_the_definition_ends_in_a_traceback(each: int) -> None:
    """At every gate some of the samples at every place, others at its neighbours."""
    dice = random.Random(7)
    for path, part in mcpserver_schema.leaves(SCHEMA):
        for sample in dice.sample(SAMPLES, each) if path else ():
            found = judged(at(path, sample), **dice.choice(TRANSPORTS))
            assert found or sample is None or _fits(sample, part), (path, sample)


@pytest.mark.parametrize("rounds", [300, pytest.param(1500, marks=pytest.mark.slow)], ids=["some", "all"])
def test_no_values_at_several_places_end_in_a_traceback(rounds: int) -> None:
    dice = random.Random(11)
    near = [path for path, _part in mcpserver_schema.leaves(SCHEMA) if 0 < len(path) <= 4]
    for _round in range(rounds):
        spec: dict[str, Any] = {}
        for _value in range(dice.randint(2, 5)):
            spec = overlaid(spec, at(dice.choice(near), dice.choice(SAMPLES)))
        judged(spec, **dice.choice(TRANSPORTS))


def _fits(value: Any, part: dict[str, Any]) -> bool:
    """Whether the outermost type is right, or becomes so: scalars become text in places."""
    kind = shape(part)
    if isinstance(kind, dict):
        return isinstance(value, dict)
    if isinstance(kind, list):
        return isinstance(value, list)
    return not isinstance(value, (dict, list))
