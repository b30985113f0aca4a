# SPDX-License-Identifier: GPL-3.0-or-later
"""A small site as AWX would know it: imported from its source, with credentials that jobs get in their environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.awx_job import Job
from support.playbook import BIN, CHECKOUT

CLUSTER, PLATFORM, GROUP = "awx-1", "awx", "rg-awx"
PLANTED = "canary-planted-pin-4711"
"""In the declared Secret of the site: it must reach the cluster and nothing that a job leaves."""


class Controller:
    """Starts jobs, each in a directory of its own."""

    def __init__(self, cloud: Any, place: Path) -> None:
        self.cloud = cloud
        self.place = place
        self.kubeconfig = cloud.settings.state / "kubeconfigs" / CLUSTER
        self.secrets = (cloud.secret, PLANTED)
        self._jobs = 0
        self.inventory = self._imported()

    def environment(self, spelling: str) -> dict[str, str]:
        """What the credential type of AWX injects, or the Azure SDK's names for the same."""
        known = self.cloud.environment
        named = {
            "awx": {"AZURE_SECRET": self.cloud.secret, "AZURE_TENANT": known["tenant_id"]},
            "sdk": {"AZURE_CLIENT_SECRET": self.cloud.secret, "AZURE_TENANT_ID": known["tenant_id"]},
        }
        return {
            **named[spelling],
            "AZURE_CLIENT_ID": known["client_id"],
            "AZURE_SUBSCRIPTION_ID": known["subscription_id"],
            "LOCALCLOUD_STATE": str(self.cloud.settings.state),
        }

    def job(self, playbook: str, spelling: str = "awx", arguments: str = "", **variables: Any) -> Job:
        self._jobs += 1
        directory = self.place / f"job-{self._jobs}"
        given = {"drift_report_directory": str(directory / "artifacts" / "drift-report"), **variables}
        return Job(directory, f"playbooks/{playbook}.yml", self.inventory, self.environment(spelling), given, arguments)

    def kubectl(self, *arguments: str) -> str:
        argv = [self.cloud.environment["kubectl"], "--kubeconfig", str(self.kubeconfig), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True).stdout

    def _imported(self) -> str:
        """As AWX imports a source: variables keep their templates, and group_vars are gone."""
        inventory = self.place / "source"
        inventory.mkdir()
        (inventory / "group_vars").symlink_to(CHECKOUT / "inventories" / "local" / "group_vars")
        hosts = {
            "platforms": {"hosts": {PLATFORM: {}}},
            "clusters": {"hosts": {CLUSTER: {"mcpops_platform": PLATFORM}}},
        }
        (inventory / "hosts.json").write_text(json.dumps({"all": {"children": hosts, "vars": SITE}}), encoding="utf-8")
        argv = [BIN / "ansible-inventory", "-i", inventory, "--list", "--export"]
        environment = {**self.environment("awx"), "PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(self.place)}
        done = subprocess.run(argv, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=True)
        shown = json.loads(done.stdout)
        for host in (PLATFORM, CLUSTER):
            # host variables win, as those of a group beside its group_vars do not
            shown.setdefault("_meta", {}).setdefault("hostvars", {}).setdefault(host, {}).update(SITE)
        return json.dumps(shown)


SITE: Mapping[str, Any] = {
    "mcpops_resource_group": GROUP,
    # no secret: it comes with the job
    "mcpops_azure_auth": {"auth_source": "env", "cloud_environment": "{{ local_cloud.azure_endpoint }}"},
    "mcpops_mcp_servers": [{"name": "echo", "image": "{{ mcpops_registry }}/echo-mcp:1.0.0", "port": 3000}],
    "mcpops_mcp_calls": [{"server": "echo", "tool": "echo", "arguments": {"text": "hello"}, "expect": "hello"}],
    "cluster_setup_objects": [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "planted", "namespace": "default"},
            "stringData": {"pin": PLANTED},
        }
    ],
}

Jobs = Callable[..., Job]


@pytest.fixture(scope="package")
def controller(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    found = Controller(cloud, tmp_path_factory.mktemp("awx"))
    yield found
    found.job("teardown", teardown_confirm=f"{CLUSTER},{PLATFORM}").run()


@pytest.fixture(scope="package")
def converged(controller: Controller) -> Job:
    """The first job on this site."""
    return controller.job("site").run()
