# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of API servers between runs."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube import discovery
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube

from .conftest import Answer, FakeTask, Server, status_object

INDEX = {"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=AB"}}}
GVK = [{"group": "", "version": "v1", "kind": "Service"}]
PORTS = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port"], "items": {}}
SERVICE = {"x-kubernetes-group-version-kind": GVK, "properties": {"ports": PORTS}}
DOCUMENT = {"components": {"schemas": {"Service": SERVICE}}}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "mcpops.platform"


def test_a_document_is_read_once_for_all_runs(
    server: Server, connect: Callable[..., Kube], task: FakeTask, cache: Path
) -> None:
    server.on("/openapi/v3", Answer(body=INDEX))
    server.on("/openapi/v3/api/v1?hash=AB", Answer(body=DOCUMENT))
    for _run in range(2):
        assert connect(task).structure("v1", "Service").field("ports").keys == ("port",)
    asked = [request.target for request in server.requests]
    assert asked.count("/openapi/v3/api/v1?hash=AB") == 1
    (file,) = (cache / "openapi").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("status", [403, 404])
def test_what_may_not_be_read_is_unknown(
    server: Server, connect: Callable[..., Kube], task: FakeTask, status: int
) -> None:
    server.on("/openapi/v3", Answer(status, status_object(status, "Forbidden", "no")))
    assert not connect(task).structure("v1", "Service").is_known


def test_a_document_that_has_moved_is_unknown_and_asked_for_again(
    server: Server, connect: Callable[..., Kube], task: FakeTask, cache: Path
) -> None:
    server.on("/openapi/v3", Answer(body=INDEX))
    server.on("/openapi/v3/api/v1?hash=AB", Answer(301, {}))
    assert not connect(task).structure("v1", "Service").is_known
    assert not (cache / "openapi").exists()


def test_what_was_confirmed_is_remembered_and_forgotten_in_time(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000_000.0]
    monkeypatch.setattr(discovery.time, "time", lambda: now[0])
    discovery.ConfirmedObjects(cache, "https://a").add("0f")
    assert "0f" in discovery.ConfirmedObjects(cache, "https://a")
    assert "0f" not in discovery.ConfirmedObjects(cache, "https://b")
    now[0] += 31 * 86_400
    assert "0f" not in discovery.ConfirmedObjects(cache, "https://a")


def test_without_a_place_to_write_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="ascii")
    documents: Any = discovery.OpenApiDocuments(blocked)
    documents.write("/openapi/v3/api/v1?hash=AB", {})
    assert documents.read("/openapi/v3/api/v1?hash=AB") is None
    confirmed = discovery.ConfirmedObjects(blocked, "https://a")
    confirmed.add("0f")
    assert "0f" in confirmed
