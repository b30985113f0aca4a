# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of every host of a site from the results of a run that compared it.

As data with advice, and as lines for a terminal.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import domains
from ..domain import Foundation
from ..plan import SIDES, leaf_entries
from ..text import counted


@dataclass(frozen=True)
class Commands:
    """Commands as the user would type them, each for a limit: of the site, with further arguments, and of its drift."""

    site: Callable[..., str]
    compare: Callable[[str], str]
    repair: Callable[[str], str]
    platforms: Mapping[str, str] = field(default_factory=dict)
    """The platform of each cluster, which holds its resource group."""

    def create(self, host: str) -> str:
        return self.site(",".join(filter(None, (host, self.platforms.get(host)))))

    def repair_stage(self, host: str, stage: str) -> str:
        """The smallest part of the site that repairs one object."""
        return self.site(host, *(["--tags", stage] if stage else []))


def host_advice(state: str, name: str, kind: str, start: Sequence[str], commands: Commands) -> tuple[str, str]:
    """(sentence, command) for a host in this state; empty where nothing is to be done.

    `start` is the command that starts a cluster which is stopped.
    """
    if state == "drifted":
        return "Repair makes it as declared; what should stay as it is goes into the inventory first.", commands.repair(
            name
        )
    if state == "gone":
        return (
            "The cluster does not exist, or no longer. A run of the site recreates it, empty: "
            "what existed only in it is lost. Repair never does that by itself. "
            "If it was given up, take its host out of the inventory.",
            commands.create(name),
        )
    if state == "stopped":
        return (
            "The cluster is stopped, so nothing in it can be compared. Start it, then compare again.",
            shlex.join(start),
        )
    if state == "unreachable":
        return (
            "Its API server does not answer from here. Check the network, private endpoints and authorized ranges.",
            commands.compare(name),
        )
    if state == "failed":
        where = "the platform" if kind == "platform" else "the cluster"
        return (
            f"What the error kept from being compared is not in this report. Correct it, then compare {where} again.",
            commands.compare(name),
        )
    return "", ""


def difference_advice(by_hand: str, changed_by: Sequence[str], missing: bool, state: str) -> str:
    """What an object's differences mean on a host in this state, and what repairing them does.

    `by_hand` is what its domain says of those that nobody is known to have made, if anything.
    """
    ref = ", ".join(changed_by)
    if state == "gone":
        return "This is what would be created."
    if state == "repaired":
        return f"Set by {ref}, and made as declared again." if ref else "Made as declared again."
    if ref:
        return f"Set by {ref}, outside of Ansible. Repair takes it back; to keep it, declare it."
    if missing:
        return "It, or this part of it, is not there. Repair creates it."
    return by_hand or "Changed since the last run, or in the declaration. Repair makes it as declared."


SHOWN_LEAVES = 6
LONGEST_VALUE = 60
WORDS = {
    "in_sync": "in sync",
    "repaired": "repaired",
    "drifted": "DRIFTED",
    "gone": "GONE",
    "stopped": "STOPPED",
    "unreachable": "UNREACHABLE",
    "failed": "FAILED",
}
# the comparison ended before its end
INCOMPLETE = ("stopped", "unreachable", "failed")


def summary_lines(report: Mapping[str, Any]) -> list[str]:
    """The whole summary."""
    width = max((len(host["name"]) for host in report["hosts"]), default=0)
    shown = [line for host in report["hosts"] for line in _host_lines(host, width)]
    return [*shown, "", headline(report), conclusion(report)]


def headline(report: Mapping[str, Any]) -> str:
    """`2 of 3 hosts are as declared; 1 drifted.`"""
    summary = report["summary"]
    fine = summary["in_sync"] + summary["repaired"]
    others = [f"{summary[state]} {WORDS[state].lower()}" for state in WORDS if state != "in_sync" and summary[state]]
    tail = f"; {', '.join(others)}" if others else ""
    verb = "is" if 1 in (fine, summary["hosts"]) else "are"
    return f"{fine} of {counted(summary['hosts'], 'host')} {verb} as declared{tail}."


def conclusion(report: Mapping[str, Any]) -> str:
    """Whether it is drift or merely not known, in a sentence."""
    reported = report["summary"]["verdict"]
    incomplete = [host["name"] for host in report["hosts"] if host["state"] in INCOMPLETE]
    if not incomplete:
        return f"Verdict: {reported}."
    rest = f"{', '.join(incomplete)} could not be compared"
    if reported == "unknown":
        return f"Verdict: unknown. Nothing is known to have drifted, but {rest}."
    return f"Verdict: {reported}. Besides, {rest} to the end."


def failure_line(host: Mapping[str, Any]) -> str:
    """One line why a host is not fine, for its failing task."""
    count = len(host["differences"])
    objects = f"{counted(count, 'object')} not as declared"
    # a task with no_log fails without a message
    message = next(iter(host["message"].splitlines()), "without a message; run the site to see it")
    reported = {"drifted": objects, "gone": "the cluster is gone", "stopped": "the cluster is stopped"}
    why = reported.get(host["state"]) or f"{WORDS[host['state']].lower()}: {message}"
    if host["state"] in INCOMPLETE:
        why = f"{objects}; then not compared, {why}" if count else f"could not be compared, {why}"
    return f"{host['name']}: {host['verdict']}: {why.rstrip('.')}. {host['command']}".strip()


def _host_lines(host: Mapping[str, Any], width: int) -> Iterator[str]:
    count = len(host["differences"])
    objects = f"  {counted(count, 'object')}" if count and host["state"] != "gone" else ""
    yield f"{host['name'].ljust(width)}  {WORDS[host['state']]}{objects}"
    if host["state"] != "gone":
        for difference in host["differences"]:
            yield from _difference_lines(difference)
    for line in host["message"].splitlines():
        yield f"    {line}"
    if host["state"] not in ("in_sync", "repaired"):
        yield f"    {host['advice']}"
        yield f"    $ {host['command']}"


def _difference_lines(difference: Mapping[str, Any]) -> Iterator[str]:
    leaves = difference["leaves"]
    if difference["missing"]:
        yield f"    {difference['object']}: is not there"
        return
    yield f"    {difference['object']}"
    for leaf in leaves[:SHOWN_LEAVES]:
        by = f"  (set by {leaf['changed_by']})" if leaf["changed_by"] else ""
        yield f"      {leaf['path'] or 'the whole'}: {_shown(leaf, 'before')} → {_shown(leaf, 'after')}{by}"
    if len(leaves) > SHOWN_LEAVES:
        yield f"      and {len(leaves) - SHOWN_LEAVES} more"


def _shown(leaf: Mapping[str, Any], side: str) -> str:
    if side not in leaf:
        return "nothing"
    text = leaf[side] if leaf["secret"] else json.dumps(leaf[side], ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


SCHEMA_VERSION = "1.3"
IN_SYNC, DRIFTED, REPAIRED = "in_sync", "drifted", "repaired"
GONE, STOPPED, UNREACHABLE, FAILED = "gone", "stopped", "unreachable", "failed"
STATES = (IN_SYNC, REPAIRED, DRIFTED, GONE, STOPPED, UNREACHABLE, FAILED)
"""What a host can be, the best first."""
FINE = (IN_SYNC, REPAIRED)
CLEAN, DRIFT, UNKNOWN = "clean", "drift", "unknown"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """One object that is not as declared."""

    object: str
    module: str
    stage: str
    task: str
    leaves: tuple[Mapping[str, Any], ...] = ()
    """As a result's `changes` has them; of modules of other collections, their texts as one leaf without a path."""
    missing: bool = False
    """There is no such object, which differs from an object without these leaves."""


@dataclass(frozen=True)
class HostDrift:
    """One host: how it stands, what differs, and the error that ended its comparison."""

    name: str
    kind: str
    state: str
    differences: tuple[Difference, ...] = ()
    message: str = ""
    notes: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    """The command that starts what is stopped."""


def hosts_of(
    rows: Iterable[Row], names: Sequence[str], kinds: Mapping[str, str], ended: Collection[str]
) -> list[HostDrift]:
    """One entry for each of `names`; `kinds` says by host whether it is a cluster or a platform.

    `ended` are the hosts that came to the end of the playbook: of any other, no difference found is no agreement.
    """
    by_host: dict[str, list[Row]] = {name: [] for name in names}
    for row in rows:
        by_host.setdefault(str(row["host"]), []).append(row)
    lost = [name for name, own in by_host.items() if any(_ends(row) for row in own)]
    return [
        _host(name, kinds.get(name, "cluster"), by_host[name], "" if name in ended else _cut_short(lost))
        for name in names
    ]


def cut_short(rows: Iterable[Row], names: Sequence[str], ended: Collection[str]) -> list[str]:
    """Those of `names` whose comparison ended before its end without an error of their own: another try can help."""
    failed = {str(row["host"]) for row in rows if _ends(row)}
    return [name for name in names if name not in ended and name not in failed]


def after_repair(found: HostDrift, again: HostDrift) -> HostDrift:
    """What is said of a host that drifted and was repaired: what it was, unless it is not in sync now."""
    if again.state == IN_SYNC:
        return HostDrift(found.name, found.kind, REPAIRED, found.differences, notes=found.notes)
    return again


def _error(rows: Iterable[Row]) -> Row | None:
    """What ended the comparison, or else the first failure that the playbook ignored."""
    failed = [row for row in rows if row.get("failed") or row.get("unreachable")]
    return next(filter(_ends, failed), next(iter(failed), None))


def _ends(row: Row) -> bool:
    return bool(row.get("unreachable") or (row.get("failed") and not row.get("ignored")))


def _cut_short(lost: Sequence[str]) -> str:
    why = f"when {', '.join(lost)} failed" if lost else "and no host failed"
    return f"Not compared to the end: the run ended before, {why}."


def _host(name: str, kind: str, rows: Sequence[Row], cut: str) -> HostDrift:
    """`cut` says why the host did not come to the end of the playbook, and is empty if it did."""
    error = _error(rows)
    differences = tuple(difference for row in rows if _differs(row) for difference in _differences(row))
    source: Row = next((row for row in rows if row.get("cluster")), {})
    cluster: Mapping[str, Any] = source.get("cluster") or {}
    base = domains.foundation(str(source.get("module")))
    notes = tuple(dict.fromkeys(str(note) for row in rows for note in row.get("notes") or ()))
    state = _state(error, base, cluster, differences, bool(cut))
    if not rows:
        return HostDrift(name, kind, FAILED, message=f"Nothing was compared on this host. {cut}".strip())
    if state == GONE and base is not None:
        # everything else depends on the cluster: listing it would bury the one thing to know
        differences = tuple(item for item in differences if item.module == base.module)
        notes = ()
    return HostDrift(
        name,
        kind,
        state,
        differences,
        _message(error) if error else cut if state == FAILED else "",
        notes,
        tuple(base.start(cluster, name)) if base is not None and state == STOPPED else (),
    )


def _differs(row: Row) -> bool:
    """Modules of others call a command that failed changed: that is no difference, and its message is told as such."""
    return bool(row.get("changed")) and (_is_ours(row) or bool(row.get("diff")) or not row.get("failed"))


def _message(error: Row) -> str:
    """Messages of this collection say what failed; of any other module's, its task does."""
    reported = str(error.get("msg") or "")
    return f"{error['task']}: {reported}" if reported and error.get("task") and not _is_ours(error) else reported


def _is_ours(row: Row) -> bool:
    return str(row.get("module")).startswith("mcpops.platform.")


def _state(
    error: Row | None,
    base: Foundation | None,
    cluster: Mapping[str, Any],
    differences: Sequence[Difference],
    cut: bool,
) -> str:
    if base is not None and base.is_gone(cluster):
        return GONE
    if error is None and not cut:
        return DRIFTED if differences else IN_SYNC
    if base is not None and base.is_stopped(cluster):
        return STOPPED
    if error is None:
        return FAILED
    lost = error.get("unreachable") or (error.get("error") or {}).get("code") == "Unreachable"
    return UNREACHABLE if lost else FAILED


def _differences(row: Row) -> Iterable[Difference]:
    module, stage, task = (str(row.get(key) or "") for key in ("module", "stage", "task"))
    shown = [diff for diff in row.get("diff") or () if any(diff.get(key) for key in ("changes", *SIDES))]
    for diff in shown:
        subject = _subject(row, diff.get("after_header") or diff.get("before_header") or row.get("item"))
        yield Difference(subject, module, stage, task, tuple(_leaves(diff, _is_ours(row))), diff.get("is_new") is True)
    if not shown:
        yield Difference(_subject(row, row.get("item") or row.get("msg")), module, stage, task)


def _leaves(diff: Mapping[str, Any], is_ours: bool) -> Iterable[Mapping[str, Any]]:
    if is_ours and "changes" in diff:
        return (leaf for change in diff["changes"] for leaf in leaf_entries(change))
    return ({"path": "", **{side: str(diff[side]) for side in SIDES if diff.get(side)}},)


def _subject(row: Row, label: Any) -> str:
    """What differs. Modules of this collection name an object; items and headers of others say little by themselves."""
    task = str(row.get("task") or "")
    if not label or _is_ours(row):
        return str(label or task)
    return f"{task}: {label}" if task else str(label)


def verdict_of(host: HostDrift) -> str:
    """Clean, drift, or unknown: a host that could not be compared drifted if anything was found before the end."""
    if host.state in FINE:
        return CLEAN
    return DRIFT if host.state in (DRIFTED, GONE) or host.differences else UNKNOWN


def build_report(hosts: Sequence[HostDrift], about: Mapping[str, Any], commands: Commands) -> dict[str, Any]:
    """The report as JSON has it (docs/drift-report.schema.json); `about` says when, of what and by which version."""
    counted = {state: sum(host.state == state for host in hosts) for state in STATES}
    verdicts = {verdict_of(host) for host in hosts}
    return {
        "schema_version": SCHEMA_VERSION,
        **about,
        "summary": {
            "hosts": len(hosts),
            **counted,
            "differences": sum(len(host.differences) for host in hosts),
            "fine": all(host.state in FINE for host in hosts),
            # what is known to have drifted weighs more than what is not known
            "verdict": next((one for one in (DRIFT, UNKNOWN) if one in verdicts), CLEAN),
        },
        "hosts": [_host_data(host, commands) for host in hosts],
    }


def _host_data(host: HostDrift, commands: Commands) -> dict[str, Any]:
    sentence, command = host_advice(host.state, host.name, host.kind, host.start, commands)
    return {
        "name": host.name,
        "kind": host.kind,
        "state": host.state,
        "verdict": verdict_of(host),
        "message": host.message,
        "advice": sentence,
        "command": command,
        "notes": list(host.notes),
        "differences": [_difference(item, host, commands) for item in host.differences],
    }


def _difference(item: Difference, host: HostDrift, commands: Commands) -> dict[str, Any]:
    by = sorted({leaf["changed_by"] for leaf in item.leaves if "changed_by" in leaf})
    return {
        "object": item.object,
        "module": item.module,
        "stage": item.stage,
        "task": item.task,
        "changed_by": by,
        "missing": item.missing,
        "leaves": [{"secret": False, "changed_by": "", **leaf} for leaf in item.leaves],
        "advice": difference_advice(domains.changed_by_hand(item.module), by, _is_missing(item) and not by, host.state),
        "command": "" if host.state in (REPAIRED, GONE) else commands.repair_stage(host.name, item.stage),
    }


def _is_missing(item: Difference) -> bool:
    """It, or all that differs of it, is not there."""
    return item.missing or (bool(item.leaves) and all("before" not in leaf for leaf in item.leaves))
