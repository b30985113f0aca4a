# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.plan import (
    document_changes,
    plan_release,
    plan_removal,
)
from ansible_collections.mcpops.platform.plugins.module_utils.helm.release_record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT

SPEC = ReleaseSpec("web", "shop", Chart("oci://registry/web", "web", "1.2.3"))
RELEASE = Release("web", "shop", 4, "deployed", "", "web", "1.2.3", "9", {"replicas": 2}, "", None, "s")


def paths(spec: ReleaseSpec, release: Release | None, **more: Any) -> dict[str, tuple[Any, Any]]:
    return {change.path: (change.before, change.after) for change in plan_release(spec, release, **more).changes}


@pytest.mark.parametrize(
    ("spec", "release", "expected"),
    [
        pytest.param(SPEC, RELEASE, {}, id="values that nobody declares stay"),
        pytest.param(replace(SPEC, values={"replicas": 2}), RELEASE, {}, id="as declared"),
        pytest.param(replace(SPEC, values={"replicas": 2.0}), RELEASE, {}, id="one number"),
        pytest.param(replace(SPEC, values={}), RELEASE, {"values.replicas": (2, ABSENT)}, id="no values"),
        pytest.param(
            replace(SPEC, values={"a": 1}, purge_values=False), RELEASE, {"values.a": (ABSENT, 1)}, id="not purged"
        ),
        pytest.param(
            replace(SPEC, values={"db": {"size": 2}}, purge_values=False),
            replace(RELEASE, values={"db": {"name": "x", "size": 1}}),
            {"values.db.size": (1, 2)},
            id="not purged below a key",
        ),
        pytest.param(
            replace(SPEC, values={"a": {"b": None}, "replicas": 2}),
            RELEASE,
            {"values.a.b": (ABSENT, None)},
            id="null removes a chart's default",
        ),
        pytest.param(
            SPEC,
            replace(RELEASE, chart_version="1.2.2", status="failed"),
            {"version": ("1.2.2", "1.2.3"), "status": ("failed", "deployed")},
            id="version and status",
        ),
        pytest.param(SPEC, replace(RELEASE, chart_name="api"), {"chart": ("api", "web")}, id="another chart"),
        pytest.param(
            replace(SPEC, values={"replicas": 3}),
            None,
            {"chart": (ABSENT, "web"), "version": (ABSENT, "1.2.3"), "values.replicas": (ABSENT, 3)},
            id="not installed",
        ),
    ],
)
def test_release_plan(spec: ReleaseSpec, release: Release | None, expected: dict[str, Any]) -> None:
    assert paths(spec, release) == expected


def test_the_body_is_the_values_helm_gets() -> None:
    assert plan_release(SPEC, RELEASE).body == {"replicas": 2}
    assert plan_release(replace(SPEC, values={"a": 1}), RELEASE).body == {"a": 1}
    assert plan_release(SPEC, None).body == {}


def test_a_missing_namespace_is_part_of_the_plan_when_it_is_to_be_created() -> None:
    assert "namespace" not in paths(SPEC, None, namespace_missing=True)
    assert paths(replace(SPEC, create_namespace=True), None, namespace_missing=True)["namespace"] == (ABSENT, "shop")


def test_one_is_not_true() -> None:
    assert [change.path for change in document_changes({"a": 1}, {"a": True}, "values")] == ["values.a"]


def test_secret_values_are_compared_and_never_shown() -> None:
    env = [{"name": "DB_PASSWORD", "value": "canary-1"}, {"name": "PORT", "value": "80"}]
    spec = replace(SPEC, values={"env": env, "password": "canary-2", "replicas": 2})
    diff = plan_release(spec, RELEASE).diff()
    assert "canary" not in str(diff)
    assert 'values.env[1].value: "80"' in diff["after"]
    assert "values.password: ********" in diff["after"]


@pytest.mark.parametrize(
    ("existing", "declared"),
    [
        ({"mailPwd": "canary-1"}, {"mailPwd": "canary-2"}),
        ({"cache": {"STORAGE_ACCOUNT_KEY": "canary-1"}}, {}),
        ({"dsn": ["https://joe:canary-1@example.com"]}, {"dsn": ["https://joe:canary-2@example.com"]}),
        ({"url": "postgres://joe:canary-1@db/x"}, {"url": "postgres://joe:canary-2@db/x"}),
        ({"env": [{"name": "MODE", "value": "x"}]}, {"env": [{"name": "SAS_TOKEN", "value": "canary-1"}]}),
        ({"conf": "a: 1\nclient_secret: canary-1\n"}, {"conf": "a: 2\nclient_secret: canary-2\n"}),
    ],
)
def test_values_are_secret_by_name_on_either_side(existing: dict[str, Any], declared: dict[str, Any]) -> None:
    plan = plan_release(replace(SPEC, values=declared), replace(RELEASE, values=existing))
    assert plan.changed
    assert "canary" not in str(plan.diff())


def test_values_secret_hides_them_all() -> None:
    diff = plan_release(replace(SPEC, values={"motd": "canary"}, values_secret=True), None).diff()
    assert "canary" not in str(diff)
    assert "values.motd: ********" in diff["after"]


@pytest.mark.parametrize(
    ("status", "gone"),
    [
        ("deployed", ["release", "objects[Service shop/web]"]),
        pytest.param("uninstalled", ["release"], id="a kept record, whose objects are gone"),
    ],
)
def test_a_removal_names_every_object_that_is_there(status: str, gone: list[str]) -> None:
    objects = [{"kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}]
    plan = plan_removal("web", "shop", replace(RELEASE, status=status), objects)
    assert [change.path for change in plan.changes] == gone
