# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m conformance.turns URL`: the driver, when its turn has come.

The suite starts all its clients at once, and some of them are timed. They take turns, one for each processor, before
they load anything.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

DIRECTORY = "CONFORMANCE_TURNS"
POLL_SECONDS = 0.05


@contextmanager
def turn(directory: str, count: int) -> Iterator[None]:
    """One of `count` turns, given back even if this process is killed."""
    with ExitStack() as opened:
        locks = [opened.enter_context(Path(directory, str(number)).open("w")) for number in range(count)]
        while not any(_taken(lock.fileno()) for lock in locks):
            time.sleep(POLL_SECONDS)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main(arguments: list[str]) -> int:
    with turn(os.environ[DIRECTORY], len(os.sched_getaffinity(0))):
        from conformance import driver

        return driver.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
