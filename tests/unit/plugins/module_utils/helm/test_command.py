# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import CheckModeViolation, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import command
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart, version_range
from ansible_collections.mcpops.platform.plugins.module_utils.helm.cli import Helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm.command import HelmFiles, helm_files, kubeconfig_of
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import Registry, ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput

SPEC = ReleaseSpec("web", "shop", Chart("oci://r.example.org/web", "web", "1.2.3"), create_namespace=True)
FILES = HelmFiles(Path("/private/kubeconfig"), None, {})
ACCESS = Access(
    server="https://api.example.org",
    ca_pem="CA",
    token="canary-token",
    proxy="http://proxy:3128",
    no_proxy="10.0.0.0/8",
    impersonate_user="jane",
    impersonate_groups=("dev",),
)


class Recorder:
    """A task that remembers what was run."""

    run_directory = None
    diff_mode = False

    def __init__(self, *answers: CommandOutput, check_mode: bool = False) -> None:
        self.params: dict[str, Any] = {}
        self.check_mode = check_mode
        self.answers = list(answers)
        self.runs: list[tuple[list[str], str | None, dict[str, str]]] = []
        self.written: list[str] = []

    def run_command(self, argv: Any, stdin: str | None = None, env: Any = None, shown: bool = False) -> CommandOutput:
        self.runs.append((list(argv), stdin, dict(env or {})))
        return self.answers.pop(0)

    def warn(self, message: str) -> None: ...

    def progress(self, message: str) -> None: ...

    def secret(self, value: str) -> None: ...

    def wrote(self, what: str) -> None:
        self.written.append(what)


def test_helm_3_gets_no_flag_of_helm_4() -> None:
    arguments = command.upgrade_arguments("helm", (3, 17), SPEC, FILES)
    assert arguments[:4] == ["helm", "upgrade", "web", "oci://r.example.org/web"]
    assert {"--install", "--reset-values", "--create-namespace"} <= set(arguments)
    assert arguments[arguments.index("--version") + 1] == "1.2.3"
    assert not [flag for flag in arguments if "server-side" in flag or "force" in flag]
    assert not {"--wait", "--atomic"} & set(arguments)


def test_helm_4_takes_fields_back() -> None:
    for arguments in (
        command.upgrade_arguments("helm", (4, 0), SPEC, FILES),
        command.rollback_arguments("helm", (4, 0), SPEC, 3, FILES),
    ):
        assert {"--server-side=true", "--force-conflicts"} <= set(arguments)


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        pytest.param({"crds": "upgrade"}, ["--skip-crds"], id="definitions are ours"),
        pytest.param({"crds": "skip"}, ["--skip-crds"], id="no definitions"),
        pytest.param({"take_ownership": True}, ["--take-ownership"], id="take ownership"),
        pytest.param({"history_max": 3}, ["--history-max", "3"], id="history"),
    ],
)
def test_what_an_option_asks_of_helm(change: dict[str, Any], flags: list[str]) -> None:
    usual = command.upgrade_arguments("helm", (3, 17), SPEC, FILES)
    arguments = command.upgrade_arguments("helm", (3, 17), replace(SPEC, **change), FILES)
    assert flags[0] in arguments
    assert arguments[arguments.index(flags[0]) :][: len(flags)] == flags
    assert arguments != usual


@pytest.mark.parametrize(("version", "enough"), [((3, 16), False), ((3, 17), True), ((4, 0), True)])
def test_what_an_older_helm_cannot_do_is_said(version: tuple[int, int], enough: bool) -> None:
    helm = Helm(Recorder(), "/opt/helm", version)
    helm.check(SPEC)
    if enough:
        helm.check(replace(SPEC, take_ownership=True))
        return
    with pytest.raises(ServiceError, match=r"has no --take-ownership \(HelmTooOld\)\. Install helm 3\.17"):
        helm.check(replace(SPEC, take_ownership=True))


def test_what_only_reads_may_run_in_check_mode() -> None:
    task = Recorder(CommandOutput(0, "name: web\nversion: v1.4.2\n", ""), check_mode=True)
    ranged = replace(SPEC, chart=replace(SPEC.chart, version="", range=version_range("~1.4")))
    assert Helm(task, "helm", (3, 17)).newest(ranged, FILES) == "1.4.2"
    argv = task.runs[0][0]
    # what ends a helm that hangs may stand before it
    argv = argv[argv.index("helm") :]
    assert argv[:4] == ["helm", "show", "chart", "oci://r.example.org/web"]
    assert argv[argv.index("--version") + 1] == "~1.4"


def test_a_chart_on_disk_needs_no_version_and_no_registry() -> None:
    spec = replace(SPEC, chart=Chart("/c/web", "web", "1.2.3"), registry=Registry(plain_http=True))
    arguments = command.upgrade_arguments("helm", (3, 17), spec, FILES)
    assert "--version" not in arguments
    assert "--plain-http" not in arguments


@pytest.mark.parametrize(
    ("registry", "expected"),
    [(Registry(plain_http=True), ["--plain-http"]), (Registry(ca_file="/ca.pem"), ["--ca-file", "/ca.pem"])],
)
def test_how_the_registry_is_reached(registry: Registry, expected: list[str]) -> None:
    arguments = command.upgrade_arguments("helm", (3, 17), replace(SPEC, registry=registry), FILES)
    start = arguments.index(expected[0])
    assert arguments[start : start + len(expected)] == expected


@pytest.mark.parametrize(
    ("text", "version"),
    [("v3.17.3", (3, 17)), ("v4.0.1+g123", (4, 0)), ("3.8.0", (3, 8)), ("Client: v2", None), ("", None)],
)
def test_helm_tells_its_version(text: str, version: tuple[int, int] | None) -> None:
    assert command.parse_version(text) == version


def test_where_helm_is_looked_for() -> None:
    assert command.helm_candidates("/opt/helm", "/a:/b", "/venv/bin/python") == ["/opt/helm"]
    assert command.helm_candidates(None, "/a::/b", "/venv/bin/python") == ["/a/helm", "/b/helm", "/venv/bin/helm"]


def test_secrets_are_in_private_files_and_in_no_argument() -> None:
    registry = Registry(username="me", password="canary-password")
    task = Recorder(CommandOutput(0, "", ""))
    with helm_files(ACCESS, registry, SPEC.chart) as files:
        assert files.registry_config is not None
        for path in (files.kubeconfig, files.registry_config):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert "canary-token" in files.kubeconfig.read_text()
        assert "canary" not in files.registry_config.read_text()  # base64 of user and password
        Helm(task, "helm", (3, 17)).upgrade(SPEC, {"password": "canary-value"}, files)
        directory = files.kubeconfig.parent
    assert not directory.exists()
    argv, stdin, environment = task.runs[0]
    assert "canary" not in " ".join(argv)
    assert "canary" not in str(environment)
    assert stdin == '{"password":"canary-value"}'


def test_the_kubeconfig_says_how_the_task_reaches_the_cluster() -> None:
    config = kubeconfig_of(ACCESS)
    assert config["clusters"][0]["cluster"] == {
        "server": "https://api.example.org",
        "certificate-authority-data": "Q0E=",
        "proxy-url": "http://proxy:3128",
    }
    assert config["users"][0]["user"] == {"token": "canary-token", "as": "jane", "as-groups": ["dev"]}
    unverified = kubeconfig_of(replace(ACCESS, verify=False))["clusters"][0]["cluster"]
    assert unverified["insecure-skip-tls-verify"] is True
    assert "certificate-authority-data" not in unverified


def test_a_relative_credential_plugin_is_found_from_elsewhere() -> None:
    access = replace(ACCESS, exec_spec={"command": "./bin/login"}, exec_directory=Path("/home/me/.kube"))
    user = kubeconfig_of(access)["users"][0]["user"]
    assert user["exec"] == {"command": "/home/me/.kube/bin/login", "interactiveMode": "Never"}


def test_a_token_of_a_file_is_read_there_again() -> None:
    user = kubeconfig_of(replace(ACCESS, token_file=Path("/home/me/.kube/agents.token")))["users"][0]["user"]
    assert user["tokenFile"] == "/home/me/.kube/agents.token"
    assert "token" not in user


def test_no_helm_runs_in_check_mode() -> None:
    task = Recorder(check_mode=True)
    with pytest.raises(CheckModeViolation, match="helm UPGRADE"):
        Helm(task, "helm", (3, 17)).upgrade(SPEC, {}, FILES)
    assert task.runs == []


def test_a_failed_helm_is_explained() -> None:
    tags = ("1.2.3", "v1.2.3")
    task = Recorder(*(CommandOutput(1, "", f"Error: r.example.org/web:{tag}: not found") for tag in tags))
    with pytest.raises(ServiceError, match=r"oci://r\.example\.org/web has no version 1\.2\.3"):
        Helm(task, "helm", (3, 17)).upgrade(SPEC, {}, FILES)
    assert [argv[argv.index("--version") + 1] for argv, _stdin, _env in task.runs] == list(tags)
    assert {stdin for _argv, stdin, _env in task.runs} == {"{}"}


def test_another_failure_is_not_tried_again_with_another_tag() -> None:
    task = Recorder(CommandOutput(1, "", "Error: unexpected status from HEAD request to https://r/v2/a: 403 Forbidden"))
    with pytest.raises(ServiceError, match="RegistryRefused"):
        Helm(task, "helm", (3, 17)).upgrade(SPEC, {}, FILES)
    other = "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress"
    task = Recorder(CommandOutput(1, "", "Error: r.example.org/web:1.2.3: not found"), CommandOutput(1, "", other))
    with pytest.raises(ServiceError, match="OperationInProgress"):
        Helm(task, "helm", (3, 17)).upgrade(SPEC, {}, FILES)


def test_helm_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServiceError, match="is not an executable file"):
        Helm.find(Recorder(), str(tmp_path / "helm"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(ServiceError, match="there is no executable helm in PATH"):
        Helm.find(Recorder(), None)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (CommandOutput(0, "v3.7.2", ""), "it is helm 3.7"),
        (CommandOutput(0, "something else", ""), "version could not be read"),
        (CommandOutput(126, "", "cannot execute binary file"), "cannot execute binary file"),
    ],
)
def test_helm_that_cannot_be_used(tmp_path: Path, answer: CommandOutput, text: str) -> None:
    binary = tmp_path / "helm"
    binary.touch(mode=0o755)
    with pytest.raises(ServiceError, match=text):
        Helm.find(Recorder(answer), str(binary))


def test_helm_beside_the_interpreter_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "helm").touch(mode=0o755)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    found = Helm.find(Recorder(CommandOutput(0, "v3.17.3\n", "")), None)
    assert (found.binary, found.version) == (str(tmp_path / "helm"), (3, 17))
