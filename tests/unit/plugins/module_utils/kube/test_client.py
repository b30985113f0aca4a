# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3

from ansible_collections.mcpops.platform.plugins.module_utils.errors import (
    CheckModeViolation,
    InvalidInput,
    ServiceError,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import APPLY, Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import (
    ClusterPending,
    mark_pending,
    write_check_mode_copy,
)
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput

from .conftest import Answer, FakeTask, Server, status_object

Connect = Callable[..., Kube]
CONFIG_MAPS = ResourceType("v1", "ConfigMap", "configmaps", True)
BUSY = Answer(429, status_object(429, "TooManyRequests", "come back"), {"Retry-After": "0"})


def test_get_is_the_object_or_none(server: Server, connect: Connect, task: FakeTask) -> None:
    server.on("/api/v1/namespaces/a", Answer(body={"kind": "Namespace"}))
    kube = connect(task, token="t0ken")
    assert kube.get("/api/v1/namespaces/a") == {"kind": "Namespace"}
    assert kube.get("/api/v1/namespaces/b") is None
    assert server.requests[0].headers["Authorization"] == "Bearer t0ken"
    assert "t0ken" in task.secrets


def test_identity_headers(server: Server, connect: Connect, task: FakeTask) -> None:
    server.on("/x", Answer(body={}))
    connect(task, username="u", password="p", impersonate_user="me", impersonate_groups=("a", "b")).get("/x")
    sent = server.requests[0].headers
    assert sent["Authorization"] == "Basic dTpw"
    assert (sent["Impersonate-User"], sent["Impersonate-Group"]) == ("me", "a,b")


def test_a_list_is_read_page_by_page(server: Server, connect: Connect, task: FakeTask) -> None:
    path = "/api/v1/namespaces/a/configmaps"
    server.on(
        f"{path}?limit=1000", Answer(body={"items": [{"metadata": {"name": "1"}}], "metadata": {"continue": "c"}})
    )
    server.on(f"{path}?limit=1000&continue=c", Answer(body={"items": [{"metadata": {"name": "2"}}], "metadata": {}}))
    found = connect(task).list_objects(CONFIG_MAPS, "a")
    assert [(item["kind"], item["metadata"]["name"]) for item in found] == [("ConfigMap", "1"), ("ConfigMap", "2")]


def test_a_list_that_expires_is_read_anew_in_one_piece(server: Server, connect: Connect, task: FakeTask) -> None:
    path = "/api/v1/namespaces/a/configmaps"
    first = {"items": [{"metadata": {"name": "1"}}], "metadata": {"continue": "c"}}
    server.on(f"{path}?limit=1000", Answer(body=first))
    server.on(f"{path}?limit=1000&continue=c", Answer(410, status_object(410, "Expired", "too old")))
    both = {"items": [{"metadata": {"name": "1"}}, {"metadata": {"name": "2"}}], "metadata": {}}
    server.on(f"{path}?limit=0", Answer(body=both))
    found = connect(task).list_objects(CONFIG_MAPS, "a")
    assert [item["metadata"]["name"] for item in found] == ["1", "2"]


def test_metadata_alone_keeps_its_kind(server: Server, connect: Connect, task: FakeTask) -> None:
    item = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": "1"}}
    server.on("/api/v1/configmaps?limit=1000", Answer(body={"items": [item], "metadata": {}}))
    (found,) = connect(task).list_objects(CONFIG_MAPS, accept="application/json;as=PartialObjectMetadataList")
    assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")
    assert server.requests[0].headers["Accept"] == "application/json;as=PartialObjectMetadataList"


RETRIED = {
    "too many requests": (BUSY, "POST"),
    "restarting": (Answer(503, status_object(503, "ServiceUnavailable", "no")), "GET"),
    "leader change": (Answer(500, status_object(500, "", "etcdserver: leader changed")), "PATCH"),
    "reset": (Answer(hang_up=True), "DELETE"),
}


@pytest.mark.parametrize("case", RETRIED)
def test_what_is_tried_again(server: Server, connect: Connect, task: FakeTask, case: str) -> None:
    first, method = RETRIED[case]
    server.on("/x", first, Answer(body={"ok": True}))
    content_type = APPLY if method == "PATCH" else "application/json"
    body = None if method == "GET" else {}
    response = connect(task).request(method, "/x", body=body, content_type=content_type)
    assert response.json() == {"ok": True}
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "method"),
    [
        (Answer(503, status_object(503, "ServiceUnavailable", "no")), "POST"),
        (Answer(500, status_object(500, "InternalError", "a bug")), "GET"),
        (Answer(409, status_object(409, "AlreadyExists", "there")), "POST"),
    ],
    ids=["a create may have happened", "an error that stays", "a conflict"],
)
def test_what_is_not_tried_again(server: Server, connect: Connect, task: FakeTask, answer: Answer, method: str) -> None:
    server.on("/x", answer)
    with pytest.raises(ServiceError) as failure:
        connect(task).request(method, "/x", body=None if method == "GET" else {})
    assert failure.value.status == answer.status
    assert len(server.requests) == 1


def test_a_request_may_be_sent_once_and_unchecked(server: Server, connect: Connect, task: FakeTask) -> None:
    server.on("/x", Answer(503, {"error": "mine"}))
    response = connect(task).request("GET", "/x", retry=False, check=False)
    assert (response.status, response.json()) == (503, {"error": "mine"})
    assert len(server.requests) == 1


def test_retries_end_at_the_deadline(server: Server, connect: Connect, task: FakeTask) -> None:
    server.on("/x", BUSY)
    with pytest.raises(ServiceError) as failure:
        connect(task).request("GET", "/x")
    assert "overloaded" in failure.value.message()


BROKEN_TLS = "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol"
NOT_TRUSTED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate"


@pytest.mark.parametrize(
    ("method", "text", "sent"),
    [("GET", BROKEN_TLS, 2), ("POST", BROKEN_TLS, 1), ("GET", NOT_TRUSTED, 1)],
    ids=["a read", "a create may have happened", "a certificate stays what it is"],
)
def test_tls_that_breaks(
    server: Server,
    connect: Connect,
    task: FakeTask,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    text: str,
    sent: int,
) -> None:
    server.on("/x", Answer(body={"ok": True}))
    kube = connect(task)
    original, calls = kube.transport.send, []

    def breaks_once(*args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            raise urllib3.exceptions.SSLError(text)
        return original(*args, **options)

    monkeypatch.setattr(kube.transport, "send", breaks_once)
    if sent == 1:
        with pytest.raises(ServiceError, match="cluster unreachable"):
            kube.request(method, "/x")
    else:
        assert kube.request(method, "/x").json() == {"ok": True}
    assert len(calls) == sent


def test_nobody_listens(server: Server, connect: Connect, task: FakeTask) -> None:
    kube = connect(task)
    server.close()
    with pytest.raises(ServiceError) as failure:
        kube.request("GET", "/x", action="read x")
    assert failure.value.message().startswith(f"read x: cluster unreachable: {server.url} refuses connections")
    assert "address from a test" in failure.value.message()


@pytest.fixture(autouse=True)
def quiet_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that closed the server itself may let the fixture do so again."""
    closed: set[int] = set()
    original = Server.close

    def once(self: Server) -> None:
        if id(self) not in closed:
            closed.add(id(self))
            original(self)

    monkeypatch.setattr(Server, "close", once)


def test_check_mode_lets_reads_and_dry_runs_out(server: Server, connect: Connect, task: FakeTask) -> None:
    server.on("/x", Answer(body={}))
    server.on("/x?dryRun=All", Answer(body={}))
    task.check_mode = True
    kube = connect(task)
    kube.request("GET", "/x")
    kube.request("PATCH", "/x", query={"dryRun": "All"}, body={})
    with pytest.raises(CheckModeViolation):
        kube.request("PATCH", "/x", body={})
    assert [request.method for request in server.requests] == ["GET", "PATCH"]


def discovery(group: str, version: str, kind: str, plural: str) -> dict[str, object]:
    row = {"resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced", "verbs": ["get"]}
    return {"metadata": {"name": group}, "versions": [{"version": version, "resources": [row]}]}


def test_kinds_are_asked_for_once_a_run(server: Server, connect: Connect, task: FakeTask) -> None:
    answer = {"kind": "APIGroupDiscoveryList"}
    server.on("/api", Answer(body={**answer, "items": [discovery("", "v1", "ConfigMap", "configmaps")]}))
    server.on("/apis", Answer(body={**answer, "items": [discovery("apps", "v1", "Deployment", "deployments")]}))
    assert connect(task).resource_type("v1", "ConfigMap") == ResourceType(
        "v1", "ConfigMap", "configmaps", True, ("get",)
    )
    found = connect(task).resource_type("apps/v1", "Deployment")
    assert found is not None
    assert found.path("a b", "c") == "/apis/apps/v1/namespaces/a%20b/deployments/c"
    assert [request.target for request in server.requests] == ["/api", "/apis"]
    # a kind that came later costs one request, and is known from then on
    rows = [
        {"name": "boxes", "kind": "Box", "namespaced": False},
        {"name": "boxes/status", "kind": "Box", "namespaced": False},
    ]
    server.on("/apis/x.io/v1", Answer(body={"groupVersion": "x.io/v1", "resources": rows}))
    assert connect(task).resource_type("x.io/v1", "Box") == ResourceType("x.io/v1", "Box", "boxes", False)
    assert connect(task).resource_type("x.io/v1", "Box") is not None
    assert connect(task).resource_type("y.io/v1", "Box", refresh=False) is None
    assert [request.target for request in server.requests] == ["/api", "/apis", "/apis/x.io/v1"]


def test_a_refused_exec_credential_is_renewed_once(server: Server, connect: Connect, task: FakeTask) -> None:
    server.on("/x", Answer(401, status_object(401, "Unauthorized", "Unauthorized")), Answer(body={}))
    task.output = CommandOutput(0, json.dumps({"status": {"token": "fresh"}}), "")
    connect(task, exec_spec={"command": "kubelogin"}).request("GET", "/x")
    assert len(task.commands) == 2
    server.on("/x", Answer(401, status_object(401, "Unauthorized", "Unauthorized")))
    with pytest.raises(ServiceError) as failure:
        connect(task, exec_spec={"command": "kubelogin"}).request("GET", "/x")
    assert "does not accept the credentials" in failure.value.message()


def test_a_refused_token_of_a_file_is_read_again_once(
    server: Server, connect: Connect, task: FakeTask, tmp_path: Path
) -> None:
    """Whoever keeps it in the file has renewed it: aks_kubeconfig, or the kubelet of a pod."""
    file = tmp_path / "token"
    refused = Answer(401, status_object(401, "Unauthorized", "Unauthorized"))
    server.on("/x", refused, Answer(body={}))
    kube = connect(task, token="old", token_file=file)
    file.write_text("renewed\n")
    kube.request("GET", "/x")
    assert [request.headers["Authorization"] for request in server.requests] == ["Bearer old", "Bearer renewed"]
    assert "renewed" in task.secrets
    # the same one, none, or a file that cannot be read: the refusal stands
    server.on("/x", refused)
    for left in ("renewed", "", None):
        before = len(server.requests)
        file.unlink() if left is None else file.write_text(left)
        with pytest.raises(ServiceError, match="does not accept the credentials"):
            kube.request("GET", "/x")
        assert len(server.requests) == before + 1


def kubeconfig(server: str) -> str:
    return json.dumps(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
    )


def test_connect_in_check_mode(task: FakeTask, tmp_path: Path) -> None:
    path = tmp_path / "config"
    task.params = {"kubeconfig": str(path)}
    with pytest.raises(InvalidInput, match="write it with aks_kubeconfig"):
        Kube.connect(task)
    task.check_mode = True
    with pytest.raises(ClusterPending, match="does not exist yet"):
        Kube.connect(task)
    mark_pending(task, path, "the cluster blue does not exist yet")
    with pytest.raises(ClusterPending, match="blue"):
        Kube.connect(task)
    write_check_mode_copy(task, path, kubeconfig("http://copy"))
    assert Kube.connect(task).server == "http://copy"
    path.write_text(kubeconfig("http://real"))
    assert Kube.connect(task).server == "http://copy"
    # the copy is for check mode only
    task.check_mode = False
    assert Kube.connect(task).server == "http://real"


def test_connect_without_any_cluster(task: FakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "K8S_AUTH_KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InvalidInput, match="no cluster is named"):
        Kube.connect(task)


WRITES: dict[str, tuple[str, str, Answer, list[str]]] = {
    "a change": ("PATCH", "/x", Answer(body={}), ["change x"]),
    "a creation": ("POST", "/x", Answer(201, {}), ["change x"]),
    "a dry run": ("PATCH", "/x?dryRun=All", Answer(body={}), []),
    "a read": ("GET", "/x", Answer(body={}), []),
    "a question": ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Answer(201, {}), []),
    "refused": ("PUT", "/x", Answer(409, status_object(409, "Conflict", "no")), []),
    "gone already": ("DELETE", "/x", Answer(404, status_object(404, "NotFound", "no")), []),
    "an answer that was lost": ("POST", "/x", Answer(hang_up=True), ["change x (its answer was lost)"]),
    "an answer that came too late": (
        "POST",
        "/x",
        Answer(504, status_object(504, "Timeout", "no")),
        ["change x (its answer was lost)"],
    ),
}


@pytest.mark.parametrize("case", WRITES)
def test_what_was_written_is_remembered(server: Server, connect: Connect, task: FakeTask, case: str) -> None:
    method, target, answer, written = WRITES[case]
    server.on(target, answer)
    with contextlib.suppress(ServiceError):
        connect(task).request(method, target, body=None if method == "GET" else {}, action="change x")
    assert task.written == written


def test_nobody_is_warned_of_a_kind_that_nobody_named(server: Server, connect: Connect, task: FakeTask) -> None:
    warning = {"Warning": '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'}
    server.on("/api/v1/endpoints?limit=1000", Answer(body={"items": []}, headers=warning))
    endpoints = ResourceType("v1", "Endpoints", "endpoints", True)
    kube = connect(task)
    kube.list_objects(endpoints, quiet=True)
    assert task.warnings == []
    kube.list_objects(endpoints)
    assert len(task.warnings) == 1


def test_warnings_of_the_api_server_are_passed_on_once(server: Server, connect: Connect, task: FakeTask) -> None:
    text = '299 - "would violate PodSecurity \\"restricted:latest\\""'
    server.on("/x", Answer(body={}, headers={"Warning": text}))
    kube = connect(task)
    kube.get("/x")
    kube.get("/x")
    assert task.warnings == [f'{server.url}: would violate PodSecurity "restricted:latest"']


def test_kinds_are_discovered_again_after_others_may_have_brought_some(
    server: Server, connect: Connect, task: FakeTask, tmp_path: Path
) -> None:
    answer = {"kind": "APIGroupDiscoveryList", "items": []}
    server.on("/api", Answer(body=answer))
    server.on("/apis", Answer(body=answer), Answer(body={**answer, "items": [discovery("x.io", "v1", "Box", "boxes")]}))
    task.run_directory = tmp_path
    kube = connect(task)
    assert kube.resource_type("x.io/v1", "Box", refresh=False) is None
    assert connect(task).resource_type("x.io/v1", "Box", refresh=False) is None
    kube.forget_kinds()
    assert kube.resource_type("x.io/v1", "Box", refresh=False) is not None
    assert connect(task).resource_type("x.io/v1", "Box", refresh=False) is not None


def test_a_group_is_asked_again_when_its_definition_is_new(server: Server, connect: Connect, task: FakeTask) -> None:
    answer = {"kind": "APIGroupDiscoveryList", "items": []}
    server.on("/api", Answer(body=answer))
    server.on("/apis", Answer(body={**answer, "items": [discovery("x.io", "v1", "Box", "boxes")]}))
    kube = connect(task)
    assert kube.resource_type("x.io/v1", "Box") is not None
    # served by the cache's word, and not by the server's
    assert kube.resource_type_now("x.io/v1", "Box") is None
    assert connect(task).resource_type("x.io/v1", "Box", refresh=False) is None
