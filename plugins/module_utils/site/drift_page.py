# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drift report as one HTML page: no script, no request to anywhere, every value escaped. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.site.drift_style import STYLE
from ansible_collections.mcpops.platform.plugins.module_utils.site.drift_summary import INCOMPLETE, conclusion, headline

OPEN_LEAVES = 12
"""Objects with more leaves show them when they are asked to."""
MANY_HOSTS = 4
# state → (sign, words); the worst first, as the page shows them
STATES: Mapping[str, tuple[str, str]] = {
    "failed": ("✕", "failed"),
    "unreachable": ("⚠", "unreachable"),
    "gone": ("∅", "gone"),
    "stopped": ("■", "stopped"),
    "drifted": ("≠", "drifted"),
    "repaired": ("✓", "repaired"),
    "in_sync": ("✓", "in sync"),
}
# nothing may be loaded from anywhere, whatever a value holds
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page(report: Mapping[str, Any]) -> str:
    """The whole page."""
    shown = [host for state in STATES for host in report["hosts"] if host["state"] == state]
    fine = [host for host in shown if host["state"] == "in_sync"]
    title = headline(report)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>Drift: {escape(title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body><main>",
            *_head(report, title),
            *_overview([host for host in shown if host["state"] != "in_sync"]),
            *(line for host in shown if host["state"] != "in_sync" for line in _host(host)),
            *_fine(fine),
            *_foot(report),
            "</main></body>",
            "</html>",
            "",
        ]
    )


def _head(report: Mapping[str, Any], title: str) -> Iterator[str]:
    summary = report["summary"]
    yield "<header>"
    yield '<div class="eyebrow">Drift report</div>'
    yield f"<h1>{escape(title)}</h1>"
    about = [_moment(report["generated_at"]), *(f"inventory {source}" for source in report["inventory"])]
    yield f'<p class="about">{"".join(f"<span>{escape(part)}</span>" for part in about)}</p>'
    if any(host["state"] in INCOMPLETE for host in report["hosts"]):
        yield f'<p class="about"><span>{escape(conclusion(report))}</span></p>'
    yield "</header>"
    yield '<ul class="tiles" aria-label="Hosts by state">'
    yield _tile("total", summary["hosts"], "host" if summary["hosts"] == 1 else "hosts")
    for state in reversed(list(STATES)):
        if summary[state]:
            yield _tile(state, summary[state], STATES[state][1])
    objects = summary["differences"]
    if objects:
        yield _tile("total", objects, f"object{'s' if objects != 1 else ''} not as declared")
    yield "</ul>"


def _tile(state: str, number: int, words: str) -> str:
    return f'<li class="{state}"><b>{number}</b><span>{words}</span></li>'


def _overview(hosts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Links to the hosts, where there are more than a glance takes in."""
    if len(hosts) < MANY_HOSTS:
        return
    yield '<nav aria-label="Hosts that are not as declared"><ul>'
    for host in hosts:
        sign, words = STATES[host["state"]]
        name = escape(host["name"])
        chip = f'<span class="chip" data-sign="{sign}">{words}</span>'
        yield f'<li class="{host["state"]}"><a href="#host-{name}">{name}</a> {chip}</li>'
    yield "</ul></nav>"


def _host(host: Mapping[str, Any]) -> Iterator[str]:
    sign, words = STATES[host["state"]]
    name = escape(host["name"])
    yield f'<section class="host {host["state"]}" aria-labelledby="host-{name}">'
    yield f'<header><h2 id="host-{name}">{name}</h2><span class="chip" data-sign="{sign}">{words}</span>'
    yield f'<span class="kind">{escape(host["kind"])}</span></header>'
    if host["message"]:
        yield f'<p class="message">{escape(host["message"])}</p>'
    if host["advice"]:
        yield f'<p class="advice">{escape(host["advice"])}</p>'
    if host["command"]:
        yield _command(host["command"])
    for difference in host["differences"]:
        yield from _object(difference)
    if host["notes"]:
        yield f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in host["notes"])}</ul>'
    yield "</section>"


def _object(difference: Mapping[str, Any]) -> Iterator[str]:
    by = ", ".join(difference["changed_by"])
    yield '<section class="object"><header>'
    yield f"<h3>{escape(difference['object'])}</h3>"
    if by:
        yield f'<span class="by">set by {escape(by)}</span>'
    elif difference["missing"]:
        yield '<span class="by">missing</span>'
    yield f'<span class="module">{escape(difference["module"])}</span></header>'
    yield f"<p>{escape(difference['advice'])}</p>"
    leaves = difference["leaves"]
    if len(leaves) > OPEN_LEAVES:
        yield f"<details><summary>All {len(leaves)} values</summary>"
    if leaves:
        yield from _table(difference["object"], leaves)
    if len(leaves) > OPEN_LEAVES:
        yield "</details>"
    if difference["command"]:
        yield _command(difference["command"])
    yield "</section>"


def _table(subject: str, leaves: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f'<div class="wide" tabindex="0" role="region" aria-label="Differences of {escape(subject)}"><table>'
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Field", "Is", "Declared"))
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    for leaf in leaves:
        by = f'<span class="who">set by {escape(leaf["changed_by"])}</span>' if leaf["changed_by"] else ""
        note = f'<span class="who">{escape(leaf["note"])}</span>' if leaf.get("note") else ""
        field = escape(leaf["path"] or "the whole")
        before, after = _value(leaf, "before", "del"), _value(leaf, "after", "ins")
        yield f'<tr><th scope="row">{field}</th><td>{before}{by}{note}</td><td>{after}</td></tr>'
    yield "</tbody></table></div>"


def _value(leaf: Mapping[str, Any], side: str, element: str) -> str:
    if side not in leaf:
        return '<span class="none">nothing</span>'
    text = leaf[side] if leaf["secret"] else json.dumps(leaf[side], ensure_ascii=False)
    return f"<{element}>{escape(text)}</{element}>"


def _fine(hosts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not hosts:
        return
    sign, words = STATES["in_sync"]
    yield '<section class="host in_sync" aria-labelledby="fine">'
    yield f'<header><h2 id="fine">As declared</h2><span class="chip" data-sign="{sign}">{words}</span></header>'
    yield '<ul class="fine">'
    for host in hosts:
        notes = "".join(f'<span class="who">{escape(note)}</span>' for note in host["notes"])
        yield f'<li>{escape(host["name"])} <span class="none">{escape(host["kind"])}</span>{notes}</li>'
    yield "</ul></section>"


def _foot(report: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"<footer>Playbook {escape(report['playbook'])}, compared in check mode: nothing was changed by comparing. "
        "Secrets are compared and never shown.</footer>"
    )


def _command(text: str) -> str:
    return f'<code class="command">{escape(text)}</code>'


def _moment(iso: str) -> str:
    return f"{iso[:10]} {iso[11:16]} UTC"
