# SPDX-License-Identifier: GPL-3.0-or-later
"""A run for nothing, or for what was not meant, is refused with what to do."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants, context
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from ansible_collections.mcpops.platform.plugins.plugin_utils.selection import (
    Asked,
    Chosen,
    Inventory,
    are_plain,
    asked,
    host_problems,
    tag_problems,
    tasks_of_run,
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


@pytest.mark.parametrize(("groups", "present", "given", "words"), HOSTS.values(), ids=HOSTS)
def test_a_run_has_the_hosts_that_it_is_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    groups: dict[str, list[str]],
    present: list[str],
    given: dict[str, Any],
    words: tuple[str, ...],
) -> None:
    (tmp_path / "here").touch()
    monkeypatch.chdir(tmp_path)
    found = [str(problem) for problem in host_problems(Asked(**given), WANTED, Inventory(groups, present))]
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


def test_what_the_configuration_leaves_out_always_is_no_slip_of_this_command(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"tags": ["mcp"], "skip_tags": ["slow", "setup"], "subset": "a", "inventory": ["/x"]}
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(given))
    monkeypatch.setattr(constants, "TAGS_SKIP", ["slow"])
    run = asked()
    assert (run.tags, run.skip_tags, run.limit, run.inventory) == (("mcp",), ("setup",), "a", ("/x",))
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict({}))
    assert asked().tags == ("all",)


PLAYBOOK = """
- hosts: a
  gather_facts: false
  tasks:
    - debug:
      tags: [one, "{{ not_known_yet }}"]
    - block:
        - debug:
          tags: [two]
      rescue:
        - debug:
          tags: [three]
      always:
        - debug:
          tags: [four]
- hosts: a:b
  gather_facts: false
  tasks:
    - debug:
      tags: [five]
"""


def _action() -> Any:
    loader = DataLoader()
    variables = VariableManager(loader, InventoryManager(loader, ["a,b,"]))
    task = SimpleNamespace(get_variable_manager=lambda: variables)
    return SimpleNamespace(_loader=loader, _templar=Templar(loader, {}), _task=task)


def test_the_tasks_of_a_run_are_those_that_ansible_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.yml").write_text(PLAYBOOK, encoding="utf-8")
    name = str(tmp_path / "x.yml")
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict({"args": [name], "skip_tags": ["four"]}))
    action = _action()
    run = Asked(tags=("two", "four", "five"), limit="b")
    found, called = tasks_of_run(run, action, {"groups": {"all": ["a", "b"]}})
    assert called == name
    # with the hosts that the limit leaves, and whether the tags choose it
    assert [(sorted(one.tags), sorted(one.hosts), one.runs) for one in found if one.tags != {"one"}] == [
        (["two"], [], True),
        (["three"], [], False),
        (["four"], [], False),
        (["five"], ["b"], True),
    ]
    assert sorted(found[0].tags) == ["one"]


MORE = f"""{PLAYBOOK}
- hosts: b
  gather_facts: false
  tags: [whole, "{{{{ not_known_yet }}}}"]
  tasks:
    - import_tasks: none.yml
      tags: [empty]
    - debug:
      tags: six, seven
- hosts: "{{{{ ['a', 'b'] }}}}"
  gather_facts: false
  tasks:
    - debug:
      tags: [eight]
"""
PLAIN = {"one", "two", "three", "four", "five", "whole", "six", "seven", "eight"}


@pytest.mark.parametrize("limit", [None, "a", "b"])
@pytest.mark.parametrize("number", range(1, 4))
def test_plain_tags_are_no_slip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, limit: str | None
) -> None:
    """Where files alone say so, the playbooks say the same once they are put together."""
    for name, text in (("y.yml", MORE), ("none.yml", "[]")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict({"args": [str(tmp_path / "y.yml")]}))
    action, groups = _action(), {"all": ["a", "b"]}
    tasks, called = tasks_of_run(Asked(tags=("one",), limit=limit), action, {"groups": groups})
    every = sorted(PLAIN | {"empty", "ecco", "all", "always"})
    plain = 0
    for tags in combinations(every, number):
        run = Asked(tags=tags, limit=limit)
        if are_plain(run, action, groups):
            plain += 1
            assert set(tags) <= PLAIN
            of_run = [replace(one, runs=bool(one.tags & set(tags))) for one in tasks]
            assert not [*tag_problems(run, of_run, called)]
        else:
            # hosts of the first play are left out by the limit
            assert not set(tags) <= PLAIN or limit == "b" or {"whole", "six", "seven"} & set(tags)
    assert plain >= 3


def test_what_is_left_out_is_looked_at_closely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.yml").write_text(PLAYBOOK, encoding="utf-8")
    given = {"args": [str(tmp_path / "x.yml")], "skip_tags": ["five"]}
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(given))
    assert not are_plain(Asked(tags=("five",)), _action(), {"all": ["a", "b"]})


def test_what_a_playbook_imports_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.yml").write_text(PLAYBOOK, encoding="utf-8")
    (tmp_path / "y.yml").write_text("[{import_playbook: x.yml, tags: around}]", encoding="utf-8")
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict({"args": [str(tmp_path / "y.yml")]}))
    answers = {tag: are_plain(Asked(tags=(tag,)), _action(), {"all": ["a"]}) for tag in ("around", "two", "ecco")}
    assert answers == {"around": True, "two": True, "ecco": False}


@pytest.mark.parametrize("tags", [("setup", "kmcp", "mcp", "verify"), ("platform",), ("preflight",)])
def test_the_stages_of_the_site_are_plain(monkeypatch: pytest.MonkeyPatch, tags: tuple[str, ...]) -> None:
    site = Path(__file__).resolve().parents[4] / "playbooks" / "site.yml"
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict({"args": [str(site)]}))
    groups = {"all": ["p", "c"], "platforms": ["p"], "clusters": ["c"]}
    # the hosts of one play are what a lookup of the collection says
    templar = SimpleNamespace(template=lambda text: "clusters" if "{" in text else text)
    action = SimpleNamespace(_loader=DataLoader(), _templar=templar)
    assert are_plain(Asked(tags=tags), action, groups)
