# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle asks the API server to know which pods are to follow, and what it makes of answers it does not get."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import rotation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import (
    BundleOptions,
    ObjectOutcome,
    object_options,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import Target, read_live
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.rotation import BundleRotation
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.config_digest import DIGEST_ANNOTATION
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import Object, object_ref
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import IgnoredDifference
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan

from .conftest import Answer, FakeTask, Server, status_object

PLURALS = {"Secret": "secrets", "ConfigMap": "configmaps"}


def target(item: Object) -> Target:
    ref = object_ref(item)
    plural = PLURALS.get(ref.kind, f"{ref.kind.lower()}s")
    return Target(ref, ResourceType(ref.api_version, ref.kind, plural, True), item)


def workload(name: str, *secrets: str, kind: str = "Deployment", optional: bool = False) -> Object:
    sources = [{"secretRef": {"name": one, "optional": optional}} for one in secrets]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "envFrom": sources}]}}
    metadata = {"name": name, "namespace": "a"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"template": template}}


def secret(name: str, value: str = "YQ==") -> Object:
    metadata = {"name": name, "namespace": "a", "uid": f"uid-{name}"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"A": value}}


def recorded(item: Object) -> str:
    template = item["spec"]["template"]["metadata"]
    return str((template.get("annotations") or {}).get(DIGEST_ANNOTATION, ""))


@pytest.fixture
def kube(connect: Callable[..., Kube], task: FakeTask) -> Kube:
    return connect(task)


def rotating(kube: Kube, task: FakeTask, *items: Object, **options: Any) -> tuple[BundleRotation, list[Target]]:
    targets = [target(item) for item in items]
    return BundleRotation(kube, task, BundleOptions(**options), targets, dry=task.check_mode), targets


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_whose_pods_follow(kind: str, kube: Kube, task: FakeTask) -> None:
    found, targets = rotating(kube, task, workload("web", "keys", kind=kind))
    found.found({target(secret("keys")).ref: secret("keys")}, (), ())
    [after] = found.recorded(targets, {}, {})
    assert recorded(after.declared).startswith("secret/keys=")


@pytest.mark.parametrize("kind", ["ReplicaSet", "Rollout"])
def test_whose_pods_cannot(kind: str, kube: Kube, task: FakeTask) -> None:
    """A Job cannot change, the next run of a CronJob starts with what stands, a ReplicaSet replaces nothing."""
    found, targets = rotating(kube, task, workload("web", "keys", kind=kind))
    assert found.beside == []
    found.found({}, (), ())
    assert found.recorded(targets, {}, {}) == targets


def test_many_that_are_used_cost_one_list(server: Server, kube: Kube, task: FakeTask) -> None:
    """A hundred workloads with a Secret each, two of which the bundle declares itself."""
    items = [workload(f"web-{number}", f"keys-{number}") for number in range(100)]
    found, targets = rotating(kube, task, *items, secret("keys-0"), secret("keys-1"))
    assert len(found.beside) == 98
    listed = [secret(f"keys-{number}") for number in range(100)]
    server.on("/api/v1/namespaces/a/secrets?limit=1000", Answer(body={"items": listed}))
    secrets = [one for one in targets if one.ref.kind == "Secret"]
    read = read_live(kube, secrets, found.beside)
    live, unreadable = read.found, read.refused
    assert len(server.requests) == 1
    assert (len(live), unreadable) == (100, frozenset())


def test_one_that_may_not_be_read_is_told_and_ends_nothing(server: Server, kube: Kube, task: FakeTask) -> None:
    found, targets = rotating(kube, task, workload("web", "keys", "open"))
    server.on("/api/v1/namespaces/a/secrets/keys", Answer(403, status_object(403, "Forbidden", "no")))
    server.on("/api/v1/namespaces/a/secrets/open", Answer(body=secret("open")))
    read = read_live(kube, (), found.beside)
    live, unreadable = read.found, read.refused
    found.found(live, unreadable, ())
    [after] = found.recorded(targets, {}, {})
    assert recorded(after.declared).startswith("secret/open=")
    [reported] = task.warnings
    assert "Secret a/keys: may not be read" in reported
    assert "roll_on_config_change" in reported


def test_a_declared_one_that_may_not_be_read_fails_as_before(server: Server, kube: Kube) -> None:
    server.on("/api/v1/namespaces/a/secrets/keys", Answer(403, status_object(403, "Forbidden", "no")))
    with pytest.raises(Exception, match="read Secret a/keys"):
        read_live(kube, [target(secret("keys"))], [target(secret("keys"))])


def outcome(item: Object, **more: Any) -> ObjectOutcome:
    return ObjectOutcome(object_ref(item), Plan("x", (Change("data.A", "1", "2"),)), item, **more)


def test_what_the_bundle_makes_of_a_secret_decides(kube: Kube, task: FakeTask) -> None:
    before, after = secret("keys"), secret("keys", "Yg==")
    items = (workload("web", "keys"), secret("keys", "Yg=="))
    found, targets = rotating(kube, task, *items)
    found.found({target(before).ref: before}, (), ())
    ref = targets[1].ref
    live = {targets[0].ref: {**workload("web", "keys")}}
    [rolled] = found.recorded(targets[:1], live, {ref: outcome(after)})
    assert recorded(rolled.declared).startswith("secret/keys=")
    reported = found.explained(outcome(rolled.declared)).plan.notes
    assert reported == ("Deployment a/web: Secret keys has changed, so its pods are replaced",)
    # one that could not be applied stands as it did: the pods of a failed change are left alone
    found.found({target(before).ref: before}, (), ())
    failed = outcome(before, failure=RuntimeError("no"))  # type: ignore[arg-type]
    [same] = found.recorded(targets[:1], live, {ref: failed})
    assert recorded(same.declared) == ""


def test_what_is_pruned_is_gone_for_whoever_starts_without_it(kube: Kube, task: FakeTask) -> None:
    found, targets = rotating(kube, task, workload("web", "keys", optional=True))
    existing = secret("keys")
    found.found({target(existing).ref: existing}, (), [target(existing).ref])
    [after] = found.recorded(targets, {}, {})
    assert recorded(after.declared) == "secret/keys=absent"


def test_in_check_mode_a_new_secret_has_no_digest_yet(kube: Kube, task: FakeTask) -> None:
    task.check_mode = True
    made = secret("keys")
    found, targets = rotating(kube, task, workload("web", "keys"), made)
    found.found({}, (), ())
    new = ObjectOutcome(object_ref(made), Plan("x", (Change("data.A", ABSENT, "1", secret=True),), is_new=True), made)
    [after] = found.recorded(targets[:1], {}, {object_ref(made): new})
    assert recorded(after.declared) == "secret/keys=(new)"


def test_rows_switch_it_off_for_some(kube: Kube, task: FakeTask) -> None:
    rows = object_options([{"name": "quiet", "roll_on_config_change": False}])
    found, targets = rotating(kube, task, workload("web", "keys"), workload("quiet", "more"), per_object=rows)
    assert [one.ref.name for one in found.beside] == ["keys"]
    found.found({}, (), ())
    live = workload("quiet", "more")
    live["spec"]["template"]["metadata"]["annotations"] = {DIGEST_ANNOTATION: "secret/more=1"}
    _web, quiet = found.recorded(targets, {targets[1].ref: live}, {})
    assert recorded(quiet.declared) == "secret/more=1"


def test_the_memory_of_a_run_holds_no_value(kube: Kube, task: FakeTask) -> None:
    task.check_mode = True
    before, after = secret("keys", "aHVudGVyMQ=="), secret("keys", "aHVudGVyMg==")
    ref = object_ref(before)
    memory = rotation.ContentMemory(kube, task)
    memory.remember(rotation.content_digests([ref], {ref: before}), rotation.content_digests([ref], {ref: after}))
    assert task.run_directory is not None
    stored = json.dumps([path.read_text() for path in task.run_directory.rglob("*") if path.is_file()])
    assert "keys" in stored
    assert not any(value in stored for value in ("hunter", "aHVudGVy"))


COVERED = {
    "all annotations": ("Deployment", "spec.template.metadata.annotations", True),
    "any annotation": ("Deployment", "spec.template.metadata.annotations.*", True),
    "the template": ("DaemonSet", "spec.template", True),
    "everything": ("StatefulSet", "spec.**", True),
    "one annotation": ("Deployment", 'spec.template.metadata.annotations."sidecar.istio.io/status"', False),
    "another place": ("Deployment", "spec.replicas", False),
}


@pytest.mark.parametrize("case", COVERED)
def test_pods_whose_record_is_ignored_do_not_follow_and_it_is_told(case: str, kube: Kube, task: FakeTask) -> None:
    kind, path, covered = COVERED[case]
    rows = (IgnoredDifference(kind, None, (path,)),)
    items = (workload("web", "keys", kind=kind), workload("plain", kind=kind))
    found, targets = rotating(kube, task, *items, ignored=rows)
    existing = workload("web", "keys", kind=kind)
    existing["spec"]["template"]["metadata"]["annotations"] = {DIGEST_ANNOTATION: "secret/keys=0000000000000000"}
    found.found({target(secret("keys")).ref: secret("keys")}, (), ())
    [after, _plain] = found.recorded(targets, {targets[0].ref: existing}, {})
    assert (recorded(after.declared) == "secret/keys=0000000000000000") is covered
    assert bool(found.explained(outcome(after.declared)).plan.notes) is not covered
    if covered:
        [reported] = task.warnings
        assert f"ignore_differences covers {path}, so the pods of {kind} a/web do not follow" in reported
        assert "roll_on_config_change" in reported
    else:
        assert task.warnings == []


KEPT: dict[str, tuple[str, dict[str, Any], str]] = {
    "a set on delete": ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, "until they are deleted"),
    "daemons on delete": ("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, "until they are deleted"),
    "a partition": ("StatefulSet", {"updateStrategy": {"rollingUpdate": {"partition": 2}}}, "ordinal below 2 keep"),
    "paused": ("Deployment", {"paused": True}, "until the rollout is resumed"),
    "rolling": ("StatefulSet", {"updateStrategy": {"rollingUpdate": {"partition": 0}}}, "so its pods are replaced"),
}


@pytest.mark.parametrize("case", KEPT)
def test_pods_that_their_controller_does_not_replace(case: str, kube: Kube, task: FakeTask) -> None:
    kind, spec, words = KEPT[case]
    found, targets = rotating(kube, task, workload("web", "keys", kind=kind))
    existing = workload("web", "keys", kind=kind)
    existing["spec"]["template"]["metadata"]["annotations"] = {DIGEST_ANNOTATION: "secret/keys=0000000000000000"}
    found.found({target(secret("keys")).ref: secret("keys")}, (), ())
    [after] = found.recorded(targets, {targets[0].ref: existing}, {})
    # the strategy may stand in the cluster only
    applied = {**after.declared, "spec": {**after.declared["spec"], **spec}}
    [reported] = found.explained(outcome(applied)).plan.notes
    assert words in reported


@pytest.mark.parametrize("path", ["metadata.annotations", "metadata.**", "spec.replicas"])
def test_what_is_recorded_beside_the_template_may_be_ignored_too(path: str, kube: Kube, task: FakeTask) -> None:
    """Pods that ran before they were first met have their record in the annotations of the workload itself."""
    rows = (IgnoredDifference("Deployment", None, (path,)),)
    found, targets = rotating(kube, task, workload("web", "keys"), ignored=rows)
    found.found({target(secret("keys")).ref: secret("keys")}, (), ())
    found.recorded(targets, {targets[0].ref: workload("web", "keys")}, {})
    reported = [f"ignore_differences covers {path}, so the pods of Deployment a/web" in one for one in task.warnings]
    assert reported == ([True] if path != "spec.replicas" else [])
