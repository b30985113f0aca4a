# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as lines for a terminal: one line a host that is fine, the differences of the others. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.text import counted

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


def lines(report: Mapping[str, Any]) -> list[str]:
    """The whole summary."""
    width = max((len(host["name"]) for host in report["hosts"]), default=0)
    shown = [line for host in report["hosts"] for line in _host(host, width)]
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
    told = report["summary"]["verdict"]
    incomplete = [host["name"] for host in report["hosts"] if host["state"] in INCOMPLETE]
    if not incomplete:
        return f"Verdict: {told}."
    rest = f"{', '.join(incomplete)} could not be compared"
    if told == "unknown":
        return f"Verdict: unknown. Nothing is known to have drifted, but {rest}."
    return f"Verdict: {told}. Besides, {rest} to the end."


def reason(host: Mapping[str, Any]) -> str:
    """One line why a host is not fine, for its failing task."""
    count = len(host["differences"])
    objects = f"{counted(count, 'object')} not as declared"
    # a task with no_log fails without a message
    message = next(iter(host["message"].splitlines()), "without a message; run the site to see it")
    told = {"drifted": objects, "gone": "the cluster is gone", "stopped": "the cluster is stopped"}
    why = told.get(host["state"]) or f"{WORDS[host['state']].lower()}: {message}"
    if host["state"] in INCOMPLETE:
        why = f"{objects}; then not compared, {why}" if count else f"could not be compared, {why}"
    return f"{host['name']}: {host['verdict']}: {why.rstrip('.')}. {host['command']}".strip()


def _host(host: Mapping[str, Any], width: int) -> Iterator[str]:
    count = len(host["differences"])
    objects = f"  {counted(count, 'object')}" if count and host["state"] != "gone" else ""
    yield f"{host['name'].ljust(width)}  {WORDS[host['state']]}{objects}"
    if host["state"] != "gone":
        for difference in host["differences"]:
            yield from _difference(difference)
    for line in host["message"].splitlines():
        yield f"    {line}"
    if host["state"] not in ("in_sync", "repaired"):
        yield f"    {host['advice']}"
        yield f"    $ {host['command']}"


def _difference(difference: Mapping[str, Any]) -> Iterator[str]:
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
