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
  - Lays out what the role C(site_verify) registered for each cluster as aligned lines of text.
options:
  _input:
    description: The variables of the hosts, for example C(ansible_play_hosts | map('extract', hostvars)).
    type: list
    elements: dict
    required: true
  inventory:
    description: The inventory of this run, as shown in the next commands.
    type: str
    default: inventories/local
  check_mode:
    description: Whether this run itself is in check mode, so that the advice to use it is left out.
    type: bool
    default: false
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

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

# The callbacks that print YAML fold lines at a single space beyond the 80th sign: cells with spaces come first.
HEADER = ("cluster", "mcp server", "transport", "era", "answer", "ms", "tools", "kubernetes", "nodes", "kmcp")


def site_report(
    hosts: Iterable[Mapping[str, Any]],
    inventory: str = "inventories/local",
    check_mode: bool = False,
    failed: Collection[str] = (),
) -> list[str]:
    shown = list(hosts)
    rows = [row for host in shown for row in _rows(host, host["inventory_hostname"] in failed)]
    names = [str(host["inventory_hostname"]) for host in shown] or ["CLUSTER"]
    missing = [f"  {host['inventory_hostname']}: {_missing(host)}" for host in shown]
    missing = [line for line, name in zip(missing, names, strict=False) if name in failed]
    told = ["", "not verified, for the error that is shown above:", *missing] if missing else []
    return [*_aligned([HEADER, *rows]), *told, "", *_next_commands(inventory, names, check_mode, bool(missing))]


def _missing(host: Mapping[str, Any]) -> str:
    """Why a host that failed is not verified, as far as its variables tell."""
    servers = host.get("site_verify_result", {}).get("servers", [])
    silent = [_name(server) for server in servers if not server.get("reachable")]
    if silent:
        return f"{', '.join(silent)} did not answer as declared"
    return "failed after its MCP servers had answered" if servers else "failed before its MCP servers were asked"


def _rows(host: Mapping[str, Any], failed: bool) -> list[tuple[str, ...]]:
    nodes = host.get("site_verify_nodes", {}).get("objects", [])
    versions = sorted({node["status"]["nodeInfo"]["kubeletVersion"].lstrip("v") for node in nodes})
    controllers = host.get("site_verify_kmcp", {}).get("objects", [])
    kmcp = [item["metadata"].get("labels", {}).get("app.kubernetes.io/version", "?") for item in controllers]
    cluster = (
        ", ".join(versions) or "-",
        "-" if failed and "site_verify_nodes" not in host else str(len(nodes)),
        ", ".join(kmcp) or "-",
    )
    name, transports = str(host["inventory_hostname"]), _transports(host)
    servers = host.get("site_verify_result", {}).get("servers", [])
    found = [(name, *_server(server, transports.get(_name(server), "http")), *cluster) for server in servers]
    return found or [(name, *("-" for _column in HEADER[1 : -len(cluster)]), *cluster)]


def _transports(host: Mapping[str, Any]) -> dict[str, str]:
    """What the declared programs themselves speak, by namespace and name."""
    declared = host.get("mcp_servers_servers") or host.get("mcpops_mcp_servers") or []
    usual = host.get("mcp_servers_namespace") or host.get("mcpops_mcp_namespace") or "mcp"
    return {
        f"{server.get('namespace') or usual}/{server.get('name')}": str(server.get("transport") or "http")
        for server in declared
        if isinstance(server, Mapping)
    }


def _server(server: Mapping[str, Any], transport: str) -> tuple[str, ...]:
    tools = ",".join(str(tool["name"]) for tool in server.get("tools") or []) or "-"
    answer = " ".join(str(server.get("answer") or "-").split())
    answer = answer if len(answer) <= 40 else f"{answer[:37]}..."
    eras = ",".join(server.get("eras") or ()) or "-"
    return _name(server), transport, eras, answer, str(server.get("duration_ms", "-")), tools


def _name(server: Mapping[str, Any]) -> str:
    return f"{server.get('namespace', '')}/{server['name']}".lstrip("/")


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _next_commands(inventory: str, clusters: list[str], check_mode: bool, failed: bool) -> list[str]:
    again = f"ansible-playbook site.yml -i {inventory}"
    # short lines: callbacks that print YAML fold longer ones
    if check_mode:
        return ["nothing was touched; to make it so:", f"  {again}"]
    return [
        "again, when what failed is mended:" if failed else "a second run, which changes nothing:",
        f"  {again}",
        "what was changed by hand, shown and not touched:",
        f"  {again} --check --diff",
        "the end of it:" if len(clusters) == 1 else "the end of them, or of those that you name:",
        f"  ansible-playbook playbooks/teardown.yml -i {inventory} \\",
        f"    -e teardown_confirm={','.join(clusters)}",
    ]


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"site_report": site_report}
