# SPDX-License-Identifier: GPL-3.0-or-later
"""gateway_trial with real sockets and a played cluster: what is called, made, removed, written and refused."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils import waiting
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, NotReady, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.gateway import (
    gateway_trial,
    observe,
    trial_calls,
    trial_plan,
)
from ansible_collections.mcpops.platform.plugins.module_utils.gateway import trial_pods as pods
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.trial_plan import Source
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Clock
from ansible_collections.mcpops.platform.plugins.modules import gateway_trial as module

AUTH = [
    {"name": "e", "issuer": "https://issuer.test", "audiences": ["a"], "access": [{"roles": ["u"], "tools": ["add"]}]}
]
DENIED = (403, "RBAC: access denied", "text/plain")
Answer = Callable[[Mapping[str, Any]], tuple[int, str, str]]


def options(**given: Any) -> dict[str, Any]:
    whole = {"kubeconfig": "/k", "namespace": "gateway", "timeout": 5, "auth": AUTH, **given}
    # entries of a list that are one object would be validated twice
    validated = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate(json.loads(json.dumps(whole)))
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


class Site:
    """A listener that answers as it is told, and the objects that lead to it."""

    def __init__(self) -> None:
        self.answer: Answer = lambda _headers: DENIED
        self.asked: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                asked = {"method": self.command, "path": self.path, "body": body, **dict(self.headers.items())}
                site.asked.append(asked)
                status, text, kind = site.answer(asked)
                self.send_response_only(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                for name, value in site.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_DELETE = _reply

            def log_message(self, *_arguments: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        listener = {"name": "http", "protocol": "HTTP", "port": self.port, "hostname": "*.mcp.test"}
        rule = {"matches": [{"path": {"value": "/mcp"}}], "backendRefs": [{"name": "echo", "port": 3000}]}
        parents = [{"name": "mcp", "namespace": "gateway"}]
        self.objects: dict[str, list[dict[str, Any]]] = {
            "Gateway": [
                {
                    "metadata": {"name": "mcp", "namespace": "gateway"},
                    "spec": {"listeners": [listener]},
                    "status": {"addresses": [{"value": "127.0.0.1"}]},
                }
            ],
            "HTTPRoute": [
                {
                    "metadata": {"name": "echo", "namespace": "mcp"},
                    "spec": {"parentRefs": parents, "hostnames": ["echo.mcp.test"], "rules": [rule]},
                }
            ],
            "Service": [
                {
                    "metadata": {"name": "echo", "namespace": "mcp"},
                    "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 3000}]},
                }
            ],
            "EndpointSlice": [
                {
                    "metadata": {"namespace": "mcp", "labels": {"kubernetes.io/service-name": "echo"}},
                    # nobody listens there
                    "ports": [{"name": "http", "port": 1}],
                    "endpoints": [{"addresses": ["127.0.0.1"], "targetRef": {"kind": "Pod", "name": "echo-1"}}],
                }
            ],
        }
        self.served = True
        self.failing = ""

    def kinds(self) -> None:
        """Nothing has to be discovered."""

    def resource_type(self, version: str, kind: str, **_options: Any) -> Any:
        return ResourceType(version, kind, kind, True) if self.served else None

    def list_objects(self, resource: Any, _namespace: str | None = None, **_options: Any) -> list[Any]:
        return self.objects.get(resource.kind, [])


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site()

    def from_pods(_kube: Any, _task: Any, source: Source, calls: Any, given: pods.PodOptions) -> list[dict[str, Any]]:
        if made.failing:
            raise pods.PodsFailed(made.failing)
        return trial_calls.make_calls(calls, given.timeout)

    class Namespace:
        def __init__(self, *_arguments: Any) -> None: ...
        def __enter__(self) -> None: ...
        def __exit__(self, *_arguments: object) -> None: ...

    monkeypatch.setattr(Kube, "connect", lambda _task: made)
    monkeypatch.setattr(pods, "calls_from", from_pods)
    monkeypatch.setattr(pods, "foreign_namespace", Namespace)
    assert observe.unserved(made, ["Gateway"]) == []  # type: ignore[arg-type]
    yield made
    made.server.shutdown()
    made.server.server_close()


def tried(check: bool = False, **given: Any) -> dict[str, Any]:
    return gateway_trial.converge(FakeTask(options(**given), check_mode=check)).to_dict(diff_mode=True)


def test_a_closed_listener_is_proven_and_written(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "new" / "e.json"
    done = tried(evidence=str(file))
    assert (done["changed"], done["open"]) == (False, [])
    assert {row["source"].partition(" in ")[0] for row in done["trials"]} == {"outside", "foreign pod", "allowed pod"}
    assert {row["outcome"] for row in done["trials"] if row["credential"] != "given"} == {"refused"}
    written = json.loads(file.read_text())
    assert (written["schema"], written["trials"]) == (1, done["trials"])
    assert {one["path"] for one in site.asked} == {"/mcp", "/sse"}
    assert {one["Host"] for one in site.asked} == {"echo.mcp.test", "mcpops-no-such-host.mcp.test"}


def test_one_answer_is_red_names_the_way_and_is_written(site: Site, tmp_path: Path) -> None:
    site.answer = lambda asked: (200, "{}", "application/json") if asked["body"].startswith("[") else DENIED
    file = tmp_path / "e.json"
    with pytest.raises(NotReady) as failed:
        tried(evidence=str(file))
    [name] = json.loads(file.read_text())["open"]
    assert name == f"listener http of Gateway gateway/mcp at 127.0.0.1: http://echo.mcp.test:{site.port}/mcp"
    assert name in failed.value.message()
    assert "batch: HTTP 200" in failed.value.message()
    assert {reason.code for reason in failed.value.reasons} == {"OpenWay"}
    assert failed.value.values["open"] == [name]


def test_check_mode_calls_from_here_warns_and_writes_nothing(site: Site, tmp_path: Path) -> None:
    site.answer = lambda _asked: (200, "{}", "application/json")
    task = FakeTask(options(evidence=str(tmp_path / "e.json")), check_mode=True)
    done = gateway_trial.converge(task).to_dict(diff_mode=True)
    assert {row["outcome"] for row in done["trials"] if row["source"] != "outside"} == {"not_tried"}
    assert any("answers from outside" in warning for warning in task.warnings)
    assert not (tmp_path / "e.json").exists()


def test_pods_that_do_not_run_are_red(site: Site) -> None:
    site.failing = "Job x: ErrImagePull"
    with pytest.raises(NotReady) as failed:
        tried()
    assert "ErrImagePull" in failed.value.message()
    assert {reason.code for reason in failed.value.reasons} == {"NotProven"}


def test_an_open_route_behind_a_match_is_called_as_it_asks(site: Site) -> None:
    """What its rule does not take is answered with 404, whoever may call the rest."""
    match = {
        "path": {"type": "RegularExpression", "value": "/v[12]/.*"},
        "headers": [{"name": "X-Team", "value": "a"}],
        "queryParams": [{"name": "q", "value": "1"}],
    }
    site.objects["HTTPRoute"][0]["spec"]["rules"][0]["matches"] = [match]

    def answer(asked: Mapping[str, Any]) -> tuple[int, str, str]:
        meets = asked.get("X-Team") == "a" and asked["path"] == "/v1/x?q=1"
        return (200, "{}", "application/json") if meets else (404, "", "text/plain")

    site.answer = answer
    with pytest.raises(NotReady) as failed:
        tried()
    assert "/v1/x?q=1 (X-Team: a)" in failed.value.values["open"][0]


def test_what_no_route_takes_proves_nothing(site: Site) -> None:
    site.answer = lambda _asked: (404, "", "text/plain")
    with pytest.raises(NotReady) as failed:
        tried()
    assert {reason.code for reason in failed.value.reasons} == {"NotProven"}
    assert "no route took this call" in failed.value.message()


def test_routes_of_other_kinds_are_named(site: Site) -> None:
    spec = {"parentRefs": [{"name": "mcp", "namespace": "gateway"}], "rules": [{"backendRefs": [{"name": "echo"}]}]}
    site.objects["GRPCRoute"] = [{"kind": "GRPCRoute", "metadata": {"name": "g", "namespace": "mcp"}, "spec": spec}]
    assert any("GRPCRoute mcp/g" in note and "HTTPRoutes alone" in note for note in tried()["notes"])


def test_a_gateway_without_an_address_is_not_proven(site: Site) -> None:
    site.objects["Gateway"][0]["status"] = {}
    with pytest.raises(NotReady, match="no address"):
        tried()
    assert "no address" in tried(check=True)["notes"][0]


def test_an_anonymous_route_is_listed_and_not_asked(site: Site) -> None:
    done = tried(routes=[{"name": "echo", "namespace": "mcp", "anonymous": True}])
    assert {row["outcome"] for row in done["trials"] if row["route"]} == {"declared"}
    assert {one["Host"] for one in site.asked} == {"mcpops-no-such-host.mcp.test"}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        pytest.param({"namespace": "-a"}, "namespace", id="namespace"),
        pytest.param({"name": "A b"}, "name", id="name"),
        pytest.param({"routes": [{"host": "a.test"}]}, "routes[0].name", id="route without a name"),
        pytest.param(
            {"auth": [{"name": "e", "issuer": "https://a.test"}]}, "auth[0].audiences", id="issuer without audiences"
        ),
        pytest.param({"access_token": "Bearer x"}, "access_token", id="word Bearer"),
        pytest.param({"refused_tokens": {"expired": "a\nb"}}, "refused_tokens.expired", id="token of two lines"),
        pytest.param({"access_token": "a" * 49_153}, "access_token", id="token that no proxy takes"),
        pytest.param({"callers": [{"namespace": "A"}]}, "callers[0].namespace", id="namespace of a caller"),
        pytest.param(
            {"callers": [{"namespace": "a", "pod_labels": {"x": "a b"}}]},
            "callers[0].pod_labels",
            id="label of a caller",
        ),
        pytest.param(
            {"callers": [{"namespace": "a", "services": ["a/b/c"]}]}, "callers[0].services[0]", id="Service of a caller"
        ),
        pytest.param({"image": ""}, "image", id="no image"),
        pytest.param({"image": "a b"}, "image", id="image with a space"),
        pytest.param({"timeout": 0}, "timeout", id="no time for a call"),
        pytest.param({"timeout": 61}, "timeout", id="more than a minute for a call"),
        pytest.param({"wait_timeout": 0}, "wait_timeout", id="no time for pods"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], path: str) -> None:
    assert [one.path for one in gateway_trial.problems(options(**given))] == [path]


@pytest.mark.parametrize("content", [None, "no certificate", "-----BEGIN CERTIFICATE-----" * 10_000])
def test_an_authority_that_is_none_is_refused(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    with pytest.raises(InvalidInput, match="gateway_ca"):
        tried(gateway_ca=str(file))


# --- pods


class Requests:
    """Keeps what an API server is asked, and refuses what it is told to."""

    def __init__(self, refused: str = "") -> None:
        self.done: list[tuple[str, str]] = []
        self.bodies: dict[str, Any] = {}
        self.refused = refused
        self.pods: list[dict[str, Any]] = []
        self.now = None

    def request(self, method: str, path: str, *, body: Any = None, **_options: Any) -> Any:
        kind = path.split("/")[-2] if method == "DELETE" else path.split("/")[-1]
        self.done.append((method, kind))
        if method == "POST" and kind == self.refused:
            raise ServiceError("make it", "exceeded quota", status=403)
        if method == "POST":
            self.bodies[kind] = body
        answer = {"metadata": {"uid": "u-1"}, "items": []}
        return SimpleNamespace(status=200, json=lambda: answer, body=b'{"id": 7}\nnoise\n')

    def list_objects(self, _resource: Any, _namespace: str | None = None, **_options: Any) -> list[Any]:
        return self.pods


POD_OPTIONS = pods.PodOptions("gateway.mcp", "python:3", 4.0, 1.0, "PEM", {"limits": {"memory": "1Mi"}})


FOREIGN = Source("foreign pod", "f")


def called(kube: Requests, source: Source = FOREIGN) -> list[dict[str, Any]]:
    return pods.calls_from(
        kube, FakeTask({}), source, [{"id": 7, "headers": {"Authorization": "Bearer t0p"}}], POD_OPTIONS
    )  # type: ignore[arg-type]


def test_a_network_that_answers_everywhere_makes_no_way_open(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pod's port answers, and so does one of nobody's."""
    site.objects["EndpointSlice"][0]["ports"][0]["port"] = site.port
    site.objects["Gateway"][0]["spec"]["listeners"][0]["port"] = site.port
    monkeypatch.setattr(trial_plan, "NOBODYS_PORT", site.port)
    rows = [row for row in tried(check=True)["trials"] if (row["kind"], row["source"]) == ("pod_ip", "outside")]
    assert [row["outcome"] for row in rows] == ["not_tried"]
    monkeypatch.setattr(trial_plan, "NOBODYS_PORT", 1)
    rows = [row for row in tried(check=True)["trials"] if (row["kind"], row["source"]) == ("pod_ip", "outside")]
    assert [row["outcome"] for row in rows] == ["open"]


def test_a_session_that_was_begun_is_ended(site: Site) -> None:
    site.headers = {"Mcp-Session-Id": "s-1"}
    site.answer = lambda _asked: (200, "{}", "application/json")
    call = {"address": "127.0.0.1", "port": site.port, "host": "echo.mcp.test", "method": "POST", "path": "/mcp"}
    given = {**call, "id": 0, "headers": {"Authorization": "Bearer t", "Content-Type": "x"}, "body": "{}"}
    [left, ended] = trial_calls.make_calls([given, {**given, "ends": True}], 5)
    assert ("ended" in left, ended["ended"]) == (False, True)
    assert ended["headers"]["mcp-session-id"] == "given"
    [last] = [one for one in site.asked if one["method"] == "DELETE"]
    assert (last["Mcp-Session-Id"], last["Authorization"], last["path"]) == ("s-1", "Bearer t", "/mcp")


def test_calls_with_long_tokens_go_in_several_secrets() -> None:
    calls = [{"id": number, "headers": {"Authorization": "x" * 48 * 1024}} for number in range(40)]
    portions = list(pods.portions(calls))
    assert [one["id"] for some in portions for one in some] == list(range(40))
    assert max(len(json.dumps(some)) for some in portions) < pods.BYTES_EACH + 1024
    assert [len(some) for some in pods.portions([{"id": 1}] * 600)] == [250, 250, 100]
    assert list(pods.portions([])) == []


def test_a_job_has_as_long_as_its_calls_can_take() -> None:
    slow = replace(POD_OPTIONS, timeout=60.0, wait_timeout=180.0)
    calls = [{"id": number, "attempts": 2} for number in range(64)]
    seconds = pods.longest_seconds(calls, 60.0)
    # two rounds, and one that begins last
    assert seconds == 64 * 2 * 241 / trial_calls.AT_ONCE + 2 * 241
    assert pods.job("n", FOREIGN, slow, seconds)["spec"]["activeDeadlineSeconds"] > 180 + seconds
    assert pods.longest_seconds([], 60.0) == 0


def test_a_pod_that_runs_is_waited_for_longer_than_for_one_that_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter(range(10_000))
    monkeypatch.setattr(waiting, "CLOCK", Clock(lambda: float(next(ticks)), lambda _seconds: None))
    kube = Requests()
    phases = iter(["Pending"] * 2 + ["Running"] * 60)
    kube.list_objects = lambda *_a, **_o: [  # type: ignore[method-assign]
        {"metadata": {"name": "p"}, "status": {"phase": next(phases, "Succeeded")}}
    ]
    slow = replace(POD_OPTIONS, timeout=60.0, wait_timeout=20.0)
    assert pods.calls_from(kube, FakeTask({}), FOREIGN, [{"id": 7}], slow) == [{"id": 7}]  # type: ignore[arg-type]


def test_a_job_is_read_and_removed_with_its_secret() -> None:
    kube = Requests()
    kube.pods = [{"metadata": {"name": "p"}, "status": {"phase": "Succeeded"}}]
    assert called(kube, Source("allowed pod", "a", {"app": "planner"})) == [{"id": 7}]
    assert kube.done[-2:] == [("DELETE", "jobs"), ("DELETE", "secrets")]
    job, secret = kube.bodies["jobs"], kube.bodies["secrets"]
    assert "t0p" not in json.dumps(job)
    assert "t0p" in base64.b64decode(secret["data"]["calls.json"]).decode()
    assert secret["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    template = job["spec"]["template"]
    assert template["metadata"]["labels"]["app"] == "planner"
    assert template["spec"]["readinessGates"]
    assert template["spec"]["volumes"][0]["secret"]["secretName"] == secret["metadata"]["name"]


@pytest.mark.parametrize("refused", ["jobs", "secrets", "pods"])
def test_whatever_fails_both_are_removed(refused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(waiting, "CLOCK", Clock(lambda: float(next(ticks)), lambda _seconds: None))
    kube = Requests(refused)
    with pytest.raises(pods.PodsFailed):
        called(kube)
    assert kube.done[-2:] == [("DELETE", "jobs"), ("DELETE", "secrets")]


def test_a_namespace_of_its_own_goes_also_after_a_failure() -> None:
    kube = Requests()
    with pytest.raises(RuntimeError), pods.foreign_namespace(kube, POD_OPTIONS, "f"):  # type: ignore[arg-type]
        raise RuntimeError
    assert kube.done == [("POST", "namespaces"), ("DELETE", "namespaces")]


def test_what_pods_run_runs_by_itself(site: Site, tmp_path: Path) -> None:
    """With nothing of the collection beside it."""
    (tmp_path / "calls.py").write_text(pods.program())
    call = {"id": 3, "address": "127.0.0.1", "port": site.port, "host": "echo.mcp.test", "method": "POST"}
    given = {"timeout": 5, "calls": [{**call, "path": "/mcp", "headers": {"X": "y"}, "body": "{}"}]}
    (tmp_path / "calls.json").write_text(json.dumps(given))
    done = subprocess.run(
        [sys.executable, "-I", "calls.py", "calls.json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    [row] = map(json.loads, done.stdout.splitlines())
    assert (row["id"], row["status"], row["body"]) == (3, 403, "RBAC: access denied")
    assert site.asked[0]["X"] == "y"


def test_who_answers_for_every_port_is_not_who_was_asked() -> None:
    row = {"id": 0, "connected": True, "status": 404, "headers": {}, "body": "", "why": "", "sent": True}
    from ansible_collections.mcpops.platform.plugins.module_utils.gateway import trial_judge
    from ansible_collections.mcpops.platform.plugins.module_utils.gateway.trial_cluster import Way

    way = Way("pod_ip", "p", "10.0.0.1", 3000, "h", is_inside=True)
    call = {"id": 0, "port": 3000, "tls": False}
    outside = trial_plan.Trial(0, Source("outside"), way, "direct call", "none", trial_plan.NO_CONNECTION, call)
    inside = trial_plan.Trial(1, Source("foreign pod", "f"), way, "direct call", "none", trial_plan.NO_CONNECTION, call)
    controls = trial_plan.controls_of([outside, inside], {0: row, 1: row})
    assert controls == {"10.0.0.1": [outside]}
    assert trial_plan.control_call(outside)["port"] == 9
    for elsewhere, expected in ((True, "not_tried"), (False, "open")):
        [judged] = trial_judge.judged([outside], {0: {**row, "elsewhere": elsewhere}}, {})
        assert judged.outcome == expected
