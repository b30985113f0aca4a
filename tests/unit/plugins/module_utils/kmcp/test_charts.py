# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import spec as charts

GOOD: dict[str, Any] = {
    "version": "v0.3.0",
    "namespace": "kmcp-system",
    "create_namespace": True,
    "chart_repository": "oci://ghcr.io/kagent-dev/kmcp/helm/",
    "crds_chart": "kmcp-crds",
    "controller_chart": "kmcp",
    "crds_release_name": "kmcp-crds",
    "release_name": "kmcp",
    "values": {"controller": {"replicaCount": 2}},
    "wait": True,
    "wait_timeout": 300,
    "stale_after": 60,
    "purge_values": True,
    "take_ownership": False,
    "atomic": False,
    "history_max": 10,
    "manage_crds": True,
    "accept_field_loss": False,
    "plain_http": False,
}
NO_METRICS = {"controller": {"metrics": {"enabled": False}}}


def test_two_releases_of_one_version() -> None:
    spec = charts.kmcp_spec(GOOD)
    assert spec.definitions.chart == Chart("oci://ghcr.io/kagent-dev/kmcp/helm/kmcp-crds", "kmcp-crds", "0.3.0")
    assert spec.controller.chart == Chart("oci://ghcr.io/kagent-dev/kmcp/helm/kmcp", "kmcp", "0.3.0")
    assert (spec.definitions.name, spec.controller.name) == ("kmcp-crds", "kmcp")
    assert spec.definitions.namespace == spec.controller.namespace == spec.namespace == "kmcp-system"
    assert spec.definitions.values == {}
    assert spec.controller.values == {"controller": {"replicaCount": 2}}


def test_charts_and_releases_of_other_names_below_other_paths() -> None:
    names = {
        "chart_repository": "oci://registry.example.com/mirror",
        "crds_chart": "definitions/mcp",
        "controller_chart": "mcp-controller",
        "crds_release_name": "mcp-definitions",
        "release_name": "mcp.controller",
    }
    spec = charts.kmcp_spec({**GOOD, **names})
    assert spec.definitions.chart == Chart("oci://registry.example.com/mirror/definitions/mcp", "mcp", "0.3.0")
    assert spec.controller.chart == Chart("oci://registry.example.com/mirror/mcp-controller", "mcp-controller", "0.3.0")
    assert (spec.definitions.name, spec.controller.name) == ("mcp-definitions", "mcp.controller")


@pytest.mark.parametrize(
    ("names", "path", "words"),
    [
        ({"crds_chart": ""}, "crds_chart", "is not the name of a chart"),
        ({"crds_chart": "/kmcp-crds"}, "crds_chart", "is not the name of a chart"),
        ({"crds_chart": "a/../b"}, "crds_chart", "is not the name of a chart"),
        ({"controller_chart": "kmcp@sha256:0"}, "controller_chart", "its version comes from version"),
        ({"controller_chart": "Kmcp"}, "controller_chart", "upper-case"),
        ({"crds_chart": "kmcp"}, "crds_chart", "must differ from controller_chart"),
        ({"crds_release_name": "kmcp"}, "crds_release_name", "must differ from release_name"),
    ],
    ids=["empty", "absolute", "upwards", "digest", "upper-case", "one chart twice", "one release twice"],
)
def test_a_name_that_cannot_be_is_told_where_it_stands(names: dict[str, str], path: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        charts.kmcp_spec({**GOOD, **names})
    [problem] = caught.value.problems
    assert problem.path == path
    assert words in problem.message


def test_the_definition_is_waited_for_in_any_case() -> None:
    spec = charts.kmcp_spec({**GOOD, "wait": False})
    assert (spec.definitions.wait, spec.controller.wait) == (True, False)


def test_there_is_no_way_back_from_a_definition() -> None:
    spec = charts.kmcp_spec({**GOOD, "atomic": True})
    assert (spec.definitions.atomic, spec.controller.atomic) == (False, True)


@pytest.mark.parametrize(
    ("change", "values", "whole"),
    [
        pytest.param({"values": None}, None, True, id="nothing is said"),
        pytest.param({"values": None, "replicas": 2}, {"controller": {"replicaCount": 2}}, False, id="options only"),
        pytest.param({"values": {"a": 1}, "metrics": False}, {"a": 1, **NO_METRICS}, True, id="values and options"),
        pytest.param({"values": {"a": 1}, "purge_values": False}, {"a": 1}, False, id="not the whole"),
    ],
)
def test_what_options_say_of_the_values(change: dict[str, Any], values: dict[str, Any] | None, whole: bool) -> None:
    spec = charts.kmcp_spec({**GOOD, **change})
    assert (spec.controller.values, spec.controller.purge_values) == (values, whole)
    assert (spec.definitions.values, spec.definitions.purge_values) == ({}, True)


@pytest.mark.parametrize(
    ("change", "path", "text"),
    [
        ({"version": "0.3"}, "version", "all three numbers"),
        ({"version": ""}, "version", "all three numbers"),
        ({"version": "latest"}, "version", "all three numbers"),
        ({"version": "0.1.9"}, "version", "older than 0.2.6"),
        ({"namespace": "Kmcp"}, "namespace", "a to z"),
        ({"release_name": "kmcp-crds"}, "crds_release_name", "must differ"),
        ({"chart_repository": "ftp://charts.example.org"}, "chart_repository", "neither oci://"),
        ({"values": {"rbac": {"clusterScoped": True}}}, "values.rbac.clusterScoped", "rbac.namespaces"),
        ({"values": {"image": {"tag": "v0.3.0"}}}, "values.image.tag", '"0.3.0"'),
        ({"image_tag": "v0.3.0"}, "values.image.tag", "no leading v"),
        ({"version": "0.2.7", "watch_namespaces": ["a"]}, "values.rbac.namespaces", "before 0.2.8"),
        ({"replicas": 2}, "replicas", "set twice"),
        ({"values": {}, "replicas": -1}, "replicas", "number of pods"),
        ({"values": {}, "replicas": 2, "leader_election": False}, "leader_election", "must be on for 2"),
        ({"watch_namespaces": ["a", ""]}, "watch_namespaces", "empty name"),
        ({"chart_repository": "/nonexistent"}, "chart_repository", "not a readable chart"),
        ({"atomic": True, "wait": False}, "atomic", "needs wait"),
    ],
)
def test_one_thing_wrong(change: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        charts.kmcp_spec({**GOOD, **change})
    assert {problem.path for problem in caught.value.problems} == {path}
    assert text in caught.value.problems[0].message


def test_two_things_wrong_are_both_said() -> None:
    with pytest.raises(InvalidInput) as caught:
        charts.kmcp_spec({**GOOD, "version": "0.3", "namespace": "Bad_"})
    assert [problem.path for problem in caught.value.problems] == ["version", "namespace"]


def test_a_value_the_older_chart_had() -> None:
    spec = charts.kmcp_spec({**GOOD, "version": "0.2.8", "values": {"rbac": {"clusterScoped": True}}})
    assert spec.version == "0.2.8"
