# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base of the actions that talk to Azure: its libraries are imported before Ansible forks its workers."""

from __future__ import annotations

from ..module_utils.arm import sdk
from .inprocess import InProcessAction

__all__ = ["AzureAction", "sdk"]


class AzureAction(InProcessAction):
    """An InProcessAction whose workers need not import Azure's libraries, each for itself."""
