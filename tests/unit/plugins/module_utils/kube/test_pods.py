# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.containers import pod_reasons
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.evidence import explain_workload

from .conftest import Answer, FakeTask, Server

CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "fixtures" / "pods.yaml").read_text())
STATUS_KEYS = ("state", "lastState", "restartCount", "ready", "started")
PODS = "/api/v1/namespaces/tools/pods"


def pod(name: str = "web-1", case: str | None = None, **status: Any) -> dict[str, Any]:
    containers: list[dict[str, Any]] = []
    if case is not None:
        row = CASES[case]
        containers = [{"name": "main", **{key: row[key] for key in STATUS_KEYS if key in row}}]
    return {
        "metadata": {"name": name, "namespace": "tools"},
        "spec": {"containers": [{"name": "main", "image": "registry.example.com/web:1"}]},
        "status": {"phase": "Pending", "containerStatuses": containers, **status},
    }


@pytest.mark.parametrize("case", CASES, ids=lambda name: name.replace(" ", "-"))
def test_container_states(case: str) -> None:
    (reason,) = pod_reasons(pod(case=case))
    expected = CASES[case]
    assert (reason.code, reason.terminal) == (expected["code"], expected["terminal"])
    assert expected["says"] in reason.message
    assert reason.subject == "Pod tools/web-1 container main"


REFUSALS = (
    "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
    "pull access denied, repository does not exist or may require authorization",
    "unexpected status from HEAD request: 403 Forbidden",
)


@pytest.mark.parametrize("answer", REFUSALS)
@pytest.mark.parametrize(
    ("image", "final"),
    [
        ("acrmcpops1a2b3c.azurecr.io/echo:1", False),
        ("shared-hash.eus2.data.azurecr.cn/team/echo@sha256:0", False),
        ("registry.example.com/echo:1", True),
        ("azurecr.io.example.com/echo:1", True),
        ("example.com/acr.azurecr.io/echo:1", True),
    ],
)
def test_a_registry_of_azure_may_be_about_to_allow_it(image: str, final: bool, answer: str) -> None:
    """A role at it takes effect within 10 minutes; what it does not hold, it does not hold."""
    item = pod()
    item["spec"]["containers"][0]["image"] = image
    waiting = {"reason": "ErrImagePull", "message": f"failed to pull: {answer}"}
    item["status"]["containerStatuses"] = [{"name": "main", "state": {"waiting": waiting}}]
    (reason,) = pod_reasons(item)
    assert (reason.code, reason.terminal) == ("ImagePull", final)
    assert ("within 10 minutes" in reason.message) is not final
    waiting["message"] = f"{image}: not found"
    (reason,) = pod_reasons(item)
    assert reason.terminal


def test_pods_without_a_container_state() -> None:
    scheduled = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: Insufficient cpu"}]
    (reason,) = pod_reasons(pod(conditions=scheduled))
    assert (reason.code, reason.terminal) == ("Unschedulable", False)
    assert "Insufficient cpu" in reason.message
    gone = 'persistentvolumeclaim "disk" not found'
    (reason,) = pod_reasons(pod(conditions=[{"type": "PodScheduled", "status": "False", "message": gone}]))
    assert (reason.code, reason.message) == ("MissingObject", gone)
    (reason,) = pod_reasons(pod(phase="Failed", reason="Evicted"))
    assert (reason.code, reason.terminal) == ("PodFailed", True)
    evicted = pod(phase="Failed", reason="Evicted")
    evicted["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-7", "controller": True}]
    (reason,) = pod_reasons(evicted)
    assert not reason.terminal, "its ReplicaSet makes another one"
    assert pod_reasons(pod(phase="Succeeded")) == []
    assert pod_reasons(pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}])) == []
    (reason,) = pod_reasons(pod())
    assert reason.code == "Starting"


def test_replicas_with_one_fault_are_one_reason(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    loop = "crash loop"
    gone = pod("web-3", loop)
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    server.on(
        f"{PODS}?limit=1000&labelSelector=app%3Dweb",
        Answer(body={"items": [pod("web-1", loop), pod("web-2", loop), gone]}),
    )
    log = f"{PODS}/web-1/log?container=main&tailLines=8&previous="
    server.on(f"{log}false&limitBytes=20000", Answer(body=b"unable to retrieve container logs for x"))
    server.on(f"{log}true&limitBytes=20000", Answer(body=b"starting\n\ncannot open the ledger\n"))
    (reason,) = explain_workload(connect(task), "tools", {"app": "web"})
    assert reason.message.endswith("Its last log lines:\n    starting\n    cannot open the ledger")
    assert reason.hint.startswith("Its last log lines say why it ends")
    assert reason.terminal


def test_a_kubelet_that_lost_the_log_is_not_quoted(
    server: Server, connect: Callable[..., Kube], task: FakeTask
) -> None:
    server.on(f"{PODS}?limit=1000&labelSelector=a", Answer(body={"items": [pod(case="crash loop")]}))
    for previous in ("true", "false"):
        target = f"{PODS}/web-1/log?container=main&tailLines=8&previous={previous}&limitBytes=20000"
        server.on(target, Answer(body=b"unable to retrieve container logs for containerd://1"))
    (reason,) = explain_workload(connect(task), "tools", "a")
    assert "unable" not in reason.message
    # nor is anybody sent to what is not there
    assert reason.hint.startswith("It left no log lines")


def warning(message: str, time: str, reason: str = "Unhealthy") -> dict[str, Any]:
    involved = {"kind": "Pod", "name": "web-1", "namespace": "tools"}
    return {"involvedObject": involved, "reason": reason, "message": message, "lastTimestamp": time}


def test_what_a_log_says_is_told_without_what_is_secret(
    server: Server, connect: Callable[..., Kube], task: FakeTask
) -> None:
    crashing = pod("web-1", "crash loop")
    crashing["spec"]["containers"][0]["env"] = [{"name": "LEDGER", "value": "ledger.example.com"}]
    server.on(f"{PODS}?limit=1000&labelSelector=a", Answer(body={"items": [crashing]}))
    log = f"{PODS}/web-1/log?container=main&tailLines=8&previous=false&limitBytes=20000"
    server.on(log, Answer(body=b"no route to ledger.example.com\nDB_PASSWORD=hunter2 was not accepted\n"))
    (reason,) = explain_workload(connect(task), "tools", "a")
    assert "no route to $(LEDGER)" in reason.message
    assert "DB_PASSWORD=******** was not accepted" in reason.message


def test_a_pod_that_cannot_start_is_explained_by_its_mounts(
    server: Server, connect: Callable[..., Kube], task: FakeTask
) -> None:
    server.on(f"{PODS}?limit=1000&labelSelector=a", Answer(body={"items": [pod()]}))
    chosen = "involvedObject.kind%3DPod%2CinvolvedObject.name%3Dweb-1%2Ctype%3DWarning"
    stated = 'MountVolume.SetUp failed for volume "x" : secret "absent" not found'
    events = [warning(stated, "2026-01-01T00:00:00Z", "FailedMount")]
    server.on(f"/api/v1/namespaces/tools/events?limit=1000&fieldSelector={chosen}", Answer(body={"items": events}))
    (reason,) = explain_workload(connect(task), "tools", "a")
    assert (reason.code, reason.message) == ("MissingObject", stated)


def test_a_probe_is_explained_by_its_last_event(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    server.on(f"{PODS}?limit=1000&labelSelector=a", Answer(body={"items": [pod(case="probe does not pass")]}))
    chosen = "involvedObject.kind%3DPod%2CinvolvedObject.name%3Dweb-1%2Ctype%3DWarning"
    events = [
        warning("Readiness probe failed: connection refused", "2026-01-02T00:00:00Z"),
        warning("older", "2026-01-01T00:00:00Z"),
    ]
    server.on(f"/api/v1/namespaces/tools/events?limit=1000&fieldSelector={chosen}", Answer(body={"items": events}))
    (reason,) = explain_workload(connect(task), "tools", "a")
    assert reason.message.endswith("Readiness probe failed: connection refused")


@pytest.mark.parametrize(
    ("image", "host", "path", "final"),
    [
        ("registry.example.com/echo:1", "registry.example.com", "/oauth2/token", False),
        ("10.0.0.1:5000/team/echo:1", "10.0.0.1:5000", "/oauth2/token", False),
        # the token service of another registry, and one that is none of Azure's
        ("registry.example.com/echo:1", "auth.example.com", "/oauth2/token", True),
        ("registry.example.com/echo:1", "registry.example.com", "/service/token", True),
        ("registry.example.com.evil/echo:1", "registry.example.com", "/oauth2/token", True),
    ],
)
def test_a_registry_of_azure_under_another_name_is_known_by_its_tokens(
    image: str, host: str, path: str, final: bool
) -> None:
    item = pod()
    item["spec"]["containers"][0]["image"] = image
    answer = f"unexpected status from POST request to https://{host}{path}: 401 Unauthorized"
    waiting = {"reason": "ErrImagePull", "message": f"failed to authorize: failed to fetch oauth token: {answer}"}
    item["status"]["containerStatuses"] = [{"name": "main", "state": {"waiting": waiting}}]
    (reason,) = pod_reasons(item)
    assert (reason.code, reason.terminal) == ("ImagePull", final)
