# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a host ends after the comparison, in Ansible's own terms: it goes on, it fails, or it could not be reached."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ..module_utils.site.drift_report import CLEAN, DRIFT
from ..plugin_utils import ansible_core

# it ends the run of an older one when it is imported
__all__ = ["ActionModule", "ansible_core"]


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    _VALID_ARGS = frozenset({"result"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        name = str((task_vars or {})["inventory_hostname"])
        given = self._task.args.get("result")
        report = given.get("report") if isinstance(given, dict) else None
        if not report:
            return {**result, "failed": True, "msg": "result: is not what site_drift returned. Register it there."}
        verdict = next((str(host["verdict"]) for host in report["hosts"] if host["name"] == name), None)
        if verdict is None:
            return {**result, "failed": True, "msg": f"{name} was not compared: it is in no row of the report."}
        if verdict == CLEAN:
            return {**result, "changed": False, "msg": "as declared", "verdict": verdict}
        why = str(given["verdicts"][name])
        if verdict != DRIFT and report["summary"]["verdict"] != DRIFT:
            # one unreachable host decides the exit status; drift must not be covered by it
            raise AnsibleConnectionFailure(why)
        return {**result, "failed": True, "msg": why, "verdict": verdict}
