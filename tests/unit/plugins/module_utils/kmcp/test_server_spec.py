# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_spec

MINIMAL = {"name": "echo", "namespace": "mcp", "image": "registry.example.com/echo:1.0.0"}


def spec(**options: Any) -> dict[str, Any]:
    made: dict[str, Any] = server_spec.server_resource({**MINIMAL, **options})["spec"]
    return made


def test_the_least_that_can_be_said_makes_a_secure_http_server() -> None:
    assert server_spec.server_resource(MINIMAL) == {
        "apiVersion": "kagent.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": "echo", "namespace": "mcp"},
        "spec": {
            "transportType": "http",
            "httpTransport": {"targetPort": 3000, "path": "/mcp"},
            "deployment": {
                "image": "registry.example.com/echo:1.0.0",
                "port": 3000,
                "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            },
        },
    }


# options → (where in the spec, value)
FIELDS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "port is both ports": ({"port": 8080}, "httpTransport.targetPort", 8080),
    "path": ({"path": "/x"}, "httpTransport.path", "/x"),
    "command": ({"command": "python"}, "deployment.cmd", "python"),
    "env becomes text": (
        {"env": {"DEBUG": True, "N": 3, "R": 1.5, "E": None}},
        "deployment.env",
        {"DEBUG": "true", "N": "3", "R": "1.5", "E": ""},
    ),
    "secret names": ({"secret_refs": ["a", {"name": "b"}]}, "deployment.secretRefs", [{"name": "a"}, {"name": "b"}]),
    "pull secrets": ({"image_pull_secrets": ["acr"]}, "deployment.imagePullSecrets", [{"name": "acr"}]),
    "one key of the secure default": (
        {"security_context": {"readOnlyRootFilesystem": True}},
        "deployment.securityContext",
        {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
    ),
    "null takes a default away": (
        {"pod_security_context": {"runAsNonRoot": None}},
        "deployment.podSecurityContext",
        {"seccompProfile": {"type": "RuntimeDefault"}},
    ),
    "raw spec is merged last": (
        {"spec": {"deployment": {"replicas": 2}, "httpTransport": {"tls": {"secretRef": "t"}}}, "replicas": 1},
        "deployment.replicas",
        2,
    ),
    "timeout": ({"timeout": "45s"}, "timeout", "45s"),
    "stdio": ({"transport": "stdio", "command": "npx"}, "stdioTransport", {}),
}


@pytest.mark.parametrize(("options", "path", "value"), FIELDS.values(), ids=FIELDS)
def test_options_become_fields(options: dict[str, Any], path: str, value: Any) -> None:
    found: Any = spec(**options)
    for step in path.split("."):
        found = found[step]
    assert found == value


def test_a_stdio_server_has_no_http_transport() -> None:
    assert "httpTransport" not in spec(transport="stdio", command="npx")


def test_many_servers_share_the_namespace_and_may_name_their_own() -> None:
    entries = [{"name": "a", "image": "x:1", "namespace": None}, {"name": "b", "image": "x:1", "namespace": "other"}]
    declared = server_spec.declared_from({"servers": entries, "namespace": "mcp"})
    assert [(server.where, server.key) for server in declared] == [
        ("servers[0]", ("mcp", "a")),
        ("servers[1]", ("other", "b")),
    ]


# (label that stands, repair needed?) → label that is declared
LABELS = {
    "never repaired": (None, False, None),
    "first repair": (None, True, "1"),
    "kept": ("3", False, "3"),
    "next repair": ("3", True, "4"),
    "somebody's text": ("x", True, "1"),
}


@pytest.mark.parametrize(("existing", "bump", "expected"), LABELS.values(), ids=LABELS)
def test_the_reconcile_label_counts_repairs_and_is_no_drift(
    existing: str | None, bump: bool, expected: str | None
) -> None:
    declared = server_spec.server_resource({**MINIMAL, "server_labels": {"team": "tools"}})
    live = {"metadata": {"labels": {server_spec.RECONCILE_LABEL: existing} if existing else {}}}
    labels = server_spec.with_current_labels(declared, live, bump)["metadata"]["labels"]
    assert labels["team"] == "tools"
    assert labels.get(server_spec.RECONCILE_LABEL) == expected


@pytest.mark.parametrize(
    ("named", "existing", "expected"),
    [(None, None, None), (None, "tools", "tools"), ("tools", None, "tools"), ("tools", "tools", "tools")],
)
def test_a_task_without_a_bundle_leaves_a_server_in_its_own(
    named: str | None, existing: str | None, expected: str | None
) -> None:
    declared = server_spec.server_resource(MINIMAL, named)
    live = {"metadata": {"labels": {server_spec.BUNDLE_LABEL: existing} if existing else {}}}
    found = server_spec.with_current_labels(declared, live, False)["metadata"].get("labels") or {}
    assert found.get(server_spec.BUNDLE_LABEL) == expected


CLIENT = "01234567-89ab-4cde-8f01-23456789abcd"


def test_a_workload_identity_is_a_label_of_the_pods_and_annotations_of_the_account() -> None:
    made = spec(
        workload_identity={"client_id": CLIENT, "tenant_id": CLIENT[::-1]},
        labels={"team": "tools"},
        service_account={"annotations": {"note": 1}, "labels": None},
    )["deployment"]
    assert made["labels"] == {"azure.workload.identity/use": "true", "team": "tools"}
    assert made["serviceAccount"] == {
        "annotations": {
            "azure.workload.identity/client-id": CLIENT,
            "azure.workload.identity/tenant-id": CLIENT[::-1],
            "note": "1",
        }
    }


def test_an_account_of_somebody_elses_carries_its_own_annotations() -> None:
    made = spec(workload_identity={"client_id": None, "tenant_id": None}, service_account_name="shared")["deployment"]
    assert made["labels"] == {"azure.workload.identity/use": "true"}
    assert made["serviceAccountName"] == "shared"
    assert "serviceAccount" not in made


def test_tls_is_about_http_alone() -> None:
    tls = {"secret_ref": "cert", "insecure_skip_verify": False}
    assert spec(tls=tls)["httpTransport"]["tls"] == {"secretRef": "cert", "insecureSkipVerify": False}
    assert "httpTransport" not in spec(tls=tls, transport="stdio", command="x")
