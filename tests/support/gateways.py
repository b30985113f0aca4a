# SPDX-License-Identifier: GPL-3.0-or-later
"""Declarations of gateways and routes as the modules take them, and the schemas that their objects are judged by.

The CustomResourceDefinitions are those of the chart of Envoy Gateway, in the Go module that the local cloud builds.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.module_utils.gateway import gateway_route as route_operation
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.gateway_spec import (
    DeclaredGateway,
    gateway_objects,
)
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.route_spec import route_objects
from ansible_collections.mcpops.platform.plugins.modules import gateway as gateway_module
from ansible_collections.mcpops.platform.plugins.modules import gateway_route as route_module

MODULE = "github.com/envoyproxy/gateway@v1.9.1"
TENANT = "0f05f212-c61b-440a-9b80-9c0fde868da5"
ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"
LISTENERS = [{"hostname": "*.mcp.test", "tls": {"secret": "mcp-tls"}}]
ROUTES = [{"name": "echo", "host": "echo.mcp.test"}]
AUTH = [
    {
        "name": "entra",
        "issuer": ISSUER,
        "audiences": ["api://mcp-gateway"],
        "access": [{"roles": ["mcp.user"], "servers": ["echo"], "tools": ["echo", "add"]}, {"roles": ["mcp.admin"]}],
        "rate_limit": {"requests": 5},
    }
]


def _validated(spec: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    # entries of a list that are one object would be validated twice
    whole = json.loads(json.dumps({"kubeconfig": "/k", **given}))
    validated = ArgumentSpecValidator(spec).validate(whole)
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


def gateway_options(**given: Any) -> dict[str, Any]:
    return _validated(gateway_module.ARGUMENT_SPEC, {"namespace": "gateway", "listeners": LISTENERS, **given})


def route_options(**given: Any) -> dict[str, Any]:
    whole = {"namespace": "mcp", "gateway": {"namespace": "gateway"}, "routes": ROUTES, **given}
    if whole.get("renderer", "envoy") == "envoy" and "auth" not in given:
        whole["auth"] = AUTH
    return _validated(route_module.ARGUMENT_SPEC, whole)


def of_gateway(**given: Any) -> list[list[dict[str, Any]]]:
    return gateway_objects(DeclaredGateway(gateway_options(**given)))


def of_routes(**given: Any) -> list[list[dict[str, Any]]]:
    """The objects of the declared routes, in the order in which they are applied."""
    params = route_options(**given)
    gateway = route_operation.gateway_of(params)
    return [some for route in route_operation.routes_of(params) for some in route_objects(route, gateway)]


def named(phases: list[list[dict[str, Any]]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(item["kind"], item["metadata"]["name"]): item for some in phases for item in some}


@functools.lru_cache(maxsize=1)
def chart_definitions() -> dict[tuple[str, str], dict[str, Any]]:
    """(apiVersion, kind) -> schema, of Gateway API 1.6.1 and Envoy Gateway 1.9.1."""
    go = shutil.which("go") or "/usr/local/go/bin/go"
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "on"}
    answer = subprocess.run(
        [go, "mod", "download", "-json", MODULE], capture_output=True, text=True, check=True, env=environment, cwd="/"
    )
    charts = Path(json.loads(answer.stdout)["Dir"]) / "charts" / "gateway-crds-helm" / "templates"
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for file in (charts / "standard-gatewayapi-crds.yaml", *sorted((charts / "generated").glob("*.yaml"))):
        for kind, schema in _definitions(file.read_text(encoding="utf-8")):
            found[kind] = schema
    return found


def _definitions(text: str) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    # the only templates in these files are lines of their own that switch them on
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("{{"))
    for document in yaml.load_all(plain, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if not document or document.get("kind") != "CustomResourceDefinition":
            continue
        spec = document["spec"]
        for version in spec["versions"]:
            key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            yield key, _closed(version["schema"]["openAPIV3Schema"])


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """As `fieldValidation: Strict` judges: what the schema does not name is an error."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    made = {key: value for key, value in schema.items() if not key.startswith("x-")}
    if "properties" in made:
        made["properties"] = {key: _closed(below) for key, below in made["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    if isinstance(made.get("items"), dict):
        made["items"] = _closed(made["items"])
    if isinstance(made.get("additionalProperties"), dict):
        made["additionalProperties"] = _closed(made["additionalProperties"])
    return made


def schema_errors(item: dict[str, Any]) -> list[str]:
    """What the CustomResourceDefinition of an object says against it."""
    schema = chart_definitions()[item["apiVersion"], item["kind"]]
    schema = {**schema, "properties": {**schema["properties"], "metadata": {"type": "object"}}}
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in jsonschema.Draft7Validator(schema).iter_errors(item)
    ]
