# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs and libraries where the play runs: what is there, what is too old, and who says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, NotReady
from ansible_collections.mcpops.platform.plugins.module_utils.kube import k8s_preflight
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput
from ansible_collections.mcpops.platform.plugins.module_utils.tool_versions import Tools, lacking


@pytest.mark.parametrize(
    ("found", "least", "words"),
    [
        (None, "", "is not installed"),
        (None, "3.8", "is not installed"),
        ("3.8", "3.8", ""),
        ("3.17.3", "3.8", ""),
        ("3.7.9", "3.8", "is 3.7.9, and 3.8 or newer is needed"),
        ("2", "2.0", ""),
        ("", "3.8", ""),
        ("0.1", "", ""),
    ],
)
def test_versions_are_numbers(found: str | None, least: str, words: str) -> None:
    reason = lacking(found, least)
    assert words in reason and bool(words) == bool(reason)


class Machine(FakeTask):
    """Whose programs say this version."""

    said = ""

    def run_command(self, argv: Any, stdin: Any = None, env: Any = None, shown: bool = False) -> CommandOutput:
        self.reported.append(Path(argv[0]).name)
        return CommandOutput(0, self.said, "")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    for name in ("helm", "kubelogin"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    return Machine({})


def test_each_is_asked_for_once(machine: Machine) -> None:
    machine.said = "v3.7.2+gabc"
    tools = Tools(machine)
    for _host in range(3):
        found = list(tools.lacking(["helm>=3.8", "helm>=3.8", "kubelogin", "az"], ["PyYAML>=6", "no-such-library"]))
        assert [(one.subject, one.message.partition(",")[0]) for one in found] == [
            ("program helm", "is 3.7.2"),
            ("program az", "is not installed where the play runs"),
            ("library no-such-library", "is not installed where the play runs"),
        ]
        assert all(one.hint for one in found)
    assert machine.reported == ["helm", "kubelogin"]


def asked(machine: Machine, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
    def connect(_task: Any) -> Any:
        raise AssertionError("the cluster is asked")

    monkeypatch.setattr(Kube, "connect", connect)
    machine.params = {"kubeconfig": "/k", "checks": None, "require": None, **given}
    k8s_preflight.converge(machine)


def test_of_a_cluster_that_exists_the_tools_are_looked_at_before_it_is_asked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.said = "v3.1.0"
    with pytest.raises(NotReady, match=r"helm.*3\.1\.0.*3\.8 or newer") as failure:
        asked(machine, monkeypatch, programs=["helm>=3.8"], libraries=["urllib3>=99"])
    assert [one.code for one in failure.value.reasons] == ["NotInstalled", "NotInstalled"]
    machine.said = "v4.0.1"
    with pytest.raises(AssertionError, match="the cluster is asked"):
        asked(machine, monkeypatch, programs=["helm>=3.8", "kubelogin"], libraries=["PyYAML>=6"])


@pytest.mark.parametrize("given", [{"programs": ["helm >= 3"]}, {"libraries": [""]}, {"programs": ["a>=b"]}])
def test_what_is_not_a_name_with_a_version(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput, match="is not a name with a version"):
        asked(machine, monkeypatch, **given)
