# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import spec


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ({"image_repository": "r.example.org/kmcp"}, {"image": {"repository": "r.example.org/kmcp"}}),
        ({"image_tag": "0.3.0", "image_pull_policy": "Never"}, {"image": {"tag": "0.3.0", "pullPolicy": "Never"}}),
        ({"image_pull_secrets": ["a", "b"]}, {"imagePullSecrets": [{"name": "a"}, {"name": "b"}]}),
        ({"replicas": 2}, {"controller": {"replicaCount": 2}}),
        ({"leader_election": False}, {"controller": {"leaderElection": {"enabled": False}}}),
        ({"metrics": False}, {"controller": {"metrics": {"enabled": False}}}),
        ({"env": {"A": 1}}, {"controller": {"env": [{"name": "A", "value": "1"}]}}),
        (
            {"adapter_version": "0.9.1"},
            {"controller": {"env": [{"name": "TRANSPORT_ADAPTER_VERSION", "value": "0.9.1"}]}},
        ),
        ({"watch_namespaces": ["b", "a"]}, {"rbac": {"namespaces": ["a", "b", "kmcp-system"]}}),
        ({"watch_namespaces": ["kmcp-system"]}, {"rbac": {"namespaces": ["kmcp-system"]}}),
        ({"watch_namespaces": []}, {"rbac": {"namespaces": []}}),
        ({"service_account": {"create": None, "name": "x"}}, {"serviceAccount": {"name": "x"}}),
        ({"resources": {"limits": {"memory": "1Gi"}}}, {"resources": {"limits": {"memory": "1Gi"}}}),
        ({"node_selector": {"a": "b"}}, {"nodeSelector": {"a": "b"}}),
        ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "a"}]}),
        ({"affinity": {}}, {"affinity": {}}),
        ({"pod_annotations": {"a": "b"}}, {"podAnnotations": {"a": "b"}}),
        ({}, {}),
    ],
)
def test_an_option_stands_for_a_value(option: dict[str, Any], values: dict[str, Any]) -> None:
    assert spec.typed_values({"namespace": "kmcp-system", **option}, "0.3.0") == values


def test_one_version_had_a_switch_beside_the_namespaces() -> None:
    params = {"namespace": "kmcp-system", "watch_namespaces": ["a"]}
    found = spec.typed_values(params, "0.2.8")
    assert found == {"rbac": {"namespaces": ["a", "kmcp-system"], "clusterScoped": False}}


@pytest.mark.parametrize(
    ("values", "version", "path"),
    [
        ({"rbac": {"clusterScoped": False}}, "0.3.0", "values.rbac.clusterScoped"),
        ({"rbac": {"clusterScoped": True}}, "0.2.8", None),
        ({"rbac": {"namespaces": ["a"]}}, "0.2.7", "values.rbac.namespaces"),
        ({"rbac": {"namespaces": []}}, "0.2.7", None),
        ({"rbac": {"namespaces": ["a"]}}, "0.3.0", None),
        ({"image": {"tag": "v0.3.0"}}, "0.3.0", "values.image.tag"),
        ({"image": {"tag": "vnext"}}, "0.3.0", None),
        ({"rbac": "x"}, "0.3.0", None),
    ],
)
def test_a_version_knows_some_values(values: dict[str, Any], version: str, path: str | None) -> None:
    found = spec.version_problems(values, version)
    assert [problem.path for problem in found] == ([path] if path else [])


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"image": {"tag": "0.2.8"}}, "has the tag 0.2.8"),
        ({"rbac": {"create": False}}, "The controller gets no RBAC rights"),
        ({"controller": {"replicaCount": 0}}, "The controller has no pod"),
        ({"controller": {"replicaCount": 1}}, None),
        ({"image": {"tag": "0.3.0"}}, None),
        ({}, None),
    ],
)
def test_what_is_worth_a_note(values: dict[str, Any], text: str | None) -> None:
    found = list(spec.value_notes(values, "0.3.0"))
    assert len(found) == (1 if text else 0)
    assert text is None or text in found[0]


# values, version → the namespaces; None: the whole cluster
WATCHED: dict[str, tuple[dict[str, Any], str, set[str] | None]] = {
    "nothing said": ({}, "0.3.0", None),
    "an empty list": ({"rbac": {"namespaces": []}}, "0.3.0", None),
    "two": ({"rbac": {"namespaces": ["a", "b"]}}, "0.3.0", {"a", "b"}),
    "a later version": ({"rbac": {"namespaces": ["a"]}}, "0.4.0", {"a"}),
    "a version that ignores them": ({"rbac": {"namespaces": ["a"]}}, "0.2.7", None),
    "the version with a switch, off": ({"rbac": {"namespaces": ["a"], "clusterScoped": False}}, "0.2.8", {"a"}),
    "the version with a switch, on": ({"rbac": {"namespaces": ["a"], "clusterScoped": True}}, "0.2.8", None),
    "the version with a switch, not said": ({"rbac": {"namespaces": ["a"]}}, "0.2.8", None),
    "no list": ({"rbac": {"namespaces": "a"}}, "0.3.0", None),
}


@pytest.mark.parametrize(("values", "version", "namespaces"), WATCHED.values(), ids=WATCHED)
def test_which_namespaces_a_controller_watches(
    values: dict[str, Any], version: str, namespaces: set[str] | None
) -> None:
    assert spec.watched_namespaces(values, version) == namespaces


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"adapter_version": "v1.0.0"}, None),
        ({"adapter_version": "0.9.0"}, None),
        ({"adapter_version": "nightly", "env": {"A": "b"}}, None),
        ({"adapter_version": "1.0.1"}, "write v1.0.1"),
        ({"adapter_version": "v0.9.0"}, "write 0.9.0"),
        ({"adapter_version": "0.9.0-musl"}, "write 0.9.0"),
        ({"adapter_version": "0.9.0_1"}, "is not a version"),
        ({"adapter_version": ""}, "is not a version"),
        ({"adapter_version": "0.9.0", "env": {"TRANSPORT_ADAPTER_VERSION": "0.9.0"}}, "is set twice"),
        ({"adapter_version": "0.9.0", "values": {"controller": {"env": []}}}, "move these variables to env"),
    ],
    ids=[
        *("1.0.0", "0.9.0", "any word", "v is missing", "v too many", "suffix", "other characters", "empty"),
        *("twice", "beside a list"),
    ],
)
def test_the_version_of_the_adapter(params: dict[str, Any], words: str | None) -> None:
    found = [str(problem) for problem in spec.typed_problems({"namespace": "kmcp-system", **params}, {})]
    assert len(found) == (words is not None)
    assert words is None or words in found[0]
