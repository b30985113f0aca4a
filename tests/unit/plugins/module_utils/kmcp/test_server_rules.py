# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server accepts and KMCP or the pods break on."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_validate
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from

SOUND = {"name": "echo", "namespace": "mcp", "image": "registry.example.com:5000/team/echo:1.0.0"}
CLIENT = "01234567-89ab-4cde-8f01-23456789abcd"
DIGEST = "@sha256:" + "0" * 64


def problems(*entries: dict[str, Any]) -> list[str]:
    declared = declared_from({"servers": [{**SOUND, **entry} for entry in entries]})
    return [str(problem) for problem in server_validate.server_problems(declared)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"image": "echo"},
        {"image": "10.213.0.1:5000/echo-mcp:1.0.0" + DIGEST},
        {"image": None, "command": "npx", "transport": "stdio"},
        {"port": 15000},
        {"port": 15000, "transport": "stdio", "command": "x", "env": {"ADMIN_ADDR": "127.0.0.1:15001"}},
        {"timeout": "1m30s", "replicas": 0},
        {"volumes": [{"name": "scratch", "emptyDir": {}}], "volume_mounts": [{"name": "scratch", "mountPath": "/s"}]},
        {"config_map_refs": ["settings"], "secret_refs": ["keys", "keys.of.team-1"], "image_pull_secrets": ["acr"]},
        {"spec": {"deployment": {"secretRefs": [{"name": "keys"}]}}, "service_account_name": "shared.account"},
        {"labels": {"example.com/Team_1": "", "a": "V.1-x", "b": 8080}, "node_selector": {"kubernetes.io/os": "linux"}},
        {"annotations": {"Example.com/note": "any text, é", "b": ""}},
        {"resources": {"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1024Mi"}}},
        {"command": "/opt/My Tools/server"},
        {"timeout": "1.5h", "tls": {"secret_ref": "client.cert", "insecure_skip_verify": False}},
        {"workload_identity": {"client_id": CLIENT, "tenant_id": CLIENT.upper()}, "labels": {"a": "b"}},
        {"workload_identity": {}, "service_account_name": "shared"},
    ],
    ids=str,
)
def test_sound_servers_pass(options: dict[str, Any]) -> None:
    assert problems(options) == []


# options → (path, words)
UNSOUND: dict[str, tuple[dict[str, Any], str, str]] = {
    "no name": ({"name": ""}, "name", "is missing"),
    "capital letter": ({"name": "Echo"}, "name", "is not a valid Service name"),
    "starts with a digit": ({"name": "1echo"}, "name", "is not a valid Service name"),
    "dot": ({"name": "echo.one"}, "name", "is not a valid Service name"),
    "long name": ({"name": "e" * 64}, "name", "1 to 63"),
    "no namespace": ({"namespace": None}, "namespace", "is missing"),
    "bad namespace": ({"namespace": "My_Ns"}, "namespace", "not a valid namespace name"),
    "port 0": (
        {"spec": {"deployment": {"port": 0}, "httpTransport": {"targetPort": 0}}},
        "port",
        "0 is not a valid port",
    ),
    "transport of the raw spec": ({"spec": {"transportType": "sse"}}, "transport", "'sse' is neither http nor stdio"),
    "option port 0": ({"port": 0}, "port", "0 is not a valid port"),
    "empty path": ({"path": ""}, "path", "is not a URL path: it starts with /"),
    "empty timeout": ({"timeout": ""}, "timeout", "'' is not a valid duration"),
    "port too large": ({"port": 70000}, "port", "would stop working for all servers"),
    "negative port": ({"port": -1}, "port", "-1 is not a valid port"),
    "two ports": ({"spec": {"httpTransport": {"targetPort": 8080}}}, "spec.httpTransport.targetPort", "must be equal"),
    "adapter's port": ({"port": 15020, "transport": "stdio", "command": "x"}, "port", "env STATS_ADDR"),
    "adapter image": (
        {"transport": "stdio", "command": "x", "adapter_image": "A:1 0"},
        "adapter_image",
        "not a valid image reference",
    ),
    "empty adapter image": ({"transport": "stdio", "command": "x", "adapter_image": ""}, "adapter_image", "is empty"),
    "two adapter images": (
        {"transport": "stdio", "command": "x", "adapter_image": "a:1", "init_container": {"image": "b:1"}},
        "init_container.image",
        "name one image",
    ),
    "npx without room": (
        {"transport": "stdio", "command": "npx", "security_context": {"readOnlyRootFilesystem": True}},
        "security_context.readOnlyRootFilesystem",
        "npx writes below",
    ),
    "no image": ({"image": None}, "image", "is missing"),
    "no image reference": ({"image": "Registry/Echo:1 0"}, "image", "not a valid image reference"),
    "stdio without command": ({"transport": "stdio"}, "command", "started by it for every session"),
    "command line": ({"command": "python -m server"}, "command", "'python -m server' is more than a program"),
    "command line with a path": ({"command": "/bin/python3 -m server"}, "command", "belongs into args"),
    "no adapter": ({"transport": "stdio", "command": "x", "adapter_image": ""}, "adapter_image", "is empty"),
    "two adapters": (
        {"transport": "stdio", "command": "x", "adapter_image": "a:1", "init_container": {"image": "b:1"}},
        "init_container.image",
        "name one image",
    ),
    "packages without a place": (
        {
            "transport": "stdio",
            "command": "npx",
            "image": None,
            "args": ["-y", "a@1.0.0"],
            "security_context": {"readOnlyRootFilesystem": True},
        },
        "security_context.readOnlyRootFilesystem",
        "npx writes below",
    ),
    "command of the raw spec": ({"spec": {"deployment": {"cmd": ["npx", "-y"]}}}, "spec.deployment.cmd", "is a list"),
    "command as a list": ({"command": "['python', '-m']"}, "command", "is a list or a mapping"),
    "path with a line end": ({"path": "/mcp\n"}, "path", "no blanks or control characters"),
    "path with a blank": ({"spec": {"httpTransport": {"path": "/my mcp"}}}, "path", "no blanks or control characters"),
    "relative path": ({"path": "mcp"}, "path", "is not a URL path: it starts with /"),
    "no duration": ({"timeout": "30"}, "timeout", "30s or 1m30s"),
    "env name": ({"env": {"A B": "x"}}, "env.A B", "no name of an environment variable"),
    "env structure": ({"env": {"A": {"valueFrom": {}}}}, "env.A", "secret_refs"),
    "secret without name": ({"secret_refs": [""]}, "secret_refs[0]", "names no Secret"),
    "secret as a mapping": ({"secret_refs": ["{'name': 'nothere'}"]}, "secret_refs[0]", "give the name alone"),
    "secret with a space": ({"secret_refs": ["Bad Name"]}, "secret_refs[0]", "'Bad Name' is not a valid Secret name"),
    "long secret": ({"secret_refs": ["a" * 254]}, "secret_refs[0]", "1 to 253"),
    "pull secret with a space": (
        {"image_pull_secrets": ["a", "A B"]},
        "image_pull_secrets[1]",
        "is not a valid Secret name",
    ),
    "config map as a mapping": ({"config_map_refs": ["{'name': 'x'}"]}, "config_map_refs[0]", "give the name alone"),
    "account's name": (
        {"service_account_name": "My_Account"},
        "service_account_name",
        "is not a valid ServiceAccount name",
    ),
    "memory": (
        {"resources": {"limits": {"memory": "lots"}}},
        "resources.limits.memory",
        "'lots' is not a valid quantity",
    ),
    "limits as a text": (
        {"sidecars": [{"name": "a", "resources": {"requests": {"cpu": 1}, "limits": "lots"}}]},
        "sidecars[0].resources.limits",
        "is text: give a mapping",
    ),
    "negative cpu": ({"resources": {"requests": {"cpu": -1}}}, "resources.requests.cpu", "-1 is not a valid quantity"),
    "above its limit": (
        {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "512Mi"}}},
        "resources.requests.memory",
        "2Gi is more than the limit, 512Mi",
    ),
    "adapter's memory": (
        {"init_container": {"resources": {"limits": {"memory": "1 Gi"}}}},
        "init_container.resources.limits.memory",
        "'1 Gi' is not a valid quantity",
    ),
    "sidecar's cpu": (
        {"sidecars": [{"name": "a", "resources": {"limits": {"cpu": "half"}}}]},
        "sidecars[0].resources.limits.cpu",
        "'half' is not a valid quantity",
    ),
    "KMCP's own config map": (
        {"config_map_refs": ["x", "echo"]},
        "config_map_refs[1]",
        "that KMCP makes for this server",
    ),
    "config map with a dot": ({"config_map_refs": ["a.b"]}, "config_map_refs[0]", "volume cm-a.b"),
    "long config map": ({"config_map_refs": ["a" * 61]}, "config_map_refs[0]", "1 to 60"),
    "two service accounts": (
        {"service_account": {}, "service_account_name": "x"},
        "service_account",
        "exclude each other",
    ),
    "selector label": (
        {"labels": {"app.kubernetes.io/name": "x"}},
        "labels.app.kubernetes.io/name",
        "breaks the server",
    ),
    "label with a blank": ({"labels": {"v": "has space"}}, "labels.v", "'has space' is not a valid label value"),
    "label beyond ascii": ({"labels": {"é": "x"}}, "labels.é", "'é' is not a valid label name"),
    "long label": ({"server_labels": {"v": "a" * 64}}, "server_labels.v", "1 to 63"),
    "label of no name": ({"labels": {"example.com/": "x"}}, "labels.example.com/", "'' is not a valid label name"),
    "label of no domain": ({"labels": {"Example_1/x": "x"}}, "labels.Example_1/x", "'Example_1' is not a valid domain"),
    "label of two slashes": ({"labels": {"a/b/c": "x"}}, "labels.a/b/c", "'a/b' is not a valid domain"),
    "node selector": ({"node_selector": {"pool": "-fast"}}, "node_selector.pool", "is not a valid label value"),
    "label of an account": (
        {"service_account": {"labels": {"team": "a,b"}}},
        "service_account.labels.team",
        "'a,b' is not a valid label value",
    ),
    "annotation with a blank": (
        {"annotations": {"a b": "x"}},
        "annotations.a b",
        "not a valid annotation name",
    ),
    "structure as a label": (
        {"server_labels": {"team": {"a": "b"}}},
        "server_labels.team",
        "is a mapping: give a text",
    ),
    "annotation of the server": ({"server_annotations": {"_x": "y"}}, "server_annotations._x", "'_x' is not a valid"),
    "negative replicas": ({"replicas": -1}, "replicas", "not a valid number of pods"),
    "controller's volume": ({"volumes": [{"name": "config"}]}, "volumes[0]", "taken by the controller"),
    "volume twice": ({"volumes": [{"name": "a"}, {"name": "a"}]}, "volumes[1]", "is taken"),
    "unknown volume": ({"volume_mounts": [{"name": "a", "mountPath": "/a"}]}, "volume_mounts[0]", "not declared"),
    "taken mount": ({"volume_mounts": [{"name": "config", "mountPath": "/config/"}]}, "volume_mounts[0]", "already"),
    "a stdio server's target": (
        {"transport": "stdio", "command": "x", "spec": {"httpTransport": {"targetPort": -1}}},
        "spec.httpTransport.targetPort",
        "-1, which is not a port (1 to 65535); the controller would stop",
    ),
    "too long a duration": ({"timeout": "9999999h"}, "timeout", "30s or 1m30s"),
    "no duration at all": ({"timeout": "0s"}, "timeout", "30s or 1m30s"),
    "duration in the raw spec": ({"spec": {"timeout": "2 min"}}, "timeout", "'2 min' is not a valid duration"),
    "amount that only Go refuses": (
        {"volumes": [{"name": "a", "emptyDir": {"sizeLimit": "1e1.5"}}]},
        "volumes[0].emptyDir.sizeLimit",
        "'1e1.5', which is not an amount such as 500m or 256Mi; the controller would stop",
    ),
    "port of a sidecar's probe": (
        {"sidecars": [{"name": "a", "livenessProbe": {"tcpSocket": {"port": 1 << 40}}}]},
        "sidecars[0].livenessProbe.tcpSocket.port",
        "which is not a port",
    ),
    "certificate's secret": ({"tls": {"secret_ref": "Client Cert"}}, "tls.secret_ref", "is not a valid Secret name"),
    "tls of no connection": (
        {"tls": {"secret_ref": "cert"}, "transport": "stdio", "command": "x"},
        "tls",
        "a stdio server has none",
    ),
    "stateless adapter": (
        {"stateless": True, "transport": "stdio", "command": "x"},
        "stateless",
        "always keeps sessions",
    ),
    "empty account": ({"service_account_name": ""}, "service_account_name", "'' is not a valid ServiceAccount name"),
    "identity of nobody": ({"workload_identity": {}}, "workload_identity.client_id", "is missing"),
    "identity that is no UUID": (
        {"workload_identity": {"client_id": CLIENT, "tenant_id": "contoso.example"}},
        "workload_identity.tenant_id",
        "'contoso.example' is not a UUID",
    ),
    "identity of another's account": (
        {"workload_identity": {"client_id": CLIENT}, "service_account_name": "shared"},
        "workload_identity.client_id",
        "belongs to the account shared of service_account_name",
    ),
    "two identities": (
        {
            "workload_identity": {"client_id": CLIENT},
            "service_account": {"annotations": {"azure.workload.identity/client-id": CLIENT[::-1]}},
        },
        "workload_identity.client_id",
        "contradicts the annotation azure.workload.identity/client-id",
    ),
    "identity switched off": (
        {"workload_identity": {"client_id": CLIENT}, "labels": {"azure.workload.identity/use": False}},
        "workload_identity",
        'which must be "true"',
    ),
    "sidecar's name": ({"sidecars": [{"name": "mcp-server"}]}, "sidecars[0]", "is taken"),
}


@pytest.mark.parametrize(("options", "path", "words"), UNSOUND.values(), ids=UNSOUND)
def test_what_would_break_is_refused(options: dict[str, Any], path: str, words: str) -> None:
    [problem] = problems(options)
    assert problem.startswith(f"servers[0].{path}: ")
    assert words in problem


def test_all_problems_of_all_servers_are_told_at_once() -> None:
    found = problems({"port": 70000, "image": None}, {"timeout": "soon"}, {"name": "other"})
    assert [problem.partition(": ")[0] for problem in found] == [
        "servers[0].image",
        "servers[0].port",
        "servers[1].timeout",
        "servers[1].name",
    ]
    assert "declared twice (also servers[0])" in found[-1]


def test_the_paths_of_a_single_server_are_its_options() -> None:
    [problem] = server_validate.server_problems(declared_from({**SOUND, "port": 70000}))
    assert problem.path == "port"


def test_a_name_is_enough_to_remove_a_server() -> None:
    assert server_validate.absence_problems(declared_from({"name": "echo", "namespace": "mcp"})) == []
    [problem] = server_validate.absence_problems(declared_from({"name": "echo"}))
    assert problem.path == "namespace"


# options → words of the warning
DOUBTFUL: dict[str, tuple[dict[str, Any], str]] = {
    "secret in clear": ({"env": {"GITHUB_TOKEN": "ghp_x", "LOG": "x"}}, "env holds GITHUB_TOKEN in plain text"),
    "sessions": ({"replicas": 2}, "2 replicas share no sessions: if the server keeps any"),
    "sessions for certain": ({"replicas": 3, "stateless": False}, "3 replicas of a server that keeps sessions"),
    "sessions of the adapter": (
        {"replicas": 2, "transport": "stdio", "command": "x"},
        "2 replicas of a stdio server, whose adapter keeps sessions in its pod",
    ),
    "any certificate": ({"tls": {"insecure_skip_verify": True}}, "tls.insecure_skip_verify"),
    "identity without its label": (
        {"service_account": {"annotations": {"azure.workload.identity/client-id": CLIENT}}},
        "the pods have no label azure.workload.identity/use",
    ),
    "label without an identity": (
        {"labels": {"azure.workload.identity/use": "true"}},
        "their service account has no annotation azure.workload.identity/client-id",
    ),
    "no package": ({"transport": "stdio", "command": "uvx", "args": []}, "uvx without args runs no package"),
    "no package of npm": ({"transport": "stdio", "command": "npx", "image": None}, "npx without args runs no package"),
    "unknown field": (
        {"spec": {"deployment": {"sidecars": [{"name": "a", "imagee": "b"}]}}},
        "spec.deployment.sidecars[0].imagee (meant: image?) is not a field",
    ),
    "no version": ({"image": "registry.example.com:5000/echo"}, "names no version"),
    "latest": ({"image": "echo:latest"}, "names no version"),
}


@pytest.mark.parametrize(("options", "words"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_is_likely_not_meant_is_said(options: dict[str, Any], words: str) -> None:
    [server] = declared_from({"servers": [{**SOUND, **options}]})
    [warning] = server_validate.server_warnings(server)
    assert words in warning
    assert "ghp_x" not in warning


@pytest.mark.parametrize("options", [{"replicas": 2, "stateless": True}, {"replicas": 1, "stateless": False}], ids=str)
def test_a_server_that_keeps_no_sessions_may_have_many_replicas(options: dict[str, Any]) -> None:
    [server] = declared_from({"servers": [{**SOUND, **options}]})
    assert server_validate.server_warnings(server) == []


def test_values_that_look_secret_are_found_and_switches_are_not() -> None:
    env = {
        "API_KEY": "abc",
        "DB_PASSWORD": "hunter2",
        "PIN_SECRET": "123456",
        "USE_TOKEN": "true",
        "TOKEN_DAYS": "30",
        "TOKEN_FILE": "/run/token",
        "LOG_LEVEL": "info",
    }
    assert set(server_validate.secret_env({"env": env})) == {"API_KEY", "DB_PASSWORD", "PIN_SECRET"}
