# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import release_spec

GOOD: dict[str, Any] = {
    "name": "web",
    "namespace": "shop",
    "chart_ref": "oci://registry.example.org/web",
    "chart_version": "v1.2.3",
    "values": {"a": 1},
    "values_secret": False,
    "create_namespace": True,
    "wait": True,
    "wait_timeout": 300,
    "stale_after": 60,
    "crds": "create",
    "purge_values": True,
    "take_ownership": False,
    "atomic": False,
    "history_max": 10,
    "plain_http": False,
    "ignore_differences": [{"kind": "Deployment", "name": None, "paths": ["spec.replicas"]}],
}


def test_a_good_declaration() -> None:
    spec = release_spec(GOOD)
    assert (spec.chart.name, spec.chart.version) == ("web", "1.2.3")
    assert spec.ignored[0].paths == ("spec.replicas",)


@pytest.mark.parametrize(
    ("change", "path", "text"),
    [
        ({"name": "Web"}, "name", "a to z"),
        ({"name": "w" * 54}, "name", "1 to 53"),
        ({"name": "web."}, "name", "each part"),
        ({"namespace": "shop.eu"}, "namespace", "1 to 63"),
        ({"namespace": "-shop"}, "namespace", "both ends"),
        ({"chart_version": "1.2"}, "chart_version", "~1.2 for the newest"),
        ({"registry_username": "me"}, "registry_username", "one is missing"),
        ({"registry_username": "me:you", "registry_password": "x"}, "registry_username", "colon"),
        ({"plain_http": True, "ca_file": __file__}, "ca_file", "no meaning"),
        ({"ca_file": "/nonexistent/ca.pem"}, "ca_file", "not a file"),
        ({"repo_url": "charts.example.org", "chart_ref": "web"}, "repo_url", "not the http(s) address"),
        ({"repo_url": "https://me:pw@charts.example.org", "chart_ref": "web"}, "repo_url", "end up in logs"),
        ({"repo_url": "https://charts.example.org"}, "chart_ref", "not the name of a chart"),
        ({"chart_ref": "https://charts.example.org/web"}, "chart_ref", "set repo_url"),
        ({"chart_version": "newest"}, "chart_version", "neither one exact version nor a range"),
        ({"values_files": ["/nonexistent/values.yaml"]}, "values_files[0]", "cannot be read"),
        ({"history_max": -1}, "history_max", "0 keeps all"),
        ({"history_max": 1, "atomic": True}, "history_max", "2 or more"),
        ({"atomic": True, "wait": False}, "atomic", "needs wait"),
        ({"wait_timeout": 0}, "wait_timeout", "more than 0"),
        (
            {"ignore_differences": [{"kind": "Service", "paths": []}]},
            "ignore_differences[0].paths",
            "at least one path",
        ),
    ],
)
def test_one_thing_wrong(change: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        release_spec({**GOOD, **change})
    assert [problem.path for problem in caught.value.problems] == [path]
    assert text in caught.value.problems[0].message


def test_two_things_wrong_are_both_said() -> None:
    with pytest.raises(InvalidInput) as caught:
        release_spec({**GOOD, "name": "Web", "chart_version": "latest"})
    assert [problem.path for problem in caught.value.problems] == ["name", "chart_version"]


def test_a_dotted_release_name_is_helms_own_rule() -> None:
    assert release_spec({**GOOD, "name": "web.v2"}).name == "web.v2"
