# SPDX-License-Identifier: GPL-3.0-or-later
"""From the tasks of a role to what its modules say of them, and back to the variables. No module is real here."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleValueOmittedError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Check, KnownLater, Problem, check
from ansible_collections.mcpops.platform.plugins.module_utils.option_problems import LATER, Partial
from ansible_collections.mcpops.platform.plugins.module_utils.site import module_arguments
from ansible_collections.mcpops.platform.plugins.module_utils.site.expressions import (
    OMITTED,
    UNDECIDED,
    handed_on,
    outcome,
)
from ansible_collections.mcpops.platform.plugins.module_utils.site.roles import (
    module_tasks,
    variable_path,
    written_path,
)
from ansible_collections.mcpops.platform.plugins.plugin_utils.host_values import HostValues

TASKS: list[Any] = [
    {
        "when": "a",
        "vars": {"x": 1},
        "module_defaults": {"group/mcpops.platform.both": {"size": 1}, "mcpops.platform.one": {"name": "n"}},
        "block": [
            {"mcpops.platform.one": {"name": "own"}, "when": ["b", "c"], "vars": {"y": 2}},
            {"ansible.builtin.include_tasks": "more.yml", "when": "d"},
        ],
        "always": [{"mcpops.platform.two": {}, "loop": "{{ r_list }}", "loop_control": {"loop_var": "entry"}}],
    },
    {"ansible.builtin.debug": {"msg": "no"}},
]


def test_tasks_of_blocks_and_included_files_are_found_with_what_is_around_them() -> None:
    files = {"more.yml": [{"mcpops.platform.one": None, "args": {"size": 3}}]}
    own, included, looped = module_tasks(TASKS, {"one", "two"}, {"both": ["one", "two"]}, files.get)
    assert (own.arguments, own.conditions, own.variables) == (
        {"size": 1, "name": "own"},
        ("a", "b", "c"),
        {"x": 1, "y": 2},
    )
    assert (included.arguments, included.conditions) == ({"size": 3, "name": "n"}, ("a", "d"))
    assert (looped.module, looped.arguments, looped.loop, looped.loop_variable) == (
        "two",
        {"size": 1},
        "{{ r_list }}",
        "entry",
    )


KNOWN: dict[str, Any] = {
    "a": "text",
    "empty": "",
    "no": False,
    "none": None,
    "zero": 0,
    "items": [1],
    "map": {"k": "v"},
}
EXPRESSIONS = (
    *("{{ a }}", "{{a}}", "{{ empty | default('x') }}", "{{ empty | default('x', true) }}", "{{ none or '' }}"),
    *("{{ gone | default('x') }}", "{{ gone | default(a) }}", "{{ gone | default(gone2) | default([]) }}"),
    *("{{ a | default(omit, true) }}", "{{ empty | default(omit, true) }}", "{{ gone | default(omit) }}"),
    *(
        "{{ gone | default({}) }}",
        "{{ gone | default(8) }}",
        "{{ zero | default(8, true) }}",
        "{{ no | default(true) }}",
    ),
    *(
        "{{ (gone | default(a)) or '' }}",
        "{{ items }}",
        "{{ map }}",
        "{{ zero or '' }}",
        "{{ gone | default(none, true) }}",
    ),
)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_a_simple_expression_comes_to_what_the_template_engine_makes_of_it(text: str) -> None:
    templar = Templar(loader=DataLoader(), variables=dict(KNOWN))
    try:
        expected = templar.template(trust_as_template(text))
    except AnsibleValueOmittedError:
        expected = OMITTED
    found = outcome(text, KNOWN, KNOWN)
    assert (found == expected and type(found) is type(expected)) or (found is UNDECIDED and "none" in text)


SHAPES = (
    "{{ %s }}",
    "{{%s}}",
    " {{ %s }}",
    "{{ %s }} ",
    "{{ %s }}\n",
    "\n{{ %s }}",
    "{{ (%s) or '' }}",
    "{{ %s or '' }}",
)
DEFAULTS = ("'x'", "''", "omit", "other", "a", "[]", "{}", "0", "7", "007", "true", "none", "None", "'a\nb'", "'é'")


@pytest.mark.parametrize("seed", range(8))
def test_whatever_it_is_made_of_it_comes_to_that_or_is_left_to_the_engine(seed: int) -> None:
    """Users write these, too: with blanks around, over several lines, with numbers that are none."""
    seeded = random.Random(seed)
    values = {"a": "one", "empty": "", "zero": 0, "list": [1], "none_at_all": None, "number": "007", "no": False}
    templar = Templar(loader=DataLoader(), variables=dict(values))
    for _each in range(40):
        chain = seeded.choice([*values, "missing", "true", "omit"])
        for _default in range(seeded.randrange(3)):
            chain += f" | default({seeded.choice(DEFAULTS)}{seeded.choice(['', ', true'])})"
        text = seeded.choice(SHAPES) % chain
        found = outcome(text, values, values)
        if found is UNDECIDED:
            continue
        try:
            expected = templar.template(trust_as_template(text))
        except AnsibleValueOmittedError:
            expected = OMITTED
        assert found == expected and isinstance(expected, type(found)), text


def test_a_variable_that_is_omitted_is_as_if_nobody_had_set_it() -> None:
    written = {
        "omitted": "{{ gone | default(omit) }}",
        "handed_on": "{{ omitted }}",
        "filtered": "{{ gone | default(omit, true) | default('x') }}",
        "beside": "{{ omitted | default('taken', true) }}",
        "set": "{{ gone | default('a') }}",
    }
    variables = {name: trust_as_template(text) for name, text in written.items()}
    values = HostValues(Templar(loader=DataLoader(), variables=variables), variables)
    found = values.rendered(written)
    assert found.values["set"] == "a" and not {"omitted", "handed_on", "filtered"} & found.values.keys()
    assert all(type(value) in (str, bool, int) for value in found.values.values()) and not found.broken


@pytest.mark.parametrize(
    "text", ["{{ later }}", "{{ gone }}", "{{ a | upper }}", "{{ a }}{{ a }}", "{{ a.b }}", "x {{ a }}"]
)
def test_what_is_not_simple_is_left_to_the_template_engine(text: str) -> None:
    assert outcome(text, KNOWN, {**KNOWN, "later": "{{ fact }}"}) is UNDECIDED


HANDED_ON: dict[str, tuple[str, ...]] = {
    "{{ a }}": ("a",),
    "{{ a | string | default(omit, true) }}": ("a",),
    "{{ a | default(b) | default(undef('set (a), or b')) }}": ("a", "b"),
    "{{ a | default([{'name': 'x', 'count': 2}]) }}": ("a",),
    "{{ (a | default(b)) or '' }}": ("a", "b"),
    "{{ item.name }}": ("item.name",),
    "{{ a | default(b) if c == 'x' else '' }}": ("a", "b"),
    "{{ a | default([{'name': 'x'}])\n   if c else [] }}": ("a",),
    "{{ a if c else false }}": ("a",),
    "{{ a if c else b }}": (),
    "{{ a | mcpops.platform.namespaces(b) }}": (),
    "{{ a + b }}": (),
    "a": (),
}


@pytest.mark.parametrize(("text", "names"), HANDED_ON.items(), ids=HANDED_ON)
def test_what_an_expression_hands_on(text: str, names: tuple[str, ...]) -> None:
    assert handed_on(text) == names


VARIABLES: dict[str, Any] = {
    "r_pools": [{"name": "a"}, {"name": "b"}],
    "r_calls": [{"server": "s", "tool": "t", "expect": "x"}, {"server": "s", "tool": "t", "expect": "y"}],
    "r_servers": [{"name": "s", "port": 1}],
    "r_spaces": [{"name": "one"}, {"name": "one"}],
    "r_labels": {"pod.example.com/level": "no"},
    "r_objects": [{"kind": "Map", "metadata": {"name": "m"}}],
}
MADE = "{{ r_spaces | spaces(r_labels) + r_objects }}"
SPACE = {"kind": "Namespace", "metadata": {"name": "one", "labels": {"pod.example.com/level": "no"}}}
# path of the module → place of the variable
PLACES: dict[str, str] = {
    "pools[1].mode": "r_pools[1].mode",
    "pools[b].mode": "r_pools[b].mode",
    "pools": "r_pools",
    "size.surge": "r_surge",
    "name": "r_pools[1].name",
    "targets[0].expect": "r_calls[0].expect",
    "targets[1].expect": "r_calls[1].expect",
    "targets[1].tool": "r_calls[1].tool",
    "objects[0].metadata.labels.pod.example.com/level": "r_labels.pod.example.com/level",
    "objects[1]": "r_spaces[1]",
    "objects[2].metadata.name": "r_objects[0].metadata.name",
    "objects[2].metadata.namespace": "r_objects[0].metadata.namespace",
    "fixed": "fixed",
}


@pytest.mark.parametrize(("path", "place"), PLACES.items(), ids=PLACES)
def test_an_option_is_called_by_the_variable_that_feeds_it(path: str, place: str) -> None:
    raw = {
        "pools": "{{ r_pools }}",
        "size": {"surge": "{{ r_surge | default(1) }}"},
        "name": "{{ item.name }}",
        "targets": "{{ r_servers | targets(r_calls) }}",
        "objects": MADE,
        "fixed": True,
    }
    rendered = {
        **raw,
        "pools": VARIABLES["r_pools"],
        "targets": [{"name": "s", "port": 1, "tool": "t", "expect": one} for one in ("x", "y")],
        "objects": [SPACE, SPACE, *VARIABLES["r_objects"]],
    }
    assert variable_path(path, raw, rendered, VARIABLES, ("item", "r_pools[1]")) == place


def test_a_place_in_a_default_is_one_of_what_the_user_wrote() -> None:
    defaults = {
        "r_list": [{"name": "{{ common | default('x') }}"}],
        "r_more": "{{ s_more | default([]) }}",
        "s_more": "{{ common }}",
    }
    assert written_path("r_list[0].name", defaults, {"common": 1}) == "common"
    assert written_path("r_more[1].x", defaults, {"common": 1}) == "common[1].x"
    assert written_path("r_more[1].x", defaults, {"r_more": 1}) == "r_more[1].x"
    assert written_path("r_list[0].name", defaults, {}) == "r_list[0].name"


SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "count": {"type": "int", "default": 1},
    "issuer": {"type": "bool"},
    "identity": {"type": "bool"},
    "entries": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str", "required": True}, "mode": {"type": "str", "choices": ["a", "b"]}},
    },
}


def entry_problems(params: Any) -> list[Problem]:
    return [
        Problem(f"entries[{number}].name", "is too long")
        for number, entry in enumerate(params.get("entries") or [])
        if len(entry["name"]) > 3
    ]


CHECKS = (
    Check("count", lambda params: params["count"] < 1, "must be 1 or more, is {count}"),
    Check("identity", lambda params: params["identity"] and not params["issuer"], "needs issuer"),
    entry_problems,
)
MODULE: Any = SimpleNamespace(
    ARGUMENT_SPEC=SPEC,
    RULES={"required_together": [["issuer", "identity"]]},
    PROBLEMS=lambda params: check(CHECKS, params),
)
# arguments → the places of what is wrong
ARGUMENTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "sound": ({"name": "x", "issuer": True, "identity": True}, []),
    "a rule": ({"name": "x", "count": 0}, ["count"]),
    "what is required is known later": ({"name": LATER, "count": 0}, ["count"]),
    "a rule reads what is known later": ({"name": "x", "identity": True, "issuer": LATER}, []),
    "a wrong type hides nothing else": (
        {"name": "x", "count": "many", "entries": [{"name": "long"}]},
        ["count", "entries[0].name"],
    ),
    "an entry": ({"name": "x", "entries": [{"name": "a"}, {"name": "b", "mode": "c"}]}, ["entries[1].mode"]),
    "a wrong entry and another": (
        {"name": "x", "entries": [{"name": "long", "mode": "c"}, {"name": "long"}]},
        ["entries[0].mode", "entries[1].name"],
    ),
    "no entry": ({"name": "x", "entries": ["a", {"name": "b"}]}, ["entries[0]"]),
    "an entry without what it needs": ({"name": "x", "entries": [{"mode": "a"}, {"name": "long"}]}, ["entries[0]"]),
    "an unknown option of an entry": (
        {"name": "x", "entries": [{"name": "long", "nme": 1}]},
        ["entries[0]", "entries[0].name"],
    ),
    "a rule of AnsibleModule": ({"name": "x", "issuer": True, "count": 0}, ["", "count"]),
}


@pytest.mark.parametrize(("arguments", "places"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_are_judged_as_far_as_they_are_known(arguments: dict[str, Any], places: list[str]) -> None:
    assert [problem.path for problem in module_arguments.argument_problems(MODULE, arguments)] == places


def test_a_secret_is_in_no_message() -> None:
    module: Any = SimpleNamespace(
        ARGUMENT_SPEC={"password": {"type": "str", "no_log": True}},
        PROBLEMS=lambda params: [Problem("password", f"{params['password']} is too short")],
    )
    [problem] = module_arguments.argument_problems(module, {"password": "s3cr3t-8x"})
    assert "s3cr3t" not in problem.message


def test_who_asks_for_what_is_known_later_learns_it() -> None:
    params = Partial({"a": 1}, frozenset({"b"}))
    assert (params["a"], params.get("c"), "c" in params) == (1, None, False)
    for ask in (lambda: params["b"], lambda: params.get("b"), lambda: "b" in params):
        with pytest.raises(KnownLater):
            ask()
    with pytest.raises(KeyError):
        params["c"]
