# SPDX-License-Identifier: GPL-3.0-or-later
"""`inventories/dev` as docs/azure.md walks through it, at the local Azure: what it makes, and how much it asks.

By an identity with exactly the roles that the page gives it, in the group that somebody else has made.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.azure_roles import GIVEN, identity
from support.playbook import CHECKOUT, Run, run_playbook
from support.portal import Portal

from localcloud.azure.requestlog import RequestLog
from localcloud.registry.attached import AttachedRegistries

pytestmark = pytest.mark.integration

INVENTORY = CHECKOUT / "inventories" / "dev"
PAGE = CHECKOUT / "docs" / "azure.md"
CONFIRM = "teardown_confirm=dev-eus2,dev"
GROUP, TEARDOWN = "rg-mcpops-dev", "MCP platform teardown"
# what only waits for something, however often
POLLS = re.compile(r"/operation(s|results|statuses)/|/runs/", re.IGNORECASE)
READS = ("GET", "HEAD")


@dataclass(frozen=True)
class Dev:
    """The inventory with what makes an Azure the local one, and nothing else. The identity of the walk runs it, and for
    the removal one that has the role for that alone."""

    log: RequestLog
    extra: Path
    who: Path
    remover: Path

    def run(self, *arguments: str, playbook: str = "site.yml") -> Run:
        place = CHECKOUT / playbook if playbook.endswith(".yml") else Path(playbook)
        who = self.remover if "teardown" in playbook else self.who
        return run_playbook("-i", INVENTORY, "-e", f"@{self.extra}", "-e", f"@{who}", str(place), *arguments)

    def asked(self, *arguments: str) -> tuple[Run, int, int]:
        """A run, how many requests it made, each counted once, and how many of them were writes."""
        requests, writes = len(self.log.requests()), len(self.log.writes())
        run = self.run(*arguments).ok()
        paths = [(one["method"], one["path"].lower()) for one in self.log.requests(requests)]
        made = {one for one in paths if not POLLS.search(one[1])}
        return run, len(made), len(self.log.writes(writes))


@pytest.fixture(scope="module")
def dev(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    place = tmp_path_factory.mktemp("dev")
    suffix = hashlib.sha256(f"{cloud.subscription_id}/dev".lower().encode()).hexdigest()[:6]
    # on Azure it is the registry's name and .azurecr.io
    login_server = AttachedRegistries(cloud.settings).reserve(f"acrmcpops{suffix}")
    (image,) = _declared("azure_platform_images")
    # the local Azure runs no instruction of a Dockerfile
    build = {"dockerfile": "Dockerfile.on-base", "arguments": {"BASE": f"{cloud.registry}/python-mcp:1"}}
    extra = {
        "mcpops_subscription_id": cloud.subscription_id,
        "mcpops_process_environment": cloud.process_environment(),
        "mcpops_kubeconfig": str(place / "kubeconfig"),
        "mcpops_kmcp_chart_repository": f"oci://{cloud.registry}/kagent-dev/kmcp/helm",
        "mcpops_registry_ca_file": cloud.environment["ca_file"],
        "dev_login_server": login_server,
        "azure_platform_images": [
            {**image, "build": {"context": str(CHECKOUT / "examples" / "echo-mcp"), **build}},
        ],
    }
    # as in a subscription that has no registry yet
    portal = Portal(cloud.environment, cloud.secret)
    portal.request("POST", "providers/Microsoft.ContainerRegistry/unregister", version="2025-04-01").raise_for_status()
    tags = dict(re.findall(r"(mcpops-[a-z]+)=(\S+)", PAGE.read_text(encoding="utf-8")))
    portal.put(f"resourceGroups/{GROUP}", {"location": "eastus2", "tags": tags}, "2025-04-01")

    def write(name: str, values: Any) -> Path:
        (place / name).write_text(json.dumps(values), encoding="utf-8")
        return place / name

    def person(*roles: str) -> Path:
        login = identity(portal, cloud.settings.state / "azure", GROUP, *roles, auth=cloud.auth())
        return write(f"{login['client_id']}.json", {"mcpops_azure_auth": login})

    roles = [name for name, _scope in GIVEN if name != TEARDOWN]
    assert len(roles) == 4
    log = RequestLog(cloud.settings.state / "azure")
    found = Dev(log, write("local.json", extra), person(*roles), person(TEARDOWN))
    yield found
    found.run("-e", CONFIRM, playbook="mcpops.platform.teardown")


def _declared(variable: str) -> Any:
    return yaml.safe_load((INVENTORY / "group_vars/all/main.yml").read_text(encoding="utf-8"))[variable]


def shown() -> dict[str, tuple[str, ...]]:
    """The rows of the page's table of requests."""
    rows = re.findall(r"^\| (the first one|any later one)[^|]*\| (\d+) \| (\d+) \|$", PAGE.read_text(), re.MULTILINE)
    return {name: (requests, writes) for name, requests, writes in rows}


def test_the_whole_walk(dev: Dev) -> None:
    """Shown from nothing, made, proven; the second run changes nothing; removed with the names that the page says."""
    planned = dev.run("--check", "--diff").ok()
    for name in ("rg-mcpops-dev", "acrmcpops", "echo-mcp", "dev-eus2", "MCPServer mcp/echo"):
        assert name in planned.output
    run, requests, writes = dev.asked()
    assert "hello from Azure" in run.output
    again, later, nothing = dev.asked()
    assert again.changed == []
    measured = {
        "the first one": (str(requests), str(writes)),
        "any later one": (str(later), str(nothing)),
    }
    assert shown() == measured
    gone = dev.run("-e", CONFIRM, playbook="mcpops.platform.teardown").ok()
    assert "rg-mcpops-dev" in gone.output
    assert any(one["method"] == "DELETE" and one["path"].endswith(GROUP) for one in dev.log.writes())
