# SPDX-License-Identifier: GPL-3.0-or-later
"""A domain is a folder, a role and a row: with these, and no other edit, everything the playbooks do is done for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.playbook import CHECKOUT, Run, run_playbook

from .conftest import Site
from .drift_runs import inventory_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NEW = Path(__file__).parent / "new_domain"
PARTS = ("plugins", "roles", "playbooks", "meta", "examples")
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
    of_kmcp = "from .kmcp import domain as kmcp\n"
    for before, after in (
        (of_kmcp, of_kmcp + of_kmcp.replace("kmcp", "notices")),
        (".DOMAIN, OWN)\n", ".DOMAIN, OWN, notices.DOMAIN)\n"),
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


@pytest.fixture(scope="module")
def converged(new: NewSite) -> Run:
    return new.play("site").ok()


def test_its_variables_are_validated_before_anything_is_there(new: NewSite) -> None:
    refused = new.play("site", "-e", json.dumps({"team_notices_notices": [{"name": "motd"}]}))
    assert refused.returncode != 0 and "team_notices_notices" in refused.output and "text" in refused.output
    assert [result["action"] for result in refused.results] == ["mcpops.platform.site_validate"]


def test_its_role_runs_and_the_report_has_its_column_and_its_table(new: NewSite, converged: Run) -> None:
    assert "mcpops.platform.team_notices : Put up the notices" in converged.changed
    shown = [line.split() for line in converged.of(HOST, "Show what answers")["msg"]]
    assert shown[0] == ["cluster", "kubernetes", "nodes", "kmcp", "notices"] and shown[1][-1] == "2"
    assert ["notice", "text"] in shown and ["motd", "hello"] in shown
    again = new.play("site", "--tags", "extras").ok()
    assert again.changed == []
    assert again.of(HOST, "mcpops.platform.team_notices : Put up the notices")["changed"] is False


@pytest.mark.usefixtures("converged")
def test_its_objects_are_waited_for_as_its_judge_says(new: NewSite) -> None:
    empty = [{"name": "motd", "text": ""}, NOTICES[1]]
    waited = new.play("site", "--tags", "extras", "-e", json.dumps({"team_notices_notices": empty}))
    assert waited.returncode != 0
    error = waited.of(HOST, "mcpops.platform.team_notices : Put up the notices")["error"]
    assert [one["code"] for one in error["reasons"]] == ["NoticeEmpty"]
    new.play("site", "--tags", "extras").ok()


@pytest.mark.usefixtures("converged")
def test_drift_is_what_its_expected_writers_have_not_written(new: NewSite) -> None:
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


@pytest.mark.usefixtures("converged")
def test_it_is_diagnosed_by_its_own_checks_with_its_own_codes(new: NewSite) -> None:
    run = new.play("diagnose").ok()
    findings = run.of(HOST, "mcpops.platform.site_diagnostics : Look for what is wrong")["findings"]
    (found,) = (one for one in findings if one["code"].startswith("Notice"))
    assert (found["id"], found["severity"]) == ("NoticeExpired/default/ConfigMap/old", "warning")
    assert found["advice"] == "Take it out of team_notices_notices."


@pytest.mark.usefixtures("converged")
def test_it_is_verified_by_its_own_tasks(new: NewSite) -> None:
    run = new.play("verify").ok()
    assert len(run.of(HOST, "mcpops.platform.team_notices : Read the notices")["objects"]) == 2
    assert ["old", "bye"] in [line.split() for line in run.of(HOST, "Show what answers")["msg"]]


@pytest.mark.usefixtures("converged")
def test_it_is_torn_down_before_what_it_lives_in(new: NewSite) -> None:
    run = new.play("teardown", "-e", f"teardown_confirm={HOST}").ok()
    assert run.changed[:3] == [
        "mcpops.platform.team_notices : Take the notices down",
        "mcpops.platform.aks_cluster : Take the registries away from the nodes",
        "mcpops.platform.aks_cluster : Delete the cluster",
    ]
    assert not new.kubeconfig.exists()
