# SPDX-License-Identifier: GPL-3.0-or-later
"""Every field of the CustomResourceDefinition of KMCP 0.3.0 has an option, by the definition's own schema."""

from __future__ import annotations

from typing import Any

import pytest
from support import mcpserver_schema

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_spec
from ansible_collections.mcpops.platform.plugins.modules import mcp_server

SCHEMA = mcpserver_schema.schema()
# the mark that an option leaves in the field that it sets
MARK = "mark"
# fields that no option sets alone: which transport it is follows from `transport`, and its port from `port`
FOLLOWING = {"transportType", "stdioTransport", "httpTransport.targetPort"}
# option → the fields of which it sets more than one, or inside of which it is
INSIDE = {"service_account", "tls", "init_container", "security_context", "pod_security_context", "affinity"}


def fields(part: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """The fields of a spec down to those that are one option: of deployment and httpTransport, what is in them."""
    found = {}
    for name, below in part["properties"].items():
        if name in ("deployment", "httpTransport"):
            found.update(fields(below, f"{name}."))
        else:
            found[f"{path}{name}"] = below
    return found


def marked(option: str) -> Any:
    """A value of the option's type that is found again in the resource."""
    kind = mcp_server.SERVER[option]["type"]
    samples = {"str": MARK, "int": 4321, "dict": {MARK: MARK}, "list": [{MARK: MARK}]}
    if option == "tls":
        return {"secret_ref": MARK}
    if option == "service_account":
        return {"labels": {MARK: MARK}}
    return [MARK] if mcp_server.SERVER[option].get("elements") in ("str", "raw") else samples[kind]


def sets(option: str) -> set[str]:
    """The fields that change when the option is given."""
    least = {"name": "echo", "namespace": "mcp"}
    with_it = {**least, option: marked(option)}
    before, after = (_flat(server_spec.server_resource(options)["spec"]) for options in (least, with_it))
    return {path for path in after if after[path] != before.get(path)}


def _flat(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: value for name, value in spec.items() if name not in ("deployment", "httpTransport")},
        **{f"{part}.{name}": value for part in ("deployment", "httpTransport") for name, value in spec[part].items()},
    }


FIELD_OPTIONS = [
    option
    for option in mcp_server.SERVER
    if option
    not in (
        *server_spec.BESIDE,
        *server_spec.STDIO,
        "name",
        "namespace",
        "server_labels",
        "server_annotations",
        "transport",
        "spec",
    )
]


def test_every_field_of_the_definition_has_an_option_and_every_option_a_field() -> None:
    declared = {field for option in FIELD_OPTIONS for field in sets(option)}
    assert declared | FOLLOWING == set(fields(SCHEMA))


@pytest.mark.parametrize("option", FIELD_OPTIONS)
def test_an_option_sets_the_field_that_it_is_named_after(option: str) -> None:
    found = {path.rpartition(".")[2] for path in sets(option)}
    assert found - {"targetPort"} == {server_spec.field_of(option)}


TYPES = {"string": "str", "integer": "int", "object": "dict", "array": "list", "boolean": "bool"}


@pytest.mark.parametrize("option", FIELD_OPTIONS)
def test_an_option_has_the_type_of_its_field(option: str) -> None:
    [path] = sets(option) - {"httpTransport.targetPort"}
    part, spec = fields(SCHEMA)[path], mcp_server.SERVER[option]
    assert spec["type"] == TYPES[part["type"]]
    if "enum" in part:
        assert set(spec["choices"]) == set(part["enum"])


@pytest.mark.parametrize("option", ["tls", "service_account"])
def test_the_parts_of_an_option_are_those_of_its_field(option: str) -> None:
    [path] = sets(option)
    parts = {server_spec.field_of(name): one["type"] for name, one in mcp_server.SERVER[option]["options"].items()}
    assert parts == {name: TYPES[part["type"]] for name, part in fields(SCHEMA)[path]["properties"].items()}


def test_transports_are_those_of_the_definition() -> None:
    assert set(mcp_server.SERVER["transport"]["choices"]) == set(SCHEMA["properties"]["transportType"]["enum"])


def test_what_the_definition_wants_as_text_becomes_text() -> None:
    """Of the server's own fields; what Kubernetes' kinds below them want, their own schema says."""
    wanted = {
        path
        for path, part in mcpserver_schema.leaves(SCHEMA["properties"]["deployment"])
        if part.get("type") == "string" and path[-1] in ("*", "[]") and len(path) <= 3 and "[]" not in path[:-1]
    } - {("resources", "claims", "[]"), ("securityContext", "capabilities", "[]")}
    for path in wanted:
        value: Any = 7
        for step in reversed(path):
            value = [value] if step == "[]" else {"x" if step == "*" else step: value}
        found: Any = server_spec.server_resource({"name": "a", "namespace": "b", "spec": {"deployment": value}})["spec"]
        for step in ("deployment", *path):
            found = found[0] if step == "[]" else found["x" if step == "*" else step]
        assert found == "7", path
    assert ("env", "*") in wanted
    assert ("serviceAccount", "annotations", "*") in wanted
