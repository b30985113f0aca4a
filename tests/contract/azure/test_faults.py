# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand: each kind, how often it strikes, whom it strikes, and the command that sets it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ServiceResponseError

from localcloud.azure import faults
from localcloud.azure.faults import KINDS, FaultError, Faults

from .conftest import Azure, cluster_body, cluster_path

RG = "/resourceGroups/rg"
ANSWERS: dict[str, tuple[dict[str, Any], str, str, int, str]] = {
    "throttle (Resource Manager)": ({"seconds": 7}, "throttle", RG, 429, "SubscriptionRequestsThrottled"),
    "throttle (AKS)": ({"seconds": 7}, "throttle", cluster_path(), 429, "Throttled"),
    "unavailable": ({"seconds": 7}, "unavailable", RG, 503, "ServiceUnavailable"),
    "token-expired": ({}, "token-expired", RG, 401, "ExpiredAuthenticationToken"),
    "missing": ({}, "missing", RG, 404, "ResourceNotFound"),
    "forbidden": ({"count": 1, "action": "*/read"}, "forbidden", RG, 403, "AuthorizationFailed"),
}


@pytest.mark.parametrize(("options", "kind", "path", "status", "code"), ANSWERS.values(), ids=ANSWERS)
def test_answers_once(azure: Azure, options: dict[str, Any], kind: str, path: str, status: int, code: str) -> None:
    azure.group()
    azure.cluster()
    azure.faults.add(kind, **options)
    struck = azure.request("GET", path)
    body = struck.json()
    assert (struck.status_code, body.get("error", body)["code"]) == (status, code)
    assert struck.headers.get("retry-after") == ("7" if "seconds" in options else None)
    assert azure.request("GET", path).status_code == 200


WRITE_ANSWERS = {
    "busy": ({}, 409, "OperationNotAllowed"),
    "etag-race": ({}, 409, "EtagMismatch"),
    "etag-race ": ({"status": 412}, 412, "PreconditionFailed"),
}


@pytest.mark.parametrize("kind", WRITE_ANSWERS)
def test_only_writes_are_struck(azure: Azure, kind: str) -> None:
    options, status, code = WRITE_ANSWERS[kind]
    azure.group()
    existing = azure.cluster()
    azure.faults.add(kind.strip(), **options)
    assert azure.request("GET", cluster_path()).status_code == 200
    struck = azure.request("PUT", cluster_path(), existing)
    assert (struck.status_code, struck.json()["code"]) == (status, code)
    assert azure.request("PUT", cluster_path(), existing).status_code == 200


def test_selected_by_verb_path_and_number(azure: Azure) -> None:
    azure.group()
    azure.faults.add("unavailable", method="GET", path="resourceGroups/rg$", count=2)
    assert azure.request("GET", "/resourceGroups").status_code == 200
    assert azure.request("HEAD", RG).status_code == 204
    assert [azure.request("GET", RG).status_code for _ in range(3)] == [503, 503, 200]


def test_forbidden_actions(azure: Azure) -> None:
    azure.group()
    with azure.faults.during("forbidden", action="Microsoft.ContainerService/managedClusters/write"):
        refused = azure.request("PUT", cluster_path(), cluster_body())
        assert refused.status_code == 403
        assert "'Microsoft.ContainerService/managedClusters/write'" in refused.json()["error"]["message"]
        assert azure.request("PUT", cluster_path(), cluster_body()).status_code == 403  # until it is cleared
        assert azure.request("GET", cluster_path()).status_code == 404
    assert azure.request("PUT", cluster_path(), cluster_body()).status_code == 201


def test_a_reset_connection(azure: Azure) -> None:
    azure.faults.add("reset", count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        azure.request("GET", "/resourceGroups")
    assert azure.request("GET", "/resourceGroups").status_code == 200
    assert [entry["status"] for entry in azure.log.requests()] == [0, 200]
    azure.faults.add("reset", path="managedClusters")
    with pytest.raises(ServiceResponseError):
        list(azure.aks(retry_total=0).managed_clusters.list())


def test_slow(azure: Azure) -> None:
    azure.faults.add("slow", seconds=2)
    began = time.monotonic()
    azure.request("GET", "/resourceGroups")
    assert time.monotonic() - began >= 2
    # one answer was to be slow
    assert azure.faults.active("slow") == []


def test_operations_fail_by_kind(azure: Azure) -> None:
    azure.group()
    azure.faults.add("operation-failed", operation="delete.*", code="Unlucky", message="not today")
    azure.cluster()
    failed = azure.finish(azure.request("DELETE", cluster_path()))
    assert failed["error"] == {"code": "Unlucky", "message": "not today", "details": []}
    assert azure.request("GET", cluster_path()).json()["properties"]["provisioningState"] == "Failed"
    assert azure.finish(azure.request("DELETE", cluster_path()))["status"] == "Succeeded"


def test_operations_take_longer_by_kind(azure: Azure) -> None:
    azure.group()
    azure.cluster()
    azure.faults.add("operation-slow", operation="tag cluster", seconds=1)
    began = time.monotonic()
    azure.finish(azure.request("PATCH", cluster_path(), {"tags": {"a": "b"}}))
    assert time.monotonic() - began >= 1


def test_quotas_and_restrictions(azure: Azure) -> None:
    azure.group()
    with azure.faults.during("quota", name="standardDSv5Family", limit=1, location="eastus"):
        answer = azure.request("PUT", cluster_path(), cluster_body())
        assert answer.json()["code"] == "ErrCode_InsufficientVCPUQuota"
        assert "requested 2, remaining 1 for family standardDSv5Family" in answer.json()["message"]
    with azure.faults.during("restrict-sku", size="Standard_D2s_v5"):
        assert azure.request("PUT", cluster_path(), cluster_body()).json()["code"] == "BadRequest"
    body = cluster_body()
    body["properties"]["agentPoolProfiles"][0]["availabilityZones"] = ["3"]
    with azure.faults.during("restrict-sku", size="Standard_D2s_v5", zones="2,3"):
        assert azure.request("PUT", cluster_path(), body).json()["code"] == "AvailabilityZoneNotSupported"
    assert azure.request("PUT", cluster_path(), body).status_code == 201


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        faults.main(["add", "throttle", "--seconds", "3", "--count", "2", "--path", "managedClusters"], tmp_path) == 0
    )
    assert faults.main(["add", "quota", "--name", "cores", "--limit", "4"], tmp_path) == 0
    capsys.readouterr()
    faults.main(["list"], tmp_path)
    listed = capsys.readouterr().out
    assert "throttle\t.*\tmanagedClusters\t2 left\tseconds=3" in listed
    assert "until cleared\tname=cores limit=4 location=*" in listed
    first = Faults.at(tmp_path).active("throttle")[0]
    faults.main(["clear", str(first.id)], tmp_path)
    assert [fault.kind for fault in Faults.at(tmp_path).active()] == ["quota"]
    faults.main(["clear"], tmp_path)
    assert Faults.at(tmp_path).active() == []
    assert faults.main(["add", "reset", "--path", "("], tmp_path) == 2
    assert "is not a valid regular expression" in capsys.readouterr().out


MISTAKES: dict[str, tuple[str, dict[str, Any], str]] = {
    "kind": ("nonsense", {}, "There is no fault 'nonsense'. Known: busy"),
    "option": ("slow", {"minutes": 1}, "has no option 'minutes'. It has: seconds"),
    "missing": ("quota", {"name": "cores"}, "Fault 'quota' needs limit."),
    "pattern": ("reset", {"path": "("}, "is not a valid regular expression"),
}


@pytest.mark.parametrize(("kind", "options", "text"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(tmp_path: Path, kind: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(FaultError, match="(?s)" + text.replace("(", r"\(")):
        Faults.at(tmp_path).add(kind, **options)


def test_every_kind_is_tried_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    # test_groups_and_providers, test_authorization, test_identities
    elsewhere = {"unregistered", "principal-unknown", "federation-busy", "role-late"}
    assert [kind for kind in KINDS if f'"{kind}' not in source and kind not in elsewhere] == []
