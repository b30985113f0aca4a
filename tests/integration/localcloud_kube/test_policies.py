# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkPolicies: enforced in both directions where the cluster was made with a policy engine, and only there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.restricted_pods import namespace, python_pod

from localcloud.kube.backend import LocalClusters
from localcloud.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LISTEN = """
import socketserver, threading
class Answer(socketserver.BaseRequestHandler):
    def handle(self): self.request.sendall(b"ok")
for port in (8000, 8001):
    server = socketserver.ThreadingTCPServer(("", port), Answer)
    threading.Thread(target=server.serve_forever).start()
"""
CALL = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 2) as connection:
    print(connection.recv(2).decode())
"""
DNS = {"ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]}


def policy(name: str, types: list[str], pods: dict[str, str] | None = None, **rules: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {"matchLabels": pods or {}}, "policyTypes": types, **rules},
    }


def from_app(app: str, port: int = 8000) -> dict[str, Any]:
    peers = [{"podSelector": {"matchLabels": {"app": app}}}]
    return {"from": peers, "ports": [{"port": port, "protocol": "TCP"}]}


def to_app(app: str, port: int = 8000) -> dict[str, Any]:
    peers = [{"podSelector": {"matchLabels": {"app": app}}}]
    return {"to": peers, "ports": [{"port": port, "protocol": "TCP"}]}


class Pods:
    """A server behind a Service, and two pods that call it."""

    def __init__(self, kubectl: Any, settings: Settings) -> None:
        self.kubectl = kubectl
        kubectl("apply", "-f", "-", stdin=namespace("net"))
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "server"},
            "spec": {"selector": {"app": "server"}, "ports": [{"name": f"p{p}", "port": p} for p in (8000, 8001)]},
        }
        pods = [python_pod(settings, "server", LISTEN)]
        pods += [python_pod(settings, name, "import time; time.sleep(3600)") for name in ("friend", "stranger")]
        for document in (service, *pods):
            kubectl("apply", "-n", "net", "-f", "-", stdin=document)
        kubectl("-n", "net", "wait", "pod", "--all", "--for=condition=Ready", "--timeout=90s")

    def apply(self, *policies: dict[str, Any]) -> None:
        self.kubectl("-n", "net", "delete", "networkpolicy", "--all")
        for one in policies:
            self.kubectl("apply", "-n", "net", "-f", "-", stdin=one)

    def reaches(self, caller: str, host: str = "server", port: int = 8000) -> bool:
        argv = ("-n", "net", "exec", caller, "--", "python", "-c", CALL, host, str(port))
        return self.kubectl(*argv, check=False).strip() == "ok"

    def eventually(self, expected: bool, caller: str, host: str = "server", port: int = 8000) -> bool:
        """A policy is in force a moment after it was accepted."""
        deadline = time.monotonic() + 60
        while self.reaches(caller, host, port) is not expected:
            if time.monotonic() > deadline:
                return False
        return True


@pytest.fixture(scope="module")
def make_pods(own_settings: Settings, clusters: LocalClusters, kubectl_for: Callable[[str], Any]) -> Iterator[Any]:
    made: list[str] = []

    def make(name: str, network_policy: bool) -> Pods:
        made.append(name)
        clusters.create(name, clusters.default_version(), network_policy=network_policy)
        return Pods(kubectl_for(name), own_settings)

    yield make
    for name in made:
        clusters.delete(name)


@pytest.fixture(scope="module")
def pods(make_pods: Any) -> Pods:
    made: Pods = make_pods("enforcing", True)
    return made


def test_without_a_policy_everybody_may(pods: Pods) -> None:
    pods.apply()
    assert pods.eventually(True, "stranger") and pods.eventually(True, "friend", port=8001)


def test_what_comes_in_is_chosen_by_who_calls_and_which_port(pods: Pods) -> None:
    pods.apply(policy("in", ["Ingress"], {"app": "server"}, ingress=[from_app("friend")]))
    assert pods.eventually(False, "stranger")
    assert pods.reaches("friend")
    assert not pods.reaches("friend", port=8001)


def test_what_goes_out_is_chosen_by_who_is_called(pods: Pods) -> None:
    pods.apply(policy("out", ["Egress"], {"app": "stranger"}, egress=[DNS]))
    assert pods.eventually(False, "stranger")
    assert pods.reaches("friend")
    pods.apply(policy("out", ["Egress"], {"app": "stranger"}, egress=[DNS, to_app("server")]))
    assert pods.eventually(True, "stranger")
    assert not pods.reaches("stranger", port=8001)


def test_deny_all_stops_names_and_the_api_server_too(pods: Pods) -> None:
    lookup = ("-n", "net", "exec", "friend", "--", "python", "-c")
    program = "import socket; print(socket.gethostbyname('kubernetes.default.svc.cluster.local'))"
    api = "import socket; socket.create_connection(('10.96.0.1', 443), 2); print('open')"
    pods.apply()
    assert pods.eventually(True, "friend")
    assert "10.96.0.1" in pods.kubectl(*lookup, program)
    assert "open" in pods.kubectl(*lookup, api)
    pods.apply(policy("nothing", ["Ingress", "Egress"]))
    assert pods.eventually(False, "friend")
    assert "timed out" in pods.kubectl(*lookup, api, check=False)
    assert "open" not in pods.kubectl(*lookup, program, check=False)
    # kubelet's own requests are not asked about: the pods stay ready
    pods.kubectl("-n", "net", "wait", "pod", "--all", "--for=condition=Ready", "--timeout=5s")


def test_a_cluster_without_an_engine_stores_policies_and_lets_everything_through(make_pods: Any) -> None:
    pods = make_pods("storing", False)
    pods.apply(policy("nothing", ["Ingress", "Egress"]))
    assert pods.eventually(True, "stranger")


def test_an_engine_that_is_switched_on_later_enforces_what_was_stored(clusters: LocalClusters, pods: Pods) -> None:
    pods.apply(policy("nothing", ["Ingress", "Egress"]))
    clusters.create("enforcing", clusters.default_version(), network_policy=False)
    pods.kubectl("-n", "net", "wait", "pod", "--all", "--for=condition=Ready", "--timeout=90s")
    assert pods.eventually(True, "friend")
    clusters.create("enforcing", clusters.default_version(), network_policy=True)
    pods.kubectl("-n", "net", "wait", "pod", "--all", "--for=condition=Ready", "--timeout=90s")
    assert pods.eventually(False, "friend")
