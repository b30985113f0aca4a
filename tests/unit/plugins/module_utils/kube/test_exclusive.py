# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing what others wrote while somebody keeps writing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import give_up, target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.exclusive import remove_foreign

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


def remove(kube: Kube, standing: dict[str, Any], dry_run: bool = False) -> Any:
    taken = remove_foreign(kube, TARGET, standing, {"mcpops"}, dry_run=dry_run)
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
    standing = live("1", a="1", x="y")
    server.on(DRY, REFUSED)
    server.on(PATH, Answer(body=standing))
    changes, notes, after = remove(connect(task), standing)
    assert changes == []
    assert notes == ("ConfigMap n/a: data.x of kubectl-edit cannot be removed",)
    assert after is standing


def test_a_default_that_comes_back_is_no_drift(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    standing = live("1", a="1", x="y")
    server.on(DRY, Answer(body=standing))
    assert remove(connect(task), standing)[:2] == ([], ())
    assert len(server.requests) == 1


def test_other_errors_are_not_hidden(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    server.on(DRY, Answer(403, status_object(403, "Forbidden", "no")))
    with pytest.raises(ServiceError, match="no"):
        remove(connect(task), live("1", a="1", x="y"))


def test_a_default_of_another_value_is_drift(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    """The API server fills in its own value for what was removed: that of the other manager goes all the same."""
    standing = live("1", a="1", x="y")
    server.on(DRY, Answer(body=live("1", a="1", x="default")))
    changes, notes, _after = remove(connect(task), standing, dry_run=True)
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
    after = give_up(kube, TARGET, owned("1", ours, theirs), "mcpops-replace")
    assert after == owned("3", ours)
    assert json.loads(server.requests[-1].body) == {"metadata": {"resourceVersion": "2", "managedFields": [ours]}}
    assert give_up(kube, TARGET, after, "mcpops-replace") is after
    assert len(server.requests) == 3
