# SPDX-License-Identifier: GPL-3.0-or-later
"""One gateway for all tests here, made by the collection's own modules, with a server behind it that needs a token."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import gateway
from support.playbook import run_tasks

from localcloud import names
from localcloud.files import write_atomically

from ..conftest import Cloud, Cluster, play_options

READY = [
    {"kind": "Certificate", "type": "Ready"},
    {"kind": "GatewayClass", "type": "Accepted"},
    {"kind": "Gateway", "type": "Programmed"},
]


@dataclass(frozen=True)
class Plane:
    cloud: Cloud
    cluster: Cluster
    directory: gateway.Directory
    api: gateway.Api
    ca: Path
    address: str
    proxy: str
    declared: Sequence[Mapping[str, Any]]
    """The tasks that made it."""

    def again(self) -> Any:
        """The same tasks once more."""
        return run_tasks(self.declared, play=play_options(self.cloud, self.cluster.kubeconfig, None)).ok()

    def converse(self, **asked: Any) -> Any:
        return gateway.converse(self.ca, self.proxy, **asked)


def _tasks(cloud: Cloud, api: gateway.Api) -> list[dict[str, Any]]:
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": restricted}}
        for name in (gateway.WAY_IN, gateway.SERVERS)
    ]
    way_in, behind = gateway.way_in(), [*gateway.server(cloud), *gateway.guarded(cloud, api.audience)]
    waiting = {"wait": True, "wait_timeout": 180}
    return [
        *({"mcpops.platform.helm_release": release} for release in gateway.releases(cloud)),
        {"mcpops.platform.k8s_objects": {"definitions": namespaces}},
        {"mcpops.platform.k8s_objects": {"definitions": way_in, **waiting, "wait_conditions": READY}},
        {"mcpops.platform.k8s_objects": {"definitions": behind, "wait": True, "wait_timeout": 180}},
    ]


@pytest.fixture(scope="session")
def plane(cloud: Cloud, make_cluster: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Plane:
    gateway.provide(cloud)
    directory = gateway.Directory(cloud)
    api = directory.api()
    cluster = make_cluster("way-in")
    declared = _tasks(cloud, api)
    run_tasks(declared, play=play_options(cloud, cluster.kubeconfig, None)).ok()
    address = cluster.get("gateway", "way-in", "-n", gateway.WAY_IN)["status"]["addresses"][0]["value"]
    secret = cluster.get("secret", "way-in", "-n", gateway.WAY_IN)
    ca = tmp_path_factory.mktemp("way-in") / "ca.crt"
    ca.write_bytes(base64.b64decode(secret["data"]["ca.crt"]) + cloud.settings.ca_file.read_bytes())
    known = names.changed(names.known(cloud.settings), [f"{gateway.HOST}={address}"])
    write_atomically(names.names_file(cloud.settings), json.dumps(known))
    found = Plane(cloud, cluster, directory, api, ca, address, names.ensure_running(cloud.settings), declared)
    _wait_until_it_answers(found)
    return found


def _wait_until_it_answers(plane: Plane, seconds: float = 60) -> None:
    """A policy is accepted a moment before Envoy has it."""
    deadline = time.monotonic() + seconds
    while (status := status_of(plane, gateway.METADATA, method="GET")) != 200:
        assert time.monotonic() < deadline, status
        time.sleep(0.5)


def status_of(plane: Plane, path: str = "/mcp", *, method: str = "POST", **options: Any) -> int:
    """The answer to a plain request; 0 where there is none."""
    try:
        with httpx.Client(verify=str(plane.ca), proxy=plane.proxy, timeout=30, trust_env=False) as http:
            return http.request(method, f"https://{gateway.HOST}{path}", **options).status_code
    except httpx.TransportError:
        return 0
