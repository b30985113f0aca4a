# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of one cluster reach another one's load balancers where they may, and nothing else of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.restricted_pods import namespace, python_pod

from localcloud.kube.backend import LocalClusters
from localcloud.settings import Settings

from .conftest import LocalCloud

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAMES = ("first", "second")
# Answers each line: a connection that stands.
ECHO = """
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
socketserver.ThreadingTCPServer(("0.0.0.0", 8080), Echo).serve_forever()
"""
HOLD = """
import socket, sys, time
held = socket.create_connection(("{address}", 80), 5)
held.settimeout(3)
while True:
    held.sendall(b"x\\n")
    print("answered" if held.recv(9) else "closed", flush=True)
    time.sleep(0.5)
"""


@pytest.fixture(scope="module")
def pairs(
    clusters: LocalClusters, kubectl_for: Callable[[str], Any], own_settings: Settings
) -> Iterator[dict[str, Any]]:
    found = {}
    for name in NAMES:
        clusters.create(name, clusters.default_version(), network_policy=name == "first")
        kubectl = kubectl_for(name)
        kubectl("apply", "-f", "-", stdin=namespace("work"))
        ports = [{"port": 80, "targetPort": 8080}]
        spec = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": ports, "externalTrafficPolicy": "Local"}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}
        for item in (python_pod(own_settings, "web", ECHO), service):
            kubectl("-n", "work", "apply", "-f", "-", stdin=item)
        kubectl("-n", "work", "wait", "pod/web", "--for=condition=Ready", "--timeout=90s")
        found[name] = kubectl
    yield found
    for name in NAMES:
        clusters.delete(name)


def address(kubectl: Any) -> str:
    deadline = time.monotonic() + 20
    while not (
        found := str(
            kubectl("-n", "work", "get", "service", "web", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
        )
    ):
        assert time.monotonic() < deadline, "no address"
        time.sleep(0.1)
    return found


def reaches(kubectl: Any, target: str, port: int = 80) -> bool:
    program = (
        "import socket\n"
        f"s = socket.create_connection(('{target}', {port}), 2); s.settimeout(2); s.sendall(b'x\\n'); print(s.recv(1))"
    )
    return "b'x'" in kubectl("-n", "work", "exec", "web", "--", "python", "-c", program, check=False)


def wait_for(kubectl: Any, target: str, expected: bool) -> None:
    deadline = time.monotonic() + 15
    while reaches(kubectl, target) is not expected:
        assert time.monotonic() < deadline, expected
        time.sleep(0.2)


def test_each_direction_by_itself(
    pairs: dict[str, Any], localcloud: LocalCloud, clusters: LocalClusters, own_settings: Settings
) -> None:
    first, second = (pairs[name] for name in NAMES)
    to_second, to_first = address(second), address(first)
    assert not reaches(first, to_second)
    localcloud("route", "first", "second")
    wait_for(first, to_second, True)
    assert not reaches(second, to_first)
    localcloud("route", "second", "first")
    wait_for(second, to_first, True)

    # nothing but load balancers: neither nodes nor API servers nor pods
    layout = clusters.layout("second")
    assert layout is not None
    tls = f"import socket; socket.create_connection(('{layout.node_address}', 6443), 2); print('open')"
    assert "open" not in first("-n", "work", "exec", "web", "--", "python", "-c", tls, check=False)

    # a connection that stands ends with its direction, the other one goes on
    hold = python_pod(own_settings, "holder", HOLD.format(address=to_second))
    first("-n", "work", "apply", "-f", "-", stdin={**hold, "spec": {**hold["spec"], "restartPolicy": "Never"}})
    first("-n", "work", "wait", "pod/holder", "--for=condition=Ready", "--timeout=60s")
    deadline = time.monotonic() + 30
    while "answered" not in first("-n", "work", "logs", "holder"):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    localcloud("cut", "first", "second")
    first("-n", "work", "wait", "pod/holder", "--for=jsonpath={.status.phase}=Failed", "--timeout=60s")
    assert "TimeoutError" in first("-n", "work", "logs", "holder")
    assert not reaches(first, to_second) and reaches(second, to_first)

    # and a cluster that is started again is connected as before
    clusters.stop("first")
    clusters.create("first", clusters.default_version(), network_policy=True)
    first("-n", "work", "wait", "pod/web", "--for=condition=Ready", "--timeout=90s")
    wait_for(second, address(first), True)
    localcloud("cut", "second", "first")
    assert not reaches(second, address(first))


def test_a_name_that_is_none_is_refused(localcloud: LocalCloud, pairs: dict[str, Any]) -> None:
    for arguments, word in ((("first", "third"), "There are: first, second"), (("first", "first"), "reaches itself")):
        done = localcloud("route", *arguments, check=False)
        assert done.returncode == 1 and word in done.stderr
