# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of clusters: rings, numbers at a time, and what keeps a cluster from being converged."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from gate.checkout import CHECKOUT

from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import Host
from ansible_collections.mcpops.platform.plugins.plugin_utils import rollout
from ansible_collections.mcpops.platform.plugins.plugin_utils.rollout import Site, batches, sizes
from ansible_collections.mcpops.platform.plugins.plugin_utils.selection import inventory_of

CLUSTERS = ["a", "b", "c", "d", "e"]
GROUPS = {
    "platforms": ["p", "q"],
    "clusters": CLUSTERS,
    "canary": ["c"],
    "early": ["b", "c", "d"],
    "abroad": ["x"],
}


def site(common: Mapping[str, Any] | None = None, **more: Any) -> Site:
    checked = {"preflight_variables": {"hosts": ["p", "q", *CLUSTERS]}}
    stood = {name: {**checked, "site_platform_stands": True} for name in ("p", "q")}
    known = {name: {**(common or {}), **checked, "mcpops_platform": "q" if name == "e" else "p"} for name in CLUSTERS}
    return Site(GROUPS, {**stood, **known}, **{"present": CLUSTERS, **more})


def order(of: Site) -> list[str]:
    return ["".join(batch.hosts) for batch in batches(of)]


# variables, what the run has → batches
ORDERS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "nothing is set": ({}, {}, ["abcde"]),
    "null": ({"mcpops_rings": None, "mcpops_serial": None}, {}, ["abcde"]),
    "one at a time": ({"mcpops_serial": 1}, {}, list("abcde")),
    "on a command line": ({"mcpops_serial": "2"}, {}, ["ab", "cd", "e"]),
    "more than there are": ({"mcpops_serial": 99}, {}, ["abcde"]),
    "one, then the others": ({"mcpops_serial": [1, "100%"]}, {}, ["a", "bcde"]),
    "the same as text": ({"mcpops_serial": "1, 100%"}, {}, ["a", "bcde"]),
    "a percentage": ({"mcpops_serial": "40%"}, {}, ["ab", "cd", "e"]),
    "a small percentage": ({"mcpops_serial": "1%"}, {}, list("abcde")),
    "a ring": ({"mcpops_rings": ["canary"]}, {}, ["c", "abde"]),
    "rings that overlap": ({"mcpops_rings": "canary, early"}, {}, ["c", "bd", "ae"]),
    "a ring that has no cluster": ({"mcpops_rings": ["abroad", "canary"]}, {}, ["c", "abde"]),
    "rings, one at a time": ({"mcpops_rings": ["early"], "mcpops_serial": 1}, {}, list("bcdae")),
    "rings, one and then the others": (
        {"mcpops_rings": ["early"], "mcpops_serial": [1, "100%"]},
        {},
        ["b", "cd", "a", "e"],
    ),
    "within a limit": ({"mcpops_rings": ["canary"], "mcpops_serial": 2}, {"present": ["a", "b", "d"]}, ["ab", "d"]),
    "in check mode": ({"mcpops_rings": ["canary"], "mcpops_serial": 1}, {"check_mode": True}, ["abcde"]),
    "in a playbook that looks only": ({"mcpops_rings": ["canary"]}, {"looks_only": True}, ["abcde"]),
    "nobody": ({"mcpops_serial": 1}, {"present": []}, []),
}


@pytest.mark.parametrize(("common", "more", "expected"), ORDERS.values(), ids=ORDERS)
def test_the_order(common: dict[str, Any], more: dict[str, Any], expected: list[str]) -> None:
    assert order(site(common, **more)) == expected


@pytest.mark.parametrize("seed", range(30))
def test_the_hosts_of_the_play_come_as_the_batches_want_them(seed: int) -> None:
    """Ansible cuts the hosts of a play into batches in the order in which its patterns give them."""
    chance = random.Random(seed)
    names = [f"h{number}" for number in range(chance.randint(1, 12))]
    rings = {f"ring{number}": chance.sample(names, chance.randint(0, len(names))) for number in range(3)}
    groups = {"clusters": [name for name in names if chance.random() < 0.8], **rings}
    limit = chance.sample(names, chance.randint(1, len(names)))
    inventory: InventoryManager = inventory_of(DataLoader(), groups, ",".join(limit))
    serial = chance.choice([1, 2, "50%", [1, "30%"], None])
    variables = {name: {"mcpops_rings": list(rings), "mcpops_serial": serial} for name in names}
    asked = Site(groups, variables, [host.name for host in inventory.get_hosts("clusters")])
    found = [host.name for host in inventory.get_hosts(rollout.patterns(asked))]
    assert found == [name for batch in batches(asked) for name in batch.hosts]
    assert all(batch.hosts for batch in batches(asked))


@pytest.mark.parametrize("wrong", [0, -1, "x", "0%", True, 1.5, {"a": 1}, [1, "y"]])
def test_what_is_no_number_of_clusters_is_told(wrong: Any) -> None:
    with pytest.raises(ValueError, match="is not a number of clusters"):
        sizes(wrong, 5)


def host(name: str, **variables: Any) -> Host:
    return Host(name, ("clusters",), variables)


WRONG: dict[str, tuple[list[Host], dict[str, str]]] = {
    "sound": (
        [host("a", mcpops_rings=["canary"], mcpops_serial=1), host("b", mcpops_rings=["canary"], mcpops_serial=1)],
        {},
    ),
    "a ring that is not there": (
        [host("a", mcpops_rings=["canry"])],
        {"mcpops_rings": "'canry' is not a group: did you mean canary?"},
    ),
    "a number that is none": (
        [host("a", mcpops_serial="some")],
        {"mcpops_serial": "'some' is not a number of clusters"},
    ),
    "not the same everywhere": (
        [host("a", mcpops_serial=1), host("b")],
        {"mcpops_serial": "differs between clusters (1, None), and there is one order for all of them"},
    ),
    "known later": ([host("a", mcpops_serial=1), Host("b", ("clusters",), {}, {"mcpops_serial": "of a task"})], {}),
    "of a platform": ([Host("p", ("platforms",), {"mcpops_serial": "some"})], {}),
}


@pytest.mark.parametrize(("hosts", "words"), WRONG.values(), ids=WRONG)
def test_an_order_that_cannot_be_is_told_before_anything_runs(hosts: list[Host], words: dict[str, str]) -> None:
    found = {item.path: item.message for item in rollout.findings(hosts, GROUPS)}
    assert found.keys() == words.keys()
    assert all(found[path].startswith(start) for path, start in words.items()), found


def failed(of: Site, platform: str, why: str | None = "no such region") -> Site:
    known = {name: value for name, value in of.variables[platform].items() if name != "site_platform_stands"}
    told = {} if why is None else {"site_failure": {"why": why, "msg": ""}}
    return replace(of, variables={**of.variables, platform: {**known, **told}})


def test_a_cluster_waits_for_its_platform_and_those_of_others_go_on() -> None:
    run = failed(site(), "p")
    (told,) = rollout.reasons_to_stop(run, "a")
    assert told.startswith("a was not converged: its platform p failed in this run: no such region.")
    assert rollout.reasons_to_stop(run, "e") == []
    assert rollout.is_gated(run) and not rollout.is_gated(site())
    # one that nothing is known of could not be reached
    (told,) = rollout.reasons_to_stop(failed(site(), "q", None), "e")
    assert "its platform q failed in this run: it could not be reached." in told


def with_preflight(of: Site, by: str = "site_preflight_result", **failed: bool) -> Site:
    results = {host: {by: {"failed": has}} for host, has in failed.items()}
    return replace(of, variables={host: {**own, **results.get(host, {})} for host, own in of.variables.items()})


def test_a_platform_that_may_not_make_what_it_declares_says_so_of_its_clusters() -> None:
    (told,) = rollout.reasons_to_stop(with_preflight(failed(site(), "q", None), q=True), "e")
    assert "its platform q failed in this run: its preflight failed." in told


@pytest.fixture(scope="module")
def asked_by_preflight() -> list[dict[str, Any]]:
    """The tasks of site_preflight that ask something."""
    files = sorted((CHECKOUT / "roles" / "site_preflight" / "tasks").glob("*.yml"))
    tasks = [task for path in files for task in yaml.safe_load(path.read_text(encoding="utf-8"))]
    return [task for task in tasks if "ansible.builtin.include_tasks" not in task]


def test_a_preflight_that_failed_in_any_of_its_tasks_has_failed(asked_by_preflight: list[dict[str, Any]]) -> None:
    results = [str(task.get("register")) for task in asked_by_preflight]
    assert sorted(results) == sorted(rollout.PREFLIGHT_RESULTS)
    for name in results:
        run = with_preflight(site(), name, **dict.fromkeys(CLUSTERS, True))
        assert rollout.is_refused(run)
        (told,) = rollout.reasons_to_stop(with_preflight(failed(site(), "q", None), name, q=True), "e")
        assert "its preflight failed." in told


def test_nothing_is_begun_where_no_cluster_passed_its_preflight() -> None:
    run = site()
    everybody = dict.fromkeys(run.present, True)
    assert rollout.is_refused(with_preflight(run, **everybody))
    for name in run.present:
        assert not rollout.is_refused(with_preflight(run, **{**everybody, name: False}))
    # of a platform alone there is no cluster to wait for, and a run without the stage has no results
    assert not rollout.is_refused(replace(run, present=())) and not rollout.is_refused(run)


# what the run is like → nothing is held
AT_EASE: dict[str, dict[str, Any]] = {
    "check mode converges nothing": {"check_mode": True},
    "the platform's stage was not chosen": {"stages": (["cluster"], [])},
    "the platform's stage was left out": {"stages": (["all"], ["platform"])},
    "no stage of the clusters was chosen": {"stages": (["platform", "preflight"], [])},
    "the playbook changes nothing": {"looks_only": True},
}


@pytest.mark.parametrize("more", AT_EASE.values(), ids=AT_EASE)
def test_a_platform_that_this_run_did_not_try_holds_nobody(more: dict[str, Any]) -> None:
    assert rollout.reasons_to_stop(failed(site(**more), "p"), "a") == []


def test_a_platform_beside_the_limit_holds_nobody() -> None:
    run = failed(site(), "p")
    variables = {name: {**known, "preflight_variables": {"hosts": ["a"]}} for name, known in run.variables.items()}
    assert rollout.reasons_to_stop(replace(run, variables=variables), "a") == []


def test_a_failure_stops_what_comes_after_it_and_nothing_else() -> None:
    run = site({"mcpops_rings": ["canary", "early"]}, lost={"b", "a"})
    stops = {name: rollout.reasons_to_stop(run, name) for name in "cdae"}
    assert (stops["c"], stops["d"]) == ([], [])
    assert stops["e"] == [
        "e was not converged: b failed, and clusters of later rings wait until those before them are well. "
        "Not begun: a, e. Mend that, and run the site again: what is as declared is left alone."
    ]
    assert rollout.begun(run, "d") == ["c", "b", "d"]
    assert rollout.place_of(run, "d") == "2 of 3: early (b, d). When it is well: a, e"
    assert rollout.is_gated(run)
    # where all are at once there is no order to show
    assert rollout.place_of(site(), "d") == "d may be converged" == rollout.place_of(site(present=["a"]), "d")


def kept(of: Site, name: str, begun: bool = True) -> Site:
    """The same with a failure of this host that its rescue has kept."""
    entry = {"site_failure": {"why": "w", "msg": f"{name} failed: w.", "begun": begun}}
    return replace(of, variables={**of.variables, name: {**of.variables[name], **entry}})


def test_a_failure_that_was_kept_stops_what_comes_after_it_as_one_of_ansible_does() -> None:
    run = kept(site({"mcpops_rings": ["canary", "early"]}), "c")
    stopped = {name: rollout.reasons_to_stop(run, name) for name in "cbae"}
    assert stopped["c"] == [] and rollout.lost_before(run, "c") == []
    assert stopped["b"][0].startswith("b was not converged: c failed, and clusters of later rings wait")
    assert "Not begun: b, d, a, e." in stopped["b"][0] and "Not begun: a, e." in stopped["a"][0]
    # who waits is no cause, once that is kept as well
    later = kept(kept(run, "b", begun=False), "d", begun=False)
    assert rollout.lost_before(later, "a") == ["c"] == rollout.lost_before(later, "b")
    assert rollout.lost(later, "d") == ["c", "b", "d"] and rollout.lost(later, "c") == ["c"]


def test_the_end_is_red_for_all_that_is_not_as_declared() -> None:
    run = site({"mcpops_rings": ["canary"]})
    assert not rollout.is_red(run) and not any(rollout.outcome(run, name) for name in (*CLUSTERS, "p"))
    red = kept(run, "c")
    assert rollout.is_red(red) and rollout.is_red(kept(run, "q"))
    assert rollout.outcome(red, "c") == ["c failed: w."]
    assert rollout.outcome(red, "a")[0].startswith("a was not converged: c failed")
    assert rollout.outcome(red, "p") == []


def test_why_a_host_failed_is_that_of_the_item_that_failed() -> None:
    items = [{"msg": "made"}, {"failed": True, "msg": "rg-b: no such region."}]
    result = {"msg": "One or more items failed", "results": items}
    said = rollout.failure(site(), "p", result)
    assert said["why"] == "rg-b: no such region." and said["begun"]
    assert said["msg"] == "p failed: rg-b: no such region. The clusters that stand on it are not converged: a, b, c, d."
    assert rollout.failure(site(), "a", {})["msg"] == "a failed: without a message."
    # in check mode they are looked at all the same
    assert rollout.failure(site(check_mode=True), "p", result)["msg"] == "p failed: rg-b: no such region."


def test_a_cluster_that_was_held_was_not_begun() -> None:
    said = rollout.failure(failed(site(), "p"), "a", {"msg": "Assertion failed"})
    assert said["msg"].startswith("a was not converged: its platform p failed") and not said["begun"]


def test_a_platform_is_never_held_by_itself() -> None:
    """In group_vars/all, mcpops_platform is a variable of the platform too."""
    run = failed(site(), "p", None)
    run = replace(run, variables={**run.variables, "p": {**run.variables["p"], "mcpops_platform": "p"}})
    assert rollout.failure(run, "p", {"msg": "no such region"})["msg"].startswith("p failed: no such region.")
    assert rollout.outcome(run, "p") == []


MISSING = {
    "aks_cluster_result": {"notes": ["x", "AKS cluster a depends on resource group rg, which does not exist yet"]}
}


def without(run: Site, *hosts: str) -> Site:
    """Of the run, only these."""
    checked = {"preflight_variables": {"hosts": list(hosts)}}
    return replace(run, variables={name: {**known, **checked} for name, known in run.variables.items()})


# the run → words; check mode in all of them
UNMET: dict[str, tuple[Site, str]] = {
    "its platform makes it": (site(MISSING, check_mode=True), ""),
    "its platform is beside the limit": (without(site(MISSING, check_mode=True), "a"), "--limit a,p."),
    "its stage was not chosen": (site(MISSING, check_mode=True, stages=(["cluster"], [])), "--tags platform,cluster."),
    "nothing is missing": (without(site(check_mode=True), "a"), ""),
    "not in check mode": (without(site(MISSING), "a"), ""),
}


@pytest.mark.parametrize(("run", "words"), UNMET.values(), ids=UNMET)
def test_check_mode_says_what_a_run_would_fail_for(run: Site, words: str) -> None:
    told = rollout.unmet(run, "a")
    assert len(told) == bool(words)
    assert all("resource group rg does not exist" in one and one.endswith(words) for one in told)
