# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.kube.k8s_objects import read_declared
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput

from .conftest import FakeTask

MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n"
INLINE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inline"}}


def names(task: FakeTask, **params: Any) -> list[str]:
    task.params = params
    return [item["metadata"]["name"] for item in read_declared(task)]


def reported(task: FakeTask, **params: Any) -> str:
    task.params = params
    with pytest.raises(InvalidInput) as wrong:
        read_declared(task)
    return wrong.value.message()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing in it."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


def tool(directory: Path, name: str) -> None:
    (directory / name).write_text("")
    (directory / name).chmod(0o700)


def test_every_source_in_the_order_of_the_options(task: FakeTask, tmp_path: Path, tools: Path) -> None:
    directory = tmp_path / "manifests"
    directory.mkdir()
    (directory / "b.yml").write_text(MANIFEST.format("b") + "---\n" + MANIFEST.format("c"))
    (directory / "a.yaml").write_text(MANIFEST.format("a"))
    (directory / "README.md").write_text("not: read")
    (tmp_path / "one.json").write_text('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "json"}}')
    tool(tools, "kubectl")
    task.output = CommandOutput(0, MANIFEST.format("built"), "")
    found = names(
        task,
        definitions=[INLINE, MANIFEST.format("text")],
        src=[str(directory), str(tmp_path / "one.json")],
        template=[{"path": "web.yml.j2", "rendered": MANIFEST.format("rendered")}],
        kustomize=[str(directory)],
    )
    assert found == ["inline", "text", "a", "b", "c", "json", "rendered", "built"]
    assert [argv for argv, _env in task.commands] == [[str(tools / "kubectl"), "kustomize", str(directory)]]


def test_kustomize_itself_is_preferred(task: FakeTask, tmp_path: Path, tools: Path) -> None:
    tool(tools, "kubectl")
    tool(tools, "kustomize")
    task.output = CommandOutput(0, MANIFEST.format("built"), "")
    assert names(task, kustomize=[str(tmp_path)]) == ["built"]
    assert task.commands[0][0] == [str(tools / "kustomize"), "build", str(tmp_path)]


def test_a_bundle_labels_everything(task: FakeTask) -> None:
    labelled = {**INLINE, "metadata": {"name": "labelled", "labels": {"a": "b"}}}
    task.params = {"definitions": [INLINE, labelled], "bundle": "shop"}
    assert [item["metadata"]["labels"] for item in read_declared(task)] == [
        {"mcpops.io/bundle": "shop"},
        {"a": "b", "mcpops.io/bundle": "shop"},
    ]
    assert "labels" not in INLINE["metadata"]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({"definitions": []}, "definitions: hold no object"),
    "url": ({"src": ["https://example.com/a.yaml"]}, "src[0]: https://example.com/a.yaml is a URL: fetch it with"),
    "missing file": ({"src": ["/nowhere/a.yaml"]}, "src[0]: /nowhere/a.yaml does not exist"),
    "template that nobody rendered": (
        {"template": ["web.yml.j2"]},
        "template[0]: web.yml.j2 is not rendered: the action plugin of k8s_objects renders templates",
    ),
    "kustomization that is missing": ({"kustomize": ["/nowhere"]}, "kustomize: /nowhere is not a directory"),
    "bundle that is no label": (
        {"definitions": [INLINE], "bundle": "my shop"},
        "bundle: 'my shop' is not a valid label",
    ),
    "prune without a bundle": ({"definitions": [INLINE], "prune": True}, "prune: needs bundle"),
    "prune of what is absent": (
        {"definitions": [INLINE], "bundle": "a", "prune": True, "state": "absent"},
        "prune: belongs to state: present",
    ),
    "no percentage": (
        {"definitions": [INLINE], "prune_max_percent": 101},
        "prune_max_percent: 101 is not a percentage (0 to 100)",
    ),
    "conditions without the wait": (
        {"definitions": [INLINE], "wait": False, "wait_conditions": [{"path": ".data.a"}]},
        "wait_conditions: needs wait: true",
    ),
    "condition that says nothing": (
        {"definitions": [INLINE], "wait": True, "wait_conditions": [{"kind": "Box"}]},
        "wait_conditions[0]: needs either type",
    ),
    "label of another bundle": (
        {
            "definitions": [{**INLINE, "metadata": {"name": "a", "labels": {"mcpops.io/bundle": "till"}}}],
            "bundle": "shop",
        },
        "definitions[0].metadata.labels: mcpops.io/bundle is 'till', and bundle is 'shop'",
    ),
    "twice from two sources": (
        {"definitions": [INLINE, MANIFEST.format("inline")]},
        "definitions[1]: ConfigMap inline is declared twice (also definitions[0])",
    ),
    "second document": (
        {"definitions": [MANIFEST.format("a") + "---\nkind: X\nmetadata: {name: x}\n"]},
        "definitions[0] document 2: apiVersion is missing",
    ),
    "item of a list": (
        {"definitions": [{"kind": "List", "items": [INLINE, {"kind": "X", "metadata": {"name": "x"}}]}]},
        "definitions[0] item 1: apiVersion is missing",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong(task: FakeTask, case: str) -> None:
    params, message = WRONG[case]
    assert message in reported(task, **params)


def test_a_directory_that_is_something_else(task: FakeTask, tmp_path: Path) -> None:
    assert "holds no .yaml, .yml, .json file" in reported(task, src=[str(tmp_path)])
    (tmp_path / "kustomization.yaml").write_text("resources: []\n")
    assert f"{tmp_path} is a kustomization: name it in kustomize instead" in reported(task, src=[str(tmp_path)])


def test_a_file_that_is_something_else(task: FakeTask, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.j2").write_text("name: {{ name }}")
    text = reported(task, src=[str(tmp_path / "a.yaml"), str(tmp_path / "b.j2")])
    assert "a.yaml cannot be read: not text" in text
    assert "b.j2 is a template: name it in template instead" in text


def test_no_tool_builds_kustomizations(task: FakeTask, tmp_path: Path, tools: Path) -> None:
    assert shutil.which("kubectl") is None
    assert "neither kustomize nor kubectl is in PATH" in reported(task, kustomize=[str(tmp_path)])


FAILED = {
    "kubectl": ("# Warning: deprecated\nerror: no such file: base.yaml\n", "no such file: base.yaml"),
    "kustomize": ("Error: no such file: base.yaml", "no such file: base.yaml"),
    "as a log line": (
        'E1121 12:20:53.591405   27251 run.go:72] "command failed" err="accumulating: no such file"',
        "accumulating: no such file",
    ),
    "as a log of several lines": (
        'E1121 12:20:52.9 27143 run.go:72] "command failed" err=<\n\ttrouble with a patch\n >\n',
        "trouble with a patch",
    ),
    "without a word": ("", "no reason given"),
    "at length": ("error: " + "x" * 500, "x" * 400 + "..."),
}


@pytest.mark.parametrize("case", FAILED)
def test_a_kustomization_that_fails(task: FakeTask, tmp_path: Path, tools: Path, case: str) -> None:
    stderr, reason = FAILED[case]
    tool(tools, "kubectl")
    task.output = CommandOutput(1, "", stderr)
    message = reported(task, kustomize=[str(tmp_path)])
    assert message.removesuffix(" Nothing was changed.").rstrip(".").endswith(f"cannot be built: {reason.rstrip('.')}")


def test_everything_wrong_is_told_at_once(task: FakeTask) -> None:
    text = reported(
        task,
        definitions=[{"kind": "X"}],
        src=["/nowhere"],
        template=["x.j2"],
        kustomize=["/nowhere"],
        namespace="Not a name",
        bundle="not a label",
        prune_max_percent=-1,
        wait_conditions=[{"kind": "Box"}],
    )
    assert "10 problems, nothing was changed" in text
