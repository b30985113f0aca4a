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
from ansible_collections.mcpops.platform.plugins.module_utils.task import OverdueCommand, run_within
from ansible_collections.mcpops.platform.plugins.plugin_utils import inprocess
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


def test_what_a_command_asks_a_person_is_shown_while_it_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As `kubelogin --login devicecode` does: the code is on standard error, and it waits for who types it in."""
    typed = tmp_path / "typed"
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        typed.touch()

    monkeypatch.setattr(inprocess, "tell", tell)
    task = in_process()
    task.secret("canary-1234")
    script = f'echo "enter the code ABCD, canary-1234" >&2; until test -e {typed}; do sleep 0.1; done'
    done = run_within(task, 60, ["sh", "-c", f"{script}; echo token; echo bye >&2; exit 5"], env={"A": "b"}, shown=True)
    assert told == ["  [h] enter the code ABCD, ********"]
    assert (done.returncode, done.stdout) == (5, "token\n")
    assert done.stderr == "enter the code ABCD, canary-1234\nbye\n"


def test_a_shown_command_that_hangs_is_ended_and_what_it_wrote_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inprocess, "tell", lambda _line: None)
    with pytest.raises(OverdueCommand) as ended:
        run_within(in_process(), 1, ["sh", "-c", "echo open the page >&2; sleep 60"], shown=True)
    assert ended.value.said == "open the page\n"


def test_the_failure_of_a_login_says_what_it_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "run_within", hangs)
    with pytest.raises(ServiceError) as failed:
        log_in(FakeTask(), Path())
    assert "it last wrote: To sign in, open https://login.example.org and enter the code ABCD" in str(failed.value)


def test_one_that_is_not_there_is_told_as_before(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_within(in_process(), 60, [str(tmp_path / "absent")])
    with pytest.raises(FileNotFoundError):
        run_within(in_process(), 60, ["sh"], env={"PATH": str(tmp_path)})


def hangs(*_given: Any, **_named: Any) -> Any:
    raise OverdueCommand(7, "first\nTo sign in, open https://login.example.org and enter the code ABCD\n")


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
