# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option and suboption of the modules of a mesh has a value that is refused before a cluster is asked.

What has a type or choices of its own is refused by these; what is text has a row here."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest
from support import refused

from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import kubernetes_argument_spec
from ansible_collections.mcpops.platform.plugins.modules import mesh_agent, mesh_registry, mesh_registry_info

# which all modules of Kubernetes share: tests/unit/plugins/module_utils/kube/test_options.py
CONNECTION = kubernetes_argument_spec()
LEAST: dict[ModuleType, dict[str, Any]] = {
    mesh_agent: {"namespace": "mesh", "agents": [{"name": "a", "image": "i:1"}]},
    mesh_registry: {"namespace": "mesh"},
    mesh_registry_info: {"namespace": "mesh"},
}
PASSED_ON = {"agents[].command", "agents[].args"}
"""Whatever it is becomes text, or is refused where it cannot (test_agent_validate.py)."""
MODULES = {module.__name__.rpartition(".")[2]: module for module in LEAST}


def agent(**options: Any) -> dict[str, Any]:
    return {"agents": [{"name": "a", "image": "i:1", **options}]}


def database(**options: Any) -> dict[str, Any]:
    return {"database": options}


def blob(**options: Any) -> dict[str, Any]:
    guid = "00000000-0000-0000-0000-000000000001"
    needed = {"url": "https://acct.blob.core.windows.net/dumps", "client_id": guid, "tenant_id": guid}
    return {"database": {"type": "bundled"}, "backup": {}, "blob": {**needed, **options}}


def existing(**secret: str) -> dict[str, Any]:
    return database(type="existing", existing_secret={"name": "s", **secret})


def exposures(where: str, whole: Callable[[dict[str, Any]], dict[str, Any]]) -> list[refused.Row]:
    """What is refused of a load balancer for other clusters, whoever has it."""
    some = {"source_ranges": ["10.0.0.0/8"]}
    address = {"name": "pip", "resource_group": "rg"}
    return [
        (whole({"source_ranges": []}), f"{where}.source_ranges", "say who may come"),
        (whole({"source_ranges": ["10.0.0.0/8", "0.0.0.0/0"]}), f"{where}.source_ranges[1]", "is everybody"),
        (whole({"source_ranges": ["everybody"]}), f"{where}.source_ranges[0]", ""),
        (whole({**some, "public_ip": address}), f"{where}.public_ip", "set internal to false"),
        (
            whole({**some, "internal": False, "public_ip": {**address, "name": "-"}}),
            f"{where}.public_ip.name",
            "is not a valid name",
        ),
        (
            whole({**some, "internal": False, "public_ip": {**address, "resource_group": "rg."}}),
            f"{where}.public_ip.resource_group",
            "is not a valid name",
        ),
        (whole({**some, "internal": False, "ip": "10.0.0.9"}), f"{where}.ip", "a public one is named by public_ip"),
        (whole({**some, "ip": "::1"}), f"{where}.ip", "is not an IPv4 address"),
    ]


TEXTS: dict[ModuleType, list[refused.Row]] = {
    mesh_agent: [
        *exposures("agents[0].exposed", lambda given: {"agents": [{"exposed": {"host": "192.0.2.1", **given}}]}),
        *(
            (
                {"agents": [{"exposed": {"source_ranges": ["10.0.0.0/8"], "host": host}}]},
                "agents[0].exposed.host",
                "is not what other clusters could call",
            )
            for host in ("agent", "agent.mesh", "agent.mesh.svc", "1.2.3", "A.example.com")
        ),
        ({"remote_cidrs": ["10.0.0.0/99"]}, "remote_cidrs[0]", ""),
        ({"namespace": "-"}, "namespace", "is not a valid namespace name"),
        ({"registry_namespace": "-"}, "registry_namespace", "is not a valid namespace name"),
        ({"registry_service": "A"}, "registry_service", "is not a valid Service name"),
        ({"registry_url": "mesh:8000"}, "registry_url", "is not the address of a registry"),
        ({"set_name": "a b"}, "set_name", "is not a valid"),
        ({"code": "/nowhere", **agent(image=None, script="a.py")}, "agents[0].script", "/nowhere"),
        (agent(name="A"), "agents[0].name", "is not a valid"),
        (agent(version="a b"), "agents[0].version", "is not a valid"),
        (agent(image="A B"), "agents[0].image", "is not a valid image reference"),
        (agent(directory="a", script="b.py", image=None), "agents[0].directory", ""),
        (agent(image=None, directory="a", entrypoint="/b.py"), "agents[0].entrypoint", "is not a path below"),
        (agent(capabilities=[{"name": ""}]), "agents[0].capabilities[0].name", "is not the name of a capability"),
        (agent(capabilities=[{"name": "c", "version": "new"}]), "agents[0].capabilities[0].version", "valid range"),
        (agent(dependencies=[{"capability": ""}]), "agents[0].dependencies[0].capability", "name of a capability"),
        (
            agent(dependencies=[{"capability": "c", "version": ">="}]),
            "agents[0].dependencies[0].version",
            "is not a valid range",
        ),
        (agent(persistence={"size": "big"}), "agents[0].persistence.size", "is not a valid size"),
        (
            agent(persistence={"size": "1Gi", "storage_class": "A"}),
            "agents[0].persistence.storage_class",
            "is not a valid StorageClass name",
        ),
        (
            agent(persistence={"size": "1Gi", "access_mode": "ReadOnlyMany"}),
            "agents[0].persistence.access_mode",
            "is none of",
        ),
        (
            agent(persistence={"size": "1Gi", "mount_path": "data"}),
            "agents[0].persistence.mount_path",
            "is not the absolute path",
        ),
    ],
    mesh_registry: [
        ({"namespace": "-"}, "namespace", "is not a valid namespace name"),
        ({"name": "A"}, "name", "is not a valid"),
        ({"image": "A B"}, "image", "is not a valid image reference"),
        (existing(name="A"), "database.existing_secret.name", "is not a valid Secret name"),
        (existing(key="a/b"), "database.existing_secret.key", "is not a key of a Secret"),
        (database(image="?"), "database.image", "is not a valid image reference"),
        (database(size="big"), "database.size", "is not a valid size"),
        (database(storage_class="A"), "database.storage_class", "is not a valid StorageClass name"),
        ({"backup": {"schedule": "daily"}}, "backup.schedule", ""),
        ({"backup": {"size": "much"}}, "backup.size", ""),
        ({"backup": {"storage_class": "A"}}, "backup.storage_class", ""),
        ({"backup": {"claim": "A!"}}, "backup.claim", ""),
        ({"restore": {"file": "../x"}}, "restore.file", ""),
        ({"restore": {"claim": "A!"}}, "restore.claim", ""),
        (blob(url="http://acct/dumps"), "blob.url", "is not the https address of a container"),
        (blob(client_id="me"), "blob.client_id", "is not a GUID"),
        (blob(tenant_id="us"), "blob.tenant_id", "is not a GUID"),
        (blob(authority_host="login"), "blob.authority_host", "is not an address"),
        (blob(image="A B"), "blob.image", "is not a valid image reference"),
        (blob(ca_config_map={"name": "A!", "key": "ca.crt"}), "blob.ca_config_map.name", "is not a valid"),
        (blob(ca_config_map={"name": "ca", "key": "a/b"}), "blob.ca_config_map.key", "is not a valid key"),
        *exposures("exposed", lambda given: {"exposed": given}),
        (
            {"exposed": {"source_ranges": ["10.0.0.0/8"], "agent_ranges": ["x"]}},
            "exposed.agent_ranges[0]",
            "",
        ),
    ],
    mesh_registry_info: [
        ({"namespace": "-"}, "namespace", "is not a valid namespace name"),
        ({"service": "9"}, "service", "is not a valid Service name"),
        ({"agents": [{"name": "A"}]}, "agents[0].name", "is not a valid agent name"),
        ({"agents": [{"name": "a", "host": "a"}]}, "agents[0].host", "NAME.NAMESPACE"),
        ({"agents": [{"name": "a", "capabilities": [{"name": ""}]}]}, "agents[0].capabilities[0].name", "name of a"),
        (
            {"agents": [{"name": "a", "capabilities": [{"name": "c", "version": "new"}]}]},
            "agents[0].capabilities[0].version",
            "valid range",
        ),
        (
            {"agents": [{"name": "a", "dependencies": [{"capability": ""}]}]},
            "agents[0].dependencies[0].capability",
            "name of a capability",
        ),
        (
            {"agents": [{"name": "a", "dependencies": [{"capability": "c", "version": ">="}]}]},
            "agents[0].dependencies[0].version",
            "valid range",
        ),
        ({"capabilities": [{"name": ""}]}, "capabilities[0].name", "name of a capability"),
        ({"capabilities": [{"name": "c", "version": "new"}]}, "capabilities[0].version", "valid range"),
    ],
}


def rows(module: ModuleType) -> list[refused.Row]:
    own = {name: rule for name, rule in module.ARGUMENT_SPEC.items() if name not in CONNECTION}
    return [*TEXTS[module], *refused.rows_by_type(own)]


def joined(least: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, with what is needed beside it."""
    whole = {**copy.deepcopy(least), **copy.deepcopy(dict(given))}
    entries = whole.get("agents")
    if isinstance(entries, list):
        whole["agents"] = [{"name": "a", **one} for one in entries if isinstance(one, dict)] or entries
    return whole


@pytest.mark.parametrize("name", MODULES)
def test_each_wrong_value_is_refused_by_its_place(name: str) -> None:
    module = MODULES[name]
    for given, path, words in rows(module):
        params = joined(LEAST[module], given)
        found = refused.problems(module.ARGUMENT_SPEC, module.OPERATION, {"kubeconfig": "/nowhere", **params})
        assert refused.is_reported(found, path, words), (given, [str(one) for one in found])


@pytest.mark.parametrize("name", MODULES)
def test_every_option_is_refused_somewhere(name: str) -> None:
    module = MODULES[name]
    left = refused.never_refused(module.ARGUMENT_SPEC, rows(module), CONNECTION)
    assert set(left) - PASSED_ON <= {"code"}
