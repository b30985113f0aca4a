# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions that look at a whole site, once for all hosts: only the controller can, so they have no module form."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ..module_utils.errors import Failure, InvalidInput, Problem
from ..module_utils.option_problems import task_problems
from . import ansible_core
from .plain_types import plain_arguments

# ansible_core ends the run of an older one when it is imported
__all__ = ["SiteAction", "ansible_core"]


class SiteAction(ActionBase):
    """Base of those actions. The module of the same name documents them and holds their `ARGUMENT_SPEC`."""

    MODULE: ClassVar[ModuleType]
    TRANSFERS_FILES = False
    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            return {**result, **self.look(self._params(), task_vars or {})}
        except Failure as failure:
            return {**result, **failure.to_result()}

    @abstractmethod
    def look(self, params: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """The result of the action, or a Failure."""

    def problems(self, params: Mapping[str, Any]) -> list[Problem]:
        """What the argument spec cannot say about the parameters; they may be of wrong types here."""
        return []

    def _params(self) -> dict[str, Any]:
        name = self.MODULE.__name__.rpartition(".")[2]
        arguments = plain_arguments(name, self._task.args).arguments
        validated = ArgumentSpecValidator(self.MODULE.ARGUMENT_SPEC).validate(arguments)
        params: dict[str, Any] = validated.validated_parameters
        wrong = task_problems(self.MODULE.ARGUMENT_SPEC, {}, arguments) if validated.error_messages else []
        problems = wrong + self.problems(params)
        if problems:
            raise InvalidInput(name, problems)
        return params
