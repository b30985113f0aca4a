# SPDX-License-Identifier: GPL-3.0-or-later
"""A run for nothing, or for what was not meant, is refused with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.plugin_utils.selection import (
    Asked,
    Chosen,
    Inventory,
    host_problems,
    tag_problems,
)

GROUPS = {"all": ["p", "a", "b", "jump"], "platforms": ["p"], "clusters": ["a", "b"], "others": ["jump"]}
WANTED = ("platforms", "clusters")
# groups, hosts of the run, what was asked for → words
HOSTS: dict[str, tuple[dict[str, list[str]], list[str], dict[str, Any], tuple[str, ...]]] = {
    "all is there": (GROUPS, ["p", "a", "b"], {}, ()),
    "one is enough": (GROUPS, ["b"], {"limit": "b"}, ()),
    "hosts by name": (GROUPS, ["a"], {"inventory": ("a,",)}, ()),
    "no inventory was given": (
        {},
        ["localhost"],
        {},
        ("hosts: there is no host of platforms and clusters", "not given"),
    ),
    "misspelt groups": (
        {"platform": ["p"], "cluster": ["a"]},
        ["p", "a"],
        {},
        ("did you mean platform and cluster to be one of them?",),
    ),
    "empty groups": ({"platforms": [], "clusters": [], "others": ["jump"]}, ["jump"], {}, ("hosts: there is no host",)),
    "hosts of others": (
        GROUPS,
        ["jump"],
        {"limit": "jump"},
        ("hosts: the limit jump leaves out all hosts of", "p, a, b"),
    ),
    "an inventory that is not there": (
        {},
        ["localhost"],
        {"inventory": ("/no/such/place",)},
        ("-i: /no/such/place: no such file or directory",),
    ),
    "one of two that is not there": (
        GROUPS,
        ["a"],
        {"inventory": ("here", "there")},
        ("-i: there: no such file or directory",),
    ),
    "hosts that a playbook made": (
        GROUPS,
        ["a"],
        {"inventory": ("/no/such/place",), "configured": ("/no/such/place",)},
        (),
    ),
    "a configured one that is not there": (
        {},
        ["localhost"],
        {"inventory": ("/no/such/place",), "configured": ("/no/such/place",)},
        ("-i: /no/such/place: no such file or directory",),
    ),
    **{
        f"limit {limit!r}": (GROUPS, ["p", "a", "b"], {"limit": limit}, ("--limit: is empty, which to Ansible",))
        for limit in ("", " ", ",", " , ,")
    },
}


@pytest.mark.parametrize(("groups", "present", "asked", "words"), HOSTS.values(), ids=HOSTS)
def test_a_run_has_the_hosts_that_it_is_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    groups: dict[str, list[str]],
    present: list[str],
    asked: dict[str, Any],
    words: tuple[str, ...],
) -> None:
    (tmp_path / "here").touch()
    monkeypatch.chdir(tmp_path)
    found = [str(problem) for problem in host_problems(Asked(**asked), WANTED, Inventory(groups, present))]
    assert len(found) == bool(words), found
    assert all(word in found[0] for word in words), found


def test_who_names_hosts_needs_no_group() -> None:
    assert list(host_problems(Asked(), (), Inventory({"all": ["a"]}, ["a"]))) == []


def task(*tags: str, hosts: str = "ab", runs: bool = False) -> Chosen:
    return Chosen(frozenset(tags), frozenset(hosts), runs)


SITE = [task("always", runs=True), task("setup", hosts="p"), task("mcp"), task("verify", "extras")]
MCP = [task("always", runs=True), task("setup"), task("mcp", runs=True)]
# tasks, tags, tags that are left out → words
TAGS: dict[str, tuple[list[Chosen], tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "known": (MCP, ("mcp",), (), ()),
    "misspelt": (
        SITE,
        ("mpc",),
        (),
        ("--tags: no task of x.yml has the tag 'mpc': did you mean mcp? It has extras, mcp",),
    ),
    "strange": (SITE, ("zebra",), (), ("--tags: no task of x.yml has the tag 'zebra': it would do nothing",)),
    "one of two": (MCP, ("mcp", "verfy"), (), ("--tags: no task of x.yml has the tag 'verfy'",)),
    "two": (SITE, ("mpc", "stup"), (), ("did you mean mcp?", "did you mean setup?")),
    "left out, misspelt": (
        MCP,
        ("all",),
        ("setpu",),
        ("--skip-tags: no task of x.yml has the tag 'setpu': did you mean",),
    ),
    "left out": (MCP, ("all",), ("setup",), ()),
    "of hosts that are not in the run": (
        [task("always", runs=True), task("mcp", hosts="", runs=True)],
        ("mcp",),
        (),
        ("--tags: nothing would run on the hosts of this run (a, b)",),
    ),
    "chosen and left out": (SITE, ("mcp",), ("mcp",), ("--tags: nothing would run beside what always runs",)),
    "what always runs, by name": (SITE, ("always",), (), ()),
    "words of Ansible's": ([*MCP, task("x", runs=True)], ("tagged", "untagged", "never"), (), ()),
    "a playbook where tags choose nothing": ([task("always", runs=True)], ("mcp",), (), ()),
}


@pytest.mark.parametrize(("tasks", "tags", "skipped", "words"), TAGS.values(), ids=TAGS)
def test_tags_choose_something(
    tasks: list[Chosen], tags: tuple[str, ...], skipped: tuple[str, ...], words: tuple[str, ...]
) -> None:
    found = [str(problem) for problem in tag_problems(Asked(tags=tags, skip_tags=skipped), tasks, "x.yml")]
    assert len(found) == len(words), found
    assert all(word in problem for word, problem in zip(words, found, strict=True)), found
