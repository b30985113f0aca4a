# SPDX-License-Identifier: GPL-3.0-or-later
"""Which login server a registry gets: the next free one, and that of the demo only the demo's. What a build logs."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from localcloud.registries import BuildRequest, RegistryFailure
from localcloud.registry.attached import AttachedRegistries
from localcloud.settings import DEMO_REGISTRY, Settings


@pytest.fixture
def registries(tmp_path: Path) -> AttachedRegistries:
    settings = Settings(cache=tmp_path / "cache", state=tmp_path / "state")
    settings.make_directories()
    return AttachedRegistries(settings)


def test_an_address_is_kept_for_the_demo(registries: AttachedRegistries) -> None:
    first, *others = registries.settings.login_servers
    given = [registries.reserve(f"registry{number}") for number in range(len(others))]
    assert given == others
    with pytest.raises(RegistryFailure, match=f"All {len(others)} login servers"):
        registries.reserve("onetoomany")
    assert registries.reserve(f"{DEMO_REGISTRY.upper()}4f21c9") == registries.settings.demo_login_server == first


def test_a_registry_stays_where_it_is(registries: AttachedRegistries) -> None:
    one, two = registries.reserve("one"), registries.reserve("two")
    assert (registries.reserve("One"), registries.reserve("two")) == (one, two)
    # a second one of the demo's name goes where all others go
    assert registries.reserve(f"{DEMO_REGISTRY}1") == registries.settings.login_servers[0]
    assert registries.reserve(f"{DEMO_REGISTRY}2") == registries.settings.login_servers[3]


def test_the_log_of_a_build_says_why_its_base_cannot_be_had(
    registries: AttachedRegistries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"FROM elsewhere.example/base:1"
    with tarfile.open(tmp_path / "context.tar.gz", "w:gz") as context:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(content)
        context.addfile(entry, io.BytesIO(content))
    door = SimpleNamespace(component=SimpleNamespace(blob=lambda path: tmp_path / path))

    def away(_reference: str) -> None:
        raise RegistryFailure("Error copying blobs: certificate verify failed")

    monkeypatch.setattr(registries, "_door", lambda _name: door)
    monkeypatch.setattr(registries, "_endpoint", lambda _name: None)
    monkeypatch.setattr(registries, "_base", away)
    request = BuildRequest(
        source="context.tar.gz", dockerfile="Dockerfile", arguments={}, tags=(("echo", "1"),), log="log.txt"
    )
    with pytest.raises(RegistryFailure, match="certificate verify failed"):
        registries.build("one", request)
    assert (tmp_path / "log.txt").read_text().splitlines() == [
        "Step 1/1 : FROM elsewhere.example/base:1",
        "failed to build: Error copying blobs: certificate verify failed",
    ]
