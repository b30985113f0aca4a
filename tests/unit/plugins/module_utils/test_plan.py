# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from support.playbook import CHECKOUT

from ansible_collections.mcpops.platform.plugins.module_utils.masking import mask
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan, as_data, leaf_entries
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import REDACTED
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result

SCHEMA = json.loads((CHECKOUT / "docs" / "diff.schema.json").read_text(encoding="utf-8"))
PLAN = Plan(
    "cluster demo",
    (
        Change("properties.version", "1.34", "1.35"),
        Change("properties.password", "old-canary", "new-canary", secret=True),
        Change('tags."a/b"', ABSENT, "x"),
        Change("pools[0]", {"name": "a", "zones": ["1", "2"]}, ABSENT, note="not listed"),
    ),
    notes=("a note",),
)


def test_diff_is_one_sorted_line_a_leaf() -> None:
    diff = PLAN.diff()
    assert diff["before"].splitlines() == [
        'pools[0].name: "a"  # not listed',
        'pools[0].zones[0]: "1"  # not listed',
        'pools[0].zones[1]: "2"  # not listed',
        f"properties.password: {REDACTED} (before)",
        'properties.version: "1.34"',
    ]
    assert diff["after"].splitlines() == [
        f"properties.password: {REDACTED} (after)",
        'properties.version: "1.35"',
        'tags."a/b": "x"',
    ]
    assert "canary" not in str(diff)


@pytest.mark.parametrize(("is_new", "header"), [(True, "ConfigMap a/b (absent)"), (False, "ConfigMap a/b")])
def test_a_diff_tells_a_new_object_from_one_that_lacks_parts(is_new: bool, header: str) -> None:
    diff = Plan("ConfigMap a/b", (Change("data.x", ABSENT, 1),), is_new=is_new).diff()
    assert (diff["before_header"], diff["after_header"], diff["before"]) == (header, "ConfigMap a/b", "")


def test_summary_names_what_differs_and_never_a_value() -> None:
    assert PLAN.summary().startswith("cluster demo: properties.version, properties.password")
    assert "canary" not in PLAN.summary()
    assert Plan("x").summary() == "x: as declared"
    assert Plan("x", tuple(Change(f"p{n}", 1, 2) for n in range(9))).summary().endswith("p5 and 3 more")


def test_a_result_shows_its_diff_only_when_asked_for() -> None:
    result = Result.of(PLAN, {"id": "/x"})
    assert result.to_dict(diff_mode=False) == {
        "changed": True,
        "id": "/x",
        "msg": PLAN.summary(),
        "notes": ["a note"],
    }
    assert result.to_dict(diff_mode=True)["diff"] == [PLAN.diff()]
    assert Result.of(Plan("x")).to_dict(diff_mode=True) == {"changed": False, "msg": "x: as declared", "diff": []}


def test_of_a_list_only_what_differs_is_shown() -> None:
    before, after = [{"verbs": ["get", "*"]}, {"verbs": ["list"]}], [{"verbs": ["get", "watch"]}]
    diff = Plan("ClusterRole x", (Change("rules", before, after, note="set by somebody"),)).diff()
    assert diff["before"].splitlines() == [
        'rules[0].verbs[1]: "*"  # set by somebody',
        'rules[1].verbs[0]: "list"  # set by somebody',
    ]
    assert diff["after"].splitlines() == ['rules[0].verbs[1]: "watch"']


# a change → its data, and its leaves where these are not the same
DATA: dict[str, tuple[Change, list[dict[str, Any]], list[dict[str, Any]] | None]] = {
    "changed": (Change("spec.replicas", 1, 2), [{"path": "spec.replicas", "before": 1, "after": 2}], None),
    "added": (Change("spec.replicas", ABSENT, 2), [{"path": "spec.replicas", "after": 2}], None),
    "removed": (Change("spec.replicas", 1, ABSENT), [{"path": "spec.replicas", "before": 1}], None),
    "null is a value": (Change("a", None, ""), [{"path": "a", "before": None, "after": ""}], None),
    "false is a value": (Change("a", False, 0), [{"path": "a", "before": False, "after": 0}], None),
    "set by somebody": (
        Change("a", "x", ABSENT, changed_by="kubectl"),
        [{"path": "a", "before": "x", "changed_by": "kubectl"}],
        None,
    ),
    "missing": (Change("a", ABSENT, "x", note="is missing"), [{"path": "a", "after": "x", "note": "is missing"}], None),
    "secret": (
        Change("data.key", "canary", {"deep": "canary"}, secret=True),
        [{"path": "data.key", "before": REDACTED, "after": REDACTED, "secret": True}],
        None,
    ),
    "secret by its name": (
        Change("env", [{"name": "DB_PASSWORD", "value": "canary-1"}], [{"name": "DB_PASSWORD", "value": "canary-2"}]),
        [{"path": "env[0].value", "before": REDACTED, "after": REDACTED, "secret": True}],
        None,
    ),
    "secret on the other side": (
        Change("a", "postgres://u:canary1@db", "postgres://u:canary2@db"),
        [{"path": "a", "before": REDACTED, "after": REDACTED, "secret": True}],
        None,
    ),
    "a new structure with a secret": (
        Change("", ABSENT, {"kind": "X", "spec": {"apiToken": "canary", "url": "redis://:canary@cache", "port": 6379}}),
        [
            {
                "path": "",
                "after": {
                    "kind": "X",
                    "spec": {"apiToken": REDACTED, "url": f"redis://{REDACTED}@cache", "port": 6379},
                },
            }
        ],
        [
            {"path": "kind", "after": "X"},
            {"path": "spec.apiToken", "after": REDACTED, "secret": True},
            {"path": "spec.url", "after": f"redis://{REDACTED}@cache"},
            {"path": "spec.port", "after": 6379},
        ],
    ),
    "structures on both sides": (
        Change("a", {"b": [1, {"c": 2}], "d": 4}, {"b": [], "d": 4}, changed_by="helm"),
        [
            {"path": "a.b[0]", "before": 1, "changed_by": "helm"},
            {"path": "a.b[1].c", "before": 2, "changed_by": "helm"},
            {"path": "a.b", "after": []},
        ],
        None,
    ),
    "keys with dots": (
        Change("labels", {"a.b/c": "x"}, ABSENT),
        [{"path": "labels", "before": {"a.b/c": "x"}}],
        [{"path": 'labels."a.b/c"', "before": "x"}],
    ),
}


@pytest.mark.parametrize(("change", "data", "leaves"), DATA.values(), ids=DATA)
def test_changes_are_data(change: Change, data: list[dict[str, Any]], leaves: list[dict[str, Any]] | None) -> None:
    assert as_data(change) == data
    assert [leaf for entry in data for leaf in leaf_entries(entry)] == (data if leaves is None else leaves)
    diff = Plan("X", (change,)).diff()
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(diff)))
    assert "canary" not in str(diff)
    # whatever the data says, the texts say, and the other way round
    lines = sum("before" in leaf for leaf in leaves or data), sum("after" in leaf for leaf in leaves or data)
    assert (diff["before"].count("\n"), diff["after"].count("\n")) == lines


def test_the_schema_refuses_what_is_no_diff() -> None:
    for wrong in ({"is_new": "no"}, {"changes": [{"path": "a"}]}, {"changes": [{"path": "a", "after": 1, "by": "x"}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**PLAN.diff(), **wrong}, SCHEMA)


def test_a_registered_secret_is_masked_in_the_data_as_in_the_text() -> None:
    """As a key, as a value, as a part of one and as a number."""
    content = {"zanzibar": "zanzibar", "text": "it is zanzibar", "pin": 47119911, "more": [{"zanzibar": 1}]}
    plan = Plan("X", (Change("data", ABSENT, content), Change("zanzibar.a", 1, 2), Change("b", "zanzibar", "other")))
    shown = mask(plan.diff(), {"zanzibar", "47119911"})
    assert not [word for word in ("zanzibar", "47119911") if word in str(shown)]
    (leaf,) = [leaf for entry in shown["changes"] for leaf in leaf_entries(entry) if leaf["path"] == "b"]
    assert leaf == {"path": "b", "before": REDACTED, "after": "other", "secret": True}


def deployment(number: int) -> dict[str, Any]:
    container = {
        "name": "web",
        "image": f"registry/web:{number}",
        "env": [{"name": f"V{i}", "value": "x"} for i in range(5)],
    }
    labels = {"app.kubernetes.io/name": f"web-{number}"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"web-{number}"}, "spec": spec}


CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "web"},
    "data": {"a": "1"},
}
# how a thousand objects differ → the changes of one
MANY = {
    "a value": (Change("data.level", "debug", "info", changed_by="kubectl-edit"),),
    "several values": tuple(Change(f"spec.template.spec.containers[web].env[V{i}].value", "x", "y") for i in range(10)),
    "new small objects": (Change("", ABSENT, CONFIG_MAP),),
    "new large objects": (Change("", ABSENT, deployment(1)),),
}


@pytest.mark.parametrize("changes", MANY.values(), ids=MANY)
def test_a_result_is_at_most_twice_as_large_as_its_texts(changes: tuple[Change, ...]) -> None:
    result = Result(True, plans=tuple(Plan(f"Deployment web/web-{number}", changes) for number in range(1000)))
    whole = result.to_dict(diff_mode=True)
    texts = [{key: part[key] for key in part if key not in ("is_new", "changes")} for part in whole["diff"]]
    assert len(json.dumps(whole)) <= 2 * len(json.dumps({**whole, "diff": texts}))
