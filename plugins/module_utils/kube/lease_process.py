# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which run this is, and whether the process of another still lives on this machine."""

from __future__ import annotations

import getpass
import os
import re
import socket
from pathlib import Path

from ansible_collections.mcpops.platform.plugins.module_utils.kube.lease import Holder

_PROC = Path("/proc")
# core names the directory of a run after the process that made it, and mkdtemp adds eight letters, digits or _
_RUN = re.compile(r"ansible-local-((\d+)\w{8})")


def this_run(run_directory: Path, playbook: str) -> Holder:
    """The run whose private directory this is; all tasks of a run say the same."""
    found = _RUN.fullmatch(run_directory.name)
    run, pid = (found[1], int(found[2])) if found else (run_directory.name, 0)
    started = _started(pid) or ""
    machine = _machine() if started else ""
    return Holder(_user(), socket.gethostname(), run, playbook, pid if started else 0, started, machine)


def ended(run_directory: Path) -> bool:
    """Whether the process that made this directory is gone: a killed run's worker may live a little longer."""
    found = _RUN.fullmatch(run_directory.name)
    if found is None:
        return False
    started = _started(int(found[2]))
    return started == "" or (started is None and _hidden(int(found[2])) is False)


def runs(holder: Holder) -> bool | None:
    """Whether the holder's process lives; None when it is of another machine, container or boot, or unknown."""
    if not holder.pid or not holder.machine or holder.host != socket.gethostname() or holder.machine != _machine():
        return None
    started = _started(holder.pid)
    return _hidden(holder.pid) if started is None else started == holder.started


def _hidden(pid: int) -> bool | None:
    """What a signal tells of a process that /proc does not show, as with hidepid: that there is none, or nothing."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return None
    return None


def _started(pid: int) -> str | None:
    """When a process started, in ticks since boot; empty when only its remains are there, None when /proc is silent."""
    try:
        # the name, in brackets, may hold anything
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return "" if fields[0] in ("Z", "X") else fields[19]


def _machine() -> str:
    """The boot and the process namespace: what makes equal process numbers mean the same process."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # a container's arbitrary user has no name
        return f"uid {os.geteuid()}"
