# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of mesh_agent has a value that is refused, and one at the limit that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.mesh import mesh_agent as operation
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.agent_spec import DeclaredAgent
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.agent_validate import agent_warnings
from ansible_collections.mcpops.platform.plugins.modules import mesh_agent as module

SCALING = {"min_replicas": 1, "max_replicas": 3, "cpu_percent": 70}
REQUESTS = {"cpu": "100m", "memory": "64Mi"}
VOLUME = {"size": "1Gi"}


def problems(agent: dict[str, Any] | None = None, **options: Any) -> list[tuple[str, str]]:
    defaults = {name: spec.get("default") for name, spec in module.ARGUMENT_SPEC.items()}
    entry = {"name": "dates", "image": "dates:1", **(agent or {})}
    params = {**defaults, "kubeconfig": "/k", "namespace": "mesh", "agents": [entry], **options}
    return [(problem.path, problem.message) for problem in operation.problems(params)]


AGENT: dict[str, tuple[dict[str, Any], str, str]] = {
    "called from everywhere": (
        {"exposed": {"host": "192.0.2.1", "source_ranges": ["0.0.0.0/0"]}},
        "exposed.source_ranges[0]",
        "is everybody",
    ),
    "name": ({"name": "9dates"}, "name", "is not a valid agent name"),
    "a long name": ({"name": "d" * 53}, "name", "is not a valid agent name"),
    "version": ({"version": "new"}, "version", "is not a valid version"),
    "no code": ({"image": None}, "", "has neither code nor an image"),
    "code twice": ({"script": "a.py", "directory": "a"}, "directory", "excludes script"),
    "empty script": ({"script": ""}, "script", "is empty"),
    "empty directory": ({"directory": ""}, "directory", "is empty"),
    "entrypoint alone": ({"entrypoint": "a.py"}, "entrypoint", "names a file of directory"),
    "entrypoint outside": ({"directory": "a", "entrypoint": "../b.py"}, "entrypoint", "is not a path below"),
    "absolute entrypoint": ({"directory": "a", "entrypoint": "/b.py"}, "entrypoint", "is not a path below"),
    "image": ({"image": "Not An Image"}, "image", "is not a valid image reference"),
    "image_pull_secrets": ({"image_pull_secrets": ["A"]}, "image_pull_secrets[0]", "is not a valid Secret name"),
    "command": ({"command": ["python", {"a": 1}]}, "command[1]", "must be text"),
    "args": ({"args": [None]}, "args[0]", "must be text"),
    "port": ({"port": 80}, "port", "without root may listen"),
    "a large port": ({"port": 65536}, "port", "without root may listen"),
    "capabilities": ({"capabilities": [{"name": "a", "version": "latest"}]}, "capabilities[0].version", "valid range"),
    "dependencies": ({"dependencies": [{"capability": ""}]}, "dependencies[0].capability", "name of a capability"),
    "replicas": ({"replicas": -1}, "replicas", "is not a number of pods"),
    "many replicas": ({"replicas": 101}, "replicas", "is not a number of pods"),
    "both scales": ({"replicas": 2, "autoscaling": SCALING}, "replicas", "excludes autoscaling"),
    "min_replicas": ({"autoscaling": {**SCALING, "min_replicas": 0}}, "autoscaling.min_replicas", "1 to 100"),
    "max_replicas": ({"autoscaling": {**SCALING, "min_replicas": 4}}, "autoscaling.max_replicas", "outside of"),
    "no target": ({"autoscaling": {"min_replicas": 1, "max_replicas": 2}}, "autoscaling", "has no target"),
    "cpu_percent": ({"autoscaling": {**SCALING, "cpu_percent": 0}}, "autoscaling.cpu_percent", "not a percentage"),
    "memory_percent": (
        {"autoscaling": {**SCALING, "memory_percent": 1001}},
        "autoscaling.memory_percent",
        "not a percentage",
    ),
    "stabilization_window": (
        {"autoscaling": {**SCALING, "stabilization_window": 3601}},
        "autoscaling.stabilization_window",
        "0 to 3600",
    ),
    "env name": ({"env": {"1A": "x"}}, "env.1A", "is not a valid name"),
    "env value": ({"env": {"A": {"b": 1}}}, "env.A", "must be text"),
    "env of ours": ({"env": {"MCP_MESH_HTTP_HOST": "x"}}, "env.MCP_MESH_HTTP_HOST", "follows from the declaration"),
    "the id": ({"env": {"MCP_MESH_AGENT_ID": "x"}}, "env.MCP_MESH_AGENT_ID", "follows from the declaration"),
    "secret_env of ours": (
        {"secret_env": {"MCP_MESH_REGISTRY_URL": {"name": "a", "key": "b"}}},
        "secret_env.MCP_MESH_REGISTRY_URL",
        "follows from the declaration",
    ),
    "secret_env twice": (
        {"env": {"A": "x"}, "secret_env": {"A": {"name": "a", "key": "b"}}},
        "secret_env.A",
        "is in env as well",
    ),
    "secret_env": ({"secret_env": {"A": "text"}}, "secret_env.A", "a mapping of name and key"),
    "secret_env name": ({"secret_env": {"A": {"name": "B", "key": "c"}}}, "secret_env.A.name", "valid Secret name"),
    "secret_env key": ({"secret_env": {"A": {"name": "b", "key": "c/d"}}}, "secret_env.A.key", "key of a Secret"),
    "secret_refs": ({"secret_refs": ["A_"]}, "secret_refs[0]", "is not a valid Secret name"),
    "config_map_refs": ({"config_map_refs": [""]}, "config_map_refs[0]", "is not a valid ConfigMap name"),
    "resources": ({"resources": {"requests": REQUESTS}}, "resources", "lacks limits.memory"),
    "resource amounts": (
        {"resources": {"requests": REQUESTS, "limits": {"memory": "32Mi"}}},
        "resources.requests.memory",
        "more than the limit",
    ),
    "resource names": (
        {"resources": {"requests": REQUESTS, "limits": {"memory": "1Gi"}, "limit": {}}},
        "resources.limit",
        "is not known",
    ),
    "node_selector": ({"node_selector": {"a/b/c": "x"}}, "node_selector.a/b/c", "is not a valid"),
    "labels": ({"labels": {"team": "a b"}}, "labels.team", "is not a valid label value"),
    "labels of ours": ({"labels": {"app.kubernetes.io/name": "x"}}, "labels.app.kubernetes.io/name", "by the module"),
    "annotations": ({"annotations": {"a b": "x"}}, "annotations.a b", "is not a valid annotation name"),
    "annotation value": ({"annotations": {"a": [1]}}, "annotations.a", "must be text"),
    "run_as_user": ({"run_as_user": 0}, "run_as_user", "not root"),
    "size": ({"persistence": {"size": "much"}}, "persistence.size", "is not a valid size"),
    "no size": ({"persistence": {"size": "0"}}, "persistence.size", "is not a valid size"),
    "access_mode": ({"persistence": {**VOLUME, "access_mode": "Mine"}}, "persistence.access_mode", "is none of"),
    "storage_class": ({"persistence": {**VOLUME, "storage_class": "A"}}, "persistence.storage_class", "not a valid"),
    "mount_path": ({"persistence": {**VOLUME, "mount_path": "data"}}, "persistence.mount_path", "absolute path"),
    "mount of ours": ({"persistence": {**VOLUME, "mount_path": "/tmp/"}}, "persistence.mount_path", "mounted already"),
    "one volume for two": ({"persistence": VOLUME, "replicas": 2}, "persistence.access_mode", "lets one pod have"),
    "one volume for many": (
        {"persistence": VOLUME, "autoscaling": SCALING},
        "persistence.access_mode",
        "lets one pod have",
    ),
}
TASK: dict[str, tuple[dict[str, Any], str, str]] = {
    "kubeconfig": ({"kubeconfig": " "}, "kubeconfig", "is empty"),
    "namespace": ({"namespace": "A"}, "namespace", "is not a valid namespace name"),
    "registry_namespace": ({"registry_namespace": "-"}, "registry_namespace", "is not a valid namespace name"),
    "registry_service": ({"registry_service": "A"}, "registry_service", "is not a valid Service name"),
    "registry_port": ({"registry_port": 0}, "registry_port", "is not a port"),
    "registry_url": ({"registry_url": "registry:8000"}, "registry_url", "begins with http"),
    "set_name": ({"set_name": "a b"}, "set_name", "is not a valid label value"),
    "empty set_name": ({"set_name": ""}, "set_name", "is empty"),
    "prune": ({"prune": True}, "prune", "needs set_name"),
    "prune of nothing": ({"prune": True, "set_name": "a", "state": "absent"}, "prune", "state: present"),
    "prune_max_percent": ({"prune_max_percent": 101}, "prune_max_percent", "is not a percentage"),
    "delete_data": ({"delete_data": True}, "delete_data", "state: absent"),
    "wait_timeout": ({"wait_timeout": -1}, "wait_timeout", "0 or more"),
    "agents": ({"agents": [{"name": "a", "image": "i"}] * 2}, "agents[1].name", "is declared twice"),
}


@pytest.mark.parametrize("case", AGENT)
def test_an_agent_that_cannot_work_is_refused(case: str) -> None:
    agent, path, words = AGENT[case]
    [(found, message)] = problems(agent)
    assert found == (f"agents[0].{path}" if path else "agents[0]")
    assert words in message


@pytest.mark.parametrize("case", TASK)
def test_a_task_that_cannot_work_is_refused(case: str) -> None:
    options, path, words = TASK[case]
    [(found, message)] = problems(**options)
    assert found == path
    assert words in message


@pytest.mark.parametrize(
    "agent",
    [
        {},
        {"name": "d" * 52},
        {"version": "v1.2"},
        {"port": 1024},
        {"port": 65535},
        {"replicas": 0},
        {"replicas": 100},
        {"autoscaling": {"min_replicas": 100, "max_replicas": 100, "cpu_percent": 1000}},
        {"autoscaling": {**SCALING, "stabilization_window": 0}},
        {"autoscaling": {**SCALING, "stabilization_window": 3600}},
        {"image": None, "script": "a.py"},
        {"image": None, "directory": "a", "entrypoint": "b/c.py"},
        {"env": {"_A": None, "B": 1.5}},
        {"persistence": {"size": "1", "access_mode": "ReadWriteMany"}, "replicas": 2},
        {"resources": {"requests": REQUESTS, "limits": {"memory": "64Mi"}}},
        {"run_as_user": 1},
    ],
)
def test_what_is_at_the_limit_is_accepted(agent: dict[str, Any]) -> None:
    assert problems(agent) == []


def test_every_option_of_an_agent_is_refused_somewhere_or_passed_on() -> None:
    """What the API server judges itself is not judged here."""
    passed_on = {"image_pull_policy", "tolerations", "affinity", "network_policy", "ingress", "egress"}
    refused = {option for agent, _path, _words in AGENT.values() for option in agent}
    assert set(module.AGENT) - refused == passed_on


def test_to_remove_an_agent_its_name_is_enough() -> None:
    assert problems({"image": None, "port": 1}, state="absent") == []
    assert [path for path, _message in problems({"name": "A"}, state="absent")] == ["agents[0].name"]


def test_missing_files_are_told_together_before_a_cluster_is_asked(tmp_path: Path) -> None:
    defaults = {name: spec.get("default") for name, spec in module.ARGUMENT_SPEC.items()}
    agents = [{"name": "a", "script": "a.py"}, {"name": "b", "directory": "b"}]
    params = {**defaults, "kubeconfig": "/nowhere", "namespace": "mesh", "code": str(tmp_path), "agents": agents}
    with pytest.raises(InvalidInput) as caught:
        operation.converge(FakeTask(params))  # type: ignore[arg-type]
    assert [problem.path for problem in caught.value.problems] == ["agents[0].script", "agents[1].directory"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"env": {"API_KEY": "k3y-0123456789"}}, "API_KEY in plain text"),
        ({"image": "dates"}, "names no version"),
        ({"image": "r:5000/dates:latest"}, "names no version"),
        ({"persistence": VOLUME}, "away meanwhile"),
    ],
)
def test_what_works_and_is_likely_not_meant_is_warned_of(options: dict[str, Any], words: str) -> None:
    [warning] = agent_warnings(DeclaredAgent({"name": "dates", "image": "dates:1", **options}))
    assert words in warning
    assert "k3y" not in warning


def test_nothing_is_warned_of_without_a_reason() -> None:
    options = {"name": "a", "image": "a@sha256:" + "0" * 64, "env": {"LOG_LEVEL": "INFO", "TOKENS": 7}}
    assert list(agent_warnings(DeclaredAgent(options))) == []
