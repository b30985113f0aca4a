# SPDX-License-Identifier: GPL-3.0-or-later
"""What the domain of agents reports, refuses and finds: the table, what is missing, health, and identities."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.agents.domain import DOMAIN, NAME
from ansible_collections.mcpops.platform.plugins.module_utils.agents.health_readiness import judge_health
from ansible_collections.mcpops.platform.plugins.module_utils.domains import DOMAINS
from ansible_collections.mcpops.platform.plugins.module_utils.http_terms import Response
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis.snapshot import Snapshot
from ansible_collections.mcpops.platform.plugins.module_utils.kube.k8s_diagnosis_info import classify

WELL: dict[str, Any] = {"name": "helper", "namespace": "agents", "healthy": True, "components": {"model": "ok"}}
ILL = {**WELL, "name": "other", "healthy": False, "components": {"model": "down"}}
ANSWER = {
    "agent": "helper",
    "namespace": "agents",
    "as_expected": True,
    "duration_ms": 41,
    "answer": "Hello\nAda, it is Tuesday and the tool says more",
}
NOW = datetime.now(timezone.utc)
OLD = "2026-01-01T00:00:00Z"


def verified(**result: Any) -> dict[str, Any]:
    return {"agent_workload_verified": {"agents": [], "answers": [], **result}}


def test_the_table_shows_who_is_well_and_what_was_answered() -> None:
    assert DOMAIN.answers is not None
    rows = DOMAIN.answers.rows(verified(agents=[WELL, ILL], answers=[ANSWER]))
    assert rows == [
        ("helper", "agents", "model=ok", "41", "Hello Ada, it is Tuesday and ..."),
        ("other", "agents", "model=down", "-", "-"),
    ]
    assert all(len(row) == len(DOMAIN.answers.header) for row in rows)
    facts = DOMAIN.answers.facts(verified(agents=[WELL], answers=[ANSWER]))
    assert facts == {
        "agents": {
            "agents/helper": {"healthy": True, "components": {"model": "ok"}, "answers": True, "milliseconds": 41}
        }
    }
    assert DOMAIN.answers.facts({}) == {}


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ({}, ""),
        (verified(agents=[WELL], answers=[ANSWER]), ""),
        (verified(agents=[WELL, ILL]), "not healthy: other"),
        (verified(agents=[WELL], answers=[{**ANSWER, "as_expected": False}]), "did not answer as declared: helper"),
        (verified(failed=True), "not as declared"),
    ],
)
def test_what_is_missing_of_a_host(host: dict[str, Any], words: str) -> None:
    assert DOMAIN.answers is not None
    missing = DOMAIN.answers.missing(host)
    assert words in missing and bool(words) == bool(missing)


def deployment(labels: dict[str, str], *variables: str) -> dict[str, Any]:
    container = {"name": "agent", "env": [{"name": name, "value": "x"} for name in variables]}
    template = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": "helper", "containers": [container]}}
    metadata = {"name": "helper", "namespace": "agents", "creationTimestamp": OLD, "generation": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template},
        "status": {"observedGeneration": 1},
    }


def account(*, identity: bool) -> dict[str, Any]:
    annotations = {"azure.workload.identity/client-id": "x"} if identity else {}
    metadata = {"name": "helper", "namespace": "agents", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


USE = {"azure.workload.identity/use": "true"}


@pytest.mark.parametrize(
    ("labels", "identity", "variables", "codes"),
    [
        (USE, True, (), []),
        ({}, False, ("AZURE_CLIENT_SECRET",), []),
        ({}, True, (), ["IdentityLabelMissing"]),
        (USE, True, ("AZURE_CLIENT_SECRET", "MODE"), ["ClientSecretBesideIdentity"]),
    ],
)
def test_an_identity_that_is_never_used_is_found(
    labels: dict[str, str], identity: bool, variables: tuple[str, ...], codes: list[str]
) -> None:
    objects = {"Deployment": [deployment(labels, *variables)], "ServiceAccount": [account(identity=identity)]}
    found = [one.code for one in classify(Snapshot(objects, NOW), DOMAINS)]
    assert [one for one in found if one in DOMAIN.reasons] == codes


def test_what_an_agent_says_of_its_health_is_found_by_component() -> None:
    metadata = {"name": "helper", "namespace": "agents", "labels": {"mcpops.io/agent-workload": "helper"}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "creationTimestamp": OLD},
        "spec": {"ports": [{"name": "http", "port": 80}]},
    }
    body = b'{"components": {"model": {"status": "down", "message": "401"}, "mcp/echo": "ok"}}'
    health = judge_health("agent agents/helper", "/health", Response(503, {}, body))
    snapshot = Snapshot({"Service": [service]}, NOW, facts={NAME: {("agents", "helper"): health}})
    [found] = [one for one in classify(snapshot, DOMAINS) if one.code in DOMAIN.reasons]
    assert (found.code, found.part) == ("AgentComponentUnhealthy", "model")
    assert "401" in found.summary
    # where nobody has asked, nothing is found
    assert classify(Snapshot({"Service": [service]}, NOW), DOMAINS) == []
