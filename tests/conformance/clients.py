# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m conformance.clients COUNT COMMAND...`: runs the suite, and the clients that it asks for.

The suite starts a server and a client for every scenario, all at once, and some of the clients are timed. What it
starts as a client is therefore a short program (client.py) that hands its task and its output over and waits. The
clients themselves run here: when all are waiting, because then the suite has started everything, and a few at a time.
Each is a fork that has the collection's client loaded, which takes longer than most conversations.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from conformance import driver
from conformance.client import SOCKET

# More than the suite gives its clients.
SUITE_SECONDS = 300
# How long nobody may come before those that came are served: a scenario that does not start has no client.
QUIET_SECONDS = 20.0
POLL_SECONDS = 0.01
LARGEST_TASK = 1 << 17
# More than the suite has scenarios.
BACKLOG = 128
# The revisions run side by side: one each leaves the other processor to the suite.
AT_ONCE = max(1, len(os.sched_getaffinity(0)) // 2)


@dataclass
class Clients:
    """Those that wait for their turn, and those whose turn it is."""

    listener: socket.socket
    expected: int
    waiting: deque[socket.socket] = field(default_factory=deque)
    running: dict[int, socket.socket] = field(default_factory=dict)
    begun: bool = False
    last_came: float = field(default_factory=time.monotonic)

    def step(self) -> None:
        """Lets in who comes, says goodbye to who is done, and gives turns."""
        try:
            connection, _address = self.listener.accept()
        except TimeoutError:
            pass
        else:
            self.waiting.append(connection)
            self.last_came = time.monotonic()
        for client in list(self.running):
            ended, status = os.waitpid(client, os.WNOHANG)
            if ended:
                self._end(client, os.waitstatus_to_exitcode(status) & 0xFF)
        self.begun = self.begun or self._all_there()
        while self.begun and self.waiting and len(self.running) < AT_ONCE:
            connection = self.waiting.popleft()
            self.running[_started(connection)] = connection

    def stop(self) -> None:
        for client in list(self.running):
            os.kill(client, signal.SIGKILL)
            os.waitpid(client, 0)
            self._end(client, 1)
        for connection in self.waiting:
            connection.close()

    def _all_there(self) -> bool:
        return len(self.waiting) >= self.expected or time.monotonic() - self.last_came > QUIET_SECONDS

    def _end(self, client: int, code: int) -> None:
        with self.running.pop(client) as connection:
            try:
                connection.send(bytes([code]))
            except OSError:
                # The suite lost patience with it, and will say so.
                return


def _started(connection: socket.socket) -> int:
    task, streams, _flags, _address = socket.recv_fds(connection, LARGEST_TASK, 2)
    client = os.fork()
    if client == 0:
        _become_client(task, streams)
    for stream in streams:
        os.close(stream)
    return client


def _become_client(task: bytes, streams: Sequence[int]) -> NoReturn:
    code = 1
    try:
        for stream, own in zip(streams, (1, 2)):
            os.dup2(stream, own)
        asked = json.loads(task)
        code = driver.run(asked["url"], asked["scenario"], asked["context"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve(listener: socket.socket, expected: int, suite: subprocess.Popen[bytes]) -> int:
    """Until the suite ends, or has to be ended; its exit code."""
    listener.settimeout(POLL_SECONDS)
    clients = Clients(listener, expected)
    deadline = time.monotonic() + SUITE_SECONDS
    try:
        while suite.poll() is None:
            if time.monotonic() > deadline:
                print(f"the suite did not end within {SUITE_SECONDS} s", flush=True)
                suite.kill()
                suite.wait()
                break
            clients.step()
    finally:
        clients.stop()
    return suite.returncode


def main(arguments: Sequence[str]) -> int:
    expected, *command = arguments
    with tempfile.TemporaryDirectory(prefix="mcpops-conformance-") as directory:
        path = str(Path(directory, "clients"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            listener.listen(BACKLOG)
            with subprocess.Popen(command, env={**os.environ, SOCKET: path}) as suite:
                return serve(listener, int(expected), suite)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
