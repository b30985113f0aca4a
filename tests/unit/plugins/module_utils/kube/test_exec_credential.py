# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.kube.transport import forget_credential, plugin_credential
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput

from .conftest import FakeTask


def access(**spec: Any) -> Access:
    exec_spec = {"command": "kubelogin", "args": ["get-token"], **spec}
    return Access(server="https://api", exec_spec=exec_spec, exec_directory=Path("/conf"), origin="a test")


def answer(seconds: float | None, **status: Any) -> CommandOutput:
    if seconds is not None:
        moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        status["expirationTimestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return CommandOutput(0, json.dumps({"kind": "ExecCredential", "status": status}), "")


@pytest.mark.parametrize(
    ("seconds", "runs"), [(3600, 1), (None, 1), (30, 2)], ids=["valid", "no expiry", "about to end"]
)
def test_the_plugin_runs_once_while_its_token_is_good(task: FakeTask, seconds: float | None, runs: int) -> None:
    task.output = answer(seconds, token="t")
    assert plugin_credential(task, access())["token"] == "t"
    assert plugin_credential(task, access())["token"] == "t"
    assert len(task.commands) == runs
    assert "t" in task.secrets


def test_another_identity_or_a_refusal_asks_again(task: FakeTask) -> None:
    task.output = answer(3600, token="t")
    plugin_credential(task, access())
    plugin_credential(task, access(args=["get-token", "--other"]))
    assert len(task.commands) == 2
    forget_credential(task, access())
    plugin_credential(task, access())
    assert len(task.commands) == 3


def test_what_the_plugin_is_told(task: FakeTask) -> None:
    task.output = answer(3600, token="t")
    spec = {"command": "bin/login", "env": [{"name": "A", "value": "1"}], "provideClusterInfo": True}
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    given = Access(
        server="https://api",
        exec_spec=spec,
        exec_directory=Path("/conf"),
        exec_cluster={"server": "https://api", "extensions": [extension]},
    )
    plugin_credential(task, given)
    argv, environment = task.commands[0]
    assert argv == ["/conf/bin/login"]
    assert environment["A"] == "1"
    reported = json.loads(environment["KUBERNETES_EXEC_INFO"])
    assert reported["spec"] == {"interactive": False, "cluster": {"server": "https://api", "config": {"audience": "x"}}}


# kubelogin 0.2.19, shortened
REFUSED = """Error: failed to get token: ClientSecretCredential authentication failed.
POST https://login.example.org/t/oauth2/v2.0/token
RESPONSE 401: 401 Unauthorized
{
  "error": "invalid_client",
  "error_description": "AADSTS7000215: Invalid client secret provided. Trace ID: 9fc6a160 Timestamp: 2026-11-30Z",
}
To troubleshoot, visit https://aka.ms/azsdk/go/identity/troubleshoot#client-secret
"""

WRONG = {
    "failed": (CommandOutput(1, "", "first\nlogin expired"), "login expired (ExitStatus1)"),
    "refused by Entra": (CommandOutput(1, "", REFUSED), "AADSTS7000215: Invalid client secret provided (ExitStatus1)"),
    "silent": (CommandOutput(2, "", ""), "it wrote nothing (ExitStatus2)"),
    "no json": (CommandOutput(0, "hello", ""), "not an ExecCredential"),
    "nothing in it": (answer(1), "neither a token nor a client certificate"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_went_wrong_is_said(task: FakeTask, case: str) -> None:
    task.output, reported = WRONG[case]
    with pytest.raises(ServiceError) as failure:
        plugin_credential(task, access())
    assert reported in failure.value.message()
    assert "kubelogin" in failure.value.message()


def test_a_plugin_that_is_not_there(task: FakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_args: Any, **_more: Any) -> CommandOutput:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(task, "run_command", missing)
    with pytest.raises(ServiceError, match="Get it from the shelf"):
        plugin_credential(task, access(installHint="Get it from the shelf"))
