# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Content of an automation controller (AWX, AAP) as data: its kinds, and everything that is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils.errors import Problem
from ..module_utils.text import listed

Item = Mapping[str, Any]
Content = Mapping[str, Sequence[Item]]


@dataclass(frozen=True)
class Kind:
    """A list of the content by its name in infra.aap_configuration, the module that makes its items, their endpoint."""

    variable: str
    module: str
    endpoint: str
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Option -> the lists in which the name, or each of the names, that it holds must be."""
    within: tuple[str, ...] = ("organization",)
    """Options that tell two objects of one name apart."""
    derived: tuple[str, ...] = ()
    """Options that find the object, and that the controller derives from others of its options."""


ORGANIZATIONS, CREDENTIALS, PROJECTS = "aap_organizations", "controller_credentials", "controller_projects"
INVENTORIES, ENVIRONMENTS = "controller_inventories", "controller_execution_environments"
TYPES, LABELS, NOTIFICATIONS = "controller_credential_types", "controller_labels", "controller_notifications"
SOURCES, TEMPLATES, WORKFLOWS = "controller_inventory_sources", "controller_templates", "controller_workflows"
SCHEDULES = "controller_schedules"

_OWNED = {"organization": (ORGANIZATIONS,)}
_TOLD = {f"notification_templates_{event}": (NOTIFICATIONS,) for event in ("started", "success", "error", "approvals")}
_LAUNCHED = {
    "inventory": (INVENTORIES,),
    "credentials": (CREDENTIALS,),
    "execution_environment": (ENVIRONMENTS,),
    "labels": (LABELS,),
}
# In the order in which they are made: each names only what is above it.
KINDS = (
    Kind(ORGANIZATIONS, "organization", "organizations"),
    Kind(LABELS, "label", "labels", _OWNED),
    Kind(TYPES, "credential_type", "credential_types"),
    Kind(
        CREDENTIALS,
        "credential",
        "credentials",
        {**_OWNED, "credential_type": (TYPES,)},
        ("organization", "credential_type"),
    ),
    Kind(ENVIRONMENTS, "execution_environment", "execution_environments", {**_OWNED, "credential": (CREDENTIALS,)}),
    Kind(NOTIFICATIONS, "notification_template", "notification_templates", _OWNED),
    Kind(
        PROJECTS,
        "project",
        "projects",
        {**_OWNED, **_TOLD, "credential": (CREDENTIALS,), "default_environment": (ENVIRONMENTS,)},
    ),
    Kind(INVENTORIES, "inventory", "inventories", _OWNED),
    Kind(
        SOURCES,
        "inventory_source",
        "inventory_sources",
        {
            **_OWNED,
            **_TOLD,
            "inventory": (INVENTORIES,),
            "source_project": (PROJECTS,),
            "credential": (CREDENTIALS,),
            "execution_environment": (ENVIRONMENTS,),
        },
        ("organization", "inventory"),
        ("organization",),
    ),
    Kind(
        TEMPLATES,
        "job_template",
        "job_templates",
        {**_OWNED, **_TOLD, **_LAUNCHED, "project": (PROJECTS,)},
        derived=("organization",),
    ),
    Kind(WORKFLOWS, "workflow_job_template", "workflow_job_templates", {**_OWNED, **_TOLD, **_LAUNCHED}),
    Kind(
        SCHEDULES,
        "schedule",
        "schedules",
        {**_OWNED, **_LAUNCHED, "unified_job_template": (TEMPLATES, WORKFLOWS, PROJECTS, SOURCES)},
        ("unified_job_template",),
        ("organization",),
    ),
)
BY_VARIABLE = {kind.variable: kind for kind in KINDS}
# What every controller comes with. Names of its own are declared with `state: exists`.
BUILT_IN = {
    TYPES: frozenset(
        {
            "Ansible Galaxy/Automation Hub API Token",
            "Container Registry",
            "GitHub Personal Access Token",
            "GitLab Personal Access Token",
            "Machine",
            "Microsoft Azure Key Vault",
            "Microsoft Azure Resource Manager",
            "OpenShift or Kubernetes API Bearer Token",
            "Red Hat Ansible Automation Platform",
            "Source Control",
            "Vault",
        }
    )
}
QUESTION_TYPES = ("text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect")
LINKS = ("success_nodes", "failure_nodes", "always_nodes")
# What a prompt on launch lets a node or a schedule say.
PROMPTS = {
    "limit": "ask_limit_on_launch",
    "job_type": "ask_job_type_on_launch",
    "job_tags": "ask_tags_on_launch",
    "skip_tags": "ask_skip_tags_on_launch",
    "diff_mode": "ask_diff_mode_on_launch",
    "verbosity": "ask_verbosity_on_launch",
    "scm_branch": "ask_scm_branch_on_launch",
    "inventory": "ask_inventory_on_launch",
    "credentials": "ask_credential_on_launch",
}
# Of a controller's own making: beside these, no credential may set a variable that configures Ansible.
OWN_ENVIRONMENT = frozenset(
    {"AWX_HOST", "INVENTORY_ID", "JOB_ID", "PATH", "PROJECT_REVISION", "PYTHONPATH", "VIRTUAL_ENV"}
)
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
_REFERENCE = re.compile(r"\{\{-?\s*([A-Za-z_]\w*)")


@cache
def module_options(module: str) -> dict[str, Any]:
    """The options of a module of awx.awx, which are those of ansible.controller as far as the content has them."""
    found = json.loads(Path(__file__).with_name("controller_options.json").read_text(encoding="utf-8"))
    options: dict[str, Any] = found["modules"][module]
    return options


def written(item: Item) -> dict[str, Any]:
    """An item without the options that were left empty: a name, a list or a mapping that a setting may fill."""
    return {key: value for key, value in item.items() if value not in ("", [], {}, None)}


def title(kind: Kind, item: Item) -> str:
    return f"{kind.variable}[{item.get('name', '?')}]"


def content_problems(content: Content) -> list[Problem]:
    """All that is wrong, as a controller would find out one by one."""
    found: list[Problem] = []
    for variable in content:
        if variable not in BY_VARIABLE:
            found.append(Problem(variable, f"is not a list of the content: it has {listed(sorted(BY_VARIABLE), 20)}"))
    items = {kind.variable: _items(content.get(kind.variable, ()), kind, found) for kind in KINDS}
    names = {variable: {str(item["name"]) for item in listing} for variable, listing in items.items()}
    for kind in KINDS:
        for item in items[kind.variable]:
            found += _options(kind, item)
            if item.get("state", "present") == "present":
                found += _references(kind, item, names)
                found += [Problem(f"{title(kind, item)}.{each.path}", each.message) for each in _own(kind, item, items)]
    return found


def _items(declared: Any, kind: Kind, found: list[Problem]) -> list[dict[str, Any]]:
    """The items that have a name, each once."""
    if not isinstance(declared, Sequence) or isinstance(declared, (str, bytes)):
        found.append(Problem(kind.variable, "is not a list"))
        return []
    items: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    for index, item in enumerate(declared):
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str) or not item["name"]:
            found.append(Problem(f"{kind.variable}[{index}]", "has no name"))
            continue
        key = (str(item["name"]), str(item.get("organization", "")))
        if key in seen:
            found.append(Problem(title(kind, item), "is declared twice"))
        seen.add(key)
        items.append(written(item))
    return items


def _options(kind: Kind, item: Item) -> Iterator[Problem]:
    options = module_options(kind.module)
    known = {*options, *(alias for option in options.values() for alias in option.get("aliases", ()))}
    for name in item:
        if name not in known:
            near = get_close_matches(name, known, 1)
            meant = f": {near[0]}?" if near else f". The module {kind.module} has {listed(sorted(options), 50)}"
            yield Problem(f"{title(kind, item)}.{name}", f"is not an option of it{meant}")
    validated = ArgumentSpecValidator(options).validate({name: item[name] for name in item if name in known})
    for message in validated.error_messages:
        yield Problem(title(kind, item), message)


def _references(kind: Kind, item: Item, names: Mapping[str, set[str]]) -> Iterator[Problem]:
    for option, variables in kind.names.items():
        value = item.get(option)
        known = set().union(*(names[variable] | BUILT_IN.get(variable, frozenset()) for variable in variables))
        for name in value if isinstance(value, list) else [value]:
            if name is not None and name not in known:
                where = " or ".join(variables)
                hint = "Declare it there; with state: exists, if it is on the controller already"
                yield Problem(f"{title(kind, item)}.{option}", f"{name!r} is not in {where}. {hint}")


def _own(kind: Kind, item: Item, items: Mapping[str, Sequence[Item]]) -> Iterator[Problem]:
    if kind.variable == TYPES:
        yield from _credential_type(item)
    if kind.variable in (TEMPLATES, WORKFLOWS):
        yield from _survey(item)
    if kind.variable == SCHEDULES:
        yield from _rrule(str(item.get("rrule", "")))
        started = {str(each["name"]): each for each in (*items[TEMPLATES], *items[WORKFLOWS])}
        yield from _prompts(item, started.get(str(item.get("unified_job_template"))))
    if kind.variable == WORKFLOWS:
        yield from _nodes(item.get("workflow_nodes", []), items)


def _credential_type(item: Item) -> Iterator[Problem]:
    inputs = item.get("inputs") or {}
    fields = [each.get("id") for each in inputs.get("fields", []) if isinstance(each, Mapping)]
    for each in inputs.get("required", []):
        if each not in fields:
            yield Problem("inputs.required", f"{each!r} is not the id of a field")
    for group, injected in (item.get("injectors") or {}).items():
        if group not in ("env", "extra_vars", "file"):
            yield Problem(f"injectors.{group}", "is not one of env, extra_vars and file")
            continue
        for name, text in injected.items():
            if group == "env" and (name.startswith("ANSIBLE_") or name in OWN_ENVIRONMENT):
                yield Problem(f"injectors.env.{name}", "is not for credentials to set: a controller refuses it")
            for used in _REFERENCE.findall(str(text)):
                if used not in (*fields, "tower", "awx"):
                    yield Problem(f"injectors.{group}.{name}", f"{used!r} is not the id of a field")


def _survey(item: Item) -> Iterator[Problem]:
    survey = item.get("survey_spec")
    if item.get("survey_enabled") and not survey:
        yield Problem("survey_enabled", "is true, and there is no survey_spec")
    if not isinstance(survey, Mapping):
        return
    for key in ("name", "description", "spec"):
        if key not in survey:
            yield Problem(f"survey_spec.{key}", "is missing")
    variables: set[str] = set()
    for index, question in enumerate(survey.get("spec") or []):
        place = f"survey_spec.spec[{question.get('variable', index)}]"
        yield from (Problem(f"{place}.{each.path}", each.message) for each in _question(question))
        if question.get("variable") in variables:
            yield Problem(f"{place}.variable", "is asked for twice")
        variables.add(str(question.get("variable")))


def _question(question: Item) -> Iterator[Problem]:
    for key in ("question_name", "variable", "type", "required"):
        if key not in question:
            yield Problem(key, "is missing")
    if not _VARIABLE.fullmatch(str(question.get("variable", "_"))):
        yield Problem("variable", f"{question['variable']!r} is not a valid name of a variable")
    kind, default = question.get("type"), question.get("default")
    if kind not in QUESTION_TYPES:
        yield Problem("type", f"{kind!r} is not one of {', '.join(QUESTION_TYPES)}")
    if not isinstance(question.get("required", False), bool):
        yield Problem("required", "is neither true nor false")
    if kind in ("multiplechoice", "multiselect"):
        choices = question.get("choices") or []
        if not choices or not all(isinstance(choice, str) for choice in choices):
            yield Problem("choices", "is not a list of texts with at least one")
        elif default is not None and not {str(each) for each in str(default).splitlines()} <= set(choices):
            yield Problem("default", f"{default!r} is not one of the choices")
    elif kind in ("integer", "float") and default is not None:
        accepted = int if kind == "integer" else (int, float)
        if not isinstance(default, accepted) or isinstance(default, bool):
            yield Problem("default", f"{default!r} is not of the type {kind}")
        elif not question.get("min", default) <= default <= question.get("max", default):
            yield Problem("default", f"{default} is outside min to max")
    elif kind in ("text", "textarea", "password") and default is not None and not isinstance(default, str):
        yield Problem("default", f"{default!r} is not a text")


def _rrule(rule: str) -> Iterator[Problem]:
    """What a controller accepts of RFC 5545."""
    if not re.match(r"DTSTART(;TZID=[\w/+-]+)?:\d{8}T\d{6}Z?( |\n)", rule):
        yield Problem(
            "rrule", f"{rule!r} does not begin with DTSTART:YYYYMMDDTHHMMSSZ, or DTSTART;TZID=...:, and a space"
        )
    if rule.count("DTSTART") > 1:
        yield Problem("rrule", "has more than one DTSTART")
    if "RRULE:" not in rule:
        yield Problem("rrule", "has no RRULE")
    for one in re.findall(r"RRULE:(\S+)", rule):
        parts = dict(each.partition("=")[::2] for each in one.split(";"))
        if "INTERVAL" not in parts:
            yield Problem("rrule", "has no INTERVAL")
        if parts.get("FREQ") not in ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"):
            yield Problem("rrule", f"FREQ is {parts.get('FREQ', 'missing')!r}, not YEARLY to MINUTELY")
        if "COUNT" in parts and "UNTIL" in parts:
            yield Problem("rrule", "has COUNT and UNTIL")


def _prompts(given: Item, template: Item | None) -> Iterator[Problem]:
    """What a node or a schedule says must be asked for by what it starts: a controller refuses the rest."""
    if template is None:
        return
    for option, prompt in PROMPTS.items():
        if option in given and not template.get(prompt):
            yield Problem(option, f"{template['name']!r} does not ask for it: set its {prompt}")
    asked = {each.get("variable") for each in (template.get("survey_spec") or {}).get("spec", [])}
    for variable in given.get("extra_data") or {}:
        if variable not in asked and not template.get("ask_variables_on_launch"):
            yield Problem(f"extra_data.{variable}", f"the survey of {template['name']!r} does not ask for it")


def _nodes(nodes: Sequence[Item], items: Mapping[str, Sequence[Item]]) -> Iterator[Problem]:
    known = [str(node.get("identifier")) for node in nodes]
    places = {"job_template": TEMPLATES, "workflow_job_template": WORKFLOWS, "project": PROJECTS}
    links: dict[str, list[str]] = {}
    for node in nodes:
        place = f"workflow_nodes[{node.get('identifier')}]"
        if known.count(str(node.get("identifier"))) > 1:
            yield Problem(place, "is there twice")
        started = node.get("unified_job_template") or {}
        kind, name = started.get("type"), started.get("name")
        if not name or (kind != "workflow_approval" and kind not in places):
            yield Problem(
                f"{place}.unified_job_template",
                "needs a name, and a type: workflow_approval, or one of " + ", ".join(places),
            )
        elif kind in places:
            template = next((each for each in items[places[kind]] if each["name"] == name), None)
            if template is None:
                yield Problem(f"{place}.unified_job_template", f"{name!r} is not in {places[kind]}")
            yield from (Problem(f"{place}.{each.path}", each.message) for each in _prompts(node, template))
        following = [
            str(each.get("identifier")) for link in LINKS for each in (node.get("related") or {}).get(link, [])
        ]
        for each in following:
            if each not in known:
                yield Problem(f"{place}.related", f"{each!r} is not the identifier of a node")
        links[str(node.get("identifier"))] = following
    if _circle(links):
        yield Problem("workflow_nodes", f"{' -> '.join(_circle(links))} is a circle")


def _circle(links: Mapping[str, Sequence[str]]) -> list[str]:
    done: set[str] = set()

    def walk(node: str, path: tuple[str, ...]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        done.add(node)
        return next((found for each in links.get(node, ()) if (found := walk(each, (*path, node)))), [])

    return next((found for node in links if (found := walk(node, ()))), [])
