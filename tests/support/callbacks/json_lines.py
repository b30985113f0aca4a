# SPDX-License-Identifier: GPL-3.0-or-later
"""A standard output that programs read, as ansible.posix.json and ansible.posix.jsonl are: JSON, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: json_lines
type: stdout
short_description: Each result as a line of JSON
description: [Each result as a line of JSON.]
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "json_lines"

    def _write(self, **what: Any) -> None:
        self._display.display(json.dumps(what, default=str))

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(ok=result._task.get_name(), result=result._result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(failed=result._task.get_name(), result=result._result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._write(hosts=sorted(stats.processed))
