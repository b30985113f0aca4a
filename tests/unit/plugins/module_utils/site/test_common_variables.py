# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.mcpops.platform.plugins.module_utils.site import module_arguments
from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import (
    Host,
    not_local,
    unchecked,
    variables_of_host,
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


# variable → whether it must not be without text
BLANK = {
    "mcpops_resource_group": True,
    # a default takes its place, and what it may be is for modules to say
    "mcpops_mcp_namespace": False,
    "mcpops_registry_ca_file": False,
    # of a role, handing on what has no default
    "r_group": True,
    "r_level": False,
    "r_needed_level": True,
    # nobody reads it
    "mcpops_other": False,
    # a rule of its own says what to write
    "mcpops_platform": False,
}


@pytest.mark.parametrize("text", ["", " ", "\n\t"], ids=repr)
@pytest.mark.parametrize(("variable", "needed"), BLANK.items(), ids=BLANK)
def test_an_empty_text_is_no_value_of_what_is_needed(variable: str, needed: bool, text: str) -> None:
    """What a lookup of an environment variable that is not set comes to."""
    options = {**OPTIONS, **{name: {"type": "str"} for name in ("r_group", "r_level", "r_needed_level")}}
    found = list(module_arguments.empty_findings(host(**{variable: text}), options, DEFAULTS))
    told = [(variable, module_arguments.NO_TEXT)] if needed else []
    assert [(item.path, item.message) for item in found] == told
    # of what follows from another variable, that one is told
    derived = Host("one", (), {variable: text}, {}, ("r",), {}, frozenset())
    assert list(module_arguments.empty_findings(derived, options, DEFAULTS)) == []


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
        # of the loop in which it is read
        ("'item' is undefined", ""),
        ("'role_path' is undefined", ""),
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


# a file below the directory of a playbook → its text, the names that it defines, and words in it that are none
FILES: dict[str, tuple[str, str, str]] = {
    "site.yml": (
        "- hosts: all\n  vars: {of_play: 1}\n  vars_prompt: [{name: asked, prompt: p}]\n"
        "  roles: [{role: r, of_entry: 1}, {role: r, vars: {under_vars: 1}}]\n"
        "  tasks:\n    - name: n\n      command: x\n      register: answer\n      environment: {PATH_OF: y}\n",
        "of_play asked of_entry under_vars answer",
        "hosts all name n command x PATH_OF prompt tasks",
    ),
    "beside.yaml": ("plain_one: 1\nplain_two: {inner: 2}", "plain_one plain_two", "inner"),
    "vars/more.yaml": ("included: 1", "included", ""),
    "vars/more.json": ('{"of_json": {"deep": 1}}', "of_json", "deep"),
    "vars/Debian": ("without_ending: 1", "without_ending", ""),
    "roles/r/defaults/main.yml": ("defaulted: 1", "defaulted", ""),
    "roles/r/meta/main.yml": ("dependencies: [{role: x, of_dependency: 1}]", "of_dependency", "galaxy_info"),
    "roles/r/tasks/main.yml": (
        "- set_fact: {in_role: '{{ only_read }}'}\n"
        "- ansible.builtin.set_fact: in_line=1 quoted_line='a b'\n"
        "- set_fact:\n  args: {by_args: 1}\n"
        "- action: set_fact of_action=1\n"
        "- block:\n    - include_role: {name: x}\n      vars: {to_role: 1}\n"
        "      loop_control: {loop_var: each, index_var: number}\n"
        "  rescue:\n    - include_vars: {file: x.yml, name: into}\n"
        "- add_host: {name: h, of_new_host: 1}\n"
        "- k8s: {definition: {kind: Pod, spec: {replicas: 2}}, register: '{{ odd }}'}\n",
        "in_role in_line quoted_line by_args of_action to_role each number into of_new_host",
        "only_read set_fact block definition kind replicas spec",
    ),
    "roles/r/tasks/json.yml": ('[{"set_fact": {"quoted": 1}}]', "quoted", ""),
    "roles/r/files/manifest.yml": ("kind: Secret\nstored: 1", "", "stored"),
    "group_vars/all.yml": ("of_inventory: 1", "", "of_inventory"),
    "elsewhere/x.yml": ("far: 1", "", "far"),
    "tasks/broken.yml": ("{{ not_yaml }}: [", "", "not_yaml"),
}


def written(place: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def later_in(place: Path) -> LaterDefinitions:
    loader = DataLoader()
    roles = list((place / "roles").glob("*"))
    return LaterDefinitions(place, roles, lambda path: loader.load_from_file(str(path)))


def test_what_files_define_later(tmp_path: Path) -> None:
    found = later_in(written(tmp_path, {name: text for name, (text, *_words) in FILES.items()}))
    defined = [name for _text, names, _others in FILES.values() for name in names.split()]
    others = [name for _text, _names, words in FILES.values() for name in words.split()]
    assert [name for name in defined if name not in found] == []
    assert [name for name in others if name in found] == []


# what a task or a play says → where the file lies that it means
INCLUDED = {
    "- include_vars: ../common/a.yml": "common/a.yml",
    "- ansible.builtin.include_vars: {file: ../common/a.json}": "common/a.json",
    "- include_vars: {dir: ../common}": "common/a.yml",
    "- include_vars: '{{ playbook_dir }}/../common/a.yml'": "common/a.yml",
    "- include_vars: '{{ playbook_dir }}/{{ stage }}/a.yml'": "plays/test/a.yml",
    "- include_vars: '../common/{{ stage }}.yml'": "common/a.yml",
    "- hosts: all\n  vars_files: [../secret/a.yml, [../secret/b.yml]]": "secret/b.yml",
    "- hosts: all\n  vars_files: [../secret/plain]": "secret/plain",
}


@pytest.mark.parametrize(("text", "file"), INCLUDED.items(), ids=INCLUDED)
def test_what_lies_elsewhere_counts_where_it_is_included(tmp_path: Path, text: str, file: str) -> None:
    content = '{"elsewhere": 1}' if file.endswith("json") else "elsewhere: 1"
    written(tmp_path, {"plays/site.yml": text, file: content, "other/c.yml": "nobody: 1"})
    found = later_in(tmp_path / "plays")
    assert "elsewhere" in found and "nobody" not in found


@pytest.mark.parametrize("name", ["'{{ anything }}'", ".", "..", "/", "'{{ a }}/{{ b }}.yml'", "templates", 7, "", "*"])
def test_a_name_that_could_be_any_file_leads_nowhere(tmp_path: Path, name: Any) -> None:
    files = {"plays/site.yml": f"- include_vars: {name}", "plays/x.yml.d/y": "a", "other/c.yml": "nobody: 1"}
    written(tmp_path, {**files, "plays/templates/deep/x.yml": "kind: 1", "plays/vars/sub/z.yml/x": "a"})
    assert "nobody" not in later_in(tmp_path / "plays")


def test_tasks_that_lie_elsewhere_are_followed(tmp_path: Path) -> None:
    files = {
        "plays/site.yml": "- import_playbook: ../first.yml\n",
        "first.yml": "- hosts: all\n  tasks:\n    - include_tasks: {file: steps/one.yml}\n",
        "steps/one.yml": "- import_tasks: one.yml\n- debug:\n  register: at_the_end\n",
    }
    assert "at_the_end" in later_in(written(tmp_path, files) / "plays")


def test_a_file_that_nobody_can_decrypt_may_define_anything(tmp_path: Path) -> None:
    files = {"vars/open.yml": "known: 1", "vars/secret.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162\n"}
    assert "whatever" in later_in(written(tmp_path, files))
    (tmp_path / "vars" / "secret.yml").unlink()
    assert "whatever" not in later_in(tmp_path)


def test_a_switch_that_an_option_with_suboptions_follows_is_shown() -> None:
    """ansible-core looks for the suboptions in whatever stands for such an option."""
    spec = {
        "look": {"type": "dict", "options": {"deep": {"type": "bool"}, "key": {"no_log": True}}},
        "look_deep": {"type": "bool"},
    }
    defaults = {"look": "{{ {'deep': look_deep, 'key': mine} }}"}
    one = host(look_deep=True, mine=["a-secret-of-mine", 3])
    rows = {row["name"]: row["value"] for row in variables_of_host(one, spec, defaults, {}, (), ())}
    assert rows["look_deep"] is True
