# SPDX-License-Identifier: GPL-3.0-or-later
"""Container registries that others make, and that go with their group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from support.container_registry import RegistryUser
from support.portal import Portal

VERSION, ACR_VERSION = "2025-04-01", "2025-11-01"
Registries = Callable[..., AbstractContextManager[dict[str, dict[str, Any]]]]


@pytest.fixture(scope="module")
def portal(cloud: Any) -> Portal:
    return Portal(cloud.environment, cloud.secret)


@pytest.fixture(scope="module")
def registries_in(portal: Portal) -> Registries:
    """`with registries_in(group, name, ..., sku=) as found:` -> the registries by name."""

    @contextmanager
    def made(group: str, *names: str, sku: str = "Standard") -> Iterator[dict[str, dict[str, Any]]]:
        portal.request("POST", "providers/Microsoft.ContainerRegistry/register", version=VERSION)
        portal.put(f"resourceGroups/{group}", {"location": "eastus2"}, VERSION)
        found = {}
        for name in names:
            path = f"resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{name}"
            portal.put(path, {"location": "eastus2", "sku": {"name": sku}, "properties": {}}, ACR_VERSION)
            found[name] = portal.get(path, ACR_VERSION)
        try:
            yield found
        finally:
            portal.request("DELETE", f"resourceGroups/{group}", version=VERSION)

    return made


@pytest.fixture(scope="module")
def user_of(cloud: Any, portal: Portal) -> Callable[[dict[str, Any]], RegistryUser]:
    """Somebody with the same rights and another client, at a registry."""

    def at(registry: dict[str, Any]) -> RegistryUser:
        host = registry["properties"]["loginServer"]
        return RegistryUser(host, cloud.environment["ca_file"], portal.token())

    return at
