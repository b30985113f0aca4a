# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's action in this process, exactly as a worker of Ansible runs it, without a playbook's start around it.

That the same task in a playbook and as a module on another connection answers alike is what tests/integration/engine
shows for every module, so that the tests of a module need not pay for an `ansible-playbook` a task.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from unittest import mock

import yaml
from ansible import constants

from ansible_collections.mcpops.platform.plugins.plugin_utils import inprocess
from support.playbook import CHECKOUT


def needs_a_playbook(module: str, args: Mapping[str, Any]) -> bool:
    """Whether Ansible itself has a part in what the task does: it renders templates."""
    return any(option in args for option in getattr(_module(module), "TEMPLATE_OPTIONS", ()))


def run_action(
    module: str,
    args: Mapping[str, Any],
    *,
    defaults: Mapping[str, Mapping[str, Any]],
    environment: Mapping[str, str],
    check: bool = False,
    diff: bool = True,
) -> dict[str, Any]:
    """The task's result, with caches of a run of its own. `defaults` are a play's module_defaults, by action group."""
    groups = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    given = {**args}
    for group, options in defaults.items():
        if module in groups[group.rpartition(".")[2]]:
            given = {**options, **given}
    action: Any = object.__new__(type(module, (inprocess.InProcessAction,), {"MODULE": _module(module)}))
    action._task = SimpleNamespace(check_mode=check, diff=diff)
    with (
        tempfile.TemporaryDirectory(prefix="mcpops-run-") as scratch,
        mock.patch.object(constants, "DEFAULT_LOCAL_TMP", scratch),
        inprocess._environment(environment),
    ):
        result: dict[str, Any] = action._converge(given, {"inventory_hostname": "test"})
    return {"changed": False, **result}


def _module(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.mcpops.platform.plugins.modules.{name}")
