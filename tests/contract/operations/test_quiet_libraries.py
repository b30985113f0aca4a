# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure's libraries say by themselves reaches nobody: a failure is in the result, and nowhere else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.local_azure import Azure
from support.playbook import CHECKOUT

# In a process of its own: pytest gives the root logger handlers, so that here nothing would be printed in any case.
PROGRAM = """
import json, sys
from pathlib import Path
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure
from ansible_collections.mcpops.platform.plugins.modules import azure_resource_info as module
from support.local_azure import FakeTask
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

args = json.loads(sys.argv[1])
params = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate(args).validated_parameters
try:
    module.OPERATION(FakeTask(params))
except Failure as failure:
    print(json.dumps(failure.to_result()))
else:
    print("{}")
"""
NAMED = {"type": "Microsoft.Resources/resourceGroups", "name": "rg"}
FEDERATED = {"auth_source": "workload_identity", "secret": None}


def run(args: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The result and what was printed beside it."""
    path = [str(CHECKOUT / "collections"), str(CHECKOUT / "tests")]
    argv = [sys.executable, "-c", f"import sys; sys.path[:0] = {path}\n{PROGRAM}", json.dumps(args)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result, done.stderr


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"secret": "wrong-0815"}, id="secret"),
        pytest.param({"client_id": "nobody"}, id="client"),
        pytest.param({"tenant": "00000000-0000-0000-0000-000000000000"}, id="tenant"),
        pytest.param({"cloud_environment": "https://127.0.0.1:1"}, id="nothing listens"),
        pytest.param({"auth_source": "cli", "secret": None}, id="no login of the azure-cli"),
    ],
)
def test_a_refused_login_prints_nothing(azure: Azure, changes: dict[str, Any]) -> None:
    given = {key: value for key, value in {**azure.auth(), **NAMED, **changes}.items() if value is not None}
    result, printed = run(given)
    assert result["failed"]
    assert printed == ""


def test_a_certificate_that_is_not_checked_prints_nothing(azure: Azure, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    result, printed = run({**azure.auth(), **NAMED, "cert_validation_mode": "ignore"})
    assert result == {}
    assert printed == ""
