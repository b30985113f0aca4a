# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.site import module_arguments
from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import (
    Host,
    not_local,
    unchecked,
)
from ansible_collections.mcpops.platform.plugins.plugin_utils.later_definitions import (
    LaterDefinitions,
    undefined_findings,
)

DEFAULTS = {
    "r_servers": "{{ mcpops_mcp_servers | default([]) }}",
    "r_tags": "{{ mcpops_tags | default({}) }}",
    "r_group": "{{ mcpops_resource_group }}",
    "r_groups": [{"name": "{{ mcpops_resource_group }}"}],
    "r_namespace": "{{ mcpops_mcp_namespace | default('mcp') }}",
    "r_ca_file": "{{ mcpops_registry_ca_file | default('') }}",
    "r_level": "{{ mcpops_level | default('low') }}",
    "r_needed_level": "{{ mcpops_level }}",
}
OPTIONS = {"r_servers": {"type": "list"}, "r_own": {"type": "list"}, "r_values": {"type": "dict"}}


def host(name: str = "one", deferred: dict[str, str] | None = None, **variables: Any) -> Host:
    spelled = {"r_servers": "mcpops_mcp_servers"}
    return Host(name, (), variables, deferred or {}, ("r",), spelled, frozenset({*variables, *(deferred or {})}))


# variable → what is told of its null, or None
EMPTY: dict[str, str | None] = {
    "mcpops_mcp_servers": "Remove the line to have the default, or write [] for none",
    "mcpops_tags": "Remove the line to have the default, or write {} for none",
    "mcpops_azure_auth": "Remove the line to have the default, or write {} for none",
    "mcpops_resource_group": "Give it a value, roles need it",
    "mcpops_mcp_namespace": "Remove the line to have the default, or give it a value",
    "mcpops_level": "Give it a value, roles need it",
    "r_own": "Remove the line to have the default, or write [] for none",
    # no text and null mean the same
    "mcpops_registry_ca_file": None,
    # the module leaves it alone
    "r_values": None,
    # a rule of its own says what to write
    "mcpops_platform": None,
    # no role of this host reads it
    "mcpops_other": None,
}


@pytest.mark.parametrize(("variable", "reported"), EMPTY.items(), ids=EMPTY)
def test_an_empty_key_is_told(variable: str, reported: str | None) -> None:
    found = list(module_arguments.empty_findings(host(**{variable: None}), OPTIONS, DEFAULTS))
    expected = [] if reported is None else [(variable, f"is empty (null). {reported}")]
    assert [(item.path, item.message) for item in found] == expected


def test_values_are_no_empty_keys() -> None:
    sound = host(mcpops_mcp_servers=[], mcpops_tags={}, mcpops_resource_group="rg", r_own=[])
    assert list(module_arguments.empty_findings(sound, OPTIONS, DEFAULTS)) == []


def test_a_null_that_only_follows_from_another_is_not_told() -> None:
    derived = Host("one", (), {"r_own": None}, {}, ("r",), {}, frozenset({"mcpops_own"}))
    assert list(module_arguments.empty_findings(derived, OPTIONS, DEFAULTS)) == []


AUTH: dict[str, tuple[Any, list[str]]] = {
    "sound": ({"auth_source": "env", "subscription_id": "s", "secret": None}, []),
    "none": (None, []),
    "no mapping": ("foo", ["is a str, not a mapping of options. Its options are auth_source, profile, "]),
    "misspelt option": (
        {"subscripton_id": "x"},
        ["has an unknown option 'subscripton_id': did you mean subscription_id?"],
    ),
    "strange option": ({"colour": "x"}, ["has an unknown option 'colour': its options are auth_source, profile, "]),
    "key that is no text": (
        {7: "x", "colour": "y"},
        ["has an unknown option '7': its options", "has an unknown option 'colour'"],
    ),
    "choice": ({"auth_source": "nope"}, ["value of auth_source must be one of: auto, "]),
    "cloud": ({"cloud_environment": "Moon"}, ["'Moon' is neither a cloud"]),
    "two at once": (
        {"auth_source": "nope", "tennant": "x"},
        ["has an unknown option 'tennant': did you mean tenant?", "value of auth_source must be one of"],
    ),
}


@pytest.mark.parametrize(("given", "words"), AUTH.values(), ids=AUTH)
def test_the_options_of_azure_modules_are_judged_by_their_variable(given: Any, words: list[str]) -> None:
    found = list(module_arguments.azure_auth_findings(host(mcpops_azure_auth=given)))
    assert [item.path.partition(".")[0] for item in found] == ["mcpops_azure_auth"] * len(words)
    assert all(item.message.startswith(word) for item, word in zip(found, words))


def test_a_secret_of_the_azure_modules_is_not_shown() -> None:
    found = list(
        module_arguments.azure_auth_findings(host(mcpops_azure_auth={"secret": "s3cr3t", "auth_source": "s3cr3t"}))
    )
    assert found
    assert "s3cr3t" not in str(found)


LATER = "so not checked; where nothing defines it later, a default takes its place or the run fails there."


def test_what_is_not_checked_is_told_once_per_reason() -> None:
    reason, another = "'nosuchvar' is undefined", "'other' is undefined"
    one = host("one", {"mcpops_tags": reason, "mcpops_location": another, "mcpops_mcp_servers": reason})
    two = host("two", {"mcpops_mcp_servers": reason, "mcpops_location": reason})
    assert unchecked([one, two]) == [
        f"mcpops_tags, mcpops_mcp_servers of one, two: not known now ({reason}), {LATER}",
        f"mcpops_location of one, two: not known now ({another}; {reason}), {LATER}",
    ]


def test_what_is_not_checked_has_the_name_its_user_wrote() -> None:
    reason = "'nosuchvar' is undefined"
    both = Host("one", (), {}, {"r_servers": reason, "mcpops_mcp_servers": reason}, ("r",), host().spelled)
    assert unchecked([both]) == []
    written = Host("one", (), {}, both.deferred, ("r",), both.spelled, frozenset({"mcpops_mcp_servers"}))
    assert unchecked([written]) == [f"mcpops_mcp_servers of one: not known now ({reason}), {LATER}"]


def deferred(reason: str, **others: Any) -> Host:
    return host(deferred={"mcpops_mcp_servers": reason}, **others)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("'registy' is undefined", "reads 'registy', which nothing defines: did you mean registry?"),
        ("'zzz' is undefined", "reads 'zzz', which nothing defines: set it in the inventory, or correct its name"),
        ("'later' is undefined", ""),
        ("'ansible_facts' is undefined", ""),
        ("object of type 'dict' has no attribute 'registy'", ""),
    ],
)
def test_what_nothing_defines_is_told_before_anything_is_built(reason: str, words: str) -> None:
    found = [item.message for item in undefined_findings(deferred(reason, registry="x"), {"later"})]
    assert found == ([words] if words else [])


def test_a_default_of_a_role_that_reads_what_nobody_sets_is_not_the_users_fault() -> None:
    known = Host("one", (), {}, {"kmcp_version": "'zzz' is undefined"}, ("kmcp",), {}, frozenset())
    assert list(undefined_findings(known, ())) == []


@pytest.mark.parametrize(
    ("connections", "names"),
    [
        ({"one": "local", "two": "ansible.builtin.local"}, ""),
        ({"one": "local", "two": "ssh"}, "two: the connection is ssh,"),
        ({"a": "ssh", "b": "community.docker.docker"}, "a, b: the connection is community.docker.docker, ssh,"),
    ],
)
def test_connections_that_are_not_local_are_told(connections: dict[str, str], names: str) -> None:
    sentence = not_local(connections)
    assert sentence.startswith(names) and bool(sentence) == bool(names)


def test_what_files_define_later(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text("- hosts: all\n  tasks:\n    - command: x\n      register: answer\n")
    for place, text in {
        "vars/more.yaml": "included: 1",
        "roles/r/tasks/main.yml": "- set_fact: {in_role: '{{ only_read }}'}",
        "roles/r/tasks/json.yml": '[{"set_fact": {"quoted": 1}}]',
        "group_vars/all.yml": "of_inventory: 1",
        "elsewhere/x.yml": "far: 1",
    }.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    found = LaterDefinitions(tmp_path, [])
    assert all(name in found for name in ("answer", "included", "in_role", "quoted"))
    assert not any(name in found for name in ("only_read", "of_inventory", "far", "all", "x"))
