# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs an operation as an ordinary Ansible module: on any connection, with become, with async."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from .errors import Failure, InvalidInput
from .masking import mask
from .option_problems import task_problems
from .task import CommandOutput, Operation

_RULES = ("mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by")


class _Module(AnsibleModule):
    """A module whose results never repeat its options.

    Ansible adds them as `invocation` to what a module returns, and asynchronous jobs write that to a file on the host
    and show it in whatever callback there is. They hold what was learned to be secret only while the module ran.
    """

    accepted = False
    """Whether the options are what the specification wants."""

    def exit_json(self, **kwargs: Any) -> NoReturn:
        super().exit_json(**{**self._masked(kwargs), "invocation": {}})

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        if not self.accepted:
            # the same as in process: all problems, with their places
            rules = {name: rule for name in _RULES if (rule := getattr(self, name))}
            wrong = task_problems(self.argument_spec, rules, self.params)
            if wrong:
                kwargs = {**kwargs, **InvalidInput(self._name, wrong).to_result()}
                msg = kwargs.pop("msg")
        super().fail_json(**{**self._masked({**kwargs, "msg": msg}), "invocation": {}})

    def _masked(self, result: Mapping[str, Any]) -> dict[str, Any]:
        # before Ansible's own masking, which leaves the rest of a secret that another is a part of
        masked: dict[str, Any] = mask(dict(result), getattr(self, "no_log_values", ()))
        return masked


class ModuleTask:
    """The Task of a module process."""

    run_directory: Path | None = None

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self.params: dict[str, Any] = module.params
        self.check_mode: bool = module.check_mode
        self.diff_mode: bool = module._diff
        self.written: list[str] = []

    def run_command(
        self, argv: Sequence[str], stdin: str | None = None, env: Mapping[str, str] | None = None, shown: bool = False
    ) -> CommandOutput:
        code, stdout, stderr = self._module.run_command(
            list(argv), data=stdin, environ_update=dict(env or {}), handle_exceptions=False
        )
        return CommandOutput(code, stdout, stderr)

    def warn(self, message: str) -> None:
        # core masks a module's result, but not its warnings
        self._module.warn(mask(message, self._module.no_log_values))

    def progress(self, message: str) -> None:
        """A module's output reaches nobody before it ends."""

    def secret(self, value: str) -> None:
        if value:
            self._module.no_log_values.add(value)

    def wrote(self, what: str) -> None:
        self.written.append(what)


def run_module(argument_spec: dict[str, Any], operation: Operation, rules: Mapping[str, Any] | None = None) -> None:
    """The whole of a module's `main`. `rules` are AnsibleModule's own (`required_if`, `mutually_exclusive`, ...)."""
    module = _Module(argument_spec=argument_spec, supports_check_mode=True, **dict(rules or {}))  # type: ignore[no-untyped-call]
    module.accepted = True
    task = ModuleTask(module)
    try:
        result = operation(task)
    except Failure as failure:
        module.fail_json(**failure.to_result(task.written, task.diff_mode))
    except Exception as defect:
        raise_masked(defect, module.no_log_values)
    module.exit_json(**result.to_dict(task.diff_mode))


def raise_masked(defect: Exception, secrets: Collection[str]) -> NoReturn:
    """A defect of ours as it is, unless what it says holds a secret: it is printed by whoever catches it."""
    shown = mask(str(defect), secrets)
    if shown == str(defect):
        raise defect
    raise RuntimeError(f"{type(defect).__name__}: {shown}") from None
