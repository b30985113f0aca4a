# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Secret holds before a change is kept back as well: a webhook may print the old object it refuses."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import drift
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import bundle, delete
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.comparison import ApplyNeeded
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.object import BundleState, Converger
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import BundleOptions, ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import Target, target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import object_ref
from ansible_collections.mcpops.platform.plugins.module_utils.kube.schema import UNKNOWN
from ansible_collections.mcpops.platform.plugins.module_utils.masking import mask
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan

from .conftest import FakeTask

OLD = base64.b64encode(b"old-phrase-77").decode()
REFUSED = f"Secret shop/made of postgres-db is refused: oldObject.data is {{motd: {OLD}}} (old-phrase-77)"


def secret(value: str) -> dict[str, Any]:
    data = {"motd": value, "who": base64.b64encode(b"postgres-db").decode()}
    metadata = {"name": "made", "namespace": "shop", "uid": "u"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def target(item: dict[str, Any]) -> Target:
    kind = ResourceType(item["apiVersion"], item["kind"], f"{item['kind'].lower()}s", namespaced=True)
    return target_of(kind, item, UNKNOWN)


NEW = target(secret(base64.b64encode(b"new-phrase-88").decode()))
OTHER = target({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "postgres-db", "namespace": "shop"}})
LIVE = {NEW.ref: secret(OLD), OTHER.ref: dict(OTHER.declared)}


def refused(one: Target) -> ObjectOutcome:
    return ObjectOutcome(one.ref, Plan(str(one.ref)), None, ServiceError(f"apply {one.ref}", REFUSED))


@pytest.mark.parametrize("way", ["bundle", "release", "deletion"])
def test_the_old_values_of_a_refused_secret_are_masked(way: str, task: FakeTask, monkeypatch: Any) -> None:
    monkeypatch.setattr(Converger, "judge", lambda _self, _one, _live: ApplyNeeded.DIFFERS)
    monkeypatch.setattr(Converger, "converge", lambda _self, one, _live: refused(one))
    monkeypatch.setattr(delete, "_delete", lambda _kube, one, *_rest: refused(one))
    targets: list[Target] = [NEW, OTHER]
    kube: Any = None
    if way == "bundle":
        one = bundle._Bundle.__new__(bundle._Bundle)
        one._task, one._jobs = task, NoJobs()  # type: ignore[assignment]
        one._converger = Converger(kube, task, BundleOptions(), BundleState(), dry=False)
        one._converge_all(targets, LIVE)
    elif way == "release":
        drift.converge_objects(kube, task, BundleOptions(), targets, LIVE, dry=True)
    else:
        options = delete.DeleteOptions(wait=False)
        delete.delete_existing(kube, task, targets, LIVE, options, dry=False)
    shown = mask(REFUSED, task.secrets)
    assert OLD not in shown and "old-phrase-77" not in shown
    # the name of another object of the task, though the Secret holds it
    assert "postgres-db" in shown and str(object_ref(LIVE[NEW.ref])) in shown


class NoJobs:
    def has_run(self, _target: Target, _live: Any) -> None:
        return None
