# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments are inventories, which may give everything other names: whatever is called by its name is still found.

The overlays of the project's own manifests put a prefix before the names of Services, and left the old ones in the
addresses that are made of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jinja2.nativetypes import NativeEnvironment
from support.playbook import CHECKOUT

from ansible_collections.mcpops.platform.plugins.filter.image_digests import image_digests
from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import selector_matches
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.agent_spec import agent_objects
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.backup_spec import backup_objects
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.mesh_agent import declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_spec import (
    DeclaredRegistry,
    registry_objects,
)
from ansible_collections.mcpops.platform.plugins.modules import mesh_agent, mesh_registry

CONNECTION = {"kubeconfig": "/k"}
INVENTORIES: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "a prefix": {"mcp_mesh_registry_name": "dev-mcp-mesh-registry", "mcpops_mesh_namespace": "mcp-mesh-dev"},
    "several pods": {"mcp_mesh_registry_name": "prod-registry", "mcp_mesh_replicas": 3, "agents": {"replicas": 3}},
    "a file": {"mcp_mesh_registry_name": "small", "mcp_mesh_database": {"type": "sqlite"}},
    "namespaces of their own": {
        "mcp_mesh_namespace": "registry-dev",
        "mcp_mesh_registry_name": "dev",
        "mcp_mesh_agents_namespace": "agents-dev",
    },
    "labels": {"agents": {"version": "2.0.0", "labels": {"environment": "prod", "version": "stable"}}},
}


def options_of(role: str, module: Any, inventory: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Those of a role's only task with this module, of an inventory and the defaults of this role alone."""
    directory = CHECKOUT / "roles" / role
    defaults = yaml.safe_load((directory / "defaults/main.yml").read_text())
    jinja = NativeEnvironment()
    jinja.filters["mcpops.platform.image_digests"] = image_digests
    variables = {"hostvars": {}} | {name: value for name, value in inventory.items() if name != "agents"}
    for name, value in defaults.items():
        if name not in variables and not name.endswith("_kubeconfig"):
            variables[name] = jinja.from_string(value).render(variables) if isinstance(value, str) else value
    full = f"mcpops.platform.{module.__name__.rpartition('.')[2]}"
    [task] = [one[full] for one in yaml.safe_load((directory / "tasks/main.yml").read_text()) if full in one]
    wanted = {name: variables[str(value).strip("{} ")] for name, value in task.items() if _is_plain(value, variables)}
    validated = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate({**CONNECTION, **wanted, **more})
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


def _is_plain(value: Any, variables: dict[str, Any]) -> bool:
    """A variable of the role and nothing else: all of those that names are made of."""
    return str(value).strip("{} ") in variables


def objects_of(inventory: dict[str, Any]) -> list[dict[str, Any]]:
    registry = options_of("mcp_mesh", mesh_registry, inventory, backup={"keep": 3})
    agents = [{"name": name, "image": "x", **inventory.get("agents", {})} for name in ("dates", "greeter")]
    task = declared_from(options_of("mcp_mesh_agents", mesh_agent, inventory, agents=agents))
    assert task.asks_registry
    declared = DeclaredRegistry(registry, "password")
    made = [*registry_objects(declared), *(backup_objects(declared) if declared.kind != "sqlite" else [])]
    return [*made, *(item for one in task.agents for item in agent_objects(one, task.mesh))]


@pytest.mark.parametrize("inventory", INVENTORIES.values(), ids=INVENTORIES)
def test_what_is_called_by_its_name_is_found(inventory: dict[str, Any]) -> None:
    objects = objects_of(inventory)
    found = {(item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]): item for item in objects}
    templates = {
        key: item["spec"]["template"]["spec"] for key, item in found.items() if key[0] in ("Deployment", "StatefulSet")
    }
    hosts = set()
    for (_kind, namespace, _name), pod in templates.items():
        assert ("ServiceAccount", namespace, pod["serviceAccountName"]) in found
        for one in pod["containers"][0]["env"]:
            if one["name"] == "MCP_MESH_REGISTRY_URL":
                address = urlsplit(one["value"])
                hosts.add((str(address.hostname), address.port))
            reference = one.get("valueFrom", {}).get("secretKeyRef")
            assert reference is None or ("Secret", namespace, reference["name"]) in found
        for volume in pod["volumes"]:
            claim = volume.get("persistentVolumeClaim")
            assert claim is None or ("PersistentVolumeClaim", namespace, claim["claimName"]) in found
    assert hosts
    declared = DeclaredRegistry(options_of("mcp_mesh", mesh_registry, inventory), "password")
    if declared.kind != "sqlite":
        database = urlsplit(declared.database_url)
        hosts.add((str(database.hostname), database.port))
    for host, port in hosts:
        name, _dot, namespace = host.partition(".")
        service = found["Service", namespace, name]
        assert port in [one["port"] for one in service["spec"]["ports"]]


@pytest.mark.parametrize("inventory", INVENTORIES.values(), ids=INVENTORIES)
def test_every_selector_finds_pods_of_its_namespace(inventory: dict[str, Any]) -> None:
    objects = objects_of(inventory)
    labels = [
        (item["metadata"]["namespace"], template["metadata"]["labels"])
        for item in objects
        for template in [
            item.get("spec", {}).get("template")
            or item.get("spec", {}).get("jobTemplate", {}).get("spec", {}).get("template")
        ]
        if template
    ]
    selectors = [
        (item["metadata"]["namespace"], {"matchLabels": spec["selector"]} if item["kind"] == "Service" else spec[key])
        for item in objects
        for spec in [item.get("spec", {})]
        for key in ("selector", "podSelector")
        if key in spec
    ]
    assert selectors
    for namespace, selector in selectors:
        assert any(place == namespace and selector_matches(selector, one) for place, one in labels), selector
        # what an environment adds is never selected by: a selector cannot change
        assert {"version", "environment", "app.kubernetes.io/version"}.isdisjoint(selector.get("matchLabels", {}))
