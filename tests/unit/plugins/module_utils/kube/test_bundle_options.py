# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import (
    OPTION,
    Settings,
    object_options,
    settings_for,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import ObjectRef, rows_without_object

WEB = ObjectRef("apps/v1", "Deployment", "web", "shop")
ROWS: dict[str, tuple[list[dict[str, Any]], Settings]] = {
    "none": ([], Settings()),
    "its kind": ([{"kind": "Deployment", "recreate": "on_immutable"}], Settings(recreate="on_immutable")),
    "another kind": ([{"kind": "Job", "recreate": "on_immutable"}], Settings()),
    "kind fits and name does not": ([{"kind": "Deployment", "name": "x", "exclusive": True}], Settings()),
    "everything": ([{"exclusive": True}], Settings(exclusive=True)),
    "not waited for": ([{"kind": "Deployment", "wait": False}, {"name": "other", "wait": True}], Settings(wait=False)),
    "the last one that says something wins": (
        [
            {"kind": "Deployment", "force_conflicts": True, "exclusive": True},
            {"name": "web", "namespace": "shop", "force_conflicts": False},
        ],
        Settings(exclusive=True),
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_settings(case: str) -> None:
    rows, expected = ROWS[case]
    assert settings_for(object_options(rows), Settings(), WEB) == expected


def test_a_row_may_take_back_what_holds_for_the_whole() -> None:
    rows = object_options([{"name": "web", "force_conflicts": False}])
    assert settings_for(rows, Settings(force_conflicts=True, exclusive=True), WEB) == Settings(exclusive=True)


def test_a_row_that_chooses_nothing_is_a_problem() -> None:
    rows = object_options([{"kind": "Deployment"}, {"kind": "Deployment", "name": "wbe", "namespace": "shop"}])
    assert [str(one) for one in rows_without_object(OPTION, rows, [WEB])] == [
        "object_options[1]: no declared object has kind Deployment, name wbe, namespace shop"
    ]
