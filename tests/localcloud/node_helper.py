# SPDX-License-Identifier: GPL-3.0-or-later
"""The only part of the local cloud that runs as root: it starts and ends clusters for one user.

It listens on a Unix socket that only that user may open, and does nothing but the operations below, on directories
below that user's state directory. Who can open the socket can run programs as root, as with Docker's socket: the
binaries a cluster runs are the user's. Standard library only, so that little code runs as root.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud.files import write_atomically
from localcloud.kube import cgroups, limits, namespaces, peering
from localcloud.kube.layout import ClusterLayout
from localcloud.processes import start_time

LONGEST_REQUEST = 65536


class Refusal(Exception):
    """A request that asks for something this helper does not do."""


class NodeHelper:
    def __init__(self, state: Path, owner: tuple[int, int], instance: str, sources: str) -> None:
        self.state = state
        self.owner = owner
        self.instance = instance
        self.sources = sources
        self.locks: dict[str, threading.Lock] = {}
        self.stopping = threading.Event()
        # by the cluster's directory: its first process, and the public IP addresses that lead to it
        self.routed: dict[str, tuple[int, frozenset[str]]] = {}
        self.operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "ping": lambda _: {"pid": os.getpid(), "sources": self.sources},
            "leave": lambda _: {"left": []},
            "network-up": self.network_up,
            "connect": self.connect,
            "start": self.start,
            "stop": self.stop,
            "delete": self.delete,
            "down": self.down,
        }

    @property
    def cloud_interface(self) -> str:
        return f"lc{self.instance}-0"

    def layout(self, request: dict[str, Any]) -> ClusterLayout:
        """A cluster by its directory's name; where that is and whose it is, is not the caller's choice."""
        name = str(request.get("directory", ""))
        if not name or name.startswith(".") or "/" in name:
            raise Refusal(f"{name!r} is no name of a cluster's directory.")
        directory = self.state / "clusters" / name
        if directory.is_symlink() or not directory.is_dir():
            raise Refusal(f"There is no cluster directory {directory}.")
        layout = ClusterLayout.from_json((directory / "cluster.json").read_text())
        if layout.path != directory or layout.instance != self.instance:
            raise Refusal(f"{directory}/cluster.json belongs to another local cloud.")
        return layout

    def network_up(self, request: dict[str, Any]) -> dict[str, Any]:
        namespaces.add_host_address(self.cloud_interface, str(request["address"]))
        limits.raise_inotify_instances()
        return {}

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        layout = self.layout(request)
        with self.locks.setdefault(layout.directory, threading.Lock()):
            pid = namespaces.start(layout, str(request["binaries"]), str(request["parts"]), self.owner)
        if self.routes.exists():
            self.connect({})
        return {"pid": pid}

    def connect(self, request: dict[str, Any]) -> dict[str, Any]:
        """Let the clusters that run reach each other as routes.json says."""
        with self.locks.setdefault("routes.json", threading.Lock()):
            layouts = [self.layout({"directory": file.parent.name}) for file in self._clusters()]
            pids = {layout.path.name: (layout, namespaces.init_pid(layout)) for layout in layouts}
            running = {name: (layout, pid) for name, (layout, pid) in pids.items() if pid is not None}
            peering.connect(running, peering.open_directions(self.routes), self.state / "node" / "bin" / "nft")
        return {}

    def route_addresses(self) -> None:
        """Follow Services that were given a public IP address of the local Azure, or have lost it."""
        changed = False
        for file in self._clusters():
            layout = self.layout({"directory": file.parent.name})
            pid = namespaces.init_pid(layout)
            if pid is None:
                continue
            # a cluster that was started again has another interface
            known = self.routed.get(layout.directory, (0, frozenset()))
            before = known[1] if known[0] == pid else frozenset()
            used = layout.addresses_in_use()
            if used != before:
                namespaces.route_addresses(layout, used, before)
                changed = True
            self.routed[layout.directory] = (pid, used)
        if changed and self.routes.exists():
            self.connect({})

    @property
    def routes(self) -> Path:
        return self.state / "routes.json"

    def _clusters(self) -> list[Path]:
        return sorted((self.state / "clusters").glob("[!.]*/cluster.json"))

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        layout = self.layout(request)
        with self.locks.setdefault(layout.directory, threading.Lock()):
            namespaces.stop(layout)
        return {}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        layout = self.layout(request)
        with self.locks.setdefault(layout.directory, threading.Lock()):
            namespaces.stop(layout)
            # rmtree follows no links; nothing can be mounted below, the mounts were the namespace's.
            shutil.rmtree(layout.path)
        return {}

    def down(self, request: dict[str, Any]) -> dict[str, Any]:
        """End every cluster (with its data, when told), remove the host's address, and say what is left."""
        end = self.delete if request.get("remove") else self.stop
        for directory in sorted((self.state / "clusters").glob("[!.]*")):
            if (directory / "cluster.json").exists():
                end({"directory": directory.name})
        namespaces.remove_interface(self.cloud_interface)
        limits.restore_inotify_instances(lambda: any(Path("/sys/class/net").glob("lc*-0")))
        interfaces = [path.name for path in Path("/sys/class/net").glob(f"lc{self.instance}-*")]
        left = interfaces + [str(path) for path in cgroups.existing(f"localcloud-{self.instance}-")]
        return {"left": left}

    def answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise Refusal("A request is an object.")
            operation = self.operations.get(str(request.get("do")))
            if operation is None:
                raise Refusal(f"The node helper does not know {request.get('do')!r}.")
            return {"ok": True, **operation(request)}
        except (
            Refusal,
            namespaces.NodeError,
            peering.PeeringError,
            OSError,
            ValueError,
            KeyError,
            subprocess.SubprocessError,
        ) as exc:
            return {"ok": False, "error": f"{type(exc).__name__}: {exc}" if not str(exc) else str(exc)}

    def serve_one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            if struct.unpack("3i", credentials)[1] not in (0, self.owner[0]):
                return
            with connection.makefile("rb") as stream:
                line = stream.readline(LONGEST_REQUEST)
            answer = self.answer(line)
            connection.sendall(json.dumps(answer).encode() + b"\n")
            if "left" in answer:  # of `down` and `leave`: only after it was told may this process end
                self.stopping.set()

    def serve(self, listener: socket.socket) -> None:
        listener.settimeout(0.5)
        while not self.stopping.is_set():
            namespaces.reap()
            # clusters come and go meanwhile
            with contextlib.suppress(
                Refusal, namespaces.NodeError, peering.PeeringError, OSError, ValueError, KeyError
            ):
                self.route_addresses()
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(600)
            threading.Thread(target=self.serve_one, args=(connection,), daemon=True).start()


def listen(path: Path, owner: tuple[int, int]) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    os.chown(path, *owner)
    listener.listen(16)
    return listener


def daemonize(log: Path, owner: tuple[int, int]) -> None:
    """The caller (sudo) returns when the socket is there, and the helper has no terminal and no parent."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchown(output, *owner)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--sources", default="", help="of which code this is; told to whoever asks")
    parser.add_argument("--owner", required=True, help="UID:GID")
    arguments = parser.parse_args()
    if os.geteuid():
        print("The node helper needs root: namespaces, interfaces and cgroups do.", file=sys.stderr)
        return 1
    uid, gid = (int(part) for part in arguments.owner.split(":"))
    owner = (uid, gid)
    listener = listen(arguments.state / "run" / "node-helper.sock", owner)
    daemonize(arguments.state / "log" / "node-helper.log", owner)
    record = {"pid": os.getpid(), "start_time": start_time(os.getpid()), "command": sys.argv}
    pid_file = arguments.state / "run" / "node-helper.json"
    write_atomically(pid_file, json.dumps(record) + "\n")
    os.chown(pid_file, *owner)
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "node helper serves", arguments.state, flush=True)
    NodeHelper(arguments.state, owner, arguments.instance, arguments.sources).serve(listener)
    pid_file.unlink(missing_ok=True)
    (arguments.state / "run" / "node-helper.sock").unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
