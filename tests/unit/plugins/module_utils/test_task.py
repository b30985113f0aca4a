# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that a task runs: each has an end, and says so where it did not come to one by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from unit.plugins.module_utils.kube.conftest import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import cli
from ansible_collections.mcpops.platform.plugins.module_utils.kube import k8s_objects, transport
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.task import run_within
from ansible_collections.mcpops.platform.plugins.plugin_utils.inprocess import InProcessTask


def in_process() -> InProcessTask:
    return InProcessTask({}, check_mode=False, diff_mode=False, host="h")


def test_a_command_that_hangs_is_ended_with_what_it_has_started() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="not over within 1 s"):
        run_within(in_process(), 1, ["sh", "-c", "sleep 60 & sleep 60"])
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(("script", "code"), [("cat; exit 0", 0), ("cat; exit 3", 3), ("cat; exit 124", 124)])
def test_one_that_ends_by_itself_says_what_it_has_to_say(script: str, code: int) -> None:
    done = run_within(in_process(), 60, ["sh", "-c", f"{script}"], "grüß", {"A": "b"})
    assert (done.returncode, done.stdout) == (code, "grüß")


def test_one_that_is_not_there_is_told_as_before(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_within(in_process(), 60, [str(tmp_path / "absent")])
    with pytest.raises(FileNotFoundError):
        run_within(in_process(), 60, ["sh"], env={"PATH": str(tmp_path)})


def hangs(*_given: Any, **_named: Any) -> Any:
    raise TimeoutError("it was not over within 7 s, and was ended")


def log_in(task: Any, directory: Path) -> Any:
    access = Access(server="https://api", exec_spec={"command": "kubelogin"}, origin="a test")
    return transport.plugin_credential(task, access)


def find_helm(task: Any, directory: Path) -> Any:
    (directory / "helm").touch(mode=0o755)
    return cli.Helm.find(task, str(directory / "helm"))


def show_chart(task: Any, _directory: Path) -> Any:
    files: Any = type("Files", (), {"environment": {}})
    return cli.Helm(task, "helm", (3, 17))._read("Reading the chart", ["helm", "show"], files)


@pytest.mark.parametrize(
    ("module", "use", "code"),
    [
        (transport, log_in, "Timeout"),
        (cli, find_helm, "HelmNotUsable"),
        (cli, show_chart, "HelmTimeout"),
    ],
    ids=["login", "helm's version", "helm"],
)
def test_who_waits_for_a_command_says_that_it_hangs(
    module: Any, use: Callable[[Any, Path], Any], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "run_within", hangs)
    with pytest.raises(ServiceError) as caught:
        use(FakeTask(), tmp_path)
    assert caught.value.code == code and "not over within 7 s" in caught.value.message()


def test_so_does_a_build_of_a_kustomization(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kustomize").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(k8s_objects, "run_within", hangs)
    with pytest.raises(InvalidInput, match="cannot be built: it was not over within 7 s"):
        k8s_objects.read_declared(FakeTask({"kustomize": str(tmp_path)}))  # type: ignore[arg-type]
