# SPDX-License-Identifier: GPL-3.0-or-later
"""The local Azure on a free port with clusters that are only remembered, and a task to run operations with."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import uvicorn
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure
from localcloud.azure.app import create_app
from localcloud.azure.config import AzureConfig
from localcloud.azure.faults import Faults
from localcloud.azure.requestlog import RequestLog
from localcloud.azure.server import uvicorn_config
from localcloud.clusters import ClusterInfo

SECRET = "a-secret-of-the-tests"


class RememberedClusters:
    """Stands for the Kubernetes behind the clusters, which is not what these tests are about."""

    def __init__(self) -> None:
        self.clusters: dict[str, ClusterInfo] = {}
        self.published: dict[str, dict[str, str]] = {}
        self.used: dict[str, tuple[str, ...]] = {}

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
        self.clusters[name] = ClusterInfo(name, "running", "https://10.213.1.2:6443", kubernetes_version)
        return self.clusters[name]

    def stop(self, name: str) -> None:
        info = self.clusters[name]
        self.clusters[name] = ClusterInfo(name, "stopped", info.api_server, info.kubernetes_version)

    def delete(self, name: str) -> None:
        self.clusters.pop(name, None)

    def get(self, name: str) -> ClusterInfo | None:
        return self.clusters.get(name)

    def publish_addresses(self, name: str, addresses: Mapping[str, str]) -> None:
        self.published[name] = dict(addresses)

    def addresses_in_use(self, name: str) -> frozenset[str]:
        return frozenset(self.used.get(name, ()))

    def service_account_keys(self, name: str) -> list[dict[str, Any]]:
        return []

    def admin_kubeconfig(self, name: str) -> dict[str, Any]:
        return {
            "clusters": [{"name": "x", "cluster": {"server": "https://10.213.1.2:6443"}}],
            "users": [{"name": "x", "user": {"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5LWE="}}],
        }


@dataclass
class FakeTask:
    """What an operation is given, remembering what it says."""

    params: dict[str, Any]
    check_mode: bool = False
    diff_mode: bool = True
    run_directory: Path | None = None
    warnings: list[str] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    written: list[str] = field(default_factory=list)

    def run_command(
        self, argv: Any, stdin: str | None = None, env: Mapping[str, str] | None = None, shown: bool = False
    ) -> Any:
        raise AssertionError(f"nothing here runs a command, but {argv}")

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def progress(self, message: str) -> None:
        self.reported.append(message)

    def secret(self, value: str) -> None:
        self.secrets.add(value)

    def wrote(self, what: str) -> None:
        self.written.append(what)


@dataclass
class Azure:
    """One running local Azure; `run` is a task of a playbook run in check mode or not."""

    config: AzureConfig
    run_directory: Path

    @property
    def faults(self) -> Faults:
        return Faults.at(self.config.state)

    @property
    def log(self) -> RequestLog:
        return RequestLog(self.config.state)

    def auth(self) -> dict[str, Any]:
        return {
            "auth_source": "env",
            "cloud_environment": self.config.endpoint,
            "subscription_id": self.config.subscription_id,
            "client_id": self.config.client_id,
            "tenant": self.config.tenant_id,
            "secret": SECRET,
        }

    def task(self, module: ModuleType, args: Mapping[str, Any], check: bool = False) -> FakeTask:
        spec = ArgumentSpecValidator(module.ARGUMENT_SPEC, **getattr(module, "RULES", {}))
        validated = spec.validate({**self.auth(), **args})
        assert not validated.error_messages, validated.error_messages
        return FakeTask(validated.validated_parameters, check_mode=check, run_directory=self.run_directory)

    def run(self, module: ModuleType, args: Mapping[str, Any], check: bool = False) -> dict[str, Any]:
        """The result as Ansible would see it, failed or not."""
        task = self.task(module, args, check)
        try:
            result: dict[str, Any] = module.OPERATION(task).to_dict(True)
        except Failure as failure:
            return failure.to_result(task.written)
        return result

    def requests(self) -> list[tuple[str, str]]:
        """Method and last parts of the path of every ARM request so far."""
        return [(entry["method"], entry["path"]) for entry in self.log.requests() if "oauth2" not in entry["path"]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(config: AzureConfig) -> Iterator[None]:
    """The local Azure, served by a thread of this process."""
    server = uvicorn.Server(uvicorn_config(create_app(config, RememberedClusters()), config))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the local Azure did not start")
        thread.join(0.01)
    yield
    server.should_exit = True
    thread.join(20)
