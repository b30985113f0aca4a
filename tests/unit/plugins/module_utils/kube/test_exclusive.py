# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing what others wrote while somebody keeps writing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import requests
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.correction import (
    Comparison,
    fresh_values,
    remove_foreign_fields,
    set_fresh,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import drop_field_manager, target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType

from .conftest import Answer, FakeTask, Server, status_object

PATH = "/api/v1/namespaces/n/configmaps/a"
DRY, REAL = f"{PATH}?fieldManager=mcpops&dryRun=All", f"{PATH}?fieldManager=mcpops"
REFUSED = Answer(422, status_object(422, "Invalid", "the server rejected our request"))
DECLARED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": {"a": "1"}}
TARGET = target_of(ResourceType("v1", "ConfigMap", "configmaps", True), DECLARED)


def live(version: str, **data: str) -> dict[str, Any]:
    foreign = {f"f:{key}": {} for key in data if key != "a"}
    entry = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": foreign}}
    metadata = {"name": "a", "resourceVersion": version, "managedFields": [entry] if foreign else []}
    return {"kind": "ConfigMap", "metadata": metadata, "data": data}


def remove(kube: Kube, existing: dict[str, Any], dry_run: bool = False) -> Any:
    options = BundleOptions(exclusive=True, our_managers=frozenset({"mcpops"}))
    taken = remove_foreign_fields(kube, Comparison(options, TARGET, existing), dry_run=dry_run)
    return list(taken.changes), tuple(taken.kept), taken.live


def test_removed_and_shown(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    server.on(DRY, Answer(body=live("1", a="1")))
    server.on(REAL, Answer(body=live("2", a="1")))
    changes, notes, after = remove(connect(task), live("1", a="1", x="y"))
    assert [(change.path, change.before, change.changed_by) for change in changes] == [("data.x", "y", "kubectl-edit")]
    assert (notes, after["metadata"]["resourceVersion"]) == ((), "2")
    task.check_mode = True
    assert remove(connect(task), live("1", a="1", x="y"), dry_run=True)[0] == changes


def test_an_object_that_moved_is_read_again(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    server.on(DRY, REFUSED, Answer(body=live("2", a="1")))
    server.on(REAL, REFUSED, Answer(body=live("3", a="1")))
    server.on(PATH, Answer(body=live("2", a="1", x="y")), Answer(body=live("3", a="1", x="z")))
    changes, notes, _after = remove(connect(task), live("1", a="1", x="y"))
    assert [change.before for change in changes] == ["z"]
    assert notes == ()


def test_what_the_api_keeps_is_a_note(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    existing = live("1", a="1", x="y")
    server.on(DRY, REFUSED)
    server.on(PATH, Answer(body=existing))
    changes, notes, after = remove(connect(task), existing)
    assert changes == []
    assert notes == ("ConfigMap n/a: data.x of kubectl-edit cannot be removed",)
    assert after is existing


def test_a_default_that_comes_back_is_no_drift(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    existing = live("1", a="1", x="y")
    server.on(DRY, Answer(body=existing))
    assert remove(connect(task), existing)[:2] == ([], ())
    assert len(server.requests) == 1


def test_other_errors_are_not_hidden(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    server.on(DRY, Answer(403, status_object(403, "Forbidden", "no")))
    with pytest.raises(ServiceError, match="no"):
        remove(connect(task), live("1", a="1", x="y"))


def test_a_default_of_another_value_is_drift(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    """The API server fills in its own value for what was removed: that of the other manager goes all the same."""
    existing = live("1", a="1", x="y")
    server.on(DRY, Answer(body=live("1", a="1", x="default")))
    changes, notes, _after = remove(connect(task), existing, dry_run=True)
    assert [(change.path, change.before) for change in changes] == [("data.x", "y")]
    assert notes == ()


def test_a_replacement_leaves_no_second_owner(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    ours = {"manager": "mcpops", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}}
    theirs = {"manager": "mcpops-replace", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}}}}

    def owned(version: str, *entries: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "ConfigMap", "metadata": {"resourceVersion": version, "managedFields": [*entries]}}

    conflict = Answer(409, status_object(409, "Conflict", "the object has been modified"))
    server.on(PATH, conflict, Answer(body=owned("2", ours, theirs)), Answer(body=owned("3", ours)))
    kube = connect(task)
    after = drop_field_manager(kube, TARGET, owned("1", ours, theirs), {"mcpops-replace"})
    assert after == owned("3", ours)
    assert json.loads(server.requests[-1].body) == {"metadata": {"resourceVersion": "2", "managedFields": [ours]}}
    assert drop_field_manager(kube, TARGET, after, {"mcpops-replace"}) is after
    assert len(server.requests) == 3


# --- what a new object would have ----------------------------------------------------------------------------

SERVICES = ResourceType("v1", "Service", "services", True)
FRESH = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "n"}, "spec": {}}
SERVICE = target_of(SERVICES, FRESH)
POLICY, ADDRESS, PORTS = ("f:spec", "f:policy"), ("f:spec", "f:address"), ("f:spec", "f:default")


def service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a", "resourceVersion": "7"}, "spec": spec}


def test_only_what_every_new_object_would_have_is_told(
    connect: Callable[..., Kube], task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = iter(
        [
            service(policy="Single", address="10.0.0.1", default=1),
            service(policy="Single", address="10.0.0.2", default=1),
        ]
    )
    names: list[str] = []

    def answer(_kube: Any, target: Any, *, dry_run: bool, manager: str) -> Any:
        assert dry_run
        assert manager == "mcpops"
        names.append(target.ref.name)
        return next(made)

    monkeypatch.setattr(requests, "server_side_apply", answer)
    existing = service(policy="Prefer", address="10.0.0.9", default=1)
    found = fresh_values(connect(task), SERVICE, existing, [POLICY, ADDRESS, PORTS], "mcpops")
    assert found == {POLICY: "Single"}
    assert all(re.fullmatch(r"mcpops-trial-[0-9a-f]{8}", name) for name in names)
    assert len(set(names)) == 2


def test_leaves_are_set_in_the_version_that_was_read(
    server: Server, connect: Callable[..., Kube], task: FakeTask
) -> None:
    server.on("/api/v1/namespaces/n/services/a?fieldManager=mcpops", Answer(body=service(policy="Single")))
    set_fresh(connect(task), SERVICE, service(policy="Prefer"), {POLICY: "Single", ADDRESS: "x"}, "mcpops")
    assert json.loads(server.requests[-1].body) == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "replace", "path": "/spec/policy", "value": "Single"},
    ]


MOVED = Answer(422, status_object(422, "Invalid", "the server rejected our request due to an error in our request"))


@pytest.mark.parametrize(("moved", "versions"), [(True, ["7", "8"]), (False, ["7"])])
def test_a_controller_may_write_meanwhile(
    server: Server, connect: Callable[..., Kube], task: FakeTask, moved: bool, versions: list[str]
) -> None:
    now = service(policy="Prefer")
    now["metadata"]["resourceVersion"] = "8" if moved else "7"
    path = "/api/v1/namespaces/n/services/a"
    server.on(path, Answer(body=now))
    server.on(f"{path}?fieldManager=mcpops", MOVED, Answer(body=service(policy="Single")))

    def done() -> Any:
        return set_fresh(connect(task), SERVICE, service(policy="Prefer"), {POLICY: "Single"}, "mcpops")

    if moved:
        assert done() == service(policy="Single")
    else:
        # the value itself is refused
        with pytest.raises(ServiceError, match="restore Service n/a"):
            done()
    sent = [json.loads(request.body) for request in server.requests if request.method == "PATCH"]
    assert [patch[0]["value"] for patch in sent] == versions
