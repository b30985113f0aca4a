# SPDX-License-Identifier: GPL-3.0-or-later
"""Which login server a registry gets: the next free one, and that of the demo only the demo's."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.registries import RegistryFailure
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
