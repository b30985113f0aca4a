# SPDX-License-Identifier: GPL-3.0-or-later
"""The role for images of docs/azure-permissions.md is enough to copy, build and remove them, and none too much."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.azure_roles import ROLES, identity
from support.portal import Portal

from .conftest import Registries

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TaskRunner = Callable[..., dict[str, Any]]
GROUP, NAME, ROLE = "rg-it-images-role", "itimagesrole", "MCP platform images"
# what a registry itself says no to is told by the built-in role that has it
BUILT_IN = {
    "Microsoft.ContainerRegistry/registries/pull/read": "AcrPull",
    "Microsoft.ContainerRegistry/registries/artifacts/delete": "AcrDelete",
}


@pytest.fixture(scope="module", autouse=True)
def registry(registries_in: Registries) -> Iterator[None]:
    with registries_in(GROUP, NAME):
        yield


def life(run_task: TaskRunner, cloud: Any, tmp_path: Path, auth: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of a copied and a built image, from nothing to nothing; the last result is one that failed, if any did."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile .\n", encoding="ascii")
    there, own = {"registry": NAME, "resource_group": GROUP}, uuid.uuid4().hex
    echo = {
        **there,
        "repository": f"copied/{own}",
        "tags": ["1"],
        "source": {"image": f"{cloud.registry}/echo-mcp:1.0.0"},
    }
    built = {**there, "repository": f"built/{own}", "tags": ["1"], "build": {"context": str(tmp_path)}}
    for declared in (echo, built, {**echo, "state": "absent"}, {**built, "state": "absent"}):
        yield run_task("acr_image", declared, auth=auth)


def test_the_role_is_enough(run_task: TaskRunner, cloud: Any, portal: Portal, tmp_path: Path) -> None:
    who = identity(portal, cloud.settings.state / "azure", GROUP, ROLE, auth=cloud.auth())
    for result in life(run_task, cloud, tmp_path, who):
        assert result["changed"]


@pytest.mark.parametrize("action", ROLES[ROLE]["Actions"])
def test_with_one_action_less_the_message_names_it(
    run_task: TaskRunner, cloud: Any, portal: Portal, tmp_path: Path, action: str
) -> None:
    who = identity(portal, cloud.settings.state / "azure", GROUP, ROLE, without=action, auth=cloud.auth())
    with pytest.raises(AssertionError) as failed:
        for _result in life(run_task, cloud, tmp_path, who):
            pass
    assert BUILT_IN.get(action, action) in str(failed.value)
