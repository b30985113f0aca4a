# SPDX-License-Identifier: GPL-3.0-or-later
"""An image that the registry builds: shown, built once, found again by its files, built anew when they change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.container_registry import RegistryUser

from .conftest import Registries

pytestmark = pytest.mark.integration

TaskRunner = Callable[..., dict[str, Any]]
GROUP, NAME, REPOSITORY = "rg-it-build", "itbuild", "tools/built"
DOCKERFILE = """\
ARG BASE=scratch
FROM $BASE
ARG VERSION
ENV VERSION=$VERSION
WORKDIR /app
COPY server.py .
CMD ["python", "server.py"]
"""


@pytest.fixture(scope="module")
def user(registries_in: Registries, user_of: Callable[[dict[str, Any]], RegistryUser]) -> Iterator[RegistryUser]:
    with registries_in(GROUP, NAME, sku="Basic") as found:
        yield user_of(found[NAME])


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE, encoding="ascii")
    (tmp_path / "server.py").write_text("print('one')\n", encoding="ascii")
    (tmp_path / ".dockerignore").write_text("*.md\n", encoding="ascii")
    (tmp_path / "notes.md").write_text("one", encoding="ascii")
    return tmp_path


def test_build_from_nothing_to_nothing(run_task: TaskRunner, cloud: Any, user: RegistryUser, context: Path) -> None:
    arguments = {"VERSION": "1.5.0", "BASE": f"{cloud.registry}/echo-mcp:1.0.0"}
    declared = {
        "registry": NAME,
        "resource_group": GROUP,
        "repository": REPOSITORY,
        "tags": ["1.5.0", "latest"],
        "build": {"context": str(context), "arguments": arguments},
    }
    checked = run_task("acr_image", declared, check=True)
    assert checked["changed"]
    assert checked["image"] == f"{user.host}/{REPOSITORY}:1.5.0", "no digest is known before it is built"
    assert user.digest(REPOSITORY, "1.5.0") is None
    made = run_task("acr_image", declared)
    digest = made["digest"]
    assert made["image"] == f"{user.host}/{REPOSITORY}@{digest}"
    assert user.digest(REPOSITORY, "1.5.0") == user.digest(REPOSITORY, "latest") == digest
    config = user.config(REPOSITORY, digest)
    assert "VERSION=1.5.0" in config["config"]["Env"]
    assert config["config"]["Cmd"] == ["python", "server.py"]

    (context / "notes.md").write_text("two", encoding="ascii")
    assert not run_task("acr_image", declared)["changed"], "what .dockerignore names is no part of it"
    (context / "server.py").write_text("print('two')\n", encoding="ascii")
    second = run_task("acr_image", {**declared, "tags": ["latest"]})
    assert second["digest"] != digest
    assert user.digest(REPOSITORY, "1.5.0") == digest

    user.move(REPOSITORY, "latest", "1.5.0")
    shown = run_task("acr_image", {**declared, "tags": ["latest"]}, check=True)
    assert shown["diff"][0]["after"] == f'tags.latest: "{second["digest"]}"\n'
    before = user.tags(REPOSITORY)
    assert run_task("acr_image", {**declared, "tags": ["latest"]})["diff"] == shown["diff"]
    assert user.digest(REPOSITORY, "latest") == second["digest"]
    assert user.tags(REPOSITORY) == before, "a tag was put back, nothing was built"

    assert run_task("acr_image", {**declared, "state": "absent"})["changed"]
    assert user.digest(REPOSITORY, second["digest"]) is None
    assert user.tags(REPOSITORY) == []


def test_failed_build_shows_the_end_of_its_log(run_task: TaskRunner, user: RegistryUser, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch\nCOPY missing.py .\n", encoding="ascii")
    declared = {
        "registry": NAME,
        "resource_group": GROUP,
        "repository": REPOSITORY,
        "tags": ["1"],
        "build": {"context": str(context)},
    }
    failed = run_task("acr_image", declared, fails=True)
    assert failed["error"]["code"] == "BuildFailed"
    assert 'COPY failed: file not found in build context: "missing.py"' in failed["msg"]
    assert "sig=" not in str(failed)
    wrong = {**declared, "build": {"context": str(context / "nowhere"), "platform": "linux"}, "tags": ["-"]}
    problems = run_task("acr_image", wrong, fails=True)["error"]["problems"]
    assert [problem["path"] for problem in problems] == ["tags[0]", "build.platform", "build.context"]
