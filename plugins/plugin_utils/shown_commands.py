# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A command that a person may have to answer while it runs: what it writes to standard error is shown meanwhile."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from ..module_utils.task import CommandOutput

SHOWN_AFTER_SECONDS = 1.0
"""What a command says right before it ends is in the failure, and not shown twice."""


def run_shown(argv: Sequence[str], environment: Mapping[str, str], show: Callable[[str], None]) -> CommandOutput:
    """Run it to its end; `show` is called with each line of its standard error, from this thread."""
    with subprocess.Popen(
        list(argv),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # whatever the locale says: programs in Go read and write nothing else
        encoding="utf-8",
        errors="replace",
    ) as process:
        written: list[str] = []
        said: list[str] = []
        readers = [_reader(process.stdout, written), _reader(process.stderr, said)]
        shown = 0
        while True:
            try:
                process.wait(SHOWN_AFTER_SECONDS)
                break
            except subprocess.TimeoutExpired:
                lines = said[shown:]
                shown += len(lines)
                for line in lines:
                    show(line.rstrip())
        for reader in readers:
            reader.join()
    return CommandOutput(process.returncode, "".join(written), "".join(said))


def _reader(stream: IO[str] | None, lines: list[str]) -> threading.Thread:
    def read() -> None:
        for line in stream or ():
            lines.append(line)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
