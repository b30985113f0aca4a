# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling a default from a value that an update leaves as it is, by what new objects would have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import fresh_values
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import target_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType

from .conftest import Answer, FakeTask, Server, status_object

SERVICES = ResourceType("v1", "Service", "services", True)
DECLARED = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "n"}, "spec": {}}
TARGET = target_of(SERVICES, DECLARED)
POLICY, ADDRESS, PORTS = ("f:spec", "f:policy"), ("f:spec", "f:address"), ("f:spec", "f:default")


def live(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a", "resourceVersion": "7"}, "spec": spec}


def test_only_what_every_new_object_would_have_is_told(
    connect: Callable[..., Kube], task: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = iter(
        [live(policy="Single", address="10.0.0.1", default=1), live(policy="Single", address="10.0.0.2", default=1)]
    )
    names: list[str] = []

    def apply(_kube: Any, target: Any, *, dry_run: bool, manager: str) -> Any:
        assert dry_run
        assert manager == "mcpops"
        names.append(target.who.name)
        return next(made)

    monkeypatch.setattr(fresh_values, "server_side_apply", apply)
    standing = live(policy="Prefer", address="10.0.0.9", default=1)
    found = fresh_values.fresh_values(connect(task), TARGET, standing, [POLICY, ADDRESS, PORTS], "mcpops")
    assert found == {POLICY: "Single"}
    assert all(re.fullmatch(r"mcpops-trial-[0-9a-f]{8}", name) for name in names)
    assert len(set(names)) == 2


def test_leaves_are_set_in_the_version_that_was_read(
    server: Server, connect: Callable[..., Kube], task: FakeTask
) -> None:
    server.on("/api/v1/namespaces/n/services/a?fieldManager=mcpops", Answer(body=live(policy="Single")))
    fresh_values.set_leaves(connect(task), TARGET, live(policy="Prefer"), {POLICY: "Single", ADDRESS: "x"}, "mcpops")
    assert json.loads(server.requests[-1].body) == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "replace", "path": "/spec/policy", "value": "Single"},
    ]


REFUSED = Answer(422, status_object(422, "Invalid", "the server rejected our request due to an error in our request"))


@pytest.mark.parametrize(("moved", "versions"), [(True, ["7", "8"]), (False, ["7"])])
def test_a_controller_may_write_meanwhile(
    server: Server, connect: Callable[..., Kube], task: FakeTask, moved: bool, versions: list[str]
) -> None:
    now = live(policy="Prefer")
    now["metadata"]["resourceVersion"] = "8" if moved else "7"
    path = "/api/v1/namespaces/n/services/a"
    server.on(path, Answer(body=now))
    server.on(f"{path}?fieldManager=mcpops", REFUSED, Answer(body=live(policy="Single")))

    def done() -> Any:
        return fresh_values.set_leaves(connect(task), TARGET, live(policy="Prefer"), {POLICY: "Single"}, "mcpops")

    if moved:
        assert done() == live(policy="Single")
    else:
        # the value itself is refused
        with pytest.raises(ServiceError, match="restore Service n/a"):
            done()
    sent = [json.loads(request.body) for request in server.requests if request.method == "PATCH"]
    assert [patch[0]["value"] for patch in sent] == versions
