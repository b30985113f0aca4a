# SPDX-License-Identifier: GPL-3.0-or-later
"""mcp_server with 1, 100 and 1,000 servers against a bare concurrent HTTP client (the floor): the API's part alone.

KMCP's controller sleeps meanwhile, so that neither its work nor 1,000 Deployments are measured.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.playbook import CHECKOUT

from bench.measure import Row, seconds
from bench.objects import Floor, against, counted
from bench.site import Site

NAMESPACE = "bench-servers"
FLOOR_NAMESPACE = "bench-servers-floor"
COUNTS = (1, 100, 1000)
RUNS = 3
SERVERS_PATH = "/apis/kagent.dev/v1alpha1/namespaces/{}/mcpservers"
CONTROLLER = ("-n", "kmcp-system", "deployment/kmcp-controller-manager")
# As counted: two for the kinds, a LIST of servers and of each of five kinds beside them to judge them (Deployments,
# Services, ConfigMaps, ServiceAccounts, NetworkPolicies), and a LIST of servers to apply them. It stays at one LIST a
# kind up to a thousand objects of it, which is a page.
MOST_UNCHANGED = 9
# The index of OpenAPI documents, read for the first object that differs. The documents are in the user's cache: what
# is measured is not the first run.
MOST_BESIDE_WRITES = MOST_UNCHANGED + 1


def options(count: int, generation: int) -> dict[str, Any]:
    """The options of one task."""
    servers = [
        {"name": f"s{number:04}", "image": "registry.example.com/echo-mcp:1.0.0", "env": {"GENERATION": generation}}
        for number in range(count)
    ]
    return {"namespace": NAMESPACE, "servers": servers}


def bare(count: int, generation: int) -> list[dict[str, Any]]:
    """The same as objects."""
    image = "registry.example.com/echo-mcp:1.0.0"
    spec = {
        "transportType": "http",
        "httpTransport": {"targetPort": 3000, "path": "/mcp"},
        "deployment": {"image": image, "port": 3000, "env": {"GENERATION": str(generation)}},
    }
    metadata = [{"name": f"s{number:04}", "namespace": FLOOR_NAMESPACE} for number in range(count)]
    return [
        {"apiVersion": "kagent.dev/v1alpha1", "kind": "MCPServer", "metadata": one, "spec": spec} for one in metadata
    ]


def rows(site: Site, scratch: Path) -> list[Row]:
    with _asleep(site):
        for namespace in (NAMESPACE, FLOOR_NAMESPACE):
            site.kubectl("create", "namespace", namespace, check=False)
        floor = Floor(site.kubeconfig_content(), scratch, SERVERS_PATH.format(FLOOR_NAMESPACE))
        bench = Bench(site, floor, scratch / "servers.json")
        found = [row for count in COUNTS for row in bench.rows(count)]
        site.kubectl("delete", "namespace", NAMESPACE, FLOOR_NAMESPACE)
    return found


@contextmanager
def _asleep(site: Site) -> Iterator[None]:
    """Without the controller; it wakes up to no server of ours."""
    site.kubectl("scale", *CONTROLLER, "--replicas=0")
    site.kubectl("rollout", "status", *CONTROLLER, "--timeout=60s")
    try:
        yield
    finally:
        for namespace in (NAMESPACE, FLOOR_NAMESPACE):
            site.kubectl("delete", "mcpservers.kagent.dev", "--all", "-n", namespace, check=False)
        site.kubectl("scale", *CONTROLLER, "--replicas=1")
        site.kubectl("rollout", "status", *CONTROLLER, "--timeout=120s")


class Bench:
    def __init__(self, site: Site, floor: Floor, file: Path) -> None:
        self._site = site
        self._floor = floor
        self._file = file
        self._generation = itertools.count()

    def rows(self, count: int) -> list[Row]:
        self._bare(count)
        self._ours(count, next(self._generation))
        floors, changed, unchanged = [], [], []
        for _number in range(RUNS):
            generation = next(self._generation)
            floors.append(self._bare(count))
            changed.append(self._ours(count, generation))
            unchanged.append(self._ours(count, generation))
        assert {run["changed"] for run in changed} == {count} and not any(run["changed"] for run in unchanged)
        for namespace in (NAMESPACE, FLOOR_NAMESPACE):
            self._site.kubectl("delete", "--raw", SERVERS_PATH.format(namespace))
        return [
            against(f"{count} MCPServers changed", [run["seconds"] for run in changed], floors, None),
            against(f"{count} MCPServers unchanged", [run["seconds"] for run in unchanged], floors, None),
            counted(f"requests of {count} MCPServers changed", changed, count + MOST_BESIDE_WRITES),
            counted(f"requests of {count} MCPServers unchanged", unchanged, MOST_UNCHANGED),
        ]

    def _bare(self, count: int) -> float:
        objects = bare(count, next(self._generation))
        return seconds(lambda: self._floor.apply(objects))

    def _ours(self, count: int, generation: int) -> dict[str, float]:
        self._file.write_text(json.dumps(options(count, generation)), encoding="utf-8")
        argv = [sys.executable, "-m", "bench.server_footprint", str(self._site.kubeconfig), str(self._file)]
        search = os.pathsep.join(str(CHECKOUT / part) for part in ("tests", "collections"))
        done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": search}, capture_output=True, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        return found
