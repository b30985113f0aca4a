# SPDX-License-Identifier: GPL-3.0-or-later
"""A local Azure on a free port over TLS, with clusters that are only remembered."""

from __future__ import annotations

import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn
from azure.identity import ClientSecretCredential
from azure.mgmt.containerservice import ContainerServiceClient

from localcloud.authority import Authority
from localcloud.azure.app import create_app
from localcloud.azure.cloud import Cloud
from localcloud.azure.config import AzureConfig
from localcloud.azure.entra import KEY_FILE, load_or_make_key
from localcloud.azure.faults import Faults
from localcloud.azure.oracle import Oracle, sdk_operations
from localcloud.azure.principals import Principal, Principals
from localcloud.azure.requestlog import RequestLog
from localcloud.azure.server import listening, uvicorn_config
from localcloud.clusters import ClusterError, ClusterInfo

TENANT = "6f1c2b0e-7a55-4f0e-9a43-2f6f3f0d1b11"
SUBSCRIPTION = "1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22"
CLIENT = "0b9a3c44-5f6e-4d2c-8a77-6e5d4c3b2a33"
T = TypeVar("T")
PATIENCE = 30.0  # seconds for what takes milliseconds on an idle machine
SECRET = "a-secret-of-the-tests"
DATA_HOSTS = 4


class RememberedClusters:
    """Stands for the Kubernetes behind: keeps what it was told, fails when told to."""

    def __init__(self) -> None:
        self.clusters: dict[str, ClusterInfo] = {}
        self.calls: list[tuple[str, ...]] = []
        self.enforces: dict[str, bool] = {}
        self.admitted: dict[str, tuple[str, ...] | None] = {}
        self.issuers: dict[str, str] = {}
        self.keys: list[dict[str, Any]] = []
        self.published: dict[str, dict[str, str]] = {}
        self.used: dict[str, tuple[str, ...]] = {}
        self.fails = ""
        self.gate = threading.Event()
        self.gate.set()

    def versions(self) -> list[str]:
        return ["1.34.4", "1.35.3", "1.35.4"]

    def default_version(self) -> str:
        return "1.34.4"

    def create(
        self,
        name: str,
        kubernetes_version: str,
        *,
        network_policy: bool = False,
        entra_groups: tuple[str, ...] | None = None,
        oidc_issuer: str = "",
    ) -> ClusterInfo:
        self.calls.append(("create", name, kubernetes_version))
        self.enforces[name] = network_policy
        self.admitted[name] = entra_groups
        self.issuers[name] = oidc_issuer
        self.gate.wait(30)
        if self.fails:
            raise ClusterError(self.fails)
        self.clusters[name] = ClusterInfo(name, "running", "https://10.213.1.2:6443", kubernetes_version)
        return self.clusters[name]

    def stop(self, name: str) -> None:
        self.calls.append(("stop", name))
        info = self.clusters[name]
        self.clusters[name] = ClusterInfo(name, "stopped", info.api_server, info.kubernetes_version)

    def delete(self, name: str) -> None:
        self.calls.append(("delete", name))
        self.clusters.pop(name, None)

    def get(self, name: str) -> ClusterInfo | None:
        return self.clusters.get(name)

    def publish_addresses(self, name: str, addresses: Mapping[str, str]) -> None:
        self.published[name] = dict(addresses)

    def addresses_in_use(self, name: str) -> frozenset[str]:
        return frozenset(self.used.get(name, ()))

    def service_account_keys(self, name: str) -> list[dict[str, Any]]:
        if name not in self.clusters:
            raise ClusterError(f"there is no cluster {name}")
        return self.keys

    def admin_kubeconfig(self, name: str) -> dict[str, Any]:
        if name not in self.clusters:
            raise ClusterError(f"there is no cluster {name}")
        return {
            "clusters": [{"name": "x", "cluster": {"server": "https://10.213.1.2:6443"}}],
            "users": [{"name": "x", "user": {"client-certificate-data": "Yw==", "client-key-data": "aw=="}}],
        }


class Server:
    """The application served over TLS by a thread of this process."""

    def __init__(self, config: AzureConfig, backend: RememberedClusters) -> None:
        self.app = create_app(config, backend)
        self.oracle = Oracle(self.app)
        self._server = uvicorn.Server(uvicorn_config(self.oracle, config))
        sockets = listening(config)
        self._thread = threading.Thread(target=self._server.run, args=(sockets,), daemon=True)

    def start(self, config: AzureConfig, ca: Path) -> None:
        self._thread.start()
        with httpx.Client(verify=ssl.create_default_context(cafile=ca)) as client:
            while self._thread.is_alive():
                try:
                    client.get(f"{config.endpoint}/localcloud/health").raise_for_status()
                    return
                except httpx.TransportError:
                    continue
        raise RuntimeError("the server did not start")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)


@dataclass
class Azure:
    """One running local Azure and how to talk to it."""

    config: AzureConfig
    ca: Path
    backend: RememberedClusters
    server: Server
    http: httpx.Client
    token: str = ""

    @property
    def faults(self) -> Faults:
        return self.cloud.faults

    @property
    def cloud(self) -> Cloud:
        cloud: Cloud = self.server.app.state.cloud
        return cloud

    @property
    def log(self) -> RequestLog:
        return RequestLog(self.config.state)

    def empty(self) -> None:
        """Let what is under way end, then forget everything."""
        self.backend.gate.set()
        self.cloud.operations.close()
        self.cloud.operations = self.cloud.make_operations()
        for table in ("resources", "operations", "registrations", "faults"):
            self.cloud.store.change(f"DELETE FROM {table}")
        self.backend.__init__()  # type: ignore[misc]
        for file in (self.log.requests_file, self.log.writes_file):
            file.unlink(missing_ok=True)

    def credential(self, secret: str = SECRET) -> ClientSecretCredential:
        return ClientSecretCredential(
            TENANT,
            CLIENT,
            secret,
            authority=self.config.endpoint,
            disable_instance_discovery=True,
            connection_verify=str(self.ca),
        )

    def options(self) -> dict[str, Any]:
        """What every SDK client takes to speak to this Azure."""
        return {
            "base_url": self.config.endpoint,
            "credential_scopes": [f"{self.config.endpoint}/.default"],
            "connection_verify": str(self.ca),
        }

    def principal(self, name: str, *roles: tuple[str, str]) -> Principal:
        """A service principal with these roles: (GUID of a definition, scope)."""
        made = Principals(self.cloud.store).add(name, since=0)
        for role, scope in roles:
            assert self.assign(role, scope, made.object_id).status_code == 201
        return made

    def assign(self, role: str, scope: str, object_id: str) -> httpx.Response:
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role}"
        properties = {"roleDefinitionId": definition, "principalId": object_id}
        return self.request("PUT", path, {"properties": properties}, version="2022-04-01")

    def as_(self, principal: Principal) -> ClientSecretCredential:
        return ClientSecretCredential(
            TENANT,
            principal.client_id,
            principal.secret,
            authority=self.config.endpoint,
            disable_instance_discovery=True,
            connection_verify=str(self.ca),
        )

    def aks(self, **options: Any) -> ContainerServiceClient:
        return ContainerServiceClient(self.credential(), SUBSCRIPTION, **{**self.options(), **options})

    def post_token(self, tenant: str = TENANT, **changes: str) -> httpx.Response:
        form = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "grant_type": "client_credentials",
            "scope": f"{self.config.endpoint}/.default",
        }
        return self.http.post(f"/{tenant}/oauth2/v2.0/token", data={**form, **changes})

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str = "2026-08-01",
        headers: dict[str, str] | None = None,
        **query: str,
    ) -> httpx.Response:
        if not self.token:
            self.token = self.post_token().json()["access_token"]
        return self.http.request(
            method,
            path if path.startswith(("/subscriptions", "/tenants")) else f"{SUB}{path}",
            json=body,
            params={**({"api-version": version} if version else {}), **query},
            headers={"Authorization": f"Bearer {self.token}", **(headers or {})},
        )

    def group(self, name: str = "rg", location: str = "eastus") -> None:
        assert self.request("PUT", f"/resourceGroups/{name}", {"location": location}, version="2025-04-01").is_success

    def finish(self, response: httpx.Response) -> dict[str, Any]:
        """Poll an operation to its end, as a client does."""
        assert response.is_success, response.text
        url = response.headers["azure-asyncoperation"]

        def ended() -> dict[str, Any] | None:
            answer = self.http.get(url, headers={"Authorization": f"Bearer {self.token}"})
            assert answer.status_code == 200, answer.text
            status: dict[str, Any] = answer.json()
            return None if status["status"] == "InProgress" else status

        return until(ended)

    def cluster(self, name: str = "c1", **changes: Any) -> dict[str, Any]:
        """Create a cluster and wait for it; the answer is what a GET says then."""
        assert self.finish(self.request("PUT", cluster_path(name), cluster_body(**changes)))["status"] == "Succeeded"
        body: dict[str, Any] = self.request("GET", cluster_path(name)).json()
        return body


SUB = f"/subscriptions/{SUBSCRIPTION}"


def cluster_path(name: str = "c1", group: str = "rg") -> str:
    return f"/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{name}"


def cluster_body(**properties: Any) -> dict[str, Any]:
    """The smallest cluster worth having: one system pool, a managed identity."""
    pool = {"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D2s_v5"}
    return {
        "location": "eastus",
        "identity": {"type": "SystemAssigned"},
        "properties": {"dnsPrefix": "c1", "agentPoolProfiles": [pool], **properties},
    }


def until(check: Callable[[], T | None]) -> T:
    """Ask again until there is an answer; the pause leaves the processor to the server, which is in this process."""
    deadline = time.monotonic() + PATIENCE
    while (answer := check()) is None:
        assert time.monotonic() < deadline, "it does not come to an end"
        time.sleep(0.005)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    authority = Authority.create("test CA")
    authority.pair.write(directory / "ca.crt", directory / "ca.key")
    authority.issue("azure", names=["localhost", "127.0.0.1"], server=True).write(
        directory / "azure.crt", directory / "azure.key"
    )
    return directory


def make_config(state: Path, pki: Path, **changes: Any) -> AzureConfig:
    values: dict[str, Any] = {
        "state": state,
        "tenant_id": TENANT,
        "subscription_id": SUBSCRIPTION,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "port": free_port(),
        "data_hosts": tuple(f"127.0.0.1:{free_port()}" for _ in range(DATA_HOSTS)),
        "certificate": pki / "azure.crt",
        "key": pki / "azure.key",
        "operation_seconds": 0.0,
        "poll_milliseconds": 5,
        "registration_seconds": 0.0,
    }
    return AzureConfig(**{**values, **changes})


def launch(config: AzureConfig, pki: Path, backend: RememberedClusters | None = None) -> Azure:
    backend = backend or RememberedClusters()
    config.state.mkdir(parents=True, exist_ok=True)
    key = config.state / KEY_FILE
    if not key.exists():  # making one takes longer than most tests
        load_or_make_key(pki / KEY_FILE)
        key.write_bytes((pki / KEY_FILE).read_bytes())
        key.chmod(0o600)
    server = Server(config, backend)
    server.start(config, pki / "ca.crt")
    trust = ssl.create_default_context(cafile=pki / "ca.crt")
    http = httpx.Client(base_url=config.endpoint, verify=trust, timeout=30)
    return Azure(config, pki / "ca.crt", backend, server, http)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, pki: Path) -> Iterator[Azure]:
    """One server for all tests that need none of their own: starting one takes longer than most tests."""
    sdk_operations()  # reading the SDKs takes seconds, which the first request of a test has not on a busy machine
    running = launch(make_config(tmp_path_factory.mktemp("azure"), pki), pki)
    running.token = running.post_token().json()["access_token"]
    yield running
    running.http.close()
    running.server.stop()


@pytest.fixture
def azure(served: Azure) -> Iterator[Azure]:
    """An empty subscription; afterwards every answer given has been judged by the SDKs' schemas."""
    yield served
    served.empty()
    violations, served.server.oracle.violations = served.server.oracle.violations, []
    assert violations == []
