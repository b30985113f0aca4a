# SPDX-License-Identifier: GPL-3.0-or-later
"""Relative paths of every option that names files of a declaration are searched for in one order, and told alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.playbook import LOCAL_HOST, Run, run_playbook

WHERE = {"kubeconfig": "/nowhere/kubeconfig"}
RELEASE = {**WHERE, "name": "one", "namespace": "one"}
# module, options with NAME for the path, and the directory of its kind
OPTIONS: dict[str, tuple[str, dict[str, Any], str]] = {
    "src": ("k8s_objects", {**WHERE, "src": ["NAME"]}, "files"),
    "src as text": ("k8s_objects", {**WHERE, "src": "NAME"}, "files"),
    "template": ("k8s_objects", {**WHERE, "template": ["NAME"]}, "templates"),
    "kustomize": ("k8s_objects", {**WHERE, "kustomize": ["NAME"]}, "files"),
    "chart_ref": ("helm_release", {**RELEASE, "chart_ref": "NAME"}, "files"),
    "values_files": ("helm_release", {**RELEASE, "chart_ref": "/nowhere", "values_files": ["NAME"]}, "files"),
    "chart_repository": ("kmcp_install", {**WHERE, "chart_repository": "NAME"}, "files"),
}
LEVELS = ("role", "play", "project")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, Path]]:
    """One run with a task for each option and each place: a name that is there only, and one that is nowhere.

    What is found is an empty directory or a file of nonsense: the module refuses it by its path.
    """
    top = tmp_path_factory.mktemp("paths")
    places = {"role": top / "play/roles/ours", "play": top / "play", "project": top / "project"}
    tasks = []
    for option, (module, arguments, kind) in OPTIONS.items():
        for level, directory in [(level, below) for level in LEVELS for below in ("", kind)]:
            name = f"{option.replace(' ', '-')}-{level}-{directory or 'itself'}"
            found = places[level] / directory / name
            found.parent.mkdir(parents=True, exist_ok=True)
            if option in ("kustomize", "chart_ref", "chart_repository"):
                found.mkdir()
            else:
                found.write_text("- nonsense\n", encoding="utf-8")
            tasks.append(_task(f"{option} {level} {directory}", module, arguments, name))
        tasks.append(_task(f"{option} nowhere", module, arguments, "sub/no-such"))
    for level in LEVELS:
        for directory in ("files", "templates"):
            (places[level] / directory / "everywhere.yml").write_text("- nonsense\n", encoding="utf-8")
    tasks.append(_task("everywhere src", "k8s_objects", OPTIONS["src"][1], "everywhere.yml"))
    (places["role"] / "tasks").mkdir()
    (places["role"] / "tasks/main.yml").write_text(json.dumps(tasks), encoding="utf-8")
    play = top / "play/play.yml"
    play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "roles": ["ours"]}]), encoding="utf-8")
    hosts = top / "hosts.json"
    hosts.write_text(json.dumps({"all": {"hosts": {"here": LOCAL_HOST}}}), encoding="utf-8")
    return run_playbook("-i", hosts, play, cwd=places["project"]).ok(), places


def _task(name: str, module: str, arguments: dict[str, Any], path: str) -> dict[str, Any]:
    given = json.loads(json.dumps(arguments).replace("NAME", path))
    return {"name": name, f"mcpops.platform.{module}": given, "ignore_errors": True}


def said(run: tuple[Run, dict[str, Path]], task: str) -> str:
    return str(next(entry for entry in run[0].results if entry["task"].endswith(task))["result"]["msg"])


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_searched_for_in_the_same_places(run: Any, option: str) -> None:
    kind = OPTIONS[option][2]
    for level in LEVELS:
        for directory in ("", kind):
            message = said(run, f"{option} {level} {directory}".strip() if directory else f"{option} {level} ")
            assert "was not found" not in message
            name = f"{option.replace(' ', '-')}-{level}-{directory or 'itself'}"
            # what builds a kustomization, if there is anything, names the directory its own way
            assert option == "kustomize" or str(run[1][level] / directory / name) in message


@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_nowhere_is_told_with_all_places_in_their_order(run: Any, option: str) -> None:
    message, kind = said(run, f"{option} nowhere"), OPTIONS[option][2]
    assert "sub/no-such was not found; searched for" in message
    searched = [str(run[1][level] / below / "sub/no-such") for level in LEVELS for below in (kind, "")]
    positions = [message.index(f"{place}") for place in searched]
    assert positions == sorted(positions)
    assert f"{searched[0]}," in message


def test_the_first_place_wins(run: Any) -> None:
    assert str(run[1]["role"] / "files/everywhere.yml") in said(run, "everywhere src")
