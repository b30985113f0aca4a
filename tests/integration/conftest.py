# SPDX-License-Identifier: GPL-3.0-or-later
"""The running local cloud, one shared cluster, a namespace a test, and real playbook runs against them."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.action import needs_a_playbook, run_action
from support.direct import call
from support.playbook import LOCAL_HOST, Run, run_tasks

from localcloud.settings import Settings

SHARED_GROUP = "rg-integration"
SHARED_CLUSTER = "integration"
LOCATION = "eastus2"


@dataclass(frozen=True)
class Cloud:
    """What `localcloud up` wrote for its clients."""

    environment: Mapping[str, str]
    settings: Settings

    @property
    def subscription_id(self) -> str:
        return self.environment["subscription_id"]

    @property
    def registry(self) -> str:
        return self.environment["registry"]

    @property
    def secret(self) -> str:
        return Path(self.environment["client_secret_file"]).read_text(encoding="ascii").strip()

    def auth(self) -> dict[str, str]:
        """The options of the action group `azure`."""
        return {
            "auth_source": "env",
            "cloud_environment": self.environment["azure_endpoint"],
            "subscription_id": self.subscription_id,
            "tenant": self.environment["tenant_id"],
            "client_id": self.environment["client_id"],
            "secret": self.secret,
        }

    def process_environment(self) -> dict[str, str]:
        return {
            "REQUESTS_CA_BUNDLE": self.environment["ca_file"],
            "SSL_CERT_FILE": self.environment["ca_file"],
            "NO_PROXY": f"127.0.0.1,localhost,{self.settings.network}",
        }


@dataclass(frozen=True)
class Cluster:
    """One AKS cluster of the local cloud and the file that opens it."""

    name: str
    resource_group: str
    kubeconfig: Path
    kubectl_binary: str

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        done = subprocess.run(
            [self.kubectl_binary, "--kubeconfig", str(self.kubeconfig), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))


@pytest.fixture(scope="session")
def cloud() -> Cloud:
    settings = Settings.load()
    if not settings.environment_file.exists():
        pytest.fail("The local cloud is not up: run .venv/bin/localcloud up, or make integration, which does.")
    return Cloud(json.loads(settings.environment_file.read_text(encoding="utf-8")), settings)


def play_options(cloud: Cloud, kubeconfig: Path | None, auth: Mapping[str, Any] | None) -> dict[str, Any]:
    """The keywords of a play whose tasks use this cloud and the cluster of this kubeconfig."""
    groups: dict[str, Any] = {"group/mcpops.platform.azure": dict(cloud.auth() if auth is None else auth)}
    if kubeconfig is not None:
        groups["group/mcpops.platform.kubernetes"] = {"kubeconfig": str(kubeconfig)}
    return {"environment": cloud.process_environment(), "module_defaults": groups}


@pytest.fixture(scope="session")
def make_cluster(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Cluster]:
    """`make_cluster(name, **options of aks_cluster)`, by the modules under test; it stays until the cloud is reset."""

    def make(name: str, **options: Any) -> Cluster:
        kubeconfig = tmp_path_factory.mktemp("kube") / name
        named = {"name": name, "resource_group": SHARED_GROUP}
        run_tasks(
            [
                {
                    "mcpops.platform.azure_resource": {
                        "type": "Microsoft.Resources/resourceGroups",
                        "name": SHARED_GROUP,
                        "location": LOCATION,
                    }
                },
                {
                    "mcpops.platform.aks_cluster": {
                        **named,
                        "location": LOCATION,
                        "node_pools": [{"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v5"}],
                        **options,
                    }
                },
                {"mcpops.platform.aks_kubeconfig": {**named, "path": str(kubeconfig), "credential": "admin"}},
            ],
            play=play_options(cloud, None, None),
        ).ok()
        return Cluster(name, SHARED_GROUP, kubeconfig, cloud.environment["kubectl"])

    return make


@pytest.fixture(scope="session")
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """The cluster all tests share."""
    return make_cluster(SHARED_CLUSTER)


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of this test's own, enforcing the restricted level; it goes in the background."""
    readable = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40]
    name = f"it-{readable}-{uuid.uuid4().hex[:6]}"
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)


TaskRunner = Callable[..., dict[str, Any]]
TasksRunner = Callable[..., Run]


@pytest.fixture
def run_all(cloud: Cloud, request: pytest.FixtureRequest) -> TasksRunner:
    """`run_all([{module: args}, ...], check=, diff=, env=, auth=, kubeconfig=)` -> Run, as site.yml would run them."""

    def run(
        tasks: Sequence[Mapping[str, Any]],
        *,
        auth: Mapping[str, Any] | None = None,
        kubeconfig: Path | None = None,
        env: Mapping[str, str] | None = None,
        host: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Run:
        play = play_options(cloud, kubeconfig or _kubeconfig(request), auth)
        play["environment"] = {**play["environment"], **(env or {})}
        return run_tasks(tasks, play=play, hosts={"test": {**LOCAL_HOST, **(host or {})}}, **options)

    return run


@pytest.fixture
def run_task(cloud: Cloud, run_all: TasksRunner, request: pytest.FixtureRequest) -> TaskRunner:
    """`run_task(module, args, check=, diff=, fails=, env=, auth=)` -> the task's result; `fails` expects a failure. In
    this process, unless Ansible has a part in it: another host or user (`host=`, `user=`), or a template."""

    def run(
        module: str,
        args: Mapping[str, Any],
        *,
        fails: bool = False,
        check: bool = False,
        diff: bool = True,
        env: Mapping[str, str] | None = None,
        auth: Mapping[str, Any] | None = None,
        **ref: Any,
    ) -> dict[str, Any]:
        if ref or needs_a_playbook(module, args):
            task = {f"mcpops.platform.{module}": dict(args)}
            done = run_all([task], check=check, diff=diff, env=env, auth=auth, **ref)
            assert (done.returncode != 0) == fails, done.output
            return done.last
        play = play_options(cloud, _kubeconfig(request), auth)
        environment = {**play["environment"], **(env or {})}
        result = run_action(
            module, args, defaults=play["module_defaults"], environment=environment, check=check, diff=diff
        )
        assert bool(result.get("failed")) == fails, result["msg"]
        return result

    return run


@pytest.fixture
def direct(
    module: ModuleType, cloud: Cloud, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TaskRunner:
    """`direct(args, check=, fails=)` -> the result of `module`, a fixture of the directory, run in this process."""
    for name, value in cloud.process_environment().items():
        monkeypatch.setenv(name, value)
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)

    def run(args: dict[str, Any], **options: Any) -> dict[str, Any]:
        return call(module, directory, {"kubeconfig": str(cluster.kubeconfig), **args}, **options)

    return run


def _kubeconfig(request: pytest.FixtureRequest) -> Path | None:
    """The shared cluster's, in tests that use it."""
    return request.getfixturevalue("cluster").kubeconfig if "cluster" in request.fixturenames else None
