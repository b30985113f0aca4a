# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a node pool, for every module that is told of pools."""

from __future__ import annotations

from typing import Any

POOL_ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": ["System", "User"]},
    "count": {"type": "int"},
    "enable_auto_scaling": {"type": "bool"},
    "min_count": {"type": "int"},
    "max_count": {"type": "int"},
    "vm_size": {"type": "str"},
    "vm_size_candidates": {"type": "list", "elements": "str"},
    "os_disk_type": {"type": "str", "choices": ["Managed", "Ephemeral"]},
    "os_disk_size_gb": {"type": "int"},
    "os_sku": {"type": "str"},
    "max_pods": {"type": "int"},
    "labels": {"type": "dict"},
    "purge_labels": {"type": "bool", "default": False},
    "taints": {"type": "list", "elements": "str"},
    "zones": {"type": "list", "elements": "str"},
    "properties": {"type": "dict"},
}
