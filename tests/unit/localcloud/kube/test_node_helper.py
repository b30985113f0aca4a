# SPDX-License-Identifier: GPL-3.0-or-later
"""What the process that is root refuses."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from localcloud import node_helper
from localcloud.kube import namespaces
from localcloud.kube.layout import ClusterLayout
from localcloud.node_helper import NodeHelper
from localcloud.settings import Settings

PACKAGE = Path(node_helper.__file__).parent


@pytest.fixture
def helper(cloud_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> NodeHelper:
    def refuse(*_: Any) -> None:
        raise AssertionError("the helper acted")

    for name in ("start", "stop", "remove_interface", "add_host_address"):
        monkeypatch.setattr(namespaces, name, refuse)
    return NodeHelper(cloud_settings.state, (os.getuid(), os.getgid()), cloud_settings.instance, "")


def ask(helper: NodeHelper, **request: Any) -> dict[str, Any]:
    return helper.answer(json.dumps(request).encode())


@pytest.mark.parametrize("name", ["", "..", "../dev", "/etc", "a/b", ".hidden", "absent"])
@pytest.mark.parametrize("operation", ["start", "stop", "delete"])
def test_only_directories_of_clusters_are_touched(helper: NodeHelper, operation: str, name: str) -> None:
    answer = ask(helper, do=operation, directory=name, binaries="/b", parts="/p")
    assert not answer["ok"] and "no" in answer["error"]


def test_a_link_to_elsewhere_is_no_cluster(helper: NodeHelper, layout: ClusterLayout, tmp_path: Path) -> None:
    (layout.path / "cluster.json").write_text(layout.to_json())
    os.symlink(layout.path, layout.path.parent / "link")
    assert not ask(helper, do="delete", directory="link")["ok"]
    assert layout.path.exists()


@pytest.mark.parametrize("change", [{"directory": "/etc"}, {"instance": "ffff"}])
def test_a_file_that_names_another_place_is_refused(
    helper: NodeHelper, layout: ClusterLayout, change: dict[str, str]
) -> None:
    (layout.path / "cluster.json").write_text(dataclasses.replace(layout, **change).to_json())
    answer = ask(helper, do="delete", directory="dev")
    assert "another local cloud" in answer["error"]


@pytest.mark.parametrize("line", [b"", b"not json", b"[]", b'{"do": "run"}', b'{"do": null}'])
def test_what_it_does_not_understand_it_does_not_do(helper: NodeHelper, line: bytes) -> None:
    assert not helper.answer(line)["ok"]


def imports_of(module: Path) -> set[str]:
    found = set()
    for statement in ast.walk(ast.parse(module.read_text())):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            found |= {f"{statement.module}.{alias.name}" for alias in statement.names} | {statement.module}
    return found


OF_THE_HELPER = {
    "localcloud.files",
    "localcloud.kube.cgroups",
    "localcloud.kube.layout",
    "localcloud.kube.limits",
    "localcloud.kube.namespaces",
    "localcloud.kube.peering",
    "localcloud.node_helper",
    "localcloud.processes",
    "localcloud.settings",
}
OF_A_CLUSTER = {
    "localcloud.files",
    "localcloud.kube.addons",
    "localcloud.kube.addresses",
    "localcloud.kube.allowed_ranges",
    "localcloud.kube.api",
    "localcloud.kube.layout",
    "localcloud.kube.load_balancers",
}


@pytest.mark.parametrize(
    ("program", "expected"),
    [("localcloud.node_helper", OF_THE_HELPER), ("localcloud.kube.load_balancers", OF_A_CLUSTER)],
)
def test_root_runs_the_standard_library_and_few_files_of_ours(program: str, expected: set[str]) -> None:
    todo, seen, foreign = [program], set(), set()
    while todo:
        name = todo.pop()
        file = PACKAGE.parent / (name.replace(".", "/") + ".py")
        if name in seen or not file.exists():
            continue
        seen.add(name)
        imported = imports_of(file)
        todo += [one for one in imported if one.startswith("localcloud")]
        foreign |= {one.split(".")[0] for one in imported if not one.startswith("localcloud")}
    assert foreign <= set(sys.stdlib_module_names)
    assert seen == expected
