# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying over what was written in one piece before, by this run or by one that was broken off."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.correction import apply_declared
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import BundleOptions
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.requests import target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType

from .conftest import Answer, FakeTask, Server

PATH = "/apis/apps/v1/namespaces/n/deployments/a"
PLAIN = f"{PATH}?fieldManager=mcpops&fieldValidation=Strict"
DECLARED = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "n"}, "spec": {}}
TARGET = target_of(ResourceType("apps/v1", "Deployment", "deployments", True), DECLARED)
OURS = {"manager": "mcpops", "operation": "Apply"}


def conflict(*managers: str) -> Answer:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{name}" using apps/v1', "field": ".spec.x"}
        for name in managers
    ]
    body = {"kind": "Status", "code": 409, "reason": "Conflict", "message": "conflict", "details": {"causes": causes}}
    return Answer(409, body)


def live(*managers: str) -> dict[str, Any]:
    entries = [OURS, *({"manager": name, "operation": "Update"} for name in managers)]
    return {**DECLARED, "metadata": {**DECLARED["metadata"], "resourceVersion": "7", "managedFields": entries}}


@pytest.mark.parametrize("dry", [False, True])
def test_what_we_wrote_in_one_piece_is_taken_over_and_given_up(
    server: Server, connect: Callable[..., Kube], task: FakeTask, dry: bool
) -> None:
    end = "&dryRun=All" if dry else ""
    server.on(f"{PLAIN}{end}", conflict("mcpops-replace"))
    server.on(f"{PLAIN}&force=true{end}", Answer(body=live("mcpops-replace")))
    server.on(PATH, Answer(body=live()))
    after = apply_declared(connect(task), BundleOptions(), TARGET, dry=dry)
    assert after == (live("mcpops-replace") if dry else live())
    given_up = [json.loads(one.body)["metadata"] for one in server.requests if one.target == PATH]
    assert given_up == ([] if dry else [{"resourceVersion": "7", "managedFields": [OURS]}])


@pytest.mark.parametrize("managers", [("terraform",), ("mcpops-replace", "terraform")])
def test_what_others_wrote_is_not(
    server: Server, connect: Callable[..., Kube], task: FakeTask, managers: tuple[str, ...]
) -> None:
    server.on(PLAIN, conflict(*managers))
    with pytest.raises(ServiceError, match="belongs to terraform"):
        apply_declared(connect(task), BundleOptions(), TARGET, dry=False)
    assert not [one for one in server.requests if "force" in one.target]
