# SPDX-License-Identifier: GPL-3.0-or-later
"""A domain is a folder, a role and a row: with these, and no other edit, everything the playbooks do is done for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.playbook import CHECKOUT, Run, run_playbook

from .conftest import Site
from .drift_runs import inventory_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NEW = Path(__file__).parent / "new_domain"
PARTS = ("plugins", "roles", "playbooks", "meta")
HOST = "notices-1"
NOTICES = [{"name": "motd", "text": "hello"}, {"name": "old", "text": "bye", "until": "2020-01-31"}]


def copied(collections: Path) -> Path:
    """The collection with the folder, the role and the row of a new domain, and nothing else changed."""
    root = collections / "ansible_collections" / "mcpops" / "platform"
    for part in PARTS:
        shutil.copytree(CHECKOUT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "galaxy.yml", root)
    shutil.copytree(NEW / "module_utils" / "notices", root / "plugins" / "module_utils" / "notices")
    shutil.copytree(NEW / "roles" / "team_notices", root / "roles" / "team_notices")
    registry = root / "plugins" / "module_utils" / "domains.py"
    text = registry.read_text(encoding="utf-8")
    of_kmcp = "from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import domain as kmcp\n"
    for before, after in (
        (of_kmcp, of_kmcp + of_kmcp.replace("kmcp", "notices")),
        ("CLUSTER, kmcp.DOMAIN)", "CLUSTER, kmcp.DOMAIN, notices.DOMAIN)"),
    ):
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    registry.write_text(text, encoding="utf-8")
    return collections


@dataclass(frozen=True)
class NewSite:
    """A cluster of its own, because it ends with the cluster's removal."""

    collections: Path
    inventory: Path
    directory: Path
    kubectl_binary: str
    kubeconfig: Path

    def play(self, playbook: str, *arguments: str) -> Run:
        env = {"ANSIBLE_COLLECTIONS_PATH": str(self.collections), "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg")}
        place = f"drift_report_directory={self.directory / 'drift-report'}"
        full = f"mcpops.platform.{playbook}"
        return run_playbook(full, "-i", self.inventory, "-e", place, *arguments, env=env, cwd=self.directory)

    def kubectl(self, *arguments: str) -> str:
        return Site(self.directory, self.kubectl_binary, self.kubeconfig).kubectl(*arguments)

    def patch(self, manager: str, data: dict[str, str]) -> None:
        self.kubectl("patch", "configmap", "motd", f"--field-manager={manager}", "-p", json.dumps({"data": data}))


@pytest.fixture(scope="module")
def new(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewSite]:
    directory = tmp_path_factory.mktemp("new-domain")
    (directory / "ansible.cfg").touch()
    kubeconfig = directory / "kubeconfig"
    variables = {
        "mcpops_kubeconfig": str(kubeconfig),
        "mcpops_mcp_servers": [],
        "mcpops_mcp_calls": [],
        "team_notices_notices": NOTICES,
    }
    found = NewSite(
        copied(directory / "collections"),
        inventory_of(directory / "inventory", **{HOST: variables}),
        directory,
        site.kubectl_binary,
        kubeconfig,
    )
    yield found
    if kubeconfig.exists():
        found.play("teardown", "-e", f"teardown_confirm={HOST}")


def findings_of(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.of(HOST, "mcpops.platform.site_diagnostics : Look for what is wrong")["findings"]
    return found


def test_everything_is_done_for_a_new_domain(new: NewSite) -> None:
    # validated, before anything is there
    refused = new.play("site", "-e", json.dumps({"team_notices_notices": [{"name": "motd"}]}))
    assert refused.returncode != 0 and "team_notices_notices" in refused.output and "text" in refused.output
    assert [result["action"] for result in refused.results] == ["mcpops.platform.site_validate"]

    # converged, and reported with its column and its table
    done = new.play("site").ok()
    assert "mcpops.platform.team_notices : Put up the notices" in done.changed
    shown = [line.split() for line in done.results[-1]["result"]["msg"]]
    assert shown[0] == ["cluster", "kubernetes", "nodes", "kmcp", "notices"] and shown[1][-1] == "2"
    assert ["notice", "text"] in shown and ["motd", "hello"] in shown
    assert new.play("site", "--tags", "extras").ok().changed == []

    # waited for: an object of the domain is judged by the domain
    empty = [{"name": "motd", "text": ""}, NOTICES[1]]
    waited = new.play("site", "--tags", "extras", "-e", json.dumps({"team_notices_notices": empty}))
    assert waited.returncode != 0
    error = waited.of(HOST, "mcpops.platform.team_notices : Put up the notices")["error"]
    assert [one["code"] for one in error["reasons"]] == ["NoticeEmpty"]
    new.play("site", "--tags", "extras").ok()

    # compared: who may write where is the domain's to say
    new.patch("notice-board", {"seen": "17"})
    new.play("drift").ok()
    new.patch("kubectl-edit", {"more": "by hand"})
    drifted = new.play("drift")
    assert drifted.returncode == 2, drifted.output
    report = json.loads((new.directory / "drift-report" / "drift-report.json").read_text(encoding="utf-8"))
    (host,) = (host for host in report["hosts"] if host["name"] == HOST)
    (difference,) = host["differences"]
    assert (difference["object"], difference["stage"]) == ("ConfigMap default/motd", "extras")
    assert [leaf["path"] for leaf in difference["leaves"]] == ["data.more"]
    assert "--tags extras" in difference["command"]
    new.play("drift", "-e", "drift_repair=true").ok()
    assert json.loads(new.kubectl("get", "configmap", "motd", "-o", "json"))["data"] == {"text": "hello", "seen": "17"}

    # diagnosed by its own checks, with its own codes
    found = [one for one in findings_of(new.play("diagnose").ok()) if one["code"].startswith("Notice")]
    assert [(one["id"], one["severity"]) for one in found] == [("NoticeExpired/default/ConfigMap/old", "warning")]
    assert found[0]["advice"] == "Take it out of team_notices_notices."

    # verified by its own tasks
    verified = new.play("verify").ok()
    assert len(verified.of(HOST, "mcpops.platform.team_notices : Read the notices")["objects"]) == 2
    assert ["old", "bye"] in [line.split() for line in verified.results[-1]["result"]["msg"]]

    # torn down before what it lives in
    gone = new.play("teardown", "-e", f"teardown_confirm={HOST}").ok()
    assert gone.changed[:2] == [
        "mcpops.platform.team_notices : Take the notices down",
        "mcpops.platform.aks_cluster : Delete the cluster",
    ]
    assert not new.kubeconfig.exists()
