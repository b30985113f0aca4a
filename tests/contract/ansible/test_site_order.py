# SPDX-License-Identifier: GPL-3.0-or-later
"""The plays of site.yml as ansible-playbook runs them, with roles that do nothing or fail: who is converged, and when.

Everything between the roles is the playbook's own: rings, what stops, what is reported and published.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.playbook import CHECKOUT, LOCAL_HOST, Run, run_playbook

# nobody answers there
AWAY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
PLAYBOOKS = {
    name: yaml.safe_load((CHECKOUT / "playbooks" / f"{name}.yml").read_text(encoding="utf-8"))
    for name in ("site", "verify")
}
# clusters a, b and c stand on p, d on q
PLATFORMS = {"a": "p", "b": "p", "c": "p", "d": "q"}
RINGS = {"canary": ["b", "d"], "early": ["c"]}


def not_begun(names: str) -> dict[str, str]:
    return dict.fromkeys(names, "not begun")


def played(task: dict[str, Any]) -> list[dict[str, Any]]:
    """A task of the playbook, or what stands in for it."""
    if "block" in task:
        parts = {
            part: [one for inner in task[part] for one in played(inner)]
            for part in ("block", "rescue", "always")
            if part in task
        }
        return [{**task, **parts}]
    role = task.get("ansible.builtin.import_role") or task.get("ansible.builtin.include_role")
    if role is not None:
        name = str(role["name"]).rpartition(".")[2]
        kept = {key: task[key] for key in ("tags",) if key in task}
        if "site_role" in name:
            return []
        return [
            # connects, which shows a host that cannot be reached
            {"name": f"Role {name}", "ansible.builtin.raw": "true", "changed_when": False, "check_mode": False, **kept},
            {
                "name": f"Break {name}",
                "ansible.builtin.fail": {"msg": "{{ item }} is not what it should be"},
                "loop": ["rg-a", "rg-b"],
                "when": f"'{name}' in broken | default([]) and item == 'rg-b'",
                **kept,
            },
            {"name": f"Know of {name}", "ansible.builtin.set_fact": REGISTERED.get(name, {"known": name}), **kept},
        ]
    if "mcpops.platform.site_validate" in task:
        hosts = "{{ ansible_play_hosts_all | intersect(groups.platforms + groups.clusters) }}"
        return [{"ansible.builtin.set_fact": {"preflight_variables": {"hosts": hosts}}, "tags": ["always"]}]
    return [] if "mcpops.platform.site_lock" in task else [task]


REGISTERED: dict[str, dict[str, Any]] = {
    "site_verify": {"site_verify_read": {"results": []}},
    "aks_cluster": {"aks_cluster_result": {"notes": "{{ notes | default([]) }}"}},
}


@dataclass(frozen=True)
class Played:
    run: Run

    def hosts(self, role: str) -> list[str]:
        """Where this role ran, in that order."""
        return [one["host"] for one in self.run.results if one["task"] == f"Know of {role}"]

    def ended(self, host: str) -> str:
        """Why this host failed, or could not be reached; empty where it did neither."""
        ends = [one for one in self.run.results if one["host"] == host and one["status"] in ("failed", "unreachable")]
        return str(ends[-1]["result"].get("msg")) if ends else ""

    @property
    def summary(self) -> dict[str, Any]:
        """The artifact of the whole run, as Ansible has put it together."""
        _before, _heading, shown = self.run.output.partition("CUSTOM STATS: ")
        line = next(line for line in shown.splitlines() if "RUN: " in line)
        found: dict[str, Any] = json.loads(line.partition("RUN: ")[2])["site_summary"]
        return found

    @property
    def states(self) -> dict[str, str]:
        return {name: cluster["state"] for name, cluster in self.summary["clusters"].items()}


@dataclass(frozen=True)
class Stage:
    place: Path

    playbook: str = "site"

    def play(self, *arguments: str, check: bool = False, common: dict[str, Any] | None = None, **hosts: Any) -> Played:
        """The playbook with variables of all, and of hosts by their names."""
        plays = PLAYBOOKS[self.playbook]
        plays = [{**play, "tasks": [one for task in play["tasks"] for one in played(task)]} for play in plays]
        children: dict[str, Any] = {
            "platforms": {"hosts": {name: hosts.get(name, {}) for name in "pq"}},
            "clusters": {
                "hosts": {name: {"mcpops_platform": of, **hosts.get(name, {})} for name, of in PLATFORMS.items()}
            },
            **{ring: {"hosts": {name: {} for name in names}} for ring, names in RINGS.items()},
        }
        inventory = {"all": {"vars": {**LOCAL_HOST, **(common or {})}, "children": children}}
        # JSON is YAML
        (self.place / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
        (self.place / "site.yml").write_text(json.dumps(plays), encoding="utf-8")
        settings = {"ANSIBLE_SHOW_CUSTOM_STATS": "true", "ANSIBLE_STRATEGY": "free", "ANSIBLE_SSH_RETRIES": "0"}
        settings |= {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        flags = ["--check"] if check else []
        return Played(run_playbook("-i", "hosts.json", "site.yml", *flags, *arguments, env=settings, cwd=self.place))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


BROKEN = {"broken": ["azure_platform"]}


@pytest.mark.parametrize(
    ("platform", "arguments", "why"),
    [
        pytest.param(BROKEN, [], "rg-b is not what it should be", id="it fails"),
        pytest.param(
            BROKEN, ["--limit", "p,q,a,d"], "rg-b is not what it should be", id="within a limit", marks=pytest.mark.slow
        ),
        pytest.param(AWAY, [], "it could not be reached", id="it cannot be reached"),
    ],
)
def test_a_cluster_whose_platform_failed_is_left_alone_and_those_of_others_go_on(
    stage: Stage, platform: dict[str, Any], arguments: list[str], why: str
) -> None:
    done = stage.play(*arguments, p=platform)
    assert done.run.returncode != 0
    assert done.hosts("aks_cluster") == ["d"] == done.hosts("site_verify"), done.run.output
    assert done.ended("a").startswith(f"a was not converged: its platform p failed in this run: {why}")
    assert done.ended("d") == "" == done.ended("q")
    if platform is BROKEN:
        assert done.ended("p") == f"p failed: {why}. The clusters that stand on it are not converged: a, b, c."
    assert done.states["a"] == "not begun" and done.states["d"] == "verified" and not done.summary["verified"]


@pytest.mark.slow
def test_where_every_platform_fails_the_clusters_are_named(stage: Stage) -> None:
    done = stage.play(common=BROKEN)
    assert done.run.returncode == 2 and done.hosts("aks_cluster") == []
    assert done.ended("q").endswith("The clusters that stand on it are not converged: d.")
    assert done.ended("a").startswith("a was not converged: its platform p failed in this run: rg-b is not what")
    assert set(done.states.values()) == {"not begun"}


# a platform that fails, and what keeps that from mattering
@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--limit", "a"], ["--tags", "cluster"], ["--skip-tags", "platform"]])
def test_a_platform_that_is_not_tried_holds_nobody(stage: Stage, arguments: list[str]) -> None:
    done = stage.play(*arguments, p=BROKEN)
    assert done.run.returncode == 0, done.run.output
    assert "a" in done.hosts("aks_cluster")


def test_a_run_without_rings_has_all_clusters_at_once_and_no_task_more(stage: Stage) -> None:
    done = stage.play()
    assert done.run.returncode == 0, done.run.output
    assert sorted(done.hosts("aks_cluster")) == ["a", "b", "c", "d"]
    assert not any(one["task"].startswith(("Stop before", "See in check")) for one in done.run.results)
    assert done.summary["verified"] and set(done.summary["clusters"]) == set("abcd")


def test_each_ring_is_verified_before_the_next_begins(stage: Stage) -> None:
    done = stage.play(common={"mcpops_rings": ["canary", "early"], "mcpops_serial": 1})
    assert done.run.returncode == 0, done.run.output
    order = [(one["host"], one["task"]) for one in done.run.results if one["task"].startswith("Know of")]
    steps = [f"Know of {role}" for role in ("aks_cluster", "cluster_setup", "kmcp", "mcp_servers", "site_verify")]
    assert [one for one in order if one[1] in steps] == [(name, step) for name in "bdca" for step in steps]
    assert "2 of 4: canary (d). When it is well: early (c); a" in done.run.output
    reports = [one["result"]["msg"] for one in done.run.results if one["task"] == "Show what answers"]
    assert [[line.split()[0] for line in report[1 : 1 + number]] for number, report in enumerate(reports, 1)] == [
        list("bdca")[:number] for number in range(1, 5)
    ]
    assert done.summary["verified"] and set(done.summary["clusters"]) == set("abcd")


@pytest.mark.parametrize("broken", [{"broken": ["site_verify"]}, pytest.param(AWAY, marks=pytest.mark.slow)])
def test_a_rollout_stops_on_red_and_the_ring_itself_is_finished(stage: Stage, broken: dict[str, Any]) -> None:
    done = stage.play("-e", "mcpops_rings=canary,early", b=broken)
    assert done.run.returncode != 0
    # the other one of the ring comes to its end
    assert done.hosts("site_verify") == ["d"], done.run.output
    assert not {"a", "c"} & set(done.hosts("aks_cluster"))
    assert done.ended("c").startswith("c was not converged: b failed, and clusters of later rings wait")
    assert "Not begun: c, a." in done.ended("c")
    assert done.states == {"a": "not begun", "b": "failed", "c": "not begun", "d": "verified"}


@pytest.mark.parametrize(
    ("common", "broken", "states"),
    [
        pytest.param({"mcpops_rings": ["early"]}, "c", {"c": "failed", **not_begun("abd")}, id="the first ring"),
        pytest.param(
            {"mcpops_rings": ["canary"], "mcpops_serial": 1},
            "d",
            {"b": "verified", "d": "failed", **not_begun("ac")},
            id="a part of a ring, behind a good one",
            marks=pytest.mark.slow,
        ),
        pytest.param({}, "abcd", dict.fromkeys("abcd", "failed"), id="all of a site", marks=pytest.mark.slow),
    ],
)
def test_where_a_whole_batch_fails_the_run_says_who_waits_and_leaves_its_artifact(
    stage: Stage, common: dict[str, Any], broken: str, states: dict[str, str]
) -> None:
    """Ansible ends a run at once where all hosts of a batch have failed."""
    hosts: dict[str, Any] = {name: {"broken": ["kmcp"]} for name in broken}
    done = stage.play(common=common, **hosts)
    assert done.run.returncode == 2
    assert done.states == states and not done.summary["verified"], done.run.output
    assert sorted(done.hosts("aks_cluster")) == [name for name in "abcd" if states[name] != "not begun"]
    for name, state in states.items():
        said = {"verified": "", "failed": f"{name} failed: rg-b is not", "not begun": f"{name} was not converged: "}
        assert done.ended(name).startswith(said[state]) and bool(done.ended(name)) == bool(said[state])
        if state == "not begun":
            assert f": {broken} failed, and clusters of later rings wait" in done.ended(name)
    # each that is not as declared is red, and counts once
    recap = done.run.output.partition("PLAY RECAP")[2]
    failed = {line.split()[0] for line in recap.splitlines() if "failed=1" in line}
    assert failed == {name for name, state in states.items() if state != "verified"}, recap
    assert "failed=2" not in recap


def test_a_verification_that_fails_everywhere_leaves_its_artifact(tmp_path: Path) -> None:
    """It goes by no rings: whoever fails, all are asked."""
    done = Stage(tmp_path, "verify").play(common={"mcpops_rings": ["canary"], "broken": ["site_verify"]})
    assert done.run.returncode == 2
    assert done.states == dict.fromkeys("abcd", "failed"), done.run.output
    assert {done.ended(name) for name in "abcd"} == {
        f"{name} failed: rg-b is not what it should be." for name in "abcd"
    }
    assert "not verified, for the error that is shown above" in done.run.output


@pytest.mark.slow
def test_check_mode_looks_at_all_clusters_whatever_fails(stage: Stage) -> None:
    done = stage.play(check=True, common={"mcpops_rings": ["canary"]}, b={"broken": ["kmcp"]}, p=BROKEN)
    assert sorted(done.hosts("site_verify")) == ["a", "c", "d"], done.run.output


NOTE = {"notes": ["AKS cluster a depends on resource group rg-a, which does not exist yet"]}


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--limit", "a"], "its platform p, which makes it, is not in this run. Name both: --limit a,p."),
        pytest.param(["--tags", "cluster"], "Choose it as well: --tags platform,cluster.", marks=pytest.mark.slow),
        pytest.param([], "", marks=pytest.mark.slow),
        pytest.param(["--limit", "a,p"], "", marks=pytest.mark.slow),
    ],
    ids=["cluster alone", "stage alone", "all", "both"],
)
def test_check_mode_is_red_where_the_run_would_be(stage: Stage, arguments: list[str], advice: str) -> None:
    done = stage.play(*arguments, check=True, a=NOTE)
    assert (done.run.returncode != 0) == bool(advice), done.run.output
    assert done.ended("a").endswith(advice)
    assert not advice or "without --check this run would fail here: resource group rg-a does not exist" in done.ended(
        "a"
    )
