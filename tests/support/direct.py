# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's operation, called as its action plugin calls it but without a playbook around: ten times as quick."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure
from ansible_collections.mcpops.platform.plugins.plugin_utils.inprocess import InProcessTask


def call(
    module: ModuleType, run_directory: Path, args: dict[str, Any], *, check: bool = False, fails: bool | None = False
) -> dict[str, Any]:
    """The result as Ansible would see it; a failure must be expected with `fails` (None: it may be one).

    Secrets are not masked, so that a test can look for them.
    """
    validated = ArgumentSpecValidator(module.ARGUMENT_SPEC, **getattr(module, "RULES", {})).validate(args)
    assert validated.error_messages == []
    task = InProcessTask(validated.validated_parameters, check_mode=check, diff_mode=True, host="test")
    task.run_directory = run_directory
    try:
        result: dict[str, Any] = module.OPERATION(task).to_dict(diff_mode=True)
    except Failure as failure:
        result = failure.to_result(task.written)
    assert fails is None or ("failed" in result) == fails, result.get("msg")
    return {**result, "warnings": task.warnings}
