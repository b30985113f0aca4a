# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing what others wrote while somebody keeps writing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import target_of
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
    return remove_foreign(kube, TARGET, standing, {"mcpops"}, dry_run=dry_run)


def test_removed_and_shown(server: Server, connect: Callable[..., Kube], task: FakeTask) -> None:
    server.on(DRY, Answer(body=live("1", a="1")))
    server.on(REAL, Answer(body=live("2", a="1")))
    changes, notes, after = remove(connect(task), live("1", a="1", x="y"))
    assert [(change.path, change.before, change.note) for change in changes] == [("data.x", "y", "set by kubectl-edit")]
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
