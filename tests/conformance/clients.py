# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m conformance.clients COMMAND...`: runs the suite, and beside it the clients that the suite asks for.

The suite starts all its clients at once, and some of them are timed. What it starts is therefore a short program
(client.py) that hands its task and its output over and waits. The clients themselves run here, one after the other in
each worker. Each is a fork that has the collection's client loaded, which takes longer than most conversations.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from conformance import driver
from conformance.client import SOCKET

# More than the suite gives its clients.
SUITE_SECONDS = 300
LARGEST_TASK = 1 << 17
# More than the suite has scenarios.
WAITING = 128


@contextmanager
def workers(path: Path, count: int) -> Iterator[None]:
    """`count` workers that take tasks at `path`, until the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen(WAITING)
        started = [_forked(listener) for _number in range(count)]
        try:
            yield
        finally:
            for worker in started:
                os.kill(worker, 9)
                os.waitpid(worker, 0)


def _forked(listener: socket.socket) -> int:
    worker = os.fork()
    if worker == 0:
        try:
            while True:
                connection, _address = listener.accept()
                with connection:
                    connection.send(bytes([_served(connection)]))
        finally:
            os._exit(1)
    return worker


def _served(connection: socket.socket) -> int:
    """Runs one client; its exit code. A suite that lost patience is no reason to stop."""
    task, streams, _flags, _address = socket.recv_fds(connection, LARGEST_TASK, 2)
    client = os.fork()
    if client == 0:
        _become_client(task, streams)
    for stream in streams:
        os.close(stream)
    _client, status = os.waitpid(client, 0)
    return os.waitstatus_to_exitcode(status) & 0xFF


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


def main(command: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="mcpops-conformance-") as directory:
        path = Path(directory, "clients")
        # The revisions run side by side: a worker each leaves the other processor to the suite.
        with workers(path, max(1, len(os.sched_getaffinity(0)) // 2)):
            environment = {**os.environ, SOCKET: str(path)}
            try:
                return subprocess.run(command, env=environment, check=False, timeout=SUITE_SECONDS).returncode
            except subprocess.TimeoutExpired:
                print(f"the suite did not end within {SUITE_SECONDS} s", flush=True)
                return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
