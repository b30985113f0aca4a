# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches whom in a mesh on a cluster that enforces NetworkPolicies: each edge, and a pod outside of it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support import mesh
from support.restricted_pods import python_pod

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LABEL, PART = "app.kubernetes.io/component", "app.kubernetes.io/part-of"
AGENT = {PART: "mcp-mesh", LABEL: "agent"}
GATEWAY = {"app": "gateway"}
LISTEN = """
import socketserver, threading
class Answer(socketserver.BaseRequestHandler):
    def handle(self): self.request.sendall(b"ok")
socketserver.ThreadingTCPServer.allow_reuse_address = True
for port in (5432, 8053):
    server = socketserver.ThreadingTCPServer(("", port), Answer)
    threading.Thread(target=server.serve_forever).start()
"""
CALL = """
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
print("ok")
"""
RESOLVE = "import socket, sys; socket.gethostbyname(sys.argv[1]); print('ok')"


class Edges:
    """The pods of the mesh and those beside it."""

    def __init__(self, cloud: Any, cluster: Any, namespace: str) -> None:
        self.cluster, self.namespace, self._cloud = cluster, namespace, cloud

    def pod(self, name: str, labels: dict[str, str], program: str = "import time; time.sleep(3600)") -> None:
        made = python_pod(self._cloud.settings, name, program)
        made["metadata"].update(labels={**labels, "pod": name}, namespace=self.namespace)
        # one with the labels of others is behind no Service of theirs
        made["spec"]["readinessGates"] = [{"conditionType": "tests/never"}]
        mesh.apply(self.cluster, [made])

    def running(self, *names: str) -> None:
        for name in names:
            self.cluster.kubectl(
                *("-n", self.namespace, "wait", f"pod/{name}", "--for=condition=ContainersReady", "--timeout=90s")
            )

    def asks(self, caller: str, program: str, *arguments: str) -> bool:
        argv = ("-n", self.namespace, "exec", caller, "--", "python", "-c", program, *arguments)
        return bool(self.cluster.kubectl(*argv, check=False).strip() == "ok")

    def reaches(self, caller: str, host: str, port: int) -> bool:
        return self.asks(caller, CALL, host, str(port))

    def eventually(self, expected: bool, caller: str, host: str, port: int) -> bool:
        """A policy is in force a moment after it was accepted, and a new pod's address known a moment later."""
        deadline = time.monotonic() + 45
        while self.reaches(caller, host, port) is not expected:
            if time.monotonic() > deadline:
                return False
        return True

    def address(self, selector: str) -> str:
        [one] = self.cluster.get("-n", self.namespace, "pods", "-l", selector)["items"]
        return str(one["status"]["podIP"])


def test_each_edge_of_a_mesh_and_who_is_outside_of_it(
    cloud: Any, cluster: Any, namespace: str, direct: Any, run_task: Any, mesh_images: None
) -> None:
    registry = mesh.image(cloud, "mcpmesh/registry:3.7.1")
    database = {"image": mesh.image(cloud, "library/postgres:15"), "size": "64Mi"}
    edges = Edges(cloud, cluster, namespace)
    edges.pod("stranger", {"app": "stranger"})
    edges.pod("listener", {"app": "listener"}, LISTEN)
    edges.pod("gateway", GATEWAY)
    edges.pod("agent", AGENT)
    direct({"namespace": namespace, "image": registry, "database": database, "wait_timeout": 240})
    image = mesh.image(cloud, "mcpmesh/python-runtime:3.8.0")
    open_to = [{"from": [{"podSelector": {"matchLabels": GATEWAY}}], "ports": [{"port": 8080, "protocol": "TCP"}]}]
    agents = [
        {"name": "dates", "image": image, "script": "dates.py"},
        {
            "name": "greeter",
            "image": image,
            "script": "greeter.py",
            "dependencies": [{"capability": "date_service"}],
            "ingress": open_to,
        },
    ]
    # an agent registers with the registry, the registry keeps it in its database, and both find names: or this fails
    run_task("mesh_agent", {"namespace": namespace, "code": str(mesh.EXAMPLES), "agents": agents, "wait_timeout": 240})
    # the labels that the policies go by, so that these are what is asked about
    edges.pod("like-registry", pod_labels(cluster, namespace, f"deployment/{mesh.REGISTRY_SERVICE}"))
    edges.pod("like-dates", pod_labels(cluster, namespace, "deployment/dates"))
    edges.running("stranger", "listener", "gateway", "agent", "like-registry", "like-dates")

    service, db = mesh.REGISTRY_SERVICE, f"{mesh.REGISTRY_SERVICE}-db"
    edge = {
        "agent to registry": ("agent", service, 8000, True),
        "gateway to registry": ("gateway", service, 8000, False),
        "stranger to registry": ("stranger", service, 8000, False),
        "registry to database": ("like-registry", db, 5432, True),
        "agent to database": ("agent", db, 5432, False),
        "stranger to database": ("stranger", db, 5432, False),
        "agent to agent": ("like-dates", "greeter", 8080, True),
        "stranger to agent": ("stranger", "greeter", 8080, False),
        "gateway to its agent": ("gateway", "greeter", 8080, True),
        "gateway to another agent": ("gateway", "dates", 8080, False),
    }
    for name, (caller, host, port, allowed) in edge.items():
        assert edges.eventually(allowed, caller, host, port), name
    # nobody is let in to where /admin is, and the registry has no Service for it
    address = edges.address(f"app.kubernetes.io/name={service},!pod")
    for caller in ("agent", "gateway", "stranger"):
        assert not edges.reaches(caller, address, 8001), caller

    # names are found by those whose way out is closed, and nothing else is reached that is no part of the mesh
    listener = str(cluster.get("-n", namespace, "pod", "listener")["status"]["podIP"])
    assert edges.eventually(True, "stranger", listener, 5432)
    for caller in ("like-dates", "like-registry"):
        assert edges.asks(caller, RESOLVE, f"{db}.{namespace}"), caller
        for host, port in ((listener, 5432), (listener, 8053), ("kubernetes.default", 443)):
            assert not edges.reaches(caller, host, port), (caller, host, port)


def pod_labels(cluster: Any, namespace: str, workload: str) -> dict[str, str]:
    """The labels that a workload gives its pods, without what would make a pod its own."""
    labels: dict[str, str] = cluster.get("-n", namespace, workload)["spec"]["template"]["metadata"]["labels"]
    return labels
