# SPDX-License-Identifier: GPL-3.0-or-later
"""Content of an automation controller: what is refused, and what counts as a difference."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.playbook import CHECKOUT

from ansible_collections.mcpops.platform.plugins.plugin_utils.controller_content import (
    BY_VARIABLE,
    KINDS,
    content_problems,
    module_options,
    written,
)
from ansible_collections.mcpops.platform.plugins.plugin_utils.controller_plan import (
    details_of,
    password_variables,
    plan_item,
    secret_texts,
)

QUESTION = {"question_name": "Repair", "variable": "drift_repair", "type": "text", "required": True}
RULE = "DTSTART:20260101T000000Z RRULE:FREQ=DAILY;INTERVAL=1"
RIGHT: dict[str, Any] = {
    "aap_organizations": [{"name": "org"}, {"name": "Default", "state": "exists"}],
    "controller_credential_types": [
        {
            "name": "ours",
            "kind": "cloud",
            "inputs": {"fields": [{"id": "token", "label": "Token", "type": "string"}], "required": ["token"]},
            "injectors": {"env": {"TOKEN": "{{ token }}", "FILE": "{{ tower.filename }}"}},
        }
    ],
    "controller_credentials": [{"name": "azure", "credential_type": "Microsoft Azure Resource Manager"}],
    "controller_projects": [{"name": "code", "organization": "org", "scm_type": "git", "scm_url": "https://x.test/y"}],
    "controller_inventories": [{"name": "hosts", "organization": "Default"}],
    "controller_templates": [
        {
            "name": "drift",
            "project": "code",
            "inventory": "hosts",
            "playbook": "drift.yml",
            "credentials": ["azure"],
            "ask_limit_on_launch": True,
            "survey_enabled": True,
            "survey_spec": {"name": "s", "description": "d", "spec": [QUESTION]},
        }
    ],
    "controller_workflows": [
        {
            "name": "flow",
            "organization": "org",
            "workflow_nodes": [
                {
                    "identifier": "one",
                    "unified_job_template": {"name": "drift", "type": "job_template"},
                    "extra_data": {"drift_repair": "true"},
                    "limit": "a",
                    "related": {"failure_nodes": [{"identifier": "two"}]},
                },
                {"identifier": "two", "unified_job_template": {"name": "Ask", "type": "workflow_approval"}},
            ],
        }
    ],
    "controller_schedules": [{"name": "daily", "unified_job_template": "flow", "rrule": RULE}],
}


def said(content: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in content_problems(content)]


def test_what_is_right_is_accepted() -> None:
    assert said(RIGHT) == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("controller_jobs", [], "controller_jobs: is not a list of the content"),
        ("controller_templates", {}, "controller_templates: is not a list"),
        ("controller_templates.0.name", None, "controller_templates[0]: has no name"),
        (
            "controller_templates.0.playbok",
            "x",
            "controller_templates[drift].playbok: is not an option of it: playbook?",
        ),
        ("controller_templates.0.job_type", "dry", "job_type must be one of: run, check, got: dry"),
        (
            "controller_templates.0.project",
            "cod",
            "controller_templates[drift].project: 'cod' is not in controller_proj",
        ),
        ("controller_templates.0.credentials", ["azur"], "credentials: 'azur' is not in controller_credentials"),
        ("controller_credentials.0.credential_type", "Azure", "'Azure' is not in controller_credential_types"),
        ("controller_templates.0.survey_spec.spec.0.type", "bool", "[drift_repair].type: 'bool' is not one of text"),
        ("controller_templates.0.survey_spec.spec.0.variable", "a-b", "'a-b' is not a valid name of a variable"),
        ("controller_templates.0.survey_spec.spec.0.required", "yes", "required: is neither true nor false"),
        ("controller_templates.0.survey_spec.spec.0.default", 3, "default: 3 is not a text"),
        ("controller_templates.0.survey_spec.spec", [QUESTION, QUESTION], "variable: is asked for twice"),
        ("controller_templates.0.survey_spec", None, "survey_enabled: is true, and there is no survey_spec"),
        (
            "controller_credential_types.0.injectors.env.TOKEN",
            "{{ tokn }}",
            "env.TOKEN: 'tokn' is not the id of a field",
        ),
        ("controller_credential_types.0.injectors.env.ANSIBLE_X", "1", "ANSIBLE_X: is not for credentials to set"),
        ("controller_credential_types.0.injectors.env.PATH", "1", "env.PATH: is not for credentials to set"),
        ("controller_credential_types.0.injectors.enw", {}, "injectors.enw: is not one of env"),
        ("controller_credential_types.0.inputs.required", ["x"], "inputs.required: 'x' is not the id of a field"),
        ("controller_schedules.0.rrule", "RRULE:FREQ=DAILY;INTERVAL=1", "does not begin with DTSTART"),
        ("controller_schedules.0.rrule", "DTSTART:20260101T000000Z RRULE:FREQ=DAILY", "has no INTERVAL"),
        ("controller_schedules.0.rrule", RULE.replace("DAILY", "SECONDLY"), "FREQ is 'SECONDLY'"),
        ("controller_schedules.0.limit", "a", "limit: 'flow' does not ask for it: set its ask_limit_on_launch"),
        ("controller_schedules.0.extra_data", {"x": 1}, "extra_data.x: the survey of 'flow' does not ask for it"),
        ("controller_workflows.0.workflow_nodes.0.job_type", "run", "job_type: 'drift' does not ask for it"),
        (
            "controller_workflows.0.workflow_nodes.0.extra_data",
            {"y": 1},
            "extra_data.y: the survey of 'drift' does not",
        ),
        ("controller_workflows.0.workflow_nodes.1.identifier", "one", "workflow_nodes[one]: is there twice"),
        (
            "controller_workflows.0.workflow_nodes.0.unified_job_template.name",
            "drft",
            "'drft' is not in controller_templates",
        ),
        ("controller_workflows.0.workflow_nodes.1.unified_job_template", {}, "needs a name, and a type"),
        (
            "controller_workflows.0.workflow_nodes.1.related",
            {"success_nodes": [{"identifier": "one"}]},
            "one -> two -> one is a circle",
        ),
        (
            "controller_workflows.0.workflow_nodes.1.related",
            {"success_nodes": [{"identifier": "three"}]},
            "'three' is not the identifier of a node",
        ),
        ("aap_organizations.1.name", "org", "aap_organizations[org]: is declared twice"),
        ("controller_schedules.0.rrule", f"{RULE} DTSTART:20260101T000000Z", "has more than one DTSTART"),
        ("controller_schedules.0.rrule", "DTSTART:20260101T000000Z ", "rrule: has no RRULE"),
        ("controller_schedules.0.rrule", f"{RULE};COUNT=1;UNTIL=20270101T000000Z", "has COUNT and UNTIL"),
        *(
            ("controller_templates.0.survey_spec.spec.0", {**QUESTION, **question}, expected)
            for question, expected in (
                ({"type": "multiplechoice", "choices": []}, "choices: is not a list of texts with at least one"),
                ({"type": "multiselect", "choices": ["a"], "default": "a\nb"}, "'a\\nb' is not one of the choices"),
                (
                    {"type": "multiplechoice", "choices": ["a"], "default": "b"},
                    "default: 'b' is not one of the choices",
                ),
                ({"type": "integer", "default": True}, "default: True is not of the type integer"),
                ({"type": "integer", "default": 1.5}, "default: 1.5 is not of the type integer"),
                ({"type": "float", "default": 3, "min": 4}, "default: 3 is outside min to max"),
                ({"type": "integer", "default": 3, "max": 2}, "default: 3 is outside min to max"),
            )
        ),
    ],
)
def test_each_fault_is_told_with_its_place(path: str, value: Any, expected: str) -> None:
    content = copy.deepcopy(RIGHT)
    *above, last = path.split(".")
    place: Any = content
    for step in above:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = value
    assert any(expected in line for line in said(content)), said(content)


# path → a value that is right there too
ACCEPTED: dict[str, dict[str, Any]] = {
    "variables that are asked for": {"ask_variables_on_launch": True},
    "choices": {
        "survey_spec": {
            "name": "s",
            "description": "",
            "spec": [{**QUESTION, "type": "multiselect", "choices": ["a", "b"], "default": "a\nb"}],
        }
    },
    "numbers at the limit": {
        "survey_spec": {
            "name": "s",
            "description": "",
            "spec": [{**QUESTION, "type": "float", "default": 2, "min": 2, "max": 2}],
        }
    },
    "what was left empty": {"job_tags": "", "credentials": [], "extra_vars": {}, "project": "code"},
}


@pytest.mark.parametrize("options", ACCEPTED.values(), ids=ACCEPTED)
def test_what_a_controller_takes_is_no_fault(options: dict[str, Any]) -> None:
    content = copy.deepcopy(RIGHT)
    content["controller_templates"][0] |= options
    if "ask_variables_on_launch" in options:
        content["controller_workflows"][0]["workflow_nodes"][0]["extra_data"] = {"anything": 1}
    assert said(content) == []
    assert written({"name": "x", **options}) == {
        "name": "x",
        **{option: value for option, value in options.items() if value not in ("", [], {})},
    }


def test_one_name_may_be_in_two_organizations() -> None:
    content = copy.deepcopy(RIGHT)
    content["controller_projects"].append({**content["controller_projects"][0], "organization": "Default"})
    assert said(content) == []


def test_all_faults_are_told_at_once() -> None:
    content = copy.deepcopy(RIGHT)
    content["controller_templates"][0] |= {"job_type": "dry", "inventory": "none"}
    content["controller_schedules"][0]["rrule"] = "never"
    assert len(said(content)) == 4, said(content)


def test_what_is_to_go_or_is_there_needs_nothing_else() -> None:
    gone = {"name": "old", "state": "absent", "project": "gone"}
    assert said({**RIGHT, "controller_templates": [*RIGHT["controller_templates"], gone]}) == []


def test_every_kind_names_only_what_is_made_before_it_and_options_of_its_module() -> None:
    made: set[str] = set()
    for kind in KINDS:
        assert {each for variables in kind.names.values() for each in variables} <= made
        given = {option for option in kind.names if not option.startswith("notification_templates_")}
        assert given - set(module_options(kind.module)) <= {"labels", "credentials", "execution_environment"}
        made.add(kind.variable)


# what stands, what is declared → whether that differs
SIDES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "a relation whose name is not shown": ({"project": 7}, {"project": "code"}, True),
    "a number": ({"forks": 7}, {"forks": 7}, False),
    "manual": ({"scm_type": ""}, {"scm_type": "manual"}, False),
    "not manual": ({"scm_type": "git"}, {"scm_type": "manual"}, True),
    "no variables": ({"extra_vars": "---"}, {"extra_vars": {}}, False),
    "an empty text": ({"extra_vars": ""}, {"extra_vars": {}}, False),
    "nothing": ({"extra_vars": None}, {"extra_vars": {}}, False),
    "variables as YAML": ({"extra_vars": "a: 1\n"}, {"extra_vars": {"a": 1}}, False),
    "what is no YAML": ({"extra_vars": "{a"}, {"extra_vars": {"a": 1}}, True),
}


@pytest.mark.parametrize(("stands", "declared", "differs"), SIDES.values(), ids=SIDES)
def test_what_stands_is_compared_in_the_form_of_what_is_declared(
    stands: dict[str, Any], declared: dict[str, Any], differs: bool
) -> None:
    plan = plan_item(BY_VARIABLE["controller_projects"], {"name": "n", **declared}, {"name": "n", **stands}, {})
    assert plan.changed is differs


def test_a_node_that_is_not_declared_stays() -> None:
    def node(number: int, name: str, **more: Any) -> dict[str, Any]:
        started = {"unified_job_template": {"name": "drift"}}
        return {"id": number, "identifier": name, "summary_fields": started, **more}

    declared = [{"identifier": "a", "unified_job_template": {"name": "drift", "type": "job_template"}}]
    answer = {"results": [node(1, "a", success_nodes=[2]), node(2, "b")]}
    kind, item = BY_VARIABLE["controller_workflows"], {"name": "flow", "workflow_nodes": declared}
    assert not plan_item(kind, item, {"name": "flow"}, {"workflow_nodes": answer}).changed
    linked = [{**declared[0], "related": {"success_nodes": [{"identifier": "b"}]}}]
    assert not plan_item(kind, {**item, "workflow_nodes": linked}, {"name": "flow"}, {"workflow_nodes": answer}).changed
    other = [{**declared[0], "related": {"success_nodes": [{"identifier": "c"}]}}]
    assert plan_item(kind, {**item, "workflow_nodes": other}, {"name": "flow"}, {"workflow_nodes": answer}).changed


STANDING = {
    "name": "drift",
    "playbook": "drift.yml",
    "description": "",
    "extra_vars": '{"a": 1}',
    "diff_mode": False,
    "related": {"survey_spec": "/s/", "labels": "/l/", "credentials": "/c/"},
    "summary_fields": {
        "project": {"name": "code"},
        "credentials": [{"name": "two"}, {"name": "one"}],
        "labels": {"count": 12, "results": [{"name": "first"}]},
    },
}


@pytest.mark.parametrize(
    ("declared", "changed"),
    [
        ({"playbook": "drift.yml", "project": "code", "extra_vars": {"a": 1}}, []),
        ({"credentials": ["one", "two"]}, []),
        ({"credentials": ["one"]}, ["credentials"]),
        ({"extra_vars": {"a": 2}, "diff_mode": True}, ["diff_mode", "extra_vars"]),
        ({"project": "other", "organization": "elsewhere"}, ["project"]),
        ({"survey_spec": {"name": "s", "spec": [QUESTION]}}, []),
        ({"survey_spec": {"name": "s", "spec": [{**QUESTION, "default": "x"}]}}, ["survey_spec"]),
        ({"survey_spec": {"name": "s", "spec": []}}, ["survey_spec"]),
        ({"labels": ["first", "second"]}, []),
        ({"labels": ["first"]}, ["labels"]),
    ],
)
def test_only_what_is_declared_and_differs_is_a_change(declared: dict[str, Any], changed: list[str]) -> None:
    answers = {
        "survey_spec": {"name": "s", "description": "", "spec": [{**QUESTION, "choices": "", "new_question": True}]},
        "labels": {"results": [{"name": "second"}, {"name": "first"}]},
    }
    item = {"name": "drift", **declared}
    asked = details_of(item, STANDING)
    assert set(asked) == {"survey_spec", "labels"} & set(declared)
    plan = plan_item(BY_VARIABLE["controller_templates"], item, STANDING, {each: answers[each] for each in asked})
    assert sorted(change.path for change in plan.changes) == changed


@pytest.mark.parametrize(
    ("inputs", "further", "changed"),
    [
        ({"client": "c", "secret": "canary-new"}, {"update_secrets": False}, False),
        ({"client": "d", "secret": "canary-new"}, {"update_secrets": False}, True),
        ({"client": "c", "secret": "canary-new"}, {}, True),
    ],
)
def test_secrets_are_written_anew_only_when_asked_and_never_shown(
    inputs: dict[str, str], further: dict[str, Any], changed: bool
) -> None:
    standing = {"name": "azure", "inputs": {"client": "c", "secret": "$encrypted$"}, "summary_fields": {}}
    item = {"name": "azure", "inputs": inputs, **further}
    plan = plan_item(BY_VARIABLE["controller_credentials"], item, standing, {})
    assert plan.changed is changed
    assert "canary" not in str(plan.diff())
    assert "canary" not in str(plan_item(BY_VARIABLE["controller_credentials"], item, None, {}).diff())


PASSWORD = {**QUESTION, "variable": "pin", "type": "password", "default": "canary-pin"}
# list, option, what is declared, what a controller shows of it
HIDDEN: dict[str, tuple[str, str, Any, Any]] = {
    "a notification": (
        "controller_notifications",
        "notification_configuration",
        {"token": "canary-token", "channels": ["a"]},
        {"token": "$encrypted$", "channels": ["a"]},
    ),
    "a question for a password": (
        "controller_templates",
        "survey_spec",
        {"name": "s", "spec": [QUESTION, PASSWORD]},
        {"name": "s", "spec": [QUESTION, {**PASSWORD, "default": "$encrypted$"}]},
    ),
    "an answer to it": (
        "controller_schedules",
        "extra_data",
        {"pin": "canary-pin", "size": 3},
        {"pin": "$encrypted$", "size": 3},
    ),
    "an answer of a node": (
        "controller_workflows",
        "workflow_nodes",
        [{"identifier": "a", "extra_data": {"pin": "canary-pin", "size": 3}, "unified_job_template": {"name": "x"}}],
        {
            "results": [
                {
                    "id": 1,
                    "identifier": "a",
                    "extra_data": {"pin": "$encrypted$", "size": 3},
                    "summary_fields": {"unified_job_template": {"name": "x"}},
                }
            ]
        },
    ),
}


def stood(option: str, shown: Any, declared: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    details = {option: shown} if option in ("survey_spec", "workflow_nodes") else {}
    return {"name": "n", "summary_fields": {}, **({} if details else {option: shown})}, details


@pytest.mark.parametrize(("variable", "option", "declared", "shown"), HIDDEN.values(), ids=HIDDEN)
def test_what_a_controller_hides_is_no_difference_and_is_never_shown(
    variable: str, option: str, declared: Any, shown: Any
) -> None:
    kind, item = BY_VARIABLE[variable], {"name": "n", option: declared}
    found, details = stood(option, shown, declared)
    passwords = password_variables({"controller_templates": [{"survey_spec": {"spec": [QUESTION, PASSWORD]}}]})
    assert passwords == {"pin"}
    assert plan_item(kind, item, found, details, passwords).changes == ()
    made = plan_item(kind, item, None, {}, passwords)
    assert made.changed and "canary" not in str(made.diff())
    secrets = secret_texts(item, passwords)
    assert len(secrets) == 1 and all(text.startswith("canary") for text in secrets)
    # what is not hidden counts beside it, and the hidden one is not shown then either
    text = json.dumps(shown).replace('"size": 3', '"size": 4').replace('["a"]', '["b"]').replace("Repair", "Mend")
    found, details = stood(option, json.loads(text), declared)
    other = plan_item(kind, item, found, details, passwords)
    assert other.changed and "canary" not in str(other.diff()) and "encrypted" not in str(other.diff())


def test_a_secret_that_is_declared_no_more_is_a_difference() -> None:
    standing = {"name": "azure", "inputs": {"client": "c", "secret": "$encrypted$"}, "summary_fields": {}}
    item = {"name": "azure", "inputs": {"client": "c"}, "update_secrets": False}
    assert plan_item(BY_VARIABLE["controller_credentials"], item, standing, {}).changed


def test_an_item_is_created_removed_or_only_looked_for() -> None:
    kind = BY_VARIABLE["controller_inventories"]
    assert plan_item(kind, {"name": "a"}, None, {}).is_new
    assert plan_item(kind, {"name": "a", "state": "absent"}, {"name": "a"}, {}).changed
    assert not plan_item(kind, {"name": "a", "state": "absent"}, None, {}).changed
    assert not plan_item(kind, {"name": "a", "state": "exists", "description": "x"}, {"name": "a"}, {}).changed


def test_a_text_that_is_left_empty_in_a_survey_of_ours_takes_the_place_of_no_variable() -> None:
    """A controller hands an optional text that nobody filled in to the job, as an empty one, unless it has a length."""
    templates = yaml.safe_load((CHECKOUT / "awx" / "controller_templates.yml").read_text(encoding="utf-8"))
    surveys = [each["survey_spec"]["spec"] for each in templates["controller_templates"] if "survey_spec" in each]
    texts = [each for survey in surveys for each in survey if each["type"] in ("text", "textarea", "password")]
    optional = [each for each in texts if not each["required"]]
    assert optional and all(each.get("min", 0) > 0 for each in optional)


RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "fixtures" / "awx-24.6.1.json").read_text(encoding="utf-8")
)
"""Objects as they were declared, and what the API of AWX 24.6.1 answered once awx.awx had made them; links and names of
people are left out."""
OBJECTS = [pytest.param(one, id=f"{one['list']}[{one['declared']['name']}]") for one in RECORDED]
# where an object is found, not what it is
NOT_COMPARED = {"name", "organization", "state", "update_secrets"}


@pytest.mark.parametrize("recorded", OBJECTS)
def test_what_a_controller_answers_of_what_it_was_given_is_no_difference(recorded: dict[str, Any]) -> None:
    kind = BY_VARIABLE[recorded["list"]]
    assert set(details_of(recorded["declared"], recorded["found"])) == set(recorded["details"])
    assert plan_item(kind, recorded["declared"], recorded["found"], recorded["details"]).changes == ()


@pytest.mark.parametrize("recorded", OBJECTS)
def test_every_other_value_is_a_difference(recorded: dict[str, Any]) -> None:
    kind = BY_VARIABLE[recorded["list"]]
    for option, value in recorded["declared"].items():
        if option in NOT_COMPARED:
            continue
        declared = {**recorded["declared"], option: other(value)}
        plan = plan_item(kind, declared, recorded["found"], recorded["details"])
        assert [change.path for change in plan.changes] == [option], option


def other(value: Any) -> Any:
    """A value of the same type, one leaf of it changed."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, dict):
        if "unified_job_template" in value:
            return {**value, "related": {"always_nodes": [{"identifier": "verify"}]}}
        # a secret that stands is not compared
        name = next(key for key in reversed(value) if key != "secret")
        return {**value, name: other(value[name])}
    if isinstance(value, list):
        return [other(value[0]), *value[1:]] if value else ["more"]
    return f"{value} too"
