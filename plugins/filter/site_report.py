# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: site_report
short_description: A table of what answers, from the variables of verified hosts
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Lays out what the role C(site_verify) registered for each cluster as aligned lines of text. The columns are those of
    the collection's domains.
options:
  _input:
    description: The variables of the hosts, for example C(ansible_play_hosts | map('extract', hostvars)).
    type: list
    elements: dict
    required: true
  check_mode:
    description: Whether this run itself is in check mode, so that the advice to use it is left out.
    type: bool
    default: false
  playbook:
    description:
      - The playbook that declares the site, for the next commands. The one that is running if it is empty, with the
        tags that chose its parts.
    type: str
    default: ""
  failed:
    description: Names of hosts whose run has failed. They are shown, with what is known of them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what answers
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts | map('extract', hostvars) | mcpops.platform.site_report }}"
"""

RETURN = r"""
_value:
  description: Lines of text.
  type: list
  elements: str
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..module_utils import domains
from ..module_utils.domain import Answers, Column
from ..plugin_utils.commands import TEARDOWN, Commands, of_this_run

READ = "site_verify_read"
"""What the role site_verify registers: the objects that the columns of the domains show."""


def site_report(
    hosts: Iterable[Mapping[str, Any]],
    check_mode: bool = False,
    failed: Collection[str] = (),
    playbook: str = "",
) -> list[str]:
    shown = list(hosts)
    columns = domains.columns()
    header = ("cluster", *(column.title for column in columns))
    clusters = [_cluster(host, columns, host["inventory_hostname"] in failed) for host in shown]
    answers = [line for one in domains.answers() for line in _answers(one, shown)]
    names = [str(host["inventory_hostname"]) for host in shown] or ["CLUSTER"]
    missing = [f"  {host['inventory_hostname']}: {_missing(host)}" for host in shown]
    missing = [line for line, name in zip(missing, names, strict=False) if name in failed]
    reported = ["", "not verified, for the error that is shown above:", *missing] if missing else []
    tables = [*_aligned([header, *clusters]), *answers]
    return [*tables, *reported, "", *_next_commands(of_this_run(), playbook, names, check_mode, bool(missing))]


def _cluster(host: Mapping[str, Any], columns: Iterable[Column], failed: bool) -> tuple[str, ...]:
    read = {str(one.get("item")): one.get("objects", []) for one in host.get(READ, {}).get("results", [])}
    known = READ in host or not failed
    cells = (column.show(read.get(str(column.read), []), host) if known else "" for column in columns)
    return (str(host["inventory_hostname"]), *(cell or "-" for cell in cells))


def _answers(table: Answers, hosts: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [(str(host["inventory_hostname"]), *row) for host in hosts for row in table.rows(host)]
    # with one cluster its name says nothing more in each row
    first = 0 if len(hosts) > 1 else 1
    return ["", *_aligned([row[first:] for row in [("cluster", *table.header), *rows]])] if rows else []


def _missing(host: Mapping[str, Any]) -> str:
    """Why a host that failed is not verified, as far as its variables tell."""
    found = "; ".join(filter(None, (table.missing(host) for table in domains.answers())))
    return found or "failed before anything of it was asked"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _next_commands(
    run: Commands, playbook: str, clusters: Sequence[str], check_mode: bool, failed: bool
) -> Iterator[str]:
    site = run.of(playbook) if playbook else run.again()
    yield f"next, in {run.directory}:"
    if check_mode:
        yield "nothing was touched; to make it so:"
        yield from run.folded(site)
        return
    if failed or not playbook:
        yield "again, when what failed is mended:" if failed else "a second run, which changes nothing:"
        yield from run.folded(run.again())
    yield "what was changed by hand, shown and not touched:"
    yield from run.folded([*site, "--check", "--diff"])
    yield "the end of it:" if len(clusters) == 1 else "the end of them, or of those that you name:"
    yield from run.folded(run.of(TEARDOWN, "-e", f"teardown_confirm={','.join(clusters)}"))


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"site_report": site_report}
