# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares a site with its declaration, which takes a run of its own: there is no module form of this action."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.utils.display import Display

from ..module_utils.errors import InvalidInput, Problem, ServiceError
from ..module_utils.run_cache import write_private
from ..module_utils.site import drift_report
from ..module_utils.site.drift_report import Commands, HostDrift
from ..module_utils.text import counted
from ..modules import site_drift
from ..plugin_utils import commands
from ..plugin_utils.pages import drift_page
from ..plugin_utils.site_action import SiteAction
from ..plugin_utils.site_run import Inner, results_of
from ..plugin_utils.terminal import tell

SUBJECT = "site_drift"
OWN_PLAYBOOK = commands.PLAYBOOKS / "drift.yml"
FILES = {"json": "drift-report.json", "html": "drift-report.html"}


class ActionModule(SiteAction):
    MODULE = site_drift

    def look(self, params: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        names = [str(name) for name in task_vars["ansible_play_hosts_all"]]
        platforms = {str(name) for name in task_vars["groups"].get("platforms", ())}
        kinds = {name: "platform" if name in platforms else "cluster" for name in names}
        sources = [str(source) for source in task_vars.get("ansible_inventory_sources") or ()]
        run = commands.of_this_run()
        # as found here, and as somebody would type it in the directory of this run
        place = commands.found_playbook(params["playbook"], str(task_vars.get("playbook_dir", "")), run.directory)
        named = {**params, "playbook": commands.shown_path(place, run.directory)}
        params = {**params, "playbook": place}
        directory = _directory(params["directory"])

        found = self._compared(params, sources, names, kinds)
        drifted = [host.name for host in found if host.state == drift_report.DRIFTED]
        next_ones = _commands(run, named["playbook"], self._is_of_drift(), _platforms(task_vars, names))
        report = _report(named, found, run, next_ones)
        files = _write(directory, report)
        if params["repair"] and drifted and not self._task.check_mode:
            # the report above stands until then: a repair that dies must not take with it what was found
            report = _report(named, self._repaired(params, sources, kinds, found, drifted), run, next_ones)
            files = _write(directory, report)
        for line in drift_report.summary_lines(report):
            tell(line)
        for kind, file in files.items():
            tell(f"{kind.upper()} report: {file}")
        return {
            "changed": bool(report["summary"][drift_report.REPAIRED]),
            "msg": drift_report.headline(report),
            "report": report,
            "files": files,
            "verdicts": {
                host["name"]: drift_report.failure_line(host)
                for host in report["hosts"]
                if host["state"] not in drift_report.FINE
            },
        }

    def _is_of_drift(self) -> bool:
        """Whether this task is that of the playbook drift, whoever imports it: then its variables are known."""
        return Path(str(self._task.get_path()).rpartition(":")[0]).resolve() == OWN_PLAYBOOK.resolve()

    def _compared(
        self, params: Mapping[str, Any], sources: Sequence[str], names: Sequence[str], kinds: Mapping[str, str]
    ) -> list[HostDrift]:
        tell(f"Comparing {counted(len(names), 'host')} with the declaration")
        found: dict[str, HostDrift] = {}
        left = list(names)
        while left:
            run = results_of(Inner(params["playbook"], sources, left, params["skip_tags"]), self._loader)
            _warn(run.rows)
            _stop_at_bad_input(run.rows)
            found.update({host.name: host for host in drift_report.hosts_of(run.rows, left, kinds, run.ended)})
            cut = drift_report.cut_short(run.rows, left, run.ended)
            if len(cut) == len(left):
                break
            # where every host of a play fails, Ansible runs no further play: the others get a run without them
            if cut:
                tell(f"Comparing {', '.join(cut)} again: hosts that failed ended the run before")
            left = cut
        return [found[name] for name in names]

    def _repaired(
        self,
        params: Mapping[str, Any],
        sources: Sequence[str],
        kinds: Mapping[str, str],
        found: Sequence[HostDrift],
        drifted: Sequence[str],
    ) -> list[HostDrift]:
        """Repair those that drifted, and compare them once more: only what is seen in sync counts as repaired."""
        tell(f"Repairing {', '.join(drifted)}")
        run = results_of(Inner(params["playbook"], sources, drifted, params["skip_tags"], check=False), self._loader)
        _warn(run.rows)
        # of a host that another's failure cut short, the comparison that follows says how far its repair came
        cut = drift_report.cut_short(run.rows, drifted, run.ended)
        failed = {
            host.name: host
            for host in drift_report.hosts_of(run.rows, drifted, kinds, run.ended)
            if host.state not in (drift_report.DRIFTED, drift_report.IN_SYNC) and host.name not in cut
        }
        again = {host.name: host for host in self._compared(params, sources, drifted, kinds)}
        return [
            drift_report.after_repair(host, failed.get(host.name, again[host.name])) if host.name in again else host
            for host in found
        ]


def _commands(run: commands.Commands, playbook: str, of_drift: bool, platforms: Mapping[str, str]) -> Commands:
    """The commands of a report: of the playbook that declares this site, and of comparing and repairing it."""

    def site(limit: str, *more: str) -> str:
        return run.shell(run.of(playbook, *more, limit=limit))

    def compare(limit: str) -> str:
        return run.shell(run.again(limit=limit, whole=True))

    def repair(limit: str) -> str:
        asked = ["-e", "drift_repair=true"]
        if of_drift:
            return run.shell(run.again(*asked, limit=limit, whole=True))
        # what a playbook of the user's makes of its own variables is not known here; this one's are
        declared = [] if playbook == commands.SITE else ["-e", f"mcpops_playbook={shlex.quote(playbook)}"]
        return run.shell(run.of(commands.DRIFT, *asked, *declared, limit=limit))

    return Commands(site, compare, repair, platforms)


def _report(
    params: Mapping[str, Any], found: Sequence[HostDrift], run: commands.Commands, next_ones: Commands
) -> dict[str, Any]:
    about = {
        "generated_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "playbook": params["playbook"],
        "inventory": list(run.inventory),
        "directory": run.directory,
        "repair": bool(params["repair"]),
    }
    return drift_report.build_report(found, about, next_ones)


def _platforms(task_vars: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The platform of each cluster; validation has seen to it that this is a host."""
    platforms = task_vars["groups"].get("platforms", ())
    named = {name: task_vars["hostvars"][name].get("mcpops_platform") for name in names if name not in platforms}
    return {name: str(platform) for name, platform in named.items() if platform in platforms}


def _warn(rows: Sequence[Mapping[str, Any]]) -> None:
    """What the run inside warned of, as it would have; one warning of several hosts or runs is shown once."""
    for row in rows:
        for text in row.get("warnings", ()):
            Display().warning(str(text))


def _stop_at_bad_input(rows: Sequence[Mapping[str, Any]]) -> None:
    """What site_validate found is no drift of any host: the site was not looked at."""
    for row in rows:
        if row.get("failed") and str(row.get("module")).endswith("site_validate"):
            raise ServiceError("Comparing the site", str(row.get("msg")), code="InvalidInventory")


def _directory(given: str) -> Path:
    directory = Path(os.path.abspath(os.path.expanduser(given)))
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InvalidInput(SUBJECT, [Problem("directory", f"{directory} cannot be made: {exc.strerror}")]) from exc
    if not os.access(directory, os.W_OK):
        raise InvalidInput(SUBJECT, [Problem("directory", f"user {os.geteuid()} may not write in {directory}")])
    return directory


def _write(directory: Path, report: Mapping[str, Any]) -> dict[str, str]:
    """Both files, each complete or not at all: somebody may be reading the last ones."""
    content = {"json": json.dumps(report, indent=2, ensure_ascii=False) + "\n", "html": drift_page(report)}
    written = {}
    for kind, name in FILES.items():
        # readable by its owner only, as the values of a whole site should be
        write_private(directory / name, content[kind])
        written[kind] = str(directory / name)
    return written
