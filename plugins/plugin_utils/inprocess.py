# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module's operation inside the controller's process: no fork of an interpreter, no copied payload.

The action plugin of a module is an empty subclass in a file of the module's name. The module's `ARGUMENT_SPEC`,
`OPERATION` and optional `RULES` are the whole truth, so that both ways of running it cannot differ. Ansible loads an
action plugin before it forks its workers: what is imported with it is imported once a playbook.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from ansible import constants
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.errors import Failure, InvalidInput
from ..module_utils.kube import lease
from ..module_utils.kube.manifests import argument_secrets
from ..module_utils.masking import forms, mask
from ..module_utils.module import raise_masked
from ..module_utils.option_problems import task_problems
from ..module_utils.run_cache import login_records
from ..module_utils.secrets import redact
from ..module_utils.task import CommandOutput
from ..module_utils.waiting import now
from . import ansible_core
from .orphan import end_with_the_run
from .plain_types import plain_arguments
from .shown_commands import run_shown
from .task_files import with_absolute_paths
from .templates import render
from .terminal import tell

try:  # ansible-core 2.22 masks registered values everywhere, also in what other plugins print
    from ansible.module_utils.secrets import register_secret
except ImportError:
    register_secret = None

# ansible_core ends the run of an older one when it is imported
__all__ = ["InProcessAction", "InProcessTask", "ansible_core"]

PROGRESS_EVERY_SECONDS = 5.0


class InProcessTask:
    """The Task of an action that runs in the controller."""

    def __init__(self, params: dict[str, Any], *, check_mode: bool, diff_mode: bool, host: str) -> None:
        self.params = params
        self.check_mode = check_mode
        self.diff_mode = diff_mode
        self.run_directory: Path | None = Path(constants.DEFAULT_LOCAL_TMP)  # type: ignore[attr-defined]
        self.secrets: set[str] = set()
        self.warnings: list[str] = []
        self.written: list[str] = []
        self._host = host
        self._shown = 0.0
        self._reported = ""

    def run_command(
        self, argv: Sequence[str], stdin: str | None = None, env: Mapping[str, str] | None = None, shown: bool = False
    ) -> CommandOutput:
        if shown:
            return run_shown(argv, {**os.environ, **(env or {})}, self._show)
        done = subprocess.run(
            list(argv),
            input=stdin,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            # whatever the locale says: programs in Go read and write nothing else
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        return CommandOutput(done.returncode, done.stdout, done.stderr)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def progress(self, message: str) -> None:
        at = now()
        if at - self._shown >= PROGRESS_EVERY_SECONDS and message != self._reported:
            self._shown, self._reported = at, message
            tell(f"  [{self._host}] {mask(message, self.secrets)}")

    def _show(self, line: str) -> None:
        tell(f"  [{self._host}] {mask(redact(line), self.secrets)}")

    def secret(self, value: str) -> None:
        if value:
            self.secrets.add(value)
            if register_secret is not None:
                register_secret(value)

    def wrote(self, what: str) -> None:
        self.written.append(what)


class InProcessAction(ActionBase):
    """Base of the action plugins that are named after a module."""

    MODULE: ClassVar[ModuleType]
    TRANSFERS_FILES = False
    _supports_async = True
    _supports_check_mode = True
    _supports_diff = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        package, action, name = cls.__module__.rpartition(".action.")
        if action:
            cls.MODULE = importlib.import_module(f"{package}.modules.{name}")
            # what is loaded stays: the collectors of workers need not look at it, nor copy its pages by doing so
            gc.freeze()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            given = plain_arguments(self._name(), self._with_files(task_vars or {}))
        except Failure as failure:
            return {**result, **failure.to_result()}
        arguments = given.arguments
        for warning in given.warnings:
            Display().warning(f"{self._name()}: {warning}")
        if not self._in_process():
            return {**result, **self._in_module(arguments, task_vars)}
        end_with_the_run()
        environment: dict[str, Any] = {}
        self._compute_environment_string(environment)
        with _environment(environment):
            return {**result, **self._converge(arguments, task_vars or {})}

    def _with_files(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments: files with absolute paths, unless they are on another machine, and templates with
        what they render to. The module names these options."""
        arguments: dict[str, Any] = dict(self._task.args)
        if self._connection.transport == "local":
            names = getattr(self.MODULE, "FILE_OPTIONS", lambda given: ())(arguments)
            options = {name: self.MODULE.ARGUMENT_SPEC[name] for name in names}
            arguments = with_absolute_paths(self, self._name(), options, arguments)
        for option in getattr(self.MODULE, "TEMPLATE_OPTIONS", ()):
            if arguments.get(option) is not None:
                arguments[option] = render(self, self._name(), option, arguments[option], task_vars)
        return arguments

    def _in_process(self) -> bool:
        return (
            self._connection.transport == "local"
            and getattr(self._connection, "become", None) is None
            and not self._task.async_val
        )

    def _name(self) -> str:
        """The module's fully qualified name: namespace.collection.module."""
        parts = self.MODULE.__name__.split(".")
        return ".".join((*parts[1:3], parts[-1]))

    def _in_module(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """The same operation as a module: another connection, become, or async.

        The module masks what it learns of, and this process what it knows: a module that breaks masks nothing.
        """
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        try:
            outcome: dict[str, Any] = self._execute_module(
                module_name=self._name(), module_args=arguments, task_vars=task_vars, wrap_async=wrap_async
            )
        finally:
            if not wrap_async:
                self._remove_tmp_path(self._connection._shell.tmpdir)  # type: ignore[no-untyped-call]
        # the options: nobody needs them in a result, and they hold whatever is secret among objects and values
        outcome.pop("invocation", None)
        masked: dict[str, Any] = mask(outcome, self._known_secrets(arguments))
        return masked

    def _known_secrets(self, arguments: dict[str, Any]) -> set[str]:
        """What the options alone tell: values of options that are secret, and what is declared in the others."""
        plain = _plain(arguments)
        found = {form for value in argument_secrets(plain) for form in forms(value)}
        validator = ArgumentSpecValidator(self.MODULE.ARGUMENT_SPEC, **getattr(self.MODULE, "RULES", {}))
        found |= {str(value) for value in validator.validate(plain)._no_log_values}
        if register_secret is not None:
            for value in found:
                register_secret(value)
        return found

    def _converge(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        validated = ArgumentSpecValidator(self.MODULE.ARGUMENT_SPEC, **getattr(self.MODULE, "RULES", {})).validate(
            arguments
        )
        task = InProcessTask(
            validated.validated_parameters,
            check_mode=bool(self._task.check_mode),
            diff_mode=bool(self._task.diff),
            host=str(task_vars.get("inventory_hostname", "localhost")),
        )
        for value in validated._no_log_values:
            task.secret(str(value))
        try:
            if validated.error_messages:
                rules = getattr(self.MODULE, "RULES", {})
                raise InvalidInput(self._name(), task_problems(self.MODULE.ARGUMENT_SPEC, rules, arguments))
            _keep_logins(task)
            _keep_leases(task)
            outcome = self.MODULE.OPERATION(task).to_dict(task.diff_mode)
        except Failure as failure:
            outcome = failure.to_result(task.written, task.diff_mode)
        except Exception as defect:
            raise_masked(defect, task.secrets)
        for warning in [*(item["warning"] for item in validated._warnings), *task.warnings]:
            Display().warning(mask(warning, task.secrets))
        cleaned: dict[str, Any] = mask(_plain(outcome), task.secrets)
        return cleaned


def _keep_leases(task: InProcessTask) -> None:
    """While this task works, the clusters that its run has taken stay taken."""
    if not task.check_mode and task.run_directory is not None and lease.record_files(task.run_directory):
        # a client of clusters: tasks of a run that has taken none need not have it
        from ..module_utils.kube import site_lock

        site_lock.start_renewal(task, task.run_directory)


def _keep_logins(task: InProcessTask) -> None:
    """While this task works, the tokens that its run keeps beside kubeconfigs do not expire."""
    if task.run_directory is not None and login_records(task.run_directory):
        # a client of Azure: tasks of a run that keeps no token need not have it
        from ..module_utils.arm import cluster_token

        cluster_token.start_renewal(task, task.run_directory)


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """Plain JSON types: tagged strings break YAML dumpers and type checks of other libraries."""
    plain: dict[str, Any] = json.loads(json.dumps(value, default=str))
    return plain


@contextmanager
def _environment(overrides: Mapping[str, Any]) -> Iterator[None]:
    """The task's `environment:` in os.environ, as a module process would see it."""
    before = dict(os.environ)
    os.environ.update({key: str(value) for key, value in overrides.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
