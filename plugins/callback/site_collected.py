# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_collected
type: stdout
short_description: Writes task results to a file and prints nothing
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Writes one JSON object a task result, or an item of a loop, to a file for M(mcpops.platform.site_drift), which runs
    a playbook with this callback as its standard output. It is of no use by itself.
  - Of a result it keeps what a report needs, never the module's options. Results of tasks with C(no_log) arrive
    censored.
options:
  file:
    description: The file to append to.
    type: path
    required: true
    env:
      - name: MCPOPS_COLLECTED_FILE
"""

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

from ..module_utils import domains
from ..module_utils.secrets import redact

KEPT = ("changed", "msg", "notes", "diff", "error", "warnings")


class CallbackModule(CallbackBase):
    """Results as lines."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "mcpops.platform.site_collected"

    def v2_runner_on_ok(self, result: Any) -> None:
        self._whole(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        # what the playbook ignores was not compared either
        self._whole(result, failed=True, ignored=ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._whole(result, unreachable=True)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._write(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._write(result, failed=True, ignored=bool(result._task.ignore_errors))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The last line: without it the playbook did not come to its end."""
        self._append({"hosts": sorted(stats.processed)})

    def _whole(self, result: Any, **state: bool) -> None:
        # the items of a loop have told for themselves
        if "results" not in result._result:
            self._write(result, **state)

    def _write(self, result: Any, **state: bool) -> None:
        reported = result._result
        task = result._task
        row: dict[str, Any] = {
            "host": result._host.get_name(),
            "task": task.get_name(),
            "module": task.action,
            "stage": next((tag for tag in task.tags if tag not in ("always", "never")), ""),
            **{key: reported[key] for key in KEPT if reported.get(key)},
            **state,
        }
        item = reported.get("_ansible_item_label", reported.get("item"))
        if item is not None:
            row["item"] = _called(item)
        base = domains.foundation(str(task.action))
        if base is not None and isinstance(reported.get(base.key), dict):
            row["cluster"] = {key: reported[base.key].get(key) for key in base.kept}
        if "diff" in row:
            shown = row["diff"] if isinstance(row["diff"], list) else [row["diff"]]
            row["diff"] = [kept_diff(diff) for diff in shown]
        self._append(row)

    def _append(self, row: dict[str, Any]) -> None:
        with open(self.get_option("file"), "a", encoding="utf-8") as file:
            file.write(json.dumps(row, default=str) + "\n")


def kept_diff(diff: dict[str, Any]) -> dict[str, Any]:
    """The changes of a module of this collection; of any other, its texts."""
    data = {key: diff[key] for key in ("after_header", "is_new", "changes") if key in diff}
    return data if len(data) == 3 else diff


def _called(item: Any) -> str:
    """An item of a loop without a label, by its name: the whole may hold secrets, and the report is kept."""
    name = item.get("name") or item.get("key") if isinstance(item, dict) else item
    return redact(str(item if name is None else name))
