# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that dies anywhere leaves nothing that the next run does not put right."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.playbook import CHECKOUT, Run, run_playbook
from support.snapshot import snapshot

from localcloud.registry.attached import AttachedRegistries
from localcloud.settings import DEMO_REGISTRY

from ..conftest import Cloud
from .conftest import Site

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CLUSTER = "kill-1"
GROUP = "rg-kill-points"
DEADLINE_SECONDS = 120.0


class Victim:
    """A site of its own whose runs are killed."""

    def __init__(self, site: Site, inventory: Path, login_server: str) -> None:
        self._site = site
        self.inventory = inventory
        self.login_server = login_server

    @property
    def kubeconfig(self) -> Path:
        return self._site.state / "kubeconfigs" / CLUSTER

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        command = [self._site.kubectl_binary, "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)
        return done.stdout if done.returncode == 0 else '{"items": []}'

    def run(self) -> Run:
        return run_playbook("-i", self.inventory, CHECKOUT / "site.yml")

    def run_until(self, reached: Callable[[], bool]) -> None:
        """Start a run and kill it, with all its children, the moment `reached` is true."""
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.inventory), "site.yml"]
        process = subprocess.Popen(
            command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        deadline = time.monotonic() + DEADLINE_SECONDS
        try:
            while not (there := reached()) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            output = process.communicate()[0]
        assert there, f"the run ended, or {DEADLINE_SECONDS:g} s passed, before its kill point:\n{output}"

    @contextlib.contextmanager
    def slow_deployments(self, address: str) -> Iterator[None]:
        """Creating a Deployment takes long while this lasts: the API server asks a webhook that never answers."""
        with socket.create_server((address, 0)) as mute:
            rule = {
                "apiGroups": ["apps"],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["deployments"],
            }
            webhook = {
                "name": "mute.example.com",
                "clientConfig": {"url": f"https://{address}:{mute.getsockname()[1]}/"},
                "rules": [rule],
                "failurePolicy": "Ignore",
                "timeoutSeconds": 30,
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
            configuration = {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "mute"},
                "webhooks": [webhook],
            }
            self.kubectl("create", "-f", "-", stdin=json.dumps(configuration))
            try:
                yield
            finally:
                self.kubectl("delete", "validatingwebhookconfiguration", "mute")

    def count(self, kind: str, *arguments: str) -> int:
        return len(json.loads(self.kubectl("get", kind, *arguments, "-o", "json"))["items"])

    def asked(self, method: str, ending: str) -> int:
        return sum(
            request["method"] == method and request["path"].split("?")[0].lower().endswith(ending)
            for request in self._site.azure_requests()
        )

    def wipe_the_cluster(self) -> None:
        """As if nothing of the platform had ever been installed in it."""
        self.kubectl("delete", "mcpservers.kagent.dev", "--all", "-n", "mcp", "--ignore-not-found")
        self.kubectl("delete", "namespace", "mcp", "kmcp-system", "--ignore-not-found")
        self.kubectl("delete", "customresourcedefinition", "mcpservers.kagent.dev", "--ignore-not-found")
        for kind in ("clusterrole", "clusterrolebinding"):
            self.kubectl("delete", kind, "-l", "app.kubernetes.io/name=kmcp", "--ignore-not-found")


@pytest.fixture(scope="module")
def victim(site: Site, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    inventory = tmp_path_factory.mktemp("inventory")
    (inventory / "group_vars").symlink_to(CHECKOUT / "inventories" / "local" / "group_vars")
    # another platform has another registry: on Azure it would answer at its name
    suffix = hashlib.sha256(f"{cloud.subscription_id}/kill".lower().encode()).hexdigest()[:6]
    login_server = AttachedRegistries(cloud.settings).reserve(f"{DEMO_REGISTRY}{suffix}")
    cluster = {"mcpops_platform": "kill", "local_login_server": login_server}
    hosts = {
        "all": {
            "children": {
                "platforms": {"hosts": {"kill": {"mcpops_resource_group": GROUP}}},
                "clusters": {"hosts": {CLUSTER: {**cluster, "mcpops_resource_group": GROUP}}},
            },
        }
    }
    (inventory / "hosts.json").write_text(json.dumps(hosts), encoding="utf-8")
    found = Victim(site, inventory, login_server)
    yield found
    run_playbook("-i", inventory, CHECKOUT / "playbooks/teardown.yml", "-e", f"teardown_confirm={CLUSTER},kill").ok()


def test_killed_while_azure_creates_the_cluster(site: Site, victim: Victim, cloud: Cloud) -> None:
    before = victim.asked("PUT", f"/managedclusters/{CLUSTER}")
    victim.run_until(lambda: victim.asked("PUT", f"/managedclusters/{CLUSTER}") > before)
    _converges(site, victim, cloud)


def test_killed_while_the_kubeconfig_is_written(site: Site, victim: Victim, cloud: Cloud) -> None:
    victim.kubeconfig.unlink()
    ending = f"/managedclusters/{CLUSTER}/listclusterusercredential"
    before = victim.asked("POST", ending)
    victim.run_until(lambda: victim.asked("POST", ending) > before)
    _converges(site, victim, cloud)
    leftovers = [path.name for path in victim.kubeconfig.parent.iterdir() if CLUSTER in path.name]
    assert leftovers == [victim.kubeconfig.name]


def test_killed_between_definitions_and_controller(site: Site, victim: Victim, cloud: Cloud) -> None:
    victim.wipe_the_cluster()
    victim.run_until(
        lambda: (
            victim.count("customresourcedefinitions", "-l", "app.kubernetes.io/managed-by=Helm") > 0
            or "mcpservers.kagent.dev" in victim.kubectl("get", "customresourcedefinitions", "-o", "name")
        )
    )
    assert victim.count("deployments", "-n", "kmcp-system") == 0
    # the run that was killed held the lease, and nobody has to wait for a dead process
    assert "the lease of a run that died was taken over" in _converges(site, victim, cloud)


def test_killed_while_helm_is_pending(site: Site, victim: Victim, cloud: Cloud) -> None:
    victim.wipe_the_cluster()
    pending = "owner=helm,name=kmcp,status=pending-install"
    with victim.slow_deployments(cloud.registry.split(":")[0]):
        victim.run_until(lambda: victim.count("secrets", "-n", "kmcp-system", "-l", pending) > 0)
    assert victim.count("secrets", "-n", "kmcp-system", "-l", pending) == 1
    _converges(site, victim, cloud)


def _converges(site: Site, victim: Victim, cloud: Cloud) -> str:
    """What the run printed that put it right, on one line."""
    repairing = victim.run().ok()
    assert victim.run().ok().changed == []
    pulled = json.dumps(snapshot(victim.kubectl)).replace(victim.login_server, cloud.settings.demo_login_server)
    assert json.loads(pulled) == snapshot(site.kubectl)
    return " ".join(repairing.output.split())
