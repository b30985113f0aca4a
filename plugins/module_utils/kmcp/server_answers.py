# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings that only a call can make: MCP servers whose pods run are asked once, and no tool is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import (
    controllers,
    server_children,
    server_diagnosis,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.facts import facts_of
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_findings import (
    CALL,
    STATUS,
    Evidence,
    Finding,
    of_reason,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis_snapshot import Snapshot
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import Object, condition, subject
from ansible_collections.mcpops.platform.plugins.module_utils.kube.vocabulary import reason
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import addresses, mcp_probe
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.url_path import DEFAULT_PATH, path_problem
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput, Task

Key = tuple[str, str]

TIMEOUT_SECONDS = 10
# what an entry of `servers` may say of how to ask: calls and expectations are verification's
_HOW = ("port", "path", "headers", "via", "era")
# verdict of the probe → code of the finding
_CODES: Mapping[str, str] = {
    "session_lost": "SessionLost",
    "misdirected": "HostRefused",
    "era_mismatch": "EraMismatch",
    "protocol_version": "EraMismatch",
    "connection_refused": "PortMismatch",
}
# what a program that has not started yet looks like, too
_OF_A_START = ("NotAnswering", "PortMismatch")
# verdicts that say nothing of the server, or that findings about pods and Services are about
_SILENT = frozenset(
    (
        *("unauthorized", "forbidden", "proxy_forbidden", "api_unauthorized", "no_endpoints", "no_service"),
        *("no_such_port", "cluster_pending", "needs_input", "busy"),
    )
)
_NOT_ALLOWED = ("proxy_forbidden", "api_unauthorized")


class _Asking:
    """A task of mcp_probe inside of another module: as in check mode it asks once, calls no tool, and warns nobody."""

    check_mode = True
    diff_mode = False

    def __init__(self, task: Task, params: dict[str, Any]) -> None:
        self._task = task
        self.params = params
        self.run_directory: Path | None = task.run_directory

    def run_command(
        self, argv: Sequence[str], stdin: str | None = None, env: Mapping[str, str] | None = None
    ) -> CommandOutput:
        return self._task.run_command(argv, stdin, env)

    def warn(self, message: str) -> None:
        """The findings say it."""

    def progress(self, message: str) -> None:
        self._task.progress(message)

    def secret(self, value: str) -> None:
        self._task.secret(value)

    def wrote(self, what: str) -> None:
        self._task.wrote(what)


def ask(task: Task, snapshot: Snapshot, hints: Sequence[Mapping[str, Any]]) -> dict[Key, Mapping[str, Any]]:
    """What each server that can be asked answers, as a row of mcp_probe."""
    entries = [_entry(one, hints) for one in snapshot.of("MCPServer") if _can_be_asked(snapshot, one)]
    if not entries:
        return {}
    params = {**task.params, "servers": entries, "timeout": TIMEOUT_SECONDS, "wait_timeout": 0}
    result = mcp_probe.converge(_Asking(task, params))
    return {(str(row["namespace"]), str(row["name"])): row for row in result.values["servers"]}


def findings(snapshot: Snapshot, servers: Sequence[Object]) -> Iterator[Finding]:
    """What the answers show; of servers that were not asked, what their declaration alone shows."""
    for one in servers:
        key = _key(one)
        row = facts_of(snapshot).answers.get(key)
        if row is None:
            yield from server_diagnosis.ports(one)
        elif not row.get("reachable"):
            yield from _of_error(snapshot, one, row.get("error") or {})


def unread(answers: Mapping[Key, Mapping[str, Any]]) -> str:
    """Why servers were not asked, for want of rights."""
    refused = [row for row in answers.values() if (row.get("error") or {}).get("code") in _NOT_ALLOWED]
    return "may not be asked through the API server's proxy" if refused else ""


def _of_error(snapshot: Snapshot, server: Object, error: Mapping[str, Any]) -> Iterator[Finding]:
    verdict, said = str(error.get("code")), str(error.get("message"))
    if verdict in _SILENT:
        return
    code = _CODES.get(verdict, "NotAnswering")
    if code in _OF_A_START and not _has_started(snapshot, server):
        yield from server_diagnosis.ports(server)
        return
    port = server_diagnosis.port_of(server)
    evidence = [Evidence(CALL, f"asked at port {port} of its Service ({verdict}): {said}")]
    if code == "PortMismatch":
        declared = server_diagnosis.ports_said(server)
        evidence += [Evidence(STATUS, one) for one in declared]
        said = f"does not listen on port {port}, where KMCP's Service leads{f': {declared[0]}' if declared else ''}"
    yield of_reason(
        server, reason(subject(server), code, said, hint=str(error.get("hint") or "") or None), evidence=tuple(evidence)
    )


def _can_be_asked(snapshot: Snapshot, server: Object) -> bool:
    """Its pods run: of one that does not, other findings say why."""
    if server["metadata"].get("deletionTimestamp") or not server_children.is_reconciled(server):
        return False
    deployment = server_diagnosis.child(snapshot, "Deployment", *_key(server))
    return deployment is not None and controllers.is_available(deployment)


def _has_started(snapshot: Snapshot, server: Object) -> bool:
    """Whether its pods have been there for longer than a program takes to listen: KMCP gives them no probes."""
    deployment = server_diagnosis.child(snapshot, "Deployment", *_key(server))
    if deployment is None:
        return snapshot.lasting("NotAnswering", server)
    since = (condition(deployment, "Available") or {}).get("lastTransitionTime")
    return snapshot.lasting("NotAnswering", deployment, since) and snapshot.lasting("NotAnswering", server)


def _entry(server: Object, hints: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Where to ask a server, and what somebody says of how; the first entry of its name that has no address counts."""
    namespace, name = _key(server)
    path = str(((server.get("spec") or {}).get("httpTransport") or {}).get("path") or DEFAULT_PATH)
    entry: dict[str, Any] = {"name": name, "namespace": namespace, "port": server_diagnosis.port_of(server)}
    # the API server stores any text, and nobody but clients reads it: one server must not end the diagnosis of all
    entry["path"] = DEFAULT_PATH if path_problem(path) or addresses.leads_astray(path) else path
    for hint in hints:
        if hint.get("name") == name and hint.get("namespace") in (None, namespace) and not hint.get("url"):
            entry |= {key: hint[key] for key in _HOW if hint.get(key) is not None}
            break
    return entry


def _key(server: Object) -> Key:
    return str(server["metadata"].get("namespace")), str(server["metadata"]["name"])
