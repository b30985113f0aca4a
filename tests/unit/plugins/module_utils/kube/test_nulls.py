# SPDX-License-Identifier: GPL-3.0-or-later
"""A null or another type in every place of many kinds: told, or left to the API server, and never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm import release_record
from ansible_collections.mcpops.platform.plugins.module_utils.helm.drift import may_be_missing, release_rows
from ansible_collections.mcpops.platform.plugins.module_utils.helm.plan import plan_removal
from ansible_collections.mcpops.platform.plugins.module_utils.helm.release_record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.kube import manifests
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import finished_jobs, rotation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.bundle import labelled
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.finished_jobs import JobEntry
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import served_types
from ansible_collections.mcpops.platform.plugins.module_utils.kube.config_digest import Record
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diff import creation_changes, differences
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan

METADATA = {"name": "a", "namespace": "n", "labels": {"x": "y"}, "annotations": {"x": "y"}, "finalizers": ["a/b"]}
CONTAINER = {
    "name": "c",
    "image": "x",
    "args": ["a"],
    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
    "envFrom": [{"configMapRef": {"name": "m"}}],
    "ports": [{"containerPort": 80}],
    "resources": {"limits": {"cpu": "1"}},
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
}
VOLUME = {"name": "v", "projected": {"sources": [{"secret": {"name": "s", "items": [{"key": "k", "path": "p"}]}}]}}
TEMPLATE = {"metadata": {"labels": {"x": "y"}}, "spec": {"containers": [CONTAINER], "volumes": [VOLUME]}}
VERSION = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}

SAMPLES: dict[str, dict[str, Any]] = {
    "ConfigMap": {"apiVersion": "v1", "data": {"a": "b"}, "binaryData": {"c": "ZA=="}},
    "Secret": {"apiVersion": "v1", "data": {"a": "YQ=="}, "stringData": {"b": "c"}, "type": "Opaque"},
    "Namespace": {"apiVersion": "v1", "spec": {"finalizers": ["kubernetes"]}},
    "Service": {"apiVersion": "v1", "spec": {"selector": {"x": "y"}, "ports": [{"port": 80}], "type": "ClusterIP"}},
    "Deployment": {"apiVersion": "apps/v1", "spec": {"selector": {"matchLabels": {"x": "y"}}, "template": TEMPLATE}},
    "HorizontalPodAutoscaler": {
        "apiVersion": "autoscaling/v2",
        "spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}},
    },
    "Job": {"apiVersion": "batch/v1", "spec": {"ttlSecondsAfterFinished": 1, "template": TEMPLATE}},
    "Role": {"apiVersion": "rbac.authorization.k8s.io/v1", "rules": [{"verbs": ["get"], "resources": ["pods"]}]},
    "CustomResourceDefinition": {
        "apiVersion": "apiextensions.k8s.io/v1",
        "spec": {"group": "a.b", "scope": "Cluster", "names": {"plural": "xs", "kind": "X"}, "versions": [VERSION]},
    },
    "MCPServer": {"apiVersion": "kagent.dev/v1alpha1", "spec": {"deployment": {"env": {"A": "b"}, "cmd": "x"}}},
    "List": {"apiVersion": "v1", "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": METADATA}]},
    "ConfigMapList": {"apiVersion": "v1", "items": [{"metadata": METADATA, "data": {"a": "b"}}]},
}


def places(value: Any, route: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in below:
        yield (*route, key)
        yield from places(one, (*route, key))


def spoilt(value: Any, route: tuple[Any, ...], other: Any) -> Any:
    changed = copy.deepcopy(value)
    at = changed
    for step in route[:-1]:
        at = at[step]
    at[route[-1]] = other
    return changed


SOUND = {
    kind: {"kind": kind, **({} if kind.endswith("List") else {"metadata": METADATA}), **body}
    for kind, body in SAMPLES.items()
}
OTHERS: dict[str, Any] = {"null": None, "text": "x", "a number": 7, "a list": ["x"], "a mapping": {"x": None}}


def each_place(kind: str) -> Iterator[list[dict[str, Any]]]:
    """For each place of an object of this kind, the object with each of the others there."""
    item = SOUND[kind]
    for route in places(item):
        yield [spoilt(item, route, other) for other in OTHERS.values()]


@pytest.mark.parametrize("kind", SOUND)
def test_a_declaration_is_told_or_taken(kind: str) -> None:
    for spoilt_ones in each_place(kind):
        for document in spoilt_ones:
            declare(document)


def declare(document: dict[str, Any]) -> None:
    items = manifests.flatten_lists([document])
    if manifests.manifest_problems(items):
        return
    for item in items:
        clean = manifests.normalise(labelled(item, "bundle"))
        ref = manifests.object_ref(clean)
        manifests.apply_phase(ref)
        follow(ref, clean)
        assert Plan("x", creation_changes(clean)).diff()
        differences(clean, {"kind": clean["kind"], "metadata": {"name": "a"}})
        differences({"kind": clean["kind"], "metadata": {"name": "a"}}, clean)


def follow(ref: manifests.ObjectRef, declared: dict[str, Any]) -> None:
    """What is done on the way to the API server, which has not judged the declaration yet."""
    if rotation.has_template(ref):
        rotation.held_in("n", rotation.references_of(declared))
        rotation.with_record(declared, Record({"secret/s": "x"}, {"configmap/m": "y"}))
    if finished_jobs.is_job(ref):
        finished_jobs.cleans_itself_up(declared)
        finished_jobs.has_run(JobEntry("x"), declared, None)


@pytest.mark.parametrize("kind", SOUND)
def test_a_charts_manifest_is_read(kind: str) -> None:
    for null, *_refused in each_place(kind):
        # anything else than null the API server refuses: it is in no release
        read(null)


def read(document: dict[str, Any]) -> None:
    release = Release("web", "n", 1, "deployed", "", "web", "1.0.0", "", {}, json.dumps(document), None, "s")
    items = release_record.parse_manifest(release)
    for item in items:
        clean = release_record.with_helm_marks(item, release, namespaced=True)
        manifests.object_ref(clean)
        served_types(clean)
        release_record.is_kept_on_uninstall(clean)
        release_rows([clean])
        may_be_missing(clean)
        json.dumps(clean)
    assert plan_removal("web", "n", release, items).changes
