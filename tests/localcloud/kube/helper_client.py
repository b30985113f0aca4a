# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the node helper to do something as root, and start it: the one place where sudo is used."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud.clusters import ClusterError
from localcloud.files import key_of
from localcloud.settings import Settings

PACKAGES = Path(__file__).resolve().parents[2]


def ask(settings: Settings, operation: str, timeout: float = 120.0, **arguments: Any) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(settings.helper_socket))
            connection.sendall(json.dumps({"do": operation, **arguments}).encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as stream:
                line = stream.readline()
        # Reset: it was ending when we connected.
        except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError, BrokenPipeError) as exc:
            raise ClusterError(
                f"The node helper does not run (no answer at {settings.helper_socket}). Run `localcloud up`."
            ) from exc
        except TimeoutError as exc:
            raise ClusterError(
                f"The node helper did not finish `{operation}` within {timeout:.0f} s. "
                f"See {settings.logs / 'node-helper.log'}."
            ) from exc
    answer: dict[str, Any] = json.loads(line or b"{}")
    if not answer.get("ok"):
        reason = answer.get("error", f"it closed the connection; see {settings.logs / 'node-helper.log'}")
        raise ClusterError(f"The node helper could not {operation}: {reason}")
    return answer


def running_sources(settings: Settings) -> str | None:
    """Of which code the running helper is; None when none runs."""
    try:
        return str(ask(settings, "ping", timeout=5)["sources"])
    except ClusterError:
        return None


def is_running(settings: Settings) -> bool:
    return running_sources(settings) is not None


def _helper_sources() -> str:
    return key_of(*(path.read_bytes() for path in sorted(PACKAGES.glob("localcloud/**/*.py")) if _is_of_helper(path)))


def _is_of_helper(path: Path) -> bool:
    names = ("node_helper", "namespaces", "cgroups", "layout", "processes", "files", "limits", "peering")
    return path.stem in names and path.parent.name in ("localcloud", "kube")


def ensure_running(settings: Settings, seconds: float = 10.0) -> None:
    """Start it as root: directly when we are, else by one sudo, which may ask for a password on the terminal."""
    sources, running = _helper_sources(), running_sources(settings)
    if running == sources:
        return
    if running is not None:
        # Older code. Clusters do not need the helper to run, so it may go and come.
        ask(settings, "leave")
        _wait_until(lambda: not is_running(settings), settings, seconds)
    argv = ["env", f"PYTHONPATH={PACKAGES}", sys.executable, "-B", "-m", "localcloud.node_helper"]
    argv += ["--state", str(settings.state), "--instance", settings.instance]
    argv += ["--sources", sources, "--owner", f"{os.getuid()}:{os.getgid()}"]
    if os.geteuid():
        argv = ["sudo", *argv]
    done = subprocess.run(argv, check=False)
    if done.returncode:
        raise ClusterError(
            "The node helper could not be started as root "
            f"(`{argv[0]}` ended with {done.returncode}). Clusters need root for namespaces, interfaces and cgroups: "
            "run as root or as a user who may use sudo."
        )
    _wait_until(lambda: is_running(settings), settings, seconds)


def _wait_until(condition: Callable[[], bool], settings: Settings, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"The node helper does not do as asked. See {settings.logs / 'node-helper.log'}.")
        time.sleep(0.02)
