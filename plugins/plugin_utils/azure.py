# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base of the actions that talk to Azure.

Its libraries are imported before Ansible forks its workers, and who logs in is the host's: roles and tasks of a
playbook that says nothing about it take it from the variable mcpops_azure_auth, as the collection's playbooks do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils.arm import sdk
from ..module_utils.errors import InvalidInput, Problem
from .inprocess import InProcessAction

__all__ = ["AzureAction", "sdk"]

AZURE_AUTH = "mcpops_azure_auth"


class AzureAction(InProcessAction):
    """An InProcessAction whose workers need not import Azure's libraries, each for itself."""

    def _with_files(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """What the task does not say, nor the defaults of its play, its host's variable does."""
        given = self._templar.template(task_vars.get(AZURE_AUTH)) or {}
        if not isinstance(given, Mapping):
            raise InvalidInput(self._name(), [Problem(AZURE_AUTH, "is not a mapping of options of the Azure modules")])
        said = super()._with_files(task_vars)
        return {**said, **{name: value for name, value in given.items() if said.get(name) is None}}
